/* What the attention kernels on tensor cores share: flash.cu (prompts) and flash_decode.cu (steps).
 *
 * Shared rows hold `padded` elements, those beyond the head's size zero; the 16-byte pieces of a
 * row are swapped by the row's number (xor), so that ldmatrix meets no bank twice. A warp has 16
 * queries. With g = lane / 4, t = lane % 4 a thread holds the scores of queries g and g + 8 at
 * keys 2t, 2t + 1 of every eight: see multiply_add_16x8x16 in device.h. */
#ifndef TOKENMARK_ENGINE_CUDA_FLASH_COMMON_CUH
#define TOKENMARK_ENGINE_CUDA_FLASH_COMMON_CUH

#include "engine/cuda/kernel_common.cuh"

constexpr int flash_row_bytes = 16; /* what a head's row must be a multiple of */
constexpr int64_t flash_dim_max = 256;
constexpr float log2_e = 1.4426950408889634f;

/* Where the 16-byte piece `piece` of row `row` lies. */
template <typename T, int padded> __device__ inline T *flash_piece(T *tile, int row, int piece)
{
    return tile + row * padded + (piece ^ (row & 7)) * 8;
}

/* Starts the copy of `rows` rows from `from`, `stride` elements apart; rows from `valid` on and
 * elements beyond `dim` become zero.
 * The `threads` of a block or a warp share the work. */
template <typename T, int padded, int rows, int threads>
__device__ inline void flash_load(T *tile, const T *from, int64_t stride, int valid, int dim,
                                  int thread)
{
    constexpr int pieces = padded / 8;
    for (int i = thread; i < rows * pieces; i += threads) {
        int row = i / pieces, piece = i % pieces;
        bool is_there = row < valid && piece * 8 < dim;
        const T *source = is_there ? from + row * stride + piece * 8 : from;
        copy_async_16(flash_piece<T, padded>(tile, row, piece), source, is_there ? 16 : 0);
    }
}

/* Two floats as a register of two T, the first in the lower half. */
template <typename T> __device__ inline uint32_t flash_pack(float low, float high)
{
    T pair[2] = {from_float<T>(low), from_float<T>(high)};
    uint32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return bits;
}

/* The warp's queries as A fragments, from shared memory. */
template <typename T, int padded>
__device__ inline void flash_fragment_a(uint32_t (&a)[4], T *tile, int first_row, int step)
{
    int lane = lane_index();
    load_matrices_x4(a, flash_piece<T, padded>(tile, first_row + lane % 16, 2 * step + lane / 16));
}

/* scores = Q K^T for 16 queries from first_row on and all keys of a tile. */
template <typename T, int padded, int tile_keys>
__device__ inline void flash_scores(float (&scores)[tile_keys / 8][4], T *queries, int first_row,
                                    T *keys)
{
    int lane = lane_index();
    for (auto &part : scores)
        for (float &score : part)
            score = 0;
#pragma unroll
    for (int step = 0; step < padded / 16; step++) {
        uint32_t a[4];
        flash_fragment_a<T, padded>(a, queries, first_row, step);
#pragma unroll
        for (int key = 0; key < tile_keys; key += 16) {
            /* Matrices: keys 0-7 and their two halves of the step, then keys 8-15. */
            uint32_t b[4];
            load_matrices_x4(b, flash_piece<T, padded>(keys, key + lane / 16 * 8 + lane % 8,
                                                       2 * step + lane / 8 % 2));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
            multiply_add_16x8x16<T>(scores[key / 8], a, first);
            multiply_add_16x8x16<T>(scores[key / 8 + 1], a, second);
        }
    }
}

/* The window as a bound of keys counted from the query's position, which fit int: those above it
 * are seen. */
__device__ inline int flash_window_low(const attention_call &call)
{
    return call.window > 0 && call.window <= INT32_MAX ? -static_cast<int>(call.window) : INT32_MIN;
}

