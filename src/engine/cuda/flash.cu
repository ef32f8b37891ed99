/* Attention of prompts on tensor cores, float16 and bfloat16: 64 queries of one head a block, keys
 * and values of 64 (32 for the widest heads) through shared memory, the next keys on their way
 * while the present ones are multiplied, and the running softmax in registers.
 *
 * Shared rows hold `padded` elements, those beyond the head's size zero; the 16-byte pieces of a
 * row are swapped by the row's number (xor), so that ldmatrix meets no bank twice. Each warp owns
 * 16 queries. With g = lane / 4, t = lane % 4 a thread holds the scores of queries g and g + 8 at
 * keys 2t, 2t + 1 of every eight: see multiply_add_16x8x16 in device.h. */
#include "engine/cuda/kernel_common.cuh"

constexpr int flash_warps = 4;
constexpr int flash_threads = flash_warps * warp_size;
constexpr int flash_queries = 16 * flash_warps;
constexpr int flash_row_bytes = 16; /* what a head's row must be a multiple of */
constexpr float log2_e = 1.4426950408889634f;

/* How one kernel is cut: elements of a shared row, keys of a tile. */
template <int padded> struct flash_cut {
    static constexpr int keys = padded > 128 ? 32 : 64;
    static constexpr int pieces = padded / 8; /* of 16 bytes in a row */
};

/* Where the 16-byte piece `piece` of row `row` lies. */
template <typename T, int padded> __device__ inline T *flash_piece(T *tile, int row, int piece)
{
    return tile + row * padded + (piece ^ (row & 7)) * 8;
}

/* Starts the copy of `rows` rows from `from`, `stride` elements apart; rows from `valid` on and
 * elements beyond `dim` become zero. */
template <typename T, int padded, int rows>
__device__ inline void flash_load(T *tile, const T *from, int64_t stride, int valid, int dim)
{
    constexpr int pieces = flash_cut<padded>::pieces;
    for (int i = static_cast<int>(threadIdx.x); i < rows * pieces; i += flash_threads) {
        int row = i / pieces, piece = i % pieces;
        bool is_there = row < valid && piece * 8 < dim;
        const T *source = is_there ? from + row * stride + piece * 8 : from;
        copy_async_16(flash_piece<T, padded>(tile, row, piece), source, is_there ? 16 : 0);
    }
}

/* Two floats as a register of two T, the first in the lower half. */
template <typename T> __device__ inline uint32_t flash_pack(float low, float high)
{
    T pair[2] = {from_float<T>(low), from_float<T>(high)};
    uint32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return bits;
}

/* What a block computes. */
struct flash_block {
    int64_t first_query, queries; /* positions of the pass */
    int64_t first_position;       /* of the first query */
    int64_t start, end;           /* keys */
};

__device__ inline flash_block flash_range(const attention_call &call, int tile_keys)
{
    flash_block block;
    /* Later positions see more keys: they come first. */
    block.first_query = static_cast<int64_t>(gridDim.x - 1 - blockIdx.x) * flash_queries;
    int64_t left = call.count - block.first_query;
    block.queries = left < flash_queries ? left : flash_queries;
    block.first_position = call.state->position + block.first_query;
    block.end = block.first_position + block.queries;
    int64_t low = block.first_position + 1 - call.window;
    block.start = call.window > 0 && low > 0 ? low / tile_keys * tile_keys : 0;
    return block;
}

/* The warp's queries as A fragments, from shared memory. */
template <typename T, int padded>
__device__ inline void flash_fragment_a(uint32_t (&a)[4], T *tile, int first_row, int step)
{
    int lane = lane_index();
    load_matrices_x4(a, flash_piece<T, padded>(tile, first_row + lane % 16, 2 * step + lane / 16));
}

/* scores = Q K^T for the warp's 16 queries and all keys of a tile. */
template <typename T, int padded>
__device__ inline void flash_scores(float (&scores)[flash_cut<padded>::keys / 8][4], T *queries,
                                    T *keys)
{
    int lane = lane_index(), first_row = static_cast<int>(threadIdx.x) / warp_size * 16;
    for (auto &part : scores)
        for (float &score : part)
            score = 0;
#pragma unroll
    for (int step = 0; step < padded / 16; step++) {
        uint32_t a[4];
        flash_fragment_a<T, padded>(a, queries, first_row, step);
#pragma unroll
        for (int key = 0; key < flash_cut<padded>::keys; key += 16) {
            /* Matrices: keys 0-7 and their two halves of the step, then keys 8-15. */
            uint32_t b[4];
            load_matrices_x4(b, flash_piece<T, padded>(keys, key + lane / 16 * 8 + lane % 8,
                                                       2 * step + lane / 8 % 2));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
            multiply_add_16x8x16<T>(scores[key / 8], a, first);
            multiply_add_16x8x16<T>(scores[key / 8 + 1], a, second);
        }
    }
}

