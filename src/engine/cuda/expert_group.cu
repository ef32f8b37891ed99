/* Mixtures of experts where many tokens come at once: the (token, place) pairs are put in order by
 * their expert, cut into tiles of at most 64 pairs, and each tile is multiplied by its expert's
 * matrix on tensor cores, so that a weight is read once for a tile and not once for a token. */
#include "engine/cuda/flash_common.cuh"

constexpr int group_pairs = 64;    /* of a tile */
constexpr int group_outputs = 128; /* of a block */
constexpr int group_inputs = 64;   /* of a stage */
constexpr int group_stages = 3;
constexpr int group_threads = 4 * warp_size; /* 2 warps share the pairs, 2 the outputs */
constexpr int group_warp_pairs = 32, group_warp_outputs = 64;
constexpr int group_stage_elements = (group_pairs + group_outputs) * group_inputs;
constexpr int64_t group_piece = 8; /* elements of 16 bytes */

struct group_tile {
    int32_t expert;
    int32_t first; /* in the order */
    int32_t count; /* pairs; 0: not used */
};

/* Where the parts of the scratch are: pairs by expert, pairs an expert has, tiles. */
struct group_order {
    int32_t *pairs;
    int32_t *counts;
    group_tile *tiles;
    int64_t tile_count; /* most that there can be */
};

static group_order group_parts(void *order, int64_t pairs, int64_t experts)
{
    auto *memory = static_cast<int32_t *>(order);
    return {memory, memory + pairs, reinterpret_cast<group_tile *>(memory + pairs + experts),
            pairs / group_pairs + experts};
}

extern "C" size_t expert_order_bytes(int64_t pairs, int64_t experts)
{
    group_order parts = group_parts(nullptr, pairs, experts);
    return static_cast<size_t>(pairs + experts) * sizeof(int32_t) +
           static_cast<size_t>(parts.tile_count) * sizeof(group_tile);
}

/* Pairs of the block's expert among the lane's share of them, those from `start` to `end`. */
struct group_share {
    int64_t start, end;
    int count;
};

__device__ inline group_share group_count(const int32_t *ids, int64_t pairs)
{
    int lane = lane_index();
    group_share share = {pairs * lane / warp_size, pairs * (lane + 1) / warp_size, 0};
    for (int64_t i = share.start; i < share.end; i++)
        share.count += ids[i] == static_cast<int32_t>(blockIdx.x);
    return share;
}

__device__ inline int warp_sum_integer(int value)
{
    for (int step = warp_size / 2; step > 0; step /= 2)
        value += warp_shuffle_xor(value, step);
    return value;
}

/* One warp an expert. */
__global__ void group_count_kernel(const int32_t *ids, int64_t pairs, group_order order)
{
    int count = warp_sum_integer(group_count(ids, pairs).count);
    if (lane_index() == 0)
        order.counts[blockIdx.x] = count;
}

__device__ inline int group_tiles_of(int count)
{
    return (count + group_pairs - 1) / group_pairs;
}

/* One warp an expert: its pairs, in their own order, behind those of the experts before it; its
 * tiles; the last expert's warp marks the tiles that nobody has. */
__global__ void group_place_kernel(const int32_t *ids, int64_t pairs, group_order order)
{
    int lane = lane_index(), expert = static_cast<int>(blockIdx.x);
    int before = 0, tiles_before = 0;
    for (int i = lane; i < expert; i += warp_size) {
        before += order.counts[i];
        tiles_before += group_tiles_of(order.counts[i]);
    }
    before = warp_sum_integer(before);
    tiles_before = warp_sum_integer(tiles_before);

    group_share share = group_count(ids, pairs);
    int behind = share.count; /* of this lane and those below */
    for (int step = 1; step < warp_size; step *= 2) {
        int below = warp_shuffle_up(behind, step);
        behind += lane >= step ? below : 0;
    }
    int at = before + behind - share.count;
    for (int64_t i = share.start; i < share.end; i++)
        if (ids[i] == expert)
            order.pairs[at++] = static_cast<int32_t>(i);

    int count = order.counts[expert], tiles = group_tiles_of(count);
    for (int i = lane; i < tiles; i += warp_size) {
        int left = count - i * group_pairs;
        order.tiles[tiles_before + i] = {expert, before + i * group_pairs,
                                         left < group_pairs ? left : group_pairs};
    }
    if (blockIdx.x + 1 == gridDim.x)
        for (int64_t i = tiles_before + tiles + lane; i < order.tile_count; i += warp_size)
            order.tiles[i] = {0, 0, 0};
}

