/* The safetensors format (github.com/huggingface/safetensors): 8 bytes with the header's length,
 * little-endian; a JSON object name -> {dtype, shape, data_offsets}; then the data, without
 * gap or overlap. */
#include "model/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

enum { HEADER_BYTES_MAX = 100 * 1000 * 1000, INDEX_BYTES_MAX = 100 * 1000 * 1000 };

static const struct {
    const char *name;
    enum tensor_type type;
    size_t bytes;
} dtypes[] = {
    {"F32", TENSOR_F32, 4},         {"F16", TENSOR_F16, 2},   {"BF16", TENSOR_BF16, 2},
    {"F8_E4M3", TENSOR_F8_E4M3, 1}, {"F64", TENSOR_OTHER, 8}, {"F8_E5M2", TENSOR_OTHER, 1},
    {"F8_E8M0", TENSOR_OTHER, 1},   {"I64", TENSOR_OTHER, 8}, {"I32", TENSOR_OTHER, 4},
    {"I16", TENSOR_OTHER, 2},       {"I8", TENSOR_OTHER, 1},  {"U64", TENSOR_OTHER, 8},
    {"U32", TENSOR_OTHER, 4},       {"U16", TENSOR_OTHER, 2}, {"U8", TENSOR_OTHER, 1},
    {"BOOL", TENSOR_OTHER, 1},
};

struct place {
    const char *path;
    const char *tensor;
    struct error *error;
};

static int broken(const struct place *place, const char *what)
{
    return error_set(place->error, ERROR_INPUT, "%s: tensor \"%.200s\": %s", place->path,
                     place->tensor, what);
}

/* dtype and shape of one entry; *bytes is what they take. */
static int parse_type_and_shape(const json_t *entry, const struct place *place,
                                struct tensor *tensor, size_t *bytes)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (dtype == NULL)
        return broken(place, "its dtype is missing");
    size_t known = sizeof dtypes / sizeof dtypes[0];
    size_t i = 0;
    while (i < known && strcmp(dtypes[i].name, dtype) != 0)
        i++;
    if (i == known)
        return error_set(place->error, ERROR_INPUT,
                         "%s: tensor \"%.200s\": its dtype \"%.40s\" is not known", place->path,
                         place->tensor, dtype);
    tensor->type = dtypes[i].type;
    *bytes = dtypes[i].bytes;

    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_RANK_MAX)
        return broken(place, "its shape is not a list of at most 8 sizes");
    tensor->rank = (int)json_array_size(shape);
    for (int axis = 0; axis < tensor->rank; axis++) {
        const json_t *size = json_array_get(shape, (size_t)axis);
        json_int_t value = json_integer_value(size);
        if (!json_is_integer(size) || value < 0)
            return broken(place, "its shape holds something that is no size");
        tensor->shape[axis] = value;
        if (!size_multiply(*bytes, (size_t)value, bytes))
            return broken(place, "its shape is larger than any memory");
    }
    return 0;
}

/* Where it lies within the `data_bytes` after the header. */
static int parse_offsets(const json_t *entry, const struct place *place, size_t data_bytes,
                         size_t *begin, size_t *end)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0);
    const json_t *second = json_array_get(offsets, 1);
    json_int_t from = json_integer_value(first);
    json_int_t to = json_integer_value(second);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) ||
        from < 0 || to < from)
        return broken(place, "its data_offsets are not [begin, end]");
    if ((uint64_t)to > data_bytes)
        return broken(place, "its data lie beyond the end of the file: the file is cut off or "
                             "damaged");
    *begin = (size_t)from;
    *end = (size_t)to;
    return 0;
}

static int parse_entry(struct tensor_set *set, const struct tensor_file *file, const char *name,
                       const json_t *entry, size_t data_offset, struct error *error)
{
    struct place place = {file->path, name, error};
    struct tensor tensor = {.name = (char *)name, .file = file};
    size_t bytes = 0;
    int status = parse_type_and_shape(entry, &place, &tensor, &bytes);
    if (status != 0)
        return status;
    size_t begin = 0;
    size_t end = 0;
    status = parse_offsets(entry, &place, file->map.bytes - data_offset, &begin, &end);
    if (status != 0)
        return status;
    if (end - begin != bytes)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor \"%.200s\": dtype and shape take %zu bytes, data_offsets %zu",
                         file->path, name, bytes, end - begin);
    tensor.data = file->map.data + data_offset + begin;
    tensor.bytes = bytes;
    return tensor_set_add(set, &tensor, error);
}

static int compare_places(const void *a, const void *b)
{
    const struct tensor *left = *(const struct tensor *const *)a;
    const struct tensor *right = *(const struct tensor *const *)b;
    if (left->data != right->data)
        return left->data < right->data ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

/* The tensors from index `first` on must fill the data of their file without gap or overlap. */
static int check_layout(const struct tensor_set *set, size_t first, const struct tensor_file *file,
                        size_t data_offset, struct error *error)
{
    size_t count = set->count - first;
    const struct tensor **order = malloc((count + 1) * sizeof *order);
    if (order == NULL)
        return error_set(error, ERROR_MEMORY, "%s: out of memory", file->path);
    for (size_t i = 0; i < count; i++)
        order[i] = &set->tensors[first + i];
    qsort(order, count, sizeof *order, compare_places);
    int status = 0;
    const unsigned char *next = file->map.data + data_offset;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct place place = {file->path, order[i]->name, error};
        if (order[i]->data < next)
            status = broken(&place, "its data overlap another tensor's");
        else if (order[i]->data > next)
            status = broken(&place, "there is a gap before its data");
        next = order[i]->data + order[i]->bytes;
    }
    free(order);
    size_t left = (size_t)(file->map.data + file->map.bytes - next);
    if (status == 0 && left > 0)
        status = error_set(error, ERROR_INPUT, "%s: %zu bytes at the end belong to no tensor",
                           file->path, left);
    return status;
}

