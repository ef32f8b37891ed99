/* The state of a generation on the device: where it is, and when each step was done. */
#include "engine/cuda/kernel_common.cuh"

__global__ void state_set_kernel(device_state *state, int32_t position, int32_t step, bool clear)
{
    state->position = position;
    state->step = step;
    if (clear)
        state->not_finite = 0;
}

__global__ void state_move_kernel(device_state *state, int32_t positions)
{
    state->position += positions;
}

__global__ void state_advance_kernel(device_state *state, uint64_t *stamps)
{
    stamps[state->step] = device_time_ns();
    state->position++;
    state->step++;
}

static launch_shape single_thread(cudaStream_t stream)
{
    return {dim3(1), dim3(1), 0, stream, false};
}

extern "C" cudaError_t kernel_state_set(struct device_state *state, int32_t position, int32_t step,
                                        bool clear, cudaStream_t stream)
{
    return launch_kernel<state_set_kernel>(single_thread(stream), state, position, step, clear);
}

extern "C" cudaError_t kernel_state_move(struct device_state *state, int32_t positions,
                                         cudaStream_t stream)
{
    return launch_kernel<state_move_kernel>(single_thread(stream), state, positions);
}

extern "C" cudaError_t kernel_state_advance(struct device_state *state, uint64_t *stamps,
                                            cudaStream_t stream)
{
    return launch_kernel<state_advance_kernel>(single_thread(stream), state, stamps);
}
