/* Geometry and frames; see plot_page.h. */
#include "report/plot_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_mark.h"

enum {
    TITLE_PX = 20,
    HEAD_PX = 15,
    KEY_PX = 13,
    KEY_ENTRY_PX = 22,
    PAGE_WIDTH_MIN = 560,
    BOX_RIGHT = 16, /* room between a box and what follows */
};

void plot_group_label(struct text *out, const struct analysis_group *group)
{
    text_append(out, group->model_name);
    text_printf(out, " (%s%s%s)", group->device, group->dtype[0] != '\0' ? ", " : "", group->dtype);
}

static double cell_width(const struct plot_page *page)
{
    return page->left + page->box_width + BOX_RIGHT;
}

static double cell_height(const struct plot_page *page)
{
    return page->top + page->box_height + page->bottom;
}

void plot_page_arrange(struct plot_page *page, size_t panel_count, size_t single_columns)
{
    size_t groups = page->analysis->group_count;
    page->columns = groups > 1 ? groups : single_columns;
    page->rows = groups > 1 ? panel_count : (panel_count + single_columns - 1) / single_columns;
}

struct plot_rect plot_page_box(const struct plot_page *page, size_t column, size_t row)
{
    return (struct plot_rect){page->content_left + (double)column * cell_width(page) + page->left,
                              page->head_height + (double)row * cell_height(page) + page->top,
                              page->box_width, page->box_height};
}

struct plot_rect plot_page_panel_box(const struct plot_page *page, size_t panel, size_t group)
{
    if (page->analysis->group_count > 1)
        return plot_page_box(page, group, panel);
    return plot_page_box(page, panel % page->columns, panel / page->columns);
}

double plot_page_key_left(const struct plot_page *page)
{
    return page->content_left + (double)page->columns * cell_width(page);
}

/* `string` shortened to `width`, centred. */
static void heading(struct plot_canvas *canvas, double x, double y, double px, uint32_t rgb,
                    double width, const char *string)
{
    struct text shortened = {0};
    plot_text_shorten(&shortened, string, px, width);
    plot_canvas_text(canvas, x, y, (struct plot_font){px, rgb, PLOT_CENTER, 0},
                     text_string(&shortened));
    canvas->labels.failed |= shortened.failed;
    text_free(&shortened);
}

static void write_heads(struct plot_page *page)
{
    struct plot_canvas *canvas = &page->canvas;
    const struct analysis *analysis = page->analysis;
    heading(canvas, canvas->width / 2, 26, TITLE_PX, PLOT_INK, canvas->width - 20, page->title);
    if (analysis->group_count == 1) {
        const struct analysis_group *group = &analysis->groups[0];
        struct text label = {0};
        /* The device is never shortened away: only the model's name gives way. */
        struct text where = {0};
        text_printf(&where, " (%s%s%s)", group->device, group->dtype[0] != '\0' ? ", " : "",
                    group->dtype);
        plot_text_shorten(&label, group->model_name, HEAD_PX,
                          canvas->width - 20 - plot_text_width(text_string(&where), HEAD_PX));
        text_append(&label, text_string(&where));
        heading(canvas, canvas->width / 2, 52, HEAD_PX, PLOT_MUTED, canvas->width - 10,
                text_string(&label));
        text_free(&where);
        text_free(&label);
        return;
    }
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        double middle = page->content_left + ((double)g + 0.5) * cell_width(page) +
                        (page->left - BOX_RIGHT) / 2;
        double width = cell_width(page) - 24;
        char where[64];
        snprintf(where, sizeof where, "%s%s%s", group->device, group->dtype[0] != '\0' ? ", " : "",
                 group->dtype);
        heading(canvas, middle, 58, HEAD_PX, PLOT_INK, width, group->model_name);
        heading(canvas, middle, 79, KEY_PX, PLOT_MUTED, width, where);
    }
}

int plot_page_open(struct plot_page *page, const struct plot_fonts *fonts, struct error *error)
{
    page->head_height = page->analysis->group_count > 1 ? 94 : 68;
    double content = (double)page->columns * cell_width(page) + page->key_width;
    double width = fmax(content, PAGE_WIDTH_MIN);
    width = fmax(width, plot_text_width(page->title, TITLE_PX) + 24);
    double top = page->head_height + (double)page->rows * cell_height(page);
    double foot = page->marks ? plot_mark_key_height(page->analysis, width) : 0;
    page->content_left = floor((width - content) / 2);
    width = ceil(width);
    double height = ceil(top + foot + 6);
    if (width > PLOT_SIZE_MAX || height > PLOT_SIZE_MAX)
        return error_set(error, ERROR_FAILED,
                         "the picture would be %.0f × %.0f pixels (at most %d each way); analyse "
                         "fewer models or sizes at once",
                         width, height, PLOT_SIZE_MAX);
    plot_canvas_open(&page->canvas, width, height, fonts);
    write_heads(page);
    if (foot > 0)
        plot_mark_key(&page->canvas, page->analysis, top);
    return 0;
}

