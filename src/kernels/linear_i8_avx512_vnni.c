/* int8 tiles with vpdpbusd: unsigned activations q + 128 times signed weights, four a lane. Up to 4
 * rows are read where they lie, as the weights stream from memory; up to 14 come interleaved. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

enum { UNROLL = 4, STEP_BYTES = 128, STEP_X_BYTES = 4 };

/* These are inlined into one function for every number of rows: the sums stay in registers. */
static inline __attribute__((always_inline)) void
finish(const struct linear_tile *tile, __m512i sums[LINEAR_TILE_ROWS_MAX][2], const int rows)
{
    _Alignas(64) float result[LINEAR_TILE_ROWS_MAX * KERNEL_PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_si512(result + r * KERNEL_PANEL, sums[r][0]);
        _mm512_store_si512(result + r * KERNEL_PANEL + 16, sums[r][1]);
    }
    linear_dequantise_avx512(tile, result);
    linear_store_avx512(tile, result);
}

/* One step of rows that lie `stride` bytes apart. */
static inline __attribute__((always_inline)) void step(__m512i sums[LINEAR_TILE_ROWS_MAX][2],
                                                       const int rows, const char *x,
                                                       int64_t stride, const char *weight)
{
    __m512i low = _mm512_load_si512(weight);
    __m512i high = _mm512_load_si512(weight + 64);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        __m512i four = _mm512_set1_epi32(*(const int32_t *)(const void *)(x + r * stride));
        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], four, low);
        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], four, high);
    }
}

static inline __attribute__((always_inline)) void in_place(const struct linear_tile *tile,
                                                           const int rows)
{
    __m512i sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_si512();
    const char *x = tile->x;
    const char *ahead = tile->ahead;
    const char *end = tile->weight + tile->steps * STEP_BYTES;
    for (const char *weight = tile->weight; weight != end; weight += STEP_BYTES) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + tile->ahead_step / 2, _MM_HINT_T1);
        ahead += tile->ahead_step;
        step(sums, rows, x, tile->x_stride, weight);
        x += STEP_X_BYTES;
    }
    finish(tile, sums, rows);
}

static inline __attribute__((always_inline)) void interleaved(const struct linear_tile *tile,
                                                              const int rows)
{
    __m512i sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_si512();
    const char *x = tile->x;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const char *end = weight + tile->steps * STEP_BYTES;
    const char *unrolled_end = weight + tile->steps / UNROLL * UNROLL * STEP_BYTES;
    while (weight != unrolled_end) {
        linear_prefetch_avx512(ahead, tile->ahead_step, UNROLL);
        ahead += UNROLL * tile->ahead_step;
#pragma GCC unroll 4
        for (int i = 0; i < UNROLL; i++) {
            step(sums, rows, x + i * rows * STEP_X_BYTES, STEP_X_BYTES, weight + i * STEP_BYTES);
            /* Loads of the next step that were done early would push sums out of the registers. */
            __asm__ volatile("" ::: "memory");
        }
        x += UNROLL * rows * STEP_X_BYTES;
        weight += UNROLL * STEP_BYTES;
    }
    for (; weight != end; weight += STEP_BYTES, x += rows * STEP_X_BYTES)
        step(sums, rows, x, STEP_X_BYTES, weight);
    finish(tile, sums, rows);
}

static void tile_i8_1(const struct linear_tile *tile)
{
    in_place(tile, 1);
}

static void tile_i8_2(const struct linear_tile *tile)
{
    in_place(tile, 2);
}

static void tile_i8_3(const struct linear_tile *tile)
{
    in_place(tile, 3);
}

static void tile_i8_4(const struct linear_tile *tile)
{
    in_place(tile, 4);
}

static void tile_i8_5(const struct linear_tile *tile)
{
    interleaved(tile, 5);
}

static void tile_i8_6(const struct linear_tile *tile)
{
    interleaved(tile, 6);
}

static void tile_i8_7(const struct linear_tile *tile)
{
    interleaved(tile, 7);
}

static void tile_i8_8(const struct linear_tile *tile)
{
    interleaved(tile, 8);
}

static void tile_i8_9(const struct linear_tile *tile)
{
    interleaved(tile, 9);
}

static void tile_i8_10(const struct linear_tile *tile)
{
    interleaved(tile, 10);
}

static void tile_i8_11(const struct linear_tile *tile)
{
    interleaved(tile, 11);
}

static void tile_i8_12(const struct linear_tile *tile)
{
    interleaved(tile, 12);
}

static void tile_i8_13(const struct linear_tile *tile)
{
    interleaved(tile, 13);
}

static void tile_i8_14(const struct linear_tile *tile)
{
    interleaved(tile, 14);
}

const struct linear_tile_set linear_i8_avx512_vnni = {
    .rows_max = 14,
    .copy_rows = linear_interleave_avx512,
    .interleaved = true,
    .copy_step_bytes = 4,
    .functions = {tile_i8_1, tile_i8_2, tile_i8_3, tile_i8_4, tile_i8_5, tile_i8_6, tile_i8_7,
                  tile_i8_8, tile_i8_9, tile_i8_10, tile_i8_11, tile_i8_12, tile_i8_13, tile_i8_14},
};

#endif
