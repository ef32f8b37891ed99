/* What every test includes: cmocka with its prerequisites, and comparisons of doubles. */
#ifndef TOKENMARK_TESTS_TEST_H
#define TOKENMARK_TESTS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_close(actual, expected, tolerance)                                                  \
    do {                                                                                           \
        double actual_value = (double)(actual), expected_value = (double)(expected);               \
        if (!(fabs(actual_value - expected_value) <= (double)(tolerance)))                         \
            fail_msg("%s is %.17g, expected %.17g within %g", #actual, actual_value,               \
                     expected_value, (double)(tolerance));                                         \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                            \
    } while (0)

#endif
