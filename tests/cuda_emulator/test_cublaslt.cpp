/* The stand-in for cuBLASLt against sums in double: transposes, leading dimensions, batches, types,
 * epilogues; and what it must refuse or stop. */
#include "test_support.h"

#include <cmath>
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace
{
struct product_case {
    cudaDataType_t input;
    cudaDataType_t output;
    bool transpose_a;
    bool transpose_b;
    int rows, columns, depth;
    int padding; /* of every leading dimension */
    int batch;
    float alpha, beta;
    cublasLtEpilogue_t epilogue;
};

const product_case cases[] = {
    {CUDA_R_32F, CUDA_R_32F, false, false, 5, 7, 3, 0, 1, 1, 0, CUBLASLT_EPILOGUE_DEFAULT},
    {CUDA_R_32F, CUDA_R_32F, true, true, 4, 6, 9, 3, 1, 0.5f, 2, CUBLASLT_EPILOGUE_DEFAULT},
    {CUDA_R_16F, CUDA_R_16F, true, false, 16, 5, 32, 0, 1, 1, 0, CUBLASLT_EPILOGUE_BIAS},
    {CUDA_R_16BF, CUDA_R_16BF, true, false, 16, 5, 32, 8, 1, 1, 1, CUBLASLT_EPILOGUE_BIAS},
    {CUDA_R_16F, CUDA_R_32F, true, false, 8, 3, 24, 0, 1, 1, 0, CUBLASLT_EPILOGUE_DEFAULT},
    {CUDA_R_32F, CUDA_R_32F, true, false, 8, 3, 24, 1, 3, 1, 0, CUBLASLT_EPILOGUE_GELU_BIAS},
    {CUDA_R_16BF, CUDA_R_32F, false, true, 6, 4, 10, 2, 2, 1, 0, CUBLASLT_EPILOGUE_RELU_BIAS},
    {CUDA_R_32F, CUDA_R_32F, true, false, 1, 1, 1, 0, 1, 1, 0, CUBLASLT_EPILOGUE_GELU},
};

size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

/* A matrix by columns, as numbers and as bytes of a type. */
struct matrix {
    int rows, columns, leading, batch;
    cudaDataType_t type;
    std::vector<float> values;
    device_array<unsigned char> data;

    matrix(int row_count, int column_count, int padding, int batch_count,
           cudaDataType_t element_type, int seed)
        : rows(row_count), columns(column_count), leading(row_count + padding), batch(batch_count),
          type(element_type), values(static_cast<size_t>(leading * columns * batch)),
          data(values.size() * bytes_of(element_type))
    {
        std::vector<unsigned char> bytes(values.size() * bytes_of(type));
        for (size_t i = 0; i < values.size(); i++) {
            values[i] = static_cast<float>((i * 7 + static_cast<size_t>(seed)) % 13) / 8 - 0.75f;
            if (type == CUDA_R_32F) {
                std::memcpy(&bytes[4 * i], &values[i], 4);
            } else if (type == CUDA_R_16F) {
                __half half = __float2half_rn(values[i]);
                std::memcpy(&bytes[2 * i], &half, 2);
            } else {
                __nv_bfloat16 half = __float2bfloat16_rn(values[i]);
                std::memcpy(&bytes[2 * i], &half, 2);
            }
        }
        cudaMemcpy(data.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice);
    }

    size_t place(int number, int row, int column) const
    {
        return static_cast<size_t>((number * columns + column) * leading + row);
    }

    float read_back(int number, int row, int column) const
    {
        std::vector<unsigned char> bytes = data.values();
        size_t i = place(number, row, column);
        if (type == CUDA_R_32F) {
            float value;
            std::memcpy(&value, &bytes[4 * i], 4);
            return value;
        }
        if (type == CUDA_R_16F) {
            __half half;
            std::memcpy(static_cast<void *>(&half), &bytes[2 * i], 2);
            return __half2float(half);
        }
        __nv_bfloat16 half;
        std::memcpy(static_cast<void *>(&half), &bytes[2 * i], 2);
        return __bfloat162float(half);
    }

    cublasLtMatrixLayout_t layout() const
    {
        cublasLtMatrixLayout_t result;
        int64_t stride = int64_t{leading} * columns;
        cublasLtMatrixLayoutCreate(&result, type, static_cast<uint64_t>(rows),
                                   static_cast<uint64_t>(columns), leading);
        cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch,
                                         sizeof batch);
        cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                         &stride, sizeof stride);
        return result;
    }
};

