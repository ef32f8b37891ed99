/* Attention for any type and head size: decode steps, whose keys are cut into parts that the last
 * block to finish puts together, and prompts that the tensor-core kernel does not take.
 *
 * A block serves 8 query rows of one KV head: the heads that share it, of one or more positions,
 * so that a key is read once for all of them. A tile is one key a thread: scores from a key of its
 * own, then each warp makes two rows' softmax, then each thread sums its own dimensions. */
#include "engine/cuda/kernel_common.cuh"

constexpr int attend_rows = 8;
constexpr int attend_warps = 4;
constexpr int attend_threads = attend_warps * warp_size; /* and keys of a tile */
constexpr int attend_dim_max = 512;

struct attend_shared {
    float *queries; /* [rows][dim] */
    float *scores;  /* [key][rows] */
    float *largest, *sums, *rescale;
};

/* The queries that a block serves, and the keys that they see together. */
struct attend_block {
    int64_t first_query; /* of position * group + head of the group */
    int64_t queries;     /* of the row */
    int64_t group;
    int64_t first_position;
    int64_t start, end; /* keys */
};

__device__ inline attend_shared attend_memory(int dim)
{
    float *memory = reinterpret_cast<float *>(dynamic_shared_memory());
    attend_shared shared;
    shared.queries = memory;
    shared.scores = shared.queries + attend_rows * dim;
    shared.largest = shared.scores + attend_rows * attend_threads;
    shared.sums = shared.largest + attend_rows;
    shared.rescale = shared.sums + attend_rows;
    return shared;
}

static size_t attend_shared_bytes(int64_t dim)
{
    return (attend_rows * (static_cast<size_t>(dim) + attend_threads) + 3 * attend_rows) *
           sizeof(float);
}

__device__ inline attend_block attend_range(const attention_call &call)
{
    attend_block block;
    block.group = call.heads / call.kv_heads;
    block.queries = call.count * block.group;
    block.first_query = blockIdx.x / call.splits * attend_rows;
    block.first_position = call.state->position;
    int64_t last = block.first_query + attend_rows - 1;
    last = last < block.queries ? last : block.queries - 1;
    block.end = block.first_position + last / block.group + 1;
    int64_t low = block.first_position + block.first_query / block.group + 1 - call.window;
    block.start = call.window > 0 && low > 0 ? low / attend_threads * attend_threads : 0;
    int64_t tiles = (block.end - block.start + attend_threads - 1) / attend_threads;
    int64_t split = blockIdx.x % call.splits;
    int64_t stop = block.start + tiles * (split + 1) / call.splits * attend_threads;
    block.start += tiles * split / call.splits * attend_threads;
    block.end = stop < block.end ? stop : block.end;
    return block;
}

/* sums[r] += q[r] . key */
template <typename T>
__device__ inline void attend_dot(const float *queries, const T *key, int dim,
                                  float (&sums)[attend_rows])
{
    constexpr int vector = 16 / sizeof(T);
    int d = 0;
    if (dim % vector == 0) {
        for (; d < dim; d += vector) {
            T elements[vector];
            uint4 loaded = load_16(key + d);
            memcpy(elements, &loaded, sizeof loaded);
            for (int r = 0; r < attend_rows; r++)
                for (int i = 0; i < vector; i++)
                    sums[r] += queries[r * dim + d + i] * to_float(elements[i]);
        }
    }
    for (; d < dim; d++)
        for (int r = 0; r < attend_rows; r++)
            sums[r] += queries[r * dim + d] * to_float(key[d]);
}

/* The score of one query for `key`, or -infinity where it does not see it. */
__device__ inline float attend_score(const attention_call &call, const attend_block &block, int row,
                                     int64_t key, float score)
{
    int64_t query = block.first_query + row;
    int64_t position = block.first_position + query / block.group;
    if (query >= block.queries || key >= block.end || key > position ||
        (call.window > 0 && key <= position - call.window))
        return -INFINITY;
    if (call.softcap > 0)
        score = call.softcap * tanhf(score / call.softcap);
    if (call.alibi != nullptr)
        score += call.alibi[blockIdx.y * block.group + query % block.group] *
                 static_cast<float>(key - position);
    return score;
}

