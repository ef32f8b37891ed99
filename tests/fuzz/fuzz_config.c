/* Any bytes as a configuration: refused with a text, or taken and then the same after a trip
 * through JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_trip(const struct config *config)
{
    struct config again;
    struct text text = {0};
    struct error error = {0};
    json_t *before = config_json(config);
    if (before == NULL || json_text_dump(&text, before, 2, &error) != 0 ||
        config_parse(&again, text_string(&text), text.length, "again", &error) != 0)
        abort();
    json_t *after = config_json(&again);
    if (!json_equal(before, after))
        abort();
    json_decref(before);
    json_decref(after);
    text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct error error = {0};
    int code = config_parse(&config, (const char *)data, size, "fuzz.json", &error);
    if (code == 0)
        check_trip(&config);
    else if (code != error.code || error.text[0] == '\0')
        abort();
    return 0;
}
