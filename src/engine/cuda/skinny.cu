/* Products of up to 16 rows on tensor cores, where time is the reading of the weights: they are the
 * 16-row side of the mma, the tokens its 8-column side. A block has 16 or 32 outputs; its warps
 * take the inputs in turn, 64 at a time, and the inputs may be cut into parts over blocks as well.
 *
 * Every lane fetches what it multiplies itself, in 16-byte pieces through a ring of its own in
 * shared memory, so that the loop has no barrier: of each 32 inputs, lane (g, t) takes eight from
 * 8t on of outputs g and g + 8 and of token g. Which input is which column of the mma does not
 * matter as long as both sides agree. The four lanes of a row make 64 adjacent bytes, their two
 * pieces 128, the four warps 512. Sums are added in a fixed order: the same bits every time. */
#include "engine/cuda/skinny_epilogue.cuh"

constexpr int skinny_warps = 4;
constexpr int skinny_threads = skinny_warps * warp_size;
constexpr int skinny_stages = 4;
constexpr int skinny_pieces = 2;  /* of a row and lane in a chunk */
constexpr int skinny_piece = 8;   /* elements */
constexpr int skinny_chunk = 64;  /* inputs: 4 lanes * pieces * elements */
constexpr int skinny_tile = 16;   /* outputs of an mma */
constexpr int skinny_columns = 8; /* tokens of an mma */
constexpr int skinny_slot_bytes = 16 * warp_size;
/* Blocks of a multiprocessor that the inputs are cut for, and the least that a part then has. */
constexpr int64_t skinny_blocks = 4;
constexpr int64_t skinny_part_chunks = 2 * skinny_warps;

/* How one kernel is cut. */
template <int token_tiles, int output_tiles> struct skinny_cut {
    static constexpr int tokens = token_tiles * skinny_columns;
    static constexpr int outputs = output_tiles * skinny_tile;
    static constexpr int slots = skinny_pieces * (2 * output_tiles + token_tiles);
    static constexpr int warp_bytes = skinny_stages * slots * skinny_slot_bytes;
    static constexpr int ring_bytes = skinny_warps * warp_bytes;
    static constexpr int flag = skinny_warps * tokens * outputs; /* float behind the warps' sums */
};

/* The chunks of inputs that a warp multiplies: every skinny_warps-th from `first` on. */
struct skinny_range {
    int64_t first, count;
};

__device__ inline skinny_range skinny_part(const skinny_call &call)
{
    int64_t chunks = (call.inputs + skinny_chunk - 1) / skinny_chunk;
    int64_t start = chunks * blockIdx.y / gridDim.y, end = chunks * (blockIdx.y + 1) / gridDim.y;
    skinny_range range;
    range.first = start + threadIdx.x / warp_size;
    int64_t left = end - range.first;
    range.count = left > 0 ? (left + skinny_warps - 1) / skinny_warps : 0;
    return range;
}

/* First output of a tile of the block's, and one behind the last that it may have. */
struct skinny_outputs {
    int64_t first, end;
};

template <int output_tiles>
__device__ inline skinny_outputs skinny_rows(const skinny_call &call, int tile)
{
    int64_t middle = call.outputs / 2;
    if (!call.gated)
        return {(static_cast<int64_t>(blockIdx.x) * output_tiles + tile) * skinny_tile,
                call.outputs};
    int64_t first = static_cast<int64_t>(blockIdx.x) * skinny_tile;
    return {first + tile * middle, middle + tile * middle};
}

__device__ inline unsigned char *skinny_slot(unsigned char *stage, int slot)
{
    return stage + slot * skinny_slot_bytes + lane_index() * 16;
}

/* The input from which on this lane takes a piece of a chunk. */
__device__ inline int64_t skinny_input(const skinny_range &range, int64_t turn, int piece)
{
    return (range.first + turn * skinny_warps) * skinny_chunk + piece * (skinny_chunk / 2) +
           lane_index() % 4 * skinny_piece;
}

/* Starts the copies of the weights of the warp's chunk number `turn`; what lies outside the matrix
 * becomes zero. */
template <typename T, int token_tiles, int output_tiles>
__device__ inline void skinny_fetch_weights(const skinny_call &call, unsigned char *ring,
                                            const skinny_range &range, int64_t turn)
{
    using cut = skinny_cut<token_tiles, output_tiles>;
    unsigned char *stage = ring + turn % skinny_stages * cut::slots * skinny_slot_bytes;
    const T *weight = static_cast<const T *>(call.weight);
#pragma unroll
    for (int tile = 0; tile < output_tiles; tile++) {
        skinny_outputs outputs = skinny_rows<output_tiles>(call, tile);
#pragma unroll
        for (int side = 0; side < 2; side++) {
            int64_t output = outputs.first + side * 8 + lane_index() / 4;
#pragma unroll
            for (int piece = 0; piece < skinny_pieces; piece++) {
                int64_t input = skinny_input(range, turn, piece);
                bool is_there = output < outputs.end && input < call.inputs;
                const T *from = is_there ? weight + output * call.inputs + input : weight;
                copy_async_16(skinny_slot(stage, (tile * 2 + side) * skinny_pieces + piece), from,
                              is_there ? 16 : 0);
            }
        }
    }
}

