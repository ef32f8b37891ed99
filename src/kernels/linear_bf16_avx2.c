/* bfloat16 tiles: a lane's two weights are widened in registers, the even one by a shift, the odd
 * one by a mask. Few rows read a whole panel at a time, 1 or 2 rows x 32 columns: the weights
 * stream from memory and want few instructions. More rows take half a panel after the other, up to
 * 6 rows x 16 columns: the weights then come from a cache, and a tall tile widens and reads the
 * fewest of them a product. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

enum { WIDE_ROWS = 2, STEP_BYTES = 128, STEP_X_BYTES = 8 };

static inline __m256 even_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

/* Two shifts: a mask would take a register that the sums need. */
static inline __m256 odd_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_srli_epi32(pairs, 16), 16));
}

/* Both are inlined into one function for every number of rows: the sums stay in registers. */
static inline __attribute__((always_inline)) void wide(const struct linear_tile *tile,
                                                       const int rows)
{
    __m256 sums[WIDE_ROWS][4];
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
    const char *end = weight + tile->steps * STEP_BYTES;
    for (; weight != end; weight += STEP_BYTES, x += STEP_X_BYTES) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256 x_even[WIDE_ROWS];
        __m256 x_odd[WIDE_ROWS];
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
    _Alignas(32) float result[WIDE_ROWS * KERNEL_PANEL];
#pragma GCC unroll 2
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
        const __m256i *pairs = (const __m256i *)(const void *)weight;
        /* The even inputs first, then the odd ones: two widened weights at a time are enough. The
         * empty asm keeps the compiler from mixing the two, for which it lacks registers. */
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            __m256 low = odd ? odd_of(pairs[0]) : even_of(pairs[0]);
            __m256 high = odd ? odd_of(pairs[1]) : even_of(pairs[1]);
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                const char *place = (r < 3 ? x + r * stride : x_more + (r - 3) * stride) + 4 * odd;
                __m256 value = _mm256_broadcast_ss((const float *)(const void *)place);
                sums[r][0] = _mm256_fmadd_ps(value, low, sums[r][0]);
                sums[r][1] = _mm256_fmadd_ps(value, high, sums[r][1]);
                __asm__("" : "+x"(sums[r][0]), "+x"(sums[r][1]));
            }
        }
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

static void tile_bf16_1(const struct linear_tile *tile)
{
    wide(tile, 1);
}

static void tile_bf16_2(const struct linear_tile *tile)
{
    wide(tile, 2);
}

static void tile_bf16_3(const struct linear_tile *tile)
{
    tall(tile, 3);
}

static void tile_bf16_4(const struct linear_tile *tile)
{
    tall(tile, 4);
}

static void tile_bf16_5(const struct linear_tile *tile)
{
    tall(tile, 5);
}

static void tile_bf16_6(const struct linear_tile *tile)
{
    tall(tile, 6);
}

const struct linear_tile_set linear_bf16_avx2 = {
    .rows_stream = WIDE_ROWS,
    .rows_max = LINEAR_TALL_ROWS,
    .functions = {tile_bf16_1, tile_bf16_2, tile_bf16_3, tile_bf16_4, tile_bf16_5, tile_bf16_6},
};

#endif
