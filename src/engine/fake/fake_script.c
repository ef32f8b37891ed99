/* Scripts of fake.h: the empty one, the built-in one, and how they spend time. */
#include <time.h>

#include "engine/fake/fake.h"

static const struct fake_fault built_in_faults[] = {
    {FAKE_PREFILL_FAILS, 13, 0, -1},
    {FAKE_OUT_OF_MEMORY, 17, 0, -1},
    {FAKE_MEMORY_TOO_SMALL, 19, 0, -1},
    {FAKE_NOT_FINITE, 23, 0, -1},
};

void fake_script_init(struct fake_script *script)
{
    *script = (struct fake_script){
        .vocabulary_size = 50257,
        .available_bytes = INT64_MAX,
        .device_allocated_bytes = -1,
        .device_reserved_bytes = -1,
        .bandwidth = 1e10,
        .flops = 1e11,
        .component_parts =
            {
                [ENGINE_EMBEDDING] = 0.0625,
                [ENGINE_ATTENTION_PROJECTIONS] = 0.25,
                [ENGINE_ATTENTION] = 0.125,
                [ENGINE_MLP] = 0.375,
                [ENGINE_NORMS] = 0.03125,
                [ENGINE_HEAD] = 0.125,
                [ENGINE_SAMPLING] = 0.03125,
            },
    };
}

void fake_script_built_in(struct fake_script *script)
{
    fake_script_init(script);
    script->prefill_token_s = 5e-6;
    script->step_s = 2e-3;
    script->kv_bytes_per_position = 1024;
    script->workspace_bytes = 1 << 20;
    script->available_bytes = (int64_t)1 << 40;
    script->host_peak_bytes = (int64_t)100 << 20;
    script->faults = built_in_faults;
    script->fault_count = sizeof built_in_faults / sizeof built_in_faults[0];
    script->bandwidth = 1e12; /* readings beside the cells take next to no time */
    script->flops = 1e15;
    script->sleeps = true;
}

static double script_now_s(void *context)
{
    return ((const struct fake_script *)context)->now_s;
}

struct clock fake_clock(struct fake_script *script)
{
    return (struct clock){script_now_s, script};
}

void fake_script_spend(struct fake_script *script, double seconds)
{
    if (!script->sleeps) {
        script->now_s += seconds;
        return;
    }
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&pause, NULL);
}
