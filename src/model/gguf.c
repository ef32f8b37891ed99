/* The GGUF container, after the format's description in ggml's repository (docs/gguf.md): magic,
 * version, counts, key-value pairs, tensor descriptions, aligned data. */
#include "model/gguf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/gguf_blocks.h"

enum { KEY_LIMIT = 65535, LIST_LIMIT = 4096, PAIRS_LIMIT = 65536, TENSORS_LIMIT = 1 << 20 };

enum value_type {
    VALUE_U8,
    VALUE_I8,
    VALUE_U16,
    VALUE_I16,
    VALUE_U32,
    VALUE_I32,
    VALUE_F32,
    VALUE_BOOL,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_U64,
    VALUE_I64,
    VALUE_F64,
    VALUE_TYPE_COUNT,
};

static const size_t value_bytes[VALUE_TYPE_COUNT] = {
    [VALUE_U8] = 1,  [VALUE_I8] = 1,  [VALUE_U16] = 2, [VALUE_I16] = 2,
    [VALUE_U32] = 4, [VALUE_I32] = 4, [VALUE_F32] = 4, [VALUE_BOOL] = 1,
    [VALUE_U64] = 8, [VALUE_I64] = 8, [VALUE_F64] = 8};

/* A place in the file; `broken` is remembered, so that a chain of reads is asked once. */
struct cursor {
    const unsigned char *next;
    const unsigned char *end;
    bool broken;
};

struct string_view {
    const char *data;
    size_t length;
};

static const unsigned char *take(struct cursor *cursor, uint64_t bytes)
{
    if (cursor->broken || bytes > (uint64_t)(cursor->end - cursor->next)) {
        cursor->broken = true;
        return NULL;
    }
    const unsigned char *data = cursor->next;
    cursor->next += bytes;
    return data;
}

