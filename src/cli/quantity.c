/* The readers of quantity.h. */
#include "cli/quantity.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const double year_s = 366.0 * 86400.0;

/* A plain decimal number, without sign, exponent or blanks: strtod takes more than a person
 * means. */
static bool take_number(const char **text, double *out)
{
    size_t length = strspn(*text, "0123456789.");
    char *end = NULL;
    if (length == 0)
        return false;
    *out = strtod(*text, &end);
    if (end != *text + length)
        return false;
    *text += length;
    return true;
}

bool quantity_fraction(const char *text, double *out)
{
    double number;
    if (!take_number(&text, &number))
        return false;
    bool percent = *text == '%';
    if (text[percent ? 1 : 0] != '\0')
        return false;
    *out = percent ? number / 100 : number;
    return *out > 0.0 && *out < 1.0;
}

bool quantity_duration(const char *text, double *out)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    enum { UNIT_COUNT = sizeof units / sizeof units[0] };
    size_t at = 0; /* units go from large to small, each at most once */
    double number;
    *out = 0;
    while (take_number(&text, &number)) {
        if (*text == '\0' && at == 0) {
            *out = number;
            at = UNIT_COUNT;
            break;
        }
        while (at < UNIT_COUNT && units[at].unit != *text)
            at++;
        if (at == UNIT_COUNT)
            return false;
        *out += number * units[at++].seconds;
        text++;
    }
    return at > 0 && *text == '\0' && *out > 0.0 && *out <= year_s;
}
