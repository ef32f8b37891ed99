/* Draws progress; see progress.h. */
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/readable.h"
#include "cli/terminal.h"

enum { LINE_MAX_BYTES = 512 };

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.live = terminal_is_live(stderr)};
}

void progress_begin_grid(struct progress *progress, const struct results *results, int64_t num_runs)
{
    progress->results = results;
    progress->num_runs = num_runs;
}

/* The line is cut to the terminal, because a line that wraps cannot be drawn over. */
static void draw(struct progress *progress, const char *line)
{
    int width = terminal_width(stderr, 80);
    size_t bytes = terminal_fit(line, width > 1 ? width - 1 : 1);
    (void)fprintf(stderr, "\r%.*s\033[K", (int)bytes, line);
    (void)fflush(stderr);
    progress->drawn = true;
}

void progress_clear(struct progress *progress)
{
    if (!progress->drawn)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->drawn = false;
}

/* Notices with a fraction differ in the numbers behind their colon. */
static bool same_subject(const char *a, const char *b)
{
    size_t length = strcspn(a, ":");
    return length == strcspn(b, ":") && strncmp(a, b, length) == 0;
}

void progress_notice(void *context, const char *text, double fraction)
{
    struct progress *progress = context;
    if (fraction < 0) {
        progress_clear(progress);
        (void)fprintf(stderr, "tokenmark: %s\n", text);
        return;
    }
    if (progress->live) {
        char line[LINE_MAX_BYTES];
        (void)snprintf(line, sizeof line, "%s %3.0f %%", text, 100 * fmin(fraction, 1));
        draw(progress, line);
    } else if (fraction >= 1 || !same_subject(progress->notice, text)) {
        (void)fprintf(stderr, "%s\n", text);
    }
    (void)snprintf(progress->notice, sizeof progress->notice, "%s", text);
}

/* ", ETA 1m 20s", or "" while nobody knows. */
static void describe_remaining(char out[READABLE_MAX + 16], double remaining_s)
{
    out[0] = '\0';
    if (!isfinite(remaining_s))
        return;
    char duration[READABLE_MAX];
    readable_duration(duration, remaining_s);
    (void)snprintf(out, READABLE_MAX + 16, ", ETA %s", duration);
}

static double mean_of(const struct progress *progress, const struct cell_record *cell,
                      enum metric_id metric, double *std)
{
    struct stats_summary summary = {0};
    struct error ignored = {0};
    *std = NAN;
    if (results_summarise(progress->results, cell, &metrics[metric], &summary, &ignored) != 0)
        return NAN;
    *std = summary.std;
    return summary.mean;
}

/* One line that stays, for a cell that is finished. */
static void print_cell(struct progress *progress, const struct runner_event *event)
{
    const struct cell_record *cell = event->cell;
    (void)fprintf(stderr, "[%zu/%zu] %lld %s %lld: ", event->visits_done, event->visits,
                  (long long)cell->batch_size, terminal_times(), (long long)cell->input_length);
    bool has_share = cell->status == CELL_PARTIAL && cell->reason[0] == '\0';
    if (cell->status != CELL_MEASURED && !has_share) {
        (void)fprintf(
            stderr, "%s%s%s%s%s\n",
            terminal_style(stderr, cell->status == CELL_FAILED ? STYLE_RED : STYLE_YELLOW),
            cell_status_name(cell->status), terminal_plain(stderr),
            cell->reason[0] != '\0' ? ": " : "", cell->reason);
        return;
    }
    char latency[READABLE_MAX], first[READABLE_MAX], rate[READABLE_MAX], left[READABLE_MAX + 16];
    double std = NAN;
    double mean = mean_of(progress, cell, METRIC_TOTAL_LATENCY, &std);
    readable_mean(latency, mean, std);
    readable_number(first, 1e3 * mean_of(progress, cell, METRIC_PREFILL_TIME, &std));
    readable_number(rate, mean_of(progress, cell, METRIC_TOKENS_PER_SECOND, &std));
    bool is_last = event->visits_done == event->visits;
    describe_remaining(left, progress->live || is_last ? NAN : event->remaining_s);
    (void)fprintf(stderr, "latency %s s, TTFT %s ms, %s tokens/s%s\n", latency, first, rate, left);
}

static void draw_cell(struct progress *progress, const struct runner_event *event)
{
    char activity[64] = "opening";
    if (event->kind == RUNNER_WARM_UP)
        (void)snprintf(activity, sizeof activity, "warming up");
    else if (event->kind == RUNNER_BREAKDOWN)
        (void)snprintf(activity, sizeof activity, "breakdown");
    else if (event->kind == RUNNER_RUN_BEGIN && progress->num_runs == 0)
        (void)snprintf(activity, sizeof activity, "run %lld", (long long)event->run_number);
    else if (event->kind == RUNNER_RUN_BEGIN)
        (void)snprintf(activity, sizeof activity, "run %lld of %lld", (long long)event->run_number,
                       (long long)progress->num_runs);
    char left[READABLE_MAX + 16];
    describe_remaining(left, event->remaining_s);
    char line[LINE_MAX_BYTES];
    (void)snprintf(line, sizeof line, "[%zu/%zu] %lld %s %lld: %s, %.0f %%%s",
                   event->visits_done + 1, event->visits, (long long)event->cell->batch_size,
                   terminal_times(), (long long)event->cell->input_length, activity,
                   100 * event->fraction, left);
    draw(progress, line);
}

void progress_event(struct progress *progress, const struct runner_event *event)
{
    if (event->kind == RUNNER_SAVE_FAILED) {
        progress_clear(progress);
        terminal_warn("%s", event->text);
    } else if (event->kind == RUNNER_BREAKDOWN_FAILED) {
        progress_clear(progress);
        terminal_warn("%lld %s %lld has no breakdown: %s", (long long)event->cell->batch_size,
                      terminal_times(), (long long)event->cell->input_length, event->text);
    } else if (event->kind == RUNNER_CELL_END) {
        progress_clear(progress);
        print_cell(progress, event);
    } else if (progress->live && event->kind != RUNNER_RUN_END) {
        draw_cell(progress, event);
    }
}
