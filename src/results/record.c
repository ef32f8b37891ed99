/* The metric table, the field table and what follows from a run's two times. */
#include "results/record.h"

#include <math.h>
#include <string.h>

#include "results/fields.h"

const struct metric metrics[METRIC_COUNT] = {
    [METRIC_TOTAL_LATENCY] = {"total_latency", "s", "Total latency",
                              "From the prompt handed over to the last token known.",
                              offsetof(struct run_record, total_latency), NULL,
                              METRIC_LOWER_IS_BETTER},
    [METRIC_PREFILL_TIME] = {"prefill_time", "s", "Prefill time",
                             "From the prompt handed over to the first token of every sequence.",
                             offsetof(struct run_record, prefill_time), NULL,
                             METRIC_LOWER_IS_BETTER},
    [METRIC_DECODE_TIME] = {"decode_time", "s", "Decode time",
                            "From the first token to the last, one step at a time.",
                            offsetof(struct run_record, decode_time), NULL, METRIC_LOWER_IS_BETTER},
    [METRIC_DECODE_TIME_PER_TOKEN] = {"decode_time_per_token", "s", "Decode time per token",
                                      "Mean duration of one decode step.",
                                      offsetof(struct run_record, decode_time_per_token), NULL,
                                      METRIC_LOWER_IS_BETTER},
    [METRIC_TOKENS_PER_SECOND] = {"tokens_per_second", "tokens/s", "Throughput",
                                  "Generated tokens of the whole batch over total latency.",
                                  offsetof(struct run_record, tokens_per_second), NULL,
                                  METRIC_HIGHER_IS_BETTER},
    [METRIC_PREFILL_TOKENS_PER_SECOND] = {"prefill_tokens_per_second", "tokens/s",
                                          "Prefill throughput",
                                          "Prompt tokens of the whole batch over prefill time.",
                                          offsetof(struct run_record, prefill_tokens_per_second),
                                          NULL, METRIC_HIGHER_IS_BETTER},
    [METRIC_DECODE_TOKENS_PER_SECOND] = {"decode_tokens_per_second", "tokens/s",
                                         "Decode throughput",
                                         "Tokens after the first, of the whole batch, over decode "
                                         "time.",
                                         offsetof(struct run_record, decode_tokens_per_second),
                                         NULL, METRIC_HIGHER_IS_BETTER},
    [METRIC_CPU_MEMORY_MB] = {"cpu_memory_mb", "MB", "CPU memory",
                              "Peak resident memory of the process in the cell.",
                              offsetof(struct run_record, cpu_memory_mb), "memory_usage",
                              METRIC_LOWER_IS_BETTER},
    [METRIC_GPU_MEMORY_ALLOCATED_MB] = {"gpu_memory_allocated_mb", "MB", "GPU memory in use",
                                        "Peak of weights and arenas in use in the cell.",
                                        offsetof(struct run_record, gpu_memory_allocated_mb),
                                        "memory_usage", METRIC_LOWER_IS_BETTER},
    [METRIC_GPU_MEMORY_RESERVED_MB] = {"gpu_memory_reserved_mb", "MB", "GPU memory reserved",
                                       "All that the process holds from the driver.",
                                       offsetof(struct run_record, gpu_memory_reserved_mb),
                                       "memory_usage", METRIC_LOWER_IS_BETTER},
};

