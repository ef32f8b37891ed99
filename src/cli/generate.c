/* tokenmark generate: the engine once, untimed, so that anyone can hold its tokens and logits
 * against another engine. Shares model, engine and prompts with bench. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/generation_log.h"
#include "cli/progress.h"
#include "cli/prompts.h"
#include "cli/setup.h"
#include "cli/terminal.h"

struct generate_flags {
    struct setup_flags setup;
    struct option_keys keys;
    struct option_list prompt_ids;
    const char *prompt_file;
    const char *random_prompt;
    int64_t top_logits;
};

static const struct option prompt_options[] = {
    {.name = "prompt-ids",
     .value = "ID,ID,...",
     .kind = OPTION_LIST,
     .offset = offsetof(struct generate_flags, prompt_ids),
     .help = "one prompt as token ids; repeat it for a batch of equal lengths"},
    {.name = "prompt-file",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct generate_flags, prompt_file),
     .takes_path = true,
     .help = "one prompt a line, ids separated by commas or blanks; - is standard input"},
    {.name = "random-prompt",
     .value = "BxL",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct generate_flags, random_prompt),
     .help = "exactly the rows that bench uses for batch B and length L with the same seed"},
};

static const struct option output_options[] = {
    {.name = "top-logits",
     .value = "K",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1 << 24,
     .offset = offsetof(struct generate_flags, top_logits),
     .help = "also print the K largest logits that each token was chosen from"},
};

static const struct option_group generate_groups[] = {
    {.title = "Model",
     .options = setup_model_options,
     .option_count = SETUP_MODEL_OPTIONS,
     .offset = offsetof(struct generate_flags, setup)},
    {.title = "Prompts",
     .options = prompt_options,
     .option_count = sizeof prompt_options / sizeof prompt_options[0]},
    {.title = "Generation",
     .keys = "output-length temperature top-p device",
     .offset = offsetof(struct generate_flags, keys)},
    {.title = "Generation",
     .options = output_options,
     .option_count = sizeof output_options / sizeof output_options[0]},
    {.title = "How to compute",
     .options = setup_engine_options,
     .option_count = SETUP_ENGINE_OPTIONS,
     .offset = offsetof(struct generate_flags, setup)},
};

struct generate {
    struct generate_flags flags;
    struct config config; /* output_length, temperature, top_p, device */
    struct progress progress;
    struct setup setup;
    struct prompts prompts;
    struct generation_log log;
};

static int read_prompts(struct generate *generate, struct error *error)
{
    const struct generate_flags *flags = &generate->flags;
    int64_t vocabulary_size = model_architecture(generate->setup.model)->vocabulary_size;
    if (flags->prompt_file != NULL)
        return prompts_read_file(&generate->prompts, flags->prompt_file, vocabulary_size, error);
    if (flags->random_prompt != NULL)
        return prompts_make_random(&generate->prompts, flags->random_prompt, vocabulary_size,
                                   flags->setup.seed, error);
    for (size_t i = 0; i < flags->prompt_ids.count; i++) {
        char place[48] = "--prompt-ids";
        if (flags->prompt_ids.count > 1)
            (void)snprintf(place, sizeof place, "--prompt-ids number %zu", i + 1);
        int code = prompts_add_row(&generate->prompts, flags->prompt_ids.values[i], place,
                                   vocabulary_size, error);
        if (code != 0)
            return code;
    }
    return 0;
}

/* What the model's own limits say about the request. */
static int check_limits(const struct generate *generate, struct error *error)
{
    const struct architecture *architecture = model_architecture(generate->setup.model);
    int64_t needed = generate->prompts.length + generate->config.output_length - 1;
    if (architecture->position_limit > 0 && needed > architecture->position_limit)
        return error_set(error, ERROR_INPUT,
                         "%" PRId64 " prompt ids and %" PRId64 " generated ones need %" PRId64
                         " positions, the model has %" PRId64
                         "; shorten one of them, or see --max-positions",
                         generate->prompts.length, generate->config.output_length, needed,
                         architecture->position_limit);
    if (generate->flags.top_logits > architecture->vocabulary_size)
        return error_set(error, ERROR_INPUT,
                         "--top-logits: %" PRId64 " is above the model's vocabulary of %" PRId64
                         " ids",
                         generate->flags.top_logits, architecture->vocabulary_size);
    return 0;
}

