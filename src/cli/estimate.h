/* How long a grid will take, said before it starts. */
#ifndef TOKENMARK_CLI_ESTIMATE_H
#define TOKENMARK_CLI_ESTIMATE_H

#include "cli/setup.h"
#include "config/config.h"
#include "results/results.h"

/* Seconds for all pending cells, from two short probes of the engine; NaN where it has none. */
double estimate_grid_s(const struct setup *setup, const struct config *config,
                       const struct results *results);

#endif
