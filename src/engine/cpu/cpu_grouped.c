/* Packs quantised matrices of a GGUF file; see cpu_grouped.h. */
#include "engine/cpu/cpu_grouped.h"

#include <string.h>

static const struct {
    const char *format; /* weight_format() */
    enum kernel_type type;
    const char *name;
} types[] = {
    {"F16", KERNEL_F16, "float16"}, {"BF16", KERNEL_BF16, "bfloat16"},
    {"Q4_0", KERNEL_Q4_0, "q4_0"},  {"Q4_1", KERNEL_Q4_1, "q4_1"},
    {"Q4_K", KERNEL_Q4_K, "q4_k"},  {"Q5_0", KERNEL_Q5_0, "q5_0"},
    {"Q5_1", KERNEL_Q5_1, "q5_1"},  {"Q5_K", KERNEL_Q5_K, "q5_k"},
    {"Q6_K", KERNEL_Q6_K, "q6_k"},  {"Q8_0", KERNEL_Q8_0, "q8_0"},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

enum kernel_type grouped_stored_type(const struct model *model, struct weight_id id)
{
    const char *format = weight_format(model, id);
    for (int i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].format, format) == 0)
            return types[i].type;
    return KERNEL_F32;
}

const char *grouped_type_name(enum kernel_type type)
{
    for (int i = 0; i < TYPE_COUNT; i++)
        if (types[i].type == type)
            return types[i].name;
    return "";
}

enum kernel_type grouped_main_type(const struct model *model)
{
    static const enum weight_role roles[] = {
        WEIGHT_QUERY, WEIGHT_KEY, WEIGHT_VALUE, WEIGHT_ATTENTION_OUTPUT,
        WEIGHT_GATE,  WEIGHT_UP,  WEIGHT_DOWN,  WEIGHT_HEAD};
    const struct architecture *a = model_architecture(model);
    double elements[KERNEL_TYPE_END] = {0};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct weight_id id = {.role = roles[i]};
        int64_t experts = a->experts.count > 0 ? a->experts.count : 1;
        for (id.layer = 0; id.layer < a->layer_count; id.layer++)
            for (id.expert = 0; id.expert < experts; id.expert++)
                if (weight_exists(model, id))
                    elements[grouped_stored_type(model, id)] +=
                        (double)weight_rows(model, id) * (double)weight_columns(model, id);
    }
    enum kernel_type most = KERNEL_F32;
    double largest = 0;
    for (int type = KERNEL_TYPE_COUNT; type < KERNEL_TYPE_END; type++)
        if (elements[type] > largest) {
            largest = elements[type];
            most = (enum kernel_type)type;
        }
    return most;
}

struct pack_job {
    const struct cpu_matrix *matrix;
    const struct model *model;
    const struct weight_id *parts;
    int part_count;
    unsigned char *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;
    int64_t panels;
    int chunks;
};

/* The arrays of up to 32 rows in a thread's scratch, which was sized for as many of float32. */
static struct weight_parts lay_out(unsigned char *scratch, int64_t inputs)
{
    size_t count = KERNEL_PANEL * (size_t)inputs, scales = count / 32 * sizeof(uint16_t);
    struct weight_parts out = {.values = scratch};
    out.scales = (uint16_t *)(void *)(scratch + count);
    out.minimums = (uint16_t *)(void *)(scratch + count + scales);
    out.sub_scales = (int8_t *)(scratch + count + 2 * scales);
    out.sub_minimums = (int8_t *)(scratch + count + 2 * scales + count / 16);
    return out;
}

/* How far `rows` rows go in each array. */
static struct weight_parts advance(struct weight_parts at, enum kernel_type type, int64_t rows,
                                   int64_t inputs)
{
    bool is_super = type == KERNEL_Q4_K || type == KERNEL_Q5_K || type == KERNEL_Q6_K;
    int64_t scales = rows * inputs / (is_super ? 256 : 32);
    at.values += rows * inputs;
    at.scales += scales;
    at.minimums += scales;
    at.sub_scales += rows * inputs / (type == KERNEL_Q6_K ? 16 : 32);
    at.sub_minimums += rows * inputs / 32;
    return at;
}

/* Rows of the stack from whichever of its parts hold them. */
static void read_rows(const struct pack_job *job, int64_t first, int64_t count,
                      struct weight_parts out)
{
    int64_t start = 0;
    for (int i = 0; i < job->part_count && count > 0; i++) {
        int64_t rows = weight_rows(job->model, job->parts[i]);
        int64_t taken = start + rows - first;
        taken = taken < count ? taken : count;
        if (taken > 0) {
            weight_read_parts(job->model, job->parts[i], first - start, taken, &out);
            out = advance(out, job->matrix->type, taken, job->matrix->inputs);
            first += taken;
            count -= taken;
        }
        start += rows;
    }
}

static void pack_chunk(void *context, int64_t chunk, int thread)
{
    const struct pack_job *job = context;
    const struct cpu_matrix *matrix = job->matrix;
    struct weight_parts rows =
        lay_out(job->scratch + (size_t)thread * job->scratch_bytes, matrix->inputs);
    const struct grouped_rows view = {rows.values, rows.scales, rows.minimums, rows.sub_scales,
                                      rows.sub_minimums};
    size_t panel_bytes = kernel_panel_bytes(matrix->type, matrix->inputs);
    int64_t end = job->panels * (chunk + 1) / job->chunks;
    for (int64_t panel = job->panels * chunk / job->chunks; panel < end; panel++) {
        int64_t first = panel * KERNEL_PANEL;
        int64_t left = matrix->outputs - first;
        int64_t count = left < KERNEL_PANEL ? left : KERNEL_PANEL;
        read_rows(job, first, count, rows);
        kernel_pack_grouped(matrix->type, &view, count, matrix->inputs,
                            (char *)matrix->data + (size_t)panel * panel_bytes);
    }
}

void grouped_pack_into(struct cpu_matrix *matrix, void *memory, float *scratch,
                       struct thread_pool *pool, enum kernel_type type, const struct model *model,
                       const struct weight_id *parts, int part_count)
{
    int64_t outputs = 0, inputs = weight_columns(model, parts[0]);
    for (int i = 0; i < part_count; i++)
        outputs += weight_rows(model, parts[i]);
    *matrix =
        (struct cpu_matrix){.type = type, .outputs = outputs, .inputs = inputs, .data = memory};
    matrix->bytes = kernel_packed_bytes(type, outputs, inputs);
    struct pack_job job = {.matrix = matrix, .model = model, .parts = parts};
    job.part_count = part_count;
    job.scratch = (unsigned char *)(void *)scratch;
    job.scratch_bytes = KERNEL_PANEL * (size_t)inputs * sizeof(float);
    job.panels = (outputs + KERNEL_PANEL - 1) / KERNEL_PANEL;
    /* Each thread touches first what it will read: its share of the panels. */
    int threads = thread_pool_thread_count(pool);
    job.chunks = job.panels < threads ? (int)job.panels : threads;
    thread_pool_run_static(pool, pack_chunk, &job, job.chunks);
}
