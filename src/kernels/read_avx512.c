/* The bandwidth probe's reading loop with AVX-512: a load a line, which reaches the memory's
 * limit on cores where narrower loads do not. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

static uint64_t read_lines(const void *memory, int64_t lines)
{
    const __m512i *line = memory;
    __m512i even = _mm512_setzero_si512(), odd = even;
    int64_t i = 0;
    for (; i + 2 <= lines; i += 2) {
        even = _mm512_xor_si512(even, _mm512_load_si512(line + i));
        odd = _mm512_xor_si512(odd, _mm512_load_si512(line + i + 1));
    }
    if (i < lines)
        even = _mm512_xor_si512(even, _mm512_load_si512(line + i));
    uint64_t words[8], sum = 0;
    _mm512_storeu_si512(words, _mm512_xor_si512(even, odd));
    for (int k = 0; k < 8; k++)
        sum ^= words[k];
    return sum;
}

void read_fill_avx512(struct kernels *table)
{
    table->read_lines = read_lines;
}
#endif
