/* Matrix products: y = alpha * x W^T + bias, activated or gated, or added to what y holds. The
 * project's own kernel where there are few rows; else cuBLASLt with its epilogues, whose plan for
 * each shape is looked up once and kept. */
#ifndef TOKENMARK_ENGINE_CUDA_CUDA_LINEAR_H
#define TOKENMARK_ENGINE_CUDA_CUDA_LINEAR_H

#include "base/error.h"
#include "engine/cuda/cuda_kernels.h"

#ifndef CUDA_LINEAR_WORKSPACE_MB
#define CUDA_LINEAR_WORKSPACE_MB 32
#endif
enum { CUDA_LINEAR_WORKSPACE = CUDA_LINEAR_WORKSPACE_MB << 20 };

struct cuda_projection {
    const void *weight; /* [outputs, inputs] */
    const void *bias;   /* of the type of y, or NULL */
    int64_t outputs, inputs;
};

struct cuda_linear_context;

/* Of the device that the products run on. */
int cuda_linear_open(struct cuda_linear_context **out, const struct cudaDeviceProp *properties,
                     struct error *error);
void cuda_linear_close(struct cuda_linear_context *context);
/* Kernels here may start before the one before them has ended: the device can, their code waits. */
bool cuda_linear_overlaps(const struct cuda_linear_context *context);

struct cuda_linear_call {
    const struct cuda_projection *projection;
    enum device_type type;   /* of weight and x */
    enum device_type y_type; /* `type` or float32 */
    const void *x;
    int64_t x_stride;
    void *y;
    int64_t y_stride;
    int64_t rows;
    float alpha;
    bool accumulate; /* y += ... */
    bool gated;      /* y[row, i] = act(v[i]) * v[outputs / 2 + i]; then y_stride is outputs */
    enum device_activation activation;
    void *workspace;    /* CUDA_LINEAR_WORKSPACE bytes */
    uint32_t *counters; /* [SKINNY_COUNTERS], zero between calls */
    cudaStream_t stream;
};
cudaError_t cuda_linear_run(struct cuda_linear_context *context,
                            const struct cuda_linear_call *call);

#endif
