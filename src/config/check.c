/* What a value of a key may be, whether a file or a flag gave it; see check.h. */
#include "config/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

int config_key_refuse(const struct config_key *key, const char *found, struct error *error)
{
    return error_set(error, ERROR_INPUT, "found %s, allowed is %s", found, key->allowed);
}

int config_check_number(const struct config_key *key, double value, const char *found,
                        struct error *error)
{
    bool inside = isfinite(value) && value <= key->maximum &&
                  (key->above_minimum ? value > key->minimum : value >= key->minimum);
    return inside ? 0 : config_key_refuse(key, found, error);
}

/* The last two are engines for tests, on no list for users. */
static const char *const device_names[] = {"auto", "cpu", "cuda", "fake", "emu"};

int config_check_device(const struct config_key *key, const char *device, struct error *error)
{
    for (size_t i = 0; i < sizeof device_names / sizeof device_names[0]; i++) {
        if (strcmp(device, device_names[i]) == 0)
            return 0;
    }
    if (strncmp(device, "cuda:", 5) == 0) {
        size_t digits = strspn(device + 5, "0123456789");
        if (digits >= 1 && digits <= 3 && device[5 + digits] == '\0')
            return 0;
    }
    return error_set(error, ERROR_INPUT, "found \"%.60s\", allowed is %s", device, key->allowed);
}

int config_list_add(struct config_list *list, const struct config_key *key, int64_t value,
                    struct error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->values[i] == value)
            return error_set(error, ERROR_INPUT, "found %" PRId64 " twice, allowed is %s", value,
                             key->allowed);
    }
    if (list->count == CONFIG_LIST_MAX)
        return error_set(error, ERROR_INPUT, "found more than %d values, the most allowed",
                         (int)CONFIG_LIST_MAX);
    list->values[list->count++] = value;
    return 0;
}

static void *place_of(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

struct config_list *config_list_of(struct config *config, const struct config_key *key)
{
    return place_of(config, key);
}

int64_t *config_integer_of(struct config *config, const struct config_key *key)
{
    return place_of(config, key);
}

double *config_real_of(struct config *config, const struct config_key *key)
{
    return place_of(config, key);
}

char *config_device_of(struct config *config, const struct config_key *key)
{
    return place_of(config, key);
}
