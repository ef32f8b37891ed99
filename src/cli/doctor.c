/* tokenmark doctor: the surroundings of a measurement, and what disturbs one. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/counters.h"
#include "base/json.h"
#include "base/system.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/gpu_facts.h"
#include "cli/setup.h"
#include "cli/surroundings.h"
#include "cli/terminal.h"
#include "cli/version.h"

/* Long enough for the system's clock ticks to tell who is busy. */
static const long sample_ms = 400;

struct doctor_flags {
    struct setup_flags setup;
    const char *device;
    bool json;
};

static const struct option doctor_options[] = {
    {.name = "device",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .choices = "auto cpu cuda",
     .offset = offsetof(struct doctor_flags, device),
     .help = "whose GPU is looked at: auto, cpu (none), cuda or cuda:N (auto)"},
    {.name = "threads",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = 4096,
     .offset = offsetof(struct doctor_flags, setup.threads),
     .help = "CPU threads that would be used (the physical cores this process may use)"},
    {.name = "isa",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .choices = "auto c avx2 avx512 avx512_vnni avx512_bf16 neon neon_dotprod",
     .offset = offsetof(struct doctor_flags, setup.isa),
     .help = "instruction set that would be used (auto)"},
    {.name = "pin",
     .value = "on|off",
     .kind = OPTION_CHOICE,
     .choices = "on off",
     .offset = offsetof(struct doctor_flags, setup.pin),
     .help = "whether threads would be bound to CPUs (on)"},
    {.name = "json",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct doctor_flags, json),
     .help = "print one JSON object: the facts and the findings"},
};

static const struct option_group doctor_groups[] = {
    {.title = "Options",
     .options = doctor_options,
     .option_count = sizeof doctor_options / sizeof doctor_options[0]},
};

/* CPUs that others use now; this process sleeps meanwhile. */
static double sample_other_cpus(void)
{
    struct counters before, after;
    struct timespec pause = {0, sample_ms * 1000000L};
    counters_read(&before);
    (void)nanosleep(&pause, NULL);
    counters_read(&after);
    struct counters between = counters_difference(&before, &after);
    double used_s = between.busy_cpu_s - between.own_cpu_s;
    return isnan(used_s) ? NAN : fmax(0.0, used_s) * 1000.0 / (double)sample_ms;
}

/* A GPU that was not asked for by name and cannot be opened is a finding, no failure. */
static int open_gpu(struct setup *setup, const struct doctor_flags *flags, struct error *error)
{
    struct error found = {0};
    struct progress progress;
    progress_init(&progress);
    int code = setup_open_engine(setup, &setup_flags_default, &progress, &found);
    if (code == 0)
        return 0;
    if (strcmp(flags->device, "auto") != 0) {
        *error = found;
        return code;
    }
    setup->fallback = found;
    error_prefix(&setup->fallback, "%s cannot be opened", setup->ops->device);
    return 0;
}

/* The GPU that would be measured, or under gpu_unavailable why there is none. */
static int add_gpu(json_t *system, const struct doctor_flags *flags, struct error *error)
{
    struct setup setup = {0};
    int code = setup_choose_device(&setup, flags->device, error);
    if (code == 0 && strcmp(setup.ops->device, "cpu") != 0)
        code = open_gpu(&setup, flags, error);
    if (code == 0 && !gpu_facts_add(system, setup.facts, &setup))
        code = error_set(error, ERROR_MEMORY, "no memory for the facts of the GPU");
    if (code == 0 && setup.fallback.text[0] != '\0')
        (void)json_object_set_new(system, "gpu_unavailable", json_string(setup.fallback.text));
    setup_close(&setup);
    return code;
}

/* The CPU engine as it would be opened, without a model. */
static int add_engine(json_t *system, const struct doctor_flags *flags, struct error *error)
{
    struct setup setup = {0};
    struct progress progress;
    progress_init(&progress);
    int code = setup_choose_device(&setup, "cpu", error);
    if (code == 0)
        code = setup_open_engine(&setup, &flags->setup, &progress, error);
    if (code == 0 &&
        (json_object_set_new(setup.facts, "name", json_string(setup.ops->name)) != 0 ||
         json_object_set(system, "engine", setup.facts) != 0 ||
         json_object_set(system, "threads", json_object_get(setup.facts, "threads")) != 0 ||
         json_object_set_new(system, "pin", json_boolean(strcmp(flags->setup.pin, "on") == 0)) !=
             0))
        code = error_set(error, ERROR_MEMORY, "no memory for the facts of the engine");
    setup_close(&setup);
    return code;
}

