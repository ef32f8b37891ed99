/* Models from the Hugging Face hub: finds out which files a repository has, fetches the needed
 * ones into the shared cache (hub_cache.h), checks them. Built with libcurl or not at all. */
#ifndef TOKENMARK_MODEL_HUB_H
#define TOKENMARK_MODEL_HUB_H

#include <stdbool.h>

#include "base/error.h"
#include "model/model.h"

struct hub_options {
    const struct model_environment *environment;
    const char *revision; /* NULL = main */
    bool config_only;     /* no weights are wanted */
    double retry_delay_s; /* first pause before a retry; doubles each time */
    int attempts;         /* per request, the first included */
    void (*notice)(void *context, const char *text, double fraction); /* may be NULL */
    void *notice_context;
};

enum hub_outcome {
    HUB_FETCHED,
    HUB_NO_NETWORK,         /* the hub could not be reached at all */
    HUB_NO_READABLE_FORMAT, /* reached, but it holds no safetensors */
};

/* The two other outcomes leave their reason in `error` and return ERROR_INPUT as well: the caller
 * decides whether they end the program. Every other failure (401, 404, wrong hash, broken
 * download, full disk) is ERROR_INPUT or ERROR_MEMORY with *outcome HUB_FETCHED. On success
 * *folder is the snapshot's folder; the caller frees it. */
int hub_fetch(char **folder, enum hub_outcome *outcome, const char *repository,
              const struct hub_options *options, struct error *error);

#endif
