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

static __m256 finish(const struct linear_tile *tile, int64_t row, int64_t column, __m256i mask,
                     __m256 v)
{
    if (tile->bias != NULL)
        v = _mm256_add_ps(v, _mm256_maskload_ps(tile->bias + column, mask));
    if (tile->before != NULL) {
        const float *before = tile->before + row * tile->y_stride + column;
        v = _mm256_add_ps(v, _mm256_maskload_ps(before, mask));
    }
    v = _mm256_mul_ps(math_activate_avx2(tile->activation, v), _mm256_set1_ps(tile->scale));
    if (tile->residual != NULL) {
        const float *residual = tile->residual + row * tile->residual_stride + column;
        v = _mm256_add_ps(v, _mm256_maskload_ps(residual, mask));
    }
    return v;
}

void linear_store_avx2(const struct linear_tile *tile, const float *sums)
{
    for (int64_t octet = 0; octet * 8 < tile->columns; octet++) {
        __m256i mask = octet_mask(tile->columns - octet * 8);
        for (int64_t r = 0; r < tile->rows; r++) {
            __m256 v = _mm256_load_ps(sums + r * KERNEL_PANEL + octet * 8);
            float *y = tile->y + r * tile->y_stride + octet * 8;
            _mm256_maskstore_ps(y, mask, finish(tile, r, octet * 8, mask, v));
        }
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
