/* int8 tiles without VNNI: the four bytes of a lane are widened to 16 bits as the even and the odd
 * ones and multiplied by vpmaddwd; vpmaddubsw would saturate on full-range bytes. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_i8(const struct linear_tile *tile,
                                                          const int rows)
{
    __m512i sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_si512();
    const __m512i even_mask = _mm512_set1_epi16(0xFF);
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
        __m512i low = _mm512_load_si512(weight);
        __m512i high = _mm512_load_si512(weight + 64);
        __m512i low_even = _mm512_srai_epi16(_mm512_slli_epi16(low, 8), 8);
        __m512i high_even = _mm512_srai_epi16(_mm512_slli_epi16(high, 8), 8);
        __m512i low_odd = _mm512_srai_epi16(low, 8);
        __m512i high_odd = _mm512_srai_epi16(high, 8);
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const char *word = x[r / 3] + r % 3 * stride;
            __m512i four = _mm512_set1_epi32(*(const int32_t *)(const void *)word);
            __m512i even = _mm512_and_si512(four, even_mask);
            __m512i odd = _mm512_srli_epi16(four, 8);
            sums[r][0] = _mm512_add_epi32(sums[r][0], _mm512_madd_epi16(even, low_even));
            sums[r][1] = _mm512_add_epi32(sums[r][1], _mm512_madd_epi16(even, high_even));
            sums[r][0] = _mm512_add_epi32(sums[r][0], _mm512_madd_epi16(odd, low_odd));
            sums[r][1] = _mm512_add_epi32(sums[r][1], _mm512_madd_epi16(odd, high_odd));
        }
#pragma GCC unroll 5
        for (int b = 0; b * 3 < rows; b++)
            x[b] += 4;
    }
    _Alignas(64) float result[LINEAR_TILE_ROWS_MAX * KERNEL_PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_si512(result + r * KERNEL_PANEL, sums[r][0]);
        _mm512_store_si512(result + r * KERNEL_PANEL + 16, sums[r][1]);
    }
    linear_dequantise_avx512(tile, result);
    linear_store_avx512(tile, result);
}

static void tile_i8_1(const struct linear_tile *tile)
{
    tile_i8(tile, 1);
}

static void tile_i8_2(const struct linear_tile *tile)
{
    tile_i8(tile, 2);
}

static void tile_i8_3(const struct linear_tile *tile)
{
    tile_i8(tile, 3);
}

static void tile_i8_4(const struct linear_tile *tile)
{
    tile_i8(tile, 4);
}

static void tile_i8_5(const struct linear_tile *tile)
{
    tile_i8(tile, 5);
}

static void tile_i8_6(const struct linear_tile *tile)
{
    tile_i8(tile, 6);
}

static void tile_i8_7(const struct linear_tile *tile)
{
    tile_i8(tile, 7);
}

static void tile_i8_8(const struct linear_tile *tile)
{
    tile_i8(tile, 8);
}

static void tile_i8_9(const struct linear_tile *tile)
{
    tile_i8(tile, 9);
}

static void tile_i8_10(const struct linear_tile *tile)
{
    tile_i8(tile, 10);
}

const struct linear_tile_set linear_i8_avx512 = {
    .rows_max = 10,
    .functions = {tile_i8_1, tile_i8_2, tile_i8_3, tile_i8_4, tile_i8_5, tile_i8_6, tile_i8_7,
                  tile_i8_8, tile_i8_9, tile_i8_10},
};

#endif