static size_t key_columns(size_t count, double height)
{
    double fitting = floor((height - 40) / KEY_ENTRY_PX);
    size_t lines = fitting < 4 ? 4 : (size_t)fitting;
    return (count + lines - 1) / lines;
}

static double key_column_width(size_t count, const int64_t *sizes)
{
    char label[32];
    snprintf(label, sizeof label, "%lld", (long long)sizes[count - 1]);
    return 52 + plot_text_width(label, KEY_PX);
}

double plot_page_size_key_width(const char *title, const int64_t *sizes, size_t count,
                                double height)
{
    double columns = (double)key_columns(count, height) * key_column_width(count, sizes);
    return fmax(columns, plot_text_width(title, KEY_PX)) + 24;
}

/* A size that no group measured has no line to explain. */
static bool size_is_used(const struct analysis *analysis, const int64_t *sizes, size_t index)
{
    bool of_batch = sizes == analysis->batches;
    for (size_t g = 0; g < analysis->group_count; g++) {
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            const struct analysis_cell *cell = &analysis->groups[g].cells[i];
            int64_t size = of_batch ? cell->batch_size : cell->input_length;
            if (size == sizes[index] && analysis_cell_has_values(cell))
                return true;
        }
    }
    return false;
}

void plot_page_size_key(struct plot_page *page, const char *title, const int64_t *sizes,
                        size_t count, bool with_lines)
{
    size_t shown = 0;
    struct plot_canvas *canvas = &page->canvas;
    double top = page->head_height + page->top;
    double left = plot_page_key_left(page) + 6;
    size_t columns = key_columns(count, (double)page->rows * cell_height(page));
    size_t lines = (count + columns - 1) / columns;
    plot_canvas_text(canvas, left, top + 8, (struct plot_font){KEY_PX, PLOT_INK, PLOT_LEFT, 0},
                     title);
    for (size_t i = 0; i < count; i++) {
        if (!size_is_used(page->analysis, sizes, i))
            continue;
        double x = left + (double)(shown / lines) * key_column_width(count, sizes);
        double y = top + 34 + (double)(shown % lines) * KEY_ENTRY_PX;
        shown++;
        uint32_t rgb = plot_color_series(i, count);
        char label[32];
        snprintf(label, sizeof label, "%lld", (long long)sizes[i]);
        if (with_lines)
            plot_canvas_segment(canvas, (struct plot_point){x, y}, (struct plot_point){x + 32, y},
                                1.8, rgb);
        plot_canvas_marker(canvas, (struct plot_point){x + 16, y}, plot_shape_series(i), 1.0, rgb);
        plot_canvas_text(canvas, x + 40, y, (struct plot_font){KEY_PX, PLOT_INK, PLOT_LEFT, 0},
                         label);
    }
}

size_t plot_value_count(const struct analysis *analysis)
{
    return analysis->group_count * analysis->batch_count * analysis->length_count;
}

double *plot_values(const struct analysis *analysis, analysis_value *value, double factor)
{
    size_t per_group = analysis->batch_count * analysis->length_count;
    double *values = calloc(plot_value_count(analysis), sizeof *values);
    for (size_t i = 0; values != NULL && i < plot_value_count(analysis); i++) {
        const struct analysis_cell *cell = &analysis->groups[i / per_group].cells[i % per_group];
        values[i] = cell->run_count > 0 ? value(cell).mean * factor : NAN;
    }
    return values;
}

struct format_unit plot_unit(const struct analysis *analysis, analysis_value *value,
                             enum plot_unit_kind kind)
{
    struct format_unit unit = {kind == PLOT_PERCENT ? "%" : "tokens/s", 1};
    if (kind == PLOT_PERCENT || kind == PLOT_RATE)
        return unit;
    double *values = plot_values(analysis, value, 1);
    size_t count = values != NULL ? plot_value_count(analysis) : 0;
    unit = kind == PLOT_TIME ? format_time_unit(values, count) : format_memory_unit(values, count);
    free(values);
    return unit;
}
