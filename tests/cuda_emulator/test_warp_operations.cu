/* Warp operations against what NVIDIA documents: the layouts of mma and ldmatrix fragments as the
 * tables of the PTX manual give them, shuffles at their edges, ballots, masks of part of a warp. */
#include "engine/cuda/device.h"
#include "test_support.h"

namespace
{
constexpr int rows = 16;
constexpr int columns = 8;
constexpr int depth = 16;

launch_shape one_warp(size_t shared_bytes)
{
    return {1, warp_size, shared_bytes, nullptr, false};
}

/* Layouts as nested shapes and strides: lane = (lane % 4, lane / 4), then the value's digits. The
 * place in a matrix is row + rows · column, for B (stored as 8 × 16) column + 8 · k. */
struct fragment_table {
    int values;
    int lane_strides[2];  /* of lane % 4 and lane / 4 */
    int value_strides[3]; /* of bits 0, 1, 2 of the value's number */
};

const fragment_table a_table = {8, {32, 1}, {16, 8, 128}};
const fragment_table b_table = {4, {16, 1}, {8, 64, 0}};
const fragment_table c_table = {4, {32, 1}, {16, 8, 0}};

int place_of(const fragment_table &table, int lane, int value)
{
    int place = lane % 4 * table.lane_strides[0] + lane / 4 * table.lane_strides[1];
    for (int bit = 0; bit < 3; bit++)
        place += (value >> bit & 1) * table.value_strides[bit];
    return place;
}

template <typename T> T from_float(float value);
template <> __half from_float<__half>(float value)
{
    return __float2half_rn(value);
}
template <> __nv_bfloat16 from_float<__nv_bfloat16>(float value)
{
    return __float2bfloat16_rn(value);
}

/* Small whole numbers without a pattern: exact in both types. */
float number(int seed, int index)
{
    return static_cast<float>((index * 37 + index * index * seed) % 17 - 8);
}

template <typename T>
__global__ void multiply_kernel(float *c, const uint32_t *a, const uint32_t *b)
{
    uint32_t a_registers[4];
    uint32_t b_registers[2];
    float sums[4];
    for (int i = 0; i < 4; i++) {
        a_registers[i] = a[4 * lane_index() + i];
        sums[i] = c[4 * lane_index() + i];
    }
    for (int i = 0; i < 2; i++)
        b_registers[i] = b[2 * lane_index() + i];
    multiply_add_16x8x16<T>(sums, a_registers, b_registers);
    for (int i = 0; i < 4; i++)
        c[4 * lane_index() + i] = sums[i];
}

/* One register for two neighbouring values, the lower half first. */
template <typename T> std::vector<uint32_t> pack(const std::vector<T> &values)
{
    std::vector<uint32_t> registers(values.size() / 2);
    std::memcpy(registers.data(), values.data(), values.size() * sizeof(T));
    return registers;
}

template <typename T> void check_multiply_add()
{
    std::vector<T> a;
    std::vector<T> b;
    std::vector<float> c;
    for (int lane = 0; lane < warp_size; lane++) {
        for (int value = 0; value < a_table.values; value++)
            a.push_back(from_float<T>(number(3, place_of(a_table, lane, value))));
        for (int value = 0; value < b_table.values; value++)
            b.push_back(from_float<T>(number(5, place_of(b_table, lane, value))));
        for (int value = 0; value < c_table.values; value++)
            c.push_back(number(7, place_of(c_table, lane, value)));
    }
    device_array<uint32_t> device_a(pack(a));
    device_array<uint32_t> device_b(pack(b));
    device_array<float> device_c(c);
    launch_kernel<multiply_kernel<T>>(one_warp(0), device_c.data(), device_a.data(),
                                      device_b.data());
    std::vector<float> result = device_c.values();
    for (int lane = 0; lane < warp_size; lane++)
        for (int value = 0; value < c_table.values; value++) {
            int place = place_of(c_table, lane, value);
            int row = place % rows;
            int column = place / rows;
            float wanted = number(7, place);
            for (int k = 0; k < depth; k++)
                wanted += number(3, row + rows * k) * number(5, column + columns * k);
            assert_true(result[static_cast<size_t>(lane * c_table.values + value)] == wanted);
        }
}

void test_multiply_add(void **)
{
    in_all_schedules([] {
        check_multiply_add<__half>();
        check_multiply_add<__nv_bfloat16>();
    });
}

enum class load { x4, x4_transposed, x2, x2_transposed };

/* Matrix m holds 100 · m + 10 · row + column. */
template <load kind> __global__ void load_kernel(uint32_t *out)
{
    auto *elements = reinterpret_cast<unsigned short *>(dynamic_shared_memory());
    for (int i = lane_index(); i < 256; i += warp_size)
        elements[i] = static_cast<unsigned short>(i / 64 * 100 + i / 8 % 8 * 10 + i % 8);
    warp_barrier();
    const unsigned short *row = elements + 8 * lane_index();
    uint32_t four[4] = {};
    uint32_t two[2] = {};
    if (kind == load::x4)
        load_matrices_x4(four, row);
    else if (kind == load::x4_transposed)
        load_matrices_x4_transposed(four, row);
    else if (kind == load::x2)
        load_matrices_x2(two, row);
    else
        load_matrices_x2_transposed(two, row);
    bool pair = kind == load::x2 || kind == load::x2_transposed;
    for (int i = 0; i < 4; i++)
        out[4 * lane_index() + i] = !pair ? four[i] : i < 2 ? two[i] : 0;
}

template <load kind> void check_load()
{
    device_array<uint32_t> out(4 * warp_size);
    launch_kernel<load_kernel<kind>>(one_warp(512), out.data());
    std::vector<uint32_t> registers = out.values();
    bool transposed = kind == load::x4_transposed || kind == load::x2_transposed;
    unsigned matrices = kind == load::x4 || kind == load::x4_transposed ? 4 : 2;
    for (unsigned lane = 0; lane < warp_size; lane++)
        for (unsigned matrix = 0; matrix < matrices; matrix++)
            for (unsigned half = 0; half < 2; half++) {
                unsigned outer = lane / 4;
                unsigned inner = lane % 4 * 2 + half;
                unsigned wanted =
                    100 * matrix + (transposed ? 10 * inner + outer : 10 * outer + inner);
                assert_int_equal(registers[4 * lane + matrix] >> 16 * half & 0xffff, wanted);
            }
}

void test_load_matrices(void **)
{
    in_all_schedules([] {
        check_load<load::x4>();
        check_load<load::x4_transposed>();
        check_load<load::x2>();
        check_load<load::x2_transposed>();
    });
}

/* C = A · B as kernels do it: A row-major through ldmatrix, B (16 × 8) through the transposed
 * one, and Bᵀ (8 × 16) through the plain one. */
__global__ void tile_kernel(float *c, const __half *a, const __half *b, const __half *b_transposed)
{
    auto *shared_a = reinterpret_cast<__half *>(dynamic_shared_memory());
    __half *shared_b = shared_a + rows * depth;
    __half *shared_bt = shared_b + depth * columns;
    int lane = lane_index();
    copy_async_16(shared_a + 8 * lane, a + 8 * lane);
    if (lane < 16) {
        copy_async_16(shared_b + 8 * lane, b + 8 * lane);
        copy_async_16(shared_bt + 8 * lane, b_transposed + 8 * lane);
    }
    copy_async_commit();
    copy_async_wait<0>();
    warp_barrier();
    uint32_t a_registers[4];
    uint32_t b_registers[2];
    float sums[4] = {};
    load_matrices_x4(a_registers, shared_a + lane % 16 * depth + lane / 16 * 8);
    load_matrices_x2_transposed(b_registers, shared_b + lane % 16 * columns);
    multiply_add_16x8x16<__half>(sums, a_registers, b_registers);
    load_matrices_x2(b_registers, shared_bt + lane % 8 * depth + lane / 8 % 2 * 8);
    multiply_add_16x8x16<__half>(sums, a_registers, b_registers);
    for (int i = 0; i < 4; i++)
        c[(lane / 4 + i / 2 * 8) * columns + lane % 4 * 2 + i % 2] = sums[i];
}

void check_tile()
{
    std::vector<__half> a;
    std::vector<__half> b;
    std::vector<__half> b_transposed(columns * depth);
    for (int i = 0; i < rows * depth; i++)
        a.push_back(__float2half_rn(number(3, i)));
    for (int i = 0; i < depth * columns; i++) {
        b.push_back(__float2half_rn(number(5, i)));
        b_transposed[static_cast<size_t>(i % columns * depth + i / columns)] = b.back();
    }
    device_array<__half> device_a(a);
    device_array<__half> device_b(b);
    device_array<__half> device_bt(b_transposed);
    device_array<float> device_c(rows * columns);
    launch_kernel<tile_kernel>(one_warp(2 * (rows * depth + 2 * depth * columns)), device_c.data(),
                               device_a.data(), device_b.data(), device_bt.data());
    std::vector<float> c = device_c.values();
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            float wanted = 0;
            for (int k = 0; k < depth; k++)
                wanted += 2 * number(3, row * depth + k) * number(5, k * columns + column);
            assert_true(c[static_cast<size_t>(row * columns + column)] == wanted);
        }
}

