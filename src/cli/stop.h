/* SIGINT and SIGTERM: the first asks the measurement to stop and save, the second ends the
 * program at once. */
#ifndef TOKENMARK_CLI_STOP_H
#define TOKENMARK_CLI_STOP_H

#include <stdbool.h>

/* From here on the first signal only sets the flag. */
void stop_watch_begin(void);

/* Signals end the program again. */
void stop_watch_end(void);

bool stop_was_asked(void);

#endif
