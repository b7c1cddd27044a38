/* SPDX-License-Identifier: MIT
 * Socket options by their C names. See sockopts.h.
 */
#include "config/sockopts.h"
#include "config/sockopts-numbers.h"
#include "config/sockopts-value.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

/* Names in the rows: a table of pointers would be relocated at every start. */
static const struct row {
    char name[26];
    uint8_t type, scope;
    uint16_t level, number;
} rows[] = {
#define SOCKOPT(name, level, type, scope)                                                          \
    {#name, TMO_OPT_##type, TMO_FOR_##scope, TMO_LEVEL_##level, name},
#include "config/sockopts.def"
#undef SOCKOPT
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS <= TMO_SOCKOPT_NUMBERED, "each row has a bit of its own, and one is left");

static const char *const expected[] = {
    [TMO_OPT_INT] = "expected an integer",
    [TMO_OPT_UINT] = "expected an integer, not negative",
    [TMO_OPT_CODE] = "expected an integer, also in hexadecimal (0x10)",
    [TMO_OPT_BOOL] = "expected on or off",
    [TMO_OPT_S] = "expected a duration such as 90s or 2m, a number of seconds, or off",
    [TMO_OPT_MS] = "expected a duration with its unit, such as 1500ms or 30s, or off",
    [TMO_OPT_US] = "expected a duration with its unit, such as 50us or 2ms, or off",
    [TMO_OPT_LINGER] = "expected on/SECONDS, such as on/5, or off",
    [TMO_OPT_PORTS] = "expected two ports, such as 40000-40999, or off",
    [TMO_OPT_INDEX] = "expected the number of an interface, such as 2",
    [TMO_OPT_TEXT] = "expected a name of 1 to 15 letters without blanks",
};

/* --- names ----------------------------------------------------------------------------------- */

unsigned tmo_sockopt_row(int level, int name)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].number == name && rows[i].level == level)
            return i;
    }
    return TMO_SOCKOPT_NUMBERED;
}

const char *tmo_sockopt_name(unsigned row)
{
    return row < ROWS ? rows[row].name : NULL;
}

const char *tmo_sockopt_expected(unsigned row)
{
    return expected[rows[row].type] + strlen("expected ");
}

