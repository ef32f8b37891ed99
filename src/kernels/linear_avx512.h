/* What the AVX-512 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX512_H
#define TOKENMARK_KERNELS_LINEAR_AVX512_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* The epilogue of a tile: bias to residual, and the store, of sums [rows][32], 64-byte aligned. */
void linear_store_avx512(const struct linear_tile *tile, const float *sums);

/* int8: the sums [rows][32], less their corrections and scaled, become float32 in place. */
void linear_dequantise_avx512(const struct linear_tile *tile, float *sums);

/* Interleaves rows of 32-bit words, of one or of two a step (linear_tile_set: copy_rows). */
void linear_interleave_avx512(const char *from, int64_t from_stride, int64_t rows, int64_t steps,
                              char *to, int64_t to_stride);
void linear_interleave_twos_avx512(const char *from, int64_t from_stride, int64_t rows,
                                   int64_t steps, char *to, int64_t to_stride);

enum { LINEAR_LOADED_ROWS = 4 };

/* sum += *x * weight, the load being part of the instruction: written so, since a compiler would
 * load a value that is used twice into a register. */
static inline __attribute__((always_inline)) void
linear_multiply_add_avx512(__m512 *sum, const float *x, __m512 weight)
{
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(*sum) : "v"(weight), "m"(*x));
}

/* The same of a loaded value. gcc, left to choose the form of a multiply-add, moves sums about. */
static inline __attribute__((always_inline)) void
linear_multiply_add_loaded_avx512(__m512 *sum, __m512 value, __m512 weight)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(weight), "v"(value));
}

/* Fetches what `steps` steps of a tile are to fetch. Steps of at
 * most a line fetch one line each, longer ones two. */
static inline __attribute__((always_inline)) void
linear_prefetch_avx512(const char *ahead, int64_t ahead_step, const int steps)
{
#pragma GCC unroll 4
    for (int i = 0; i < steps; i++)
        _mm_prefetch(ahead + i * ahead_step, _MM_HINT_T1);
    if (ahead_step > LINEAR_LINE)
#pragma GCC unroll 4
        for (int i = 0; i < steps; i++)
            _mm_prefetch(ahead + i * ahead_step + LINEAR_LINE, _MM_HINT_T1);
}

extern const struct linear_tile_set linear_f32_avx512;
extern const struct linear_tile_set linear_f16_avx512;
extern const struct linear_tile_set linear_bf16_avx512;
extern const struct linear_tile_set linear_i8_avx512;
extern const struct linear_tile_set linear_i8_avx512_vnni;
extern const struct linear_tile_set linear_bf16_avx512_bf16;

#endif
