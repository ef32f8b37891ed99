/* A stand-in for cuBLASLt: the calls, with the library's own header, that describe a product. What
 * they describe is checked as strictly as the library's documentation states it; the product
 * itself is in product.cpp. */
#include "product.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace cuda_emulator;

namespace
{
/* Where an attribute is kept. */
struct attribute_place {
    int attribute;
    size_t offset;
    size_t bytes;
};

const attribute_place layout_places[] = {
    {CUBLASLT_MATRIX_LAYOUT_TYPE, offsetof(matrix_layout, type), sizeof(int32_t)},
    {CUBLASLT_MATRIX_LAYOUT_ORDER, offsetof(matrix_layout, order), sizeof(int32_t)},
    {CUBLASLT_MATRIX_LAYOUT_ROWS, offsetof(matrix_layout, rows), sizeof(uint64_t)},
    {CUBLASLT_MATRIX_LAYOUT_COLS, offsetof(matrix_layout, columns), sizeof(uint64_t)},
    {CUBLASLT_MATRIX_LAYOUT_LD, offsetof(matrix_layout, leading), sizeof(int64_t)},
    {CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, offsetof(matrix_layout, batch), sizeof(int32_t)},
    {CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, offsetof(matrix_layout, batch_stride),
     sizeof(int64_t)},
};

const attribute_place product_places[] = {
    {CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, offsetof(product_description, compute), sizeof(int32_t)},
    {CUBLASLT_MATMUL_DESC_SCALE_TYPE, offsetof(product_description, scale), sizeof(int32_t)},
    {CUBLASLT_MATMUL_DESC_POINTER_MODE, offsetof(product_description, pointer_mode),
     sizeof(int32_t)},
    {CUBLASLT_MATMUL_DESC_TRANSA, offsetof(product_description, transpose_a), sizeof(int32_t)},
    {CUBLASLT_MATMUL_DESC_TRANSB, offsetof(product_description, transpose_b), sizeof(int32_t)},
    {CUBLASLT_MATMUL_DESC_EPILOGUE, offsetof(product_description, epilogue), sizeof(uint32_t)},
    {CUBLASLT_MATMUL_DESC_BIAS_POINTER, offsetof(product_description, bias), sizeof(void *)},
    {CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, offsetof(product_description, bias_batch_stride),
     sizeof(int64_t)},
    {CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, offsetof(product_description, bias_type),
     sizeof(int32_t)},
};

const attribute_place preference_places[] = {
    {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, offsetof(preference, workspace_bytes),
     sizeof(uint64_t)},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, offsetof(preference, alignment[0]),
     sizeof(uint32_t)},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, offsetof(preference, alignment[1]),
     sizeof(uint32_t)},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, offsetof(preference, alignment[2]),
     sizeof(uint32_t)},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, offsetof(preference, alignment[3]),
     sizeof(uint32_t)},
};

template <size_t count>
cublasStatus_t set_attribute(const attribute_place (&places)[count], void *object, int attribute,
                             const void *value, size_t bytes)
{
    for (const attribute_place &each : places) {
        if (each.attribute != attribute)
            continue;
        if (!object || !value || bytes != each.bytes)
            return CUBLAS_STATUS_INVALID_VALUE;
        std::memcpy(static_cast<unsigned char *>(object) + each.offset, value, bytes);
        return CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_NOT_SUPPORTED;
}

/* An algorithm is its number, the workspace it needs and the alignments it was chosen for. */
struct algorithm {
    uint64_t number;
    uint64_t workspace_bytes;
    uint32_t alignment[4];
};
static_assert(sizeof(algorithm) <= sizeof(cublasLtMatmulAlgo_t));

constexpr uint64_t algorithm_mark = 0x656d756c61746f00;
constexpr int algorithms_offered = 3;

product describe(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
                 cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    product result = {};
    result.description = *reinterpret_cast<product_description *>(description);
    result.a = *reinterpret_cast<matrix_layout *>(a);
    result.b = *reinterpret_cast<matrix_layout *>(b);
    result.c = *reinterpret_cast<matrix_layout *>(c);
    result.d = *reinterpret_cast<matrix_layout *>(d);
    return result;
}

void check_alignments(const algorithm &chosen, const product &whole)
{
    const void *const pointers[4] = {whole.a_data, whole.b_data, whole.c_data, whole.d_data};
    for (int i = 0; i < 4; i++)
        if (reinterpret_cast<uintptr_t>(pointers[i]) % chosen.alignment[i] != 0)
            stop_launch("cublasLtMatmul",
                        "matrix %c is not aligned to the %u bytes its algorithm was chosen for",
                        "ABCD"[i], chosen.alignment[i]);
}
} // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    if (due_failure() != cudaSuccess)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    static char context;
    *handle = reinterpret_cast<cublasLtHandle_t>(&context);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

