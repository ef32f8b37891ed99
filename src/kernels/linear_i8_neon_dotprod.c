/* int8 tiles with sdot, four products of signed bytes a lane (ARMv8.2 with dotprod). Activations
 * become signed again by turning their top bits, so that no correction is needed. */
#if defined(__aarch64__)
#include "kernels/linear_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { ROWS = LINEAR_NEON_ROWS, VECTORS = LINEAR_NEON_VECTORS };

ALWAYS_INLINE int8x16_t turn(int8x16_t inputs)
{
    return veorq_s8(inputs, vdupq_n_s8(INT8_MIN));
}

/* One step: its four inputs are lane `lane` of x[r]. */
ALWAYS_INLINE void take_step(int32x4_t sums[ROWS][VECTORS], const int rows, const int vectors,
                             const int8_t *weight, const int8x16_t *x, int lane)
{
    LINEAR_UNROLLED
    for (int c = 0; c < vectors; c++) {
        int8x16_t fours = vld1q_s8(weight + 16 * c);
        LINEAR_UNROLLED
        for (int r = 0; r < rows; r++) {
            switch (lane) {
            case 0:
                sums[r][c] = vdotq_laneq_s32(sums[r][c], fours, x[r], 0);
                break;
            case 1:
                sums[r][c] = vdotq_laneq_s32(sums[r][c], fours, x[r], 1);
                break;
            case 2:
                sums[r][c] = vdotq_laneq_s32(sums[r][c], fours, x[r], 2);
                break;
            default:
                sums[r][c] = vdotq_laneq_s32(sums[r][c], fours, x[r], 3);
            }
        }
    }
}

/* Inlined into one function for every number of rows, so that the sums stay in registers. */
ALWAYS_INLINE void run_part(const struct linear_tile *tile, const int rows, const int first,
                            const int vectors, int32_t *result)
{
    int32x4_t sums[ROWS][VECTORS];
    LINEAR_UNROLLED
    for (int r = 0; r < rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < vectors; c++)
        sums[r][c] = vdupq_n_s32(0);
    const int8_t *weight = (const int8_t *)tile->weight + 16 * first;
    const char *x = tile->x;
    int64_t step = 0;
    for (; step + 4 <= tile->steps; step += 4, x += 16) {
        int8x16_t inputs[ROWS];
        LINEAR_UNROLLED
        for (int r = 0; r < rows; r++)
            inputs[r] = turn(vld1q_s8((const int8_t *)x + r * tile->x_stride));
        LINEAR_UNROLLED
        for (int lane = 0; lane < 4; lane++, weight += 128) {
            linear_prefetch_neon(tile, step + lane, first, vectors);
            take_step(sums, rows, vectors, weight, inputs, lane);
        }
    }
    for (; step < tile->steps; step++, x += 4, weight += 128) {
        int8x16_t inputs[ROWS];
        LINEAR_UNROLLED
        for (int r = 0; r < rows; r++) {
            const int32_t *four = (const int32_t *)(const void *)(x + r * tile->x_stride);
            inputs[r] = turn(vreinterpretq_s8_s32(vld1q_dup_s32(four)));
        }
        take_step(sums, rows, vectors, weight, inputs, 0);
    }
    LINEAR_UNROLLED
    for (int r = 0; r < rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < vectors; c++)
        vst1q_s32(result + r * KERNEL_PANEL + 4 * (first + c), sums[r][c]);
}

ALWAYS_INLINE void run_tile(const struct linear_tile *tile, const int rows)
{
    int32_t result[ROWS * KERNEL_PANEL];
    if (rows <= LINEAR_NEON_WIDE_ROWS) {
        run_part(tile, rows, 0, VECTORS, result);
    } else {
        run_part(tile, rows, 0, VECTORS / 2, result);
        run_part(tile, rows, VECTORS / 2, VECTORS / 2, result);
    }
    linear_store_products_neon(tile, result);
}

#define TILE(rows)                                                                                 \
    static void tile_i8_##rows(const struct linear_tile *tile)                                     \
    {                                                                                              \
        run_tile(tile, rows);                                                                      \
    }

TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)

const struct linear_tile_set linear_i8_neon_dotprod = {
    .rows_max = ROWS,
    .rows_stream = LINEAR_NEON_WIDE_ROWS,
    .functions = {tile_i8_1, tile_i8_2, tile_i8_3, tile_i8_4, tile_i8_5, tile_i8_6},
};

#endif