extern "C" cudaError_t kernel_expert_order(const int32_t *ids, int64_t pairs, int64_t experts,
                                           void *order, cudaStream_t stream)
{
    group_order parts = group_parts(order, pairs, experts);
    launch_shape shape = {dim3(static_cast<unsigned>(experts)), dim3(warp_size), 0, stream, false};
    cudaError_t status = launch_kernel<group_count_kernel>(shape, ids, pairs, parts);
    return status == cudaSuccess ? launch_kernel<group_place_kernel>(shape, ids, pairs, parts)
                                 : status;
}

/* Starts the copies of one stage: the tile's tokens, then the expert's rows. */
template <typename T>
__device__ inline void group_fetch(const expert_linear_call &call, T *stage, const int32_t *rows,
                                   const group_tile &tile, const T *weight, int64_t first_input)
{
    constexpr int pieces = group_inputs / group_piece;
    const T *x = static_cast<const T *>(call.x);
    int64_t first_output = static_cast<int64_t>(blockIdx.y) * group_outputs;
#pragma unroll 2
    for (int i = static_cast<int>(threadIdx.x); i < group_pairs * pieces; i += group_threads) {
        int row = i / pieces, piece = i % pieces;
        int64_t input = first_input + piece * group_piece;
        bool is_there = row < tile.count && input < call.inputs;
        const T *from = is_there ? x + rows[row] * call.x_stride + input : x;
        copy_async_16(flash_piece<T, group_inputs>(stage, row, piece), from, is_there ? 16 : 0);
    }
    stage += group_pairs * group_inputs;
#pragma unroll 2
    for (int i = static_cast<int>(threadIdx.x); i < group_outputs * pieces; i += group_threads) {
        int row = i / pieces, piece = i % pieces;
        int64_t input = first_input + piece * group_piece;
        bool is_there = first_output + row < call.outputs && input < call.inputs;
        const T *from = is_there ? weight + (first_output + row) * call.inputs + input : weight;
        copy_async_16(flash_piece<T, group_inputs>(stage, row, piece), from, is_there ? 16 : 0);
    }
}

constexpr int group_row_tiles = group_warp_pairs / 16;
constexpr int group_column_tiles = group_warp_outputs / 8;

/* sums += X W^T of one stage for the warp's 32 pairs and 64 outputs. */
template <typename T>
__device__ inline void group_multiply(T *stage,
                                      float (&sums)[group_row_tiles][group_column_tiles][4])
{
    int lane = lane_index(), warp = static_cast<int>(threadIdx.x) / warp_size;
    T *weights = stage + group_pairs * group_inputs;
    int first_pair = warp / 2 * group_warp_pairs, first_output = warp % 2 * group_warp_outputs;
#pragma unroll
    for (int step = 0; step < group_inputs / 16; step++) {
        uint32_t a[group_row_tiles][4];
#pragma unroll
        for (int row = 0; row < group_row_tiles; row++)
            flash_fragment_a<T, group_inputs>(a[row], stage, first_pair + row * 16, step);
#pragma unroll
        for (int column = 0; column < group_column_tiles; column += 2) {
            uint32_t b[4];
            load_matrices_x4(b, flash_piece<T, group_inputs>(
                                    weights, first_output + column * 8 + lane / 16 * 8 + lane % 8,
                                    2 * step + lane / 8 % 2));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
#pragma unroll
            for (int row = 0; row < group_row_tiles; row++) {
                multiply_add_16x8x16<T>(sums[row][column], a[row], first);
                multiply_add_16x8x16<T>(sums[row][column + 1], a[row], second);
            }
        }
    }
}

