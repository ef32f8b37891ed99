/* The bandwidth probe's reading loop with AVX2: loads half as wide as a line. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

static uint64_t read_lines(const void *memory, int64_t lines)
{
    const __m256i *halves = memory;
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t i = 0; i < 2 * lines; i += 2) {
        low = _mm256_xor_si256(low, _mm256_load_si256(halves + i));
        high = _mm256_xor_si256(high, _mm256_load_si256(halves + i + 1));
    }
    uint64_t words[4], sum = 0;
    _mm256_storeu_si256((__m256i *)(void *)words, _mm256_xor_si256(low, high));
    for (int k = 0; k < 4; k++)
        sum ^= words[k];
    return sum;
}

void read_fill_avx2(struct kernels *table)
{
    table->read_lines = read_lines;
}
#endif
