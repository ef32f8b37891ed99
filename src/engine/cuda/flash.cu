/* Attention of prompts on tensor cores, float16 and bfloat16: 64 queries of one head a block, keys
 * and values of 64 (32 for the widest heads) through shared memory, the next keys on their way
 * while the present ones are multiplied, and the running softmax in registers: 16 queries a warp.
 */
#include "engine/cuda/flash_common.cuh"

constexpr int flash_warps = 4;
constexpr int flash_threads = flash_warps * warp_size;
constexpr int flash_queries = 16 * flash_warps;

/* Keys of a tile. */
template <int padded> struct flash_cut {
    static constexpr int keys = padded > 128 ? 32 : 64;
};

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

/* Scale, soft-cap, ALiBi and mask; the result counts in powers of two. */
template <int parts>
__device__ inline void flash_mask(const attention_call &call, const flash_block &block,
                                  int64_t tile, float (&scores)[parts][4])
{
    int lane = lane_index();
    /* Keys are counted from a query's position: those in (low, 0] are seen. */
    int first = static_cast<int>(tile - block.first_position) -
                static_cast<int>(threadIdx.x) / warp_size * 16; /* from the warp's first query */
    int own = first + lane % 4 * 2 - lane / 4, low = flash_window_low(call);
    flash_scale(call, scores);
    if (call.alibi != nullptr) {
        float slope = call.alibi[blockIdx.y] * log2_e;
#pragma unroll
        for (int part = 0; part < parts; part++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                scores[part][i] += slope * static_cast<float>(own + part * 8 + i % 2 - i / 2 * 8);
    }
    if (first > low + 15 && first + parts * 8 <= 1)
        return;
#pragma unroll
    for (int part = 0; part < parts; part++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int key = own + part * 8 + i % 2 - i / 2 * 8;
            scores[part][i] = key > low && key <= 0 ? scores[part][i] : -INFINITY;
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
    int dim = static_cast<int>(call.head_dim), thread = static_cast<int>(threadIdx.x);
    flash_block block = flash_range(call, tile_keys);
    int64_t kv_head = blockIdx.y / (call.heads / call.kv_heads);
    int64_t cache = ((call.first_row + blockIdx.z) * call.kv_heads + kv_head) * call.capacity;
    const T *from_keys = static_cast<const T *>(call.keys) + cache * dim;
    const T *from_values = static_cast<const T *>(call.values) + cache * dim;
    int64_t token = static_cast<int64_t>(blockIdx.z) * call.count + block.first_query;
    flash_load<T, padded, flash_queries, flash_threads>(
        queries,
        static_cast<const T *>(call.queries) + token * call.query_stride +
            static_cast<int64_t>(blockIdx.y) * dim,
        call.query_stride, static_cast<int>(block.queries), dim, thread);
    auto load = [&](T *tile, const T *from, int64_t first) {
        int64_t left = block.end - first;
        flash_load<T, padded, tile_keys, flash_threads>(
            tile, from + first * dim, dim, static_cast<int>(left < tile_keys ? left : tile_keys),
            dim, thread);
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
        flash_scores<T, padded, tile_keys>(scores, queries, thread / warp_size * 16, keys);
        copy_async_wait<0>();
        block_barrier(); /* values are there, and nobody reads the keys */
        if (tile + tile_keys < block.end)
            load(keys, from_keys, tile + tile_keys);
        flash_mask(call, block, tile, scores);
        flash_weigh(softmax, scores);
        flash_sum<T, padded, tile_keys, false>(out, scores, softmax, values);
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
    return call->count > 1 && flash_serves_heads(*call);
}

extern "C" cudaError_t kernel_flash_attention(const struct attention_call *call)
{
    return call->type == DEVICE_F16 ? flash_choose<__half>(*call)
                                    : flash_choose<__nv_bfloat16>(*call);
}
