/* The table of causes and its form in JSON. */
#include "results/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct verdict_cause_facts verdict_causes[VERDICT_CAUSE_COUNT] = {
    [VERDICT_OUTPUT_CHECK] = {"output check", VERDICT_INVALID,
                              "Do not use the numbers: the engine computed something wrong or "
                              "different each time. Compare with 'tokenmark generate' and report "
                              "it."},
    [VERDICT_BANDWIDTH_EXCEEDED] = {"bandwidth exceeded", VERDICT_INVALID,
                                    "The measured read bandwidth is below what the decode reached, "
                                    "so it was disturbed or the model's bytes are wrong: measure "
                                    "the cell again on a quiet machine."},
    [VERDICT_TOO_FEW_RUNS] = {"too few runs", VERDICT_NOISY,
                              "Measure at least 3 runs (--num-runs 3) to know the spread."},
    [VERDICT_SPREAD] = {"spread", VERDICT_NOISY,
                        "Measure more runs, or until they are precise enough (--precision 2%), and "
                        "look for what disturbs the machine."},
    [VERDICT_OUTLIERS] = {"outliers", VERDICT_NOISY,
                          "Use the median rather than the mean; look for what runs now and then "
                          "(updates, indexing, cron)."},
    [VERDICT_TREND] = {"drift", VERDICT_NOISY,
                       "The machine changed while it was measured (heat, clocks, memory filling "
                       "up): let it settle, then measure again with more passes (--passes)."},
    [VERDICT_PASSES_DIFFER] = {"passes differ", VERDICT_NOISY,
                               "The machine was in another state in another pass: compare no cells "
                               "of different passes; measure again when it is quiet."},
    [VERDICT_TWO_MODES] = {"two modes", VERDICT_NOISY,
                           "The runs fall into two groups, so their mean describes neither: look "
                           "for threads that move between CPUs (--pin on), clocks that switch, or "
                           "a neighbour that comes and goes."},
    [VERDICT_SLOW_FIRST_RUN] = {"slow first run", VERDICT_NOISY,
                                "The warm-up was not enough: measure more runs, and compare "
                                "medians."},
    [VERDICT_PREEMPTED] = {"preempted", VERDICT_NOISY,
                           "Other processes took this one's CPUs: stop them, or leave them CPUs of "
                           "their own (taskset, a smaller --threads)."},
    [VERDICT_STEAL] = {"cpu steal", VERDICT_NOISY,
                       "The hypervisor gave the CPUs to other guests: use a dedicated machine, or "
                       "measure at another time."},
    [VERDICT_OTHER_LOAD] = {"other load", VERDICT_NOISY,
                            "Other processes were busy and share caches and memory bandwidth even "
                            "on other CPUs: stop them."},
    [VERDICT_FREQUENCY] = {"cpu frequency", VERDICT_NOISY,
                           "Fix the clocks: governor 'performance' and, for comparisons, turbo "
                           "off."},
    [VERDICT_THROTTLED] = {"throttled", VERDICT_NOISY,
                           "The CPU slowed down for heat: improve the cooling, or measure fewer "
                           "cells at a time."},
    [VERDICT_MAJOR_FAULTS] =
        {"major page faults", VERDICT_NOISY,
         "Pages came from a disk inside the timed window: free memory, so that "
         "nothing is paged out."},
    [VERDICT_SWAP] = {"swap", VERDICT_NOISY,
                      "The machine swapped: free memory, or turn swap off (swapoff -a)."},
    [VERDICT_BANDWIDTH_CHANGED] = {"bandwidth changed", VERDICT_NOISY,
                                   "The memory bandwidth was another after the cell than before "
                                   "it, so something else used it: decode times follow it."},
    [VERDICT_PEAK_EXCEEDED] = {"peak exceeded", VERDICT_NOISY,
                               "The stored peak of this machine is too low: measure it again with "
                               "'tokenmark limits' on a quiet machine."},
    [VERDICT_CLOCKS_DIFFER] = {"clocks differ", VERDICT_NOISY,
                               "The host was held up at an end of the decode, or one of the clocks "
                               "is wrong: measure again with --sync-steps, which takes the host's "
                               "time of every step, and compare."},
    [VERDICT_MEMORY_MISSING] = {"memory missing", VERDICT_NOISY,
                                "Another process on the device took memory meanwhile (stop it), or "
                                "this program leaks (report it): later cells have less."},
    [VERDICT_GPU_SHARED] = {"gpu shared", VERDICT_NOISY,
                            "Another process had work on the same GPU: stop it ('nvidia-smi' shows "
                            "which it is), or measure on a GPU of your own (--device cuda:N)."},
    [VERDICT_GPU_THROTTLED] = {"gpu throttled", VERDICT_NOISY,
                               "The GPU slowed down for heat or at a sign of its power supply: "
                               "improve the cooling, let it rest, or set a lower clock that it "
                               "can keep (nvidia-smi -lgc)."},
    [VERDICT_GPU_POWER_LIMIT] = {"gpu power limit", VERDICT_NOISY,
                                 "The GPU lowered its clocks to keep its power limit, so the times "
                                 "are those of this card at this limit and heat: compare only with "
                                 "the same, raise the limit (nvidia-smi -pl), or set a clock that "
                                 "it can keep (nvidia-smi -lgc)."},
    [VERDICT_GPU_CLOCKS] = {"gpu clocks", VERDICT_NOISY,
                            "The GPU's clocks were not the same in all runs: lock them for the "
                            "time of the measurement (nvidia-smi -lgc, -lmc) and turn persistence "
                            "mode on (nvidia-smi -pm 1)."},
};