const struct run_field run_fields[RUN_FIELD_COUNT] = {
    {"timestamp", FIELD_TEXT, offsetof(struct run_record, timestamp), RECORD_TIMESTAMP_MAX, 0,
     FIELD_OPTIONAL},
    {"model_name", FIELD_TEXT, offsetof(struct run_record, model_name), RECORD_NAME_MAX, 0,
     FIELD_REQUIRED},
    {"device", FIELD_TEXT, offsetof(struct run_record, device), RECORD_DEVICE_MAX, 0,
     FIELD_REQUIRED},
    {"dtype", FIELD_TEXT, offsetof(struct run_record, dtype), RECORD_DTYPE_MAX, 0, FIELD_OPTIONAL},
    {"batch_size", FIELD_COUNT, offsetof(struct run_record, batch_size), 0, 1, FIELD_REQUIRED},
    {"input_length", FIELD_COUNT, offsetof(struct run_record, input_length), 0, 1, FIELD_REQUIRED},
    {"target_output_length", FIELD_COUNT, offsetof(struct run_record, target_output_length), 0, 1,
     FIELD_OPTIONAL},
    {"actual_output_length", FIELD_COUNT, offsetof(struct run_record, actual_output_length), 0, 1,
     FIELD_REQUIRED},
    {"run_number", FIELD_COUNT, offsetof(struct run_record, run_number), 0, 1, FIELD_REQUIRED},
    {"pass", FIELD_COUNT, offsetof(struct run_record, pass), 0, 0, FIELD_OPTIONAL},
    {"process", FIELD_COUNT, offsetof(struct run_record, process), 0, 0, FIELD_OPTIONAL},
    {"decode_tokens_count", FIELD_COUNT, offsetof(struct run_record, decode_tokens_count), 0, 0,
     FIELD_OPTIONAL},
    {"temperature", FIELD_REAL, offsetof(struct run_record, temperature), 0, 0, FIELD_OPTIONAL},
    {"top_p", FIELD_REAL, offsetof(struct run_record, top_p), 0, 0, FIELD_OPTIONAL},
    {"device_decode_time", FIELD_REAL, offsetof(struct run_record, device_decode_time), 0, 0,
     FIELD_OPTIONAL},
    {"output_hash", FIELD_TEXT, offsetof(struct run_record, output_hash), RECORD_HASH_MAX, 0,
     FIELD_OPTIONAL},
    {"involuntary_switches", FIELD_REAL,
     offsetof(struct run_record, conditions.involuntary_switches), 0, 0, FIELD_OPTIONAL},
    {"major_faults", FIELD_REAL, offsetof(struct run_record, conditions.major_faults), 0, 0,
     FIELD_OPTIONAL},
    {"other_cpu_s", FIELD_REAL, offsetof(struct run_record, conditions.other_cpu_s), 0, 0,
     FIELD_OPTIONAL},
    {"cpu_steal_s", FIELD_REAL, offsetof(struct run_record, conditions.steal_s), 0, 0,
     FIELD_OPTIONAL},
    {"swapped_pages", FIELD_REAL, offsetof(struct run_record, conditions.swapped_pages), 0, 0,
     FIELD_OPTIONAL},
    {"throttle_events", FIELD_REAL, offsetof(struct run_record, conditions.throttle_events), 0, 0,
     FIELD_OPTIONAL},
    {"cpu_mhz", FIELD_REAL, offsetof(struct run_record, conditions.cpu_mhz), 0, 0, FIELD_OPTIONAL},
    {"energy_j", FIELD_REAL, offsetof(struct run_record, conditions.energy_j), 0, 0,
     FIELD_OPTIONAL},
    {"bandwidth_before_gb_per_s", FIELD_REAL,
     offsetof(struct run_record, conditions.bandwidth_before), 0, 0, FIELD_OPTIONAL},
    {"bandwidth_after_gb_per_s", FIELD_REAL,
     offsetof(struct run_record, conditions.bandwidth_after), 0, 0, FIELD_OPTIONAL},
    {"gpu_power_w", FIELD_REAL, offsetof(struct run_record, conditions.device.power_w), 0, 0,
     FIELD_IF_KNOWN},
    {"gpu_energy_j", FIELD_REAL, offsetof(struct run_record, conditions.device.energy_j), 0, 0,
     FIELD_IF_KNOWN},
    {"gpu_sm_mhz", FIELD_REAL, offsetof(struct run_record, conditions.device.core_mhz), 0, 0,
     FIELD_IF_KNOWN},
    {"gpu_memory_mhz", FIELD_REAL, offsetof(struct run_record, conditions.device.memory_mhz), 0, 0,
     FIELD_IF_KNOWN},
    {"gpu_temperature_c", FIELD_REAL, offsetof(struct run_record, conditions.device.temperature_c),
     0, 0, FIELD_IF_KNOWN},
    {"gpu_heat_throttled_s", FIELD_REAL,
     offsetof(struct run_record, conditions.device.heat_throttled_s), 0, 0, FIELD_IF_KNOWN},
    {"gpu_power_throttled_s", FIELD_REAL,
     offsetof(struct run_record, conditions.device.power_throttled_s), 0, 0, FIELD_IF_KNOWN},
    {"gpu_other_processes", FIELD_REAL,
     offsetof(struct run_record, conditions.device.other_processes), 0, 0, FIELD_IF_KNOWN},
    {"gpu_memory_used_mb", FIELD_REAL,
     offsetof(struct run_record, conditions.device.memory_used_mb), 0, 0, FIELD_IF_KNOWN},
    {"gpu_energy_source", FIELD_TEXT, offsetof(struct run_record, conditions.device.energy_source),
     RECORD_WORD_MAX, 0, FIELD_IF_KNOWN},
    {"gpu_throttle_reasons", FIELD_TEXT,
     offsetof(struct run_record, conditions.device.throttle_reasons), RECORD_THROTTLE_MAX, 0,
     FIELD_IF_KNOWN},
};

