/* Numbers as people read them: three significant digits, and units that fit the values. */
#ifndef TOKENMARK_REPORT_FORMAT_H
#define TOKENMARK_REPORT_FORMAT_H

#include <stddef.h>

enum { FORMAT_MAX = 64 };

struct format_unit {
    const char *name;
    double per_base; /* how many of them make one base unit (second, MB, ...) */
};

/* "0.0123", "1.23", "12.3", "1230", "123k", "1.23M"; "n/a" for what is not finite. */
void format_number(char out[FORMAT_MAX], double value);

/* "12.3 ± 0.4"; without the ± part when `std` is NaN. */
void format_mean_std(char out[FORMAT_MAX], double mean, double std);

/* "12.3 [11.9, 12.7]"; the mean alone when the interval is NaN. */
void format_interval(char out[FORMAT_MAX], double mean, double low, double high);

/* "12.3 ms", "1.20 s", "5.2 min". */
void format_duration(char out[FORMAT_MAX], double seconds);

/* "0.1 MB", "483.4 MB", "12.3 GB" (2^30 bytes) for MB of 2^20 bytes. */
void format_memory(char out[FORMAT_MAX], double megabytes);

/* The unit (µs, ms, s) that makes most of the values short to write. */
struct format_unit format_time_unit(const double *seconds, size_t count);

/* MB or GB (2^30 bytes) for values in MB (2^20 bytes). */
struct format_unit format_memory_unit(const double *megabytes, size_t count);

#endif
