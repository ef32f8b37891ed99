/* Cuts linear layers into chunks for the pool; see cpu_linear.h. */
#include "engine/cpu/cpu_linear.h"

#include <stdbool.h>

#include "base/memory.h"

enum {
    CHUNKS_A_THREAD = 4,           /* at least, where there are panels enough */
    CHUNKS_A_THREAD_MAX = 16,      /* large layers: a disturbed thread loses little */
    CHUNK_BYTES = 1 << 20,         /* of weights that are worth a chunk of their own */
    COLUMNS_A_ROW = 8,             /* of a chunk of many rows, about */
    ANNOUNCED_ROWS = 28,           /* from here on products take longer than memory */
    ROWS_A_CHUNK_MIN = 28,         /* weights are read again for every chunk of rows */
    PREPARE_FLOATS_A_CHUNK = 8192, /* fewer are faster on one thread */
    PACK_PANELS_MAX = 8,           /* read at once: a transposed tensor gives its columns in runs */
    PACK_BYTES = 1 << 20,          /* of their rows that a core's cache holds */
};

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* In how many runs of neighbouring panels a matrix is cut. */
static int64_t panel_chunks(int threads, enum kernel_type type, int64_t outputs, int64_t inputs)
{
    int64_t panels = divide_up(outputs, KERNEL_PANEL);
    int64_t bytes = (int64_t)kernel_packed_bytes(type, outputs, inputs);
    int64_t chunks = clamp(bytes / CHUNK_BYTES / threads, CHUNKS_A_THREAD, CHUNKS_A_THREAD_MAX);
    return clamp(chunks * threads, 1, panels);
}

struct linear_job {
    const struct kernels *kernels;
    const struct linear_call *call;
    int64_t rows;
    int64_t panels;
    int64_t panel_chunks;
    int64_t row_chunks;
    int threads;
};

/* Where the panels end that whoever begins with this chunk has to read: the next panel in memory
 * is fetched up to there. */
static int64_t share_end(const struct linear_job *job, int64_t chunk)
{
    for (int share = 1; share < job->threads; share++) {
        int64_t end = thread_pool_share_first(job->panel_chunks, share, job->threads);
        if (chunk < end)
            return job->panels * end / job->panel_chunks;
    }
    return job->panels;
}

static void linear_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct linear_job *job = context;
    int64_t panel_chunk = chunk / job->row_chunks;
    int64_t row_chunk = chunk % job->row_chunks;
    int64_t panel_first = job->panels * panel_chunk / job->panel_chunks;
    int64_t panel_end = job->panels * (panel_chunk + 1) / job->panel_chunks;
    int64_t row_first = job->rows * row_chunk / job->row_chunks;
    int64_t row_end = job->rows * (row_chunk + 1) / job->row_chunks;
    struct linear_call call = *job->call;
    if (job->row_chunks == 1)
        call.ahead_end = share_end(job, panel_chunk);
    kernel_linear(job->kernels, &call, row_first, row_end - row_first, panel_first,
                  panel_end - panel_first);
}

/* With many rows a chunk is about as many rows as outputs, which needs the least reading for its
 * products; with few rows panels alone are cut. */
static void choose_chunks(struct linear_job *job, int threads)
{
    const struct linear_call *call = job->call;
    if (job->rows < 2 * ROWS_A_CHUNK_MIN) {
        job->row_chunks = 1;
        job->panel_chunks = panel_chunks(threads, call->type, call->outputs, call->inputs);
        return;
    }
    int64_t wanted = (int64_t)CHUNKS_A_THREAD * threads;
    job->row_chunks = 1;
    job->panel_chunks = 1;
    while (job->row_chunks * job->panel_chunks < wanted) {
        int64_t chunk_rows = job->rows / job->row_chunks;
        int64_t chunk_panels = job->panels / job->panel_chunks;
        bool rows_can = chunk_rows >= 2 * ROWS_A_CHUNK_MIN;
        bool panels_can = chunk_panels >= 2;
        if (rows_can && (chunk_rows * COLUMNS_A_ROW > chunk_panels * KERNEL_PANEL || !panels_can))
            job->row_chunks *= 2;
        else if (panels_can)
            job->panel_chunks *= 2;
        else
            break;
    }
}

void cpu_linear_announce(struct thread_pool *pool, const struct cpu_matrix *next, int64_t rows)
{
    if (next == NULL || rows > ANNOUNCED_ROWS)
        thread_pool_set_ahead(pool, NULL, 0, 0);
    else
        thread_pool_set_ahead(pool, next->data, kernel_panel_bytes(next->type, next->inputs),
                              divide_up(next->outputs, KERNEL_PANEL));
}

void cpu_linear_run(struct thread_pool *pool, const struct kernels *kernels,
                    const struct linear_call *call, int64_t rows)
{
    struct linear_job job = {.kernels = kernels, .call = call, .rows = rows};
    job.panels = divide_up(call->outputs, KERNEL_PANEL);
    job.threads = thread_pool_thread_count(pool);
    choose_chunks(&job, job.threads);
    thread_pool_run_near(pool, linear_chunk, &job, job.panel_chunks * job.row_chunks);
}

