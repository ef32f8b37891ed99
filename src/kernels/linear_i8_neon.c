/* int8 tiles with base NEON. Activations become signed again by turning their top bits, so that
 * no correction is needed. Two products of bytes within -127..127 fit into 16 bits: two steps are
 * added there, then pairwise to 32 bits, the pairs of a column once more at the end. */
#if defined(__aarch64__)
#include "kernels/linear_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { ROWS = 2, VECTORS = LINEAR_NEON_VECTORS };

/* A row's four inputs of one step, twice. */
ALWAYS_INLINE int8x8_t load_inputs(const char *x)
{
    int32x2_t four = vld1_dup_s32((const int32_t *)(const void *)x);
    return vreinterpret_s8_u8(veor_u8(vreinterpret_u8_s32(four), vdup_n_u8(0x80)));
}

/* `vectors` times four columns from vector `first` on, two sums of pairs a vector. */
ALWAYS_INLINE void run_part(const struct linear_tile *tile, const int rows, const int first,
                            const int vectors, int32_t *result)
{
    int32x4_t low[ROWS][VECTORS], high[ROWS][VECTORS];
    LINEAR_UNROLLED
    for (int r = 0; r < rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < vectors; c++)
        low[r][c] = high[r][c] = vdupq_n_s32(0);
    const int8_t *weight = (const int8_t *)tile->weight + 16 * first;
    const char *x = tile->x;
    int64_t step = 0;
    for (; step + 2 <= tile->steps; step += 2, x += 8, weight += 256) {
        linear_prefetch_neon(tile, step, first, vectors);
        linear_prefetch_neon(tile, step + 1, first, vectors);
        int8x16_t even[ROWS], odd[ROWS];
        LINEAR_UNROLLED
        for (int r = 0; r < rows; r++) {
            int8x8_t inputs = load_inputs(x + r * tile->x_stride);
            even[r] = vcombine_s8(inputs, inputs);
            inputs = load_inputs(x + r * tile->x_stride + 4);
            odd[r] = vcombine_s8(inputs, inputs);
        }
        LINEAR_UNROLLED
        for (int c = 0; c < vectors; c++) {
            int8x16_t one = vld1q_s8(weight + 16 * c), two = vld1q_s8(weight + 16 * c + 128);
            LINEAR_UNROLLED
            for (int r = 0; r < rows; r++) {
                int16x8_t sum = vmull_s8(vget_low_s8(one), vget_low_s8(even[r]));
                sum = vmlal_s8(sum, vget_low_s8(two), vget_low_s8(odd[r]));
                low[r][c] = vpadalq_s16(low[r][c], sum);
                sum = vmull_high_s8(one, even[r]);
                high[r][c] = vpadalq_s16(high[r][c], vmlal_high_s8(sum, two, odd[r]));
            }
        }
    }
    if (step < tile->steps) {
        LINEAR_UNROLLED
        for (int r = 0; r < rows; r++) {
            int8x8_t inputs = load_inputs(x + r * tile->x_stride);
            LINEAR_UNROLLED
            for (int c = 0; c < vectors; c++) {
                int8x16_t one = vld1q_s8(weight + 16 * c);
                low[r][c] = vpadalq_s16(low[r][c], vmull_s8(vget_low_s8(one), inputs));
                high[r][c] = vpadalq_s16(high[r][c], vmull_s8(vget_high_s8(one), inputs));
            }
        }
    }
    LINEAR_UNROLLED
    for (int r = 0; r < rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < vectors; c++)
        vst1q_s32(result + r * KERNEL_PANEL + 4 * (first + c), vpaddq_s32(low[r][c], high[r][c]));
}

static void tile_i8_1(const struct linear_tile *tile)
{
    int32_t result[KERNEL_PANEL];
    run_part(tile, 1, 0, VECTORS, result);
    linear_store_products_neon(tile, result);
}

static void tile_i8_2(const struct linear_tile *tile)
{
    int32_t result[ROWS * KERNEL_PANEL];
    run_part(tile, 2, 0, VECTORS / 2, result);
    run_part(tile, 2, VECTORS / 2, VECTORS / 2, result);
    linear_store_products_neon(tile, result);
}

const struct linear_tile_set linear_i8_neon = {
    .rows_max = ROWS,
    .functions = {tile_i8_1, tile_i8_2},
};

#endif