void test_tile(void **)
{
    in_all_schedules(check_tile);
}

__global__ void shuffle_kernel(int *out, uint64_t *wide)
{
    int lane = lane_index();
    out[lane] = warp_shuffle_xor(lane, 5);
    out[32 + lane] = warp_shuffle_down(lane, 3);
    out[64 + lane] = warp_shuffle_up(lane, 3);
    out[96 + lane] = warp_shuffle(lane, 31 - lane);
    uint32_t half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    out[128 + lane] = warp_shuffle_xor(lane, 1, half);
    out[160 + lane] = static_cast<int>(warp_ballot(lane % 3 == 0, half));
    wide[lane] = warp_shuffle((uint64_t{1} << 40) + static_cast<uint64_t>(lane), 9);
    float sum = static_cast<float>(lane);
    for (int distance = 16; distance > 0; distance /= 2)
        sum += warp_shuffle_xor(sum, distance);
    out[192 + lane] = static_cast<int>(sum);
}

void check_shuffles()
{
    device_array<int> device_out(7 * warp_size);
    device_array<uint64_t> device_wide(warp_size);
    launch_kernel<shuffle_kernel>(one_warp(0), device_out.data(), device_wide.data());
    std::vector<int> out = device_out.values();
    std::vector<uint64_t> wide = device_wide.values();
    for (int lane = 0; lane < warp_size; lane++) {
        auto at = [&](int block) { return out[static_cast<size_t>(32 * block + lane)]; };
        int votes = 0;
        for (int other = lane / 16 * 16; other < lane / 16 * 16 + 16; other++)
            votes |= other % 3 == 0 ? static_cast<int>(1u << other) : 0;
        assert_int_equal(at(0), lane ^ 5);
        assert_int_equal(at(1), lane + 3 < 32 ? lane + 3 : lane);
        assert_int_equal(at(2), lane - 3 >= 0 ? lane - 3 : lane);
        assert_int_equal(at(3), 31 - lane);
        assert_int_equal(at(4), lane ^ 1);
        assert_int_equal(at(5), votes);
        assert_int_equal(at(6), 31 * 32 / 2);
        assert_true(wide[static_cast<size_t>(lane)] == (uint64_t{1} << 40) + 9);
    }
}

