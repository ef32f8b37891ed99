/* Checks that a file's values and a flag's words share; inside config/ only. Each writes what
 * was found and what is allowed into `error`; the caller puts the place before it. */
#ifndef TOKENMARK_CONFIG_CHECK_H
#define TOKENMARK_CONFIG_CHECK_H

#include "config/config.h"

/* `found` is the value as the person wrote it. */
int config_key_refuse(const struct config_key *key, const char *found, struct error *error);
int config_check_number(const struct config_key *key, double value, const char *found,
                        struct error *error);
int config_check_device(const struct config_key *key, const char *device, struct error *error);

/* Appends a checked value; refuses a value that is there already, or one too many. */
int config_list_add(struct config_list *list, const struct config_key *key, int64_t value,
                    struct error *error);

/* The place of a key's value. */
struct config_list *config_list_of(struct config *config, const struct config_key *key);
int64_t *config_integer_of(struct config *config, const struct config_key *key);
double *config_real_of(struct config *config, const struct config_key *key);
char *config_device_of(struct config *config, const struct config_key *key);

#endif
