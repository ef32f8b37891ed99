/* Primitives become rows of datablocks; neighbours of equal style share a block and thereby
 * one element of the single plot command. See plot_canvas.h. */
#include "report/plot_canvas.h"

#include <stdio.h>
#include <string.h>

void plot_canvas_open(struct plot_canvas *canvas, double width, double height,
                      const struct plot_fonts *fonts)
{
    *canvas = (struct plot_canvas){.width = width, .height = height, .fonts = fonts};
}

void plot_canvas_close(struct plot_canvas *canvas)
{
    text_free(&canvas->blocks);
    text_free(&canvas->elements);
    text_free(&canvas->labels);
}

static void close_batch(struct plot_canvas *canvas)
{
    if (canvas->style[0] != '\0')
        text_append(&canvas->blocks, "END\n");
    canvas->style[0] = '\0';
}

/* Rows that follow are drawn in `style`. */
static void open_batch(struct plot_canvas *canvas, const char *columns, const char *style)
{
    if (strcmp(canvas->style, style) == 0)
        return;
    close_batch(canvas);
    snprintf(canvas->style, sizeof canvas->style, "%s", style);
    text_printf(&canvas->blocks, "$block%d << END\n", canvas->block_count);
    text_printf(&canvas->elements, "%s$block%d using %s with %s notitle",
                canvas->block_count > 0 ? ", \\\n" : "", canvas->block_count, columns, style);
    canvas->block_count++;
}

static void append_box(struct plot_canvas *canvas, struct plot_rect rect, uint32_t rgb)
{
    text_printf(&canvas->blocks, "%.2f %.2f %.2f %.2f %.2f %.2f %u\n", rect.left, rect.top,
                rect.left, rect.left + rect.width, rect.top, rect.top + rect.height, rgb);
}

void plot_canvas_rect(struct plot_canvas *canvas, struct plot_rect rect, uint32_t rgb)
{
    open_batch(canvas, "1:2:3:4:5:6:7",
               "boxxyerror fill solid 1.0 noborder linecolor rgb variable");
    append_box(canvas, rect, rgb);
}

void plot_canvas_hatch(struct plot_canvas *canvas, struct plot_rect rect, int pattern, uint32_t rgb)
{
    char style[96];
    snprintf(style, sizeof style,
             "boxxyerror fill pattern %d noborder linewidth 1 linecolor rgb variable", pattern);
    open_batch(canvas, "1:2:3:4:5:6:7", style);
    append_box(canvas, rect, rgb);
}

void plot_canvas_line(struct plot_canvas *canvas, const struct plot_point *points, size_t count,
                      double width, enum plot_dash dash, uint32_t rgb)
{
    char style[96];
    /* A colour from the data would start the dashes anew at every point. */
    if (dash == PLOT_DASHED)
        snprintf(style, sizeof style, "lines linewidth %.2f dashtype 2 linecolor rgb '#%06X'",
                 width, rgb);
    else
        snprintf(style, sizeof style, "lines linewidth %.2f linecolor rgb variable", width);
    open_batch(canvas, "1:2:3", style);
    for (size_t i = 0; i < count; i++)
        text_printf(&canvas->blocks, "%.2f %.2f %u\n", points[i].x, points[i].y, rgb);
    text_append(&canvas->blocks, "\n");
}

void plot_canvas_segment(struct plot_canvas *canvas, struct plot_point from, struct plot_point to,
                         double width, uint32_t rgb)
{
    const struct plot_point points[] = {from, to};
    plot_canvas_line(canvas, points, 2, width, PLOT_SOLID, rgb);
}

void plot_canvas_frame(struct plot_canvas *canvas, struct plot_rect rect, double width,
                       uint32_t rgb)
{
    double right = rect.left + rect.width;
    double bottom = rect.top + rect.height;
    const struct plot_point corners[] = {{rect.left, rect.top},
                                         {right, rect.top},
                                         {right, bottom},
                                         {rect.left, bottom},
                                         {rect.left, rect.top}};
    plot_canvas_line(canvas, corners, 5, width, PLOT_SOLID, rgb);
}

void plot_canvas_marker(struct plot_canvas *canvas, struct plot_point point, int shape, double size,
                        uint32_t rgb)
{
    char style[96];
    snprintf(style, sizeof style,
             "points pointtype %d pointsize %.2f linewidth 1 linecolor rgb variable", shape, size);
    open_batch(canvas, "1:2:3", style);
    text_printf(&canvas->blocks, "%.2f %.2f %u\n", point.x, point.y, rgb);
}

void plot_canvas_text(struct plot_canvas *canvas, double x, double y, struct plot_font font,
                      const char *string)
{
    static const char *const alignments[] = {
        [PLOT_LEFT] = "left", [PLOT_CENTER] = "center", [PLOT_RIGHT] = "right"};
    text_append(&canvas->labels, "set label ");
    plot_text_quote(&canvas->labels, canvas->fonts, string);
    /* A point is 4/3 pixels. */
    text_printf(&canvas->labels,
                " at %.2f,%.2f %s rotate by %d font ',%.2f' textcolor rgb '#%06X' front\n", x, y,
                alignments[font.align], font.rotation, font.px * 0.75, font.rgb);
}

void plot_canvas_script(struct plot_canvas *canvas, struct text *script)
{
    close_batch(canvas);
    text_printf(script,
                "set terminal pngcairo noenhanced size %.0f,%.0f font '" PLOT_FONT_FAMILY
                ",10' background rgb '#FFFFFF'\n"
                "set encoding utf8\n"
                "set margins 0,0,0,0\n"
                "set lmargin at screen 0\nset rmargin at screen 1\n"
                "set bmargin at screen 0\nset tmargin at screen 1\n"
                "unset border\nunset tics\nunset key\n"
                "set xrange [0:%.0f]\nset yrange [%.0f:0]\n",
                canvas->width, canvas->height, canvas->width, canvas->height);
    text_append(script, text_string(&canvas->blocks));
    text_append(script, text_string(&canvas->labels));
    text_printf(script, "plot %s\n", text_string(&canvas->elements));
    script->failed |= canvas->blocks.failed | canvas->labels.failed | canvas->elements.failed;
}
