/* float32 tiles. Few rows read a whole panel at a time, 1 to 3 rows x 32 columns: the weights
 * stream from memory and want few instructions. More rows take half a panel after the other, up to
 * 6 rows x 16 columns: the weights then come from the second cache, and a tall tile needs fewest
 * of their bytes a product. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

enum { WIDE_ROWS = 3, STEP_BYTES = 128, STEP_X_BYTES = 4 };

/* Both are inlined into one function for every number of rows: the sums stay in registers. */
static inline __attribute__((always_inline)) void wide(const struct linear_tile *tile,
                                                       const int rows)
{
    __m256 sums[WIDE_ROWS][4];
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
    const char *end = weight + tile->steps * STEP_BYTES;
    for (; weight != end; weight += STEP_BYTES, x += STEP_X_BYTES) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256 value[WIDE_ROWS];
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
    _Alignas(32) float result[WIDE_ROWS * KERNEL_PANEL];
#pragma GCC unroll 3
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            _mm256_store_ps(result + r * KERNEL_PANEL + 8 * c, sums[r][c]);
    linear_store_avx2(tile, result);
}

/* Sums of columns [16 half, 16 half + 16) into result [rows][32]. */
static inline __attribute__((always_inline)) void
tall_half(const struct linear_tile *tile, const int rows, int64_t half, float *result)
{
    __m256 sums[LINEAR_TALL_ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    const int64_t stride = tile->x_stride;
    const char *x = tile->x;
    const char *x_more = x + 3 * stride;
    const char *weight = tile->weight + half * STEP_BYTES / 2;
    const int64_t ahead_step = tile->ahead_step / 2;
    const char *ahead = tile->ahead + half * tile->steps * ahead_step;
    const char *end = weight + tile->steps * STEP_BYTES;
    for (; weight != end; weight += STEP_BYTES) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += ahead_step;
        __m256 low = _mm256_load_ps((const float *)(const void *)weight);
        __m256 high = _mm256_load_ps((const float *)(const void *)weight + 8);
        linear_tall_step_avx2(sums, rows, x, x_more, stride, low, high);
        x += STEP_X_BYTES;
        x_more += STEP_X_BYTES;
    }
    linear_tall_keep_avx2(sums, rows, half, result);
}

static inline __attribute__((always_inline)) void tall(const struct linear_tile *tile,
                                                       const int rows)
{
    _Alignas(32) float result[LINEAR_TALL_ROWS * KERNEL_PANEL];
    for (int64_t half = 0; half < 2; half++)
        tall_half(tile, rows, half, result);
    linear_store_avx2(tile, result);
}

static void tile_f32_1(const struct linear_tile *tile)
{
    wide(tile, 1);
}

static void tile_f32_2(const struct linear_tile *tile)
{
    wide(tile, 2);
}

static void tile_f32_3(const struct linear_tile *tile)
{
    wide(tile, 3);
}

static void tile_f32_4(const struct linear_tile *tile)
{
    tall(tile, 4);
}

static void tile_f32_5(const struct linear_tile *tile)
{
    tall(tile, 5);
}

static void tile_f32_6(const struct linear_tile *tile)
{
    tall(tile, 6);
}

const struct linear_tile_set linear_f32_avx2 = {
    .rows_stream = WIDE_ROWS,
    .rows_max = LINEAR_TALL_ROWS,
    .block_steps = 1024,
    .copy_rows = linear_copy_floats,
    .copy_step_bytes = sizeof(float),
    .functions = {tile_f32_1, tile_f32_2, tile_f32_3, tile_f32_4, tile_f32_5, tile_f32_6},
};

#endif
