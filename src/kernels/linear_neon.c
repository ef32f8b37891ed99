/* The linear entries of the NEON tables: their microkernels by type. */
#if defined(__aarch64__)
#include "kernels/linear_neon.h"
#include "kernels/kernels_internal.h"

static const struct linear_tile_set *const plain_sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_neon,
    [KERNEL_F16] = &linear_f16_neon,
    [KERNEL_BF16] = &linear_bf16_neon,
    [KERNEL_I8] = &linear_i8_neon,
};

static const struct linear_tile_set *const dotprod_sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_neon,
    [KERNEL_F16] = &linear_f16_neon,
    [KERNEL_BF16] = &linear_bf16_neon,
    [KERNEL_I8] = &linear_i8_neon_dotprod,
};

static void linear_plain(const struct linear_call *call, int64_t row_first, int64_t row_count,
                         int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(plain_sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

static void linear_dotprod(const struct linear_call *call, int64_t row_first, int64_t row_count,
                           int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(dotprod_sets[call->type], call, row_first, row_count, panel_first,
                     panel_count);
}

void linear_fill_neon(struct kernels *table)
{
    table->prepare = linear_prepare_neon;
    table->linear = linear_plain;
}

void linear_fill_neon_dotprod(struct kernels *table)
{
    table->linear = linear_dotprod;
}

#endif
