/* Decode step time against the position of the token that the step makes: how decoding slows down
 * as the context grows, which one average hides. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_page.h"

static const char key_title[] = "Batch size";

/* More points than a line has pixels only make the file large. */
enum { POINTS_MAX = 600 };

/* The median over the runs of the steps [first, last): one slow step of one run moves nothing. */
static double typical_step(const struct analysis_cell *cell, size_t first, size_t last,
                           double *scratch)
{
    size_t count = 0;
    for (size_t r = 0; r < cell->run_count; r++) {
        double sum = 0;
        for (size_t step = first; step < last; step++)
            sum += cell->runs[r].decode_step_times[step];
        scratch[count++] = sum / (double)(last - first);
    }
    stats_sort(scratch, count);
    return stats_quantile(scratch, count, 0.5);
}

/* One line's points in seconds; returns how many. */
static size_t cell_line(struct plot_point *points, const struct analysis_cell *cell,
                        double *scratch)
{
    size_t steps = analysis_step_count(cell);
    if (steps < 2)
        return 0;
    size_t width = (steps + POINTS_MAX - 1) / POINTS_MAX, count = 0;
    for (size_t first = 0; first < steps; first += width) {
        size_t last = first + width < steps ? first + width : steps;
        points[count++] =
            (struct plot_point){(double)cell->input_length + 1.0 + (double)(first + last - 1) / 2.0,
                                typical_step(cell, first, last, scratch)};
    }
    return count;
}

static size_t most_runs(const struct analysis *analysis)
{
    size_t most = 0;
    for (size_t g = 0; g < analysis->group_count; g++) {
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++)
            if (analysis->groups[g].cells[i].run_count > most)
                most = analysis->groups[g].cells[i].run_count;
    }
    return most;
}

struct work {
    struct plot_point *points; /* of one line */
    double *scratch;           /* one value a run */
    struct plot_axis x, y;
    struct format_unit unit;
};

/* Axes over the ends of all lines' ranges. */
static void fit_axes(struct work *work, const struct analysis *analysis)
{
    double across[2] = {NAN, NAN}, up[2] = {NAN, NAN};
    for (size_t g = 0; g < analysis->group_count; g++) {
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            size_t count = cell_line(work->points, &analysis->groups[g].cells[i], work->scratch);
            for (size_t k = 0; k < count; k++) {
                across[0] = fmin(across[0], work->points[k].x);
                across[1] = fmax(across[1], work->points[k].x);
                up[0] = fmin(up[0], work->points[k].y);
                up[1] = fmax(up[1], work->points[k].y);
            }
        }
    }
    work->unit = format_time_unit(up, 2);
    up[0] *= work->unit.per_base;
    up[1] *= work->unit.per_base;
    plot_axis_fit(&work->x, across, 2, PLOT_FIT_NICE);
    plot_axis_fit(&work->y, up, 2, PLOT_FIT_NICE);
}

static void draw_group(struct plot_page *page, struct work *work, size_t g)
{
    const struct analysis *analysis = page->analysis;
    char y_title[64];
    snprintf(y_title, sizeof y_title, "Decode step (%s)", work->unit.name);
    struct plot_panel panel = {
        .box = plot_page_panel_box(page, 0, g),
        .x = &work->x,
        .y = &work->y,
        .x_title = "Position of the token (prompt and generated)",
        .y_title = y_title,
    };
    plot_panel_draw(&page->canvas, &panel);
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        size_t batch = i / analysis->length_count;
        uint32_t rgb = plot_color_series(batch, analysis->batch_count);
        size_t count = cell_line(work->points, &analysis->groups[g].cells[i], work->scratch);
        for (size_t k = 0; k < count; k++)
            work->points[k] = plot_panel_point(&panel, work->points[k].x,
                                               work->points[k].y * work->unit.per_base);
        if (count == 0)
            continue;
        plot_canvas_line(&page->canvas, work->points, count, 1.6, PLOT_SOLID, rgb);
        plot_canvas_marker(&page->canvas, work->points[0], plot_shape_series(batch), 1.0, rgb);
    }
}

int plot_decode_by_position(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error)
{
    const struct analysis *analysis = page->analysis;
    struct work work = {
        .points = calloc(POINTS_MAX + 1, sizeof *work.points),
        .scratch = calloc(most_runs(analysis) + 1, sizeof *work.scratch),
    };
    int code = 0;
    if (work.points == NULL || work.scratch == NULL) {
        code = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    page->title = "Decode step time as the context grows";
    page->box_width = 640;
    page->box_height = 360;
    page->top = 12;
    page->left = 84;
    page->bottom = 58;
    plot_page_arrange(page, 1, 1);
    page->key_width =
        plot_page_size_key_width(key_title, analysis->batches, analysis->batch_count, 380);
    code = plot_page_open(page, fonts, error);
    if (code != 0)
        goto done;
    fit_axes(&work, analysis);
    for (size_t g = 0; g < analysis->group_count; g++)
        draw_group(page, &work, g);
    plot_page_size_key(page, key_title, analysis->batches, analysis->batch_count, true);
done:
    free(work.points);
    free(work.scratch);
    return code;
}
