/* Activations for grouped weights, rounded by group on AVX2: bit for bit as grouped_pack_c.c's. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "kernels/grouped.h"
#include "kernels/linear_c.h"

/* max |x| of 32 values, NaN when any is NaN. */
static float largest_magnitude(const __m256 octets[4])
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 largest = _mm256_setzero_ps(), unordered = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
        largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, octets[i]));
        unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(octets[i], octets[i], _CMP_UNORD_Q));
    }
    if (_mm256_movemask_ps(unordered) != 0)
        return NAN;
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* Sums of pairs of inputs, 16 lanes in the order of the inputs, as the offsets and their sum. */
static void put_sums(__m256i values, struct grouped_x *out)
{
    /* Lane j of a half holds inputs 2j and 2j + 1: even lanes are low, odd ones high. */
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), values);
    __m256i fours = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4E));
    fours = _mm256_add_epi16(fours, _mm256_shuffle_epi32(fours, 0xB1));
    __m256i offsets = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(fours, 3));
    int32_t words[2] = {_mm256_extract_epi32(offsets, 0), _mm256_extract_epi32(offsets, 4)};
    __builtin_memcpy(out->offsets, words, sizeof words);
    __m256i halves = _mm256_madd_epi16(fours, _mm256_set1_epi16(1));
    int32_t first = _mm256_extract_epi32(halves, 0), second = _mm256_extract_epi32(halves, 4);
    out->sum = out->scale * (float)(first + second);
    out->offset_8 = -8 * (first + second);
    out->offset_128 = -128 * (first + second);
    out->offsets_32[0] = -32 * first;
    out->offsets_32[1] = -32 * second;
}

/* The packs interleave octets, which the permutation undoes. */
static void prepare_group(const float *x, struct grouped_x *out)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256 octets[4];
    for (int i = 0; i < 4; i++)
        octets[i] = _mm256_loadu_ps(x + 8 * i);
    float largest = largest_magnitude(octets);
    float factor = linear_quantising_factor(largest);
    out->scale = isfinite(largest) ? largest / 127.0F : NAN;
    __m256i rounded[4];
    for (int i = 0; i < 4; i++) {
        __m256 scaled = _mm256_mul_ps(octets[i], _mm256_set1_ps(factor));
        rounded[i] = factor > 0 ? _mm256_cvtps_epi32(scaled) : _mm256_setzero_si256();
    }
    __m256i low = _mm256_packs_epi32(rounded[0], rounded[1]);
    __m256i high = _mm256_packs_epi32(rounded[2], rounded[3]);
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)out->values, bytes);
    put_sums(bytes, out);
}

void grouped_prepare_avx2(const float *x, int64_t x_stride, int64_t rows, int64_t inputs, void *out)
{
    size_t row_bytes = kernel_prepared_bytes(KERNEL_Q8_0, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        struct grouped_x *group = (struct grouped_x *)(void *)((char *)out + (size_t)r * row_bytes);
        int64_t k = 0;
        for (; k + GROUP_INPUTS <= inputs; k += GROUP_INPUTS)
            prepare_group(x + k, group++);
        if (k < inputs)
            grouped_prepare_group_c(x + k, inputs - k, group);
    }
}

#endif
