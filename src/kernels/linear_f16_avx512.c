/* float16 tiles; see linear_float_avx512.h. */
#if defined(__x86_64__)
#include "kernels/linear_float_avx512.h"

static void tile_f16_1(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F16, 1);
}

static void tile_f16_2(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F16, 2);
}

static void tile_f16_3(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F16, 3);
}

static void tile_f16_4(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F16, 4);
}

static void tile_f16_5(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 5);
}

static void tile_f16_6(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 6);
}

static void tile_f16_7(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 7);
}

static void tile_f16_8(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 8);
}

static void tile_f16_9(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 9);
}

static void tile_f16_10(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 10);
}

static void tile_f16_11(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 11);
}

static void tile_f16_12(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 12);
}

static void tile_f16_13(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 13);
}

static void tile_f16_14(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F16, 14);
}

const struct linear_tile_set linear_f16_avx512 = {
    .rows_max = 14,
    .block_steps = 1024,
    .copy_rows = linear_interleave_avx512,
    .interleaved = true,
    .copy_step_bytes = sizeof(float),
    .functions = {tile_f16_1, tile_f16_2, tile_f16_3, tile_f16_4, tile_f16_5, tile_f16_6,
                  tile_f16_7, tile_f16_8, tile_f16_9, tile_f16_10, tile_f16_11, tile_f16_12,
                  tile_f16_13, tile_f16_14},
};

#endif
