/* What tests of single kernels share: values that every type holds exactly, arrays of a type on the
 * device, every schedule of the emulated GPU in turn. On a real one there is but its own. */
#ifndef TOKENMARK_TESTS_CUDA_KERNEL_FIXTURE_H
#define TOKENMARK_TESTS_CUDA_KERNEL_FIXTURE_H

#include "test.h"

#include "base/half.h"
#include "engine/cuda/cuda_kernels.h"

#if __has_include("cuda_emulator.h")
#include "cuda_emulator.h"
#endif

/* Multiples of 1/128 in [-1, 1), exact in float16 and bfloat16. */
static inline float exact_value(uint32_t index)
{
    index = (index ^ 61U) * 2654435761U;
    index ^= index >> 15;
    index *= 2246822519U;
    return (float)((int)(index >> 24) - 128) / 128;
}

static inline size_t element_bytes(enum device_type type)
{
    return type == DEVICE_F32 ? 4 : 2;
}

static inline float element_at(const void *array, enum device_type type, int64_t index)
{
    if (type == DEVICE_F32)
        return ((const float *)array)[index];
    uint16_t bits = ((const uint16_t *)array)[index];
    return type == DEVICE_F16 ? half_to_float(bits) : float_from_bits((uint32_t)bits << 16);
}

/* `value` is one of exact_value(), or zero. */
static inline void element_set(void *array, enum device_type type, int64_t index, float value)
{
    uint32_t bits = float_to_bits(value);
    if (type == DEVICE_F32)
        ((float *)array)[index] = value;
    else if (type == DEVICE_BF16)
        ((uint16_t *)array)[index] = (uint16_t)(bits >> 16);
    else
        ((uint16_t *)array)[index] =
            (uint16_t)(value == 0 ? 0
                                  : (bits >> 16 & 0x8000U) | (((bits >> 23 & 0xffU) - 112) << 10 |
                                                              (bits >> 13 & 0x3ffU)));
}

/* How far a value of the type can be from what it was rounded from, relative to it. */
static inline double type_rounding(enum device_type type)
{
    static const double table[] = {
        [DEVICE_F32] = 0, [DEVICE_F16] = 0x1p-11, [DEVICE_BF16] = 0x1p-8};
    return table[type];
}

static inline void *device_take(size_t bytes)
{
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
    assert_int_equal(cudaMemset(memory, 0, bytes), cudaSuccess);
    return memory;
}

static inline void *device_copy(const void *host, size_t bytes)
{
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
    assert_int_equal(cudaMemcpy(memory, host, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return memory;
}

/* exact_value(seed + i) for i below `count`; with `host`, a copy of it. */
static inline void *device_values(enum device_type type, int64_t count, uint32_t seed, void **host)
{
    void *values = calloc((size_t)count, element_bytes(type));
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        element_set(values, type, i, exact_value(seed + (uint32_t)i));
    void *device = device_copy(values, (size_t)count * element_bytes(type));
    if (host != NULL)
        *host = values;
    else
        free(values);
    return device;
}

static inline void device_read(void *host, const void *device, size_t bytes)
{
    assert_int_equal(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
}

/* Calls `test` with 0 to 9, in every schedule of threads and both modes of copies. */
static inline void in_all_schedules(void (*test)(int number))
{
#ifdef CUDA_EMULATOR_H
    const struct cuda_emulator_settings before = cuda_emulator_current();
    int number = 0;
    for (int schedule = 0; schedule < CUDA_EMULATOR_SCHEDULES; schedule++)
        for (int late = 0; late < 2; late++) {
            struct cuda_emulator_settings settings = before;
            settings.schedule = (enum cuda_emulator_schedule)schedule;
            settings.late = late;
            settings.seed = 11;
            cuda_emulator_configure(&settings);
            test(number++);
        }
    cuda_emulator_configure(&before);
#else
    for (int number = 0; number < 10; number++)
        test(number);
#endif
}

#endif
