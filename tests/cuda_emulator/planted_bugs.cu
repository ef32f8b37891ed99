/* planted_bugs CASE right|planted: runs one kernel of planted_kernels.cuh, as it should be or with
 * its bug, in every schedule and both modes of asynchronous work. Exit status 0: the values were
 * right in all of them; 1: not in all, and how many; else a report has ended it.
 * test_planted_bugs.c knows what each must say, in each build of this program. */
#include "cuda_emulator.h"
#include "device_array.h"
#include "planted_kernels.cuh"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

namespace
{
launch_shape shape(dim3 grid, dim3 block, size_t shared_bytes)
{
    return {grid, block, shared_bytes, nullptr, false};
}

std::vector<float> ramp(size_t count)
{
    std::vector<float> values(count);
    for (size_t i = 0; i < count; i++)
        values[i] = static_cast<float>(i % 31) - 10.0f;
    return values;
}

bool near(float value, float wanted)
{
    return std::fabs(value - wanted) <= 1e-3f * (1.0f + std::fabs(wanted));
}

float sum_of(const std::vector<float> &values, size_t start, size_t count)
{
    float sum = 0;
    for (size_t i = start; i < start + count; i++)
        sum += values[i];
    return sum;
}

bool missing_barrier(bool planted)
{
    constexpr int rows = 3;
    constexpr int count = 100;
    std::vector<float> values = ramp(rows * count);
    device_array<float> in(values);
    device_array<float> out(rows);
    launch_shape launch = shape(rows, block_threads, 2 * sizeof(float));
    if (planted)
        launch_kernel<missing_barrier_kernel<true>>(launch, out.data(), in.data(), count);
    else
        launch_kernel<missing_barrier_kernel<false>>(launch, out.data(), in.data(), count);
    std::vector<float> sums = out.values();
    bool right = true;
    for (size_t row = 0; row < rows; row++)
        right = right && near(sums[row], sum_of(values, row * count, count));
    return right;
}

bool missing_loop_barrier(bool planted)
{
    constexpr int size = 2 * tile;
    std::vector<float> values = ramp(size * size);
    device_array<float> a(values);
    device_array<float> b(values);
    device_array<float> c(size * size);
    launch_shape launch = shape(dim3(2, 2), dim3(tile, tile), 2 * tile * tile * sizeof(float));
    if (planted)
        launch_kernel<missing_loop_barrier_kernel<true>>(launch, c.data(), a.data(), b.data(),
                                                         size);
    else
        launch_kernel<missing_loop_barrier_kernel<false>>(launch, c.data(), a.data(), b.data(),
                                                          size);
    std::vector<float> product = c.values();
    bool right = true;
    for (size_t row = 0; row < size; row++)
        for (size_t column = 0; column < size; column++) {
            float wanted = 0;
            for (size_t k = 0; k < size; k++)
                wanted += values[row * size + k] * values[k * size + column];
            right = right && near(product[row * size + column], wanted);
        }
    return right;
}

template <ring_bug bug> bool ring()
{
    constexpr int chunks = 5;
    constexpr size_t chunk = 4 * block_threads;
    std::vector<float> values = ramp(chunks * chunk);
    device_array<float> in(values);
    device_array<float> out(block_threads);
    launch_kernel<ring_kernel<bug>>(shape(1, block_threads, 2 * chunk * sizeof(float)), out.data(),
                                    in.data(), chunks);
    bool right = true;
    for (float sum : out.values())
        right = right && near(sum, sum_of(values, 0, values.size()));
    return right;
}

bool missing_wait(bool planted)
{
    return planted ? ring<ring_bug::missing_wait>() : ring<ring_bug::none>();
}

bool missing_ring_barrier(bool planted)
{
    return planted ? ring<ring_bug::missing_barrier>() : ring<ring_bug::none>();
}

bool one_past_row(bool planted)
{
    constexpr int width = 96;
    std::vector<float> values = ramp(2 * width);
    device_array<float> in(values);
    device_array<float> out(2 * width);
    launch_shape launch = shape(2, block_threads, width * sizeof(float));
    if (planted)
        launch_kernel<one_past_row_kernel<true>>(launch, out.data(), in.data(), width);
    else
        launch_kernel<one_past_row_kernel<false>>(launch, out.data(), in.data(), width);
    std::vector<float> doubled = out.values();
    bool right = true;
    for (size_t i = 0; i < doubled.size(); i++)
        right = right && near(doubled[i], 2.0f * values[i]);
    return right;
}

bool relaxed_counter(bool planted)
{
    constexpr int blocks = 4;
    constexpr int count = 80;
    std::vector<float> values = ramp(blocks * count);
    device_array<float> in(values);
    device_array<float> parts(2 * blocks);
    device_array<float> out(1);
    device_array<uint32_t> finished(std::vector<uint32_t>{0});
    launch_shape launch = shape(blocks, block_threads, sizeof(uint32_t));
    if (planted)
        launch_kernel<relaxed_counter_kernel<true>>(launch, out.data(), parts.data(),
                                                    finished.data(), in.data(), count);
    else
        launch_kernel<relaxed_counter_kernel<false>>(launch, out.data(), parts.data(),
                                                     finished.data(), in.data(), count);
    return near(out.values()[0], sum_of(values, 0, values.size()));
}

template <auto kernel> bool moved(bool planted)
{
    constexpr size_t count = 4 * block_threads;
    std::vector<float> values = ramp(count + 4);
    device_array<float> in(values);
    device_array<float> out(count);
    int offset = planted ? 1 : 4;
    launch_kernel<kernel>(shape(1, block_threads, count * sizeof(float)), out.data(), in.data(),
                          offset);
    std::vector<float> result = out.values();
    return std::memcmp(result.data(), values.data() + offset, count * sizeof(float)) == 0;
}

bool misaligned_access(bool planted)
{
    return moved<misaligned_access_kernel>(planted);
}

bool misaligned_copy(bool planted)
{
    return moved<misaligned_copy_kernel>(planted);
}

bool misaligned_matrices(bool planted)
{
    device_array<uint32_t> out(4 * warp_size);
    launch_kernel<misaligned_matrices_kernel>(shape(1, warp_size, 16 * warp_size), out.data(),
                                              planted ? 8 : 0);
    /* Matrix 1, row 7: the bytes of lane 15's row. */
    return out.values()[4 * 31 + 1] == 0x0f0f0f0fu;
}

bool all_ones(const device_array<int> &array)
{
    bool right = true;
    for (int value : array.values())
        right = right && value == 1;
    return right;
}

bool divergent_barrier(bool planted)
{
    device_array<int> out(block_threads);
    launch_kernel<divergent_barrier_kernel>(shape(1, block_threads, 0), out.data(), planted);
    return all_ones(out);
}

bool deadlock(bool planted)
{
    device_array<int> out(block_threads);
    launch_kernel<deadlock_kernel>(shape(1, block_threads, 0), out.data(), planted);
    return all_ones(out);
}

bool exited_lanes(bool planted)
{
    device_array<int> out(warp_size);
    launch_kernel<exited_lanes_kernel>(shape(1, warp_size, 0), out.data(), planted ? 20 : 32);
    return out.values()[6] == 14;
}

bool different_operations(bool planted)
{
    device_array<int> out(warp_size);
    launch_kernel<different_operations_kernel>(shape(1, warp_size, 0), out.data(), planted);
    return out.values()[6] == 13;
}

/* Blocks run one after the other, so only the order of the schedule is known to end. */
bool waiting_block(bool planted)
{
    struct cuda_emulator_settings now = cuda_emulator_current();
    struct cuda_emulator_settings ascending = now;
    ascending.schedule = CUDA_EMULATOR_ASCENDING;
    cuda_emulator_configure(&ascending);
    device_array<uint32_t> flag(std::vector<uint32_t>{0});
    launch_kernel<waiting_block_kernel>(shape(2, warp_size, 0), flag.data(), planted);
    cuda_emulator_configure(&now);
    return flag.values()[0] == 1;
}

bool filled(dim3 grid, dim3 block, size_t shared_bytes)
{
    device_array<int> out(64);
    launch_kernel<fill_kernel>(shape(grid, block, shared_bytes), out.data(), 64);
    return out.values()[63] == 63;
}

bool too_many_threads(bool planted)
{
    return filled(1, planted ? dim3(1025) : dim3(1024), 0);
}

bool too_much_shared_memory(bool planted)
{
    return filled(1, 64, 227 * 1024 + (planted ? 1 : 0));
}

bool too_large_grid(bool planted)
{
    return filled(planted ? dim3(1, 65536) : dim3(1, 2), 64, 0);
}

bool early_host_read(bool planted)
{
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    int *host = nullptr;
    cudaMallocHost(reinterpret_cast<void **>(&host), 64 * sizeof(int));
    host[63] = -1;
    device_array<int> out(64);
    launch_shape launch = {1, 64, 0, stream, false};
    launch_kernel<fill_kernel>(launch, out.data(), 64);
    cudaMemcpyAsync(host, out.data(), 64 * sizeof(int), cudaMemcpyDeviceToHost, stream);
    if (!planted)
        cudaStreamSynchronize(stream);
    bool right = host[63] == 63;
    cudaStreamDestroy(stream);
    cudaFreeHost(host);
    return right;
}

/* A copy from pageable memory, and a kernel on a stream that does not wait for it. */
bool unordered_upload(bool planted)
{
    constexpr size_t count = 4 * block_threads;
    std::vector<float> values = ramp(count);
    device_array<float> in(count);
    device_array<float> out(count);
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (planted)
        cudaMemcpy(in.data(), values.data(), count * sizeof(float), cudaMemcpyHostToDevice);
    else
        cudaMemcpyAsync(in.data(), values.data(), count * sizeof(float), cudaMemcpyHostToDevice,
                        stream);
    launch_shape launch = {1, block_threads, 0, stream, false};
    launch_kernel<misaligned_access_kernel>(launch, out.data(), in.data(), 0);
    cudaStreamSynchronize(stream);
    std::vector<float> result = out.values();
    cudaStreamDestroy(stream);
    return std::memcmp(result.data(), values.data(), count * sizeof(float)) == 0;
}

struct test_case {
    const char *name;
    bool (*run)(bool planted);
};

const test_case cases[] = {
    {"missing_barrier", missing_barrier},
    {"missing_loop_barrier", missing_loop_barrier},
    {"missing_wait", missing_wait},
    {"missing_ring_barrier", missing_ring_barrier},
    {"one_past_row", one_past_row},
    {"relaxed_counter", relaxed_counter},
    {"misaligned_access", misaligned_access},
    {"misaligned_copy", misaligned_copy},
    {"misaligned_matrices", misaligned_matrices},
    {"divergent_barrier", divergent_barrier},
    {"deadlock", deadlock},
    {"exited_lanes", exited_lanes},
    {"different_operations", different_operations},
    {"waiting_block", waiting_block},
    {"too_many_threads", too_many_threads},
    {"too_much_shared_memory", too_much_shared_memory},
    {"too_large_grid", too_large_grid},
    {"early_host_read", early_host_read},
    {"unordered_upload", unordered_upload},
};

int run_all_schedules(const test_case &chosen, bool planted)
{
    int runs = 0;
    int wrong = 0;
    for (int schedule = 0; schedule < CUDA_EMULATOR_SCHEDULES; schedule++)
        for (int late = 0; late < 2; late++) {
            struct cuda_emulator_settings settings = cuda_emulator_current();
            settings.schedule = static_cast<cuda_emulator_schedule>(schedule);
            settings.late = late;
            settings.seed = 7;
            cuda_emulator_configure(&settings);
            runs++;
            wrong += !chosen.run(planted);
        }
    if (wrong > 0)
        std::printf("%s: wrong values in %d of %d schedules\n", chosen.name, wrong, runs);
    return wrong > 0;
}
} // namespace

/* Without arguments: every case as it should be. */
int main(int count, char **words)
{
    int status = 0;
    bool found = false;
    for (const test_case &each : cases)
        if (count < 3 || std::strcmp(each.name, words[1]) == 0) {
            found = true;
            status |= run_all_schedules(each, count == 3 && std::strcmp(words[2], "planted") == 0);
        }
    return found ? status : 2;
}