/* The same of the tokens, behind the weights. */
template <typename T, int token_tiles, int output_tiles>
__device__ inline void skinny_fetch_tokens(const skinny_call &call, unsigned char *ring,
                                           const skinny_range &range, int64_t turn)
{
    using cut = skinny_cut<token_tiles, output_tiles>;
    unsigned char *stage = ring + turn % skinny_stages * cut::slots * skinny_slot_bytes;
    const T *x = static_cast<const T *>(call.x);
#pragma unroll
    for (int tile = 0; tile < token_tiles; tile++) {
        int64_t row = tile * skinny_columns + lane_index() / 4;
#pragma unroll
        for (int piece = 0; piece < skinny_pieces; piece++) {
            int64_t input = skinny_input(range, turn, piece);
            bool is_there = row < call.rows && input < call.inputs;
            const T *from = is_there ? x + row * call.x_stride + input : x;
            copy_async_16(skinny_slot(stage, (2 * output_tiles + tile) * skinny_pieces + piece),
                          from, is_there ? 16 : 0);
        }
    }
}

/* sums += W x of one chunk. */
template <typename T, int token_tiles, int output_tiles>
__device__ inline void skinny_multiply(unsigned char *stage,
                                       float (&sums)[output_tiles][token_tiles][4])
{
#pragma unroll
    for (int piece = 0; piece < skinny_pieces; piece++) {
        uint4 x[token_tiles];
#pragma unroll
        for (int tile = 0; tile < token_tiles; tile++)
            x[tile] =
                load_16(skinny_slot(stage, (2 * output_tiles + tile) * skinny_pieces + piece));
#pragma unroll
        for (int tile = 0; tile < output_tiles; tile++) {
            uint4 low = load_16(skinny_slot(stage, 2 * tile * skinny_pieces + piece));
            uint4 high = load_16(skinny_slot(stage, (2 * tile + 1) * skinny_pieces + piece));
            const uint32_t first[4] = {low.x, high.x, low.y, high.y};
            const uint32_t second[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
            for (int token = 0; token < token_tiles; token++) {
                const uint32_t b[2] = {x[token].x, x[token].y};
                const uint32_t c[2] = {x[token].z, x[token].w};
                multiply_add_16x8x16<T>(sums[tile][token], first, b);
                multiply_add_16x8x16<T>(sums[tile][token], second, c);
            }
        }
    }
}

/* Leaves the sums of the block's warps, added up, in the first floats of shared memory:
 * [token][output]. */
template <int token_tiles, int output_tiles>
__device__ inline void skinny_add_warps(float *shared, float (&sums)[output_tiles][token_tiles][4])
{
    using cut = skinny_cut<token_tiles, output_tiles>;
    constexpr int count = cut::tokens * cut::outputs;
    int lane = lane_index(), warp = static_cast<int>(threadIdx.x) / warp_size;
    block_barrier(); /* the rings are read */
#pragma unroll
    for (int tile = 0; tile < output_tiles; tile++)
#pragma unroll
        for (int token = 0; token < token_tiles; token++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int row = token * skinny_columns + lane % 4 * 2 + i % 2;
                int output = tile * skinny_tile + lane / 4 + i / 2 * 8;
                shared[warp * count + row * cut::outputs + output] = sums[tile][token][i];
            }
    block_barrier();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += skinny_threads) {
        float sum = shared[i];
        for (int other = 1; other < skinny_warps; other++)
            sum += shared[other * count + i];
        shared[i] = sum;
    }
    block_barrier();
}

/* Parts of the inputs: true in the block that finishes last, with the sum of all parts in shared
 * memory, added in their order. */
template <int count>
__device__ inline bool skinny_add_parts(const skinny_call &call, float *shared, float *flag)
{
    float *partials = call.partials + static_cast<int64_t>(blockIdx.x) * gridDim.y * count;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += skinny_threads)
        partials[static_cast<int64_t>(blockIdx.y) * count + i] = shared[i];
    block_barrier();
    if (threadIdx.x == 0) {
        uint32_t done = atomic_add_acquire_release(&call.counters[blockIdx.x], 1);
        bool is_last = done + 1 == gridDim.y;
        *flag = is_last ? 1.0f : 0.0f;
        if (is_last)
            call.counters[blockIdx.x] = 0;
    }
    block_barrier();
    if (*flag == 0.0f)
        return false;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += skinny_threads) {
        float sum = 0;
        for (int64_t part = 0; part < gridDim.y; part++)
            sum += partials[part * count + i];
        shared[i] = sum;
    }
    block_barrier();
    return true;
}