static int run_session(struct generate *generate, struct error *error)
{
    const struct session_shape shape = {
        .batch_size = generate->prompts.batch,
        .input_length = generate->prompts.length,
        .output_length = generate->config.output_length,
        .temperature = generate->config.temperature,
        .top_p = generate->config.top_p,
        .seed = generate->flags.setup.seed,
        .want_logits = generate->flags.top_logits > 0,
    };
    generate->log = (struct generation_log){
        .batch = shape.batch_size,
        .steps = shape.output_length,
        .vocabulary_size = model_architecture(generate->setup.model)->vocabulary_size,
        .top_count = generate->flags.top_logits,
    };
    const struct engine_ops *ops = generate->setup.ops;
    struct session *session = NULL;
    int code = generation_log_open(&generate->log, error);
    if (code == 0)
        code = ops->session_open(&session, generate->setup.engine, &shape, error);
    if (code != 0)
        return code;
    struct token_sink sink = generation_log_sink(&generate->log);
    code = ops->prefill(session, generate->prompts.ids, shape.input_length, &sink, error);
    if (code == 0 && shape.output_length > 1)
        code = ops->decode(session, shape.output_length - 1, &sink, error);
    ops->session_close(session);
    return code;
}

static json_t *prompts_json(const struct prompts *prompts)
{
    const struct generation_log rows = {
        .batch = prompts->batch, .steps = prompts->length, .tokens = prompts->ids};
    return generation_log_tokens(&rows);
}

static int print_result(const struct generate *generate, struct error *error)
{
    json_t *object = json_object();
    struct text text = {0};
    bool built =
        object != NULL &&
        json_object_set_new(object, "prompts", prompts_json(&generate->prompts)) == 0 &&
        json_object_set_new(object, "generated", generation_log_tokens(&generate->log)) == 0 &&
        (generate->log.top_count == 0 ||
         json_object_set_new(object, "top_logits", generation_log_top(&generate->log)) == 0);
    int code = built ? json_text_dump(&text, object, 2, error)
                     : error_set(error, ERROR_MEMORY, "no memory for the output");
    if (code == 0 && text.failed)
        code = error_set(error, ERROR_MEMORY, "no memory for the output");
    if (code == 0)
        (void)printf("%s\n", text_string(&text));
    text_free(&text);
    json_decref(object);
    return code;
}

/* Bench measures sampling as it is used; here greedy is the default, so that engines agree. */
static void generate_defaults(struct config *config)
{
    config_defaults(config);
    config->temperature = 0;
}

static int generate_all(struct generate *generate, struct error *error)
{
    generate_defaults(&generate->config);
    struct setup *setup = &generate->setup;
    int code = option_keys_apply(&generate->flags.keys, &generate->config, error);
    if (code == 0)
        code = setup_choose_device(setup, generate->config.device, error);
    if (code == 0)
        code = setup_open_model(setup, &generate->flags.setup, &generate->progress, error);
    if (code == 0)
        code = read_prompts(generate, error);
    if (code == 0)
        code = check_limits(generate, error);
    if (code == 0)
        code = setup_open_engine(setup, &generate->flags.setup, &generate->progress, error);
    if (code == 0)
        code = run_session(generate, error);
    return code == 0 ? print_result(generate, error) : code;
}

static int run_generate(const struct command *command, int argument_count, char **arguments)
{
    struct generate generate = {.flags.setup = setup_flags_default};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &generate.flags, &operands, &exit_code))
        return exit_code;
    const struct generate_flags *flags = &generate.flags;
    if (flags->setup.model == NULL)
        return command_refuse(command, "no model: --model NAME|DIR|FILE, for example --model gpt2");
    int sources = (flags->prompt_ids.count > 0) + (flags->prompt_file != NULL) +
                  (flags->random_prompt != NULL);
    if (sources != 1)
        return command_refuse(command, "%s: --prompt-ids, --prompt-file or --random-prompt",
                              sources == 0 ? "no prompt" : "prompts must come from one source");
    progress_init(&generate.progress);
    struct error error = {0};
    if (generate_all(&generate, &error) != 0)
        exit_code = command_fail(command, &error);
    generation_log_close(&generate.log);
    prompts_free(&generate.prompts);
    setup_close(&generate.setup);
    return exit_code;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "run a model once and print its tokens and logits",
    .usage = "--model NAME|DIR|FILE --prompt-ids ID,ID,... [--prompt-ids ...] [options]\n"
             "--model NAME|DIR|FILE --prompt-file FILE|- [options]\n"
             "--model NAME|DIR|FILE --random-prompt BxL [options]",
    .text = "Runs the engine once, untimed, greedy unless --temperature says otherwise, and prints "
            "one JSON object: prompts, generated and, with --top-logits, top_logits. For checking "
            "tokenmark against another engine.",
    .examples = "# five tokens after a prompt, with the three best candidates of each\n"
                "tokenmark generate --model DIR --prompt-ids 464,3290 \\\n"
                "    --output-length 5 --top-logits 3\n"
                "# the prompts of bench's cell of batch 4, length 256\n"
                "tokenmark generate --model gpt2 --weights random --random-prompt 4x256",
    .groups = generate_groups,
    .group_count = sizeof generate_groups / sizeof generate_groups[0],
    .defaults = generate_defaults,
    .run = run_generate,
};
