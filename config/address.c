/* SPDX-License-Identifier: MIT
 * IP addresses and blocks. See address.h. inet_pton(3) would do, but knows no prefix and no scope.
 */
#include "config/address.h"

#include <string.h>

/* A number of at most MAX in DIGITS decimal digits at most, without leading zeros; -1: none. Moves
 * *AT. */
static int decimal(const char **at, const char *end, int digits, int max)
{
    const char *p = *at;
    int n = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - *at < digits)
        n = n * 10 + (*p++ - '0');
    if (p == *at || n > max || (**at == '0' && p - *at > 1))
        return -1;
    *at = p;
    return n;
}

static bool read4(const char *text, const char *end, uint8_t *ret)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (text >= end || *text++ != '.'))
            return false;
        int n = decimal(&text, end, 3, 255);
        if (n < 0)
            return false;
        ret[i] = (uint8_t)n;
    }
    return text == end;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 4291, 2.2: groups, one "::", an IPv4 address at the end. */
static bool read6(const char *p, const char *end, uint8_t *ret)
{
    uint8_t bytes[16] = {0};
    int at = 0, gap = -1;
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }
    while (p < end) {
        const char *group = p;
        unsigned n = 0;
        while (p < end && p - group < 5 && hex(*p) >= 0)
            n = n << 4 | (unsigned)hex(*p++);
        if (p < end && *p == '.' && at <= 12) {
            if (!read4(group, end, bytes + at))
                return false;
            at += 4;
            break;
        }
        if (p == group || p - group > 4 || at > 14)
            return false;
        bytes[at++] = (uint8_t)(n >> 8);
        bytes[at++] = (uint8_t)n;
        if (p == end)
            break;
        if (*p++ != ':' || p == end)
            return false;
        if (*p == ':') {
            if (gap >= 0)
                return false;
            gap = at;
            p++;
        }
    }
    if (gap < 0 ? at != 16 : at > 14)
        return false;
    memset(ret, 0, 16);
    if (gap < 0)
        gap = at;
    memcpy(ret, bytes, (size_t)gap);
    memcpy(ret + 16 - (at - gap), bytes + gap, (size_t)(at - gap));
    return true;
}

static bool looks_like(const char *text, const char *end)
{
    bool digits = true;
    for (const char *p = text; p < end; p++) {
        if (*p == ':' || (*p == '[' && p == text && memchr(p, ':', (size_t)(end - p)) != NULL))
            return true;
        digits = digits && ((*p >= '0' && *p <= '9') || *p == '.' || *p == '/');
    }
    return digits && text < end;
}

static void clear_behind(uint8_t *addr, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8)
            addr[i] &= (uint8_t)(0xff00u >> keep);
    }
}

enum tmo_block_error tmo_block_parse(const char *text, size_t len, struct tmo_block *ret,
                                     const char **ret_scope, size_t *ret_scope_len)
{
    const char *const whole_end = text + len;
    const char *end = whole_end, *prefix = NULL;
    if (!looks_like(text, end))
        return TMO_BLOCK_NOT;
    *ret = (struct tmo_block){.scope = 0};
    *ret_scope = end;
    *ret_scope_len = 0;

    const char *slash = memchr(text, '/', len);
    if (slash != NULL) {
        prefix = slash + 1;
        end = slash;
    }
    const char *stop = end;
    if (text < end && *text == '[') {
        if (end[-1] != ']')
            return TMO_BLOCK_BAD;
        text++;
        stop = end - 1;
    }
    if (stop <= text)
        return TMO_BLOCK_BAD;
    const char *percent = memchr(text, '%', (size_t)(stop - text));
    if (percent != NULL) {
        *ret_scope = percent + 1;
        *ret_scope_len = (size_t)(stop - percent - 1);
        if (*ret_scope_len == 0)
            return TMO_BLOCK_BAD;
        stop = percent;
    }
    unsigned first = 0, most = 128;
    uint8_t v4[4];
    if (percent == NULL && text < stop && text[0] != ':' && read4(text, stop, v4)) {
        uint32_t addr4;
        memcpy(&addr4, v4, 4);
        tmo_block_map4(addr4, ret->addr);
        first = 96;
        most = 32;
    } else if (!read6(text, stop, ret->addr)) {
        return TMO_BLOCK_BAD;
    }
    int bits = (int)most;
    if (prefix != NULL) {
        const char *at = prefix;
        bits = decimal(&at, whole_end, 3, (int)most);
        if (bits < 0 || at != whole_end)
            return TMO_BLOCK_PREFIX;
    }
    ret->bits = (uint8_t)(first + (unsigned)bits);
    ret->is4 = tmo_block_is4(ret->addr) && ret->bits >= 96;
    clear_behind(ret->addr, ret->bits);
    return TMO_BLOCK_OK;
}

bool tmo_block_has(const struct tmo_block *block, const uint8_t *addr, uint32_t scope)
{
    if (block->is4 != tmo_block_is4(addr) || (block->scope != 0 && block->scope != scope))
        return false;
    size_t whole = block->bits / 8;
    unsigned rest = block->bits % 8;
    if (memcmp(block->addr, addr, whole) != 0)
        return false;
    return rest == 0 || ((block->addr[whole] ^ addr[whole]) & (0xff00u >> rest) & 0xff) == 0;
}
