/* float32 tiles of 1 to 3 rows x 32 columns: with 16 registers the broadcast of x is the scarce
 * thing, and a wide tile needs fewest. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

enum { ROWS = 3 };

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_f32(const struct linear_tile *tile,
                                                           const int rows)
{
    __m256 sums[ROWS][4];
#pragma GCC unroll 3
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            sums[r][c] = _mm256_setzero_ps();
    const int64_t stride = tile->x_stride;
    const char *x = tile->x;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = weight + tile->steps * 128;
    for (; weight != end; weight += 128, x += sizeof(float)) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256 value[ROWS];
#pragma GCC unroll 3
        for (int r = 0; r < rows; r++)
            value[r] = _mm256_broadcast_ss((const float *)(const void *)(x + r * stride));
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            __m256 eight = _mm256_load_ps((const float *)(const void *)weight + 8 * c);
#pragma GCC unroll 3
            for (int r = 0; r < rows; r++)
                sums[r][c] = _mm256_fmadd_ps(value[r], eight, sums[r][c]);
        }
    }
    _Alignas(32) float result[ROWS * KERNEL_PANEL];
#pragma GCC unroll 3
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            _mm256_store_ps(result + r * KERNEL_PANEL + 8 * c, sums[r][c]);
    linear_store_avx2(tile, result);
}

static void tile_f32_1(const struct linear_tile *tile)
{
    tile_f32(tile, 1);
}

static void tile_f32_2(const struct linear_tile *tile)
{
    tile_f32(tile, 2);
}

static void tile_f32_3(const struct linear_tile *tile)
{
    tile_f32(tile, 3);
}

const struct linear_tile_set linear_f32_avx2 = {
    .rows_max = ROWS,
    .block_steps = 512,
    .functions = {tile_f32_1, tile_f32_2, tile_f32_3},
};

#endif
