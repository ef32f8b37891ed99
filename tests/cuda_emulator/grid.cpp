/* Runs a kernel: block after block, one fiber a thread, and the order in which threads go on.
 * Which thread may go on is decided here alone; warp.cpp and copies.cpp say what it waits for. */
#include "grid.h"
#include "races.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <numeric>
#include <random>

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_emulator
{
block running;
thread *current;

namespace
{
fiber launcher;
std::deque<thread *> ready; /* those that may go on, the next to be taken first or last */
std::mt19937_64 draws;
const std::function<void()> *body;
char grid_end; /* orders all threads before what follows the grid */
uint64_t kernels_run;
int64_t idle_turns; /* yields since a thread last did anything else */

bool runs_ahead(cuda_emulator_schedule schedule)
{
    return schedule == CUDA_EMULATOR_AHEAD_ASCENDING || schedule == CUDA_EMULATOR_AHEAD_DESCENDING;
}

bool descends(cuda_emulator_schedule schedule)
{
    return schedule == CUDA_EMULATOR_DESCENDING || schedule == CUDA_EMULATOR_AHEAD_DESCENDING;
}

/* Of the threads from `first` on, `count` of them, those for which `chosen` says so become ready,
 * in an order in which the schedule's first is taken first. */
template <typename Chosen> void make_all_ready(size_t first, size_t count, Chosen chosen)
{
    /* What runs ahead is taken from the end. */
    bool backwards = descends(settings.schedule) != runs_ahead(settings.schedule);
    for (size_t i = 0; i < count; i++) {
        thread &each = running.threads[first + (backwards ? count - 1 - i : i)];
        if (chosen(each))
            make_ready(each);
    }
}

thread *take_ready()
{
    bool from_the_end = runs_ahead(settings.schedule);
    if (settings.schedule == CUDA_EMULATOR_RANDOM) {
        std::swap(ready[draws() % ready.size()], ready.back());
        from_the_end = true;
    }
    thread *taken = from_the_end ? ready.back() : ready.front();
    if (from_the_end)
        ready.pop_back();
    else
        ready.pop_front();
    return taken;
}

[[noreturn]] void stop_deadlock()
{
    const thread *at_barrier = nullptr;
    const thread *in_warp = nullptr;
    int lanes = 0;
    for (const thread &each : running.threads) {
        if (each.state == thread_state::at_barrier && !at_barrier)
            at_barrier = &each;
        if (each.state == thread_state::in_warp_operation) {
            lanes++;
            if (!in_warp)
                in_warp = &each;
        }
    }
    if (at_barrier && in_warp)
        stop(*at_barrier, at_barrier->site,
             "deadlock: divergent barrier: %d of %d threads wait here, %d wait for lanes of their "
             "warps, thread (%u, %u, %u) at %s",
             running.waiting, running.live, lanes, in_warp->index.x, in_warp->index.y,
             in_warp->index.z, text_of(in_warp->site).c_str());
    stop(*in_warp, in_warp->site, "deadlock: %d threads wait for lanes that never come", lanes);
}

void enter(thread &next)
{
    current = &next;
    threadIdx = next.index;
}

void open_barrier()
{
    running.waiting = 0;
    running.barriers_passed++;
    make_all_ready(0, running.threads.size(),
                   [](const thread &each) { return each.state == thread_state::at_barrier; });
}

/* What goes on when a thread has returned: another, or the launcher after the block's last. */
fiber &fiber_after(thread &self)
{
    races_out_of_sight hidden;
    self.state = thread_state::returned;
    running.live--;
    idle_turns = 0;
    lane_returned(self);
    if (running.live > 0 && running.waiting == running.live)
        open_barrier();
    if (running.live > 0 && ready.empty())
        stop_deadlock();
    if (running.live == 0)
        return launcher;
    enter(*take_ready());
    return current->own_fiber;
}

void thread_main()
{
    fiber_entered(current->own_fiber);
    (*body)();
    thread &self = *current;
    finish_copies(self);
    races_release(&grid_end);
    fiber_switch(self.own_fiber, fiber_after(self), true);
    std::abort(); /* a finished thread never goes on */
}

uint3 position(uint64_t number, dim3 extent)
{
    return {static_cast<unsigned>(number % extent.x),
            static_cast<unsigned>(number / extent.x % extent.y),
            static_cast<unsigned>(number / extent.x / extent.y)};
}

void start_threads(dim3 extent)
{
    for (thread &each : running.threads) {
        auto number = static_cast<int>(&each - running.threads.data());
        each.index = position(static_cast<uint64_t>(number), extent);
        each.warp = number / warp_size;
        each.lane = number % warp_size;
        each.site = {"start of the kernel", 0};
        each.copies.clear();
        each.open_group = 0;
        fiber_prepare(each.own_fiber, thread_main);
    }
    make_all_ready(0, running.threads.size(), [](const thread &) { return true; });
}

/* Exactly as many bytes as asked for, so that AddressSanitizer sees the first one behind. */
unsigned char *new_block_memory(size_t bytes)
{
    void *memory = nullptr;
    if (posix_memalign(&memory, 128, bytes ? bytes : 1) != 0)
        stop_launch(running.kernel, "no memory on the host for %zu bytes of shared memory", bytes);
    std::memset(memory, 0xff, bytes ? bytes : 1);
    return static_cast<unsigned char *>(memory);
}

void run_block(const launch_shape &shape)
{
    blockIdx = running.index;
    running.live = static_cast<int>(running.threads.size());
    running.waiting = 0;
    running.barriers_passed = 0;
    running.shared = new_block_memory(running.shared_bytes);
    running.order = new_block_memory(order_objects);
    ready.clear();
    start_threads(shape.block);
    start_warps();
    thread *first = take_ready();
    enter(*first);
    fiber_switch(launcher, first->own_fiber, false);
    current = nullptr;
    for (thread &each : running.threads)
        fiber_release(each.own_fiber, !races_detected);
}

std::vector<uint64_t> block_order(uint64_t count)
{
    std::vector<uint64_t> order(count);
    std::iota(order.begin(), order.end(), uint64_t{0});
    if (descends(settings.schedule))
        std::reverse(order.begin(), order.end());
    if (settings.schedule == CUDA_EMULATOR_RANDOM)
        std::shuffle(order.begin(), order.end(), draws);
    return order;
}
} // namespace

void make_ready(thread &which)
{
    which.state = thread_state::ready;
    ready.push_back(&which);
}

void release_lanes(int warp, uint32_t lanes)
{
    auto first = static_cast<size_t>(warp * warp_size);
    make_all_ready(first, std::min(running.threads.size() - first, size_t{warp_size}),
                   [lanes](const thread &each) { return (lanes >> each.lane & 1) != 0; });
}

void wait_turn()
{
    thread &self = *current;
    if (ready.empty())
        stop_deadlock();
    idle_turns = 0;
    thread *next = take_ready();
    if (next == &self)
        return;
    enter(*next);
    fiber_switch(self.own_fiber, next->own_fiber, false);
}

void block_barrier(call_site site)
{
    thread &self = *current;
    if (running.waiting > 0 && !same_site(site, running.barrier_site))
        stop(self, site, "divergent barrier: others of the block wait in the one at %s",
             text_of(running.barrier_site).c_str());
    running.barrier_site = site;
    self.site = site;
    self.state = thread_state::at_barrier;
    running.waiting++;
    unsigned char *object = running.order + running.barriers_passed % 2;
    races_release(object);
    {
        races_out_of_sight hidden;
        if (running.waiting == running.live)
            open_barrier();
        wait_turn();
    }
    races_acquire(object);
}

void yield(call_site site)
{
    constexpr int64_t patience = 1000000;
    races_out_of_sight hidden;
    thread &self = *current;
    self.site = site;
    int64_t turns = idle_turns + 1;
    if (turns > patience)
        stop(self, site,
             "waits for ever: nothing but such waiting happens in this block, and "
             "blocks run one after the other");
    /* Behind the others, whatever the schedule. */
    if (runs_ahead(settings.schedule))
        ready.push_front(&self);
    else
        ready.push_back(&self);
    wait_turn();
    idle_turns = turns;
}

unsigned char *shared_memory()
{
    return running.shared;
}

int lane()
{
    return current->lane;
}

uint64_t time_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t host =
        static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
    uint64_t device = host / 1000 * settings.timer + host % 1000 * settings.timer / 1000;
    return device / settings.resolution * settings.resolution;
}

void run_grid(const std::string &kernel, const launch_shape &shape,
              const std::function<void()> &kernel_body)
{
    running.kernel = kernel;
    running.shared_bytes = shape.shared_bytes;
    body = &kernel_body;
    blockDim = shape.block;
    gridDim = shape.grid;
    draws.seed(settings.seed + kernels_run);
    fiber_adopt(launcher);
    size_t threads = size_t{shape.block.x} * shape.block.y * shape.block.z;
    if (running.threads.size() > threads)
        for (size_t i = threads; i < running.threads.size(); i++)
            fiber_release(running.threads[i].own_fiber, false);
    running.threads.resize(threads);
    std::vector<std::unique_ptr<unsigned char, decltype(&std::free)>> used;
    for (uint64_t number : block_order(uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z)) {
        running.index = position(number, shape.grid);
        run_block(shape);
        /* While races are looked for, no block gets the memory of another. */
        if (!races_detected)
            used.clear();
        used.emplace_back(running.shared, &std::free);
        used.emplace_back(running.order, &std::free);
    }
    races_acquire(&grid_end);
    kernels_run++;
}
} // namespace cuda_emulator

uint64_t cuda_emulator_kernels_run(void)
{
    return cuda_emulator::kernels_run;
}
