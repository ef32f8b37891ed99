/* Streams, events and captured graphs: a stream is a queue of operations that somebody who waits
 * executes. In the late mode nothing happens before such a wait, so that a host that reads too
 * early, or changes pinned memory too early, gets wrong values. */
#include "cuda_emulator.h"
#include "runtime.h"

#include <algorithm>
#include <vector>

namespace cuda_emulator
{
namespace
{
std::vector<CUstream_st *> streams; /* all but the default one */

CUstream_st &default_stream()
{
    static CUstream_st stream = {true, 0, {}, 0, nullptr, nullptr, false};
    return stream;
}

void execute_next(CUstream_st &stream)
{
    stream_operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    operation();
    stream.done++;
}

/* The default stream waits for all blocking ones; they catch up with it when they are used. */
void wait_for_blocking_streams()
{
    for (CUstream_st *each : streams)
        if (each->blocking && !each->capture)
            drain(*each);
}

void check_shape(const std::string &kernel, const launch_shape &shape)
{
    const dim3 &grid = shape.grid;
    const dim3 &block = shape.block;
    uint64_t threads = uint64_t{block.x} * block.y * block.z;
    if (threads == 0 || grid.x == 0 || grid.y == 0 || grid.z == 0)
        stop_launch(kernel, "launch of nothing: grid (%u, %u, %u), block (%u, %u, %u)", grid.x,
                    grid.y, grid.z, block.x, block.y, block.z);
    if (threads > most_threads || block.z > 64)
        stop_launch(kernel, "launch over limits: block (%u, %u, %u), at most 1024 threads", block.x,
                    block.y, block.z);
    if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
        stop_launch(kernel, "launch over limits: grid (%u, %u, %u), at most 65535 in y and z",
                    grid.x, grid.y, grid.z);
    if (shape.shared_bytes > most_shared_bytes())
        stop_launch(kernel, "launch over limits: %zu bytes of shared memory, at most %zu",
                    shape.shared_bytes, most_shared_bytes());
}

bool has_happened(const CUevent_st &event)
{
    return !event.stream || event.stream->done >= event.ticket;
}

void end_capture(CUstream_st &origin)
{
    for (CUstream_st *each : streams)
        if (each == &origin || each->capture_of == &origin) {
            each->capture = nullptr;
            each->capture_of = nullptr;
        }
}
} // namespace

CUstream_st &stream_of(cudaStream_t handle)
{
    bool is_default = !handle || handle == cudaStreamLegacy || handle == cudaStreamPerThread;
    return is_default ? default_stream() : *handle;
}

void drain(CUstream_st &stream, uint64_t ticket)
{
    while (!stream.queue.empty() && stream.done < ticket)
        execute_next(stream);
}

void drain_all()
{
    drain(default_stream());
    for (CUstream_st *each : streams)
        drain(*each);
}

void enqueue(cudaStream_t handle, stream_operation operation)
{
    CUstream_st &stream = stream_of(handle);
    if (stream.capture) {
        stream.capture->operations.push_back(std::move(operation));
        return;
    }
    bool is_default = &stream == &default_stream();
    if (is_default)
        wait_for_blocking_streams();
    else if (stream.blocking)
        drain(default_stream());
    stream.queue.push_back(std::move(operation));
    if (is_default || !settings.late)
        drain(stream);
}

void enqueue_unwaited(stream_operation operation)
{
    wait_for_blocking_streams();
    default_stream().queue.push_back(std::move(operation));
    if (!settings.late)
        drain(default_stream());
}

cudaError_t refuse_while_capturing()
{
    bool refused = false;
    for (CUstream_st *each : streams)
        if (each->capture) {
            each->capture_broken = true;
            refused = true;
        }
    return refused ? remember(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t launch(const char *caller, const launch_shape &shape, std::function<void()> work)
{
    if (cudaError_t failed = due_failure())
        return failed;
    std::string kernel = kernel_name(caller);
    check_shape(kernel, shape);
    enqueue(shape.stream, [=] {
        if (settings.faulty > 0 && cuda_emulator_allocated() > settings.faulty)
            strike();
        else if (after_wait() == cudaSuccess)
            run_grid(kernel, shape, work);
    });
    return cudaSuccess;
}
} // namespace cuda_emulator

using namespace cuda_emulator;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *result, unsigned int flags)
{
    if (cudaError_t failed = due_failure())
        return failed;
    bool blocking = !(flags & cudaStreamNonBlocking);
    *result = new CUstream_st{blocking, current_device(), {}, 0, nullptr, nullptr, false};
    streams.push_back(*result);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *result)
{
    return cudaStreamCreateWithFlags(result, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *result, unsigned int flags, int)
{
    return cudaStreamCreateWithFlags(result, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    auto found = std::find(streams.begin(), streams.end(), stream);
    if (found == streams.end())
        return remember(cudaErrorInvalidResourceHandle);
    drain(*stream);
    streams.erase(found);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    if (cudaError_t failed = due_failure())
        return failed;
    CUstream_st &stream = stream_of(handle);
    if (stream.capture)
        return refuse_while_capturing();
    drain(stream);
    return after_wait();
}

/* Asking makes the device go on by one operation, so that asking again and again ends. */
cudaError_t cudaStreamQuery(cudaStream_t handle)
{
    if (cudaError_t failed = due_failure())
        return failed;
    CUstream_st &stream = stream_of(handle);
    if (stream.capture)
        return refuse_while_capturing();
    if (stream.queue.empty())
        return cudaSuccess;
    execute_next(stream);
    return cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (cudaError_t failed = refuse_while_capturing())
        return failed;
    drain_all();
    return after_wait();
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *context)
{
    if (cudaError_t failed = due_failure())
        return failed;
    enqueue(stream, [=] { function(context); });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *result, unsigned int flags)
{
    if (cudaError_t failed = due_failure())
        return failed;
    *result = new CUevent_st{nullptr, 0, 0, !(flags & cudaEventDisableTiming), nullptr};
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *result)
{
    return cudaEventCreateWithFlags(result, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    if (event && event->stream)
        drain(*event->stream, event->ticket);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle)
{
    if (cudaError_t failed = due_failure())
        return failed;
    CUstream_st &stream = stream_of(handle);
    event->capture = stream.capture;
    event->stream = &stream;
    if (stream.capture)
        return cudaSuccess;
    event->ticket = stream.done + stream.queue.size() + 1;
    enqueue(handle, [event] { event->time_ns = time_ns(); });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (event->capture)
        return remember(cudaErrorInvalidValue);
    if (has_happened(*event))
        return cudaSuccess;
    execute_next(*event->stream);
    return cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (event->capture)
        return remember(cudaErrorInvalidValue);
    if (event->stream)
        drain(*event->stream, event->ticket);
    return after_wait();
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (!start->stream || !end->stream || !start->timed || !end->timed || start->capture ||
        end->capture)
        return remember(cudaErrorInvalidResourceHandle);
    if (!has_happened(*start) || !has_happened(*end))
        return cudaErrorNotReady;
    *milliseconds = static_cast<float>(static_cast<double>(end->time_ns) -
                                       static_cast<double>(start->time_ns)) /
                    1e6f;
    return cudaSuccess;
}

/* An event of a capture takes the waiting stream into the capture. */
cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned int)
{
    if (cudaError_t failed = due_failure())
        return failed;
    CUstream_st &stream = stream_of(handle);
    if (event->capture) {
        if (stream.capture && stream.capture != event->capture)
            return remember(cudaErrorStreamCaptureMerge);
        CUstream_st *origin = event->stream->capture_of ? event->stream->capture_of : event->stream;
        if (&stream != origin)
            stream.capture_of = origin;
        stream.capture = event->capture;
        return cudaSuccess;
    }
    if (stream.capture)
        return remember(cudaErrorStreamCaptureIsolation);
    CUstream_st *other = event->stream;
    uint64_t ticket = event->ticket;
    if (other && other != &stream)
        enqueue(handle, [=] { drain(*other, ticket); });
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode)
{
    if (cudaError_t failed = due_failure())
        return failed;
    CUstream_st &stream = stream_of(handle);
    if (&stream == &stream_of(nullptr) || settings.capture == 0)
        return remember(cudaErrorStreamCaptureUnsupported);
    if (stream.capture)
        return remember(cudaErrorIllegalState);
    stream.capture = new CUgraph_st;
    stream.capture_broken = false;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *result)
{
    CUstream_st &stream = stream_of(handle);
    *result = nullptr;
    if (!stream.capture)
        return remember(cudaErrorIllegalState);
    if (stream.capture_of)
        return remember(cudaErrorStreamCaptureUnmatched);
    CUgraph_st *graph = stream.capture;
    end_capture(stream);
    cudaError_t failed = due_failure();
    if (failed == cudaSuccess && stream.capture_broken)
        failed = remember(cudaErrorStreamCaptureInvalidated);
    if (failed != cudaSuccess) {
        delete graph;
        return failed;
    }
    *result = graph;
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus *status)
{
    CUstream_st &stream = stream_of(handle);
    *status = !stream.capture         ? cudaStreamCaptureStatusNone
              : stream.capture_broken ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *result, cudaGraph_t graph, unsigned long long)
{
    if (cudaError_t failed = due_failure())
        return failed;
    *result = new CUgraphExec_st{graph->operations};
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t)
{
    return due_failure();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (stream_of(stream).capture)
        return remember(cudaErrorNotSupported);
    for (const stream_operation &each : executable->operations)
        enqueue(stream, each);
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    if (nodes)
        return remember(cudaErrorNotSupported);
    *count = graph->operations.size();
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    delete executable;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
