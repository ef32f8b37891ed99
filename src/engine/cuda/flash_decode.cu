/* Attention of decode steps on tensor cores, float16 and bfloat16: the query heads that share a KV
 * head are the 16 rows of the mma, so that a key is read once for all of them. The keys are cut
 * into parts over blocks and, tile by tile, over the warps of a block; every warp has a ring and a
 * running softmax of its own, so that the loop has no barrier of the block. The warps' results are
 * put together in shared memory, those of the parts by the last block to finish one, in order.
 * Softmax weights keep twice the type's precision: tensor cores have nothing else to do here. */
#include "engine/cuda/flash_common.cuh"

constexpr int decode_warps = 4;
constexpr int decode_threads = decode_warps * warp_size;
constexpr int decode_rows = 16;

/* How one kernel is cut. */
template <int padded> struct decode_cut {
    static constexpr int keys = padded > 128 ? 16 : 32; /* of a warp's tile */
    static constexpr int block_keys = keys * decode_warps;
    static constexpr int query_elements = decode_rows * padded;
    static constexpr int warp_elements = 2 * keys * padded; /* keys and values */
    static constexpr int row_floats = padded + 2;           /* of a result: maximum and sum last */
    static constexpr size_t ring_bytes =
        (query_elements + decode_warps * warp_elements) * sizeof(uint16_t);
    static constexpr size_t result_bytes =
        (decode_warps * decode_rows * row_floats + 1) * sizeof(float);
    static constexpr size_t shared_bytes = ring_bytes > result_bytes ? ring_bytes : result_bytes;
};

/* What a block computes. */
struct decode_block {
    int64_t group;        /* query heads of a KV head */
    int64_t first, heads; /* of them, the block's */
    int64_t position;
    int64_t start, end; /* keys */
};

__device__ inline decode_block decode_range(const attention_call &call, int unit)
{
    decode_block block;
    block.group = call.heads / call.kv_heads;
    block.first = blockIdx.x / call.splits * decode_rows;
    int64_t left = block.group - block.first;
    block.heads = left < decode_rows ? left : decode_rows;
    block.position = call.state->position;
    block.end = block.position + 1;
    int64_t low = block.end - call.window;
    block.start = call.window > 0 && low > 0 ? low / unit * unit : 0;
    int64_t tiles = (block.end - block.start + unit - 1) / unit, split = blockIdx.x % call.splits;
    int64_t stop = block.start + tiles * (split + 1) / call.splits * unit;
    block.start += tiles * split / call.splits * unit;
    block.end = stop < block.end ? stop : block.end;
    return block;
}

