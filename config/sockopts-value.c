/* SPDX-License-Identifier: MIT
 * Values of socket options, by type. See sockopts-value.h.
 */
#include "config/sockopts-value.h"
#include "config/duration.h"
#include "config/word.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

/* --- reading --------------------------------------------------------------------------------- */

bool tmo_sockopt_number(const char *text, size_t len, int64_t low, int64_t high, int64_t *ret)
{
    const char *end = text + len;
    bool negative = len > 0 && *text == '-';
    text += negative;
    bool hex = end - text > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    text += hex ? 2 : 0;
    if (text == end)
        return false;
    int64_t n = 0;
    for (; text < end; text++) {
        int letter = *text | 0x20;
        int digit = *text >= '0' && *text <= '9'            ? *text - '0'
                    : hex && letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                                                            : -1;
        if (digit < 0 || n > INT64_C(1) << 40)
            return false;
        n = n * (hex ? 16 : 10) + digit;
    }
    n = negative ? -n : n;
    if (n < low || n > high)
        return false;
    *ret = n;
    return true;
}

/* "on" and its like: 1, "off": 0, else -1. */
static int parse_switch(const char *text, size_t len)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (int i = 0; i < 8; i++) {
        if (tmo_word_is(text, len, words[i]))
            return i & 1;
    }
    return -1;
}

static int64_t unit_ns(unsigned type)
{
    return type == TMO_OPT_S ? TMO_NS_PER_S : type == TMO_OPT_MS ? TMO_NS_PER_MS : TMO_NS_PER_US;
}

/* A duration in the unit of TYPE, rounded up. A number alone is seconds to us and another unit to
 * the kernel, so it is only taken where both are the same. */
static int parse_time(unsigned type, const char *text, size_t len, int64_t *ret)
{
    int64_t ns, unit = unit_ns(type);
    if (len == 0)
        return -EINVAL;
    if (len > 2 && memcmp(text + len - 2, "us", 2) == 0) {
        if (!tmo_sockopt_number(text, len - 2, 0, UINT32_MAX, &ns) || text[1] == 'x')
            return -EINVAL;
        ns *= TMO_NS_PER_US;
    } else {
        int r = tmo_duration_parse(text, len, &ns);
        if (r < 0)
            return r;
        if (type != TMO_OPT_S && ns != 0 && text[len - 1] <= '9')
            return -EINVAL;
    }
    *ret = ns / unit + (ns % unit != 0);
    return *ret <= INT_MAX ? 0 : -ERANGE;
}

static bool parse_linger(const char *text, size_t len, struct tmo_sockopt *ret)
{
    const char *slash = memchr(text, '/', len);
    size_t word_len = slash != NULL ? (size_t)(slash - text) : len;
    int64_t seconds = 0;
    ret->number[0] = parse_switch(text, word_len);
    if (slash != NULL) {
        const char *time = slash + 1;
        size_t time_len = len - word_len - 1;
        if (time_len == 0 || parse_time(TMO_OPT_S, time, time_len, &seconds) < 0)
            return false;
    }
    ret->number[1] = (int)seconds;
    ret->len = 2 * sizeof(int);
    return ret->number[0] == (slash != NULL);
}

/* LOW-HIGH, in one number as ip(7) has it; "off" is 0. */
static bool parse_ports(const char *text, size_t len, int64_t *ret)
{
    int64_t low, high;
    const char *minus = memchr(text, '-', len);
    if (minus == NULL) {
        *ret = 0;
        return tmo_word_is(text, len, "off");
    }
    size_t low_len = (size_t)(minus - text);
    if (!tmo_sockopt_number(text, low_len, 1, 65535, &low) ||
        !tmo_sockopt_number(minus + 1, len - low_len - 1, low, 65535, &high))
        return false;
    *ret = high << 16 | low;
    return true;
}

