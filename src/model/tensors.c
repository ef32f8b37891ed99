/* The set of tensors and the conversions of tensors.h. Bits are converted by integer work
 * alone: the result does not depend on instruction set or rounding mode. */
#include "model/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "model/gguf_blocks.h"

int tensor_set_add_file(struct tensor_set *set, const char *path, struct file_map map,
                        const struct tensor_file **out, struct error *error)
{
    struct tensor_file **files = realloc(set->files, (set->file_count + 1) * sizeof set->files[0]);
    if (files != NULL)
        set->files = files;
    struct tensor_file *file = files != NULL ? malloc(sizeof *file) : NULL;
    char *copy = file != NULL ? strdup(path) : NULL;
    if (copy == NULL) {
        free(file);
        file_map_close(&map);
        return error_set(error, ERROR_MEMORY, "%s: out of memory", path);
    }
    *file = (struct tensor_file){copy, map};
    files[set->file_count++] = file;
    *out = file;
    return 0;
}

int tensor_set_add(struct tensor_set *set, const struct tensor *tensor, struct error *error)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 256 : 2 * set->capacity;
        struct tensor *tensors = realloc(set->tensors, capacity * sizeof *tensors);
        if (tensors == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory for %zu tensors", capacity);
        set->tensors = tensors;
        set->capacity = capacity;
    }
    char *name = strdup(tensor->name);
    if (name == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for a tensor's name");
    set->tensors[set->count] = *tensor;
    set->tensors[set->count++].name = name;
    set->sorted = false;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

int tensor_set_finish(struct tensor_set *set, struct error *error)
{
    if (set->count > 0)
        qsort(set->tensors, set->count, sizeof set->tensors[0], compare_names);
    set->sorted = true;
    for (size_t i = 1; i < set->count; i++)
        if (strcmp(set->tensors[i - 1].name, set->tensors[i].name) == 0)
            return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" is there twice (also in %s)",
                             set->tensors[i].file->path, set->tensors[i].name,
                             set->tensors[i - 1].file->path);
    return 0;
}

const struct tensor *tensor_find(const struct tensor_set *set, const char *name)
{
    size_t low = 0;
    size_t high = set->sorted ? set->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, set->tensors[middle].name);
        if (order == 0)
            return &set->tensors[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void tensor_set_free(struct tensor_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->tensors[i].name);
    for (size_t i = 0; i < set->file_count; i++) {
        file_map_close(&set->files[i]->map);
        free(set->files[i]->path);
        free(set->files[i]);
    }
    free(set->tensors);
    free(set->files);
    *set = (struct tensor_set){0};
}

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [TENSOR_F32] = {"float32", 4},   [TENSOR_F16] = {"float16", 2},
    [TENSOR_BF16] = {"bfloat16", 2}, [TENSOR_F8_E4M3] = {"float8_e4m3", 1},
    [TENSOR_BLOCKS] = {"blocks", 0}, [TENSOR_OTHER] = {"not a float type", 0},
};

const char *tensor_type_name(const struct tensor *tensor)
{
    return tensor->type == TENSOR_BLOCKS ? tensor->block->name : types[tensor->type].name;
}

size_t tensor_element_bytes(enum tensor_type type)
{
    return types[type].bytes;
}

static void read_f16(const unsigned char *data, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = half_to_float((uint32_t)data[2 * i] | (uint32_t)data[2 * i + 1] << 8);
}

static void read_bf16(const unsigned char *data, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = float_from_bits((uint32_t)data[2 * i] << 16 | (uint32_t)data[2 * i + 1] << 24);
}

/* E4M3 without infinities: bias 7, all ones is NaN. */
static void read_f8_e4m3(const unsigned char *data, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t sign = (uint32_t)(data[i] & 0x80U) << 24;
        uint32_t rest = data[i] & 0x7fU;
        uint32_t value = (rest << 20) + (120U << 23);
        if (rest == 0x7fU)
            value = 0x7fc00000U;
        else if (rest < 8)
            value = float_to_bits((float)rest * 0x1p-9F);
        out[i] = float_from_bits(sign | value);
    }
}

void tensor_read(const struct tensor *tensor, int64_t first, int64_t count, float *out)
{
    size_t bytes = types[tensor->type].bytes;
    const unsigned char *data = tensor->data + (size_t)first * bytes;
    switch (tensor->type) {
    case TENSOR_F32:
        memcpy(out, data, (size_t)count * bytes);
        break;
    case TENSOR_F16:
        read_f16(data, count, out);
        break;
    case TENSOR_BF16:
        read_bf16(data, count, out);
        break;
    case TENSOR_F8_E4M3:
        read_f8_e4m3(data, count, out);
        break;
    case TENSOR_BLOCKS:
        gguf_block_read(tensor->block, tensor->data, first, count, out);
        break;
    case TENSOR_OTHER:
        break;
    }
}
