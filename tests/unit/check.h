/* SPDX-License-Identifier: MIT
 * The checks of the unit tests: each failure is told with its place and the test goes on, so that
 * one run shows them all. A test's main() ends with `return check_end();`.
 */
#ifndef TMO_TESTS_UNIT_CHECK_H
#define TMO_TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <string.h>

static unsigned check_count, check_failures;

/* What a row of a table was about, for the messages; NULL outside tables. */
static const char *check_row;

static inline void check_fail(const char *file, int line, const char *what)
{
    check_failures++;
    fprintf(stderr, "%s:%d: %s", file, line, what);
    if (check_row != NULL)
        fprintf(stderr, " [row '%s']", check_row);
    fputc('\n', stderr);
}

static inline void check_equal(const char *file, int line, const char *what, long long got,
                               long long wanted)
{
    check_count++;
    if (got == wanted)
        return;
    check_fail(file, line, what);
    fprintf(stderr, "    is %lld, not %lld\n", got, wanted);
}

static inline void check_same_text(const char *file, int line, const char *what, const char *got,
                                   const char *wanted)
{
    check_count++;
    if (got == wanted || (got != NULL && wanted != NULL && strcmp(got, wanted) == 0))
        return;
    check_fail(file, line, what);
    fprintf(stderr, "    is '%s', not '%s'\n", got != NULL ? got : "(none)",
            wanted != NULL ? wanted : "(none)");
}

/* EXPR holds. */
#define CHECK(expr) check_equal(__FILE__, __LINE__, #expr, !!(expr), 1)

/* Two whole numbers are equal. */
#define CHECK_EQ(got, wanted)                                                                      \
    check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(wanted))

/* Two texts are equal; NULL only equals NULL. */
#define CHECK_TEXT(got, wanted) check_same_text(__FILE__, __LINE__, #got, (got), (wanted))

static inline int check_end(void)
{
    printf("%u checks, %u failed\n", check_count, check_failures);
    return check_failures > 0 || check_count == 0;
}

#endif
