/* The epilogue of AVX-512 tiles, once for all types. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

#include "kernels/math_avx512.h"

static __m512 finish(const struct linear_tile *tile, int64_t row, int64_t column, __mmask16 mask,
                     __m512 v)
{
    if (tile->bias != NULL)
        v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, tile->bias + column));
    if (tile->before != NULL) {
        const float *before = tile->before + row * tile->y_stride + column;
        v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, before));
    }
    v = _mm512_mul_ps(math_activate_avx512(tile->activation, v), _mm512_set1_ps(tile->scale));
    if (tile->residual != NULL) {
        const float *residual = tile->residual + row * tile->residual_stride + column;
        v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, residual));
    }
    return v;
}

void linear_store_avx512(const struct linear_tile *tile, const float *sums)
{
    uint32_t mask = tile->columns == KERNEL_PANEL ? UINT32_MAX : (1U << tile->columns) - 1U;
    __mmask16 low = (__mmask16)mask;
    __mmask16 high = (__mmask16)(mask >> 16);
    for (int64_t r = 0; r < tile->rows; r++, sums += KERNEL_PANEL) {
        float *y = tile->y + r * tile->y_stride;
        _mm512_mask_storeu_ps(y, low, finish(tile, r, 0, low, _mm512_load_ps(sums)));
        if (high != 0)
            _mm512_mask_storeu_ps(y + 16, high,
                                  finish(tile, r, 16, high, _mm512_load_ps(sums + 16)));
    }
}

void linear_dequantise_avx512(const struct linear_tile *tile, float *sums)
{
    for (int64_t r = 0; r < tile->rows; r++) {
        __m512 row_scale = _mm512_set1_ps(linear_row_scale(tile, r));
        for (int64_t c = 0; c < KERNEL_PANEL; c += 16) {
            float *place = sums + r * KERNEL_PANEL + c;
            __m512i correction = _mm512_loadu_si512(tile->panel_corrections + c);
            __m512i product = _mm512_sub_epi32(_mm512_load_si512(place), correction);
            __m512 scale = _mm512_mul_ps(row_scale, _mm512_loadu_ps(tile->panel_scales + c));
            _mm512_store_ps(place, _mm512_mul_ps(_mm512_cvtepi32_ps(product), scale));
        }
    }
}

#endif
