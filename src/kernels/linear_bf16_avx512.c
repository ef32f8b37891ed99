/* bfloat16 tiles without bf16 instructions; see linear_float_avx512.h. */
#if defined(__x86_64__)
#include "kernels/linear_float_avx512.h"

static void tile_bf16_1(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_BF16, 1);
}

static void tile_bf16_2(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_BF16, 2);
}

static void tile_bf16_3(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_BF16, 3);
}

static void tile_bf16_4(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_BF16, 4);
}

static void tile_bf16_5(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 5);
}

static void tile_bf16_6(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 6);
}

static void tile_bf16_7(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 7);
}

static void tile_bf16_8(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 8);
}

static void tile_bf16_9(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 9);
}

static void tile_bf16_10(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 10);
}

static void tile_bf16_11(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 11);
}

static void tile_bf16_12(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 12);
}

static void tile_bf16_13(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 13);
}

static void tile_bf16_14(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_BF16, 14);
}

const struct linear_tile_set linear_bf16_avx512 = {
    .rows_max = 14,
    .block_steps = 512,
    .copy_rows = linear_interleave_twos_avx512,
    .interleaved = true,
    .copy_step_bytes = 2 * sizeof(float),
    .functions = {tile_bf16_1, tile_bf16_2, tile_bf16_3, tile_bf16_4, tile_bf16_5, tile_bf16_6,
                  tile_bf16_7, tile_bf16_8, tile_bf16_9, tile_bf16_10, tile_bf16_11, tile_bf16_12,
                  tile_bf16_13, tile_bf16_14},
};

#endif
