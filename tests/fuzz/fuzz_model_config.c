/* Any bytes as a config.json: refused with a reason, or an architecture whose sizes and angles
 * can be worked out. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "model/architecture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct architecture architecture;
    json_t *config = NULL;
    struct error error = {0};
    if (json_text_load(&config, (const char *)data, size, "fuzz", &error) != 0)
        return 0;
    if (architecture_from_config(&architecture, config, "fuzz", &error) != 0) {
        if (error.text[0] == '\0')
            abort();
    } else {
        if (architecture_parameter_count(&architecture) <= 0)
            abort();
        if (architecture.position == POSITION_ROPE) {
            double frequencies[ROPE_PAIRS_MAX];
            double factor;
            architecture_rope_frequencies(&architecture.rope, 1000, frequencies, &factor);
        }
    }
    json_decref(config);
    return 0;
}
