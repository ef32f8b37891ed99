/* One token a row, as engine/sampler.h defines it: the weights are those of
 * kernels/sample_definition.h bit for bit (this file is compiled without contraction), the sums
 * are integers, so the same logits give the same token as on a CPU. One block a row; weights are
 * made once; the nucleus's lowest is found by its four bytes, from sums by byte, and the token in
 * ever smaller parts of the row. */
#include "engine/cuda/kernel_common.cuh"

constexpr int sample_threads_min = 256, sample_threads_max = 1024;
constexpr int sample_warps_max = sample_threads_max / warp_size;
constexpr int sample_bytes = 256;          /* values of a byte */
constexpr int sample_quad = 4;             /* elements in 16 bytes */
constexpr int sample_part = 8 * warp_size; /* ids that a warp looks at together */

struct sample_shared {
    uint64_t sums[sample_warps_max];
    uint32_t ties[sample_warps_max];
    uint32_t low[sample_bytes], high[sample_bytes];
    uint64_t above;
    uint32_t lowest;
};

/* Calls use(i, values, count) for all elements of the thread, `count` of them from i on: several
 * loads of 16 bytes are on their way at once where the row is aligned. */
template <typename T, typename Use>
__device__ inline void sample_each(const T *row, int64_t count, Use use)
{
    constexpr int ahead = 4;
    bool is_aligned = reinterpret_cast<uintptr_t>(row) % 16 == 0;
    int64_t whole = is_aligned ? count / sample_quad * sample_quad : 0;
    int64_t step = static_cast<int64_t>(blockDim.x) * sample_quad;
    for (int64_t first = threadIdx.x * sample_quad; first < whole; first += ahead * step) {
        uint4 loaded[ahead] = {};
#pragma unroll
        for (int k = 0; k < ahead; k++)
            if (first + k * step < whole)
                loaded[k] = load_16(row + first + k * step);
#pragma unroll
        for (int k = 0; k < ahead; k++) {
            T values[sample_quad];
            memcpy(values, &loaded[k], sizeof values);
            if (first + k * step < whole)
                use(first + k * step, values, sample_quad);
        }
    }
    for (int64_t i = whole + threadIdx.x; i < count; i += blockDim.x) {
        T values[sample_quad] = {row[i]};
        use(i, values, 1);
    }
}

/* The block's sum; shared->sums may be used again after it. */
__device__ inline uint64_t sample_sum(uint64_t sum, sample_shared *shared)
{
    for (int step = warp_size / 2; step > 0; step /= 2)
        sum += warp_shuffle_xor(sum, step);
    if (lane_index() == 0)
        shared->sums[threadIdx.x / warp_size] = sum;
    block_barrier();
    sum = 0;
    for (int i = 0; i < static_cast<int>(blockDim.x) / warp_size; i++)
        sum += shared->sums[i];
    block_barrier();
    return sum;
}

__device__ inline uint32_t sample_weight(float logit, float max, float scale)
{
    constexpr float polynomial[7] = {1.0f,           0x1.62e430p-1f, 0x1.ebfbdcp-3f,
                                     0x1.c6aee8p-5f, 0x1.3b2d4cp-7f, 0x1.5f3e54p-10f,
                                     0x1.41fbbcp-13f};
    constexpr float lowest = -64.0f, shift = 12582912.0f;
    float z = (logit - max) * scale;
    z = z < lowest ? lowest : z;
    float shifted = z + shift;
    float f = z - (shifted - shift);
    float p = polynomial[6];
    for (int i = 5; i >= 0; i--)
        p = fmaf(p, f, polynomial[i]);
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 159u) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    uint64_t weight = static_cast<uint64_t>(p * power);
    return weight > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(weight);
}

/* Words 0 and 1 of Philox4x32-10 with this counter: the draw of a row at a step. */
__device__ inline uint64_t sample_draw(uint64_t seed, uint32_t row, uint32_t step)
{
    uint32_t word[4] = {row, step, 0, 0};
    uint32_t key_low = static_cast<uint32_t>(seed), key_high = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t first = static_cast<uint64_t>(0xD2511F53u) * word[0];
        uint64_t second = static_cast<uint64_t>(0xCD9E8D57u) * word[2];
        word[0] = static_cast<uint32_t>(second >> 32) ^ word[1] ^ key_low;
        word[1] = static_cast<uint32_t>(second);
        word[2] = static_cast<uint32_t>(first >> 32) ^ word[3] ^ key_high;
        word[3] = static_cast<uint32_t>(first);
        key_low += 0x9E3779B9u;
        key_high += 0xBB67AE85u;
    }
    return static_cast<uint64_t>(word[0]) << 32 | word[1];
}

