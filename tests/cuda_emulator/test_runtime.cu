/* The emulated runtime as host code sees it: memory with a capacity, failures on request, streams
 * that lag, events, and graphs that keep their arguments. */
#include "engine/cuda/device.h"
#include "test_support.h"

namespace
{
/* Settings as before, whatever a test changes. */
int remember_settings(void **state)
{
    static struct cuda_emulator_settings before;
    before = cuda_emulator_current();
    *state = &before;
    return 0;
}

int restore_settings(void **state)
{
    cuda_emulator_configure(static_cast<struct cuda_emulator_settings *>(*state));
    return cudaDeviceReset() == cudaSuccess ? 0 : -1;
}

__global__ void add_kernel(int *values, int count, int amount)
{
    if (static_cast<int>(threadIdx.x) < count)
        values[threadIdx.x] += amount;
}

void add(int *values, int count, int amount, cudaStream_t stream)
{
    assert_int_equal(launch_kernel<add_kernel>({1, 32, 0, stream, false}, values, count, amount),
                     cudaSuccess);
}

void test_capacity(void **)
{
    struct cuda_emulator_settings settings = cuda_emulator_current();
    settings.capacity = cuda_emulator_allocated() + 1000;
    cuda_emulator_configure(&settings);
    cuda_emulator_forget_peak();
    void *first = nullptr;
    void *second = &first;
    assert_int_equal(cudaMalloc(&first, 600), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 401), cudaErrorMemoryAllocation);
    assert_null(second);
    size_t available = 0;
    size_t total = 0;
    /* Running out of memory does not stick. */
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    assert_int_equal(cudaMemGetInfo(&available, &total), cudaSuccess);
    assert_int_equal(available, 400);
    assert_int_equal(total, settings.capacity);
    assert_int_equal(cudaMalloc(&second, 400), cudaSuccess);
    assert_int_equal(cudaFree(second), cudaSuccess);
    assert_int_equal(cudaFree(first), cudaSuccess);
    assert_int_equal(cudaFree(first), cudaErrorInvalidValue);
    assert_int_equal(cuda_emulator_peak(), settings.capacity);
    assert_int_equal(cuda_emulator_allocated(), settings.capacity - 1000);
}

void test_memory_is_poisoned(void **)
{
    device_array<float> fresh(16);
    for (float value : fresh.values())
        assert_true(value != value);
}

