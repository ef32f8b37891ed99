/* Matrix products: y = alpha * x W^T + bias, activated, or added to what y holds. cuBLASLt with
 * its epilogues; a plan for each shape is looked up once and kept. */
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

int cuda_linear_open(struct cuda_linear_context **out, struct error *error);
void cuda_linear_close(struct cuda_linear_context *context);

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
    enum device_activation activation;
    void *workspace; /* CUDA_LINEAR_WORKSPACE bytes */
    cudaStream_t stream;
};
cudaError_t cuda_linear_run(struct cuda_linear_context *context,
                            const struct cuda_linear_call *call);

#endif