struct prepare_job {
    const struct kernels *kernels;
    enum kernel_type type;
    const float *x;
    int64_t x_stride;
    int64_t rows;
    int64_t inputs;
    char *out;
    int64_t chunks;
};

static void prepare_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct prepare_job *job = context;
    int64_t first = job->rows * chunk / job->chunks;
    int64_t end = job->rows * (chunk + 1) / job->chunks;
    kernel_prepare(job->kernels, job->type, job->x + first * job->x_stride, job->x_stride,
                   end - first, job->inputs,
                   job->out + kernel_prepared_bytes(job->type, first, job->inputs));
}

void cpu_linear_prepare(struct thread_pool *pool, const struct kernels *kernels,
                        enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                        int64_t inputs, void *out)
{
    struct prepare_job job = {kernels, type, x, x_stride, rows, inputs, out, 0};
    int64_t most = clamp(rows, 1, (int64_t)CHUNKS_A_THREAD * thread_pool_thread_count(pool));
    job.chunks = clamp(rows * inputs / PREPARE_FLOATS_A_CHUNK, 1, most);
    thread_pool_run(pool, prepare_chunk, &job, job.chunks);
}

struct pack_job {
    const struct kernels *kernels;
    struct cpu_matrix *matrix;
    cpu_matrix_reader *read;
    void *context;
    float *scratch; /* [threads][cpu_pack_floats()] */
    int64_t panels;
    int64_t chunks;
};

/* Of one thread, read before they are packed. */
static int64_t panels_at_once(int64_t inputs)
{
    int64_t panel_bytes = KERNEL_PANEL * inputs * (int64_t)sizeof(float);
    return clamp(PACK_BYTES / panel_bytes, 1, PACK_PANELS_MAX);
}

int64_t cpu_pack_floats(int64_t inputs)
{
    return panels_at_once(inputs) * KERNEL_PANEL * inputs;
}

static void pack_chunk(void *context, int64_t chunk, int thread)
{
    const struct pack_job *job = context;
    const struct cpu_matrix *matrix = job->matrix;
    int64_t inputs = matrix->inputs;
    float *rows = job->scratch + (int64_t)thread * cpu_pack_floats(inputs);
    size_t panel_bytes = kernel_panel_bytes(matrix->type, inputs);
    int64_t step = panels_at_once(inputs);
    int64_t end = job->panels * (chunk + 1) / job->chunks;
    for (int64_t panel = job->panels * chunk / job->chunks; panel < end;) {
        int64_t first = panel * KERNEL_PANEL;
        int64_t last = panel + step < end ? panel + step : end;
        int64_t count = clamp(matrix->outputs, first, last * KERNEL_PANEL) - first;
        job->read(job->context, first, count, rows);
        for (int64_t done = 0; panel < last; panel++, done += KERNEL_PANEL)
            job->kernels->pack_panel(matrix->type, rows + done * inputs,
                                     clamp(count - done, 1, KERNEL_PANEL), inputs,
                                     (char *)matrix->data + (size_t)panel * panel_bytes);
    }
}

void cpu_matrix_pack_into(struct cpu_matrix *matrix, void *memory, float *scratch,
                          struct thread_pool *pool, const struct kernels *kernels,
                          enum kernel_type type, int64_t outputs, int64_t inputs,
                          cpu_matrix_reader *read, void *context)
{
    *matrix =
        (struct cpu_matrix){.type = type, .outputs = outputs, .inputs = inputs, .data = memory};
    matrix->bytes = kernel_packed_bytes(type, outputs, inputs);
    struct pack_job job = {.kernels = kernels, .matrix = matrix, .read = read, .context = context};
    job.scratch = scratch;
    job.panels = divide_up(outputs, KERNEL_PANEL);
    /* Each thread touches first what it will read: its share of the panels. */
    job.chunks = clamp(job.panels, 1, thread_pool_thread_count(pool));
    thread_pool_run_static(pool, pack_chunk, &job, job.chunks);
}

int cpu_matrix_pack(struct cpu_matrix *matrix, struct thread_pool *pool,
                    const struct kernels *kernels, enum kernel_type type, int64_t outputs,
                    int64_t inputs, cpu_matrix_reader *read, void *context, struct error *error)
{
    *matrix = (struct cpu_matrix){0};
    size_t scratch_bytes =
        (size_t)thread_pool_thread_count(pool) * (size_t)cpu_pack_floats(inputs) * sizeof(float);
    void *scratch = NULL, *memory = NULL;
    if (memory_map(&scratch, scratch_bytes, error) < 0 ||
        memory_map(&memory, kernel_packed_bytes(type, outputs, inputs), error) < 0) {
        memory_unmap(scratch, scratch_bytes);
        return error_prefix(error, "weights of %lld x %lld", (long long)outputs, (long long)inputs);
    }
    cpu_matrix_pack_into(matrix, memory, scratch, pool, kernels, type, outputs, inputs, read,
                         context);
    memory_unmap(scratch, scratch_bytes);
    return 0;
}

void cpu_matrix_free(struct cpu_matrix *matrix)
{
    memory_unmap(matrix->data, matrix->bytes);
    *matrix = (struct cpu_matrix){0};
}
