/* Keeps the two files of a measurement complete at every moment; see results_file.h. */
#include "results/results_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"

/* Of the time since the last save, a save may have cost this much. */
static const double save_share = 0.05;

void results_default_prefix(char out[RESULTS_PREFIX_MAX])
{
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) == NULL ||
        strftime(out, RESULTS_PREFIX_MAX, "benchmark_results_%Y%m%d_%H%M%S", &local) == 0)
        (void)snprintf(out, RESULTS_PREFIX_MAX, "benchmark_results");
}

/* `prefix` with the ending in place of .json or .csv; NULL when out of memory. */
static char *with_ending(const char *prefix, const char *ending)
{
    size_t length = strlen(prefix);
    if (length > 5 && strcmp(prefix + length - 5, ".json") == 0)
        length -= 5;
    else if (length > 4 && strcmp(prefix + length - 4, ".csv") == 0)
        length -= 4;
    char *path = malloc(length + strlen(ending) + 1);
    if (path != NULL) {
        memcpy(path, prefix, length);
        memcpy(path + length, ending, strlen(ending) + 1);
    }
    return path;
}

static int check_path(const char *path, bool force, struct error *error)
{
    if (!force && file_exists(path))
        return error_set(error, ERROR_INPUT,
                         "%s: exists; --force replaces it, --output-file names another", path);
    return file_check_writable(path, error);
}

static int set_paths(struct results_file *file, const char *prefix, const struct clock *clock,
                     struct error *error)
{
    *file = (struct results_file){
        .json_path = with_ending(prefix, ".json"),
        .csv_path = with_ending(prefix, ".csv"),
        .clock = clock,
        .last_save_s = clock_now_s(clock),
    };
    if (file->json_path == NULL || file->csv_path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the names of the results files");
    return 0;
}

/* One lock for both, in the name of the JSON file. */
static int lock_files(struct results_file *file, struct error *error)
{
    int code = file_lock_take(&file->lock, file->json_path, error);
    if (code != 0)
        return code;
    file_remove_leftovers(file->json_path);
    file_remove_leftovers(file->csv_path);
    return 0;
}

int results_file_open(struct results_file *file, const char *prefix, bool force,
                      const struct clock *clock, struct error *error)
{
    char made[RESULTS_PREFIX_MAX];
    if (prefix == NULL) {
        results_default_prefix(made);
        prefix = made;
    }
    int code = set_paths(file, prefix, clock, error);
    if (code == 0)
        code = check_path(file->json_path, force, error);
    if (code == 0)
        code = check_path(file->csv_path, force, error);
    if (code == 0)
        code = lock_files(file, error);
    if (code != 0)
        results_file_close(file);
    return code;
}

int results_file_continue(struct results_file *file, const char *path, const struct clock *clock,
                          struct error *error)
{
    int code = set_paths(file, path, clock, error);
    if (code == 0 && !file_exists(file->json_path))
        code = error_set(error, ERROR_INPUT, "%s: there are no such results to continue",
                         file->json_path);
    if (code == 0)
        code = check_path(file->json_path, true, error);
    if (code == 0)
        code = check_path(file->csv_path, true, error);
    if (code == 0)
        code = lock_files(file, error);
    if (code != 0)
        results_file_close(file);
    return code;
}

static int save(const struct results_file *file, const struct results *results, struct error *error)
{
    struct text json = {0};
    struct text csv = {0};
    int code = results_write_json(results, &json, error);
    if (code == 0)
        code = results_write_csv(results, &csv, error);
    if (code == 0)
        code = file_write_atomic(file->json_path, text_string(&json), json.length, error);
    if (code == 0)
        code = file_write_atomic(file->csv_path, text_string(&csv), csv.length, error);
    text_free(&json);
    text_free(&csv);
    return code;
}

int results_file_save(struct results_file *file, const struct results *results, bool always,
                      struct error *error)
{
    double begin_s = clock_now_s(file->clock);
    if (!always && file->last_save_cost_s > save_share * (begin_s - file->last_save_s))
        return 0;
    int code = save(file, results, error);
    file->last_save_s = clock_now_s(file->clock);
    file->last_save_cost_s = file->last_save_s - begin_s;
    return code;
}

void results_file_close(struct results_file *file)
{
    if (file == NULL)
        return;
    file_lock_release(&file->lock);
    free(file->json_path);
    free(file->csv_path);
    *file = (struct results_file){0};
}