double activate(cublasLtEpilogue_t epilogue, double value)
{
    if (epilogue == CUBLASLT_EPILOGUE_RELU_BIAS)
        return value > 0 ? value : 0;
    if (epilogue == CUBLASLT_EPILOGUE_GELU || epilogue == CUBLASLT_EPILOGUE_GELU_BIAS)
        return 0.5 * value *
               (1 + std::tanh(std::sqrt(2 / M_PI) * (value + 0.044715 * std::pow(value, 3))));
    return value;
}

/* The library's objects for one product, and calls of it. */
class multiplier
{
  public:
    multiplier(const product_case &facts, const matrix &a, const matrix &b, const matrix &d,
               const void *bias)
        : a_(a.layout()), b_(b.layout()), d_(d.layout())
    {
        cublasLtCreate(&handle_);
        cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F);
        cublasOperation_t a_operation = facts.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
        cublasOperation_t b_operation = facts.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
        set(CUBLASLT_MATMUL_DESC_TRANSA, a_operation);
        set(CUBLASLT_MATMUL_DESC_TRANSB, b_operation);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, facts.epilogue);
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    }
    multiplier(const multiplier &) = delete;
    multiplier &operator=(const multiplier &) = delete;
    ~multiplier()
    {
        cublasLtMatrixLayoutDestroy(a_);
        cublasLtMatrixLayoutDestroy(b_);
        cublasLtMatrixLayoutDestroy(d_);
        cublasLtMatmulDescDestroy(description_);
        cublasLtDestroy(handle_);
    }
    template <typename T> void set(cublasLtMatmulDescAttributes_t attribute, const T &value)
    {
        assert_int_equal(
            cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof value),
            CUBLAS_STATUS_SUCCESS);
    }
    /* Algorithms offered for so much workspace and so aligned matrices. */
    std::vector<cublasLtMatmulHeuristicResult_t> offers(uint64_t workspace_bytes,
                                                        uint32_t alignment)
    {
        cublasLtMatmulPreference_t preference;
        cublasLtMatmulPreferenceCreate(&preference);
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace_bytes, sizeof workspace_bytes);
        for (auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                           CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                           CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                           CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
            cublasLtMatmulPreferenceSetAttribute(preference, which, &alignment, sizeof alignment);
        std::vector<cublasLtMatmulHeuristicResult_t> results(8);
        int count = 0;
        assert_int_equal(cublasLtMatmulAlgoGetHeuristic(handle_, description_, a_, b_, d_, d_,
                                                        preference, 8, results.data(), &count),
                         CUBLAS_STATUS_SUCCESS);
        results.resize(static_cast<size_t>(count));
        cublasLtMatmulPreferenceDestroy(preference);
        return results;
    }
    cublasStatus_t run(const void *a, const void *b, void *d, float alpha = 1, float beta = 0,
                       const cublasLtMatmulAlgo_t *algorithm = nullptr, void *workspace = nullptr,
                       size_t workspace_bytes = 0)
    {
        return cublasLtMatmul(handle_, description_, &alpha, a, a_, b, b_, &beta, d, d_, d, d_,
                              algorithm, workspace, workspace_bytes, nullptr);
    }

  private:
    cublasLtHandle_t handle_;
    cublasLtMatmulDesc_t description_;
    cublasLtMatrixLayout_t a_;
    cublasLtMatrixLayout_t b_;
    cublasLtMatrixLayout_t d_;
};

