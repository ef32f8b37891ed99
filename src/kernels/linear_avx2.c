/* The linear entries of the AVX2 table: its microkernels by type. */
#if defined(__x86_64__)
#include "kernels/linear_avx2.h"
#include "kernels/kernels_internal.h"

static const struct linear_tile_set *const sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_avx2,
    [KERNEL_F16] = &linear_f16_avx2,
    [KERNEL_BF16] = &linear_bf16_avx2,
    [KERNEL_I8] = &linear_i8_avx2,
};

static void linear_avx2(const struct linear_call *call, int64_t row_first, int64_t row_count,
                        int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

void linear_fill_avx2(struct kernels *table)
{
    table->pack_panel = linear_pack_panel_avx2;
    table->prepare = linear_prepare_avx2;
    table->linear = linear_avx2;
}

#endif
