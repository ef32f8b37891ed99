/* Which program this is: for --version and the results' block `tool`. */
#ifndef TOKENMARK_CLI_VERSION_H
#define TOKENMARK_CLI_VERSION_H

#include <jansson.h>

/* "0.1.0"; the commit it was built from, "unknown" outside a checkout; "gcc 12.2.0". */
const char *version_number(void);
const char *version_commit(void);
const char *version_compiler(void);

/* {name, version, commit, compiler}; NULL when out of memory. */
json_t *version_facts(void);

#endif
