/* The blocks of a results document that say how it was measured. */
#ifndef TOKENMARK_CLI_FACTS_H
#define TOKENMARK_CLI_FACTS_H

#include "cli/setup.h"
#include "config/config.h"
#include "results/results.h"

/* Fills `system` with the machine as it is before an engine binds threads and takes memory. */
int facts_fill_system(struct results *results, struct error *error);

/* Fills tool, config, options and model of `results` and adds the engine to `system`. `options`
 * is a new reference that is given away: what is in force besides the configuration. */
int facts_fill(struct results *results, const struct setup *setup, const struct config *config,
               json_t *options, struct error *error);

/* The flags of setup.h as they are in force; NULL when out of memory. */
json_t *facts_options(const struct setup_flags *flags);

#endif
