/* Rounds activations for the other types, eight at a time; the same values as linear_pack_c.c.
 * AVX-512 uses it too: reading and writing bounds it. */
#if defined(__x86_64__)
#include <math.h>
#include <string.h>

#include "kernels/linear_avx2.h"
#include "kernels/linear_c.h"

static int64_t prepare_f16(const float *x, int64_t inputs, float *row)
{
    int64_t k = 0;
    for (; k + 8 <= inputs; k += 8) {
        __m256 value = _mm256_loadu_ps(x + k);
        __m128i halves = _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
        _mm256_storeu_ps(row + k, _mm256_cvtph_ps(halves));
    }
    return k;
}

static int64_t prepare_bf16(const float *x, int64_t inputs, float *row)
{
    const __m256i half = _mm256_set1_epi32(0x7FFF);
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i kept = _mm256_set1_epi32((int32_t)0xFFFF0000U);
    int64_t k = 0;
    for (; k + 8 <= inputs; k += 8) {
        __m256 value = _mm256_loadu_ps(x + k);
        __m256i bits = _mm256_castps_si256(value);
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
        __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, half), odd);
        __m256 result = _mm256_castsi256_ps(_mm256_and_si256(rounded, kept));
        /* Rounding the bits of a NaN could make an infinity of it. */
        __m256 unordered = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
        _mm256_storeu_ps(row + k, _mm256_blendv_ps(result, value, unordered));
    }
    return k;
}

/* max |x| of whole octets, NaN when any is NaN. */
static float largest_magnitude(const float *x, int64_t count)
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 largest = _mm256_setzero_ps();
    __m256 unordered = _mm256_setzero_ps();
    for (int64_t k = 0; k < count; k += 8) {
        __m256 value = _mm256_loadu_ps(x + k);
        largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, value));
        unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    }
    if (_mm256_movemask_ps(unordered) != 0)
        return NAN;
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

float linear_largest_magnitude_avx2(const float *x, int64_t count)
{
    int64_t whole = count / 8 * 8;
    float largest = largest_magnitude(x, whole);
    float rest = linear_largest_magnitude(x + whole, count - whole);
    return rest > largest || isnan(rest) ? rest : largest;
}

/* Thirty-two inputs a turn; the packs interleave octets, which the permutation undoes. */
static int64_t quantise(const float *x, int64_t inputs, float factor, uint8_t *out)
{
    const __m256 scale = _mm256_set1_ps(factor);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i offset = _mm256_set1_epi8((char)-128);
    int64_t k = 0;
    for (; k + 32 <= inputs; k += 32) {
        __m256i octets[4];
        for (int64_t i = 0; i < 4; i++)
            octets[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + k + 8 * i), scale));
        __m256i low = _mm256_packs_epi32(octets[0], octets[1]);
        __m256i high = _mm256_packs_epi32(octets[2], octets[3]);
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
        _mm256_storeu_si256((__m256i *)(void *)(out + k), _mm256_add_epi8(bytes, offset));
    }
    return k;
}

static void prepare_i8(const float *x, int64_t inputs, char *row)
{
    float largest = linear_largest_magnitude_avx2(x, inputs);
    float factor = linear_quantising_factor(largest);
    float scale = isfinite(largest) ? largest / 127.0F : NAN;
    memcpy(row, &scale, sizeof scale);
    uint8_t *out = (uint8_t *)row + linear_row_header(KERNEL_I8);
    int64_t padded = 4 * linear_steps(KERNEL_I8, inputs);
    int64_t done = factor > 0 ? quantise(x, inputs, factor, out) : 0;
    linear_quantise_rest(x, inputs, padded, factor, done, out);
}

void linear_prepare_avx2(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                         int64_t inputs, void *out)
{
    size_t row_bytes = kernel_prepared_bytes(type, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        char *row = (char *)out + (size_t)r * row_bytes;
        float *floats = (float *)(void *)row;
        int64_t done = 0;
        switch (type) {
        case KERNEL_I8:
            prepare_i8(x, inputs, row);
            continue;
        case KERNEL_F16:
            done = prepare_f16(x, inputs, floats);
            break;
        case KERNEL_BF16:
            done = prepare_bf16(x, inputs, floats);
            break;
        case KERNEL_F32:
        default:
            break;
        }
        linear_prepare_rest(type, x, inputs, done, floats);
    }
}

#endif
