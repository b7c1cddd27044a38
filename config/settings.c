/* SPDX-License-Identifier: MIT
 * Reading and printing of single values, by the table. See settings.h.
 */
#include "config/settings.h"
#include "config/duration.h"
#include "config/errnos.h"
#include "config/sockopts.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

const struct tmo_setting_info tmo_setting_info[TMO_SETTINGS] = {
#define SETTING(id, type, stands, words, deflt, values, help)                                      \
    {#id, TMO_TYPE_##type, TMO_STANDS_##stands, words, deflt, values, help},
#include "config/settings.def"
#undef SETTING
};

static const char *const switch_words = "off on no yes false true 0 1"; /* odd ones are on */

/* Takes the next word of a blank-separated list; NULL at its end. */
static const char *next_word(const char **at, size_t *ret_len)
{
    const char *word = *at;
    while (*word == ' ')
        word++;
    const char *end = word;
    while (*end != '\0' && *end != ' ')
        end++;
    *at = end;
    *ret_len = (size_t)(end - word);
    return *ret_len > 0 ? word : NULL;
}

/* The place of TEXT in the word list WORDS, or -1. */
static int word_index(const char *words, const char *text, size_t len)
{
    size_t word_len;
    int index = 0;
    for (const char *word; (word = next_word(&words, &word_len)) != NULL; index++) {
        if (tmo_word_same(text, len, word, word_len))
            return index;
    }
    return -1;
}

static int parse_list(const char *words, const char *text, size_t len, int64_t *ret)
{
    int64_t bits = 0;
    const char *end = text + len;
    size_t item_len;
    for (const char *item; (item = tmo_word_item(&text, end, &item_len)) != NULL;) {
        int index = word_index(words, item, item_len);
        if (index < 0)
            return -EINVAL;
        bits |= (int64_t)1 << index;
    }
    *ret = bits;
    return 0;
}

/* A whole number 1..MAX without anything around it, or -1. */
static int parse_count(const char *text, size_t len, int max)
{
    int n = 0;
    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        int digit = text[i] - '0';
        if (n > (max - digit) / 10)
            return -1;
        n = n * 10 + digit;
    }
    return n > 0 ? n : -1;
}

static int parse_keepalive(const char *text, size_t len, int64_t *ret)
{
    int64_t parts[2] = {0, 0};
    const char *end = text + len;
    int count = 0;

    for (int i = 0; i < 3; i++) {
        const char *slash = memchr(text, '/', (size_t)(end - text));
        size_t part_len = (size_t)((slash != NULL ? slash : end) - text);
        if (i == 2) {
            count = slash == NULL ? parse_count(text, part_len, 127) : -1;
            if (count < 0)
                return -EINVAL;
        } else {
            int r = tmo_duration_parse(text, part_len, &parts[i]);
            if (r < 0)
                return r;
            if (i == 0 && parts[0] == 0 && slash == NULL) { /* "off" */
                *ret = 0;
                return 0;
            }
            parts[i] = parts[i] / TMO_NS_PER_S + (parts[i] % TMO_NS_PER_S != 0);
            if (parts[i] < 1 || parts[i] > 32767)
                return -EINVAL;
        }
        if (slash == NULL)
            break;
        text = slash + 1;
    }
    *ret = parts[0] << 32 | parts[1] << 16 | count;
    return 0;
}

struct tmo_keepalive tmo_keepalive_unpack(int64_t value)
{
    return (struct tmo_keepalive){(int)(value >> 32), (int)(value >> 16 & 0xffff),
                                  (int)(value & 0xffff)};
}

/* Sinks: the shape only; whether it can be opened is found out by report/sink. */
static int check_sink(const char *text, size_t len)
{
    if (len > 3 && memcmp(text, "fd:", 3) == 0) {
        if (len == 4 && text[3] == '0')
            return 0;
        return parse_count(text + 3, len - 3, 1 << 30) > 0 ? 0 : -EINVAL;
    }
    if (len == 3 && memcmp(text, "fd:", 3) == 0)
        return -EINVAL;
    if (len >= 5 && memcmp(text, "unix:", 5) == 0) /* sun_path, unix(7) */
        return len > 5 && len - 5 < 108 ? 0 : -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%') {
            if (i + 1 >= len || strchr("pc%", text[i + 1]) == NULL)
                return -EINVAL;
            i++;
        }
    }
    return len > 0 && len < 1024 && text[len - 1] != '/' ? 0 : -EINVAL;
}

int tmo_setting_parse(enum tmo_setting id, const char *text, size_t len, int64_t *ret)
{
    const struct tmo_setting_info *info = &tmo_setting_info[id];
    int found;

    switch (info->type) {
    case TMO_TYPE_DURATION:
        return tmo_duration_parse(text, len, ret);
    case TMO_TYPE_WORD:
        found = word_index(info->words, text, len);
        break;
    case TMO_TYPE_LIST:
        return parse_list(info->words, text, len, ret);
    case TMO_TYPE_SWITCH:
        found = word_index(switch_words, text, len);
        if (found >= 0)
            found &= 1;
        break;
    case TMO_TYPE_ERRNO:
        if (tmo_word_is(text, len, "kernel")) {
            found = 0;
            break;
        }
        found = tmo_errno_number(text, len);
        if (found == 0)
            found = -1;
        break;
    case TMO_TYPE_KEEPALIVE:
        return parse_keepalive(text, len, ret);
    case TMO_TYPE_SOCKOPT:
        found = tmo_sockopts_parse(text, len, NULL, NULL);
        found = found > 1 ? 1 : found;
        break;
    case TMO_TYPE_GLOBS:
    case TMO_TYPE_RULES: /* judged by rule: config/oneline.c */
    case TMO_TYPE_FILE:
        *ret = len > 0;
        return 0;
    case TMO_TYPE_SINK:
        found = len == 0 ? 0 : check_sink(text, len) == 0 ? 1 : -1;
        break;
    default:
        found = -1;
    }
    if (found < 0)
        return -EINVAL;
    *ret = found;
    return 0;
}

