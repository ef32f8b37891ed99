/* Passes, shares and orders of schedule.h. */
#include "bench/schedule.h"

#include <math.h>
#include <stdbool.h>

#include "base/philox.h"

/* Counter word 3 keeps these draws apart from prompts (0x70, 0x71) and sampling (0). */
enum { DRAW_ORDER = 0x72 };

enum { RUNS_FOR_TWO_PASSES = 4 };

void schedule_init(struct schedule *schedule, int64_t num_runs)
{
    *schedule = (struct schedule){
        .num_runs = num_runs,
        .passes = 1,
        .order = SCHEDULE_GRID,
        .processes = 1,
        .process = 1,
    };
}

int64_t schedule_default_passes(int64_t runs)
{
    return runs >= RUNS_FOR_TWO_PASSES ? 2 : 1;
}

static bool has_first_look(const struct schedule *schedule)
{
    return schedule->time_limit_s > 0.0;
}

int64_t schedule_pass_count(const struct schedule *schedule)
{
    return schedule->passes + (has_first_look(schedule) ? 1 : 0);
}

/* The part of `count` that is due after `pass` of `passes`, rounded up. */
static int64_t due(int64_t count, int64_t pass, int64_t passes)
{
    return (count * pass + passes - 1) / passes;
}

struct schedule_share schedule_share(const struct schedule *schedule, int64_t pass)
{
    if (has_first_look(schedule)) {
        if (pass == 1)
            return (struct schedule_share){1, 1, INFINITY};
        pass--;
    }
    int64_t passes = schedule->passes;
    if (!(schedule->precision > 0.0)) {
        int64_t runs = due(schedule->num_runs, pass, passes);
        return (struct schedule_share){runs, runs, INFINITY};
    }
    return (struct schedule_share){
        .least = due(schedule->min_runs, pass, passes),
        .most = due(schedule->max_runs, pass, passes),
        .time_s = schedule->max_cell_time_s * (double)pass / (double)passes,
    };
}

static void swap(size_t *order, size_t a, size_t b)
{
    size_t kept = order[a];
    order[a] = order[b];
    order[b] = kept;
}

/* Fisher and Yates, from the last place down. */
static void shuffle(const struct schedule *schedule, int64_t pass, size_t count, size_t *order)
{
    for (size_t i = count; i > 1; i--) {
        struct philox_block counter = {
            {(uint32_t)i, (uint32_t)pass, (uint32_t)schedule->process, DRAW_ORDER}};
        uint32_t draw = philox4x32(counter, schedule->seed).word[0];
        swap(order, i - 1, (size_t)((uint64_t)draw * i >> 32));
    }
}

/* At an end of the lengths, and at an end of the batch sizes that its length has. */
static bool is_corner(const struct cell_record *cells, size_t count, const struct cell_record *cell)
{
    int64_t batch_low = cell->batch_size, batch_high = cell->batch_size;
    int64_t length_low = cell->input_length, length_high = cell->input_length;
    for (size_t i = 0; i < count; i++) {
        /* What is skipped or failed has no part in the grid that is measured. */
        if (cells[i].status == CELL_SKIPPED || cells[i].status == CELL_FAILED)
            continue;
        if (cells[i].input_length == cell->input_length) {
            batch_low = cells[i].batch_size < batch_low ? cells[i].batch_size : batch_low;
            batch_high = cells[i].batch_size > batch_high ? cells[i].batch_size : batch_high;
        }
        length_low = cells[i].input_length < length_low ? cells[i].input_length : length_low;
        length_high = cells[i].input_length > length_high ? cells[i].input_length : length_high;
    }
    return (cell->batch_size == batch_low || cell->batch_size == batch_high) &&
           (cell->input_length == length_low || cell->input_length == length_high);
}

static void corners_first(const struct cell_record *cells, size_t count, size_t *order)
{
    size_t front = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_corner(cells, count, &cells[order[i]])) {
            size_t corner = order[i];
            for (size_t j = i; j > front; j--)
                order[j] = order[j - 1];
            order[front++] = corner;
        }
    }
}

void schedule_order_cells(const struct schedule *schedule, int64_t pass,
                          const struct cell_record *cells, size_t count, size_t *order)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    if (schedule->order == SCHEDULE_GRID)
        return;
    shuffle(schedule, pass, count, order);
    if (has_first_look(schedule) && pass == 1)
        corners_first(cells, count, order);
}