/* ceil(fraction * total / 2^32), at least 1 */
__device__ inline uint64_t sample_needed(uint64_t fraction, uint64_t total)
{
    uint64_t low = fraction * (total & UINT32_MAX);
    uint64_t needed = fraction * (total >> 32) + ((low + UINT32_MAX) >> 32);
    return needed > 0 ? needed : 1;
}

/* floor(draw * sum / 2^64) */
__device__ inline uint64_t sample_position(uint64_t draw, uint64_t sum)
{
    uint64_t draw_low = draw & UINT32_MAX, draw_high = draw >> 32;
    uint64_t sum_low = sum & UINT32_MAX, sum_high = sum >> 32;
    uint64_t cross = draw_high * sum_low + (draw_low * sum_low >> 32);
    uint64_t middle = draw_low * sum_high + (cross & UINT32_MAX);
    return draw_high * sum_high + (cross >> 32) + (middle >> 32);
}

/* Largest logit above, and below it the lower id as the larger number; 0 where one is not
 * finite. */
__device__ inline uint64_t sample_best(const float *logits, int64_t count, sample_shared *shared)
{
    uint64_t best = 0;
    bool finite = true;
    sample_each(logits, count, [&](int64_t first, const float *values, int here) {
        for (int k = 0; k < here; k++) {
            float logit = values[k] + 0.0f; /* no negative zero */
            finite = finite && fabsf(logit) <= 0x1.fffffep+127f;
            uint32_t bits;
            memcpy(&bits, &logit, sizeof bits);
            bits = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
            uint64_t key =
                static_cast<uint64_t>(bits) << 32 | (UINT32_MAX - static_cast<uint32_t>(first + k));
            best = key > best ? key : best;
        }
    });
    /* Above every key of a number: it wins the maximum. */
    best = finite ? best : UINT64_MAX;
    for (int step = warp_size / 2; step > 0; step /= 2) {
        uint64_t other = warp_shuffle_xor(best, step);
        best = other > best ? other : best;
    }
    if (lane_index() == 0)
        shared->sums[threadIdx.x / warp_size] = best;
    block_barrier();
    for (int i = 0; i < static_cast<int>(blockDim.x) / warp_size; i++)
        best = shared->sums[i] > best ? shared->sums[i] : best;
    block_barrier();
    return best == UINT64_MAX ? 0 : best;
}

/* The weights of all logits, which may lie in the same memory, and their sum. */
__device__ inline uint64_t sample_weigh(const float *logits, uint32_t *weights, int64_t count,
                                        float max, float scale, sample_shared *shared)
{
    uint64_t sum = 0;
    sample_each(logits, count, [&](int64_t first, const float *values, int here) {
        uint32_t made[sample_quad] = {};
        for (int k = 0; k < here; k++) {
            made[k] = sample_weight(values[k], max, scale);
            sum += made[k];
        }
        if (here == sample_quad)
            store_16(weights + first, make_uint4(made[0], made[1], made[2], made[3]));
        else
            weights[first] = made[0];
    });
    return sample_sum(sum, shared);
}

__device__ inline void sample_add(sample_shared *shared, uint32_t byte, uint64_t sum)
{
    uint32_t low = static_cast<uint32_t>(sum);
    uint32_t before = atomic_add_shared(&shared->low[byte], low);
    uint32_t high = static_cast<uint32_t>(sum >> 32) + (before + low < before ? 1 : 0);
    if (high != 0)
        (void)atomic_add_shared(&shared->high[byte], high);
}

/* The sums, by the byte at `shift`, of the weights whose higher bytes are `prefix`. */
__device__ inline void sample_sum_bytes(const uint32_t *weights, int64_t count, uint64_t prefix,
                                        int shift, sample_shared *shared)
{
    for (int i = static_cast<int>(threadIdx.x); i < sample_bytes; i += static_cast<int>(blockDim.x))
        shared->low[i] = shared->high[i] = 0;
    block_barrier();
    uint32_t byte = 0;
    uint64_t sum = 0; /* neighbours often share a byte: they are added at once */
    sample_each(weights, count, [&](int64_t, const uint32_t *values, int here) {
        for (int k = 0; k < here; k++) {
            if (static_cast<uint64_t>(values[k]) >> (shift + 8) != prefix)
                continue;
            uint32_t own = values[k] >> shift & (sample_bytes - 1);
            if (own != byte && sum != 0) {
                sample_add(shared, byte, sum);
                sum = 0;
            }
            byte = own;
            sum += values[k];
        }
    });
    if (sum != 0)
        sample_add(shared, byte, sum);
    block_barrier();
}

