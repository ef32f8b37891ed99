/* bfloat16 tiles with vdpbf16ps: a lane's two products are added into a float32 sum. The rows are
 * copied as pairs of bfloat16. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_bf16(const struct linear_tile *tile,
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
        __m512bh low = (__m512bh)_mm512_load_si512(weight);
        __m512bh high = (__m512bh)_mm512_load_si512(weight + 64);
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const char *word = x[r / 3] + r % 3 * stride;
            __m512bh pair = (__m512bh)_mm512_set1_epi32(*(const int32_t *)(const void *)word);
            sums[r][0] = _mm512_dpbf16_ps(sums[r][0], pair, low);
            sums[r][1] = _mm512_dpbf16_ps(sums[r][1], pair, high);
        }
#pragma GCC unroll 5
        for (int b = 0; b * 3 < rows; b++)
            x[b] += 4;
    }
    _Alignas(64) float result[LINEAR_TILE_ROWS_MAX * KERNEL_PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_ps(result + r * KERNEL_PANEL, sums[r][0]);
        _mm512_store_ps(result + r * KERNEL_PANEL + 16, sums[r][1]);
    }
    linear_store_avx512(tile, result);
}

static void tile_bf16_1(const struct linear_tile *tile)
{
    tile_bf16(tile, 1);
}

static void tile_bf16_2(const struct linear_tile *tile)
{
    tile_bf16(tile, 2);
}

static void tile_bf16_3(const struct linear_tile *tile)
{
    tile_bf16(tile, 3);
}

static void tile_bf16_4(const struct linear_tile *tile)
{
    tile_bf16(tile, 4);
}

static void tile_bf16_5(const struct linear_tile *tile)
{
    tile_bf16(tile, 5);
}

static void tile_bf16_6(const struct linear_tile *tile)
{
    tile_bf16(tile, 6);
}

static void tile_bf16_7(const struct linear_tile *tile)
{
    tile_bf16(tile, 7);
}

static void tile_bf16_8(const struct linear_tile *tile)
{
    tile_bf16(tile, 8);
}

static void tile_bf16_9(const struct linear_tile *tile)
{
    tile_bf16(tile, 9);
}

static void tile_bf16_10(const struct linear_tile *tile)
{
    tile_bf16(tile, 10);
}

static void tile_bf16_11(const struct linear_tile *tile)
{
    tile_bf16(tile, 11);
}

static void tile_bf16_12(const struct linear_tile *tile)
{
    tile_bf16(tile, 12);
}

static void tile_bf16_13(const struct linear_tile *tile)
{
    tile_bf16(tile, 13);
}

static void tile_bf16_14(const struct linear_tile *tile)
{
    tile_bf16(tile, 14);
}

const struct linear_tile_set linear_bf16_avx512_bf16 = {
    .rows_max = 14,
    .block_steps = 512,
    .copy_rows = linear_copy_pairs,
    .copy_step_bytes = 2 * sizeof(uint16_t),
    .in_place = &linear_bf16_avx512,
    .functions = {tile_bf16_1, tile_bf16_2, tile_bf16_3, tile_bf16_4, tile_bf16_5, tile_bf16_6,
                  tile_bf16_7, tile_bf16_8, tile_bf16_9, tile_bf16_10, tile_bf16_11, tile_bf16_12,
                  tile_bf16_13, tile_bf16_14},
};

#endif