void test_shuffles(void **)
{
    in_all_schedules(check_shuffles);
}

/* Rows of 40 bytes, of which the last 16-byte piece has 8; what is not valid becomes 0. */
__global__ void partial_copy_kernel(unsigned char *out, const unsigned char *in)
{
    unsigned char *shared = dynamic_shared_memory();
    int valid = 40 - 16 * static_cast<int>(threadIdx.x);
    valid = valid > 16 ? 16 : valid > 0 ? valid : 0;
    copy_async_16(shared + 16 * threadIdx.x, in + 16 * threadIdx.x, valid);
    copy_async_commit();
    copy_async_wait<0>();
    for (unsigned i = 0; i < 16; i++)
        out[16 * threadIdx.x + i] = shared[16 * threadIdx.x + i];
}

void test_partial_copy(void **)
{
    in_all_schedules([] {
        device_array<unsigned char> in(std::vector<unsigned char>(40, 7));
        device_array<unsigned char> out(64);
        launch_kernel<partial_copy_kernel>({1, 4, 64, nullptr, false}, out.data(), in.data());
        std::vector<unsigned char> bytes = out.values();
        for (size_t i = 0; i < 64; i++)
            assert_int_equal(bytes[i], i < 40 ? 7 : 0);
    });
}

__global__ void atomic_kernel(uint32_t *count, uint64_t *most, float *sum)
{
    uint32_t number = blockIdx.x * blockDim.x + threadIdx.x;
    atomic_add_relaxed(count, 1u);
    atomic_max_relaxed(most, uint64_t{number} << 33 | 1);
    atomic_add_relaxed(sum, 0.5f);
}

void test_atomics(void **)
{
    in_all_schedules([] {
        device_array<uint32_t> count(std::vector<uint32_t>{0});
        device_array<uint64_t> most(std::vector<uint64_t>{0});
        device_array<float> sum(std::vector<float>{0});
        launch_kernel<atomic_kernel>({3, 40, 0, nullptr, false}, count.data(), most.data(),
                                     sum.data());
        assert_int_equal(count.values()[0], 120);
        assert_true(most.values()[0] == (uint64_t{119} << 33 | 1));
        assert_true(sum.values()[0] == 60.0f);
    });
}

/* Shared memory is NaN at the start of every block, also after another kernel has used it. */
__global__ void poison_kernel(int *out)
{
    auto *shared = reinterpret_cast<float *>(dynamic_shared_memory());
    out[blockIdx.x] = shared[threadIdx.x] != shared[threadIdx.x];
    shared[threadIdx.x] = 0;
}

void test_poisoned_shared_memory(void **)
{
    in_all_schedules([] {
        device_array<int> out(3);
        launch_kernel<poison_kernel>({3, 1, 4, nullptr, false}, out.data());
        for (int is_nan : out.values())
            assert_int_equal(is_nan, 1);
    });
}
} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multiply_add),
        cmocka_unit_test(test_load_matrices),
        cmocka_unit_test(test_tile),
        cmocka_unit_test(test_shuffles),
        cmocka_unit_test(test_partial_copy),
        cmocka_unit_test(test_atomics),
        cmocka_unit_test(test_poisoned_shared_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
