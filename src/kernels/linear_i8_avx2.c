/* int8 tiles: the four bytes of a lane are widened to 16 bits as the even and the odd ones and
 * multiplied by vpmaddwd; vpmaddubsw would saturate on full-range bytes. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"

enum { ROWS = 2 };

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_i8(const struct linear_tile *tile,
                                                          const int rows)
{
    __m256i sums[ROWS][4];
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            sums[r][c] = _mm256_setzero_si256();
    const __m256i even_mask = _mm256_set1_epi16(0xFF);
    const int64_t stride = tile->x_stride;
    const char *x = tile->x;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = weight + tile->steps * 128;
    for (; weight != end; weight += 128, x += 4) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256i x_even[ROWS];
        __m256i x_odd[ROWS];
#pragma GCC unroll 2
        for (int r = 0; r < rows; r++) {
            __m256i four = _mm256_set1_epi32(*(const int32_t *)(const void *)(x + r * stride));
            x_even[r] = _mm256_and_si256(four, even_mask);
            x_odd[r] = _mm256_srli_epi16(four, 8);
        }
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            __m256i fours = _mm256_load_si256((const __m256i *)(const void *)weight + c);
            __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(fours, 8), 8);
            __m256i odd = _mm256_srai_epi16(fours, 8);
#pragma GCC unroll 2
            for (int r = 0; r < rows; r++) {
                __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(x_even[r], even),
                                               _mm256_madd_epi16(x_odd[r], odd));
                sums[r][c] = _mm256_add_epi32(sums[r][c], sum);
            }
        }
    }
    _Alignas(32) float result[ROWS * KERNEL_PANEL];
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            _mm256_store_si256((__m256i *)(void *)(result + r * KERNEL_PANEL) + c, sums[r][c]);
    linear_dequantise_avx2(tile, result);
    linear_store_avx2(tile, result);
}

static void tile_i8_1(const struct linear_tile *tile)
{
    tile_i8(tile, 1);
}

static void tile_i8_2(const struct linear_tile *tile)
{
    tile_i8(tile, 2);
}

const struct linear_tile_set linear_i8_avx2 = {
    .rows_max = ROWS,
    .functions = {tile_i8_1, tile_i8_2},
};

#endif
