/* Interleaves rows for the AVX-512 tiles: blocks of 16 words of up to 16 rows are transposed in
 * registers. */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/linear_avx512.h"

enum { SIDE = 16 };

/* [row][word] becomes [word][row]. */
static inline __attribute__((always_inline)) void transpose(__m512 block[SIDE])
{
    __m512 other[SIDE];
#pragma GCC unroll 8
    for (int i = 0; i < SIDE; i += 2) {
        other[i] = _mm512_unpacklo_ps(block[i], block[i + 1]);
        other[i + 1] = _mm512_unpackhi_ps(block[i], block[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < SIDE; i += 2) {
        __m512d first = _mm512_castps_pd(other[i / 4 * 4 + i / 2 % 2]);
        __m512d second = _mm512_castps_pd(other[i / 4 * 4 + i / 2 % 2 + 2]);
        block[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(first, second));
        block[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(first, second));
    }
    /* Now block[4 g + j] holds, in its quarter q, word 4 q + j of rows 4 g to 4 g + 3. */
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512 top_low = _mm512_shuffle_f32x4(block[j], block[4 + j], 0x44);
        __m512 top_high = _mm512_shuffle_f32x4(block[j], block[4 + j], 0xEE);
        __m512 bottom_low = _mm512_shuffle_f32x4(block[8 + j], block[12 + j], 0x44);
        __m512 bottom_high = _mm512_shuffle_f32x4(block[8 + j], block[12 + j], 0xEE);
        block[j] = _mm512_shuffle_f32x4(top_low, bottom_low, 0x88);
        block[4 + j] = _mm512_shuffle_f32x4(top_low, bottom_low, 0xDD);
        block[8 + j] = _mm512_shuffle_f32x4(top_high, bottom_high, 0x88);
        block[12 + j] = _mm512_shuffle_f32x4(top_high, bottom_high, 0xDD);
    }
}

void linear_interleave_avx512(const char *from, int64_t from_stride, int64_t rows, int64_t steps,
                              char *to, int64_t to_stride)
{
    (void)to_stride;
    const char *row[SIDE]; /* those that are missing repeat the first */
    for (int64_t r = 0; r < SIDE; r++)
        row[r] = from + (r < rows ? r : 0) * from_stride;
    int64_t step = 0;
    for (; step + SIDE <= steps; step += SIDE) {
        __m512 block[SIDE];
#pragma GCC unroll 16
        for (int r = 0; r < SIDE; r++)
            block[r] = _mm512_loadu_ps(row[r] + 4 * step);
        transpose(block);
        /* Each store's excess is overwritten by the next. */
#pragma GCC unroll 16
        for (int i = 0; i < SIDE; i++)
            _mm512_storeu_ps(to + 4 * rows * (step + i), block[i]);
    }
    for (; step < steps; step++)
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + 4 * (rows * step + r), row[r] + 4 * step, 4);
}

void linear_interleave_twos_avx512(const char *from, int64_t from_stride, int64_t rows,
                                   int64_t steps, char *to, int64_t to_stride)
{
    linear_interleave_avx512(from, from_stride, rows, 2 * steps, to, to_stride);
}

#endif
