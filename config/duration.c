/* SPDX-License-Identifier: MIT
 * Durations, in integers only: a parser that uses floating point takes its decimal point from the
 * host's locale, and rounds. See duration.h.
 */
#include "config/duration.h"
#include "config/word.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    /* largest first, as printing wants it */
    {"h", 3600 * TMO_NS_PER_S},
    {"m", 60 * TMO_NS_PER_S},
    {"s", TMO_NS_PER_S},
    {"ms", TMO_NS_PER_MS},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The ns in one unit called TEXT (LEN bytes); 0 if there is none. */
static int64_t unit_ns(const char *text, size_t len)
{
    if (len == 0)
        return TMO_NS_PER_S;
    for (size_t i = 0; i < UNITS; i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
            return units[i].ns;
    }
    return 0;
}

int tmo_duration_parse(const char *text, size_t len, int64_t *ret_ns)
{
    const char *end = text + len;
    const char *whole = text;

    if (tmo_word_is(text, len, "off")) {
        *ret_ns = 0;
        return 0;
    }
    while (text < end && is_digit(*text))
        text++;
    const char *whole_end = text;
    const char *part = text;
    const char *part_end = text;
    if (text < end && *text == '.') {
        part = ++text;
        while (text < end && is_digit(*text))
            text++;
        part_end = text;
        if (part == part_end)
            return -EINVAL; /* "1." and "." */
    } else if (whole == whole_end) {
        return -EINVAL; /* "", "-1", "s" */
    }

    int64_t unit = unit_ns(text, (size_t)(end - text));
    if (unit == 0)
        return -EINVAL;

    int64_t ns = 0;
    for (const char *p = whole; p < whole_end; p++) {
        if (__builtin_mul_overflow(ns, 10, &ns) || __builtin_add_overflow(ns, *p - '0', &ns))
            return -ERANGE;
    }
    if (__builtin_mul_overflow(ns, unit, &ns))
        return -ERANGE;

    /* From the last decimal to the first, each time a tenth of the sum so far. Rounding up at each
     * step gives the same as rounding the exact sum up once: ceil((n + ceil(x)) / 10) =
     * ceil((n + x) / 10) for a whole n. */
    int64_t fraction = 0;
    for (const char *p = part_end; p > part; p--)
        fraction = (unit * (p[-1] - '0') + fraction + 9) / 10;
    if (__builtin_add_overflow(ns, fraction, &ns))
        return -ERANGE;
    *ret_ns = ns;
    return 0;
}

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

size_t tmo_duration_print(int64_t ns, char *buf)
{
    if (ns <= 0) {
        memcpy(buf, "off", 4);
        return 3;
    }
    size_t unit = 0;
    while (unit < UNITS - 1 && ns % units[unit].ns != 0)
        unit++;
    char *at = put_number(buf, (uint64_t)(ns / units[unit].ns));
    int64_t rest = ns % units[unit].ns;
    if (rest != 0) { /* below a millisecond: decimals of ms */
        *at++ = '.';
        for (int64_t worth = TMO_NS_PER_MS / 10; rest != 0; worth /= 10) {
            *at++ = (char)('0' + rest / worth);
            rest %= worth;
        }
    }
    size_t name_len = strlen(units[unit].name);
    memcpy(at, units[unit].name, name_len + 1);
    return (size_t)(at - buf) + name_len;
}