const char *verdict_level_name(enum verdict_level level)
{
    switch (level) {
    case VERDICT_VALID:
        return "VALID";
    case VERDICT_NOISY:
        return "NOISY";
    case VERDICT_INVALID:
        return "INVALID";
    case VERDICT_NONE:
        break;
    }
    return "";
}

void verdict_clear(struct verdict *verdict)
{
    *verdict = (struct verdict){.level = VERDICT_VALID};
}

void verdict_add(struct verdict *verdict, enum verdict_cause cause, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->texts[cause], VERDICT_TEXT_MAX, format, arguments);
    va_end(arguments);
    verdict->given[cause] = true;
    if (verdict_causes[cause].level > verdict->level)
        verdict->level = verdict_causes[cause].level;
}

bool verdict_write(json_t *object, const struct verdict *verdict)
{
    if (verdict->level == VERDICT_NONE)
        return json_object_set_new(object, "verdict_reasons", json_array()) == 0 &&
               json_object_set_new(object, "verdict", json_null()) == 0;
    json_t *reasons = json_array();
    /* The list is given away first, so that it is never left over. */
    bool complete = json_object_set_new(object, "verdict_reasons", reasons) == 0 &&
                    json_object_set_new(object, "verdict",
                                        json_string(verdict_level_name(verdict->level))) == 0;
    for (size_t i = 0; complete && i < VERDICT_CAUSE_COUNT; i++) {
        if (verdict->given[i])
            complete =
                json_array_append_new(
                    reasons, json_pack("{s:s, s:s, s:s}", "cause", verdict_causes[i].name, "text",
                                       verdict->texts[i], "advice", verdict_causes[i].advice)) == 0;
    }
    return complete;
}

static int read_level(enum verdict_level *level, const json_t *object, struct json_place place,
                      struct error *error)
{
    const char *name;
    bool found;
    int code = json_get_string(object, place, "verdict", &name, &found, error);
    if (code != 0 || !found)
        return code;
    for (int i = VERDICT_VALID; i <= VERDICT_INVALID; i++) {
        if (strcmp(name, verdict_level_name((enum verdict_level)i)) == 0) {
            *level = (enum verdict_level)i;
            return 0;
        }
    }
    return error_set(error, ERROR_INPUT,
                     "%s: %s.verdict: is \"%.40s\", allowed are VALID, NOISY and INVALID",
                     place.file, place.path, name);
}

static int read_reason(struct verdict *verdict, const json_t *item, struct json_place place,
                       struct error *error)
{
    const char *name, *text;
    if (!json_is_object(item))
        return error_set(error, ERROR_INPUT, "%s: %s: is %s, an object is needed", place.file,
                         place.path, json_kind_name(item));
    int code = json_get_string(item, place, "cause", &name, NULL, error);
    if (code == 0)
        code = json_get_string(item, place, "text", &text, NULL, error);
    if (code != 0)
        return code;
    if (strlen(text) >= VERDICT_TEXT_MAX)
        return error_set(error, ERROR_INPUT, "%s: %s.text: is longer than %d bytes", place.file,
                         place.path, VERDICT_TEXT_MAX - 1);
    for (size_t i = 0; i < VERDICT_CAUSE_COUNT; i++) {
        if (strcmp(name, verdict_causes[i].name) == 0) {
            verdict->given[i] = true;
            memcpy(verdict->texts[i], text, strlen(text) + 1);
        }
    }
    return 0;
}

int verdict_read(struct verdict *verdict, const json_t *object, struct json_place place,
                 struct error *error)
{
    int code = read_level(&verdict->level, object, place, error);
    const json_t *list = json_object_get(object, "verdict_reasons");
    if (code != 0 || list == NULL || json_is_null(list))
        return code;
    if (!json_is_array(list))
        return error_set(error, ERROR_INPUT, "%s: %s.verdict_reasons: is %s, a list is needed",
                         place.file, place.path, json_kind_name(list));
    for (size_t i = 0; code == 0 && i < json_array_size(list); i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s.verdict_reasons[%zu]", place.path, i);
        code = read_reason(verdict, json_array_get(list, i), (struct json_place){place.file, path},
                           error);
    }
    return code;
}
