/* Puts the facts of gpu_facts.h together. */
#include "cli/gpu_facts.h"

#include "base/json.h"
#include "bench/device_watch.h"

/* What a reading shows of this moment; totals say nothing alone. */
static const struct {
    const char *name;
    size_t offset;
    double unit;
} shown[] = {
    {"power_w", offsetof(struct device_reading, power_w), 1},
    {"sm_mhz", offsetof(struct device_reading, core_mhz), 1},
    {"memory_mhz", offsetof(struct device_reading, memory_mhz), 1},
    {"temperature_c", offsetof(struct device_reading, temperature_c), 1},
    {"other_processes", offsetof(struct device_reading, other_processes), 1},
    {"memory_used_mb", offsetof(struct device_reading, memory_used_bytes), 1048576},
};

static bool add_reading(json_t *gpu, const struct setup *setup)
{
    struct device_reading reading;
    char words[RECORD_THROTTLE_MAX];
    if (setup->ops->read_device == NULL)
        return true;
    setup->ops->read_device(setup->engine, &reading);
    bool done = true;
    for (size_t i = 0; done && i < sizeof shown / sizeof shown[0]; i++) {
        double value = *(const double *)(const void *)((const char *)&reading + shown[i].offset);
        done = json_object_set_new(gpu, shown[i].name, json_number(value / shown[i].unit)) == 0;
    }
    device_watch_name_throttle(words, sizeof words, reading.throttle);
    return done && json_object_set_new(gpu, "throttle_reasons",
                                       words[0] != '\0' ? json_string(words) : json_null()) == 0;
}

bool gpu_facts_add(json_t *system, json_t *engine, const struct setup *setup)
{
    json_t *gpu = json_object_get(setup->facts, "gpu");
    if (!json_is_object(gpu))
        return true;
    json_t *own = json_copy(gpu);
    bool done = own != NULL && add_reading(own, setup) && json_object_set(system, "gpu", own) == 0;
    json_decref(own);
    (void)json_object_del(engine, "gpu");
    return done;
}
