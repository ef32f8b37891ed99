/* What the emulated runtime's files share: errors, streams and the queue behind them. */
#ifndef CUDA_EMULATOR_RUNTIME_H
#define CUDA_EMULATOR_RUNTIME_H

#include "grid.h"

#include <deque>
#include <functional>

using stream_operation = std::function<void()>;

/* The types that the CUDA headers leave opaque. */
struct CUgraph_st {
    std::deque<stream_operation> operations;
};

struct CUstream_st {
    bool blocking; /* ordered with the default stream */
    int device;
    std::deque<stream_operation> queue;
    uint64_t done;           /* operations taken from the queue so far */
    CUgraph_st *capture;     /* NULL: not capturing */
    CUstream_st *capture_of; /* the stream whose capture this one has joined */
    bool capture_broken;
};

struct CUevent_st {
    CUstream_st *stream; /* NULL: never recorded */
    uint64_t ticket;     /* happened once the stream has done as many */
    uint64_t time_ns;
    bool timed;
    CUgraph_st *capture; /* recorded in a capture */
};

struct CUgraphExec_st {
    std::deque<stream_operation> operations;
};

namespace cuda_emulator
{
/* ---- device.cpp ---- */
/* At the start of every call that can fail: the failure that is due, or cudaSuccess. */
cudaError_t due_failure();
/* A kernel has accessed illegally: every call fails from now on. */
void strike();
/* At the end of a call that waits: what kernels did meanwhile. */
cudaError_t after_wait();
/* Remembers a failure for cudaGetLastError; returns it. */
cudaError_t remember(cudaError_t status);
int current_device();
size_t most_shared_bytes();

/* ---- memory.cpp ---- */
bool in_pinned_memory(const void *start, size_t bytes);
/* Ends the process where a copy reads or writes what its kind does not allow. */
void check_copy(const void *target, const void *source, size_t bytes, cudaMemcpyKind &kind);
void release_device_memory();

/* ---- streams.cpp ---- */
/* The stream that a handle means. */
CUstream_st &stream_of(cudaStream_t handle);
/* Queues or captures; in the mode that does all at once also executes. */
void enqueue(cudaStream_t handle, stream_operation operation);
/* On the default stream; in the late mode executed with whatever comes to it next, or when somebody
 * waits for it, which streams that do not block never do. */
void enqueue_unwaited(stream_operation operation);
void drain(CUstream_st &stream, uint64_t ticket = UINT64_MAX);
void drain_all();
/* A call that waits or allocates is not possible now: an error, and the capture is broken. */
cudaError_t refuse_while_capturing();
} // namespace cuda_emulator

#endif
