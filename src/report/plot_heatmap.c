/* latency_heatmap, throughput_heatmap and memory_usage; see plot_heatmap.h and plot_list.h. */
#include "report/plot_heatmap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_mark.h"

enum {
    VALUE_PX = 13,
    BENEATH_PX = 11,
    LABEL_PX = 13,
    AXIS_PX = 14,
    TITLE_PX = 15,
    BAR_STEPS = 128
};

/* One row of panels. */
struct heatmap {
    const char *title; /* of the panel; NULL where the picture's title says it */
    const char *scale_title;
    analysis_value *value;
    enum plot_unit_kind kind;
    analysis_value
        *beneath; /* in parentheses under each value, also where there is none; or NULL */
};

static double cell_size(size_t count, double whole, double least, double most)
{
    return fmin(fmax(whole / (double)count, least), most);
}

double plot_heatmap_width(const struct analysis *analysis)
{
    return (double)analysis->length_count * cell_size(analysis->length_count, 520, 66, 150);
}

double plot_heatmap_height(const struct analysis *analysis)
{
    return (double)analysis->batch_count * cell_size(analysis->batch_count, 340, 40, 100);
}

static struct plot_font font(double px, enum plot_align align)
{
    return (struct plot_font){px, PLOT_INK, align, 0};
}

static void label_axes(struct plot_canvas *canvas, struct plot_rect box,
                       const struct analysis *analysis)
{
    char label[32];
    double cell_width = box.width / (double)analysis->length_count;
    double cell_height = box.height / (double)analysis->batch_count;
    double bottom = box.top + box.height;
    double widest = 0;
    for (size_t l = 0; l < analysis->length_count; l++) {
        snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[l]);
        plot_canvas_text(canvas, box.left + ((double)l + 0.5) * cell_width, bottom + 14,
                         font(LABEL_PX, PLOT_CENTER), label);
    }
    for (size_t b = 0; b < analysis->batch_count; b++) {
        snprintf(label, sizeof label, "%lld", (long long)analysis->batches[b]);
        widest = fmax(widest, plot_text_width(label, LABEL_PX));
        plot_canvas_text(canvas, box.left - 8, bottom - ((double)b + 0.5) * cell_height,
                         font(LABEL_PX, PLOT_RIGHT), label);
    }
    plot_canvas_text(canvas, box.left + box.width / 2, bottom + 37, font(AXIS_PX, PLOT_CENTER),
                     "Input length (tokens)");
    plot_canvas_text(canvas, box.left - widest - 24, box.top + box.height / 2,
                     (struct plot_font){AXIS_PX, PLOT_INK, PLOT_CENTER, 90}, "Batch size");
}

static void draw_cell(struct plot_canvas *canvas, struct plot_rect rect,
                      const struct analysis_cell *cell, double value, const struct plot_axis *scale)
{
    char label[FORMAT_MAX];
    double place = plot_axis_place(scale, value);
    if (!isfinite(value)) {
        plot_mark_cell(canvas, rect, cell);
        return;
    }
    uint32_t rgb = plot_color_map(isfinite(place) ? place : 0);
    plot_canvas_rect(canvas, rect, rgb);
    format_number(label, value);
    plot_canvas_text(canvas, rect.left + rect.width / 2, rect.top + rect.height / 2,
                     (struct plot_font){VALUE_PX, plot_color_text_on(rgb), PLOT_CENTER, 0}, label);
}

static struct plot_rect cell_rect(struct plot_rect box, const struct analysis *analysis,
                                  size_t batch, size_t length)
{
    double width = box.width / (double)analysis->length_count;
    double height = box.height / (double)analysis->batch_count;
    return (struct plot_rect){box.left + (double)length * width + 0.75,
                              box.top + box.height - (double)(batch + 1) * height + 0.75,
                              width - 1.5, height - 1.5};
}

