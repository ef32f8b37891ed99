/* See plot_mark.h. */
#include "report/plot_mark.h"

#include <math.h>

#include "report/plot_color.h"

static const struct mark {
    const char *word;
    const char *meaning;
    uint32_t rgb, text_rgb;
    int pattern; /* of gnuplot's pngcairo: 4, 5 diagonals, 0 none */
} marks[CAUSE_COUNT] = {
    [CAUSE_ABSENT] = {"", "not in this grid", 0xF2F2F2, PLOT_MUTED, 0},
    [CAUSE_PENDING] = {"not run", "not run yet", 0xF2F2F2, PLOT_MUTED, 0},
    [CAUSE_PRODUCT] = {"limit", "skipped: batch × length above the limit", 0xA8A8A8, PLOT_INK, 5},
    [CAUSE_POSITIONS] = {"length", "skipped: longer than the model's positions", 0x8FABC4, PLOT_INK,
                         4},
    [CAUSE_MEMORY] = {"memory", "skipped: not enough memory", 0xBDA064, PLOT_INK, 5},
    [CAUSE_SKIPPED] = {"skipped", "skipped", 0xA8A8A8, PLOT_INK, 4},
    [CAUSE_FAILED_MEMORY] = {"memory", "failed: out of memory", 0xDB7B70, PLOT_ALARM, 5},
    [CAUSE_FAILED] = {"failed", "failed while running", 0xDB7B70, PLOT_ALARM, 4},
};

enum { KEY_LINE_PX = 26, KEY_TEXT_PX = 13, WORD_PX = 12 };

static void draw_swatch(struct plot_canvas *canvas, struct plot_rect rect, const struct mark *mark)
{
    if (mark->pattern == 0) {
        plot_canvas_rect(canvas, rect, mark->rgb);
        return;
    }
    plot_canvas_hatch(canvas, rect, mark->pattern, mark->rgb);
    plot_canvas_frame(canvas, rect, 1, mark->rgb);
}

void plot_mark_cell(struct plot_canvas *canvas, struct plot_rect rect,
                    const struct analysis_cell *cell)
{
    enum analysis_cause cause = analysis_cell_cause(cell);
    if (cause == CAUSE_NONE)
        return;
    const struct mark *mark = &marks[cause];
    double middle_x = rect.left + rect.width / 2;
    double middle_y = rect.top + rect.height / 2;
    double width = plot_text_width(mark->word, WORD_PX);
    /* In a narrow column the word stands upright. */
    bool upright = width + 6 > rect.width;
    draw_swatch(canvas, rect, mark);
    if (mark->word[0] == '\0')
        return;
    double across = WORD_PX + 6;
    double along = width + 4;
    struct plot_rect plate = {middle_x - (upright ? across : along) / 2,
                              middle_y - (upright ? along : across) / 2,
                              upright ? fmin(across, rect.width) : along, upright ? along : across};
    if (upright)
        plate.left = middle_x - plate.width / 2;
    if (mark->pattern != 0)
        plot_canvas_rect(canvas, plate, PLOT_WHITE);
    plot_canvas_text(canvas, middle_x, middle_y,
                     (struct plot_font){WORD_PX, mark->text_rgb, PLOT_CENTER, upright ? 90 : 0},
                     mark->word);
}

static unsigned causes_in_use(const struct analysis *analysis)
{
    unsigned used = 0;
    for (size_t g = 0; g < analysis->group_count; g++) {
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++)
            used |= 1U << analysis_cell_cause(&analysis->groups[g].cells[i]);
    }
    return used & ~(1U << CAUSE_NONE);
}

static double entry_width(const struct mark *mark)
{
    return 36 + plot_text_width(mark->meaning, KEY_TEXT_PX) + 24;
}

/* Lays the entries out in lines; draws them when there is a canvas. Returns the lines. */
static int lay_out(struct plot_canvas *canvas, const struct analysis *analysis, double width,
                   double top)
{
    unsigned used = causes_in_use(analysis);
    const double margin = 24;
    double x = margin;
    int lines = used != 0 ? 1 : 0;
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        if ((used & 1U << cause) == 0)
            continue;
        const struct mark *mark = &marks[cause];
        if (x > margin && x + entry_width(mark) > width) {
            x = margin;
            lines++;
        }
        if (canvas != NULL) {
            double middle = top + (lines - 0.5) * KEY_LINE_PX;
            draw_swatch(canvas, (struct plot_rect){x, middle - 7, 28, 14}, mark);
            plot_canvas_text(canvas, x + 36, middle,
                             (struct plot_font){KEY_TEXT_PX, PLOT_INK, PLOT_LEFT, 0},
                             mark->meaning);
        }
        x += entry_width(mark);
    }
    return lines;
}

double plot_mark_key_height(const struct analysis *analysis, double width)
{
    int lines = lay_out(NULL, analysis, width, 0);
    return lines > 0 ? lines * KEY_LINE_PX + 12 : 0;
}

void plot_mark_key(struct plot_canvas *canvas, const struct analysis *analysis, double top)
{
    lay_out(canvas, analysis, canvas->width, top);
}
