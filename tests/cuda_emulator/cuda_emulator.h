/* How a test steers the emulated device: schedules, memory, failures. C and C++; the CUDA calls
 * themselves are those of cuda_runtime_api.h and cublasLt.h. README.md says what is emulated. */
#ifndef CUDA_EMULATOR_H
#define CUDA_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which thread of a block goes on when several could. */
enum cuda_emulator_schedule {
    CUDA_EMULATOR_ASCENDING,        /* in turn, lowest thread first */
    CUDA_EMULATOR_DESCENDING,       /* in turn, highest thread first; blocks too */
    CUDA_EMULATOR_RANDOM,           /* drawn from seed; blocks too */
    CUDA_EMULATOR_AHEAD_ASCENDING,  /* one warp as far ahead as it can, from the lowest */
    CUDA_EMULATOR_AHEAD_DESCENDING, /* the same from the highest */
    CUDA_EMULATOR_SCHEDULES
};

struct cuda_emulator_settings {
    enum cuda_emulator_schedule schedule;
    uint64_t seed;
    /* Asynchronous work happens as late as it may: cp.async at its wait, streams at the first call
     * that waits for them. 0: at once. */
    int late;
    int device_count;
    int compute_capability; /* 10 · major + minor */
    uint64_t capacity;      /* bytes of memory of each device */
    /* What a device can do to a program that is right. */
    uint64_t others;     /* bytes of it that other processes hold */
    uint64_t hidden;     /* bytes that the device tells as free, but cannot give */
    uint64_t leak;       /* bytes that are gone for good with every allocation that is freed */
    uint64_t faulty;     /* kernels that run while more than this is allocated access illegally: a
                          * sticky error, told by the call that waits for them; 0: none */
    uint64_t timer;      /* its clock runs at so many permille of the host's; 1000 */
    uint64_t resolution; /* and moves on by so many nanoseconds at once; 1 */
    uint64_t capture;    /* 0: no stream can be captured; 1 */
};

/* Defaults: ascending, late, one device of compute capability 9.0 with 1 GiB; changed by the
 * environment variable CUDA_EMULATOR, e.g. "schedule=random,seed=3,late=0,capacity=1000000". */
struct cuda_emulator_settings cuda_emulator_current(void);

/* Takes effect for what is launched and allocated from now on. */
void cuda_emulator_configure(const struct cuda_emulator_settings *settings);

/* The next `after` runtime calls that can fail succeed, the one behind them fails with
 * `error` (a cudaError_t); sticky: and so does every call until cudaDeviceReset. */
void cuda_emulator_fail(int error, int after, int sticky);

/* Bytes allocated on the current device now, and the most there were. */
uint64_t cuda_emulator_allocated(void);
uint64_t cuda_emulator_peak(void);

/* The peak starts anew from what is allocated now. */
void cuda_emulator_forget_peak(void);

/* Kernels run since the start of the process. */
uint64_t cuda_emulator_kernels_run(void);

#ifdef __cplusplus
}
#endif

#endif