/* Scale, soft-cap, ALiBi and mask; the result counts in powers of two. */
template <int parts>
__device__ inline void flash_mask(const attention_call &call, const flash_block &block,
                                  int64_t tile, float (&scores)[parts][4])
{
    int lane = lane_index();
    int row = static_cast<int>(threadIdx.x) / warp_size * 16 + lane / 4;
    float slope = call.alibi != nullptr ? call.alibi[blockIdx.y] : 0.0f;
#pragma unroll
    for (int part = 0; part < parts; part++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int64_t position = block.first_position + row + i / 2 * 8;
            int64_t key = tile + part * 8 + lane % 4 * 2 + i % 2;
            float score = scores[part][i] * call.scale;
            if (call.softcap > 0)
                score = call.softcap * tanhf(score / call.softcap);
            score += slope * static_cast<float>(key - position);
            bool is_seen = key <= position && (call.window == 0 || key > position - call.window);
            scores[part][i] = is_seen ? score * log2_e : -INFINITY;
        }
}

/* Running maximum and sum of the thread's two queries. */
struct flash_softmax {
    float largest[2], sum[2], rescale[2];
};

/* Scores to weights; the sums are the thread's own share until the end. */
template <int parts>
__device__ inline void flash_weigh(flash_softmax &softmax, float (&scores)[parts][4])
{
#pragma unroll
    for (int side = 0; side < 2; side++) {
        float largest = softmax.largest[side];
#pragma unroll
        for (int part = 0; part < parts; part++)
            largest = fmaxf(largest, fmaxf(scores[part][2 * side], scores[part][2 * side + 1]));
        largest = fmaxf(largest, warp_shuffle_xor(largest, 1));
        largest = fmaxf(largest, warp_shuffle_xor(largest, 2));
        float base = largest > -INFINITY ? largest : 0.0f;
        softmax.rescale[side] = exp2_approximate(softmax.largest[side] - base);
        softmax.largest[side] = largest;
        float sum = 0;
#pragma unroll
        for (int part = 0; part < parts; part++)
#pragma unroll
            for (int i = 2 * side; i < 2 * side + 2; i++) {
                scores[part][i] = exp2_approximate(scores[part][i] - base);
                sum += scores[part][i];
            }
        softmax.sum[side] = softmax.sum[side] * softmax.rescale[side] + sum;
    }
}

/* out = out * rescale + weights V */
template <typename T, int padded>
__device__ inline void flash_sum(float (&out)[padded / 8][4],
                                 const float (&weights)[flash_cut<padded>::keys / 8][4],
                                 const flash_softmax &softmax, T *values)
{
    int lane = lane_index();
#pragma unroll
    for (int part = 0; part < padded / 8; part++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            out[part][i] *= softmax.rescale[i / 2];
#pragma unroll
    for (int key = 0; key < flash_cut<padded>::keys; key += 16) {
        const float(&low)[4] = weights[key / 8], (&high)[4] = weights[key / 8 + 1];
        const uint32_t a[4] = {flash_pack<T>(low[0], low[1]), flash_pack<T>(low[2], low[3]),
                               flash_pack<T>(high[0], high[1]), flash_pack<T>(high[2], high[3])};
#pragma unroll
        for (int piece = 0; piece < padded / 8; piece += 2) {
            uint32_t b[4];
            load_matrices_x4_transposed(
                b, flash_piece<T, padded>(values, key + lane % 16, piece + lane / 16));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
            multiply_add_16x8x16<T>(out[piece], a, first);
            multiply_add_16x8x16<T>(out[piece + 1], a, second);
        }
    }
}

template <typename T, int padded>
__device__ inline void flash_write(const attention_call &call, const flash_block &block,
                                   flash_softmax &softmax, const float (&out)[padded / 8][4])
{
    int lane = lane_index();
    int row = static_cast<int>(threadIdx.x) / warp_size * 16 + lane / 4;
    T *to = static_cast<T *>(call.out);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        float sum = softmax.sum[side];
        sum += warp_shuffle_xor(sum, 1);
        sum += warp_shuffle_xor(sum, 2);
        int64_t query = block.first_query + row + side * 8;
        if (row + side * 8 >= block.queries)
            continue;
        int64_t token = static_cast<int64_t>(blockIdx.z) * call.count + query;
        T *at = to + (token * call.heads + blockIdx.y) * call.head_dim;
#pragma unroll
        for (int part = 0; part < padded / 8; part++) {
            int d = part * 8 + lane % 4 * 2;
            if (d >= call.head_dim)
                continue;
            uint32_t pair = flash_pack<T>(out[part][2 * side] / sum, out[part][2 * side + 1] / sum);
            memcpy(at + d, &pair, sizeof pair);
        }
    }
}

