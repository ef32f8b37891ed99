/* The linear entries of the AVX-512 tables: their microkernels by type. */
#if defined(__x86_64__)
#include "kernels/linear_avx512.h"
#include "kernels/kernels_internal.h"

static const struct linear_tile_set *const plain_sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_avx512,
    [KERNEL_F16] = &linear_f16_avx512,
    [KERNEL_BF16] = &linear_bf16_avx512,
    [KERNEL_I8] = &linear_i8_avx512,
};

static const struct linear_tile_set *const vnni_sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_avx512,
    [KERNEL_F16] = &linear_f16_avx512,
    [KERNEL_BF16] = &linear_bf16_avx512,
    [KERNEL_I8] = &linear_i8_avx512_vnni,
};

static const struct linear_tile_set *const bf16_sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = &linear_f32_avx512,
    [KERNEL_F16] = &linear_f16_avx512,
    [KERNEL_BF16] = &linear_bf16_avx512_bf16,
    [KERNEL_I8] = &linear_i8_avx512_vnni,
};

static void linear_plain(const struct linear_call *call, int64_t row_first, int64_t row_count,
                         int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(plain_sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

static void linear_vnni(const struct linear_call *call, int64_t row_first, int64_t row_count,
                        int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(vnni_sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

static void linear_bf16(const struct linear_call *call, int64_t row_first, int64_t row_count,
                        int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(bf16_sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

void linear_fill_avx512(struct kernels *table)
{
    table->linear = linear_plain;
}

void linear_fill_avx512_vnni(struct kernels *table)
{
    table->linear = linear_vnni;
}

void linear_fill_avx512_bf16(struct kernels *table)
{
    table->linear = linear_bf16;
}

#endif