/* The second value of every cell of a panel. */
static void write_beneath(struct plot_canvas *canvas, struct plot_rect box,
                          const struct analysis *analysis, const struct analysis_group *group,
                          const struct heatmap *map, double factor, const struct plot_axis *scale)
{
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        double beneath = map->beneath(cell).mean * factor;
        if (!isfinite(beneath))
            continue;
        struct plot_rect rect =
            cell_rect(box, analysis, i / analysis->length_count, i % analysis->length_count);
        double middle = rect.left + rect.width / 2, y = rect.top + rect.height / 2 + 14;
        double value = cell->run_count > 0 ? map->value(cell).mean * factor : NAN;
        double place = plot_axis_place(scale, value);
        uint32_t ink = PLOT_INK;
        char number[FORMAT_MAX], label[FORMAT_MAX];
        format_number(number, beneath);
        snprintf(label, sizeof label, "(%.40s)", number);
        if (isfinite(value)) {
            ink = plot_color_text_on(plot_color_map(isfinite(place) ? place : 0));
        } else if (cell->status == CELL_SKIPPED || cell->status == CELL_FAILED) {
            /* Hatched: letters need a plate. */
            double width = plot_text_width(label, BENEATH_PX) + 4;
            plot_canvas_rect(canvas,
                             (struct plot_rect){middle - width / 2, y - 6, width, BENEATH_PX + 1},
                             PLOT_WHITE);
        }
        plot_canvas_text(canvas, middle, y, (struct plot_font){BENEATH_PX, ink, PLOT_CENTER, 0},
                         label);
    }
}

void plot_heatmap_panel(struct plot_canvas *canvas, struct plot_rect box,
                        const struct analysis *analysis, const struct analysis_group *group,
                        analysis_value *value, double factor, const struct plot_axis *scale,
                        const char *title)
{
    bool any = analysis_group_has(analysis, group, value);
    if (!any) {
        plot_canvas_frame(canvas, box, 1, PLOT_FRAME);
        plot_panel_empty(canvas, box);
    }
    for (size_t b = 0; b < analysis->batch_count && any; b++) {
        for (size_t l = 0; l < analysis->length_count; l++) {
            const struct analysis_cell *cell = analysis_cell_at(analysis, group, b, l);
            struct plot_rect rect = cell_rect(box, analysis, b, l);
            double shown = cell->run_count > 0 ? value(cell).mean * factor : NAN;
            draw_cell(canvas, rect, cell, shown, scale);
        }
    }
    label_axes(canvas, box, analysis);
    if (title != NULL)
        plot_canvas_text(canvas, box.left + box.width / 2, box.top - 15,
                         font(TITLE_PX, PLOT_CENTER), title);
}

static void draw_scale(struct plot_canvas *canvas, struct plot_rect bar,
                       const struct plot_axis *scale, const char *title)
{
    double widest = 0;
    double free_below = INFINITY;
    for (int i = 0; i < BAR_STEPS; i++) {
        double top = bar.top + bar.height * (double)i / BAR_STEPS;
        /* A little over the edge, so that no seam shows between two steps. */
        double height = fmin(bar.height / BAR_STEPS + 0.7, bar.top + bar.height - top);
        plot_canvas_rect(canvas, (struct plot_rect){bar.left, top, bar.width, height},
                         plot_color_map(1 - (i + 0.5) / BAR_STEPS));
    }
    plot_canvas_frame(canvas, bar, 1, PLOT_FRAME);
    for (size_t i = 0; i < scale->tick_count; i++) {
        const struct plot_tick *tick = &scale->ticks[i];
        double y = bar.top + bar.height * (1 - plot_axis_place(scale, tick->value));
        if (y > free_below)
            continue;
        free_below = y - LABEL_PX - 4;
        plot_canvas_segment(canvas, (struct plot_point){bar.left + bar.width, y},
                            (struct plot_point){bar.left + bar.width + 4, y}, 1, PLOT_FRAME);
        plot_canvas_text(canvas, bar.left + bar.width + 8, y, font(LABEL_PX, PLOT_LEFT),
                         tick->label);
        widest = fmax(widest, plot_text_width(tick->label, LABEL_PX));
    }
    plot_canvas_text(canvas, bar.left + bar.width + 8 + widest + 16, bar.top + bar.height / 2,
                     (struct plot_font){AXIS_PX, PLOT_INK, PLOT_CENTER, 90}, title);
}

static bool all_alike(const double *values, size_t count)
{
    double first = NAN;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i]) && isfinite(first) && values[i] != first)
            return false;
        first = isfinite(values[i]) ? values[i] : first;
    }
    return true;
}

