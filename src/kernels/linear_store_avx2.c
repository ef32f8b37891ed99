/* The epilogue of AVX2 tiles, once for all types. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

#include "kernels/math_avx2.h"

/* Lanes of an octet that lie inside the matrix. */
static __m256i octet_mask(int64_t columns)
{
    int32_t count = columns < 0 ? 0 : (int32_t)columns;
    __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
}

static inline __m256 load_octet(const float *from, bool whole, __m256i mask)
{
    return whole ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, mask);
}

/* One octet of one row. Masked stores cost AMD's cores a dozen cycles: whole octets go without. */
static inline __attribute__((always_inline)) void store_octet(const struct linear_tile *tile,
                                                              int64_t row, int64_t column,
                                                              bool whole, __m256i mask, __m256 v)
{
    if (tile->bias != NULL)
        v = _mm256_add_ps(v, load_octet(tile->bias + column, whole, mask));
    if (tile->before != NULL)
        v = _mm256_add_ps(v, load_octet(tile->before + row * tile->y_stride + column, whole, mask));
    v = _mm256_mul_ps(math_activate_avx2(tile->activation, v), _mm256_set1_ps(tile->scale));
    if (tile->residual != NULL) {
        const float *residual = tile->residual + row * tile->residual_stride + column;
        v = _mm256_add_ps(v, load_octet(residual, whole, mask));
    }
    float *y = tile->y + row * tile->y_stride + column;
    if (whole)
        _mm256_storeu_ps(y, v);
    else
        _mm256_maskstore_ps(y, mask, v);
}

void linear_store_avx2(const struct linear_tile *tile, const float *sums)
{
    int64_t whole_end = tile->columns / 8 * 8;
    __m256i mask = octet_mask(tile->columns - whole_end);
    for (int64_t r = 0; r < tile->rows; r++) {
        const float *from = sums + r * KERNEL_PANEL;
        for (int64_t c = 0; c < whole_end; c += 8)
            store_octet(tile, r, c, true, mask, _mm256_load_ps(from + c));
        if (whole_end < tile->columns)
            store_octet(tile, r, whole_end, false, mask, _mm256_load_ps(from + whole_end));
    }
}

void linear_dequantise_avx2(const struct linear_tile *tile, float *sums)
{
    for (int64_t r = 0; r < tile->rows; r++) {
        __m256 row_scale = _mm256_set1_ps(linear_row_scale(tile, r));
        for (int64_t c = 0; c < KERNEL_PANEL; c += 8) {
            float *place = sums + r * KERNEL_PANEL + c;
            __m256i product = _mm256_sub_epi32(
                _mm256_load_si256((const __m256i *)(const void *)place),
                _mm256_loadu_si256((const __m256i *)(const void *)(tile->panel_corrections + c)));
            __m256 scale = _mm256_mul_ps(row_scale, _mm256_loadu_ps(tile->panel_scales + c));
            _mm256_store_ps(place, _mm256_mul_ps(_mm256_cvtepi32_ps(product), scale));
        }
    }
}

#endif
