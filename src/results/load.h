/* What the readers of JSON and CSV share; inside results/ only. */
#ifndef TOKENMARK_RESULTS_LOAD_H
#define TOKENMARK_RESULTS_LOAD_H

#include "results/results.h"

/* What a run record of a file says of its times; NaN where it says nothing. */
struct run_times {
    double total_latency;
    double prefill_time;
    double decode_time;
};

/* Completes a record from its own batch, lengths and times, whatever rates the file states, and
 * adds it. `where` ("my.json: runs[3]") is for the refusal of a record without times. Takes over
 * run->decode_step_times in every case. */
int load_add_run(struct results *results, struct run_record *run, const struct run_times *times,
                 const char *where, struct error *error);

/* Makes the cells that runs were measured in and the source does not list. */
int load_complete_cells(struct results *results, struct error *error);

#endif