int safetensors_parse(struct tensor_set *set, const struct tensor_file *file, struct error *error)
{
    const struct file_map *map = &file->map;
    if (map->bytes < 8)
        return error_set(error, ERROR_INPUT, "%s: %zu bytes are no safetensors file", file->path,
                         map->bytes);
    uint64_t header_bytes = 0;
    for (int i = 7; i >= 0; i--)
        header_bytes = header_bytes << 8 | map->data[i];
    if (header_bytes > map->bytes - 8 || header_bytes > HEADER_BYTES_MAX)
        return error_set(error, ERROR_INPUT,
                         "%s: its header claims %llu bytes, the file has %zu: it is cut off or no "
                         "safetensors file",
                         file->path, (unsigned long long)header_bytes, map->bytes);
    json_t *header = NULL;
    int status = json_text_load(&header, (const char *)map->data + 8, (size_t)header_bytes,
                                file->path, error);
    if (status != 0)
        return status;
    if (!json_is_object(header))
        status = error_set(error, ERROR_INPUT, "%s: its header is no JSON object", file->path);

    size_t data_offset = 8 + (size_t)header_bytes;
    size_t first = set->count;
    for (void *item = json_object_iter(header); item != NULL && status == 0;
         item = json_object_iter_next(header, item)) {
        const char *name = json_object_iter_key(item);
        if (strcmp(name, "__metadata__") != 0)
            status = parse_entry(set, file, name, json_object_iter_value(item), data_offset, error);
    }
    json_decref(header);
    if (status == 0)
        status = check_layout(set, first, file, data_offset, error);
    return status;
}

int safetensors_open(struct tensor_set *set, const char *path, struct error *error)
{
    struct file_map map;
    int status = file_map_open(&map, path, error);
    if (status != 0)
        return status;
    const struct tensor_file *file = NULL;
    status = tensor_set_add_file(set, path, map, &file, error);
    if (status != 0)
        return status;
    return safetensors_parse(set, file, error);
}

/* A shard must lie beside its index: no path that leads elsewhere is followed. */
static int shard_path(char **out, const char *index_path, const char *name, struct error *error)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return error_set(error, ERROR_INPUT, "%s: \"%.200s\" is no file beside the index",
                         index_path, name);
    const char *slash = strrchr(index_path, '/');
    char *folder = slash != NULL ? strndup(index_path, (size_t)(slash - index_path)) : strdup(".");
    *out = folder != NULL ? file_join(folder, name) : NULL;
    free(folder);
    return *out != NULL ? 0 : error_set(error, ERROR_MEMORY, "%s: out of memory", index_path);
}

static int open_shard(struct tensor_set *set, const char *index_path, const char *name,
                      struct error *error)
{
    char *path = NULL;
    int status = shard_path(&path, index_path, name, error);
    if (status == 0)
        status = safetensors_open(set, path, error);
    free(path);
    return status;
}

/* Opens each file that `weight_map` names, once. */
static int open_shards(struct tensor_set *set, const char *index_path, json_t *weight_map,
                       struct error *error)
{
    json_t *opened = json_object();
    int status = opened != NULL ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
    const char *tensor;
    json_t *value;
    json_object_foreach(weight_map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (status == 0 && name == NULL)
            status = error_set(error, ERROR_INPUT,
                               "%s: weight_map: the file of tensor \"%.200s\" is no string",
                               index_path, tensor);
        if (status != 0 || json_object_get(opened, name) != NULL)
            continue;
        status = open_shard(set, index_path, name, error);
        if (status == 0 && json_object_set_new(opened, name, json_true()) != 0)
            status = error_set(error, ERROR_MEMORY, "out of memory");
    }
    json_decref(opened);
    return status;
}

/* *weight_map belongs to *index. */
static int load_index(json_t **index, json_t **weight_map, const char *index_path,
                      struct error *error)
{
    int status = json_file_load(index, index_path, INDEX_BYTES_MAX, error);
    if (status != 0)
        return status;
    *weight_map = json_object_get(*index, "weight_map");
    if (!json_is_object(*weight_map) || json_object_size(*weight_map) == 0)
        status = error_set(error, ERROR_INPUT, "%s: weight_map is missing or empty", index_path);
    return status;
}

int safetensors_open_index(struct tensor_set *set, const char *index_path, struct error *error)
{
    json_t *index = NULL, *weight_map = NULL;
    int status = load_index(&index, &weight_map, index_path, error);
    if (status == 0)
        status = open_shards(set, index_path, weight_map, error);
    json_decref(index);
    return status;
}

bool safetensors_index_is_complete(const char *index_path)
{
    json_t *index = NULL, *weight_map = NULL;
    struct error ignored = {0};
    bool complete = load_index(&index, &weight_map, index_path, &ignored) == 0;
    const char *tensor;
    json_t *value;
    json_object_foreach(weight_map, tensor, value)
    {
        char *path = NULL;
        complete = complete && json_is_string(value) &&
                   shard_path(&path, index_path, json_string_value(value), &ignored) == 0 &&
                   file_exists(path);
        free(path);
    }
    json_decref(index);
    return complete;
}