template <typename T, int token_tiles, int output_tiles>
__global__ void __launch_bounds__(skinny_threads) skinny_kernel(skinny_call call)
{
    using cut = skinny_cut<token_tiles, output_tiles>;
    unsigned char *memory = dynamic_shared_memory();
    unsigned char *ring = memory + threadIdx.x / warp_size * cut::warp_bytes;
    skinny_range range = skinny_part(call);
    release_successor();
    for (int64_t turn = 0; turn < skinny_stages - 1; turn++)
        if (turn < range.count)
            skinny_fetch_weights<T, token_tiles, output_tiles>(call, ring, range, turn);
    wait_for_predecessor();
    for (int64_t turn = 0; turn < skinny_stages - 1; turn++) {
        if (turn < range.count)
            skinny_fetch_tokens<T, token_tiles, output_tiles>(call, ring, range, turn);
        copy_async_commit();
    }
    float sums[output_tiles][token_tiles][4] = {};
    for (int64_t turn = 0; turn < range.count; turn++) {
        copy_async_wait<skinny_stages - 2>();
        int64_t next = turn + skinny_stages - 1;
        if (next < range.count) { /* into the stage that was multiplied last time */
            skinny_fetch_weights<T, token_tiles, output_tiles>(call, ring, range, next);
            skinny_fetch_tokens<T, token_tiles, output_tiles>(call, ring, range, next);
        }
        copy_async_commit();
        skinny_multiply<T, token_tiles, output_tiles>(
            ring + turn % skinny_stages * cut::slots * skinny_slot_bytes, sums);
    }
    copy_async_wait<0>();
    float *shared = reinterpret_cast<float *>(memory);
    skinny_add_warps<token_tiles, output_tiles>(shared, sums);
    if (gridDim.y > 1 &&
        !skinny_add_parts<cut::tokens * cut::outputs>(call, shared, shared + cut::flag))
        return;
    int width = call.gated ? skinny_tile : cut::outputs;
    skinny_outputs outputs = skinny_rows<output_tiles>(call, 0);
    for (int i = static_cast<int>(threadIdx.x); i < cut::tokens * width; i += skinny_threads) {
        int row = i / width, output = i % width;
        const float *sum = shared + row * cut::outputs + output;
        if (row < call.rows && outputs.first + output < outputs.end)
            skinny_store<T>(call, row, outputs.first + output, sum[0],
                            call.gated ? sum[skinny_tile] : 0.0f);
    }
}

/* Into how many parts the inputs are cut: as many as fill the device, where each keeps enough. */
static int64_t skinny_parts(const skinny_call &call, int64_t blocks, int64_t floats)
{
    int64_t wanted = skinny_blocks * call.multiprocessors / blocks;
    int64_t most = (call.inputs / skinny_chunk) / skinny_part_chunks;
    int64_t room = static_cast<int64_t>(call.partial_bytes / sizeof(float)) / (blocks * floats);
    int64_t parts = wanted < most ? wanted : most;
    parts = parts < room ? parts : room;
    return blocks > SKINNY_COUNTERS || parts < 1 ? 1 : parts;
}

template <typename T, int token_tiles, int output_tiles>
static cudaError_t skinny_launch(const skinny_call &call)
{
    using cut = skinny_cut<token_tiles, output_tiles>;
    int64_t blocks = call.gated ? divide_up(call.outputs / 2, skinny_tile)
                                : divide_up(call.outputs, cut::outputs);
    int64_t parts = skinny_parts(call, blocks, cut::tokens * cut::outputs);
    launch_shape shape = {dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(parts)),
                          dim3(skinny_threads), cut::ring_bytes, call.stream, call.overlap};
    return launch_kernel<skinny_kernel<T, token_tiles, output_tiles>>(shape, call);
}

/* Two tiles of outputs share what is read of the tokens: with many of them that counts. */
template <typename T> static cudaError_t skinny_choose(const skinny_call &call)
{
    constexpr int64_t few_rows = 4;
    if (call.rows > skinny_columns)
        return skinny_launch<T, 2, 2>(call);
    return call.gated || call.rows > few_rows ? skinny_launch<T, 1, 2>(call)
                                              : skinny_launch<T, 1, 1>(call);
}

extern "C" bool skinny_serves(const struct skinny_call *call)
{
    if (call->rows < 1 || call->outputs < 1 || call->inputs < 1 ||
        (call->gated && call->outputs % 2 != 0))
        return false;
    if (call->type == DEVICE_F32)
        return call->rows <= SKINNY_ROWS_MAX / 2;
    uintptr_t addresses =
        reinterpret_cast<uintptr_t>(call->weight) | reinterpret_cast<uintptr_t>(call->x);
    return call->rows <= SKINNY_ROWS_MAX && call->inputs % skinny_piece == 0 &&
           call->x_stride % skinny_piece == 0 && addresses % 16 == 0;
}

extern "C" int kernel_skinny_architecture(void)
{
    return kernel_architecture<skinny_kernel<__half, 1, 1>>();
}

extern "C" cudaError_t kernel_skinny(const struct skinny_call *call)
{
    if (!skinny_serves(call))
        return cudaErrorInvalidValue;
    if (call->type == DEVICE_F32)
        return kernel_gemv(call);
    return call->type == DEVICE_F16 ? skinny_choose<__half>(*call)
                                    : skinny_choose<__nv_bfloat16>(*call);
}
