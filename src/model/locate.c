/* The file names of a Hugging Face model directory, in the order in which they are taken. */
#include "model/locate.h"

#include <stdlib.h>

#include "base/file.h"

int locate_weights(enum weights_form *form, char **path, const char *directory, struct error *error)
{
    static const struct {
        const char *name;
        enum weights_form form;
    } files[] = {
        {"model.safetensors", WEIGHTS_SINGLE},
        {"model.safetensors.index.json", WEIGHTS_SHARDED},
        {"pytorch_model.bin", WEIGHTS_PICKLED},
        {"pytorch_model.bin.index.json", WEIGHTS_PICKLED},
    };
    *form = WEIGHTS_ABSENT;
    *path = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *candidate = file_join(directory, files[i].name);
        if (candidate == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory");
        if (file_exists(candidate)) {
            *form = files[i].form;
            *path = candidate;
            return 0;
        }
        free(candidate);
    }
    return 0;
}
