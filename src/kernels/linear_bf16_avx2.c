/* bfloat16 tiles: a lane's two weights are widened in registers, the even one by a shift, the odd
 * one by a mask. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

enum { ROWS = 2 };

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_bf16(const struct linear_tile *tile,
                                                            const int rows)
{
    __m256 sums[ROWS][4];
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            sums[r][c] = _mm256_setzero_ps();
    const __m256i odd_mask = _mm256_set1_epi32((int32_t)0xFFFF0000U);
    const int64_t stride = tile->x_stride;
    const char *x = tile->x;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = weight + tile->steps * 128;
    for (; weight != end; weight += 128, x += 8) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256 x_even[ROWS];
        __m256 x_odd[ROWS];
#pragma GCC unroll 2
        for (int r = 0; r < rows; r++) {
            x_even[r] = _mm256_broadcast_ss((const float *)(const void *)(x + r * stride));
            x_odd[r] = _mm256_broadcast_ss((const float *)(const void *)(x + r * stride + 4));
        }
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            __m256i pairs = _mm256_load_si256((const __m256i *)(const void *)weight + c);
            __m256 even = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
            __m256 odd = _mm256_castsi256_ps(_mm256_and_si256(pairs, odd_mask));
#pragma GCC unroll 2
            for (int r = 0; r < rows; r++) {
                sums[r][c] = _mm256_fmadd_ps(x_even[r], even, sums[r][c]);
                sums[r][c] = _mm256_fmadd_ps(x_odd[r], odd, sums[r][c]);
            }
        }
    }
    _Alignas(32) float result[ROWS * KERNEL_PANEL];
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            _mm256_store_ps(result + r * KERNEL_PANEL + 8 * c, sums[r][c]);
    linear_store_avx2(tile, result);
}

static void tile_bf16_1(const struct linear_tile *tile)
{
    tile_bf16(tile, 1);
}

static void tile_bf16_2(const struct linear_tile *tile)
{
    tile_bf16(tile, 2);
}

const struct linear_tile_set linear_bf16_avx2 = {
    .rows_max = ROWS,
    .functions = {tile_bf16_1, tile_bf16_2},
};

#endif
