/* Measures and keeps peaks; see peak.h. A file that cannot be read or written is no failure: the
 * peak is measured again next time. */
#include "cli/peak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { FILE_LIMIT = 1 << 20 };

/* The folder of the file; NULL where the environment names none. The caller frees. */
static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    if (cache != NULL && cache[0] == '/')
        return file_join(cache, "tokenmark");
    const char *home = getenv("HOME");
    return home != NULL && home[0] == '/' ? file_join(home, ".cache/tokenmark") : NULL;
}

static const char *fact_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "?";
}

/* What the peak depends on. An engine of the tests has none worth keeping. */
static bool peak_key(struct text *key, const struct setup *setup, const json_t *system)
{
    if (setup->ops->hidden)
        return false;
    const char *device = setup_fact(setup, "device_name");
    text_printf(key, "%s|%s|%s|%s|%lld", setup->ops->name,
                device[0] != '\0' ? device : fact_of(system, "cpu_model"),
                fact_of(setup->facts, "isa"), fact_of(setup->facts, "dtype"),
                (long long)json_integer_value(json_object_get(setup->facts, "threads")));
    return !key->failed;
}

/* An empty object where there is no usable file. */
static json_t *load_peaks(const char *path)
{
    json_t *peaks = NULL;
    struct error ignored = {0};
    if (path == NULL || !file_exists(path) ||
        json_file_load(&peaks, path, FILE_LIMIT, &ignored) != 0)
        return json_object();
    if (json_is_object(peaks))
        return peaks;
    json_decref(peaks);
    return json_object();
}

static void store(const char *key, double peak)
{
    char *folder = cache_folder();
    char *path = folder != NULL ? file_join(folder, "peaks.json") : NULL;
    json_t *peaks = load_peaks(path);
    struct text text = {0};
    struct error ignored = {0};
    if (path != NULL && json_object_set_new(peaks, key, json_real(peak)) == 0 &&
        file_make_directories(folder, &ignored) == 0 &&
        json_text_dump(&text, peaks, 2, &ignored) == 0 && !text.failed) {
        text_append(&text, "\n");
        (void)file_write_atomic(path, text_string(&text), text.length, &ignored);
    }
    text_free(&text);
    json_decref(peaks);
    free(path);
    free(folder);
}

/* 0 where it is not kept. */
static double look_up(const char *key)
{
    char *folder = cache_folder();
    char *path = folder != NULL ? file_join(folder, "peaks.json") : NULL;
    json_t *peaks = load_peaks(path);
    double peak = json_number_value(json_object_get(peaks, key));
    json_decref(peaks);
    free(path);
    free(folder);
    return peak > 0.0 ? peak : 0.0;
}

/* Time for one reading: the first, and those that look whether the kept one is still the highest.
 */
static const double first_s = 0.3, again_s = 0.1;

static int measure(struct limit_reading *reading, const struct setup *setup, const char *key,
                   double kept, struct error *error)
{
    struct limit_probe probe = {.kind = LIMIT_MULTIPLY_ADD, .dtype = setup_fact(setup, "dtype")};
    int code = limit_measure(reading, setup->ops, setup->engine, clock_monotonic(), &probe,
                             kept > 0.0 ? again_s : first_s, error);
    limit_release(setup->ops, setup->engine);
    if (code == 0 && key != NULL && reading->best > kept)
        store(key, reading->best);
    return code;
}

int peak_measure(struct limit_reading *reading, const struct setup *setup, const json_t *system,
                 struct error *error)
{
    struct text key = {0};
    bool keeps = peak_key(&key, setup, system);
    int code = measure(reading, setup, keeps ? text_string(&key) : NULL, 0.0, error);
    text_free(&key);
    return code;
}

double peak_find(const struct setup *setup, const json_t *system)
{
    struct text key = {0};
    bool keeps = peak_key(&key, setup, system);
    double peak = keeps ? look_up(text_string(&key)) : 0.0;
    struct limit_reading reading;
    struct error ignored = {0};
    if (measure(&reading, setup, keeps ? text_string(&key) : NULL, peak, &ignored) == 0)
        peak = fmax(peak, reading.best);
    text_free(&key);
    return peak;
}