void check_case(const product_case &facts)
{
    matrix a(facts.transpose_a ? facts.depth : facts.rows,
             facts.transpose_a ? facts.rows : facts.depth, facts.padding, facts.batch, facts.input,
             1);
    matrix b(facts.transpose_b ? facts.columns : facts.depth,
             facts.transpose_b ? facts.depth : facts.columns, facts.padding, facts.batch,
             facts.input, 5);
    matrix d(facts.rows, facts.columns, facts.padding, facts.batch, facts.output, 2);
    matrix bias(facts.rows, 1, 0, 1, facts.output, 3);
    multiplier multiply(facts, a, b, d, bias.data.data());
    assert_int_equal(
        multiply.run(a.data.data(), b.data.data(), d.data.data(), facts.alpha, facts.beta),
        CUBLAS_STATUS_SUCCESS);
    double tolerance = facts.output == CUDA_R_32F ? 1e-5 : facts.output == CUDA_R_16F ? 2e-3 : 1e-2;
    bool biased = (facts.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
    for (int number = 0; number < facts.batch; number++)
        for (int row = 0; row < facts.rows; row++)
            for (int column = 0; column < facts.columns; column++) {
                double sum = 0;
                for (int k = 0; k < facts.depth; k++)
                    sum += double{a.values[facts.transpose_a ? a.place(number, k, row)
                                                             : a.place(number, row, k)]} *
                           double{b.values[facts.transpose_b ? b.place(number, column, k)
                                                             : b.place(number, k, column)]};
                double wanted = facts.alpha * sum +
                                facts.beta * d.values[d.place(number, row, column)] +
                                (biased ? bias.values[static_cast<size_t>(row)] : 0);
                wanted = activate(facts.epilogue, wanted);
                double found = d.read_back(number, row, column);
                assert_true(std::fabs(found - wanted) <= tolerance * (1 + std::fabs(wanted)));
            }
}

void test_products(void **)
{
    for (const product_case &each : cases)
        check_case(each);
}

const product_case plain = {CUDA_R_32F, CUDA_R_32F, false, false, 4, 4,
                            4,          0,          1,     1,     0, CUBLASLT_EPILOGUE_DEFAULT};

void test_shapes_must_fit(void **)
{
    matrix a(4, 4, 0, 1, CUDA_R_32F, 1);
    matrix deeper(5, 4, 0, 1, CUDA_R_32F, 1);
    matrix other_type(4, 4, 0, 1, CUDA_R_16F, 1);
    matrix d(4, 4, 0, 1, CUDA_R_32F, 1);
    multiplier depths(plain, a, deeper, d, nullptr);
    assert_int_equal(depths.run(a.data.data(), deeper.data.data(), d.data.data()),
                     CUBLAS_STATUS_INVALID_VALUE);
    multiplier types(plain, a, other_type, d, nullptr);
    assert_int_equal(types.run(a.data.data(), other_type.data.data(), d.data.data()),
                     CUBLAS_STATUS_NOT_SUPPORTED);
}

void test_workspace(void **)
{
    matrix a(4, 4, 0, 1, CUDA_R_32F, 1);
    matrix b(4, 4, 0, 1, CUDA_R_32F, 2);
    matrix d(4, 4, 0, 1, CUDA_R_32F, 3);
    multiplier multiply(plain, a, b, d, nullptr);
    assert_int_equal(multiply.offers(0, 256).size(), 1);
    auto offers = multiply.offers(1 << 20, 256);
    assert_int_equal(offers.size(), 3);
    const cublasLtMatmulHeuristicResult_t &hungry = offers[2];
    assert_true(hungry.workspaceSize > 0);
    device_array<unsigned char> workspace(std::vector<unsigned char>(hungry.workspaceSize, 0));
    assert_int_equal(multiply.run(a.data.data(), b.data.data(), d.data.data(), 1, 0, &hungry.algo,
                                  workspace.data(), hungry.workspaceSize - 1),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(multiply.run(a.data.data(), b.data.data(), d.data.data(), 1, 0, &hungry.algo,
                                  workspace.data(), hungry.workspaceSize),
                     CUBLAS_STATUS_SUCCESS);
    /* It is the library's: nothing of before is left. */
    assert_int_equal(workspace.values()[100], 0xff);
}

void test_misuse_stops(void **)
{
    matrix a(4, 4, 0, 1, CUDA_R_32F, 1);
    matrix b(4, 4, 0, 1, CUDA_R_32F, 2);
    matrix d(4, 4, 0, 1, CUDA_R_32F, 3);
    multiplier multiply(plain, a, b, d, nullptr);
    auto offers = multiply.offers(0, 256);
    static float host[16];
    assert_stopped("matrix A", [&] { multiply.run(host, b.data.data(), d.data.data()); });
    assert_stopped("matrix B",
                   [&] { multiply.run(a.data.data(), b.data.data() + 4, d.data.data()); });
    assert_stopped("D lies over A or B",
                   [&] { multiply.run(a.data.data(), b.data.data(), a.data.data()); });
    device_array<float> wide(20);
    assert_stopped("not aligned to the 256 bytes", [&] {
        multiply.run(a.data.data(), b.data.data(), wide.data() + 4, 1, 0, &offers[0].algo);
    });
}
} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_shapes_must_fit),
        cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_misuse_stops),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
