/* The linear entry of AVX2: its microkernels by type. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"
#include "kernels/kernels_internal.h"

static void linear_avx2(const struct linear_call *call, int64_t row_first, int64_t row_count,
                        int64_t panel_first, int64_t panel_count)
{
    const struct linear_tile_set *set =
        call->type == KERNEL_F32 ? &linear_f32_avx2 : &linear_sets_c[call->type];
    linear_run_tiles(set, call, row_first, row_count, panel_first, panel_count);
}

void linear_fill_avx2(struct kernels *table)
{
    table->linear = linear_avx2;
}

#endif
