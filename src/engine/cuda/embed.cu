/* The ends of the layers: tokens to vectors, and the last positions picked out. */
#include "engine/cuda/kernel_common.cuh"

constexpr int embed_threads = 128;

template <typename T> __global__ void embed_kernel(embed_call call)
{
    int64_t row = blockIdx.x;
    int64_t column = row % call.count;
    int64_t id = call.ids[row / call.count * call.id_stride + column];
    const T *from = static_cast<const T *>(call.table) + id * call.width;
    float *x = call.x + row * call.width;
    const float *position = nullptr;
    if (call.positions != nullptr)
        position =
            call.positions + (call.state->position + column + call.position_offset) * call.width;
    for (int64_t i = threadIdx.x; i < call.width; i += blockDim.x) {
        float value = to_float(from[i]) * call.scale;
        x[i] = position != nullptr ? value + position[i] : value;
    }
}

extern "C" cudaError_t kernel_embed(const struct embed_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)), dim3(embed_threads), 0,
                          call->stream, false};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<embed_kernel<decltype(type)>>(shape, *call);
    });
}

__global__ void keep_last_kernel(keep_last_call call)
{
    int64_t group = blockIdx.x;
    int64_t words = call.row_bytes / static_cast<int64_t>(sizeof(uint16_t));
    const uint16_t *from =
        static_cast<const uint16_t *>(call.from) + ((group + 1) * call.count - 1) * words;
    uint16_t *to = static_cast<uint16_t *>(call.to) + group * words;
    for (int64_t i = threadIdx.x; i < words; i += blockDim.x)
        to[i] = from[i];
}

extern "C" cudaError_t kernel_keep_last(const struct keep_last_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->groups)), dim3(embed_threads), 0,
                          call->stream, false};
    return launch_kernel<keep_last_kernel>(shape, *call);
}
