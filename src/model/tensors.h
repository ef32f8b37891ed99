/* The named tensors of a model's files: where their bytes lie, their type and shape; and how
 * elements become float32. Readers of file formats (safetensors.h) fill a set. */
#ifndef TOKENMARK_MODEL_TENSORS_H
#define TOKENMARK_MODEL_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

enum { TENSOR_RANK_MAX = 8 };

enum tensor_type {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_F8_E4M3,
    TENSOR_BLOCKS, /* a block format of GGUF: tensor.block says which */
    TENSOR_OTHER,  /* integers and the like: may be there, cannot be a weight */
};

struct tensor_file {
    char *path;
    struct file_map map;
};

struct gguf_block;

struct tensor {
    char *name;
    enum tensor_type type;
    const struct gguf_block *block; /* of TENSOR_BLOCKS, else NULL */
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
    const unsigned char *data; /* inside its file's map; not aligned */
    size_t bytes;
    const struct tensor_file *file;
};

/* Owns the maps and the names. */
struct tensor_set {
    struct tensor *tensors;
    size_t count, capacity;
    struct tensor_file **files;
    size_t file_count;
    bool sorted;
};

/* Takes over `map`, also on failure; the file lives as long as the set. */
int tensor_set_add_file(struct tensor_set *set, const char *path, struct file_map map,
                        const struct tensor_file **out, struct error *error);

/* Adds a copy of `tensor`, its name included. */
int tensor_set_add(struct tensor_set *set, const struct tensor *tensor, struct error *error);

/* After the last add: makes find possible; a name that is there twice is ERROR_INPUT. */
int tensor_set_finish(struct tensor_set *set, struct error *error);

/* NULL when there is none of that name. */
const struct tensor *tensor_find(const struct tensor_set *set, const char *name);

void tensor_set_free(struct tensor_set *set);

const char *tensor_type_name(const struct tensor *tensor);
/* 0 for TENSOR_OTHER and TENSOR_BLOCKS. */
size_t tensor_element_bytes(enum tensor_type type);

/* Elements [first, first + count) in file order as float32. */
void tensor_read(const struct tensor *tensor, int64_t first, int64_t count, float *out);

#endif
