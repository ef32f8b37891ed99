/* What lies in the Hugging Face cache, for a person to look at: hub_cache.h finds one model, this
 * lists all. Nothing is opened and nothing is asked of the network. */
#ifndef TOKENMARK_MODEL_HUB_CACHE_LIST_H
#define TOKENMARK_MODEL_HUB_CACHE_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/model.h"

struct cached_model {
    char *name;     /* "org/name" */
    char *revision; /* as --revision takes it: a reference's name, else the commit */
    char *commit;
    char *folder;  /* the snapshot's */
    int64_t bytes; /* of the files that the snapshot has */
};

struct cached_models {
    struct cached_model *items; /* by name, then revision */
    size_t count, capacity;
};

/* Every revision of every model. A cache that does not exist is an empty one. */
int hub_cache_list(struct cached_models *models, const struct model_environment *environment,
                   struct error *error);
void hub_cache_list_free(struct cached_models *models);

#endif
