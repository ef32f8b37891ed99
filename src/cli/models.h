/* The two pages of tokenmark models: the list, and one model with the memory that it needs. */
#ifndef TOKENMARK_CLI_MODELS_H
#define TOKENMARK_CLI_MODELS_H

#include "cli/setup.h"
#include "config/config.h"

struct models_flags {
    struct setup_flags setup; /* its model is the one to inspect */
    struct option_keys keys;
    bool json;
};

/* What is cached and what is known by name. */
int models_list(bool as_json, struct error *error);

/* One model's architecture and the memory of the cells of `config`. */
int models_inspect(const struct models_flags *flags, struct config *config, struct error *error);

/* Prints a document, which is given away; NULL is ERROR_MEMORY. */
int models_print_json(json_t *document, struct error *error);

#endif