template <typename T>
__device__ inline void group_write(const expert_linear_call &call, const int32_t *pairs,
                                   const group_tile &tile,
                                   const float (&sums)[group_row_tiles][group_column_tiles][4])
{
    int lane = lane_index(), warp = static_cast<int>(threadIdx.x) / warp_size;
    const float *bias = nullptr;
    if (call.biases != nullptr)
        bias = static_cast<const float *>(call.biases[tile.expert]);
#pragma unroll
    for (int row = 0; row < group_row_tiles; row++)
#pragma unroll
        for (int column = 0; column < group_column_tiles; column++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int place = warp / 2 * group_warp_pairs + row * 16 + lane / 4 + i / 2 * 8;
                int64_t output = static_cast<int64_t>(blockIdx.y) * group_outputs +
                                 warp % 2 * group_warp_outputs + column * 8 + lane % 4 * 2 + i % 2;
                if (place >= tile.count || output >= call.outputs)
                    continue;
                float value = sums[row][column][i] + (bias != nullptr ? bias[output] : 0.0f);
                int64_t at = pairs[place] * call.outputs + output;
                if (call.y_float)
                    static_cast<float *>(call.y)[at] = value;
                else
                    static_cast<T *>(call.y)[at] = from_float<T>(value);
            }
}

template <typename T>
__global__ void __launch_bounds__(group_threads)
    expert_group_kernel(expert_linear_call call, group_order order)
{
    group_tile tile = order.tiles[blockIdx.x];
    if (tile.count == 0)
        return;
    T *ring = reinterpret_cast<T *>(dynamic_shared_memory());
    int32_t *pairs = reinterpret_cast<int32_t *>(ring + group_stages * group_stage_elements);
    int32_t *rows = pairs + group_pairs; /* of x */
    if (static_cast<int>(threadIdx.x) < tile.count) {
        int32_t pair = order.pairs[tile.first + threadIdx.x];
        pairs[threadIdx.x] = pair;
        rows[threadIdx.x] = pair / static_cast<int32_t>(call.x_share);
    }
    block_barrier();
    const T *weight = static_cast<const T *>(call.weights[tile.expert]);
    int64_t stages = (call.inputs + group_inputs - 1) / group_inputs;
    auto fetch = [&](int64_t stage) {
        if (stage < stages)
            group_fetch<T>(call, ring + stage % group_stages * group_stage_elements, rows, tile,
                           weight, stage * group_inputs);
        copy_async_commit();
    };
    for (int64_t stage = 0; stage < group_stages - 1; stage++)
        fetch(stage);
    float sums[group_row_tiles][group_column_tiles][4] = {};
    for (int64_t stage = 0; stage < stages; stage++) {
        copy_async_wait<group_stages - 2>();
        block_barrier(); /* the stage is there, and nobody reads the one before */
        fetch(stage + group_stages - 1);
        group_multiply<T>(ring + stage % group_stages * group_stage_elements, sums);
    }
    copy_async_wait<0>();
    group_write<T>(call, pairs, tile, sums);
}

template <typename T> static cudaError_t group_launch(const expert_linear_call &call)
{
    group_order order = group_parts(const_cast<void *>(call.order), call.pairs, call.experts);
    launch_shape shape = {dim3(static_cast<unsigned>(order.tile_count),
                               static_cast<unsigned>(divide_up(call.outputs, group_outputs))),
                          dim3(group_threads),
                          group_stages * group_stage_elements * sizeof(T) +
                              2 * group_pairs * sizeof(int32_t),
                          call.stream, false};
    return launch_kernel<expert_group_kernel<T>>(shape, call, order);
}

extern "C" bool expert_group_serves(const struct expert_linear_call *call)
{
    return call->order != nullptr && call->type != DEVICE_F32 && call->pairs <= INT32_MAX &&
           call->inputs % group_piece == 0 && call->x_stride % group_piece == 0 &&
           reinterpret_cast<uintptr_t>(call->x) % 16 == 0;
}

extern "C" cudaError_t kernel_expert_group(const struct expert_linear_call *call)
{
    if (!expert_group_serves(call))
        return cudaErrorInvalidValue;
    return call->type == DEVICE_F16 ? group_launch<__half>(*call)
                                    : group_launch<__nv_bfloat16>(*call);
}
