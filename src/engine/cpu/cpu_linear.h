/* Linear layers over the thread pool: packed matrices, and how rows x panels are cut into
 * chunks that keep every thread on one contiguous stream of weights. */
#ifndef TOKENMARK_ENGINE_CPU_CPU_LINEAR_H
#define TOKENMARK_ENGINE_CPU_CPU_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"

/* [outputs, inputs], packed as kernels.h tells, on memory_map pages. */
struct cpu_matrix {
    enum kernel_type type;
    int64_t outputs, inputs;
    void *data;
    size_t bytes;
    const struct cpu_matrix *next; /* that a decode step reads after this one; NULL: unknown */
};

/* Rows (outputs) [first, first + count) as float32 into out [count, inputs]; called from all
 * threads at once. `first` is a multiple of KERNEL_PANEL, `count` at most a few of it. */
typedef void cpu_matrix_reader(void *context, int64_t first, int64_t count, float *out);

/* Packs in parallel; pages are first touched by the threads that share the reading later.
 * Free with cpu_matrix_free; on an error the matrix is empty. */
int cpu_matrix_pack(struct cpu_matrix *matrix, struct thread_pool *pool,
                    const struct kernels *kernels, enum kernel_type type, int64_t outputs,
                    int64_t inputs, cpu_matrix_reader *read, void *context, struct error *error);
void cpu_matrix_free(struct cpu_matrix *matrix);

/* The same into memory of the caller (kernel_packed_bytes(), aligned to a cache line), which
 * must not be freed through the matrix; scratch: [threads][cpu_pack_floats(inputs)]. */
void cpu_matrix_pack_into(struct cpu_matrix *matrix, void *memory, float *scratch,
                          struct thread_pool *pool, const struct kernels *kernels,
                          enum kernel_type type, int64_t outputs, int64_t inputs,
                          cpu_matrix_reader *read, void *context);

/* Floats that a thread reads before it packs them: KERNEL_PANEL rows or several times as many. */
int64_t cpu_pack_floats(int64_t inputs);

/* kernels->prepare over the threads: x [rows, inputs] made ready as `type` in out, of
 * kernel_prepared_bytes(). Not needed for KERNEL_F32, whose calls take x itself. */
void cpu_linear_prepare(struct thread_pool *pool, const struct kernels *kernels,
                        enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                        int64_t inputs, void *out);

/* Tells the pool that `next` (NULL: nobody knows what) is read after the next call, for `rows`
 * rows: few wait for memory, which threads that have nothing to do then begin to read. */
void cpu_linear_announce(struct thread_pool *pool, const struct cpu_matrix *next, int64_t rows);

/* The whole call for `rows` rows, over all threads. */
void cpu_linear_run(struct thread_pool *pool, const struct kernels *kernels,
                    const struct linear_call *call, int64_t rows);

#endif
