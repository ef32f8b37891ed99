/* Mixture of experts: the router in float32, whatever the weights are, so that the choice is the
 * CPU's; then one expert's matrix for each (token, place) pair, and their weighted sum in the
 * order of the places. */
#include "engine/cuda/kernel_common.cuh"

constexpr int expert_warps = 8;
constexpr int choose_warps = 4;
constexpr int sum_threads = 256;

__global__ void router_kernel(route_call call)
{
    int64_t expert = static_cast<int64_t>(blockIdx.y) * expert_warps + threadIdx.x / warp_size;
    if (expert >= call.experts)
        return;
    const float *x = call.x + static_cast<int64_t>(blockIdx.x) * call.width;
    const float *weight = call.router + expert * call.width;
    float sum = 0;
    for (int64_t i = lane_index(); i < call.width; i += warp_size)
        sum += x[i] * weight[i];
    sum = warp_sum(sum);
    if (lane_index() == 0)
        call.logits[blockIdx.x * call.experts + expert] = sum;
}

/* A logit and its expert. */
struct choice {
    float logit;
    int64_t id;
};

/* The largest of the lane's experts, one of every 32, ties to the lower id. */
__device__ inline choice choose_own(const float *logits, int64_t experts)
{
    choice best = {-INFINITY, lane_index()};
    for (int64_t i = lane_index(); i < experts; i += warp_size)
        if (logits[i] > best.logit)
            best = {logits[i], i};
    return best;
}

/* The largest of all lanes' choices, the same in all of them: it is a total order but for NaN,
 * whose lanes take part with -infinity. */
__device__ inline choice choose_best(choice best)
{
    for (int step = warp_size / 2; step > 0; step /= 2) {
        choice other = {warp_shuffle_xor(best.logit, step), warp_shuffle_xor(best.id, step)};
        if (other.logit > best.logit || (other.logit == best.logit && other.id < best.id))
            best = other;
    }
    return best;
}

/* The experts with the largest logits, ties to the lower id, and their softmax weights; one warp a
 * token. A logit that is taken becomes -infinity, by the lane that has it. */
__global__ void choose_kernel(route_call call)
{
    int64_t row = static_cast<int64_t>(blockIdx.x) * choose_warps + threadIdx.x / warp_size;
    if (row >= call.rows)
        return;
    float *logits = call.logits + row * call.experts;
    choice own = choose_own(logits, call.experts), best = choose_best(own);
    float largest = best.logit, total = 0, kept = 0;
    for (int64_t i = lane_index(); i < call.experts; i += warp_size)
        total += expf(logits[i] - largest);
    total = warp_sum(total);
    float *weights = call.weights + row * call.per_token;
    for (int64_t place = 0; place < call.per_token; place++) {
        float weight = expf(best.logit - largest) / total;
        kept += weight;
        if (lane_index() == 0) {
            call.ids[row * call.per_token + place] = static_cast<int32_t>(best.id);
            weights[place] = weight;
        }
        if (lane_index() == best.id % warp_size) {
            logits[best.id] = -INFINITY;
            own = choose_own(logits, call.experts);
        }
        best = choose_best(own);
    }
    warp_barrier(); /* all weights are written */
    for (int64_t i = lane_index(); call.normalise && i < call.per_token; i += warp_size)
        weights[i] /= kept;
}

extern "C" cudaError_t kernel_route(const struct route_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows),
                               static_cast<unsigned>(divide_up(call->experts, expert_warps))),
                          dim3(expert_warps * warp_size), 0, call->stream, false};
    cudaError_t status = launch_kernel<router_kernel>(shape, *call);
    if (status != cudaSuccess)
        return status;
    shape = {dim3(static_cast<unsigned>(divide_up(call->rows, choose_warps))),
             dim3(choose_warps * warp_size), 0, call->stream, false};
    return launch_kernel<choose_kernel>(shape, *call);
}

template <typename T> __device__ inline float expert_dot(const T *x, const T *weight, int64_t count)
{
    constexpr int vector = 16 / sizeof(T);
    float sum = 0;
    int64_t i = lane_index() * vector;
    bool aligned = (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(weight)) % 16 == 0;
    int64_t whole = aligned ? count / vector * vector : 0;
    for (; i < whole; i += warp_size * vector) {
        T a[vector], b[vector];
        uint4 loaded = load_16(x + i);
        memcpy(a, &loaded, sizeof loaded);
        loaded = load_16_once(weight + i);
        memcpy(b, &loaded, sizeof loaded);
        for (int j = 0; j < vector; j++)
            sum += to_float(a[j]) * to_float(b[j]);
    }
    for (i = whole + lane_index(); i < count; i += warp_size)
        sum += to_float(x[i]) * to_float(weight[i]);
    return warp_sum(sum);
}

/* One warp an output of a pair. */
template <typename T> __global__ void expert_linear_kernel(expert_linear_call call)
{
    int64_t pair = blockIdx.x;
    int64_t output = static_cast<int64_t>(blockIdx.y) * expert_warps + threadIdx.x / warp_size;
    if (output >= call.outputs)
        return;
    int32_t expert = call.ids[pair];
    const T *x = static_cast<const T *>(call.x) + pair / call.x_share * call.x_stride;
    const T *weight = static_cast<const T *>(call.weights[expert]) + output * call.inputs;
    float sum = expert_dot(x, weight, call.inputs);
    if (lane_index() != 0)
        return;
    if (call.biases != nullptr && call.biases[expert] != nullptr)
        sum += static_cast<const float *>(call.biases[expert])[output];
    if (call.y_float)
        static_cast<float *>(call.y)[pair * call.outputs + output] = sum;
    else
        static_cast<T *>(call.y)[pair * call.outputs + output] = from_float<T>(sum);
}

extern "C" cudaError_t kernel_expert_linear(const struct expert_linear_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->pairs),
                               static_cast<unsigned>(divide_up(call->outputs, expert_warps))),
                          dim3(expert_warps * warp_size), 0, call->stream, false};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<expert_linear_kernel<decltype(type)>>(shape, *call);
    });
}

__global__ void expert_sum_kernel(expert_sum_call call)
{
    int64_t row = blockIdx.x;
    const float *weights = call.weights + row * call.per_token;
    float *x = call.x + row * call.width;
    for (int64_t i = threadIdx.x; i < call.width; i += blockDim.x) {
        float sum = 0;
        for (int64_t place = 0; place < call.per_token; place++)
            sum += weights[place] * call.y[(row * call.per_token + place) * call.width + i];
        x[i] = call.set ? call.scale * sum : x[i] + call.scale * sum;
    }
}

extern "C" cudaError_t kernel_expert_sum(const struct expert_sum_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)), dim3(sum_threads), 0,
                          call->stream, false};
    return launch_kernel<expert_sum_kernel>(shape, *call);
}