static int draw_row(struct plot_page *page, const struct heatmap *map, size_t row,
                    struct error *error)
{
    const struct analysis *analysis = page->analysis;
    struct format_unit unit = plot_unit(analysis, map->value, map->kind);
    double *values = plot_values(analysis, map->value, unit.per_base);
    struct plot_axis scale;
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    plot_axis_fit(&scale, values, plot_value_count(analysis), PLOT_FIT_EXACT);
    bool is_constant = all_alike(values, plot_value_count(analysis));
    free(values);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct plot_rect panel = plot_page_panel_box(page, row, g);
        const struct analysis_group *group = &analysis->groups[g];
        plot_heatmap_panel(&page->canvas, panel, analysis, group, map->value, unit.per_base, &scale,
                           map->title);
        if (map->beneath != NULL && analysis_group_has(analysis, group, map->value))
            write_beneath(&page->canvas, panel, analysis, group, map, unit.per_base, &scale);
    }
    if (is_constant)
        return 0; /* a scale of one value explains nothing */
    char title[128];
    snprintf(title, sizeof title, "%s (%s)%s", map->scale_title, unit.name,
             scale.logarithmic ? ", log scale" : "");
    struct plot_rect box = plot_page_box(page, 0, row);
    draw_scale(&page->canvas,
               (struct plot_rect){plot_page_key_left(page) + 8, box.top, 22, box.height}, &scale,
               title);
    return 0;
}

static int draw(struct plot_page *page, const struct heatmap *maps, size_t count,
                const struct plot_fonts *fonts, struct error *error)
{
    plot_page_arrange(page, count, 1);
    page->box_width = plot_heatmap_width(page->analysis);
    /* The scale's title stands upright beside the box. */
    page->box_height = fmax(plot_heatmap_height(page->analysis), 170);
    page->top = maps[0].title != NULL ? 34 : 12;
    page->left = 78;
    page->bottom = 56;
    page->key_width = 118;
    page->marks = true;
    int code = plot_page_open(page, fonts, error);
    for (size_t i = 0; i < count && code == 0; i++)
        code = draw_row(page, &maps[i], i, error);
    return code;
}

int plot_latency_heatmap(struct plot_page *page, const struct plot_fonts *fonts,
                         struct error *error)
{
    static const struct heatmap map = {NULL, "Latency", analysis_latency, PLOT_TIME, NULL};
    struct format_unit unit = plot_unit(page->analysis, map.value, map.kind);
    char title[64];
    snprintf(title, sizeof title, "Mean total latency (%s)", unit.name);
    page->title = title;
    int code = draw(page, &map, 1, fonts, error);
    page->title = NULL;
    return code;
}

int plot_throughput_heatmap(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error)
{
    static const struct heatmap map = {NULL, "Throughput", analysis_throughput, PLOT_RATE, NULL};
    page->title = "Mean throughput (generated tokens/s)";
    return draw(page, &map, 1, fonts, error);
}

int plot_memory_usage(struct plot_page *page, const struct plot_fonts *fonts, struct error *error)
{
    static const struct heatmap maps[] = {
        {"CPU: peak resident memory", "CPU memory", analysis_cpu_memory, PLOT_MEMORY,
         analysis_predicted_host},
        {"GPU: peak memory in use", "GPU in use", analysis_gpu_allocated, PLOT_MEMORY,
         analysis_predicted_device},
        {"GPU: memory held from the driver", "GPU held", analysis_gpu_reserved, PLOT_MEMORY, NULL},
    };
    struct heatmap used[3];
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (analysis_has(page->analysis, maps[i].value))
            used[count++] = maps[i];
    }
    bool predicted = analysis_has(page->analysis, analysis_predicted_host) ||
                     analysis_has(page->analysis, analysis_predicted_device);
    page->title =
        predicted ? "Memory per cell (in parentheses: predicted before it ran)" : "Memory per cell";
    return draw(page, used, count, fonts, error);
}

int plot_floor_heatmap(struct plot_page *page, const struct plot_fonts *fonts, struct error *error)
{
    static const struct heatmap maps[] = {
        {"Prefill", "Floor over time", analysis_prefill_of_floor, PLOT_PERCENT, NULL},
        {"Decode step", "Floor over time", analysis_step_of_floor, PLOT_PERCENT, NULL},
    };
    struct heatmap used[2];
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        if (analysis_has(page->analysis, maps[i].value))
            used[count++] = maps[i];
    }
    page->title = "Predicted floor as a part of the measured time (100 % = at the limit)";
    return draw(page, used, count, fonts, error);
}