__device__ inline uint64_t sample_byte_sum(const sample_shared *shared, int byte)
{
    return static_cast<uint64_t>(shared->high[byte]) << 32 | shared->low[byte];
}

/* The next byte of the lowest weight, from the sums by byte: one warp, a lane for 8 bytes, the
 * highest first. In one lane the sum reaches `needed`: it goes through its own. */
__device__ inline void sample_find_byte(uint64_t needed, sample_shared *shared)
{
    constexpr int own_bytes = sample_bytes / warp_size;
    int highest = sample_bytes - 1 - lane_index() * own_bytes;
    uint64_t own = 0, above = shared->above;
    for (int i = 0; i < own_bytes; i++)
        own += sample_byte_sum(shared, highest - i);
    uint64_t reached = own;
    for (int step = 1; step < warp_size; step *= 2) {
        uint64_t higher = warp_shuffle_up(reached, step);
        reached += lane_index() >= step ? higher : 0;
    }
    reached += above;
    above = reached - own;
    warp_barrier(); /* all have read shared->above */
    if (above >= needed || reached < needed)
        return;
    int byte = highest;
    for (; byte > highest - own_bytes + 1; byte--) {
        uint64_t sum = sample_byte_sum(shared, byte);
        if (above + sum >= needed)
            break;
        above += sum;
    }
    shared->above = above;
    shared->lowest = shared->lowest << 8 | static_cast<uint32_t>(byte);
}

/* The largest weight at which the sum of the weights >= it reaches `needed` (shared->lowest), and
 * the sum of those above it (shared->above). */
__device__ inline void sample_find_lowest(const uint32_t *weights, int64_t count, uint64_t needed,
                                          sample_shared *shared)
{
    if (threadIdx.x == 0) {
        shared->above = 0;
        shared->lowest = 0;
    }
    block_barrier();
    for (int shift = 24; shift >= 0; shift -= 8) {
        sample_sum_bytes(weights, count, shared->lowest, shift, shared);
        if (threadIdx.x < warp_size)
            sample_find_byte(needed, shared);
        block_barrier();
    }
}

struct sample_nucleus {
    uint32_t lowest;
    uint64_t ties; /* of the weights that equal it, the first `ties` ids are in */
    uint64_t position;
};

/* Of some ids: the sum of the weights above the lowest, and how many equal it. */
struct sample_share {
    uint64_t weights;
    uint32_t ties;
};

/* What a share of the ids from 0 on adds up to in the nucleus. */
__device__ inline uint64_t sample_value(const sample_nucleus &nucleus, const sample_share &share)
{
    uint64_t ties = share.ties < nucleus.ties ? share.ties : nucleus.ties;
    return share.weights + ties * nucleus.lowest;
}

__device__ inline sample_share operator+(const sample_share &a, const sample_share &b)
{
    return {a.weights + b.weights, a.ties + b.ties};
}

__device__ inline sample_share sample_single(const sample_nucleus &nucleus, uint32_t weight)
{
    return {weight > nucleus.lowest ? weight : 0u, weight == nucleus.lowest ? 1u : 0u};
}

/* The share of ids [first, end), by all lanes of a warp. */
__device__ inline sample_share sample_add_up(const uint32_t *weights, int64_t first, int64_t end,
                                             const sample_nucleus &nucleus)
{
    sample_share share = {0, 0};
#pragma unroll 8
    for (int64_t i = first + lane_index(); i < end; i += warp_size)
        share = share + sample_single(nucleus, weights[i]);
    for (int step = warp_size / 2; step > 0; step /= 2)
        share = share + sample_share{warp_shuffle_xor(share.weights, step),
                                     warp_shuffle_xor(share.ties, step)};
    return share;
}

/* The id among [first, end), by all lanes of a warp, which know that it is there and what is before
 * it: it is returned in the id's lane, -1 in the others. */
__device__ inline int64_t sample_pick(const uint32_t *weights, int64_t first, int64_t end,
                                      const sample_nucleus &nucleus, sample_share before)
{
    for (; first < end; first += warp_size) {
        int64_t i = first + lane_index();
        sample_share reached = {0, 0};
        if (i < end)
            reached = sample_single(nucleus, weights[i]);
        for (int step = 1; step < warp_size; step *= 2) {
            sample_share lower = {warp_shuffle_up(reached.weights, step),
                                  warp_shuffle_up(reached.ties, step)};
            if (lane_index() >= step)
                reached = reached + lower;
        }
        reached = before + reached;
        uint32_t lanes = warp_ballot(sample_value(nucleus, reached) > nucleus.position);
        if (lanes != 0) {
            uint32_t lowest_lane = lanes & (0u - lanes);
            return lowest_lane == 1u << lane_index() ? i : -1;
        }
        before = {warp_shuffle(reached.weights, warp_size - 1),
                  warp_shuffle(reached.ties, warp_size - 1)};
    }
    return -1;
}

