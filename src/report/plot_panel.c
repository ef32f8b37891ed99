/* A panel's frame: grid, ticks, labels that never touch, titles. See plot_page.h. */
#include <math.h>

#include "report/plot_color.h"
#include "report/plot_page.h"

enum { TICK_PX = 13, TITLE_PX = 15, AXIS_PX = 14 };

static double x_of(const struct plot_panel *panel, double place)
{
    return panel->box.left + place * panel->box.width;
}

static double y_of(const struct plot_panel *panel, double place)
{
    return panel->box.top + (1 - place) * panel->box.height;
}

struct plot_point plot_panel_point(const struct plot_panel *panel, double x, double y)
{
    return (struct plot_point){x_of(panel, plot_axis_place(panel->x, x)),
                               y_of(panel, plot_axis_place(panel->y, y))};
}

static void draw_grid(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    double right = panel->box.left + panel->box.width;
    double bottom = panel->box.top + panel->box.height;
    for (size_t i = 0; panel->x != NULL && i < panel->x->tick_count; i++) {
        double x = x_of(panel, plot_axis_place(panel->x, panel->x->ticks[i].value));
        plot_canvas_segment(canvas, (struct plot_point){x, panel->box.top},
                            (struct plot_point){x, bottom}, 1, PLOT_GRID);
    }
    for (size_t i = 0; i < panel->y->tick_count; i++) {
        double y = y_of(panel, plot_axis_place(panel->y, panel->y->ticks[i].value));
        plot_canvas_segment(canvas, (struct plot_point){panel->box.left, y},
                            (struct plot_point){right, y}, 1, PLOT_GRID);
    }
}

/* Which ticks have a label: all, or only the majors, or every stride-th. */
struct choice {
    bool majors;
    size_t stride;
};

static bool is_chosen(const struct plot_axis *axis, struct choice choice, size_t index)
{
    return choice.majors ? axis->ticks[index].major : index % choice.stride == 0;
}

/* Room that a label takes along its axis. */
static double extent(const struct plot_tick *tick, bool horizontal)
{
    return horizontal ? plot_text_width(tick->label, TICK_PX) + 6 : TICK_PX + 4;
}

static bool fits(const struct plot_axis *axis, struct choice choice, double length, bool horizontal)
{
    double free_from = -INFINITY;
    size_t chosen = 0;
    for (size_t i = 0; i < axis->tick_count; i++) {
        double half = extent(&axis->ticks[i], horizontal) / 2;
        double place = plot_axis_place(axis, axis->ticks[i].value) * length;
        if (!is_chosen(axis, choice, i))
            continue;
        if (place - half < free_from)
            return false;
        free_from = place + half;
        chosen++;
    }
    return chosen >= 2 || !choice.majors;
}

/* The fullest choice of labels that do not touch. */
static struct choice choose_labels(const struct plot_axis *axis, double length, bool horizontal)
{
    struct choice choice = {false, 1};
    if (fits(axis, choice, length, horizontal))
        return choice;
    choice.majors = true;
    if (fits(axis, choice, length, horizontal))
        return choice;
    choice.majors = false;
    while (choice.stride < axis->tick_count && !fits(axis, choice, length, horizontal))
        choice.stride++;
    return choice;
}

static void label_x(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    struct choice choice = choose_labels(panel->x, panel->box.width, true);
    for (size_t i = 0; i < panel->x->tick_count; i++) {
        const struct plot_tick *tick = &panel->x->ticks[i];
        if (is_chosen(panel->x, choice, i))
            plot_canvas_text(canvas, x_of(panel, plot_axis_place(panel->x, tick->value)),
                             panel->box.top + panel->box.height + 14,
                             (struct plot_font){TICK_PX, PLOT_INK, PLOT_CENTER, 0}, tick->label);
    }
}

/* Returns the width of the widest label. */
static double label_y(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    struct choice choice = choose_labels(panel->y, panel->box.height, false);
    double widest = 0;
    for (size_t i = 0; i < panel->y->tick_count; i++) {
        const struct plot_tick *tick = &panel->y->ticks[i];
        if (!is_chosen(panel->y, choice, i))
            continue;
        widest = fmax(widest, plot_text_width(tick->label, TICK_PX));
        plot_canvas_text(canvas, panel->box.left - 7,
                         y_of(panel, plot_axis_place(panel->y, tick->value)),
                         (struct plot_font){TICK_PX, PLOT_INK, PLOT_RIGHT, 0}, tick->label);
    }
    return widest;
}

void plot_panel_draw(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    double middle = panel->box.left + panel->box.width / 2;
    draw_grid(canvas, panel);
    plot_canvas_frame(canvas, panel->box, 1, PLOT_FRAME);
    double widest = label_y(canvas, panel);
    if (panel->x != NULL)
        label_x(canvas, panel);
    if (panel->title != NULL)
        plot_canvas_text(canvas, middle, panel->box.top - 15,
                         (struct plot_font){TITLE_PX, PLOT_INK, PLOT_CENTER, 0}, panel->title);
    if (panel->x_title != NULL)
        plot_canvas_text(canvas, middle, panel->box.top + panel->box.height + 36,
                         (struct plot_font){AXIS_PX, PLOT_INK, PLOT_CENTER, 0}, panel->x_title);
    if (panel->y_title != NULL)
        plot_canvas_text(canvas, panel->box.left - widest - 22,
                         panel->box.top + panel->box.height / 2,
                         (struct plot_font){AXIS_PX, PLOT_INK, PLOT_CENTER, 90}, panel->y_title);
}

void plot_panel_empty(struct plot_canvas *canvas, struct plot_rect box)
{
    plot_canvas_text(canvas, box.left + box.width / 2, box.top + box.height / 2,
                     (struct plot_font){AXIS_PX, PLOT_MUTED, PLOT_CENTER, 0}, "no data");
}
