/* One token a row, as engine/sampler.h defines it: the weights are those of
 * kernels/sample_definition.h bit for bit (this file is compiled without contraction), the sums
 * are integers, so the same logits give the same token as on a CPU. One block a row; the nucleus's
 * lowest weight is found by its four bytes, from sums by byte. */
#include "engine/cuda/kernel_common.cuh"

constexpr int sample_threads = 512;
constexpr int sample_warps = sample_threads / warp_size;
constexpr int sample_bytes = 256; /* values of a byte */

struct sample_shared {
    uint64_t sums[sample_warps];
    uint64_t weights[sample_warps];
    uint32_t ties[sample_warps];
    uint32_t low[sample_bytes], high[sample_bytes];
    uint64_t above, total;
    uint32_t lowest;
};

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
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        float logit = logits[i] + 0.0f; /* no negative zero */
        finite = finite && fabsf(logit) <= 0x1.fffffep+127f;
        uint32_t bits;
        memcpy(&bits, &logit, sizeof bits);
        bits = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
        uint64_t key = static_cast<uint64_t>(bits) << 32 | (UINT32_MAX - static_cast<uint32_t>(i));
        best = key > best ? key : best;
    }
    /* Above every key of a number: it wins the maximum. */
    best = finite ? best : UINT64_MAX;
    for (int step = warp_size / 2; step > 0; step /= 2) {
        uint64_t other = warp_shuffle_xor(best, step);
        best = other > best ? other : best;
    }
    if (lane_index() == 0)
        shared->sums[threadIdx.x / warp_size] = best;
    block_barrier();
    for (int i = 0; i < sample_warps; i++)
        best = shared->sums[i] > best ? shared->sums[i] : best;
    block_barrier();
    return best == UINT64_MAX ? 0 : best;
}

__device__ inline uint64_t sample_total(const float *logits, int64_t count, float max, float scale,
                                        sample_shared *shared)
{
    uint64_t sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum += sample_weight(logits[i], max, scale);
    for (int step = warp_size / 2; step > 0; step /= 2)
        sum += warp_shuffle_xor(sum, step);
    if (lane_index() == 0)
        shared->sums[threadIdx.x / warp_size] = sum;
    block_barrier();
    sum = 0;
    for (int i = 0; i < sample_warps; i++)
        sum += shared->sums[i];
    block_barrier();
    return sum;
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
__device__ inline void sample_sum_bytes(const float *logits, int64_t count, float max, float scale,
                                        uint64_t prefix, int shift, sample_shared *shared)
{
    for (int i = static_cast<int>(threadIdx.x); i < sample_bytes; i += sample_threads)
        shared->low[i] = shared->high[i] = 0;
    block_barrier();
    uint32_t byte = 0;
    uint64_t sum = 0; /* neighbours often share a byte: they are added at once */
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        uint32_t weight = sample_weight(logits[i], max, scale);
        if (static_cast<uint64_t>(weight) >> (shift + 8) != prefix)
            continue;
        uint32_t own = weight >> shift & (sample_bytes - 1);
        if (own != byte && sum != 0) {
            sample_add(shared, byte, sum);
            sum = 0;
        }
        byte = own;
        sum += weight;
    }
    if (sum != 0)
        sample_add(shared, byte, sum);
    block_barrier();
}

/* The largest weight at which the sum of the weights >= it reaches `needed` (shared->lowest), and
 * the sum of those above it (shared->above). */
__device__ inline void sample_find_lowest(const float *logits, int64_t count, float max,
                                          float scale, uint64_t needed, sample_shared *shared)
{
    if (threadIdx.x == 0) {
        shared->above = 0;
        shared->lowest = 0;
    }
    block_barrier();
    for (int shift = 24; shift >= 0; shift -= 8) {
        sample_sum_bytes(logits, count, max, scale, shared->lowest, shift, shared);
        if (threadIdx.x == 0) {
            int byte = sample_bytes - 1;
            uint64_t above = shared->above;
            for (; byte > 0; byte--) {
                uint64_t sum = static_cast<uint64_t>(shared->high[byte]) << 32 | shared->low[byte];
                if (above + sum >= needed)
                    break;
                above += sum;
            }
            shared->above = above;
            shared->lowest = shared->lowest << 8 | static_cast<uint32_t>(byte);
        }
        block_barrier();
    }
}

