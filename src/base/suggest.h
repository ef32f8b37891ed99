/* "did you mean": the candidate nearest to a mistyped word. */
#ifndef TOKENMARK_BASE_SUGGEST_H
#define TOKENMARK_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate with the smallest edit distance (insert, delete, replace, swap of
 * neighbours), NULL when none is near enough to be meant (distance at most a third of the
 * word, at least 1; a candidate that starts with the word counts as near and comes first). */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
