/* The arithmetic of a breakdown, and its JSON both ways; see breakdown.h. */
#include "results/breakdown.h"

#include <math.h>
#include <stdio.h>

const struct breakdown_component_facts breakdown_components[BREAKDOWN_COMPONENT_COUNT] = {
    [BREAKDOWN_EMBEDDING] = {"embedding", "Embedding"},
    [BREAKDOWN_ATTENTION_PROJECTIONS] = {"attention_projections", "Attention projections"},
    [BREAKDOWN_ATTENTION] = {"attention", "Attention"},
    [BREAKDOWN_MLP] = {"mlp", "MLP"},
    [BREAKDOWN_NORMS] = {"norms", "Norms"},
    [BREAKDOWN_HEAD] = {"head", "Head"},
    [BREAKDOWN_SAMPLING] = {"sampling", "Sampling"},
};

const char *const breakdown_phase_names[BREAKDOWN_PHASE_COUNT] = {
    [BREAKDOWN_PREFILL] = "prefill",
    [BREAKDOWN_DECODE_STEP] = "decode_step",
};

enum { KEY_MAX = 48 };

double breakdown_sum(const struct breakdown_times *times)
{
    double sum = 0.0;
    for (int i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++)
        sum += times->component_s[i];
    return sum;
}

double breakdown_share(const struct breakdown_times *times, enum breakdown_component component)
{
    double sum = breakdown_sum(times);
    return sum > 0.0 ? times->component_s[component] / sum : NAN;
}

double breakdown_difference_percent(const struct breakdown_times *times)
{
    double sum = breakdown_sum(times);
    if (!(sum > 0.0) || !(times->undisturbed_s > 0.0))
        return NAN;
    return 100.0 * (sum / times->undisturbed_s - 1.0);
}

static bool set(json_t *object, enum breakdown_phase phase, const char *ending, json_t *value)
{
    char key[KEY_MAX];
    (void)snprintf(key, sizeof key, "%s%s", breakdown_phase_names[phase], ending);
    return json_object_set_new(object, key, value) == 0;
}

static bool set_components(json_t *object, enum breakdown_phase phase, const char *ending,
                           const struct breakdown_times *times, double divisor)
{
    json_t *values = json_object();
    bool complete = set(object, phase, ending, values);
    for (int i = 0; complete && i < BREAKDOWN_COMPONENT_COUNT; i++)
        complete = json_object_set_new(values, breakdown_components[i].name,
                                       json_number(times->component_s[i] / divisor)) == 0;
    return complete;
}

/* A phase that was not measured is null in each of its keys. */
static bool set_phase(json_t *object, enum breakdown_phase phase,
                      const struct breakdown_times *times)
{
    double sum = breakdown_sum(times);
    if (!(sum > 0.0))
        return set(object, phase, "", json_null()) && set(object, phase, "_shares", json_null()) &&
               set(object, phase, "_sum_s", json_null()) &&
               set(object, phase, "_undisturbed_s", json_null()) &&
               set(object, phase, "_difference_percent", json_null());
    double undisturbed_s = times->undisturbed_s > 0.0 ? times->undisturbed_s : NAN;
    return set_components(object, phase, "", times, 1.0) &&
           set_components(object, phase, "_shares", times, sum) &&
           set(object, phase, "_sum_s", json_number(sum)) &&
           set(object, phase, "_undisturbed_s", json_number(undisturbed_s)) &&
           set(object, phase, "_difference_percent",
               json_number(breakdown_difference_percent(times)));
}

json_t *breakdown_json(const struct breakdown *breakdown)
{
    if (!(breakdown_sum(&breakdown->phases[BREAKDOWN_PREFILL]) > 0.0))
        return json_null();
    json_t *object = json_object();
    bool complete = object != NULL;
    for (int i = 0; complete && i < BREAKDOWN_PHASE_COUNT; i++)
        complete = set_phase(object, (enum breakdown_phase)i, &breakdown->phases[i]);
    complete = complete && json_object_set_new(object, "decode_steps",
                                               json_integer(breakdown->decode_steps)) == 0;
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}

/* A number of seconds; a missing one stays 0. */
static int read_seconds(double *out, const json_t *object, struct json_place place, const char *key,
                        struct error *error)
{
    bool found;
    double value = 0.0;
    int code = json_get_real(object, place, key, &value, &found, error);
    if (code == 0 && value < 0.0)
        return error_set(error, ERROR_INPUT, "%s: %s.%s: is negative, a time is needed", place.file,
                         place.path, key);
    if (code == 0)
        *out = value;
    return code;
}

static int read_object(const json_t **out, const json_t *object, struct json_place place,
                       const char *key, struct error *error)
{
    *out = json_object_get(object, key);
    if (*out == NULL || json_is_null(*out)) {
        *out = NULL;
        return 0;
    }
    if (!json_is_object(*out))
        return error_set(error, ERROR_INPUT, "%s: %s.%s: is %s, an object is needed", place.file,
                         place.path, key, json_kind_name(*out));
    return 0;
}

static int read_phase(struct breakdown_times *times, const json_t *object, struct json_place place,
                      const char *name, struct error *error)
{
    char path[256], key[KEY_MAX];
    const json_t *components;
    (void)snprintf(path, sizeof path, "%s.%s", place.path, name);
    (void)snprintf(key, sizeof key, "%s_undisturbed_s", name);
    int code = read_object(&components, object, place, name, error);
    struct json_place inside = {place.file, path};
    for (int i = 0; code == 0 && components != NULL && i < BREAKDOWN_COMPONENT_COUNT; i++)
        code = read_seconds(&times->component_s[i], components, inside,
                            breakdown_components[i].name, error);
    return code != 0 ? code : read_seconds(&times->undisturbed_s, object, place, key, error);
}

int breakdown_read(struct breakdown *breakdown, const json_t *object, struct json_place place,
                   struct error *error)
{
    const json_t *found;
    char path[128];
    bool has_steps;
    (void)snprintf(path, sizeof path, "%s.breakdown", place.path);
    struct json_place inside = {place.file, path};
    int code = read_object(&found, object, place, "breakdown", error);
    if (code != 0 || found == NULL)
        return code;
    for (int i = 0; code == 0 && i < BREAKDOWN_PHASE_COUNT; i++)
        code = read_phase(&breakdown->phases[i], found, inside, breakdown_phase_names[i], error);
    if (code == 0)
        code = json_get_integer(found, inside, "decode_steps", 0, 1 << 30, &breakdown->decode_steps,
                                &has_steps, error);
    return code;
}
