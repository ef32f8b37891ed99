/* Products with grouped weights on AVX2; grouped_multiply_avx2.h has the integer sums. */
#if defined(__x86_64__)
#include "kernels/grouped_multiply_avx2.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_avx2.h"

enum {
    GROUP_CACHE_BYTES = 1 << 18 /* panels that stay in the second cache while rows pass over */
};

/* The sums [rows][32], aligned, of a panel with rows that lie x_stride bytes apart. */
struct tile {
    const char *x;
    int64_t x_stride;
    int64_t groups;
    const char *panel;
    float *sums;
};

typedef void tile_function(const struct tile *tile);

static inline __attribute__((always_inline)) __m256
minimum_at(const struct grouped_format format, const struct grouped_place *group, int octet)
{
    __m256 minimum = halves_at(group->scales + 2 * KERNEL_PANEL + 16 * octet);
    if (!format.has_super)
        return minimum;
    __m256i sub = sub_scales_at(group->sub + KERNEL_PANEL + 8 * octet);
    return _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(sub));
}

/* Some octets of outputs of one group, added to the float sums. */
static inline __attribute__((always_inline)) void
add_group(const struct grouped_format format, const struct grouped_place *group,
          const struct grouped_x *const *x, const int rows, const int first, const int octets,
          __m256 sums[ROWS][OCTETS])
{
    __m256i products[ROWS][OCTETS];
    if (format.bits == 4)
        multiply_4(format, group, x, rows, first, octets, products);
    else if (format.bits == 6)
        multiply_6(format, group, x, rows, first, octets, products);
    else
        multiply_8(group, x, rows, first, octets, products);
#pragma GCC unroll 4
    for (int c = 0; c < octets; c++) {
        __m256 scale = halves_at(group->scales + 16 * (first + c));
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(x[r]->scale));
            sums[r][first + c] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[r][c]), both, sums[r][first + c]);
        }
        if (!format.has_minimum)
            continue;
        __m256 minimum = minimum_at(format, group, first + c);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256 x_sum = _mm256_set1_ps(x[r]->sum);
            sums[r][first + c] = _mm256_fmadd_ps(minimum, x_sum, sums[r][first + c]);
        }
    }
}

static inline __attribute__((always_inline)) void run_tile(const struct tile *tile,
                                                           enum kernel_type type, const int rows)
{
    const struct grouped_format format = grouped_format(type);
    const int octets = rows == 1 ? OCTETS : OCTETS / 2;
    __m256 sums[ROWS][OCTETS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < OCTETS; c++)
            sums[r][c] = _mm256_setzero_ps();
    const struct grouped_x *x[ROWS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        x[r] = (const struct grouped_x *)(const void *)(tile->x + r * tile->x_stride);
    const char *next = tile->panel;
    struct grouped_place group = {0};
    for (int64_t g = 0; g < tile->groups; g++) {
        next = grouped_walk(format, g, next, &group);
#pragma GCC unroll 1
        for (int first = 0; first < OCTETS; first += octets)
            add_group(format, &group, x, rows, first, octets, sums);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            x[r]++;
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < OCTETS; c++)
            _mm256_store_ps(tile->sums + r * KERNEL_PANEL + 8 * c, sums[r][c]);
}

/* clang-format off */
#define TILES(type)                                                                                \
    static void tile_1_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 1); }       \
    static void tile_2_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 2); }       \
    static void tile_3_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 3); }       \
    static void tile_4_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 4); }
TILES(Q4_0) TILES(Q4_1) TILES(Q4_K) TILES(Q5_0) TILES(Q5_1) TILES(Q5_K) TILES(Q6_K) TILES(Q8_0)
#undef TILES
#define ROW(type) [KERNEL_##type - KERNEL_TYPE_COUNT] = \
    {tile_1_##type, tile_2_##type, tile_3_##type, tile_4_##type}
static tile_function *const tiles[KERNEL_TYPE_END - KERNEL_TYPE_COUNT][ROWS] = {
    ROW(Q4_0), ROW(Q4_1), ROW(Q4_K), ROW(Q5_0), ROW(Q5_1), ROW(Q5_K), ROW(Q6_K), ROW(Q8_0),
};
#undef ROW
/* clang-format on */

static void run_rows(const struct linear_call *call, int64_t row, int64_t rows, int64_t panel_first,
                     int64_t panel_end)
{
    _Alignas(32) float sums[ROWS * KERNEL_PANEL];
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    struct tile tile = {.groups = grouped_count(call->inputs), .sums = sums};
    tile.x_stride = (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    tile.x = (const char *)call->x + row * tile.x_stride;
    for (int64_t panel = panel_first; panel < panel_end; panel++) {
        tile.panel = (const char *)call->weight + panel * panel_bytes;
        tiles[call->type - KERNEL_TYPE_COUNT][rows - 1](&tile);
        struct linear_tile epilogue = grouped_epilogue(call, row, rows, panel);
        linear_store_avx2(&epilogue, sums);
    }
}

/* A tile's rows stay in the first cache while they meet a few panels, those in the second. */
static void grouped_linear_avx2(const struct linear_call *call, int64_t row_first,
                                int64_t row_count, int64_t panel_first, int64_t panel_count)
{
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    int64_t panel_end = panel_first + panel_count;
    int64_t tile_count = (row_count + ROWS - 1) / ROWS;
    int64_t together = tile_count == 1 ? panel_count : GROUP_CACHE_BYTES / panel_bytes + 1;
    for (int64_t panel = panel_first; panel < panel_end; panel += together)
        for (int64_t i = 0; i < tile_count; i++) {
            int64_t first = row_count * i / tile_count;
            int64_t end = row_count * (i + 1) / tile_count;
            run_rows(call, row_first + first, end - first, panel,
                     kernel_smaller(panel + together, panel_end));
        }
}

void grouped_fill_avx2(struct kernels *table)
{
    table->grouped_prepare = grouped_prepare_avx2;
    table->grouped_linear = grouped_linear_avx2;
}

#endif
