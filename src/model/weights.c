/* Rows of logical matrices as float32, from files or from random numbers. */
#include "model/weights.h"

#include <string.h>

#include "model/gguf_parts.h"
#include "model/model_internal.h"
#include "model/random_weights.h"

/* A transposed tensor is turned in tiles: a tile's rows are read whole, and every line of the
 * output is written whole. */
enum { TILE_INPUTS = 16, TILE_OUTPUTS = 256 };

static const struct weight_source *find(const struct model *model, struct weight_id id)
{
    return weight_table_find(&model->weights, &model->architecture, id);
}

bool weight_exists(const struct model *model, struct weight_id id)
{
    return find(model, id) != NULL;
}

int64_t weight_rows(const struct model *model, struct weight_id id)
{
    const struct weight_source *source = find(model, id);
    return source != NULL ? source->shape.rows : 0;
}

int64_t weight_columns(const struct model *model, struct weight_id id)
{
    const struct weight_source *source = find(model, id);
    return source != NULL ? source->shape.columns : 0;
}

static void fill_random(const struct model *model, struct weight_id id,
                        const struct weight_source *source, int64_t first, int64_t count,
                        float *out)
{
    double range = model->architecture.initializer_range;
    switch (weight_kind(id.role)) {
    case WEIGHT_IS_GAIN: {
        /* A gain of 1, also where the engine adds the 1 itself. */
        float gain = model->architecture.norm_gain_plus_one ? 0 : 1;
        for (int64_t i = 0; i < count; i++)
            out[i] = gain;
        break;
    }
    case WEIGHT_IS_BIAS:
        random_weights_normal(model->seed, source->stream, range / 8, first, count, out);
        break;
    case WEIGHT_IS_MATRIX:
        random_weights_normal(model->seed, source->stream, range, first, count, out);
        break;
    }
}

/* `outputs` columns of a [inputs, tensor_outputs] tensor from `column` on, as rows of out. */
static void read_transposed(const struct weight_source *source, int64_t column, int64_t outputs,
                            float *out)
{
    int64_t inputs = source->shape.columns;
    float tile[TILE_INPUTS][TILE_OUTPUTS];
    for (int64_t j = 0; j < outputs; j += TILE_OUTPUTS) {
        int64_t width = outputs - j < TILE_OUTPUTS ? outputs - j : TILE_OUTPUTS;
        for (int64_t i = 0; i < inputs; i += TILE_INPUTS) {
            int64_t height = inputs - i < TILE_INPUTS ? inputs - i : TILE_INPUTS;
            for (int64_t k = 0; k < height; k++)
                tensor_read(source->tensor, (i + k) * source->tensor_outputs + column + j, width,
                            tile[k]);
            for (int64_t r = 0; r < width; r++)
                for (int64_t k = 0; k < height; k++)
                    out[(j + r) * inputs + i + k] = tile[k][r];
        }
    }
}

/* Rows of `width` elements, in runs that lie together in the tensor. */
static void read_mapped(const struct weight_source *source, int64_t first, int64_t count,
                        int64_t width, float *out)
{
    int64_t done = 0;
    while (done < count) {
        int64_t row = first + done;
        int64_t within = row % source->group;
        int64_t run = source->group - within;
        if (run > count - done)
            run = count - done;
        int64_t place = row / source->group * source->stride + within + source->offset;
        if (source->transposed)
            read_transposed(source, place, run, out + done * width);
        else
            tensor_read(source->tensor, place * width, run * width, out + done * width);
        done += run;
    }
}

void weight_read_rows(const struct model *model, struct weight_id id, int64_t first, int64_t count,
                      float *out)
{
    const struct weight_source *source = find(model, id);
    if (source == NULL || count <= 0)
        return;
    int64_t columns = source->shape.columns;
    if (model->random) {
        fill_random(model, id, source, first * columns, count * columns, out);
    } else if (source->heads != NULL) {
        int64_t width = columns / source->head_count;
        for (int64_t head = 0; head < source->head_count; head++)
            tensor_read(source->heads[head], 0, width, out + head * width);
    } else if (weight_kind(id.role) == WEIGHT_IS_MATRIX) {
        read_mapped(source, first, count, columns, out);
    } else {
        read_mapped(source, 0, columns, 1, out);
    }
}

const char *weight_format(const struct model *model, struct weight_id id)
{
    const struct weight_source *source = find(model, id);
    if (model->random || source == NULL || source->tensor == NULL)
        return "F32";
    const struct tensor *tensor = source->tensor;
    bool is_matrix = weight_kind(id.role) == WEIGHT_IS_MATRIX;
    switch (tensor->type) {
    case TENSOR_F16:
        return "F16";
    case TENSOR_BF16:
        return "BF16";
    case TENSOR_BLOCKS:
        if (gguf_block_has_parts(tensor->block) &&
            (!is_matrix || source->transposed || source->shape.columns % tensor->block->elements))
            return "F32";
        return tensor->block->name;
    default:
        return "F32";
    }
}

/* One row, from its first block on. */
static void read_row_parts(const struct gguf_block *block, const unsigned char *data,
                           int64_t columns, struct weight_parts out)
{
    struct gguf_parts parts = {{0}, 0, 0, {0}, {0}};
    int64_t groups = block->elements / 32, subs = gguf_block_sub_scales(block);
    for (int64_t i = 0; i < columns / block->elements; i++) {
        gguf_block_split(block, data + (size_t)i * block->bytes, &parts);
        memcpy(out.values + i * block->elements, parts.values, (size_t)block->elements);
        out.scales[i] = parts.scale;
        out.minimums[i] = parts.minimum;
        if (subs == 0)
            continue;
        memcpy(out.sub_scales + i * subs, parts.sub_scales, (size_t)subs);
        memcpy(out.sub_minimums + i * groups, parts.sub_minimums, (size_t)groups);
    }
}

void weight_read_parts(const struct model *model, struct weight_id id, int64_t first, int64_t count,
                       const struct weight_parts *out)
{
    const struct weight_source *source = find(model, id);
    if (source == NULL || source->tensor == NULL || !gguf_block_has_parts(source->tensor->block))
        return;
    const struct gguf_block *block = source->tensor->block;
    int64_t columns = source->shape.columns;
    int64_t blocks = columns / block->elements, groups = columns / 32;
    int64_t subs = blocks * gguf_block_sub_scales(block);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = first + i;
        int64_t place = row / source->group * source->stride + row % source->group + source->offset;
        struct weight_parts at = {out->values + i * columns, out->scales + i * blocks,
                                  out->minimums + i * blocks, out->sub_scales + i * subs,
                                  out->sub_minimums + i * groups};
        read_row_parts(block, source->tensor->data + (size_t)(place * blocks) * block->bytes,
                       columns, at);
    }
}

void weight_release(const struct model *model, struct weight_id id)
{
    const struct weight_source *source = find(model, id);
    if (model->random || source == NULL || source->tensor == NULL)
        return;
    const struct tensor *tensor = source->tensor;
    const struct file_map *map = &tensor->file->map;
    size_t offset = (size_t)(tensor->data - map->data);
    size_t bytes = tensor->bytes;
    if (weight_scope(id.role) == WEIGHT_OF_EXPERT && tensor->rank == 3) {
        /* One expert's part of a stack: the others are still to be read. */
        size_t row = tensor_element_bytes(tensor->type) * (size_t)source->shape.columns;
        offset += row * (size_t)source->offset;
        bytes = row * (size_t)source->shape.rows;
    }
    file_map_release(map, offset, bytes);
}