/* Scale and soft-cap; the results count in powers of two. */
template <int parts>
__device__ inline void flash_scale(const attention_call &call, float (&scores)[parts][4])
{
    float before = call.scale, after = log2_e;
    if (call.softcap > 0) {
        after *= call.softcap;
        before /= call.softcap;
#pragma unroll
        for (int part = 0; part < parts; part++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                scores[part][i] = tanhf(scores[part][i] * before) * after;
        return;
    }
    before *= after;
#pragma unroll
    for (int part = 0; part < parts; part++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            scores[part][i] *= before;
}

/* Running maximum and sum of the thread's two queries. */
struct flash_softmax {
    float largest[2], sum[2], rescale[2];
};

/* Scores to weights; the sums are the thread's own share until the end. */
template <int parts>
__device__ inline void flash_weigh(flash_softmax &softmax, float (&scores)[parts][4])
{
#pragma unroll
    for (int side = 0; side < 2; side++) {
        float largest = softmax.largest[side];
#pragma unroll
        for (int part = 0; part < parts; part++)
            largest = fmaxf(largest, fmaxf(scores[part][2 * side], scores[part][2 * side + 1]));
        largest = fmaxf(largest, warp_shuffle_xor(largest, 1));
        largest = fmaxf(largest, warp_shuffle_xor(largest, 2));
        float base = largest > -INFINITY ? largest : 0.0f;
        softmax.rescale[side] = exp2_approximate(softmax.largest[side] - base);
        softmax.largest[side] = largest;
        float sum = 0;
#pragma unroll
        for (int part = 0; part < parts; part++)
#pragma unroll
            for (int i = 2 * side; i < 2 * side + 2; i++) {
                scores[part][i] = exp2_approximate(scores[part][i] - base);
                sum += scores[part][i];
            }
        softmax.sum[side] = softmax.sum[side] * softmax.rescale[side] + sum;
    }
}

/* What is left of two floats when they are rounded to T, as a register of two T. */
template <typename T> __device__ inline uint32_t flash_pack_rest(float low, float high)
{
    return flash_pack<T>(low - to_float(from_float<T>(low)), high - to_float(from_float<T>(high)));
}

/* out = out * rescale + weights V; `exact`: with weights of twice T's precision, in two parts. */
template <typename T, int padded, int tile_keys, bool exact>
__device__ inline void flash_sum(float (&out)[padded / 8][4],
                                 const float (&weights)[tile_keys / 8][4],
                                 const flash_softmax &softmax, T *values)
{
    int lane = lane_index();
#pragma unroll
    for (int part = 0; part < padded / 8; part++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            out[part][i] *= softmax.rescale[i / 2];
#pragma unroll
    for (int key = 0; key < tile_keys; key += 16) {
        const float(&low)[4] = weights[key / 8], (&high)[4] = weights[key / 8 + 1];
        const uint32_t a[4] = {flash_pack<T>(low[0], low[1]), flash_pack<T>(low[2], low[3]),
                               flash_pack<T>(high[0], high[1]), flash_pack<T>(high[2], high[3])};
        [[maybe_unused]] const uint32_t rest[4] = {
            flash_pack_rest<T>(low[0], low[1]), flash_pack_rest<T>(low[2], low[3]),
            flash_pack_rest<T>(high[0], high[1]), flash_pack_rest<T>(high[2], high[3])};
#pragma unroll
        for (int piece = 0; piece < padded / 8; piece += 2) {
            uint32_t b[4];
            load_matrices_x4_transposed(
                b, flash_piece<T, padded>(values, key + lane % 16, piece + lane / 16));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
            multiply_add_16x8x16<T>(out[piece], a, first);
            multiply_add_16x8x16<T>(out[piece + 1], a, second);
            if constexpr (exact) {
                multiply_add_16x8x16<T>(out[piece], rest, first);
                multiply_add_16x8x16<T>(out[piece + 1], rest, second);
            }
        }
    }
}

/* What both kernels ask of a head: 16-bit types, sizes up to 256 in whole 16 bytes. */
inline bool flash_serves_heads(const attention_call &call)
{
    constexpr int64_t elements = flash_row_bytes / static_cast<int64_t>(sizeof(uint16_t));
    return call.type != DEVICE_F32 && call.head_dim <= flash_dim_max &&
           call.head_dim % elements == 0 && call.query_stride % elements == 0;
}

#endif
