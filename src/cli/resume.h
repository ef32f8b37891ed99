/* What --resume asks of a results file: its configuration, and whether it was measured on this
 * machine with this model. option_json.h gives back its options. */
#ifndef TOKENMARK_CLI_RESUME_H
#define TOKENMARK_CLI_RESUME_H

#include "config/config.h"
#include "results/results.h"

/* The file can be continued: a results file of bench that says how it was measured. */
int resume_check_file(const struct results *results, const char *file, struct error *error);

/* The file's own configuration. */
int resume_take_config(struct config *config, const struct results *results, const char *file,
                       struct error *error);

/* What flags, a preset or a configuration file say must be what the file says. */
int resume_check_config(const struct config *found, const struct config *given, const char *file,
                        struct error *error);

/* Compares program, machine, engine and model. Differences are ERROR_INPUT without `force`; with
 * it they are told and noted in the file's options, except for the device and the types of weights
 * and cache, of which a cell has one. */
int resume_check_conditions(struct results *results, const struct results *now, bool force,
                            const char *file, struct error *error);

#endif