template <typename T, int padded> __global__ void flash_kernel(attention_call call)
{
    constexpr int tile_keys = flash_cut<padded>::keys;
    T *queries = reinterpret_cast<T *>(dynamic_shared_memory());
    T *keys = queries + flash_queries * padded, *values = keys + tile_keys * padded;
    int dim = static_cast<int>(call.head_dim);
    flash_block block = flash_range(call, tile_keys);
    int64_t kv_head = blockIdx.y / (call.heads / call.kv_heads);
    int64_t cache = ((call.first_row + blockIdx.z) * call.kv_heads + kv_head) * call.capacity;
    const T *from_keys = static_cast<const T *>(call.keys) + cache * dim;
    const T *from_values = static_cast<const T *>(call.values) + cache * dim;
    int64_t token = static_cast<int64_t>(blockIdx.z) * call.count + block.first_query;
    flash_load<T, padded, flash_queries>(queries,
                                         static_cast<const T *>(call.queries) +
                                             token * call.query_stride +
                                             static_cast<int64_t>(blockIdx.y) * dim,
                                         call.query_stride, static_cast<int>(block.queries), dim);
    auto load = [&](T *tile, const T *from, int64_t first) {
        int64_t left = block.end - first;
        flash_load<T, padded, tile_keys>(tile, from + first * dim, dim,
                                         static_cast<int>(left < tile_keys ? left : tile_keys),
                                         dim);
        copy_async_commit();
    };
    load(keys, from_keys, block.start);

    float out[padded / 8][4] = {};
    flash_softmax softmax = {{-INFINITY, -INFINITY}, {0, 0}, {0, 0}};
    for (int64_t tile = block.start; tile < block.end; tile += tile_keys) {
        copy_async_wait<0>();
        block_barrier(); /* keys are there, and nobody reads the values of the last tile */
        load(values, from_values, tile);
        float scores[tile_keys / 8][4];
        flash_scores<T, padded>(scores, queries, keys);
        copy_async_wait<0>();
        block_barrier(); /* values are there, and nobody reads the keys */
        if (tile + tile_keys < block.end)
            load(keys, from_keys, tile + tile_keys);
        flash_mask(call, block, tile, scores);
        flash_weigh(softmax, scores);
        flash_sum<T, padded>(out, scores, softmax, values);
    }
    flash_write<T, padded>(call, block, softmax, out);
}

template <typename T, int padded> static cudaError_t flash_launch(const attention_call &call)
{
    size_t rows = flash_queries + 2 * flash_cut<padded>::keys;
    launch_shape shape = {dim3(static_cast<unsigned>(divide_up(call.count, flash_queries)),
                               static_cast<unsigned>(call.heads),
                               static_cast<unsigned>(call.rows / call.count)),
                          dim3(flash_threads), rows * padded * sizeof(T), call.stream, false};
    return launch_kernel<flash_kernel<T, padded>>(shape, call);
}

template <typename T> static cudaError_t flash_choose(const attention_call &call)
{
    if (call.head_dim <= 64)
        return flash_launch<T, 64>(call);
    if (call.head_dim <= 128)
        return flash_launch<T, 128>(call);
    return flash_launch<T, 256>(call);
}

extern "C" bool flash_attention_serves(const struct attention_call *call)
{
    constexpr int64_t dim_max = 256;
    constexpr int64_t elements = flash_row_bytes / static_cast<int64_t>(sizeof(uint16_t));
    return call->type != DEVICE_F32 && call->count > 1 && call->head_dim <= dim_max &&
           call->head_dim % elements == 0 && call->query_stride % elements == 0;
}

extern "C" cudaError_t kernel_flash_attention(const struct attention_call *call)
{
    return call->type == DEVICE_F16 ? flash_choose<__half>(*call)
                                    : flash_choose<__nv_bfloat16>(*call);
}
