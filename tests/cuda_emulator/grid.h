/* The grid that runs: its threads, the block they form, and how one waits for others. Shared by
 * the emulator's own files; kernels see cuda_emulator_device.h. */
#ifndef CUDA_EMULATOR_GRID_H
#define CUDA_EMULATOR_GRID_H

#include "cuda_emulator.h"
#include "engine/cuda/device.h"
#include "fiber.h"

#include <string>
#include <vector>

namespace cuda_emulator
{
constexpr int most_threads = 1024;
constexpr int most_warps = most_threads / warp_size;

/* Two for the block's barrier, and two for each of the meetings a warp can have at a time. */
constexpr int meetings_per_warp = warp_size;
constexpr size_t order_objects = 2 + 2 * most_warps * meetings_per_warp;

/* A cp.async that is not known to be complete. */
struct pending_copy {
    unsigned char *shared;
    const unsigned char *global;
    int valid_bytes;
    int64_t group;
};

enum class thread_state { ready, at_barrier, in_warp_operation, returned };

struct thread {
    fiber own_fiber;
    uint3 index;
    int warp;
    int lane;
    thread_state state;
    call_site site; /* where it waits, or what it called last */
    std::vector<pending_copy> copies;
    int64_t open_group;
};

/* The one block that runs now. */
struct block {
    std::string kernel;
    uint3 index;
    std::vector<thread> threads;
    int live;    /* threads that have not returned */
    int waiting; /* of them, at the barrier */
    int64_t barriers_passed;
    call_site barrier_site;
    unsigned char *shared;
    size_t shared_bytes;
    unsigned char *order; /* addresses that stand for what barriers order: order_objects of them */
};

extern block running;
extern thread *current; /* NULL outside kernels */
extern cuda_emulator_settings settings;

/* Runs all blocks, one after the other. */
void run_grid(const std::string &kernel, const launch_shape &shape,
              const std::function<void()> &body);

/* ---- grid.cpp, for waiting ---- */
void make_ready(thread &which);
/* Lets another thread go on; returns when the caller, made ready meanwhile, is chosen again. */
void wait_turn();
/* The lanes of a warp that an operation has been executed for. */
void release_lanes(int warp, uint32_t lanes);

/* ---- warp.cpp ---- */
void start_warps();
/* A lane has returned: nobody may wait for it. */
void lane_returned(const thread &which);

/* ---- copies.cpp ---- */
/* Stops where 16 bytes are not all in the block's shared memory. */
void check_shared(const void *address, call_site site);
void finish_copies(thread &which);

/* ---- report.cpp: say what is wrong, and where, and end the process ---- */
[[noreturn]] void stop(const thread &where, call_site site, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
[[noreturn]] void stop_launch(const std::string &kernel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "file:line" */
std::string text_of(call_site site);
bool same_site(call_site left, call_site right);

/* "name<types>" of what launch_kernel was called for, from its __PRETTY_FUNCTION__. */
std::string kernel_name(const std::string &caller);

/* ---- memory.cpp ---- */
/* The whole range lies in one allocation of the current device. */
bool in_device_memory(const void *start, size_t bytes);
} // namespace cuda_emulator

#endif
