/* A product as the stand-in for cuBLASLt keeps it: what the library's opaque types hold here.
 * Shared by cublaslt.cpp, which is told, and product.cpp, which checks and computes. */
#ifndef CUDA_EMULATOR_PRODUCT_H
#define CUDA_EMULATOR_PRODUCT_H

#include "runtime.h"

#include <cublasLt.h>

namespace cuda_emulator
{
struct matrix_layout {
    int32_t type; /* cudaDataType */
    int32_t order;
    uint64_t rows;
    uint64_t columns;
    int64_t leading;
    int32_t batch;
    int64_t batch_stride;
};

struct product_description {
    int32_t compute;
    int32_t scale;
    int32_t pointer_mode;
    int32_t transpose_a;
    int32_t transpose_b;
    uint32_t epilogue;
    const void *bias;
    int64_t bias_batch_stride;
    int32_t bias_type; /* -1: as D */
};

struct preference {
    uint64_t workspace_bytes;
    uint32_t alignment[4]; /* of A, B, C, D */
};

/* D = epilogue(alpha · op(A) · op(B) + beta · C), everything by value. */
struct product {
    product_description description;
    matrix_layout a, b, c, d;
    float alpha;
    float beta;
    const void *a_data, *b_data, *c_data;
    void *d_data;
    void *workspace;
    size_t workspace_bytes;
};

/* Do types, shapes, strides and the epilogue fit each other? */
cublasStatus_t check_product(const product &whole);
/* Ends the process where a matrix, the bias or the workspace is not in device memory, or D lies
 * over A or B. */
void check_memory(const product &whole);
void execute_product(const product &whole);
} // namespace cuda_emulator

#endif
