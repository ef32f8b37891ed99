/* The epilogue of AVX-512 tiles, once for all types. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

#include "kernels/math_avx512.h"

/* 16 columns of a row from `column` on. Inlined: whole vectors need no masks, which cost some
 * processors a lot in a store, and most layers need no activation. */
static inline __attribute__((always_inline)) void store_vector(const struct linear_tile *tile,
                                                               int64_t row, int64_t column,
                                                               const float *sums, const bool whole,
                                                               __mmask16 mask, const bool activated)
{
    const __mmask16 kept = whole ? (__mmask16)0xFFFF : mask;
    float *y = tile->y + row * tile->y_stride + column;
    __m512 v = _mm512_load_ps(sums + column);
    if (tile->bias != NULL)
        v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(kept, tile->bias + column));
    if (tile->before != NULL)
        v = _mm512_add_ps(
            v, _mm512_maskz_loadu_ps(kept, tile->before + row * tile->y_stride + column));
    if (activated)
        v = math_activate_avx512(tile->activation, v);
    v = _mm512_mul_ps(v, _mm512_set1_ps(tile->scale));
    if (tile->residual != NULL)
        v = _mm512_add_ps(
            v, _mm512_maskz_loadu_ps(kept, tile->residual + row * tile->residual_stride + column));
    if (whole)
        _mm512_storeu_ps(y, v);
    else
        _mm512_mask_storeu_ps(y, kept, v);
}

static void store_whole(const struct linear_tile *tile, const float *sums)
{
    for (int64_t r = 0; r < tile->rows; r++, sums += KERNEL_PANEL) {
        store_vector(tile, r, 0, sums, true, 0, false);
        store_vector(tile, r, 16, sums, true, 0, false);
    }
}

static void store_whole_activated(const struct linear_tile *tile, const float *sums)
{
    for (int64_t r = 0; r < tile->rows; r++, sums += KERNEL_PANEL) {
        store_vector(tile, r, 0, sums, true, 0, true);
        store_vector(tile, r, 16, sums, true, 0, true);
    }
}

static void store_some(const struct linear_tile *tile, const float *sums)
{
    uint32_t mask = (1U << tile->columns) - 1U;
    for (int64_t r = 0; r < tile->rows; r++, sums += KERNEL_PANEL) {
        store_vector(tile, r, 0, sums, false, (__mmask16)mask, true);
        if (tile->columns > 16)
            store_vector(tile, r, 16, sums, false, (__mmask16)(mask >> 16), true);
    }
}

void linear_store_avx512(const struct linear_tile *tile, const float *sums)
{
    if (tile->columns < KERNEL_PANEL)
        store_some(tile, sums);
    else if (tile->activation == KERNEL_IDENTITY)
        store_whole(tile, sums);
    else
        store_whole_activated(tile, sums);
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
