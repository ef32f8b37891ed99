/* float32 tiles; see linear_float_avx512.h. */
#if defined(__x86_64__)
#include "kernels/linear_float_avx512.h"

static void tile_f32_1(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F32, 1);
}

static void tile_f32_2(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F32, 2);
}

static void tile_f32_3(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F32, 3);
}

static void tile_f32_4(const struct linear_tile *tile)
{
    linear_in_place_avx512(tile, KERNEL_F32, 4);
}

static void tile_f32_5(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 5);
}

static void tile_f32_6(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 6);
}

static void tile_f32_7(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 7);
}

static void tile_f32_8(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 8);
}

static void tile_f32_9(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 9);
}

static void tile_f32_10(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 10);
}

static void tile_f32_11(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 11);
}

static void tile_f32_12(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 12);
}

static void tile_f32_13(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 13);
}

static void tile_f32_14(const struct linear_tile *tile)
{
    linear_interleaved_avx512(tile, KERNEL_F32, 14);
}

const struct linear_tile_set linear_f32_avx512 = {
    .rows_max = 14,
    .block_steps = 1024,
    .copy_rows = linear_interleave_avx512,
    .interleaved = true,
    .copy_step_bytes = sizeof(float),
    .functions = {tile_f32_1, tile_f32_2, tile_f32_3, tile_f32_4, tile_f32_5, tile_f32_6,
                  tile_f32_7, tile_f32_8, tile_f32_9, tile_f32_10, tile_f32_11, tile_f32_12,
                  tile_f32_13, tile_f32_14},
};

#endif
