/* Numbers as a person reads them: durations, sizes, means with their deviation. */
#ifndef TOKENMARK_CLI_FORMAT_H
#define TOKENMARK_CLI_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { FORMAT_MAX = 64 };

/* "0.8 s", "12 s", "3m 20s", "1h 02m", "2d 03h". */
void format_duration(char out[FORMAT_MAX], double seconds);

/* "512 MB", "1.5 GB"; MB is 2^20 bytes. */
void format_bytes(char out[FORMAT_MAX], double bytes);

/* "124.4 M", "1.6 B". */
void format_count(char out[FORMAT_MAX], int64_t count);

/* Four digits that mean something: "0.01234", "12.34", "1234"; "-" for NaN. */
void format_number(char out[FORMAT_MAX], double value);

/* "12.34 ± 0.05" with as many decimals as the mean; no deviation where std is NaN. */
void format_mean(char out[FORMAT_MAX], double mean, double std);

#endif
