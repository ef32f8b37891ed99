/* int8 tiles: the four bytes of a lane are widened to 16 bits as the even and the odd ones and
 * multiplied by vpmaddwd; vpmaddubsw would saturate on full-range bytes. Few rows are widened as
 * they are read, 1 or 2 rows x 32 columns. More rows are copied in their widened form, and take
 * half a panel after the other, up to 6 rows x 16 columns, so that a widened weight serves six. */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/linear_avx2.h"

enum { WIDE_ROWS = 2, TALL_ROWS = 6, STEP_BYTES = 128, STEP_X_BYTES = 4, STEP_WORD_BYTES = 8 };

/* Both are inlined into one function for every number of rows: the sums stay in registers. */
static inline __attribute__((always_inline)) void wide(const struct linear_tile *tile,
                                                       const int rows)
{
    __m256i sums[WIDE_ROWS][4];
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
    const char *end = weight + tile->steps * STEP_BYTES;
    for (; weight != end; weight += STEP_BYTES, x += STEP_X_BYTES) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
        __m256i x_even[WIDE_ROWS];
        __m256i x_odd[WIDE_ROWS];
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
    _Alignas(32) float result[WIDE_ROWS * KERNEL_PANEL];
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            _mm256_store_si256((__m256i *)(void *)(result + r * KERNEL_PANEL) + c, sums[r][c]);
    linear_dequantise_avx2(tile, result);
    linear_store_avx2(tile, result);
}

/* Sums of columns [16 half, 16 half + 16) into result [rows][32]. */
static inline __attribute__((always_inline)) void
tall_half(const struct linear_tile *tile, const int rows, int64_t half, float *result)
{
    __m256i sums[TALL_ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_si256();
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
        const __m256i *fours = (const __m256i *)(const void *)weight;
        /* The even inputs first, then the odd ones: two widened weights at a time are enough. The
         * empty asm keeps the compiler from mixing the two, for which it lacks registers. */
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            __m256i low = _mm256_srai_epi16(odd ? fours[0] : _mm256_slli_epi16(fours[0], 8), 8);
            __m256i high = _mm256_srai_epi16(odd ? fours[1] : _mm256_slli_epi16(fours[1], 8), 8);
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                const char *place = (r < 3 ? x + r * stride : x_more + (r - 3) * stride) + 4 * odd;
                __m256i value = _mm256_set1_epi32(*(const int32_t *)(const void *)place);
                sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(value, low));
                sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(value, high));
                __asm__("" : "+x"(sums[r][0]), "+x"(sums[r][1]));
            }
        }
        x += STEP_WORD_BYTES;
        x_more += STEP_WORD_BYTES;
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        __m256i *to = (__m256i *)(void *)(result + r * KERNEL_PANEL + 16 * half);
        _mm256_store_si256(to, sums[r][0]);
        _mm256_store_si256(to + 1, sums[r][1]);
    }
}

static inline __attribute__((always_inline)) void tall(const struct linear_tile *tile,
                                                       const int rows)
{
    _Alignas(32) float result[TALL_ROWS * KERNEL_PANEL];
    for (int64_t half = 0; half < 2; half++)
        tall_half(tile, rows, half, result);
    linear_dequantise_avx2(tile, result);
    linear_store_avx2(tile, result);
}

/* The words that the tall tiles multiply: of every four bytes the even ones, then the odd ones. */
static void copy_row(const char *from, int64_t steps, char *to)
{
    const __m128i even_mask = _mm_set1_epi16(0xFF);
    int64_t step = 0;
    for (; step + 4 <= steps; step += 4) {
        __m128i fours = _mm_loadu_si128((const __m128i *)(const void *)(from + 4 * step));
        __m128i even = _mm_and_si128(fours, even_mask);
        __m128i odd = _mm_srli_epi16(fours, 8);
        __m128i *place = (__m128i *)(void *)(to + 8 * step);
        _mm_storeu_si128(place, _mm_unpacklo_epi32(even, odd));
        _mm_storeu_si128(place + 1, _mm_unpackhi_epi32(even, odd));
    }
    for (; step < steps; step++) {
        const uint8_t *bytes = (const uint8_t *)from + 4 * step;
        uint16_t words[4] = {bytes[0], bytes[2], bytes[1], bytes[3]};
        memcpy(to + 8 * step, words, sizeof words);
    }
}

static void copy_words(const char *from, int64_t from_stride, int64_t rows, int64_t steps, char *to,
                       int64_t to_stride)
{
    for (int64_t r = 0; r < rows; r++)
        copy_row(from + r * from_stride, steps, to + r * to_stride);
}

static void tile_i8_1(const struct linear_tile *tile)
{
    wide(tile, 1);
}

static void tile_i8_2(const struct linear_tile *tile)
{
    wide(tile, 2);
}

static void tile_i8_1_tall(const struct linear_tile *tile)
{
    tall(tile, 1);
}

static void tile_i8_2_tall(const struct linear_tile *tile)
{
    tall(tile, 2);
}

static void tile_i8_3_tall(const struct linear_tile *tile)
{
    tall(tile, 3);
}

static void tile_i8_4_tall(const struct linear_tile *tile)
{
    tall(tile, 4);
}

static void tile_i8_5_tall(const struct linear_tile *tile)
{
    tall(tile, 5);
}

static void tile_i8_6_tall(const struct linear_tile *tile)
{
    tall(tile, 6);
}

static const struct linear_tile_set in_place = {
    .rows_max = WIDE_ROWS,
    .functions = {tile_i8_1, tile_i8_2},
};

const struct linear_tile_set linear_i8_avx2 = {
    .rows_max = TALL_ROWS,
    .copy_rows = copy_words,
    .copy_step_bytes = STEP_WORD_BYTES,
    .in_place = &in_place,
    .functions = {tile_i8_1_tall, tile_i8_2_tall, tile_i8_3_tall, tile_i8_4_tall, tile_i8_5_tall,
                  tile_i8_6_tall},
};

#endif
