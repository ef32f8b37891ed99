/* The state of a generation on the device: where it is, and when each step was done; and what the
 * clock that tells it is worth. */
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
    wait_for_predecessor();
    stamps[state->step] = device_time_ns();
    state->position++;
    state->step++;
}

/* The smallest of several changes of the clock that a thread sees which does nothing else; 0 where
 * it sees none. */
__global__ void clock_resolution_kernel(uint64_t *resolution_ns)
{
    constexpr int changes = 8, readings_max = 1 << 20;
    uint64_t smallest = 0, before = device_time_ns();
    for (int seen = 0, reading = 0; seen < changes && reading < readings_max; reading++) {
        uint64_t now = device_time_ns();
        if (now == before)
            continue;
        uint64_t change = now - before;
        smallest = seen == 0 || change < smallest ? change : smallest;
        before = now;
        seen++;
    }
    *resolution_ns = smallest;
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
                                            bool overlap, cudaStream_t stream)
{
    launch_shape shape = single_thread(stream);
    shape.overlap = overlap;
    return launch_kernel<state_advance_kernel>(shape, state, stamps);
}

extern "C" cudaError_t kernel_clock_resolution(uint64_t *resolution_ns, cudaStream_t stream)
{
    return launch_kernel<clock_resolution_kernel>(single_thread(stream), resolution_ns);
}
