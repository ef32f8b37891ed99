/* Quantities as a person types them: "2%", "30m", "1h30m". */
#ifndef TOKENMARK_CLI_QUANTITY_H
#define TOKENMARK_CLI_QUANTITY_H

#include <stdbool.h>

/* A part of a whole, above 0 and below 1: "2%" or "0.02". */
bool quantity_fraction(const char *text, double *out);

/* Seconds, above 0 and at most a year: "90", "90s", "30m", "1h30m", "0.5h". */
bool quantity_duration(const char *text, double *out);

#endif