static const struct row *row_named(const char *name, size_t len)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (tmo_word_is(name, len, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

/* How far WORD (LEN bytes) is from KNOWN; 99 if that is too far to have been meant. */
static unsigned distance(const char *word, size_t len, const char *known)
{
    unsigned far = len > 0 ? tmo_word_distance(word, len, known) : 99;
    return far <= (len <= 3 ? 0u : len <= 5 ? 1u : 2u) ? far : 99;
}

/* Behind the prefix of NAME, "NODELAY" of "TCP_NODELAY"; all of it if there is none. */
static const char *without_prefix(const char *name, size_t len)
{
    const char *bar = memchr(name, '_', len);
    return bar != NULL ? bar + 1 : name;
}

/* The option that was probably meant by NAME: a letter or two away, or without its prefix, or with
 * another one. */
static const char *near_name(const char *name, size_t len)
{
    const char *stem = without_prefix(name, len), *found = NULL;
    unsigned best = 99;
    for (size_t i = 0; i < ROWS && best > 0; i++) {
        const char *known = rows[i].name;
        const char *known_stem = without_prefix(known, strlen(known));
        unsigned whole = distance(name, len, known);
        unsigned bare = distance(name, len, known_stem);
        unsigned other = distance(stem, len - (size_t)(stem - name), known_stem);
        unsigned far = whole < bare ? whole : bare;
        if (other < 99 && other + 1 < far)
            far = other + 1;
        if (far < best) {
            best = far;
            found = known;
        }
    }
    return found;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void take_row(const struct row *row, struct tmo_sockopt *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->level = row->level;
    ret->name = row->number;
    ret->type = row->type;
    ret->scope = row->scope;
    ret->row = (uint8_t)(row - rows);
}

void tmo_sockopt_make(int level, int name, int value, struct tmo_sockopt *ret)
{
    take_row(&rows[tmo_sockopt_row(level, name) % ROWS], ret);
    ret->len = sizeof(int);
    ret->number[0] = value;
}

/* Whether NAME is an option that can only be asked. */
static bool is_only_asked(const char *name, size_t len)
{
    static const char *const names[] = {"SO_ERROR",    "SO_TYPE",     "SO_PROTOCOL",  "SO_DOMAIN",
                                        "SO_PEERCRED", "SO_SNDLOWAT", "SO_COOKIE",    "TCP_INFO",
                                        "SO_MEMINFO",  "IP_MTU",      "SO_ACCEPTCONN"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (tmo_word_is(name, len, names[i]))
            return true;
    }
    return false;
}

/* The setting that is there for the option that LEVEL and NUMBER, or NAME, stand for. */
static const char *own_setting(int level, int number, const char *name, size_t len)
{
    bool by_number = level == SOL_SOCKET;
    static const char *const uses[] = {"is a limit of ours, use SOCKTMO_RECV",
                                       "is a limit of ours, use SOCKTMO_SEND"};
    if (tmo_word_is(name, len, "SO_RCVTIMEO") ||
        (by_number && (number == SO_RCVTIMEO || number == 66)))
        return uses[0];
    if (tmo_word_is(name, len, "SO_SNDTIMEO") ||
        (by_number && (number == SO_SNDTIMEO || number == 67)))
        return uses[1];
    return NULL;
}

/* "6:18": an option that the table may not have, by its numbers. Whether it is one. */
static bool by_numbers(const char *name, size_t len, struct tmo_sockopt *ret)
{
    const char *colon = memchr(name, ':', len);
    int64_t level, number;
    if (colon == NULL || !tmo_sockopt_number(name, (size_t)(colon - name), 0, 65535, &level) ||
        !tmo_sockopt_number(colon + 1, len - (size_t)(colon - name) - 1, 0, 65535, &number))
        return false;
    unsigned row = tmo_sockopt_row((int)level, (int)number);
    memset(ret, 0, sizeof(*ret));
    ret->level = (int)level;
    ret->name = (int)number;
    ret->type = TMO_OPT_INT;
    ret->row = (uint8_t)row;
    ret->numbered = true;
    ret->scope = row < ROWS              ? rows[row].scope
                 : level == IPPROTO_TCP  ? TMO_FOR_TCP
                 : level == IPPROTO_UDP  ? TMO_FOR_UDP
                 : level == IPPROTO_IP   ? TMO_FOR_INET
                 : level == IPPROTO_IPV6 ? TMO_FOR_IP6
                                         : TMO_FOR_ANY;
    return true;
}

/* One item. 0, or -errno and WHAT and NEAR of FAULT. */
static int parse_item(struct tmo_sockopt_fault *fault, struct tmo_sockopt *ret)
{
    const char *item = fault->item, *end = item + fault->len;
    const char *equals = memchr(item, '=', fault->len);
    fault->near = NULL;
    fault->what = "expected NAME=VALUE, such as TCP_NODELAY=1";
    if (equals == NULL || equals == item)
        return -EINVAL;
    const char *value = equals + 1;
    size_t len = (size_t)(equals - item);
    while (len > 0 && item[len - 1] == ' ')
        len--;
    while (value < end && *value == ' ')
        value++;

    const struct row *row = row_named(item, len);
    if (row != NULL) {
        take_row(row, ret);
    } else if (!by_numbers(item, len, ret)) {
        fault->what =
            is_only_asked(item, len) ? "cannot be set, only asked" : own_setting(-1, -1, item, len);
        if (fault->what == NULL) {
            fault->near = near_name(item, len);
            fault->what = fault->near != NULL ? "unknown option"
                                              : "unknown option, expected one that libsocktmo(8) "
                                                "lists, or LEVEL:NAME=INTEGER";
        }
        return -EINVAL;
    }
    const char *own = own_setting(ret->level, ret->name, "", 0);
    fault->what = own != NULL ? own : expected[ret->type];
    return own != NULL ? -EINVAL : tmo_sockopt_parse_value(value, (size_t)(end - value), ret);
}

int tmo_sockopts_parse(const char *text, size_t len, struct tmo_sockopt *ret,
                       struct tmo_sockopt_fault *ret_fault)
{
    const char *end = text + len;
    struct tmo_sockopt_fault own;
    struct tmo_sockopt_fault *fault = ret_fault != NULL ? ret_fault : &own;
    int count = 0;

    if (len == 0)
        return 0;
    while ((fault->item = tmo_word_item(&text, end, &fault->len)) != NULL) {
        struct tmo_sockopt option;
        fault->alone = count == 0 && text == NULL;
        int r = parse_item(fault, &option);
        if (r < 0)
            return r;
        int at = 0;
        while (ret != NULL && at < count &&
               (ret[at].level != option.level || ret[at].name != option.name))
            at++;
        at = ret != NULL ? at : count;
        if (at == TMO_SOCKOPTS) {
            fault->what = "too many options, expected 32 at most";
            return -EINVAL;
        }
        if (ret != NULL)
            ret[at] = option;
        count += at == count;
    }
    return count;
}

/* --- printing -------------------------------------------------------------------------------- */

size_t tmo_sockopt_print(const struct tmo_sockopt *option, char *buf)
{
    size_t at = 0;
    if (option->numbered) {
        at = tmo_sockopt_put(buf, tmo_sockopt_put_number(buf, 0, option->level), TMO_SOCKOPT_TEXT,
                             ":");
        at = tmo_sockopt_put_number(buf, at, option->name);
    } else {
        at = tmo_sockopt_put(buf, 0, TMO_SOCKOPT_TEXT, rows[option->row].name);
    }
    at = tmo_sockopt_put(buf, at, TMO_SOCKOPT_TEXT, "=");
    return tmo_sockopt_put_value(option, buf, at);
}

size_t tmo_sockopts_explain(const struct tmo_sockopt_fault *fault, char *buf, size_t size)
{
    size_t at = 0;
    if (!fault->alone && fault->len > 0) {
        char item[TMO_SOCKOPT_TEXT];
        size_t len = fault->len < sizeof(item) ? fault->len : sizeof(item) - 1;
        memcpy(item, fault->item, len);
        item[len] = '\0';
        at = tmo_sockopt_put(buf, tmo_sockopt_put(buf, at, size, "'"), size, item);
        at = tmo_sockopt_put(buf, at, size, "': ");
    }
    at = tmo_sockopt_put(buf, at, size, fault->what);
    if (fault->near != NULL) {
        at = tmo_sockopt_put(buf, at, size, ", did you mean ");
        at = tmo_sockopt_put(buf, at, size, fault->near);
        at = tmo_sockopt_put(buf, at, size, "?");
    }
    return at;
}