const struct cell_field cell_fields[CELL_FIELD_COUNT] = {
    {"runs", "warm_up", FIELD_COUNT, offsetof(struct cell_record, warm_up_runs), 0, FIELD_OPTIONAL},
    {"reason", "warm_up", FIELD_TEXT, offsetof(struct cell_record, warm_up_reason), RECORD_WORD_MAX,
     FIELD_OPTIONAL},
    {"stop_reason", NULL, FIELD_TEXT, offsetof(struct cell_record, stop_reason), RECORD_WORD_MAX,
     FIELD_OPTIONAL},
    {"output_check", NULL, FIELD_TEXT, offsetof(struct cell_record, output_check),
     RECORD_REASON_MAX, FIELD_OPTIONAL},
    {"mbu", NULL, FIELD_REAL, offsetof(struct cell_record, limits.mbu), 0, FIELD_OPTIONAL},
    {"mfu", NULL, FIELD_REAL, offsetof(struct cell_record, limits.mfu), 0, FIELD_OPTIONAL},
    {"bound", NULL, FIELD_TEXT, offsetof(struct cell_record, limits.bound), RECORD_WORD_MAX,
     FIELD_OPTIONAL},
    {"prefill_bound", NULL, FIELD_TEXT, offsetof(struct cell_record, limits.prefill_bound),
     RECORD_WORD_MAX, FIELD_OPTIONAL},
    {"prefill_floor_s", NULL, FIELD_REAL, offsetof(struct cell_record, limits.prefill_floor_s), 0,
     FIELD_OPTIONAL},
    {"decode_step_floor_s", NULL, FIELD_REAL,
     offsetof(struct cell_record, limits.decode_step_floor_s), 0, FIELD_OPTIONAL},
    {"prefill_flops", NULL, FIELD_REAL, offsetof(struct cell_record, limits.prefill_flops), 0,
     FIELD_OPTIONAL},
    {"prefill_bytes", NULL, FIELD_REAL, offsetof(struct cell_record, limits.prefill_bytes), 0,
     FIELD_OPTIONAL},
    {"decode_step_flops", NULL, FIELD_REAL, offsetof(struct cell_record, limits.decode_step_flops),
     0, FIELD_OPTIONAL},
    {"decode_step_bytes", NULL, FIELD_REAL, offsetof(struct cell_record, limits.decode_step_bytes),
     0, FIELD_OPTIONAL},
    {"peak_flops_per_s", NULL, FIELD_REAL, offsetof(struct cell_record, limits.peak_flops_per_s), 0,
     FIELD_OPTIONAL},
    {"energy_per_token_j", NULL, FIELD_REAL,
     offsetof(struct cell_record, limits.energy_per_token_j), 0, FIELD_OPTIONAL},
    {"memory_missing_mb", NULL, FIELD_REAL, offsetof(struct cell_record, memory_missing_mb), 0,
     FIELD_OPTIONAL},
    {"place", "predicted_memory", FIELD_TEXT, offsetof(struct cell_record, prediction.place),
     RECORD_WORD_MAX, FIELD_OPTIONAL},
    {"weights_mb", "predicted_memory", FIELD_REAL,
     offsetof(struct cell_record, prediction.weights_mb), 0, FIELD_OPTIONAL},
    {"kv_cache_mb", "predicted_memory", FIELD_REAL,
     offsetof(struct cell_record, prediction.kv_cache_mb), 0, FIELD_OPTIONAL},
    {"workspace_mb", "predicted_memory", FIELD_REAL,
     offsetof(struct cell_record, prediction.workspace_mb), 0, FIELD_OPTIONAL},
    {"total_mb", "predicted_memory", FIELD_REAL, offsetof(struct cell_record, prediction.total_mb),
     0, FIELD_OPTIONAL},
    {"gpu_energy_per_token_j", NULL, FIELD_REAL,
     offsetof(struct cell_record, conditions.energy_per_token_j), 0, FIELD_IF_KNOWN},
    {"gpu_power_w", NULL, FIELD_REAL, offsetof(struct cell_record, conditions.power_w), 0,
     FIELD_IF_KNOWN},
    {"gpu_energy_j", NULL, FIELD_REAL, offsetof(struct cell_record, conditions.energy_j), 0,
     FIELD_IF_KNOWN},
    {"gpu_sm_mhz", NULL, FIELD_REAL, offsetof(struct cell_record, conditions.core_mhz), 0,
     FIELD_IF_KNOWN},
    {"gpu_memory_mhz", NULL, FIELD_REAL, offsetof(struct cell_record, conditions.memory_mhz), 0,
     FIELD_IF_KNOWN},
    {"gpu_temperature_c", NULL, FIELD_REAL, offsetof(struct cell_record, conditions.temperature_c),
     0, FIELD_IF_KNOWN},
    {"gpu_heat_throttled_s", NULL, FIELD_REAL,
     offsetof(struct cell_record, conditions.heat_throttled_s), 0, FIELD_IF_KNOWN},
    {"gpu_power_throttled_s", NULL, FIELD_REAL,
     offsetof(struct cell_record, conditions.power_throttled_s), 0, FIELD_IF_KNOWN},
    {"gpu_other_processes", NULL, FIELD_REAL,
     offsetof(struct cell_record, conditions.other_processes), 0, FIELD_IF_KNOWN},
    {"gpu_memory_used_mb", NULL, FIELD_REAL,
     offsetof(struct cell_record, conditions.memory_used_mb), 0, FIELD_IF_KNOWN},
    {"gpu_energy_source", NULL, FIELD_TEXT, offsetof(struct cell_record, conditions.energy_source),
     RECORD_WORD_MAX, FIELD_IF_KNOWN},
    {"gpu_throttle_reasons", NULL, FIELD_TEXT,
     offsetof(struct cell_record, conditions.throttle_reasons), RECORD_THROTTLE_MAX,
     FIELD_IF_KNOWN},
};