/* Scale, soft-cap, ALiBi and mask; the result counts in powers of two. */
template <int parts>
__device__ inline void decode_mask(const attention_call &call, const decode_block &block,
                                   int64_t tile, float (&scores)[parts][4])
{
    int lane = lane_index();
    /* Keys are counted from the position; those in (low, end) are seen. */
    int first = static_cast<int>(tile - block.position);
    int end = static_cast<int>(block.end - block.position), low = flash_window_low(call);
    int own = first + lane % 4 * 2;
    flash_scale(call, scores);
    if (call.alibi != nullptr) {
        float slopes[2] = {0, 0};
#pragma unroll
        for (int side = 0; side < 2; side++) {
            int row = lane / 4 + side * 8;
            if (row < block.heads)
                slopes[side] = call.alibi[blockIdx.y * block.group + block.first + row] * log2_e;
        }
#pragma unroll
        for (int part = 0; part < parts; part++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                scores[part][i] += slopes[i / 2] * static_cast<float>(own + part * 8 + i % 2);
    }
    if (first > low && first + parts * 8 <= end)
        return;
#pragma unroll
    for (int part = 0; part < parts; part++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int key = own + part * 8 + i % 2;
            scores[part][i] = key > low && key < end ? scores[part][i] : -INFINITY;
        }
}

/* One warp's share of the block's keys: out and softmax of its 16 rows. The block's copies of the
 * queries are on their way, committed as one group. */
template <typename T, int padded>
__device__ inline void decode_attend(const attention_call &call, const decode_block &block,
                                     T *queries, T *keys, float (&out)[padded / 8][4],
                                     flash_softmax &softmax)
{
    using cut = decode_cut<padded>;
    int dim = static_cast<int>(call.head_dim);
    T *values = keys + cut::keys * padded;
    int64_t cache = ((call.first_row + blockIdx.z) * call.kv_heads + blockIdx.y) * call.capacity;
    const T *from_keys = static_cast<const T *>(call.keys) + cache * dim;
    const T *from_values = static_cast<const T *>(call.values) + cache * dim;
    auto load = [&](T *tile, const T *from, int64_t first) {
        int64_t left = block.end - first;
        int valid = static_cast<int>(left < cut::keys ? left : cut::keys);
        flash_load<T, padded, cut::keys, warp_size>(tile, from + first * dim, dim, valid, dim,
                                                    lane_index());
    };
    int64_t tile = block.start + threadIdx.x / warp_size * cut::keys;
    if (tile < block.end)
        load(keys, from_keys, tile);
    copy_async_commit();
    copy_async_wait<1>();
    block_barrier(); /* the queries, which were asked for first, are there */
    for (; tile < block.end; tile += cut::block_keys) {
        copy_async_wait<0>();
        warp_barrier(); /* keys are there, and nobody reads the values of the last tile */
        load(values, from_values, tile);
        copy_async_commit();
        float scores[cut::keys / 8][4];
        flash_scores<T, padded, cut::keys>(scores, queries, 0, keys);
        warp_barrier(); /* nobody reads the keys */
        if (tile + cut::block_keys < block.end)
            load(keys, from_keys, tile + cut::block_keys);
        copy_async_commit();
        decode_mask(call, block, tile, scores);
        flash_weigh(softmax, scores);
        copy_async_wait<1>();
        warp_barrier(); /* values are there */
        flash_sum<T, padded, cut::keys, true>(out, scores, softmax, values);
    }
    copy_async_wait<0>();
}

/* A warp's result into shared memory: [row][padded + 2]. */
template <int padded>
__device__ inline void decode_store(float *result, const float (&out)[padded / 8][4],
                                    const flash_softmax &softmax)
{
    int lane = lane_index();
#pragma unroll
    for (int side = 0; side < 2; side++) {
        float *row = result + (lane / 4 + side * 8) * decode_cut<padded>::row_floats;
        float sum = softmax.sum[side];
        sum += warp_shuffle_xor(sum, 1);
        sum += warp_shuffle_xor(sum, 2);
#pragma unroll
        for (int part = 0; part < padded / 8; part++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                row[part * 8 + lane % 4 * 2 + i] = out[part][2 * side + i];
        if (lane % 4 == 0) {
            row[padded] = softmax.largest[side];
            row[padded + 1] = sum;
        }
    }
}

/* Element `d` of what the warps of a block computed of a row, put together, `stride` floats apart,
 * each `width` long and followed by its maximum and sum; these of the whole too. Warps may have
 * seen no key, all of them as well: then the maximum is -infinity and all else zero. */
struct decode_sum {
    float largest, sum, value;
};

__device__ inline decode_sum decode_combine(const float *results, int stride, int width, int d)
{
    decode_sum whole = {-INFINITY, 0, 0};
#pragma unroll
    for (int i = 0; i < decode_warps; i++)
        whole.largest = fmaxf(whole.largest, results[i * stride + width]);
    float base = whole.largest > -INFINITY ? whole.largest : 0.0f;
#pragma unroll
    for (int i = 0; i < decode_warps; i++) {
        const float *result = results + i * stride;
        float factor = exp2_approximate(result[width] - base);
        whole.sum += factor * result[width + 1];
        whole.value += factor * result[d];
    }
    return whole;
}

/* Where the parts of a head lie: [token and head][split][dim + 2]. */
__device__ inline float *decode_partial(const attention_call &call, int64_t head)
{
    return call.partials + (blockIdx.z * call.heads + head) * call.splits * (call.head_dim + 2);
}

template <typename T>
__device__ inline void decode_write(const attention_call &call, int64_t head, int d, float value)
{
    static_cast<T *>(call.out)[(blockIdx.z * call.heads + head) * call.head_dim + d] =
        from_float<T>(value);
}

/* True in the block that finishes the last part of its heads. */
__device__ inline bool decode_is_last(const attention_call &call, float *flag)
{
    block_barrier();
    if (threadIdx.x == 0) {
        int64_t item = (static_cast<int64_t>(blockIdx.z) * call.kv_heads + blockIdx.y) *
                           (gridDim.x / call.splits) +
                       blockIdx.x / call.splits;
        uint32_t done = atomic_add_acquire_release(&call.counters[item], 1);
        bool is_last = done + 1 == static_cast<uint32_t>(call.splits);
        *flag = is_last ? 1.0f : 0.0f;
        if (is_last)
            call.counters[item] = 0;
    }
    block_barrier();
    return *flag != 0.0f;
}

/* One block at least a multiprocessor: for more the compiler would spill. */
template <typename T, int padded>
__global__ void __launch_bounds__(decode_threads, 1) flash_decode_kernel(attention_call call)
{
    using cut = decode_cut<padded>;
    wait_for_predecessor();
    release_successor();
    int thread = static_cast<int>(threadIdx.x), warp = thread / warp_size;
    int dim = static_cast<int>(call.head_dim);
    T *queries = reinterpret_cast<T *>(dynamic_shared_memory());
    decode_block block = decode_range(call, cut::block_keys);
    int64_t first_head = blockIdx.y * block.group + block.first;
    flash_load<T, padded, decode_rows, decode_threads>(
        queries,
        static_cast<const T *>(call.queries) + blockIdx.z * call.query_stride + first_head * dim,
        dim, static_cast<int>(block.heads), dim, thread);
    copy_async_commit();
    float out[padded / 8][4] = {};
    flash_softmax softmax = {{-INFINITY, -INFINITY}, {0, 0}, {0, 0}};
    decode_attend<T, padded>(call, block, queries,
                             queries + cut::query_elements + warp * cut::warp_elements, out,
                             softmax);
    block_barrier(); /* the rings are read */
    float *results = reinterpret_cast<float *>(dynamic_shared_memory());
    constexpr int stride = decode_rows * cut::row_floats;
    decode_store<padded>(results + warp * stride, out, softmax);
    block_barrier();
    int count = static_cast<int>(block.heads) * dim;
    for (int i = thread; i < count; i += decode_threads) {
        int row = i / dim, d = i % dim;
        decode_sum whole = decode_combine(results + row * cut::row_floats, stride, padded, d);
        if (call.splits == 1) {
            decode_write<T>(call, first_head + row, d, whole.value / whole.sum);
            continue;
        }
        float *partial =
            decode_partial(call, first_head + row) + blockIdx.x % call.splits * (call.head_dim + 2);
        partial[d] = whole.value;
        if (d == 0) {
            partial[dim] = whole.largest;
            partial[dim + 1] = whole.sum;
        }
    }
    if (call.splits == 1 || !decode_is_last(call, results + decode_warps * stride))
        return;
    /* The parts together: a warp for 32 elements of a head. */
    int pieces = (dim + warp_size - 1) / warp_size;
    for (int i = warp; i < static_cast<int>(block.heads) * pieces; i += decode_warps) {
        int64_t head = first_head + i / pieces;
        int d = i % pieces * warp_size + lane_index();
        float value = warp_combine<exp2_approximate>(decode_partial(call, head), call.splits,
                                                     call.head_dim + 2, dim, d < dim ? d : 0);
        if (d < dim)
            decode_write<T>(call, head, d, value);
    }
}

template <typename T, int padded> static cudaError_t decode_launch(const attention_call &call)
{
    int64_t blocks = divide_up(call.heads / call.kv_heads, decode_rows) * call.splits;
    launch_shape shape = {dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(call.kv_heads),
                               static_cast<unsigned>(call.rows)),
                          dim3(decode_threads), decode_cut<padded>::shared_bytes, call.stream,
                          call.overlap};
    return launch_kernel<flash_decode_kernel<T, padded>>(shape, call);
}

template <typename T> static cudaError_t decode_choose(const attention_call &call)
{
    if (call.head_dim <= 64)
        return decode_launch<T, 64>(call);
    if (call.head_dim <= 128)
        return decode_launch<T, 128>(call);
    return decode_launch<T, 256>(call);
}

extern "C" bool flash_decode_serves(const struct attention_call *call)
{
    return call->count == 1 && flash_serves_heads(*call);
}

extern "C" cudaError_t kernel_flash_decode(const struct attention_call *call)
{
    if (!flash_decode_serves(call))
        return cudaErrorInvalidValue;
    return call->type == DEVICE_F16 ? decode_choose<__half>(*call)
                                    : decode_choose<__nv_bfloat16>(*call);
}
