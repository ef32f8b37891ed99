/* Writes a pair of results files at the prefix that is named: numbers and names that are hard on
 * a format, for a reader that is not ours to check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results/results_file.h"

static const char *const names[] = {"org/plain", "a,b", "say \"hi\"", "two\r\nlines",
                                    "na\xC3\xAFve"};
static const double times_s[] = {0.1, 1.0 / 3.0, 5e-324, 1e-9, 123456.789};

static int add_runs(struct results *results, struct error *error)
{
    int code = 0;
    for (int64_t i = 0; code == 0 && i < 5; i++) {
        struct run_record run;
        run_record_init(&run);
        (void)strcpy(run.timestamp, "2026-01-31T23:59:59.123456+01:00");
        (void)strcpy(run.model_name, names[i]);
        (void)strcpy(run.device, "cpu");
        (void)strcpy(run.dtype, "float32");
        run.batch_size = 1 + i;
        run.input_length = 32;
        run.target_output_length = 1 + i;
        run.actual_output_length = 1 + i;
        run.run_number = 1;
        run.prefill_time = times_s[i];
        run.decode_time = 2.0 * times_s[4 - i];
        run.cpu_memory_mb = 1000.0 / 7.0;
        run.temperature = 0.7;
        run.top_p = 0.9;
        run_record_derive(&run);
        code = results_add_run(results, &run, error);
    }
    return code;
}

int main(int argument_count, char **arguments)
{
    struct error error = {0};
    struct results results;
    struct results_file file;
    if (argument_count != 2)
        return EXIT_FAILURE;
    results_init(&results);
    int code = results_file_open(&file, arguments[1], true, clock_monotonic(), &error);
    if (code == 0)
        code = add_runs(&results, &error);
    if (code == 0)
        code = results_file_save(&file, &results, true, &error);
    results_free(&results);
    results_file_close(&file);
    if (code != 0)
        (void)fprintf(stderr, "%s\n", error.text);
    return code == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
