/* The bandwidth probe's reading loop with NEON: loads of a quarter of a line. */
#include "kernels/kernels_internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

static uint64_t read_lines(const void *memory, int64_t lines)
{
    const uint64_t *words = memory;
    uint64x2_t first = vdupq_n_u64(0), second = first, third = first, fourth = first;
    for (int64_t i = 0; i < lines; i++, words += 8) {
        first = veorq_u64(first, vld1q_u64(words));
        second = veorq_u64(second, vld1q_u64(words + 2));
        third = veorq_u64(third, vld1q_u64(words + 4));
        fourth = veorq_u64(fourth, vld1q_u64(words + 6));
    }
    uint64x2_t sum = veorq_u64(veorq_u64(first, second), veorq_u64(third, fourth));
    return vgetq_lane_u64(sum, 0) ^ vgetq_lane_u64(sum, 1);
}

void read_fill_neon(struct kernels *table)
{
    table->read_lines = read_lines;
}
#endif
