/* float32 tiles of 1 to 14 rows x 32 columns: 28 sums, 2 weights and a broadcast fill the 32
 * registers. */
#if defined(__x86_64__)
#include "kernels/kernels_internal.h"
#include "kernels/linear_avx512.h"

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_f32(const struct linear_tile *tile,
                                                           const int rows)
{
    __m512 sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    const int64_t stride = tile->x_stride;
    const char *x[LINEAR_TILE_BASES];
#pragma GCC unroll 5
    for (int b = 0; b < LINEAR_TILE_BASES; b++)
        x[b] = tile->x + 3 * b * stride;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = weight + tile->steps * 128;
    for (; weight != end; weight += 128) {
        __m512 low = _mm512_load_ps(weight);
        __m512 high = _mm512_load_ps(weight + 64);
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const char *word = x[r / 3] + r % 3 * stride;
            __m512 value = _mm512_set1_ps(*(const float *)(const void *)word);
            sums[r][0] = _mm512_fmadd_ps(value, low, sums[r][0]);
            sums[r][1] = _mm512_fmadd_ps(value, high, sums[r][1]);
        }
#pragma GCC unroll 5
        for (int b = 0; b * 3 < rows; b++)
            x[b] += sizeof(float);
    }
    _Alignas(64) float result[LINEAR_TILE_ROWS_MAX * KERNEL_PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_ps(result + r * KERNEL_PANEL, sums[r][0]);
        _mm512_store_ps(result + r * KERNEL_PANEL + 16, sums[r][1]);
    }
    linear_store_avx512(tile, result);
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

static void tile_f32_4(const struct linear_tile *tile)
{
    tile_f32(tile, 4);
}

static void tile_f32_5(const struct linear_tile *tile)
{
    tile_f32(tile, 5);
}

static void tile_f32_6(const struct linear_tile *tile)
{
    tile_f32(tile, 6);
}

static void tile_f32_7(const struct linear_tile *tile)
{
    tile_f32(tile, 7);
}

static void tile_f32_8(const struct linear_tile *tile)
{
    tile_f32(tile, 8);
}

static void tile_f32_9(const struct linear_tile *tile)
{
    tile_f32(tile, 9);
}

static void tile_f32_10(const struct linear_tile *tile)
{
    tile_f32(tile, 10);
}

static void tile_f32_11(const struct linear_tile *tile)
{
    tile_f32(tile, 11);
}

static void tile_f32_12(const struct linear_tile *tile)
{
    tile_f32(tile, 12);
}

static void tile_f32_13(const struct linear_tile *tile)
{
    tile_f32(tile, 13);
}

static void tile_f32_14(const struct linear_tile *tile)
{
    tile_f32(tile, 14);
}

const struct linear_tile_set linear_f32_avx512 = {
    .rows_max = 14,
    .block_steps = 512,
    .copy_row = linear_copy_floats,
    .copy_step_bytes = sizeof(float),
    .functions = {tile_f32_1, tile_f32_2, tile_f32_3, tile_f32_4, tile_f32_5, tile_f32_6,
                  tile_f32_7, tile_f32_8, tile_f32_9, tile_f32_10, tile_f32_11, tile_f32_12,
                  tile_f32_13, tile_f32_14},
};

#endif
