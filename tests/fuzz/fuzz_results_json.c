/* Any bytes as a results file in JSON: refused with a text, or taken, and then what is written
 * of it reads back as the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "results/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Derived values are computed on reading: one trip settles them, the next must change nothing. */
static void check_trip(const struct results *results)
{
    struct text once = {0};
    struct text twice = {0};
    struct error error = {0};
    struct results again;
    if (results_write_json(results, &once, &error) != 0 ||
        results_parse_json(&again, text_string(&once), once.length, "again", &error) != 0 ||
        again.run_count != results->run_count || results_write_json(&again, &twice, &error) != 0 ||
        strcmp(text_string(&once), text_string(&twice)) != 0)
        abort();
    results_free(&again);
    text_free(&once);
    text_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct results results;
    struct error error = {0};
    int code = results_parse_json(&results, (const char *)data, size, "fuzz.json", &error);
    if (code == 0) {
        check_trip(&results);
        results_free(&results);
    } else if (code != error.code || error.text[0] == '\0') {
        abort();
    }
    return 0;
}