static int collect(json_t **out, const struct doctor_flags *flags, struct error *error)
{
    double other_cpus = sample_other_cpus();
    json_t *system = system_facts();
    *out = system;
    if (system == NULL || !surroundings_complete(system) ||
        json_object_set_new(system, "other_cpus", json_number(other_cpus)) != 0 ||
        json_object_set_new(system, "tool", version_facts()) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for the facts of the machine");
    int code = add_engine(system, flags, error);
    return code == 0 ? add_gpu(system, flags, error) : code;
}

static void print_value(const json_t *value)
{
    size_t index;
    json_t *item;
    if (json_is_string(value)) {
        (void)printf("%s", json_string_value(value));
    } else if (json_is_boolean(value)) {
        (void)printf("%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_integer(value)) {
        (void)printf("%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)printf("%.*f", json_real_value(value) < 100.0 ? 2 : 0, json_real_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, item)
        {
            (void)printf("%s", index > 0 ? ", " : "");
            print_value(item);
        }
    } else {
        (void)printf("not available");
    }
}

/* "cpu_model" as "cpu model". */
static void print_fact(const char *key, const json_t *value)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s", key);
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '_' ? ' ' : *at;
    (void)printf("  %-24s", name);
    print_value(value);
    (void)printf("\n");
}

static void print_facts(json_t *facts)
{
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value)
    {
        if (!json_is_object(value))
            print_fact(key, value);
    }
    json_object_foreach(facts, key, value)
    {
        if (!json_is_object(value))
            continue;
        (void)printf("\n%s\n", key);
        print_facts(value);
    }
}

static void print_findings(const json_t *system)
{
    size_t warnings = 0;
    int width = terminal_page_width(stdout);
    (void)printf("\nfindings\n");
    for (size_t i = 0; i < SURROUNDINGS_CHECKS; i++) {
        const struct surroundings_check *check = &surroundings_checks[i];
        char text[SURROUNDINGS_TEXT_MAX];
        if (!check->applies(system, text, sizeof text))
            continue;
        warnings += check->warns;
        (void)printf("  %s%-8s%s", check->warns ? terminal_style(stdout, STYLE_YELLOW) : "",
                     check->warns ? "warning" : "note", check->warns ? terminal_plain(stdout) : "");
        terminal_print_wrapped(stdout, text, 10, 10, width);
        (void)printf("          ");
        terminal_print_wrapped(stdout, check->advice, 10, 10, width);
    }
    (void)printf(warnings == 0 ? "\nNothing here disturbs a measurement.\n"
                               : "\n%zu warning%s: measurements made now may be NOISY.\n",
                 warnings, warnings == 1 ? "" : "s");
}

static int print_json(json_t *system, struct error *error)
{
    struct text text = {0};
    json_t *findings = json_array();
    for (size_t i = 0; i < SURROUNDINGS_CHECKS; i++) {
        const struct surroundings_check *check = &surroundings_checks[i];
        char words[SURROUNDINGS_TEXT_MAX];
        if (check->applies(system, words, sizeof words))
            (void)json_array_append_new(findings, json_pack("{s:s, s:s, s:s, s:s}", "level",
                                                            check->warns ? "warning" : "note",
                                                            "name", check->name, "text", words,
                                                            "advice", check->advice));
    }
    json_t *document = json_pack("{s:O, s:o}", "system", system, "findings", findings);
    int code = document != NULL ? json_text_dump(&text, document, 2, error)
                                : error_set(error, ERROR_MEMORY, "no memory for the findings");
    if (code == 0)
        (void)printf("%s\n", text_string(&text));
    text_free(&text);
    json_decref(document);
    return code;
}

static int run_doctor(const struct command *command, int argument_count, char **arguments)
{
    struct doctor_flags flags = {.setup = setup_flags_default, .device = "auto"};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &flags, &operands, &exit_code))
        return exit_code;
    struct error error = {0};
    json_t *system = NULL;
    int code = collect(&system, &flags, &error);
    if (code == 0 && flags.json) {
        code = print_json(system, &error);
    } else if (code == 0) {
        (void)printf("machine\n");
        print_facts(system);
        print_findings(system);
    }
    json_decref(system);
    return code == 0 ? CLI_DONE : command_fail(command, &error);
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "show what around the program changes a measurement, and what to do about it",
    .usage = "[options]",
    .text = "Prints the facts of the machine, the GPU, the engine and the build that change what "
            "is measured, and warns of what disturbs: the frequency governor, other programs, more "
            "threads than cores, swap, missing huge pages, little memory; on a GPU other "
            "processes, clocks that are held down, persistence mode. Changes nothing.",
    .examples = "# before measuring\n"
                "tokenmark doctor\n"
                "# are 16 threads a good idea here?\n"
                "tokenmark doctor --threads 16",
    .groups = doctor_groups,
    .group_count = sizeof doctor_groups / sizeof doctor_groups[0],
    .run = run_doctor,
};