static uint64_t little_endian(const unsigned char *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

static uint64_t take_number(struct cursor *cursor, size_t bytes)
{
    const unsigned char *data = take(cursor, bytes);
    return data != NULL ? little_endian(data, bytes) : 0;
}

static struct string_view take_string(struct cursor *cursor)
{
    uint64_t length = take_number(cursor, 8);
    const unsigned char *data = take(cursor, length);
    if (data == NULL)
        return (struct string_view){"", 0};
    return (struct string_view){(const char *)data, (size_t)length};
}

/* A scalar as JSON; NULL for what JSON cannot say (NaN). */
static json_t *scalar_json(enum value_type type, const unsigned char *data)
{
    uint64_t bits = little_endian(data, value_bytes[type]);
    double real = 0.0;
    switch (type) {
    case VALUE_U8:
    case VALUE_U16:
    case VALUE_U32:
        return json_integer((json_int_t)bits);
    case VALUE_U64:
        return bits <= INT64_MAX ? json_integer((json_int_t)bits) : json_real((double)bits);
    case VALUE_I8:
        return json_integer((int8_t)bits);
    case VALUE_I16:
        return json_integer((int16_t)bits);
    case VALUE_I32:
        return json_integer((int32_t)bits);
    case VALUE_I64:
        return json_integer((int64_t)bits);
    case VALUE_F32:
        return json_number((double)float_from_bits((uint32_t)bits));
    case VALUE_F64:
        memcpy(&real, &bits, sizeof real);
        return json_number(real);
    case VALUE_BOOL:
        return json_boolean(bits != 0);
    default:
        return NULL;
    }
}

/* Reads a list; *value stays NULL when it is not kept. *count is its length. */
static void take_array(struct cursor *cursor, json_t **value, uint64_t *count)
{
    uint64_t type = take_number(cursor, 4);
    *count = take_number(cursor, 8);
    if (type == VALUE_STRING) {
        for (uint64_t i = 0; i < *count && !cursor->broken; i++)
            (void)take_string(cursor);
        return;
    }
    if (type >= VALUE_TYPE_COUNT || value_bytes[type] == 0 ||
        *count > (uint64_t)(cursor->end - cursor->next) / value_bytes[type]) {
        cursor->broken = true;
        return;
    }
    const unsigned char *data = take(cursor, *count * value_bytes[type]);
    if (data == NULL || *count > LIST_LIMIT)
        return;
    *value = json_array();
    for (uint64_t i = 0; i < *count; i++)
        (void)json_array_append_new(
            *value, scalar_json((enum value_type)type, data + i * value_bytes[type]));
}

static int take_pair(struct cursor *cursor, json_t *metadata, const char *file, struct error *error)
{
    struct string_view key = take_string(cursor);
    uint64_t type = take_number(cursor, 4);
    if (cursor->broken || key.length == 0 || key.length > KEY_LIMIT ||
        memchr(key.data, 0, key.length) != NULL)
        return error_set(error, ERROR_INPUT, "%s: a broken metadata key", file);
    if (type >= VALUE_TYPE_COUNT)
        return error_set(error, ERROR_INPUT, "%s: metadata '%.*s' has unknown type %llu", file,
                         (int)(key.length < 80 ? key.length : 80), key.data,
                         (unsigned long long)type);
    char *name = strndup(key.data, key.length);
    if (name == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    json_t *value = NULL;
    uint64_t count = 0;
    if (type == VALUE_STRING) {
        struct string_view string = take_string(cursor);
        value = json_stringn(string.data, string.length);
    } else if (type == VALUE_ARRAY) {
        take_array(cursor, &value, &count);
        if (value == NULL)
            value = json_pack("{s:I}", "count", (json_int_t)(count <= INT64_MAX ? count : 0));
    } else {
        const unsigned char *data = take(cursor, value_bytes[type]);
        value = data != NULL ? scalar_json((enum value_type)type, data) : NULL;
    }
    int result = 0;
    if (cursor->broken)
        result = error_set(error, ERROR_INPUT, "%s: metadata '%.80s' runs past the end of the file",
                           file, name);
    else if (json_object_get(metadata, name) != NULL)
        result = error_set(error, ERROR_INPUT, "%s: metadata '%.80s' is there twice", file, name);
    else if (value != NULL) /* a string that is not UTF-8 gives none: it is text for people */
        (void)json_object_set(metadata, name, value);
    json_decref(value);
    free(name);
    return result;
}

/* One tensor's description; its data follow at `base` once all are read. */
static int take_tensor(struct cursor *cursor, struct tensor *tensor, uint64_t *offset,
                       const char *file, struct error *error)
{
    struct string_view name = take_string(cursor);
    uint64_t rank = take_number(cursor, 4);
    if (cursor->broken || name.length == 0 || name.length > KEY_LIMIT ||
        memchr(name.data, 0, name.length) != NULL || rank == 0 || rank > 4)
        return error_set(error, ERROR_INPUT, "%s: a broken tensor description", file);
    tensor->name = strndup(name.data, name.length);
    if (tensor->name == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    tensor->rank = (int)rank;
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        uint64_t size = take_number(cursor, 8);
        /* The file has the fastest dimension first, a shape has it last. */
        tensor->shape[tensor->rank - 1 - i] = (int64_t)size;
        if (size == 0 || size > INT64_MAX || !size_multiply(elements, (size_t)size, &elements))
            return error_set(error, ERROR_INPUT, "%s: tensor '%.80s' has an impossible shape", file,
                             tensor->name);
    }
    uint64_t type = take_number(cursor, 4);
    *offset = take_number(cursor, 8);
    if (cursor->broken)
        return error_set(error, ERROR_INPUT, "%s: the description of tensor '%.80s' is cut", file,
                         tensor->name);
    const struct gguf_block *block = gguf_block_find((uint32_t)type);
    if (block == NULL || block->read == NULL)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor '%.80s' has type %s (%llu), which tokenmark does not read; it "
                         "reads F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K",
                         file, tensor->name, block != NULL ? block->name : "unknown",
                         (unsigned long long)type);
    if (tensor->shape[tensor->rank - 1] % block->elements != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor '%.80s' has rows that are not whole blocks of %s", file,
                         tensor->name, block->name);
    /* Norms of single heads are stacked in a matrix; they are one long vector. */
    if (tensor->rank == 2 && strstr(tensor->name, "_norm.") != NULL) {
        tensor->shape[0] *= tensor->shape[1];
        tensor->rank = 1;
    }
    tensor->type = TENSOR_BLOCKS;
    tensor->block = block;
    if (!size_multiply(elements / (size_t)block->elements, block->bytes, &tensor->bytes))
        return error_set(error, ERROR_INPUT, "%s: tensor '%.80s' is impossibly large", file,
                         tensor->name);
    return 0;
}

static uint64_t alignment_of(const json_t *metadata)
{
    json_int_t alignment = json_integer_value(json_object_get(metadata, "general.alignment"));
    bool power = alignment > 0 && alignment <= 1 << 20 && (alignment & (alignment - 1)) == 0;
    return power ? (uint64_t)alignment : 32;
}

/* Descriptions first, then the data, whose begin is known only behind the last of them. */
static int take_tensors(struct cursor *cursor, struct tensor_set *set, uint64_t count,
                        uint64_t alignment, const struct tensor_file *file, struct error *error)
{
    struct tensor *tensors = calloc((size_t)count + 1, sizeof *tensors);
    uint64_t *offsets = calloc((size_t)count + 1, sizeof *offsets);
    int result = 0;
    if (tensors == NULL || offsets == NULL)
        result = error_set(error, ERROR_MEMORY, "out of memory");
    for (uint64_t i = 0; i < count && result == 0; i++)
        result = take_tensor(cursor, &tensors[i], &offsets[i], file->path, error);
    size_t begin = (size_t)(cursor->next - file->map.data);
    begin = (begin + (size_t)alignment - 1) / (size_t)alignment * (size_t)alignment;
    for (uint64_t i = 0; i < count && result == 0; i++) {
        struct tensor *tensor = &tensors[i];
        size_t end = 0;
        if (offsets[i] % alignment != 0 || !size_add(begin, (size_t)offsets[i], &end) ||
            !size_add(end, tensor->bytes, &end) || end > file->map.bytes) {
            result =
                error_set(error, ERROR_INPUT,
                          "%s: tensor '%.80s' lies outside the file (offset %llu, %zu bytes)",
                          file->path, tensor->name, (unsigned long long)offsets[i], tensor->bytes);
            break;
        }
        tensor->data = file->map.data + begin + (size_t)offsets[i];
        tensor->file = file;
        result = tensor_set_add(set, tensor, error);
    }
    for (uint64_t i = 0; i < count && tensors != NULL; i++)
        free(tensors[i].name);
    free(tensors);
    free(offsets);
    return result;
}

int gguf_parse(struct tensor_set *set, json_t **metadata, const struct tensor_file *file,
               struct error *error)
{
    *metadata = NULL;
    struct cursor cursor = {file->map.data, file->map.data + file->map.bytes, false};
    const unsigned char *magic = take(&cursor, 4);
    if (magic == NULL || memcmp(magic, "GGUF", 4) != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: is not a GGUF file; --model takes a GGUF file, or the directory of a "
                         "Hugging Face model",
                         file->path);
    uint64_t version = take_number(&cursor, 4);
    if (version != 2 && version != 3)
        return error_set(error, ERROR_INPUT,
                         "%s: GGUF version %llu; tokenmark reads versions 2 and 3, little-endian",
                         file->path, (unsigned long long)version);
    uint64_t tensor_count = take_number(&cursor, 8);
    uint64_t pair_count = take_number(&cursor, 8);
    if (cursor.broken || tensor_count > TENSORS_LIMIT || pair_count > PAIRS_LIMIT)
        return error_set(error, ERROR_INPUT, "%s: the GGUF header is broken", file->path);
    json_t *pairs = json_object();
    int result = pairs != NULL ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    for (uint64_t i = 0; i < pair_count && result == 0; i++)
        result = take_pair(&cursor, pairs, file->path, error);
    if (result == 0)
        result = take_tensors(&cursor, set, tensor_count, alignment_of(pairs), file, error);
    if (result != 0) {
        json_decref(pairs);
        return result;
    }
    *metadata = pairs;
    return 0;
}

int gguf_open(struct tensor_set *set, json_t **metadata, const char *path, struct error *error)
{
    struct file_map map;
    const struct tensor_file *file = NULL;
    *metadata = NULL;
    int result = file_map_open(&map, path, error);
    if (result == 0)
        result = tensor_set_add_file(set, path, map, &file, error);
    if (result == 0)
        result = gguf_parse(set, metadata, file, error);
    return result;
}