struct sample_nucleus {
    uint32_t lowest;
    uint64_t ties; /* of the weights that equal it, the first `ties` ids are in */
    uint64_t position;
};

/* Sums over the threads before this one of weights above the lowest, and of ties. */
__device__ inline void sample_scan(uint64_t *weights, uint32_t *ties, sample_shared *shared)
{
    uint64_t own_weights = *weights;
    uint32_t own_ties = *ties;
    for (int step = 1; step < warp_size; step *= 2) {
        uint64_t lower_weights = warp_shuffle_up(*weights, step);
        uint32_t lower_ties = warp_shuffle_up(*ties, step);
        if (lane_index() >= step) {
            *weights += lower_weights;
            *ties += lower_ties;
        }
    }
    int warp = static_cast<int>(threadIdx.x) / warp_size;
    if (lane_index() == warp_size - 1) {
        shared->weights[warp] = *weights;
        shared->ties[warp] = *ties;
    }
    block_barrier();
    *weights -= own_weights;
    *ties -= own_ties;
    for (int i = 0; i < warp; i++) {
        *weights += shared->weights[i];
        *ties += shared->ties[i];
    }
}

__device__ inline uint64_t sample_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The id, in the one thread whose run of ids holds it; -1 in the others. */
__device__ inline int64_t sample_walk(const float *logits, int64_t count, float max, float scale,
                                      const sample_nucleus &nucleus, sample_shared *shared)
{
    int64_t run = (count + sample_threads - 1) / sample_threads;
    int64_t first = run * threadIdx.x, end = first + run < count ? first + run : count;
    uint64_t weights = 0;
    uint32_t ties = 0;
    for (int64_t i = first; i < end; i++) {
        uint32_t weight = sample_weight(logits[i], max, scale);
        weights += weight > nucleus.lowest ? weight : 0;
        ties += weight == nucleus.lowest ? 1 : 0;
    }
    uint64_t weights_before = weights;
    uint32_t ties_before = ties;
    sample_scan(&weights_before, &ties_before, shared);
    uint64_t taken = sample_min(ties_before, nucleus.ties);
    uint64_t ties_left = sample_min(ties, nucleus.ties - taken);
    uint64_t low = weights_before + taken * nucleus.lowest;
    uint64_t high = low + weights + ties_left * nucleus.lowest;
    if (nucleus.position < low || nucleus.position >= high)
        return -1;
    uint64_t position = nucleus.position - low;
    for (int64_t i = first; i < end; i++) {
        uint32_t weight = sample_weight(logits[i], max, scale);
        if (weight < nucleus.lowest || (weight == nucleus.lowest && ties_left == 0))
            continue;
        ties_left -= weight == nucleus.lowest ? 1 : 0;
        if (position < weight)
            return i;
        position -= weight;
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
__global__ void sample_kernel(sample_call call)
{
    sample_shared *shared = reinterpret_cast<sample_shared *>(dynamic_shared_memory());
    int64_t row = blockIdx.x, step = call.state->step, count = call.vocabulary;
    const float *logits = call.logits + row * count;
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
    float max = logits[best_id], scale = call.scale;
    uint64_t total = sample_total(logits, count, max, scale, shared);
    sample_nucleus nucleus = {0, 0, 0};
    uint64_t sum = total;
    if (call.fraction >> 32 == 0) {
        uint64_t needed = sample_needed(call.fraction, total);
        sample_find_lowest(logits, count, max, scale, needed, shared);
        nucleus.lowest = shared->lowest;
        nucleus.ties = (needed - shared->above + nucleus.lowest - 1) / nucleus.lowest;
        sum = shared->above + nucleus.ties * nucleus.lowest;
    }
    uint64_t draw = sample_draw(call.seed, static_cast<uint32_t>(row), static_cast<uint32_t>(step));
    nucleus.position = sample_position(draw, sum);
    int64_t id = sample_walk(logits, count, max, scale, nucleus, shared);
    if (id >= 0)
        sample_store(call, row, step, id);
}

extern "C" cudaError_t kernel_sample(const struct sample_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)), dim3(sample_threads),
                          sizeof(sample_shared), call->stream, false};
    return launch_kernel<sample_kernel>(shape, *call);
}