void run_conditions_init(struct run_conditions *conditions)
{
    static const struct device_conditions unknown = {NAN, NAN, NAN, NAN, NAN, NAN,
                                                     NAN, NAN, NAN, NAN, "",  ""};
    *conditions =
        (struct run_conditions){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, unknown};
}

void run_record_init(struct run_record *run)
{
    memset(run, 0, sizeof *run);
    run->decode_step_times = NULL;
    for (size_t i = 0; i < METRIC_COUNT; i++)
        *run_metric_place(run, &metrics[i]) = NAN;
    run->temperature = NAN;
    run->top_p = NAN;
    run->device_decode_time = NAN;
    run_conditions_init(&run->conditions);
}

/* A rate over no time at all is unknown, not infinite. */
static double rate(double amount, double time_s)
{
    return amount > 0.0 && time_s > 0.0 ? amount / time_s : NAN;
}

void run_record_derive(struct run_record *run)
{
    double batch = (double)run->batch_size;
    run->decode_tokens_count = run->actual_output_length > 1 ? run->actual_output_length - 1 : 0;
    double steps = (double)run->decode_tokens_count;
    if (run->decode_tokens_count == 0)
        run->decode_time = 0.0;
    run->total_latency = run->prefill_time + run->decode_time;
    run->decode_time_per_token = steps > 0.0 ? run->decode_time / steps : NAN;
    run->tokens_per_second = rate(batch * (double)run->actual_output_length, run->total_latency);
    run->prefill_tokens_per_second = rate(batch * (double)run->input_length, run->prefill_time);
    run->decode_tokens_per_second = rate(batch * steps, run->decode_time);
}

double metric_value(const struct metric *metric, const struct run_record *run)
{
    double value;
    memcpy(&value, (const char *)run + metric->offset, sizeof value);
    return value;
}

const char *cell_status_name(enum cell_status status)
{
    switch (status) {
    case CELL_PENDING:
        return "pending";
    case CELL_PARTIAL:
        return "partial";
    case CELL_MEASURED:
        return "measured";
    case CELL_SKIPPED:
        return "skipped";
    case CELL_FAILED:
        break;
    }
    return "failed";
}

bool cell_holds_run(const struct cell_record *cell, const struct run_record *run)
{
    if (cell->batch_size != run->batch_size || cell->input_length != run->input_length)
        return false;
    bool any = cell->model_name[0] == '\0' && cell->device[0] == '\0' && cell->dtype[0] == '\0';
    return any || (strcmp(cell->model_name, run->model_name) == 0 &&
                   strcmp(cell->device, run->device) == 0 && strcmp(cell->dtype, run->dtype) == 0);
}

static void *place_of(struct run_record *run, size_t offset)
{
    return (char *)run + offset;
}

char *run_field_text(struct run_record *run, const struct run_field *field)
{
    return place_of(run, field->offset);
}

int64_t *run_field_count(struct run_record *run, const struct run_field *field)
{
    return place_of(run, field->offset);
}

double *run_field_real(struct run_record *run, const struct run_field *field)
{
    return place_of(run, field->offset);
}

double *run_metric_place(struct run_record *run, const struct metric *metric)
{
    return place_of(run, metric->offset);
}
