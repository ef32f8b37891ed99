/* The edit distance behind "did you mean"; see suggest.h. */
#include "base/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { WORD_MAX = 64 }; /* longer words are no typing mistakes of ours */

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, swap of neighbours, each costs 1.
 * Only three rows of the table are alive at a time. */
static size_t edit_distance(const char *word, const char *candidate)
{
    size_t rows[3][WORD_MAX + 1];
    size_t word_length = strlen(word), candidate_length = strlen(candidate);
    for (size_t j = 0; j <= candidate_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= word_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= candidate_length; j++) {
            size_t replace = above[j - 1] + !same_letter(word[i - 1], candidate[j - 1]);
            row[j] = smaller(replace, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(word[i - 1], candidate[j - 2]) &&
                same_letter(word[i - 2], candidate[j - 1]))
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[word_length % 3][candidate_length];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > WORD_MAX)
        return NULL;
    size_t limit = length / 3 > 1 ? length / 3 : 1;
    const char *nearest = NULL;
    size_t nearest_distance = 0;
    bool nearest_begins = false;
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, candidates[i]);
        bool begins = strncasecmp(candidates[i], word, length) == 0;
        if (!begins && (nearest_begins || distance > limit || distance >= length))
            continue;
        if (nearest == NULL || (begins && !nearest_begins) || distance < nearest_distance) {
            nearest = candidates[i];
            nearest_distance = distance;
            nearest_begins = begins;
        }
    }
    return nearest;
}