/* The id, in one thread of the warp whose run of ids holds it; -1 in the others. */
__device__ inline int64_t sample_walk(const uint32_t *weights, int64_t count,
                                      const sample_nucleus &nucleus, sample_shared *shared)
{
    int warps = static_cast<int>(blockDim.x) / warp_size;
    int warp = static_cast<int>(threadIdx.x) / warp_size;
    int64_t run = (count + warps * sample_part - 1) / (warps * sample_part) * sample_part;
    int64_t first = run * warp < count ? run * warp : count;
    int64_t end = first + run < count ? first + run : count;
    sample_share share = sample_add_up(weights, first, end, nucleus), before = {0, 0};
    if (lane_index() == 0) {
        shared->sums[warp] = share.weights;
        shared->ties[warp] = share.ties;
    }
    block_barrier();
    for (int i = 0; i < warp; i++)
        before = before + sample_share{shared->sums[i], shared->ties[i]};
    if (sample_value(nucleus, before) > nucleus.position ||
        sample_value(nucleus, before + share) <= nucleus.position)
        return -1;
    for (; first < end; first += sample_part) {
        int64_t stop = first + sample_part < end ? first + sample_part : end;
        share = before + sample_add_up(weights, first, stop, nucleus);
        if (sample_value(nucleus, share) > nucleus.position)
            return sample_pick(weights, first, stop, nucleus, before);
        before = share;
    }
    return -1;
}

__device__ inline void sample_store(const sample_call &call, int64_t row, int64_t step, int64_t id)
{
    call.chosen[step * call.rows + row] = static_cast<int32_t>(id);
    int32_t next = static_cast<int32_t>(id < 0 ? 0 : id);
    if (call.forced != nullptr && step < call.forced_steps)
        next = call.forced[step * call.rows + row];
    call.next[row] = next;
}

/* A row whose logits are not finite gets the id -1, and the state counts it. */
__global__ void __launch_bounds__(sample_threads_max) sample_kernel(sample_call call)
{
    wait_for_predecessor();
    sample_shared *shared = reinterpret_cast<sample_shared *>(dynamic_shared_memory());
    int64_t row = blockIdx.x, step = call.state->step, count = call.vocabulary;
    const float *logits = call.logits + row * count;
    uint32_t *weights = call.weights + row * count;
    uint64_t best = sample_best(logits, count, shared);
    int64_t best_id = UINT32_MAX - static_cast<uint32_t>(best);
    if (best == 0 || call.temperature == 0) {
        if (threadIdx.x == 0) {
            if (best == 0)
                (void)atomic_add_relaxed(&call.state->not_finite, 1);
            sample_store(call, row, step, best == 0 ? -1 : best_id);
        }
        return;
    }
    float max = logits[best_id];
    block_barrier(); /* all have read it: weights may take its place */
    uint64_t total = sample_weigh(logits, weights, count, max, call.scale, shared);
    sample_nucleus nucleus = {0, 0, 0};
    uint64_t sum = total;
    if (call.fraction >> 32 == 0) {
        uint64_t needed = sample_needed(call.fraction, total);
        sample_find_lowest(weights, count, needed, shared);
        nucleus.lowest = shared->lowest;
        nucleus.ties = (needed - shared->above + nucleus.lowest - 1) / nucleus.lowest;
        sum = shared->above + nucleus.ties * nucleus.lowest;
    }
    uint64_t draw = sample_draw(call.seed, static_cast<uint32_t>(row), static_cast<uint32_t>(step));
    nucleus.position = sample_position(draw, sum);
    int64_t id = sample_walk(weights, count, nucleus, shared);
    if (id >= 0)
        sample_store(call, row, step, id);
}

extern "C" cudaError_t kernel_sample(const struct sample_call *call)
{
    /* All threads of the largest block have 16 bytes to read several times. */
    constexpr int64_t ids_a_thread = 16;
    int64_t threads = call->vocabulary / ids_a_thread / warp_size * warp_size;
    threads = threads < sample_threads_min ? sample_threads_min : threads;
    threads = threads > sample_threads_max ? sample_threads_max : threads;
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)),
                          dim3(static_cast<unsigned>(threads)), sizeof(sample_shared), call->stream,
                          call->overlap};
    return launch_kernel<sample_kernel>(shape, *call);
}
