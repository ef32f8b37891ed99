/* float32, float16 and bfloat16 tiles with NEON: weights are widened in registers, activations are
 * float32 and multiply from lanes of a vector of four inputs. */
#if defined(__aarch64__)
#include "kernels/linear_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { ROWS = LINEAR_NEON_ROWS, VECTORS = LINEAR_NEON_VECTORS };

/* The rows of a tile while it is computed, and the constants that unroll it. */
struct part {
    enum kernel_type type;
    int rows;
    int first, vectors; /* of the panel's columns */
};

/* sums[r][c] += weights * lane `lane` of x[r] */
ALWAYS_INLINE void add_products(const struct part part, float32x4_t sums[ROWS][VECTORS], int c,
                                float32x4_t weights, const float32x4_t *x, int lane)
{
    LINEAR_UNROLLED
    for (int r = 0; r < part.rows; r++) {
        switch (lane) {
        case 0:
            sums[r][c] = vfmaq_laneq_f32(sums[r][c], weights, x[r], 0);
            break;
        case 1:
            sums[r][c] = vfmaq_laneq_f32(sums[r][c], weights, x[r], 1);
            break;
        case 2:
            sums[r][c] = vfmaq_laneq_f32(sums[r][c], weights, x[r], 2);
            break;
        default:
            sums[r][c] = vfmaq_laneq_f32(sums[r][c], weights, x[r], 3);
        }
    }
}

/* One step of a panel times the inputs from lane `lane` on. */
ALWAYS_INLINE void take_step(const struct part part, float32x4_t sums[ROWS][VECTORS],
                             const char *weight, const float32x4_t *x, int lane)
{
    LINEAR_UNROLLED
    for (int c = 0; c < part.vectors; c += 2) {
        if (part.type == KERNEL_F32) {
            const float *eight = (const float *)(const void *)weight + 4 * (part.first + c);
            add_products(part, sums, c, vld1q_f32(eight), x, lane);
            add_products(part, sums, c + 1, vld1q_f32(eight + 4), x, lane);
        } else if (part.type == KERNEL_F16) {
            const uint16_t *eight = (const uint16_t *)(const void *)weight + 4 * (part.first + c);
            float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(eight));
            add_products(part, sums, c, vcvt_f32_f16(vget_low_f16(halves)), x, lane);
            add_products(part, sums, c + 1, vcvt_high_f32_f16(halves), x, lane);
        } else {
            const uint32_t *pairs = (const uint32_t *)(const void *)weight + 4 * (part.first + c);
            LINEAR_UNROLLED
            for (int i = 0; i < 2; i++) {
                uint32x4_t pair = vld1q_u32(pairs + 4 * i);
                float32x4_t even = vreinterpretq_f32_u32(vshlq_n_u32(pair, 16));
                uint32x4_t upper = vandq_u32(pair, vdupq_n_u32(0xFFFF0000U));
                add_products(part, sums, c + i, even, x, lane);
                add_products(part, sums, c + i, vreinterpretq_f32_u32(upper), x, lane + 1);
            }
        }
    }
}

/* Inlined into one function for every type and number of rows, so that the sums stay in
 * registers. */
ALWAYS_INLINE void run_part(const struct part part, const struct linear_tile *tile, float *result)
{
    float32x4_t sums[ROWS][VECTORS];
    LINEAR_UNROLLED
    for (int r = 0; r < part.rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < part.vectors; c++)
        sums[r][c] = vdupq_n_f32(0);
    const int inputs = part.type == KERNEL_BF16 ? 2 : 1; /* of one step */
    const int64_t step_bytes = part.type == KERNEL_F16 ? 64 : 128;
    const char *weight = tile->weight;
    const char *x = tile->x;
    int64_t step = 0;
    for (; step + 4 / inputs <= tile->steps; step += 4 / inputs, x += 16) {
        float32x4_t four[ROWS];
        LINEAR_UNROLLED
        for (int r = 0; r < part.rows; r++)
            four[r] = vld1q_f32((const float *)(const void *)(x + r * tile->x_stride));
        LINEAR_UNROLLED
        for (int lane = 0; lane < 4; lane += inputs, weight += step_bytes) {
            linear_prefetch_neon(tile, step + lane / inputs, part.first, part.vectors);
            take_step(part, sums, weight, four, lane);
        }
    }
    for (; step < tile->steps; step++, x += 4 * inputs, weight += step_bytes) {
        float32x4_t few[ROWS];
        LINEAR_UNROLLED
        for (int r = 0; r < part.rows; r++) {
            const float *place = (const float *)(const void *)(x + r * tile->x_stride);
            few[r] =
                inputs == 1 ? vld1q_dup_f32(place) : vcombine_f32(vld1_f32(place), vdup_n_f32(0));
        }
        take_step(part, sums, weight, few, 0);
    }
    LINEAR_UNROLLED
    for (int r = 0; r < part.rows; r++)
        LINEAR_UNROLLED
    for (int c = 0; c < part.vectors; c++)
        vst1q_f32(result + r * KERNEL_PANEL + 4 * (part.first + c), sums[r][c]);
}

ALWAYS_INLINE void run_tile(enum kernel_type type, const struct linear_tile *tile, const int rows)
{
    float result[ROWS * KERNEL_PANEL];
    if (rows <= LINEAR_NEON_WIDE_ROWS) {
        run_part((struct part){type, rows, 0, VECTORS}, tile, result);
    } else {
        run_part((struct part){type, rows, 0, VECTORS / 2}, tile, result);
        run_part((struct part){type, rows, VECTORS / 2, VECTORS / 2}, tile, result);
    }
    linear_store_neon(tile, result);
}

#define TILE(name, type, rows)                                                                     \
    static void name##_##rows(const struct linear_tile *tile)                                      \
    {                                                                                              \
        run_tile(type, tile, rows);                                                                \
    }
#define TILES(name, type)                                                                          \
    TILE(name, type, 1)                                                                            \
    TILE(name, type, 2)                                                                            \
    TILE(name, type, 3)                                                                            \
    TILE(name, type, 4)                                                                            \
    TILE(name, type, 5)

TILES(tile_f32, KERNEL_F32)
TILE(tile_f32, KERNEL_F32, 6)
TILES(tile_f16, KERNEL_F16)
TILE(tile_f16, KERNEL_F16, 6)
/* Two vectors of a pair of weights and their mask leave no registers for a sixth row. */
TILES(tile_bf16, KERNEL_BF16)

const struct linear_tile_set linear_f32_neon = {
    .rows_max = ROWS,
    .rows_stream = LINEAR_NEON_WIDE_ROWS,
    .block_steps = 512,
    .copy_rows = linear_copy_floats,
    .copy_step_bytes = sizeof(float),
    .functions = {tile_f32_1, tile_f32_2, tile_f32_3, tile_f32_4, tile_f32_5, tile_f32_6},
};

const struct linear_tile_set linear_f16_neon = {
    .rows_max = ROWS,
    .rows_stream = LINEAR_NEON_WIDE_ROWS,
    .functions = {tile_f16_1, tile_f16_2, tile_f16_3, tile_f16_4, tile_f16_5, tile_f16_6},
};

const struct linear_tile_set linear_bf16_neon = {
    .rows_max = 5,
    .rows_stream = LINEAR_NEON_WIDE_ROWS,
    .functions = {tile_bf16_1, tile_bf16_2, tile_bf16_3, tile_bf16_4, tile_bf16_5},
};

#endif
