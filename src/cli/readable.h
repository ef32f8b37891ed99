/* Numbers as a person reads them: durations, sizes, means with their deviation. */
#ifndef TOKENMARK_CLI_READABLE_H
#define TOKENMARK_CLI_READABLE_H

#include <stddef.h>
#include <stdint.h>

enum { READABLE_MAX = 64 };

/* "0.8 s", "12 s", "3m 20s", "1h 02m", "2d 03h". */
void readable_duration(char out[READABLE_MAX], double seconds);

/* "512 MB", "1.5 GB"; MB is 2^20 bytes. */
void readable_bytes(char out[READABLE_MAX], double bytes);

/* "124.4 M", "1.6 B". */
void readable_count(char out[READABLE_MAX], int64_t count);

/* Four digits that mean something: "0.01234", "12.34", "1234"; "-" for NaN. */
void readable_number(char out[READABLE_MAX], double value);

/* "12.34 ± 0.05" with as many decimals as the mean; no deviation where std is NaN. */
void readable_mean(char out[READABLE_MAX], double mean, double std);

#endif
