/* SPDX-License-Identifier: MIT
 * The settings table made from settings.def, and reading and printing of single values.
 * Layer: config (pure). Everything here is signal-safe and thread-safe.
 */
#ifndef TMO_CONFIG_SETTINGS_H
#define TMO_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tmo_setting {
#define SETTING(id, type, stands, words, deflt, values, help) TMO_SET_##id,
#include "config/settings.def"
#undef SETTING
    TMO_SETTINGS
};

enum tmo_setting_type {
    TMO_TYPE_DURATION,
    TMO_TYPE_WORD,
    TMO_TYPE_LIST,
    TMO_TYPE_SWITCH,
    TMO_TYPE_ERRNO,
    TMO_TYPE_KEEPALIVE,
    TMO_TYPE_GLOBS,
    TMO_TYPE_SINK,
    TMO_TYPE_RULES,
    TMO_TYPE_FILE,
    TMO_TYPE_SOCKOPT,
};

/* Where a setting may stand. */
enum tmo_stands { TMO_STANDS_ENV, TMO_STANDS_FILE, TMO_STANDS_RULE };

struct tmo_setting_info {
    const char *name; /* "LOG_FORMAT"; see tmo_setting_key() for "log_format" */
    enum tmo_setting_type type;
    enum tmo_stands stands;
    const char *words;
    const char *deflt;
    const char *values;
    const char *help;
};

extern const struct tmo_setting_info tmo_setting_info[TMO_SETTINGS];

/* The words of WORD settings, in the order of settings.def; the bits of LIST settings are 1 << i.
 */
enum tmo_mode { TMO_MODE_FORCE, TMO_MODE_CAP, TMO_MODE_FILL };
enum tmo_action {
    TMO_ACTION_ERROR,
    TMO_ACTION_RESET,
    TMO_ACTION_EXIT,
    TMO_ACTION_ABORT,
    TMO_ACTION_REPORT
};
enum tmo_engine { TMO_ENGINE_KERNEL, TMO_ENGINE_WATCHDOG, TMO_ENGINE_BOTH };
enum tmo_await { TMO_AWAIT_DATA, TMO_AWAIT_ANSWER };
enum tmo_log_format { TMO_FORMAT_JSON, TMO_FORMAT_TEXT };
enum { TMO_PROTO_TCP = 1, TMO_PROTO_UDP = 2, TMO_PROTO_UNIX = 4, TMO_PROTO_ALL = 8 };
enum {
    TMO_EVENT_CLOSE = 1,
    TMO_EVENT_TIMEOUT = 2,
    TMO_EVENT_CONNECT = 4,
    TMO_EVENT_LISTEN = 8,
    TMO_EVENT_DNS = 16,
    TMO_EVENT_START = 32,
    TMO_EVENT_ALL = 64,
};

/* A KEEPALIVE value packed into one number; 0 = off. */
struct tmo_keepalive {
    int idle_s;     /* 1..32767, TCP_KEEPIDLE; tcp(7), net/ipv4/tcp.c MAX_TCP_KEEPIDLE */
    int interval_s; /* 1..32767, TCP_KEEPINTVL; 0 = the system's */
    int count;      /* 1..127, TCP_KEEPCNT; 0 = the system's */
};
struct tmo_keepalive tmo_keepalive_unpack(int64_t value);

/* Whether values of setting ID are text: GLOBS, SINK, RULES, FILE, SOCKOPT. */
static inline bool tmo_setting_is_text(enum tmo_setting id)
{
    return tmo_setting_info[id].type >= TMO_TYPE_GLOBS;
}

/* Reads LEN bytes at TEXT as a value of setting ID. Textual settings are only
 * checked; *RET is then 1 if there is any text, else 0.
 * Returns 0, -EINVAL, or -ERANGE (a duration too long); *RET is untouched on failure. */
int tmo_setting_parse(enum tmo_setting id, const char *text, size_t len, int64_t *ret);

/* Longest text tmo_setting_print() makes for a setting that is not textual, with its NUL. */
#define TMO_SETTING_TEXT 96

/* Writes VALUE of the non-textual setting ID in its normal form into BUF (TMO_SETTING_TEXT bytes).
 * Returns the length. */
size_t tmo_setting_print(enum tmo_setting id, int64_t value, char *buf);

/* Writes the name of setting ID as files have it ("log_format") into BUF, SIZE bytes (40 are
 * enough), with a NUL. Returns its length. */
size_t tmo_setting_key(enum tmo_setting id, char *buf, size_t size);

/* What a value of setting ID looks like, for an error message: "a duration such as ...". */
const char *tmo_setting_expected(enum tmo_setting id);

/* The setting whose name is the LEN bytes at NAME ("RECV", "recv"; - counts as _), or
 * TMO_SETTINGS if there is none. */
enum tmo_setting tmo_setting_find(const char *name, size_t len);

/* The setting that was probably meant by an unknown NAME, or TMO_SETTINGS. */
enum tmo_setting tmo_setting_near(const char *name, size_t len);

/* The word of setting ID that was probably meant by TEXT, or NULL. *RET_LEN is its length. */
const char *tmo_setting_near_word(enum tmo_setting id, const char *text, size_t len,
                                  size_t *ret_len);

#endif