size_t cublasLtGetCudartVersion(void)
{
    return CUDART_VERSION;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS of another kind";
    }
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return cublasLtGetStatusName(status);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *result, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t leading)
{
    auto *made = new matrix_layout{type, CUBLASLT_ORDER_COL, rows, columns, leading, 1, 0};
    *result = reinterpret_cast<cublasLtMatrixLayout_t>(made);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete reinterpret_cast<matrix_layout *>(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *value, size_t bytes)
{
    return set_attribute(layout_places, layout, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *result, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    auto *made = new product_description{};
    made->compute = compute;
    made->scale = scale;
    made->pointer_mode = CUBLASLT_POINTER_MODE_HOST;
    made->transpose_a = CUBLAS_OP_N;
    made->transpose_b = CUBLAS_OP_N;
    made->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    made->bias_type = -1;
    *result = reinterpret_cast<cublasLtMatmulDesc_t>(made);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description)
{
    delete reinterpret_cast<product_description *>(description);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    return set_attribute(product_places, description, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *result)
{
    *result = reinterpret_cast<cublasLtMatmulPreference_t>(new preference{0, {256, 256, 256, 256}});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wanted)
{
    delete reinterpret_cast<preference *>(wanted);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wanted,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *value, size_t bytes)
{
    return set_attribute(preference_places, wanted, attribute, value, bytes);
}

/* Some algorithms, as many as fit: each needs more workspace than the one before. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t wanted, int most,
                                              cublasLtMatmulHeuristicResult_t results[], int *count)
{
    *count = 0;
    if (most < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = check_product(describe(description, a, b, c, d));
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    auto *limits = reinterpret_cast<preference *>(wanted);
    for (int i = 0; i < std::min(most, algorithms_offered); i++) {
        algorithm offered = {
            algorithm_mark + static_cast<uint64_t>(i), static_cast<uint64_t>(i) * 65536, {}};
        if (offered.workspace_bytes > limits->workspace_bytes)
            break;
        std::copy(std::begin(limits->alignment), std::end(limits->alignment), offered.alignment);
        results[i] = {};
        std::memcpy(&results[i].algo, &offered, sizeof offered);
        results[i].workspaceSize = offered.workspace_bytes;
        results[i].state = CUBLAS_STATUS_SUCCESS;
        results[i].wavesCount = 1;
        *count = i + 1;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    if (due_failure() != cudaSuccess)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    product whole = describe(description, a_layout, b_layout, c_layout, d_layout);
    cublasStatus_t status = check_product(whole);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    whole.a_data = a;
    whole.b_data = b;
    whole.c_data = c;
    whole.d_data = d;
    whole.workspace = workspace;
    whole.workspace_bytes = workspace_bytes;
    std::memcpy(&whole.alpha, alpha, sizeof whole.alpha);
    std::memcpy(&whole.beta, beta, sizeof whole.beta);
    if (algo) {
        algorithm chosen;
        std::memcpy(&chosen, algo, sizeof chosen);
        if (chosen.number < algorithm_mark || chosen.number >= algorithm_mark + algorithms_offered)
            return CUBLAS_STATUS_INVALID_VALUE;
        if (chosen.workspace_bytes > workspace_bytes)
            return CUBLAS_STATUS_INVALID_VALUE;
        check_alignments(chosen, whole);
    }
    check_memory(whole);
    enqueue(stream, [whole] { execute_product(whole); });
    return CUBLAS_STATUS_SUCCESS;
}