void test_failures(void **)
{
    void *memory = nullptr;
    cuda_emulator_fail(cudaErrorMemoryAllocation, 1, 0);
    assert_int_equal(cudaMalloc(&memory, 16), cudaSuccess);
    assert_int_equal(cudaMemset(memory, 0, 16), cudaErrorMemoryAllocation);
    assert_int_equal(cudaMemset(memory, 0, 16), cudaSuccess);
    cuda_emulator_fail(cudaErrorIllegalAddress, 0, 1);
    assert_int_equal(cudaStreamSynchronize(nullptr), cudaErrorIllegalAddress);
    assert_int_equal(cudaMemset(memory, 0, 16), cudaErrorIllegalAddress);
    assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
    assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
    assert_string_equal(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
    assert_int_equal(cudaDeviceReset(), cudaSuccess);
    assert_int_equal(cudaMalloc(&memory, 16), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

void test_devices(void **)
{
    struct cuda_emulator_settings settings = cuda_emulator_current();
    int count = -1;
    settings.device_count = 0;
    cuda_emulator_configure(&settings);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    assert_int_equal(count, 0);
    settings.device_count = 2;
    settings.compute_capability = 80;
    cuda_emulator_configure(&settings);
    assert_int_equal(cudaGetDeviceCount(&count), cudaSuccess);
    assert_int_equal(count, 2);
    assert_int_equal(cudaSetDevice(2), cudaErrorInvalidDevice);
    struct cudaDeviceProp facts;
    assert_int_equal(cudaGetDeviceProperties(&facts, 1), cudaSuccess);
    assert_int_equal(facts.major, 8);
    assert_int_equal(facts.sharedMemPerBlockOptin, 163 * 1024);
    /* Each device has its own memory. */
    void *memory = nullptr;
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(cudaMalloc(&memory, 64), cudaSuccess);
    assert_int_equal(cuda_emulator_allocated(), 64);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
}

/* In the late mode nothing happens before somebody waits; at once, all has happened. */
void check_streams()
{
    bool late = cuda_emulator_current().late != 0;
    cudaStream_t first;
    cudaStream_t second;
    cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
    int *host = nullptr;
    cudaMallocHost(reinterpret_cast<void **>(&host), sizeof *host);
    *host = 1;
    device_array<int> value(std::vector<int>{10});
    cudaEvent_t event;
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    add(value.data(), 1, 5, first);
    cudaEventRecord(event, first);
    cudaStreamWaitEvent(second, event, 0);
    add(value.data(), 1, 100, second);
    cudaMemcpyAsync(host, value.data(), sizeof *host, cudaMemcpyDeviceToHost, second);
    assert_int_equal(*host, late ? 1 : 115);
    assert_int_equal(cudaStreamQuery(first), late ? cudaErrorNotReady : cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(second), cudaSuccess);
    assert_int_equal(*host, 115);
    assert_int_equal(cudaEventQuery(event), cudaSuccess);
    cudaEventDestroy(event);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
    cudaFreeHost(host);
}

void test_streams(void **)
{
    in_all_schedules(check_streams);
}

void test_pageable_memory(void **)
{
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    device_array<int> value(1);
    int host = 3;
    cudaMemcpyAsync(value.data(), &host, sizeof host, cudaMemcpyHostToDevice, stream);
    host = 4; /* the copy has been taken */
    cudaMemcpyAsync(&host, value.data(), sizeof host, cudaMemcpyDeviceToHost, stream);
    assert_int_equal(host, 3);
    cudaStreamDestroy(stream);
}

void test_events(void **)
{
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaEvent_t start;
    cudaEvent_t end;
    cudaEventCreate(&start);
    cudaEventCreate(&end);
    float milliseconds = -1;
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end),
                     cudaErrorInvalidResourceHandle);
    device_array<int> value(std::vector<int>(32, 0));
    cudaEventRecord(start, stream);
    add(value.data(), 32, 1, stream);
    cudaEventRecord(end, stream);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
    assert_int_equal(cudaEventSynchronize(end), cudaSuccess);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
    assert_true(milliseconds > 0 && milliseconds < 10000);
    cudaEventDestroy(start);
    cudaEventDestroy(end);
    cudaStreamDestroy(stream);
}

/* A number of the host is in the graph as it was; what the device holds goes on. */
void test_graph_keeps_arguments(void **)
{
    in_all_schedules([] {
        cudaStream_t stream;
        cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
        device_array<int> value(std::vector<int>{0});
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t executable = nullptr;
        int amount = 3;
        assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                         cudaSuccess);
        add(value.data(), 1, amount, stream);
        add(value.data(), 1, amount, stream);
        assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
        assert_int_equal(value.values()[0], 0);
        amount = 1000;
        assert_int_equal(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
        assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
        for (int i = 0; i < 2; i++)
            assert_int_equal(cudaGraphLaunch(executable, stream), cudaSuccess);
        assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
        assert_int_equal(value.values()[0], 12);
        cudaGraphExecDestroy(executable);
        cudaStreamDestroy(stream);
    });
}

void test_capture_refuses_waiting(void **)
{
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    device_array<int> value(std::vector<int>{0});
    cudaGraph_t graph = nullptr;
    void *memory = nullptr;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    add(value.data(), 1, 1, stream);
    assert_int_equal(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    assert_null(graph);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    /* The stream is itself again. */
    cudaGetLastError();
    add(value.data(), 1, 7, stream);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(value.values()[0], 7);
    cudaStreamDestroy(stream);
}

void test_capture_of_two_streams(void **)
{
    cudaStream_t first;
    cudaStream_t second;
    cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
    cudaEvent_t fork;
    cudaEvent_t join;
    cudaEventCreateWithFlags(&fork, cudaEventDisableTiming);
    cudaEventCreateWithFlags(&join, cudaEventDisableTiming);
    device_array<int> value(std::vector<int>{0});
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaStreamBeginCapture(first, cudaStreamCaptureModeGlobal);
    cudaEventRecord(fork, first);
    cudaStreamWaitEvent(second, fork, 0);
    add(value.data(), 1, 2, second);
    cudaEventRecord(join, second);
    cudaStreamWaitEvent(first, join, 0);
    assert_int_equal(cudaStreamEndCapture(first, &graph), cudaSuccess);
    size_t count = 0;
    assert_int_equal(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
    assert_int_equal(count, 1);
    cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphLaunch(executable, first);
    cudaStreamSynchronize(first);
    assert_int_equal(value.values()[0], 2);
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
    cudaEventDestroy(fork);
    cudaEventDestroy(join);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
}

void test_wrong_copies_stop(void **)
{
    device_array<int> value(4);
    static int host[8];
    assert_stopped("not inside one allocation", [&] {
        cudaMemcpy(value.data(), host, 5 * sizeof(int), cudaMemcpyHostToDevice);
    });
    assert_stopped("not inside one allocation",
                   [&] { cudaMemcpy(host, host + 4, 16, cudaMemcpyDeviceToHost); });
    assert_stopped("host memory expected",
                   [&] { cudaMemcpy(value.data(), value.data(), 16, cudaMemcpyDeviceToHost); });
    assert_stopped("not inside one allocation", [&] { cudaMemset(host, 0, 16); });
}

void test_settings_from_words(void **)
{
    assert_stopped("\"schedule=fast\" is not a setting", [] {
        setenv("CUDA_EMULATOR", "seed=4,schedule=fast", 1);
        execl("/proc/self/exe", "test_runtime", nullptr);
    });
}
} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_capacity, remember_settings, restore_settings),
        cmocka_unit_test(test_memory_is_poisoned),
        cmocka_unit_test_setup_teardown(test_failures, remember_settings, restore_settings),
        cmocka_unit_test_setup_teardown(test_devices, remember_settings, restore_settings),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_pageable_memory),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_graph_keeps_arguments),
        cmocka_unit_test(test_capture_refuses_waiting),
        cmocka_unit_test(test_capture_of_two_streams),
        cmocka_unit_test(test_wrong_copies_stop),
        cmocka_unit_test(test_settings_from_words),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