/* Scores to weights, with the running maximum and sum of each row; each warp takes its rows. */
__device__ inline void attend_softmax(const attend_shared &shared)
{
    for (int r = static_cast<int>(threadIdx.x) / warp_size; r < attend_rows; r += attend_warps) {
        float before = shared.largest[r], largest = before;
        for (int i = lane_index(); i < attend_threads; i += warp_size)
            largest = fmaxf(largest, shared.scores[i * attend_rows + r]);
        largest = warp_max(largest);
        float sum = 0;
        for (int i = lane_index(); i < attend_threads; i += warp_size) {
            float *score = &shared.scores[i * attend_rows + r];
            *score = largest > -INFINITY ? expf(*score - largest) : 0.0f;
            sum += *score;
        }
        sum = warp_sum(sum);
        warp_barrier();
        if (lane_index() == 0) {
            float rescale = before > -INFINITY ? expf(before - largest) : 0.0f;
            shared.rescale[r] = rescale;
            shared.sums[r] = shared.sums[r] * rescale + sum;
            shared.largest[r] = largest;
        }
    }
}

/* Where parts of the keys' sum lie: [item][split][row][dim + 2], maximum and sum last. */
__device__ inline float *attend_partial(const attention_call &call, int64_t item, int64_t split)
{
    return call.partials + (item * call.splits + split) * attend_rows * (call.head_dim + 2);
}

template <typename T>
__device__ inline void attend_write(const attention_call &call, const attend_block &block, int row,
                                    int d, float value)
{
    int64_t query = block.first_query + row;
    if (query >= block.queries)
        return;
    int64_t token = static_cast<int64_t>(blockIdx.z) * call.count + query / block.group;
    int64_t head = blockIdx.y * block.group + query % block.group;
    static_cast<T *>(call.out)[(token * call.heads + head) * call.head_dim + d] =
        from_float<T>(value);
}

__device__ inline float attend_power(float x)
{
    return expf(x);
}

/* The parts of all splits together, by the last block that finished one: a warp for 32 elements of
 * a row. */
template <typename T>
__device__ inline void attend_combine(const attention_call &call, const attend_block &block,
                                      int64_t item)
{
    int dim = static_cast<int>(call.head_dim), pieces = (dim + warp_size - 1) / warp_size;
    int64_t left = block.queries - block.first_query;
    int rows = static_cast<int>(left < attend_rows ? left : attend_rows);
    for (int i = static_cast<int>(threadIdx.x) / warp_size; i < rows * pieces; i += attend_warps) {
        int row = i / pieces, d = i % pieces * warp_size + lane_index();
        float value = warp_combine<attend_power>(
            attend_partial(call, item, 0) + row * (dim + 2), call.splits,
            static_cast<int64_t>(attend_rows) * (dim + 2), dim, d < dim ? d : 0);
        if (d < dim)
            attend_write<T>(call, block, row, d, value);
    }
}

/* What each thread has summed, of all the parts of a tile together, goes out. */
template <typename T, int dims>
__device__ inline void attend_finish(const attention_call &call, const attend_block &block,
                                     const attend_shared &shared, int lanes,
                                     float (&sums)[dims][attend_rows])
{
    int dim = static_cast<int>(call.head_dim), parts = attend_threads / lanes;
    int part = static_cast<int>(threadIdx.x) / lanes, lane = static_cast<int>(threadIdx.x) % lanes;
    if (parts > 1) { /* then dims is 1 */
        for (int r = 0; r < attend_rows; r++)
            if (part < parts)
                shared.scores[(part * attend_rows + r) * lanes + lane] = sums[0][r];
        block_barrier();
        for (int r = 0; r < attend_rows; r++) {
            sums[0][r] = 0;
            for (int other = 0; other < parts; other++)
                sums[0][r] += shared.scores[(other * attend_rows + r) * lanes + lane];
        }
    }
    int64_t item = (static_cast<int64_t>(blockIdx.z) * call.kv_heads + blockIdx.y) *
                       (gridDim.x / call.splits) +
                   blockIdx.x / call.splits;
    float *partial =
        call.splits > 1 ? attend_partial(call, item, blockIdx.x % call.splits) : nullptr;
    for (int j = 0; j < dims; j++)
        for (int r = 0; r < attend_rows; r++) {
            int d = lane + j * lanes;
            if (part > 0 || d >= dim)
                continue;
            if (partial != nullptr)
                partial[r * (dim + 2) + d] = sums[j][r];
            else
                attend_write<T>(call, block, r, d, sums[j][r] / shared.sums[r]);
        }
    if (partial == nullptr)
        return;
    if (threadIdx.x < attend_rows) {
        partial[threadIdx.x * (dim + 2) + dim] = shared.largest[threadIdx.x];
        partial[threadIdx.x * (dim + 2) + dim + 1] = shared.sums[threadIdx.x];
    }
    block_barrier();
    if (threadIdx.x == 0) {
        uint32_t done = atomic_add_acquire_release(&call.counters[item], 1);
        bool is_last = done + 1 == static_cast<uint32_t>(call.splits);
        shared.rescale[0] = is_last ? 1.0f : 0.0f;
        if (is_last)
            call.counters[item] = 0;
    }
    block_barrier();
    if (shared.rescale[0] > 0)
        attend_combine<T>(call, block, item);
}

