/* Operations of a warp: each lane waits with its operands, and the last of the mask to arrive
 * executes the whole operation for all of them. */
#include "grid.h"
#include "races.h"

#include <array>
#include <cstring>

namespace cuda_emulator
{
namespace
{
enum class operation { barrier, shuffle, ballot, load_matrices, multiply_add };

struct operands {
    uint64_t value;
    int parameter; /* source lane or what it is made from; matrices; bfloat16 */
    source_lane source;
    bool transposed;
    uint64_t result;
    const void *row;
    uint32_t *registers;
    float *sums;
    const uint32_t *a;
    const uint32_t *b;
    unsigned char *object; /* that orders the lanes of this barrier */
};

/* Lanes that wait for the rest of one mask. */
struct meeting {
    uint32_t mask;
    uint32_t arrived;
    operation what;
    call_site site; /* of the first to arrive */
    uint64_t rounds;
    std::array<operands *, warp_size> of;
};

struct warp_state {
    uint32_t present; /* lanes that have not returned */
    uint32_t taken;   /* places of meetings */
    std::array<meeting, meetings_per_warp> meetings;
};
std::array<warp_state, most_warps> warps;

warp_state &warp_of(const thread &which)
{
    return warps[static_cast<size_t>(which.warp)];
}

const char *name_of(operation what)
{
    static const char *const names[] = {"warp_barrier", "warp_shuffle", "warp_ballot",
                                        "load_matrices", "multiply_add"};
    return names[static_cast<int>(what)];
}

/* ldmatrix and mma must be one and the same instruction for all lanes. */
bool needs_same_site(operation what)
{
    return what == operation::load_matrices || what == operation::multiply_add;
}

void check_mask(const thread &self, uint32_t mask, call_site site)
{
    if (!(mask >> self.lane & 1))
        stop(self, site, "mask %08x does not name the calling lane %d", mask, self.lane);
    uint32_t absent = mask & ~warp_of(self).present;
    if (absent == 0)
        return;
    int lane = __builtin_ctz(absent);
    size_t number = static_cast<size_t>(self.warp * warp_size + lane);
    if (number >= running.threads.size())
        stop(self, site, "mask %08x names lane %d, which the block does not have", mask, lane);
    stop(self, site, "mask %08x names lane %d, which has returned (exited)", mask, lane);
}

/* Where the caller's lane meets the others of the mask, a new place if it is the first. */
meeting &find_meeting(const thread &self, uint32_t mask, operation what, call_site site)
{
    warp_state &warp = warp_of(self);
    for (uint32_t rest = warp.taken; rest != 0; rest &= rest - 1) {
        meeting &each = warp.meetings[static_cast<size_t>(__builtin_ctz(rest))];
        if (each.mask == mask) {
            if (each.what != what || (needs_same_site(what) && !same_site(each.site, site)))
                stop(self, site, "divergent warp operation: %s meets %s at %s", name_of(what),
                     name_of(each.what), text_of(each.site).c_str());
            return each;
        }
        /* Those lanes wait for the caller, and the caller would wait for them. */
        if (each.arrived & mask && each.mask >> self.lane & 1)
            stop(self, site, "divergent warp operation: mask %08x meets mask %08x of %s at %s",
                 mask, each.mask, name_of(each.what), text_of(each.site).c_str());
    }
    int place = __builtin_ctz(~warp.taken);
    warp.taken |= 1u << place;
    meeting &made = warp.meetings[static_cast<size_t>(place)];
    made.mask = mask;
    made.arrived = 0;
    made.what = what;
    made.site = site;
    return made;
}

int source_of(const operands &own, int lane)
{
    int source = lane;
    switch (own.source) {
    case source_lane::exclusive_or:
        source = lane ^ own.parameter;
        break;
    case source_lane::above:
        source = lane + own.parameter;
        break;
    case source_lane::below:
        source = lane - own.parameter;
        break;
    case source_lane::given:
        return own.parameter % warp_size;
    }
    return source >= 0 && source < warp_size ? source : lane;
}

void execute_shuffle(const meeting &all, int lane)
{
    operands &own = *all.of[static_cast<size_t>(lane)];
    int source = source_of(own, lane);
    bool named = all.mask >> source & 1;
    own.result = named ? all.of[static_cast<size_t>(source)]->value : UINT64_MAX;
}

void execute_ballot(const meeting &all, int lane)
{
    uint64_t votes = 0;
    for (int other = 0; other < warp_size; other++)
        if (all.mask >> other & 1 && all.of[static_cast<size_t>(other)]->value)
            votes |= uint64_t{1} << other;
    all.of[static_cast<size_t>(lane)]->result = votes;
}

/* Element `column` of row `row` of matrix `matrix`, from the address that lane 8 · matrix + row
 * gave. */
uint16_t matrix_element(const meeting &all, int matrix, int row, int column)
{
    const operands &giver = *all.of[static_cast<size_t>(8 * matrix + row)];
    uint16_t element;
    std::memcpy(&element, static_cast<const unsigned char *>(giver.row) + 2 * column,
                sizeof element);
    return element;
}

void execute_load_matrices(const meeting &all, int lane)
{
    const operands &own = *all.of[static_cast<size_t>(lane)];
    int group = lane / 4;
    int pair = lane % 4 * 2;
    for (int matrix = 0; matrix < own.parameter; matrix++) {
        uint32_t low = own.transposed ? matrix_element(all, matrix, pair, group)
                                      : matrix_element(all, matrix, group, pair);
        uint32_t high = own.transposed ? matrix_element(all, matrix, pair + 1, group)
                                       : matrix_element(all, matrix, group, pair + 1);
        own.registers[matrix] = low | high << 16;
    }
}

float half_value(uint32_t bits)
{
    static const std::vector<float> values = [] {
        std::vector<float> table(65536);
        for (size_t i = 0; i < table.size(); i++) {
            __half_raw raw;
            raw.x = static_cast<unsigned short>(i);
            table[i] = __half2float(__half(raw));
        }
        return table;
    }();
    return values[bits];
}

float bfloat16_value(uint32_t bits)
{
    uint32_t word = bits << 16;
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
}

/* Half `index % 2` of register `index / 2`. */
float element_of(const uint32_t *registers, int index, bool bfloat16)
{
    uint32_t bits = registers[index / 2] >> (index % 2 * 16) & 0xffff;
    return bfloat16 ? bfloat16_value(bits) : half_value(bits);
}

/* For the whole warp at once: the layouts are those that device.h states. */
void execute_multiply_add(const meeting &all)
{
    static float a[16][16];
    static float b[16][8];
    bool bfloat16 = all.of[0]->parameter != 0;
    for (int lane = 0; lane < warp_size; lane++) {
        const operands &own = *all.of[static_cast<size_t>(lane)];
        int group = lane / 4;
        int pair = lane % 4 * 2;
        for (int i = 0; i < 8; i++) {
            int column = pair + i % 2 + i / 4 * 8;
            a[group + i / 2 % 2 * 8][column] = element_of(own.a, i, bfloat16);
        }
        for (int i = 0; i < 4; i++)
            b[pair + i % 2 + i / 2 * 8][group] = element_of(own.b, i, bfloat16);
    }
    static float product[16][8];
    for (int row = 0; row < 16; row++) {
        float sums[8] = {};
        for (int k = 0; k < 16; k++)
            for (int column = 0; column < 8; column++)
                sums[column] += a[row][k] * b[k][column];
        std::memcpy(product[row], sums, sizeof sums);
    }
    for (int lane = 0; lane < warp_size; lane++) {
        const operands &own = *all.of[static_cast<size_t>(lane)];
        for (int i = 0; i < 4; i++)
            own.sums[i] += product[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    }
}

void execute(const meeting &all)
{
    if (all.what == operation::multiply_add) {
        execute_multiply_add(all);
        return;
    }
    void (*for_lane)(const meeting &, int) = nullptr;
    if (all.what == operation::shuffle)
        for_lane = execute_shuffle;
    else if (all.what == operation::ballot)
        for_lane = execute_ballot;
    else if (all.what == operation::load_matrices)
        for_lane = execute_load_matrices;
    for (int lane = 0; for_lane && lane < warp_size; lane++)
        if (all.mask >> lane & 1)
            for_lane(all, lane);
}

int place_of(const thread &self, const meeting &which)
{
    return static_cast<int>(&which - warp_of(self).meetings.data());
}

/* Two in turn for every place that a meeting of the warp can take. */
unsigned char *order_object(const thread &self, const meeting &which)
{
    int place = self.warp * meetings_per_warp + place_of(self, which);
    return running.order + 2 + 2 * place + static_cast<ptrdiff_t>(which.rounds % 2);
}

/* Returns once all lanes of the mask have come and the last of them has executed it. */
void meet(operation what, uint32_t mask, operands &own, call_site site)
{
    races_out_of_sight hidden;
    thread &self = *current;
    self.site = site;
    check_mask(self, mask, site);
    meeting &all = find_meeting(self, mask, what, site);
    all.of[static_cast<size_t>(self.lane)] = &own;
    all.arrived |= 1u << self.lane;
    self.state = thread_state::in_warp_operation;
    own.object = order_object(self, all);
    if (what == operation::barrier)
        races_release(own.object);
    if (all.arrived == all.mask) {
        execute(all);
        warp_of(self).taken &= ~(1u << place_of(self, all));
        all.rounds++;
        release_lanes(self.warp, mask);
    }
    wait_turn();
}
} // namespace

void start_warps()
{
    for (warp_state &warp : warps) {
        warp.present = 0;
        warp.taken = 0;
    }
    for (const thread &each : running.threads)
        warp_of(each).present |= 1u << each.lane;
}

void lane_returned(const thread &which)
{
    warp_state &warp = warp_of(which);
    warp.present &= ~(1u << which.lane);
    for (uint32_t rest = warp.taken; rest != 0; rest &= rest - 1) {
        const meeting &each = warp.meetings[static_cast<size_t>(__builtin_ctz(rest))];
        if (each.mask >> which.lane & 1)
            stop(which, each.site,
                 "mask %08x names lane %d, which has returned (exited); the others wait for it",
                 each.mask, which.lane);
    }
}

void warp_barrier(uint32_t mask, call_site site)
{
    operands own = {};
    meet(operation::barrier, mask, own, site);
    races_acquire(own.object);
}

uint64_t shuffle(source_lane source, uint64_t value, int parameter, uint32_t mask, call_site site)
{
    operands own = {};
    own.value = value;
    own.source = source;
    own.parameter = parameter;
    meet(operation::shuffle, mask, own, site);
    return own.result;
}

uint32_t ballot(bool predicate, uint32_t mask, call_site site)
{
    operands own = {};
    own.value = predicate;
    meet(operation::ballot, mask, own, site);
    return static_cast<uint32_t>(own.result);
}

void load_matrices(uint32_t *registers, int count, bool transposed, const void *row, call_site site)
{
    operands own = {};
    own.registers = registers;
    own.parameter = count;
    own.transposed = transposed;
    own.row = row;
    if (current->lane < 8 * count) {
        check_alignment(row, site);
        check_shared(row, site);
        races_read_16(row, __builtin_return_address(0));
    }
    meet(operation::load_matrices, full_warp, own, site);
}

void multiply_add(float *sums, const uint32_t *a, const uint32_t *b, bool bfloat16, call_site site)
{
    operands own = {};
    own.sums = sums;
    own.a = a;
    own.b = b;
    own.parameter = bfloat16;
    meet(operation::multiply_add, full_warp, own, site);
}
} // namespace cuda_emulator
