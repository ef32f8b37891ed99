/* Any bytes as a safetensors file: refused, or every tensor can be read to its end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensor_set set = {0};
    struct error error = {0};
    struct tensor_file file = {.path = (char *)"fuzz", .map = {.data = data, .bytes = size}};
    if (safetensors_parse(&set, &file, &error) == 0 && tensor_set_finish(&set, &error) == 0) {
        for (size_t i = 0; i < set.count; i++) {
            const struct tensor *tensor = &set.tensors[i];
            size_t width = tensor_element_bytes(tensor->type);
            size_t count = width > 0 ? tensor->bytes / width : 0;
            float *values = malloc((count + 1) * sizeof *values);
            if (values != NULL)
                tensor_read(tensor, 0, (int64_t)count, values);
            free(values);
        }
    } else if (error.text[0] == '\0') {
        abort(); /* a refusal must say something */
    }
    tensor_set_free(&set);
    return 0;
}
