/* SPDX-License-Identifier: MIT
 * One line of the log. See line.h. JSON: RFC 8259; UTF-8: RFC 3629.
 *
 * Written by hand for speed: a close record has some eighty keys, and snprintf(3) takes eight times
 * as long, follows the locale and may allocate.
 */
#include "shim/report/line.h"

#include <string.h>

#define RESERVE      24   /* of the longest end: },"cut":true} and newline */
#define STRING_MAX   1024 /* of one string, so that it cannot push all others out */
#define STRING_LEAST 48   /* a string is begun if that much of it fits */

static const char digits_of_100[] = "0001020304050607080910111213141516171819"
                                    "2021222324252627282930313233343536373839"
                                    "4041424344454647484950515253545556575859"
                                    "6061626364656667686970717273747576777879"
                                    "8081828384858687888990919293949596979899";

static const char hex[] = "0123456789abcdef";

/* --- the frame ------------------------------------------------------------------------------- */

void tmo_line_begin(struct tmo_line *line, enum tmo_log_format format, char *buf, size_t size)
{
    *line = (struct tmo_line){
        .start = buf, .at = buf, .end = buf + size - RESERVE, .format = format, .bare = true};
    if (format == TMO_FORMAT_JSON)
        *line->at++ = '{';
}

static void append(struct tmo_line *line, const char *text, size_t len)
{
    memcpy(line->at, text, len);
    line->at += len;
}

size_t tmo_line_end(struct tmo_line *line)
{
    bool json = line->format == TMO_FORMAT_JSON;
    if (line->inner != NULL)
        tmo_line_close(line);
    if (line->cut) {
        if (!line->bare)
            *line->at++ = json ? ',' : ' ';
        append(line, json ? "\"cut\":true" : "cut=true", json ? 10 : 8);
    }
    if (json)
        *line->at++ = '}';
    *line->at++ = '\n';
    return (size_t)(line->at - line->start);
}

/* Writes what comes before a value of ROOM bytes, if both fit. Returns where the value goes, or
 * NULL: it is left out. */
static char *begin_key(struct tmo_line *line, const char *key, size_t key_len, size_t room)
{
    char *at = line->at;
    bool json = line->format == TMO_FORMAT_JSON;
    if (line->mute)
        return NULL;
    if ((size_t)(line->end - at) < 5 + line->inner_len + key_len + room) {
        line->cut = true;
        return NULL;
    }
    if (!line->bare)
        *at++ = json ? ',' : ' ';
    line->bare = false;
    if (json) {
        *at++ = '"';
    } else if (line->inner != NULL) {
        memcpy(at, line->inner, line->inner_len);
        at += line->inner_len;
        *at++ = '.';
    }
    memcpy(at, key, key_len);
    at += key_len;
    if (json) {
        *at++ = '"';
        *at++ = ':';
    } else {
        *at++ = '=';
    }
    return at;
}

void tmo_line_open(struct tmo_line *line, const char *key, size_t key_len)
{
    if (line->format == TMO_FORMAT_JSON) {
        char *at = begin_key(line, key, key_len, 1);
        line->mute = at == NULL;
        if (at != NULL) {
            *at++ = '{';
            line->at = at;
            line->bare = true;
        }
    } else {
        line->inner_len = key_len; /* JSON need not know it */
    }
    line->inner = key;
}

void tmo_line_close(struct tmo_line *line)
{
    if (line->format == TMO_FORMAT_JSON && !line->mute) {
        *line->at++ = '}'; /* out of the reserve, if need be */
        line->bare = false;
    }
    line->mute = false;
    line->inner = NULL;
    line->inner_len = 0;
}

/* --- plain values ---------------------------------------------------------------------------- */

static void put_plain(struct tmo_line *line, const char *key, size_t key_len, const char *value,
                      size_t len)
{
    char *at = begin_key(line, key, key_len, len);
    if (at == NULL)
        return;
    memcpy(at, value, len);
    line->at = at + len;
}

static void put_number(struct tmo_line *line, const char *key, size_t key_len, uint64_t n,
                       bool negative)
{
    char digits[24];
    char *end = digits + sizeof(digits), *p = end;
    while (n >= 100) {
        p -= 2;
        memcpy(p, digits_of_100 + n % 100 * 2, 2);
        n /= 100;
    }
    if (n >= 10) {
        p -= 2;
        memcpy(p, digits_of_100 + n * 2, 2);
    } else {
        *--p = (char)('0' + n);
    }
    if (negative)
        *--p = '-';
    put_plain(line, key, key_len, p, (size_t)(end - p));
}

