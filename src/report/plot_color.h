/* Colours that people with any kind of colour vision can tell apart. */
#ifndef TOKENMARK_REPORT_PLOT_COLOR_H
#define TOKENMARK_REPORT_PLOT_COLOR_H

#include <stddef.h>
#include <stdint.h>

enum {
    PLOT_INK = 0x222222,
    PLOT_MUTED = 0x666666,
    PLOT_FRAME = 0x8C8C8C,
    PLOT_GRID = 0xE4E4E4,
    PLOT_WHITE = 0xFFFFFF,
    PLOT_PREFILL = 0x0072B2, /* blue and orange of Okabe and Ito */
    PLOT_DECODE = 0xE69F00,
    PLOT_ALARM = 0xB2182B,
};

/* The viridis colour map (Smith and van der Walt, 2015): equal steps look equal and survive
 * a grey print. 0 to 1. */
uint32_t plot_color_map(double fraction);

/* Black or white, whichever reads better on `rgb`. */
uint32_t plot_color_text_on(uint32_t rgb);

/* Colour and point shape of line `index` of `count`: Okabe and Ito's colours for few lines,
 * steps of the colour map where there are more. */
uint32_t plot_color_series(size_t index, size_t count);
int plot_shape_series(size_t index);

#endif
