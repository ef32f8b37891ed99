/* A canvas in pixels, y downwards. Where things lie is decided here, so that nothing overlaps
 * and no range is left to chance; gnuplot rasterises it. Order of drawing: as called, then all
 * text. */
#ifndef TOKENMARK_REPORT_PLOT_CANVAS_H
#define TOKENMARK_REPORT_PLOT_CANVAS_H

#include <stdint.h>

#include "base/text.h"
#include "report/plot_text.h"

/* Wider or higher pictures cannot be opened by much software, nor drawn by Cairo. */
enum { PLOT_SIZE_MAX = 30000 };

enum plot_dash { PLOT_SOLID, PLOT_DASHED };
enum plot_align { PLOT_LEFT, PLOT_CENTER, PLOT_RIGHT };

struct plot_point {
    double x, y;
};

struct plot_rect {
    double left, top, width, height;
};

struct plot_font {
    double px;
    uint32_t rgb;
    enum plot_align align;
    int rotation; /* degrees, counter-clockwise */
};

struct plot_canvas {
    double width, height;
    const struct plot_fonts *fonts;
    struct text blocks;   /* data of the drawing */
    struct text elements; /* of the plot command, one a batch of equal style */
    struct text labels;
    char style[96]; /* of the open batch; "" when none is */
    int block_count;
};

void plot_canvas_open(struct plot_canvas *canvas, double width, double height,
                      const struct plot_fonts *fonts);
void plot_canvas_close(struct plot_canvas *canvas);

void plot_canvas_rect(struct plot_canvas *canvas, struct plot_rect rect, uint32_t rgb);
void plot_canvas_hatch(struct plot_canvas *canvas, struct plot_rect rect, int pattern,
                       uint32_t rgb);
void plot_canvas_line(struct plot_canvas *canvas, const struct plot_point *points, size_t count,
                      double width, enum plot_dash dash, uint32_t rgb);
void plot_canvas_segment(struct plot_canvas *canvas, struct plot_point from, struct plot_point to,
                         double width, uint32_t rgb);
/* The outline of a rectangle. */
void plot_canvas_frame(struct plot_canvas *canvas, struct plot_rect rect, double width,
                       uint32_t rgb);
void plot_canvas_marker(struct plot_canvas *canvas, struct plot_point point, int shape, double size,
                        uint32_t rgb);
/* The point is the middle of the text's height. */
void plot_canvas_text(struct plot_canvas *canvas, double x, double y, struct plot_font font,
                      const char *string);

/* The whole script, for gnuplot's standard input. The picture goes to standard output. */
void plot_canvas_script(struct plot_canvas *canvas, struct text *script);

#endif