static size_t put(char *buf, size_t at, const char *text, size_t len)
{
    if (at + len >= TMO_SETTING_TEXT)
        len = TMO_SETTING_TEXT - 1 - at;
    memcpy(buf + at, text, len);
    buf[at + len] = '\0';
    return at + len;
}

size_t tmo_setting_print(enum tmo_setting id, int64_t value, char *buf)
{
    const struct tmo_setting_info *info = &tmo_setting_info[id];
    const char *words = info->words;
    size_t word_len, at = 0;
    const char *word;

    buf[0] = '\0';
    switch (info->type) {
    case TMO_TYPE_DURATION:
        return tmo_duration_print(value, buf);
    case TMO_TYPE_WORD:
        for (int64_t i = 0; (word = next_word(&words, &word_len)) != NULL; i++) {
            if (i == value)
                return put(buf, 0, word, word_len);
        }
        return 0;
    case TMO_TYPE_LIST:
        for (int i = 0; (word = next_word(&words, &word_len)) != NULL; i++) {
            if ((value >> i & 1) == 0)
                continue;
            if (at > 0)
                at = put(buf, at, ",", 1);
            at = put(buf, at, word, word_len);
        }
        return at;
    case TMO_TYPE_SWITCH:
        return put(buf, 0, value ? "on" : "off", value ? 2 : 3);
    case TMO_TYPE_ERRNO:
        word = value == 0 ? "kernel" : tmo_errno_name((int)value);
        return word != NULL ? put(buf, 0, word, strlen(word)) : 0;
    case TMO_TYPE_KEEPALIVE: {
        struct tmo_keepalive k = tmo_keepalive_unpack(value);
        char part[TMO_DURATION_TEXT];
        at = put(buf, 0, part, tmo_duration_print(k.idle_s * TMO_NS_PER_S, part));
        if (k.interval_s != 0) {
            at = put(buf, at, "/", 1);
            at = put(buf, at, part, tmo_duration_print(k.interval_s * TMO_NS_PER_S, part));
        }
        if (k.count != 0) {
            char digits[3];
            size_t n = 3;
            for (int c = k.count; c > 0; c /= 10)
                digits[--n] = (char)('0' + c % 10);
            at = put(buf, at, "/", 1);
            at = put(buf, at, digits + n, 3 - n);
        }
        return at;
    }
    default:
        return 0;
    }
}

size_t tmo_setting_key(enum tmo_setting id, char *buf, size_t size)
{
    const char *name = tmo_setting_info[id].name;
    size_t len = 0;
    for (; name[len] != '\0' && len < size - 1; len++)
        buf[len] = tmo_word_lower(name[len]);
    buf[len] = '\0';
    return len;
}

const char *tmo_setting_expected(enum tmo_setting id)
{
    switch (tmo_setting_info[id].type) {
    case TMO_TYPE_DURATION:
        return "a duration such as 250ms, 1.5s, 2m, 1h, a number of seconds, or off";
    case TMO_TYPE_SWITCH:
        return "on or off";
    case TMO_TYPE_ERRNO:
        return "an errno name such as ETIMEDOUT, or kernel";
    case TMO_TYPE_KEEPALIVE:
        return "idle[/interval[/count]] such as 60s/10s/5 (up to 32767s, count up to 127), or off";
    default:
        return tmo_setting_info[id].values;
    }
}

enum tmo_setting tmo_setting_find(const char *name, size_t len)
{
    for (int id = 0; id < TMO_SETTINGS; id++) {
        const char *known = tmo_setting_info[id].name;
        size_t i = 0;
        while (i < len && known[i] != '\0' &&
               (tmo_word_lower(name[i]) == tmo_word_lower(known[i]) ||
                (name[i] == '-' && known[i] == '_')))
            i++;
        if (i == len && known[i] == '\0')
            return (enum tmo_setting)id;
    }
    return TMO_SETTINGS;
}

/* How far apart a near-miss of a word of LEN letters may be: one step in a short word, two in a
 * long one. */
static unsigned near_limit(size_t len)
{
    return len <= 3 ? 1 : 2;
}

enum tmo_setting tmo_setting_near(const char *name, size_t len)
{
    unsigned best = near_limit(len) + 1;
    int found = TMO_SETTINGS;
    for (int id = 0; id < TMO_SETTINGS; id++) {
        unsigned far = tmo_word_distance(name, len, tmo_setting_info[id].name);
        if (far < best) {
            best = far;
            found = id;
        }
    }
    return (enum tmo_setting)found;
}

const char *tmo_setting_near_word(enum tmo_setting id, const char *text, size_t len,
                                  size_t *ret_len)
{
    const char *words = tmo_setting_info[id].words, *found = NULL, *word;
    unsigned best = near_limit(len) + 1;
    size_t word_len;
    while ((word = next_word(&words, &word_len)) != NULL) {
        char copy[16];
        if (word_len >= sizeof(copy))
            continue;
        memcpy(copy, word, word_len);
        copy[word_len] = '\0';
        unsigned far = tmo_word_distance(text, len, copy);
        if (far < best) {
            best = far;
            found = word;
            *ret_len = word_len;
        }
    }
    return found;
}