static bool parse_text(const char *text, size_t len, struct tmo_sockopt *ret)
{
    if (len == 0 || len >= sizeof(ret->text))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    memcpy(ret->text, text, len);
    memset(ret->text + len, 0, sizeof(ret->text) - len);
    ret->len = (uint8_t)len;
    return true;
}

int tmo_sockopt_parse_value(const char *text, size_t len, struct tmo_sockopt *ret)
{
    int64_t n = 0;
    bool good = false;
    ret->len = sizeof(int);
    switch (ret->type) {
    case TMO_OPT_INT:
        good = tmo_sockopt_number(text, len, INT_MIN, INT_MAX, &n);
        break;
    case TMO_OPT_UINT:
        good = tmo_sockopt_number(text, len, 0, UINT32_MAX, &n);
        break;
    case TMO_OPT_CODE:
        good = tmo_sockopt_number(text, len, INT_MIN, UINT32_MAX, &n);
        break;
    case TMO_OPT_INDEX:
        good = tmo_sockopt_number(text, len, 0, INT_MAX, &n);
        n = htonl((uint32_t)n);
        break;
    case TMO_OPT_PORTS:
        good = parse_ports(text, len, &n);
        break;
    case TMO_OPT_BOOL:
        n = parse_switch(text, len);
        good = n >= 0;
        break;
    case TMO_OPT_LINGER:
        return parse_linger(text, len, ret) ? 0 : -EINVAL;
    case TMO_OPT_TEXT:
        return parse_text(text, len, ret) ? 0 : -EINVAL;
    default: {
        int r = parse_time(ret->type, text, len, &n);
        if (r < 0)
            return r;
        good = true;
    }
    }
    ret->number[0] = (int)(uint32_t)n;
    return good ? 0 : -EINVAL;
}

/* --- printing -------------------------------------------------------------------------------- */

size_t tmo_sockopt_put(char *buf, size_t at, size_t size, const char *text)
{
    while (*text != '\0' && at + 1 < size)
        buf[at++] = *text++;
    buf[at] = '\0';
    return at;
}

size_t tmo_sockopt_put_number(char *buf, size_t at, int64_t n)
{
    char digits[24];
    size_t first = sizeof(digits) - 1;
    uint64_t rest = n < 0 ? (uint64_t)-n : (uint64_t)n;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (n < 0)
        digits[--first] = '-';
    return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, digits + first);
}

static size_t put_time(char *buf, size_t at, unsigned type, int n)
{
    char text[TMO_DURATION_TEXT];
    if (type == TMO_OPT_US && n % 1000 != 0)
        return tmo_sockopt_put(buf, tmo_sockopt_put_number(buf, at, n), TMO_SOCKOPT_TEXT, "us");
    tmo_duration_print(n * unit_ns(type), text);
    return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, text);
}

size_t tmo_sockopt_put_value(const struct tmo_sockopt *o, char *buf, size_t at)
{
    switch (o->type) {
    case TMO_OPT_BOOL:
        return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, o->number[0] != 0 ? "on" : "off");
    case TMO_OPT_TEXT:
        return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, o->text);
    case TMO_OPT_UINT:
        return tmo_sockopt_put_number(buf, at, (uint32_t)o->number[0]);
    case TMO_OPT_INDEX:
        return tmo_sockopt_put_number(buf, at, ntohl((uint32_t)o->number[0]));
    case TMO_OPT_LINGER:
        if (o->number[0] == 0)
            return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, "off");
        return tmo_sockopt_put_number(buf, tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, "on/"),
                                      o->number[1]);
    case TMO_OPT_PORTS:
        if (o->number[0] == 0)
            return tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, "off");
        at = tmo_sockopt_put_number(buf, at, o->number[0] & 0xffff);
        return tmo_sockopt_put_number(buf, tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, "-"),
                                      (uint32_t)o->number[0] >> 16);
    case TMO_OPT_S:
    case TMO_OPT_MS:
    case TMO_OPT_US:
        return put_time(buf, at, o->type, o->number[0]);
    default:
        return tmo_sockopt_put_number(buf, at, o->number[0]);
    }
}
