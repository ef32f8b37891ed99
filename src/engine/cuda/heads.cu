/* What lies between the QKV projection and attention: clamp, norms of query and key, rotary
 * positions, keys and values into the cache. One warp a head of a token; the head passes through
 * shared memory, so that any head size and both layouts of the rotation are served. */
#include "engine/cuda/kernel_common.cuh"

constexpr int heads_warps = 4;
constexpr int wide_threads = 256;

/* Mean and 1 / standard deviation (or root mean square) of `count` floats, by one warp. */
__device__ inline float2 warp_moments(const float *x, int count, bool rms, float epsilon)
{
    float mean = 0;
    if (!rms) {
        for (int i = lane_index(); i < count; i += warp_size)
            mean += x[i];
        mean = warp_sum(mean) / static_cast<float>(count);
    }
    float squares = 0;
    for (int i = lane_index(); i < count; i += warp_size)
        squares += (x[i] - mean) * (x[i] - mean);
    float variance = warp_sum(squares) / static_cast<float>(count);
    return make_float2(mean, 1.0f / sqrtf(variance + epsilon));
}

__device__ inline void norm_head(const heads_call &call, float *x, int head, bool is_query)
{
    int dim = static_cast<int>(call.head_dim);
    const float *gain = is_query ? call.query_gain : call.key_gain;
    const float *bias = is_query ? call.query_bias : call.key_bias;
    int start = call.qk_norm == DEVICE_QK_PER_HEAD ? head * dim : 0;
    float2 moments = warp_moments(x, dim, call.qk_rms, call.epsilon);
    for (int i = lane_index(); i < dim; i += warp_size) {
        float value = (x[i] - moments.x) * moments.y;
        value = gain != nullptr ? value * gain[start + i] : value;
        x[i] = bias != nullptr && !call.qk_rms ? value + bias[start + i] : value;
    }
    warp_barrier();
}

__device__ inline void turn_head(const heads_call &call, float *x, int64_t position)
{
    int pairs = static_cast<int>(call.rotary_dim / 2);
    const float *cosine = call.cosine + position * pairs;
    const float *sine = call.sine + position * pairs;
    for (int i = lane_index(); i < pairs; i += warp_size) {
        int first = call.interleaved ? 2 * i : i;
        int second = call.interleaved ? 2 * i + 1 : i + pairs;
        float a = x[first], b = x[second];
        x[first] = a * cosine[i] - b * sine[i];
        x[second] = b * cosine[i] + a * sine[i];
    }
    warp_barrier();
}

template <typename T> __global__ void heads_kernel(heads_call call)
{
    wait_for_predecessor();
    release_successor();
    int warp = static_cast<int>(threadIdx.x) / warp_size;
    int64_t head = static_cast<int64_t>(blockIdx.y) * heads_warps + warp;
    int64_t all_heads = call.heads + 2 * call.kv_heads;
    if (head >= all_heads)
        return;
    int dim = static_cast<int>(call.head_dim);
    float *x = reinterpret_cast<float *>(dynamic_shared_memory()) + warp * dim;
    int64_t row = blockIdx.x;
    int64_t position = call.state->position + row % call.count;
    T *from = static_cast<T *>(call.qkv) + (row * all_heads + head) * dim;
    float limit = call.clip > 0 ? call.clip : INFINITY;
    for (int i = lane_index(); i < dim; i += warp_size)
        x[i] = fminf(fmaxf(to_float(from[i]), -limit), limit);
    warp_barrier();

    bool is_query = head < call.heads, is_value = head >= call.heads + call.kv_heads;
    int64_t own = is_query ? head : head - call.heads - (is_value ? call.kv_heads : 0);
    if (!is_value) {
        if (call.qk_norm == DEVICE_QK_HEAD || call.qk_norm == DEVICE_QK_PER_HEAD)
            norm_head(call, x, static_cast<int>(own), is_query);
        if (call.cosine != nullptr)
            turn_head(call, x, position);
    }
    T *to = from;
    if (!is_query)
        to = static_cast<T *>(is_value ? call.values : call.keys) +
             (((call.first_row + row / call.count) * call.kv_heads + own) * call.capacity +
              position) *
                 dim;
    for (int i = lane_index(); i < dim; i += warp_size)
        to[i] = from_float<T>(x[i]);
}

/* The norm over all heads of the queries (blockIdx.y 0) or keys (1) of a token, in place. */
template <typename T> __global__ void wide_norm_kernel(heads_call call)
{
    wait_for_predecessor();
    release_successor();
    float *scratch = reinterpret_cast<float *>(dynamic_shared_memory());
    bool is_query = blockIdx.y == 0;
    int64_t width = (is_query ? call.heads : call.kv_heads) * call.head_dim;
    int64_t start =
        static_cast<int64_t>(blockIdx.x) * (call.heads + 2 * call.kv_heads) * call.head_dim +
        (is_query ? 0 : call.heads * call.head_dim);
    T *x = static_cast<T *>(call.qkv) + start;
    const float *gain = is_query ? call.query_gain : call.key_gain;
    const float *bias = is_query ? call.query_bias : call.key_bias;
    float limit = call.clip > 0 ? call.clip : INFINITY;
    float mean = 0, squares = 0;
    if (!call.qk_rms) {
        for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
            mean += fminf(fmaxf(to_float(x[i]), -limit), limit);
        mean = block_sum(mean, scratch) / static_cast<float>(width);
    }
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        float value = fminf(fmaxf(to_float(x[i]), -limit), limit) - mean;
        squares += value * value;
    }
    float inverse =
        1.0f / sqrtf(block_sum(squares, scratch) / static_cast<float>(width) + call.epsilon);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        float value = (fminf(fmaxf(to_float(x[i]), -limit), limit) - mean) * inverse;
        value = gain != nullptr ? value * gain[i] : value;
        value = bias != nullptr && !call.qk_rms ? value + bias[i] : value;
        x[i] = from_float<T>(value);
    }
}

extern "C" cudaError_t kernel_heads(const struct heads_call *call)
{
    unsigned rows = static_cast<unsigned>(call->rows);
    if (call->qk_norm == DEVICE_QK_WIDE) {
        launch_shape shape = {dim3(rows, 2), dim3(wide_threads), warp_size * sizeof(float),
                              call->stream, call->overlap};
        cudaError_t status = with_type(call->type, [&](auto type) {
            return launch_kernel<wide_norm_kernel<decltype(type)>>(shape, *call);
        });
        if (status != cudaSuccess)
            return status;
    }
    heads_call turned = *call;
    if (call->qk_norm == DEVICE_QK_WIDE)
        turned.clip = 0;
    unsigned blocks =
        static_cast<unsigned>(divide_up(call->heads + 2 * call->kv_heads, heads_warps));
    launch_shape shape = {dim3(rows, blocks), dim3(heads_warps * warp_size),
                          heads_warps * static_cast<size_t>(call->head_dim) * sizeof(float),
                          call->stream, call->overlap};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<heads_kernel<decltype(type)>>(shape, turned);
    });
}
