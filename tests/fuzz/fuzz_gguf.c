/* GGUF files: whatever the bytes are, they are refused with a text or give a sound architecture
 * and tensors that lie inside the file. */
#include <stdint.h>
#include <stdlib.h>

#include "model/gguf.h"
#include "model/gguf_config.h"
#include "model/gguf_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensor_set set = {0};
    struct tensor_file file = {.path = "fuzz.gguf", .map = {data, size}};
    struct error error = {0};
    json_t *metadata = NULL;
    const struct tensor_naming *naming = NULL;
    static struct architecture architecture;
    if (gguf_parse(&set, &metadata, &file, &error) == 0 && tensor_set_finish(&set, &error) == 0) {
        (void)gguf_architecture(&architecture, &naming, metadata, &set, "fuzz.gguf", &error);
        for (size_t i = 0; i < set.count; i++) {
            float last = 0;
            int64_t count = 1;
            for (int axis = 0; axis < set.tensors[i].rank; axis++)
                count *= set.tensors[i].shape[axis];
            tensor_read(&set.tensors[i], count - 1, 1, &last);
            const struct tensor *tensor = &set.tensors[i];
            struct gguf_parts parts;
            if (gguf_block_has_parts(tensor->block))
                gguf_block_split(tensor->block, tensor->data + tensor->bytes - tensor->block->bytes,
                                 &parts);
        }
    } else if (error.text[0] == '\0') {
        abort();
    }
    json_decref(metadata);
    tensor_set_free(&set);
    return 0;
}
