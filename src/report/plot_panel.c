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

/* Labels from left to right, leaving out those that would touch the one before. */
static void label_x(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    double free_from = -INFINITY;
    for (size_t i = 0; i < panel->x->tick_count; i++) {
        const struct plot_tick *tick = &panel->x->ticks[i];
        double x = x_of(panel, plot_axis_place(panel->x, tick->value));
        double half = plot_text_width(tick->label, TICK_PX) / 2;
        if (x - half < free_from)
            continue;
        free_from = x + half + 5;
        plot_canvas_text(canvas, x, panel->box.top + panel->box.height + 14,
                         (struct plot_font){TICK_PX, PLOT_INK, PLOT_CENTER, 0}, tick->label);
    }
}

/* Returns the width of the widest label. */
static double label_y(struct plot_canvas *canvas, const struct plot_panel *panel)
{
    double free_below = INFINITY;
    double widest = 0;
    for (size_t i = 0; i < panel->y->tick_count; i++) {
        const struct plot_tick *tick = &panel->y->ticks[i];
        double y = y_of(panel, plot_axis_place(panel->y, tick->value));
        if (y > free_below)
            continue;
        free_below = y - TICK_PX - 3;
        widest = fmax(widest, plot_text_width(tick->label, TICK_PX));
        plot_canvas_text(canvas, panel->box.left - 7, y,
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
