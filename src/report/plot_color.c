/* See plot_color.h. */
#include "report/plot_color.h"

#include <math.h>

static uint32_t channel(uint32_t rgb, int shift)
{
    return rgb >> shift & 0xFF;
}

uint32_t plot_color_map(double fraction)
{
    static const uint32_t anchors[] = {0x440154, 0x472D7B, 0x3B528B, 0x2C728E, 0x21918C,
                                       0x28AE80, 0x5EC962, 0xADDC30, 0xFDE725};
    const int last = (int)(sizeof anchors / sizeof anchors[0]) - 1;
    double place = fmin(fmax(fraction, 0), 1) * last;
    int lower = place >= last ? last - 1 : (int)place;
    uint32_t rgb = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double from = channel(anchors[lower], shift);
        double to = channel(anchors[lower + 1], shift);
        rgb |= (uint32_t)lround(from + (to - from) * (place - lower)) << shift;
    }
    return rgb;
}

uint32_t plot_color_text_on(uint32_t rgb)
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double luminance = 0;
    for (int i = 0; i < 3; i++) {
        double value = channel(rgb, 16 - 8 * i) / 255.0;
        double linear = value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
        luminance += weights[i] * linear;
    }
    /* Equal contrast (L + 0.05) against black and white. */
    return luminance > 0.179 ? 0x000000 : PLOT_WHITE;
}

uint32_t plot_color_series(size_t index, size_t count)
{
    static const uint32_t few[] = {0x0072B2, 0xE69F00, 0x009E73, 0xD55E00,
                                   0xCC79A7, 0x56B4E9, 0x000000};
    const size_t few_count = sizeof few / sizeof few[0];
    if (count <= few_count)
        return few[index];
    /* The yellow end is too light for a line on white. */
    return plot_color_map(0.92 * (double)index / (double)(count - 1));
}

int plot_shape_series(size_t index)
{
    /* gnuplot's filled shapes: disc, square, triangles, diamond, pentagon. */
    static const int shapes[] = {7, 5, 9, 13, 11, 15};
    return shapes[index % (sizeof shapes / sizeof shapes[0])];
}
