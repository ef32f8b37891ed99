/* The product behind the stand-in for cuBLASLt: its checks, and plain loops that compute it with
 * sums in float. The workspace is filled with NaN when the product runs, as it is the library's. */
#include "product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cuda_emulator
{
namespace
{
size_t element_bytes(int32_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

bool is_float_type(int32_t type)
{
    return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

bool is_float_compute(int32_t compute)
{
    return compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
           compute == CUBLAS_COMPUTE_32F_FAST_TF32;
}

bool has(const product &whole, uint32_t part)
{
    return (whole.description.epilogue & part) != 0;
}

int32_t bias_type(const product &whole)
{
    return whole.description.bias_type < 0 ? whole.d.type : whole.description.bias_type;
}

bool fits_itself(const matrix_layout &layout)
{
    uint64_t run = layout.order == CUBLASLT_ORDER_COL ? layout.rows : layout.columns;
    bool order = layout.order == CUBLASLT_ORDER_COL || layout.order == CUBLASLT_ORDER_ROW;
    return order && layout.rows > 0 && layout.columns > 0 && layout.leading > 0 &&
           static_cast<uint64_t>(layout.leading) >= run && layout.batch > 0;
}

/* Elements from the first to one behind the last of one matrix. */
size_t extent(const matrix_layout &layout)
{
    bool by_columns = layout.order == CUBLASLT_ORDER_COL;
    uint64_t runs = by_columns ? layout.columns : layout.rows;
    uint64_t run = by_columns ? layout.rows : layout.columns;
    return (runs - 1) * static_cast<uint64_t>(layout.leading) + run;
}

size_t place(const matrix_layout &layout, size_t row, size_t column)
{
    auto leading = static_cast<size_t>(layout.leading);
    return layout.order == CUBLASLT_ORDER_COL ? column * leading + row : row * leading + column;
}

const unsigned char *matrix_start(const matrix_layout &layout, const void *data, int number)
{
    return static_cast<const unsigned char *>(data) +
           number * layout.batch_stride * static_cast<int64_t>(element_bytes(layout.type));
}

void check_matrix(const matrix_layout &layout, const void *data, char name)
{
    if (reinterpret_cast<uintptr_t>(data) % element_bytes(layout.type) != 0)
        stop_launch("cublasLtMatmul", "matrix %c is not aligned to its elements", name);
    for (int number = 0; number < layout.batch; number++)
        if (!in_device_memory(matrix_start(layout, data, number),
                              extent(layout) * element_bytes(layout.type)))
            stop_launch("cublasLtMatmul",
                        "matrix %c, number %d of the batch, is not inside one allocation of device "
                        "memory",
                        name, number);
}

bool overlap(const product &whole, const matrix_layout &layout, const void *data)
{
    for (int i = 0; i < whole.d.batch; i++)
        for (int j = 0; j < layout.batch; j++) {
            const unsigned char *output = matrix_start(whole.d, whole.d_data, i);
            const unsigned char *input = matrix_start(layout, data, j);
            if (output < input + extent(layout) * element_bytes(layout.type) &&
                input < output + extent(whole.d) * element_bytes(whole.d.type))
                return true;
        }
    return false;
}

float read(const unsigned char *data, size_t index, int32_t type)
{
    if (type == CUDA_R_32F) {
        float value;
        std::memcpy(&value, data + 4 * index, sizeof value);
        return value;
    }
    unsigned short bits;
    std::memcpy(&bits, data + 2 * index, sizeof bits);
    if (type == CUDA_R_16F) {
        __half_raw raw;
        raw.x = bits;
        return __half2float(__half(raw));
    }
    __nv_bfloat16_raw raw;
    raw.x = bits;
    return __bfloat162float(__nv_bfloat16(raw));
}

void write(unsigned char *data, size_t index, int32_t type, float value)
{
    if (type == CUDA_R_32F) {
        std::memcpy(data + 4 * index, &value, sizeof value);
        return;
    }
    unsigned short bits = type == CUDA_R_16F
                              ? static_cast<__half_raw>(__float2half_rn(value)).x
                              : static_cast<__nv_bfloat16_raw>(__float2bfloat16_rn(value)).x;
    std::memcpy(data + 2 * index, &bits, sizeof bits);
}

/* op(matrix), row after row, in float. */
std::vector<float> dense(const matrix_layout &layout, const void *data, int number, bool transpose)
{
    const unsigned char *start = matrix_start(layout, data, number);
    size_t rows = transpose ? layout.columns : layout.rows;
    size_t columns = transpose ? layout.rows : layout.columns;
    std::vector<float> result(rows * columns);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            result[i * columns + j] =
                read(start, transpose ? place(layout, j, i) : place(layout, i, j), layout.type);
    return result;
}

/* The tanh form: what the library's GELU epilogue is documented to be. */
float gelu(float x)
{
    constexpr float root_of_two_over_pi = 0.7978845608f;
    return 0.5f * x * (1.0f + std::tanh(root_of_two_over_pi * (x + 0.044715f * x * x * x)));
}

float finish_element(const product &whole, int number, size_t row, size_t column, float sum)
{
    float value = whole.alpha * sum;
    if (whole.beta != 0)
        value += whole.beta * read(matrix_start(whole.c, whole.c_data, number),
                                   place(whole.c, row, column), whole.c.type);
    if (has(whole, CUBLASLT_EPILOGUE_BIAS)) {
        auto *bias = static_cast<const unsigned char *>(whole.description.bias);
        auto skipped = static_cast<size_t>(number * whole.description.bias_batch_stride);
        value += read(bias, skipped + row, bias_type(whole));
    }
    if (has(whole, CUBLASLT_EPILOGUE_RELU))
        value = std::max(value, 0.0f);
    if (has(whole, CUBLASLT_EPILOGUE_GELU))
        value = gelu(value);
    return value;
}

void execute_one(const product &whole, int number)
{
    std::vector<float> a =
        dense(whole.a, whole.a_data, number, whole.description.transpose_a != CUBLAS_OP_N);
    std::vector<float> b =
        dense(whole.b, whole.b_data, number, whole.description.transpose_b != CUBLAS_OP_N);
    size_t rows = whole.d.rows;
    size_t columns = whole.d.columns;
    size_t depth = a.size() / rows;
    std::vector<float> sums(columns);
    auto *output = const_cast<unsigned char *>(matrix_start(whole.d, whole.d_data, number));
    for (size_t row = 0; row < rows; row++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (size_t k = 0; k < depth; k++)
            for (size_t column = 0; column < columns; column++)
                sums[column] += a[row * depth + k] * b[k * columns + column];
        for (size_t column = 0; column < columns; column++)
            write(output, place(whole.d, row, column), whole.d.type,
                  finish_element(whole, number, row, column, sums[column]));
    }
}

bool types_fit(const product &whole)
{
    bool inputs = is_float_type(whole.a.type) && whole.a.type == whole.b.type;
    bool outputs = whole.d.type == whole.c.type &&
                   (whole.d.type == whole.a.type || whole.d.type == CUDA_R_32F);
    bool bias = bias_type(whole) == whole.d.type || bias_type(whole) == whole.a.type;
    return inputs && outputs && bias && whole.description.scale == CUDA_R_32F &&
           is_float_compute(whole.description.compute) &&
           whole.description.pointer_mode == CUBLASLT_POINTER_MODE_HOST;
}
} // namespace

cublasStatus_t check_product(const product &whole)
{
    constexpr uint32_t known_epilogues = CUBLASLT_EPILOGUE_DEFAULT | CUBLASLT_EPILOGUE_RELU |
                                         CUBLASLT_EPILOGUE_BIAS | CUBLASLT_EPILOGUE_GELU;
    if ((whole.description.epilogue & ~known_epilogues) != 0 || !types_fit(whole))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool transpose_a = whole.description.transpose_a != CUBLAS_OP_N;
    bool transpose_b = whole.description.transpose_b != CUBLAS_OP_N;
    uint64_t rows = transpose_a ? whole.a.columns : whole.a.rows;
    uint64_t depth = transpose_a ? whole.a.rows : whole.a.columns;
    uint64_t columns = transpose_b ? whole.b.rows : whole.b.columns;
    bool fits = fits_itself(whole.a) && fits_itself(whole.b) && fits_itself(whole.c) &&
                fits_itself(whole.d) && depth == (transpose_b ? whole.b.columns : whole.b.rows) &&
                whole.d.rows == rows && whole.d.columns == columns && whole.c.rows == rows &&
                whole.c.columns == columns && whole.a.batch == whole.d.batch &&
                whole.b.batch == whole.d.batch && whole.c.batch == whole.d.batch &&
                whole.c.order == whole.d.order;
    return fits ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

void check_memory(const product &whole)
{
    check_matrix(whole.a, whole.a_data, 'A');
    check_matrix(whole.b, whole.b_data, 'B');
    if (whole.beta != 0)
        check_matrix(whole.c, whole.c_data, 'C');
    check_matrix(whole.d, whole.d_data, 'D');
    if (overlap(whole, whole.a, whole.a_data) || overlap(whole, whole.b, whole.b_data))
        stop_launch("cublasLtMatmul", "D lies over A or B");
    auto last_bias = static_cast<size_t>((whole.d.batch - 1) * whole.description.bias_batch_stride);
    if (has(whole, CUBLASLT_EPILOGUE_BIAS) &&
        !in_device_memory(whole.description.bias,
                          (last_bias + whole.d.rows) * element_bytes(bias_type(whole))))
        stop_launch("cublasLtMatmul", "the bias is not inside one allocation of device memory");
    if (whole.workspace_bytes > 0 && !in_device_memory(whole.workspace, whole.workspace_bytes))
        stop_launch("cublasLtMatmul",
                    "the workspace is not inside one allocation of device memory");
}

void execute_product(const product &whole)
{
    if (whole.workspace_bytes > 0)
        std::memset(whole.workspace, 0xff, whole.workspace_bytes);
    for (int number = 0; number < whole.d.batch; number++)
        execute_one(whole, number);
}
} // namespace cuda_emulator