template <typename T, int dims> __global__ void attention_kernel(attention_call call)
{
    int dim = static_cast<int>(call.head_dim), thread = static_cast<int>(threadIdx.x);
    attend_shared shared = attend_memory(dim);
    attend_block block = attend_range(call);
    int64_t cache = ((call.first_row + blockIdx.z) * call.kv_heads + blockIdx.y) * call.capacity;
    const T *keys = static_cast<const T *>(call.keys) + cache * dim;
    const T *values = static_cast<const T *>(call.values) + cache * dim;
    for (int i = thread; i < attend_rows * dim; i += attend_threads) {
        int64_t query = block.first_query + i / dim;
        int64_t token = static_cast<int64_t>(blockIdx.z) * call.count + query / block.group;
        int64_t head = blockIdx.y * block.group + query % block.group;
        const T *from = static_cast<const T *>(call.queries) + token * call.query_stride;
        shared.queries[i] =
            query < block.queries ? to_float(from[head * dim + i % dim]) * call.scale : 0.0f;
    }
    if (thread < attend_rows) {
        shared.largest[thread] = -INFINITY;
        shared.sums[thread] = 0;
    }
    block_barrier();

    int lanes = (dim + warp_size - 1) / warp_size * warp_size;
    lanes = lanes < attend_threads ? lanes : attend_threads;
    int parts = attend_threads / lanes, part = thread / lanes, lane = thread % lanes;
    float sums[dims][attend_rows] = {};
    for (int64_t tile = block.start; tile < block.end; tile += attend_threads) {
        float scores[attend_rows] = {};
        int64_t key = tile + thread;
        if (key < block.end)
            attend_dot(shared.queries, keys + key * dim, dim, scores);
        for (int r = 0; r < attend_rows; r++)
            shared.scores[thread * attend_rows + r] = attend_score(call, block, r, key, scores[r]);
        block_barrier();
        attend_softmax(shared);
        block_barrier();
        int64_t left = block.end - tile;
        int count = static_cast<int>(left < attend_threads ? left : attend_threads);
        for (int j = 0; j < dims; j++) {
            int d = lane + j * lanes;
            for (int r = 0; r < attend_rows; r++)
                sums[j][r] *= shared.rescale[r];
            for (int i = part; i < count && d < dim && part < parts; i += parts) {
                float value = to_float(values[(tile + i) * dim + d]);
                for (int r = 0; r < attend_rows; r++)
                    sums[j][r] += shared.scores[i * attend_rows + r] * value;
            }
        }
        block_barrier();
    }
    attend_finish<T, dims>(call, block, shared, lanes, sums);
}

extern "C" cudaError_t kernel_attention(const struct attention_call *call)
{
    if (call->head_dim > attend_dim_max || (call->splits > 1 && call->count > 1))
        return cudaErrorInvalidValue;
    int64_t group = call->heads / call->kv_heads;
    int64_t blocks = divide_up(call->count * group, attend_rows) * call->splits;
    launch_shape shape = {dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(call->kv_heads),
                               static_cast<unsigned>(call->rows / call->count)),
                          dim3(attend_threads), attend_shared_bytes(call->head_dim), call->stream,
                          false};
    return with_type(call->type, [&](auto type) {
        using T = decltype(type);
        if (call->head_dim <= attend_threads)
            return launch_kernel<attention_kernel<T, 1>>(shape, *call);
        if (call->head_dim <= 2 * attend_threads)
            return launch_kernel<attention_kernel<T, 2>>(shape, *call);
        return launch_kernel<attention_kernel<T, 4>>(shape, *call);
    });
}

extern "C" size_t attention_counters(int64_t rows, int64_t heads, int64_t kv_heads)
{
    return static_cast<size_t>(rows * kv_heads * divide_up(heads / kv_heads, attend_rows));
}

extern "C" size_t attention_partial_floats(int64_t rows, int64_t heads, int64_t kv_heads,
                                           int64_t head_dim, int64_t splits)
{
    return attention_counters(rows, heads, kv_heads) * attend_rows *
           static_cast<size_t>(splits * (head_dim + 2));
}
