/* Warm-up of warm_up.h: page faults, clocks and caches settle before runner.h measures. */
#include "bench/warm_up.h"

enum { WARM_UP_STEPS_MAX = 8 };

int64_t warm_up_steps(int64_t output_length)
{
    int64_t steps = output_length - 1;
    return steps < WARM_UP_STEPS_MAX ? steps : WARM_UP_STEPS_MAX;
}

int warm_up_run(struct generation *generation, struct warm_up *report, struct error *error)
{
    *report = (struct warm_up){.steps = warm_up_steps(generation->output_length)};
    struct generation_times times = {0};
    int code = generation_run(generation, report->steps, &times, error);
    if (code != 0)
        return code;
    report->count = 1;
    report->prefill_s = times.prefill_s;
    report->decode_s = times.decode_s;
    return 0;
}