void tmo_line_number(struct tmo_line *line, const char *key, size_t key_len, int64_t n)
{
    put_number(line, key, key_len, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}

void tmo_line_unsigned(struct tmo_line *line, const char *key, size_t key_len, uint64_t n)
{
    put_number(line, key, key_len, n, false);
}

void tmo_line_bool(struct tmo_line *line, const char *key, size_t key_len, bool value)
{
    put_plain(line, key, key_len, value ? "true" : "false", value ? 4 : 5);
}

void tmo_line_null(struct tmo_line *line, const char *key, size_t key_len)
{
    put_plain(line, key, key_len, "null", 4);
}

void tmo_line_word(struct tmo_line *line, const char *key, size_t key_len, const char *word)
{
    if (word == NULL)
        return;
    size_t len = strlen(word), quote = line->format == TMO_FORMAT_JSON;
    char *at = begin_key(line, key, key_len, len + 2 * quote);
    if (at == NULL)
        return;
    at[0] = '"'; /* overwritten in text */
    memcpy(at + quote, word, len);
    at += quote + len;
    if (quote)
        *at++ = '"';
    line->at = at;
}

void tmo_line_bits(struct tmo_line *line, const char *key, size_t key_len, const char (*names)[12],
                   size_t count, unsigned bits)
{
    bool json = line->format == TMO_FORMAT_JSON;
    size_t room = 2;
    for (size_t i = 0; i < count; i++)
        room += (bits >> i & 1) != 0 ? strlen(names[i]) + 3 : 0;
    char *at = begin_key(line, key, key_len, room);
    if (at == NULL)
        return;
    if (json)
        *at++ = '[';
    char *first = at;
    for (size_t i = 0; i < count; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        size_t len = strlen(names[i]);
        if (at != first)
            *at++ = ',';
        if (json)
            *at++ = '"';
        memcpy(at, names[i], len);
        at += len;
        if (json)
            *at++ = '"';
    }
    if (json) {
        *at++ = ']';
    } else if (at == first) {
        memcpy(at, "\"\"", 2);
        at += 2;
    }
    line->at = at;
}

void tmo_line_hex(struct tmo_line *line, const char *key, size_t key_len,
                  const unsigned char *bytes, size_t len)
{
    bool json = line->format == TMO_FORMAT_JSON;
    char *at = begin_key(line, key, key_len, 2 * len + 2);
    if (at == NULL)
        return;
    if (json)
        *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    if (json)
        *at++ = '"';
    line->at = at;
}

/* --- strings from outside -------------------------------------------------------------------- */

/* The code point that begins at P, of which LEFT bytes are there; *RET_LEN is its length. -1 if
 * that is no UTF-8: too short, overlong, a surrogate, or out of range. */
static int32_t decode(const unsigned char *p, size_t left, size_t *ret_len)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > left || p[0] > 0xf4)
        return -1;
    int32_t c = len == 1 ? p[0] : p[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return -1;
    *ret_len = len;
    return c;
}

/* Whether a terminal or a reader would take C for something else than a letter: controls, line
 * separators, changes of the writing direction. */
static bool is_tricky(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static size_t put_code(char *out, char kind, uint32_t c, size_t count)
{
    out[0] = '\\';
    out[1] = kind;
    for (size_t i = 0; i < count; i++)
        out[2 + i] = hex[c >> (4 * (count - 1 - i)) & 15];
    return 2 + count;
}

size_t tmo_line_escape(const unsigned char *p, size_t left, bool json, char *out, size_t *ret_len)
{
    static const char letters[] = "\"\"\\\\\nn\rr\tt\bb\ff";
    int32_t c = decode(p, left, ret_len);
    if (c < 0) { /* text can show the byte itself, JSON has no way to */
        *ret_len = 1;
        return json ? put_code(out, 'u', 0xfffd, 4) : put_code(out, 'x', p[0], 2);
    }
    for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
        if (c == letters[i]) {
            out[0] = '\\';
            out[1] = letters[i + 1];
            return 2;
        }
    }
    if (is_tricky(c))
        return put_code(out, 'u', (uint32_t)c, 4);
    memcpy(out, p, *ret_len);
    return *ret_len;
}

/* Whether the byte C stands for itself, in quotes or not. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool wants_quotes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_plain((unsigned char)text[i]) || text[i] == ' ' || text[i] == '=')
            return true;
    }
    return len == 0;
}

void tmo_line_text(struct tmo_line *line, const char *key, size_t key_len, const char *text,
                   size_t len)
{
    bool json = line->format == TMO_FORMAT_JSON;
    if (text == NULL)
        return;
    char *at = begin_key(line, key, key_len, (len < STRING_LEAST ? len : STRING_LEAST) + 2);
    if (at == NULL)
        return;
    char *end = line->end - at > STRING_MAX ? at + STRING_MAX : line->end;
    bool quotes = json || wants_quotes(text, len);
    if (quotes) {
        *at++ = '"';
        end--;
    }
    const unsigned char *p = (const unsigned char *)text, *p_end = p + len;
    while (p < p_end) {
        char unit[8];
        size_t taken = 1, n = 1;
        if (is_plain(*p))
            unit[0] = (char)*p;
        else
            n = tmo_line_escape(p, (size_t)(p_end - p), json, unit, &taken);
        if ((size_t)(end - at) < n) {
            line->cut = true;
            break;
        }
        memcpy(at, unit, n);
        at += n;
        p += taken;
    }
    if (quotes)
        *at++ = '"';
    line->at = at;
}

void tmo_line_string(struct tmo_line *line, const char *key, size_t key_len, const char *text)
{
    if (text != NULL)
        tmo_line_text(line, key, key_len, text, strlen(text));
}
