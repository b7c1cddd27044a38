/* SPDX-License-Identifier: MIT
 * One line of the log, put together key by key: a JSON object, or key=value text in which the keys
 * of an inner object carry its name (tcp.rtt_us=312). Layer: report. Signal-safe: no allocation, no
 * locale, a few dozen bytes of stack.
 *
 * What does not fit is left out between keys and the line then says `cut`; there is always room for
 * what closes it. Strings from outside are escaped, so that none can end the line, look like
 * another key, or play tricks on a terminal.
 */
#ifndef TMO_REPORT_LINE_H
#define TMO_REPORT_LINE_H

#include "config/settings.h"

struct tmo_line {
    char *start, *at;
    char *end; /* keys go up to here; behind it is room for what closes the line */
    enum tmo_log_format format;
    const char *inner; /* name of the inner object that is open; NULL: none */
    size_t inner_len;
    bool bare; /* no key yet where we are */
    bool mute; /* the inner object did not fit, nor will its keys */
    bool cut;  /* something was left out */
};

/* A key that is written in the source, and its length. */
#define TMO_KEY(text) ("" text), (sizeof(text) - 1)

/* Starts a line in BUF, SIZE (>= 128) bytes. */
void tmo_line_begin(struct tmo_line *line, enum tmo_log_format format, char *buf, size_t size);

/* Closes all that is open and ends the line with a newline. Returns its length. No NUL. */
size_t tmo_line_end(struct tmo_line *line);

/* Opens and closes an inner object; one level, KEY must live until it is closed. */
void tmo_line_open(struct tmo_line *line, const char *key, size_t key_len);
void tmo_line_close(struct tmo_line *line);

/* A string from outside, LEN bytes of anything; NULL is left out. One of more than 1 KiB (escaped),
 * or more than there is room for, is cut itself. */
void tmo_line_text(struct tmo_line *line, const char *key, size_t key_len, const char *text,
                   size_t len);

/* As tmo_line_text(), of a NUL-terminated string. */
void tmo_line_string(struct tmo_line *line, const char *key, size_t key_len, const char *text);

/* A word of ours (NUL-terminated), in which nothing need be escaped; NULL is left out. */
void tmo_line_word(struct tmo_line *line, const char *key, size_t key_len, const char *word);

void tmo_line_number(struct tmo_line *line, const char *key, size_t key_len, int64_t n);
void tmo_line_unsigned(struct tmo_line *line, const char *key, size_t key_len, uint64_t n);
void tmo_line_bool(struct tmo_line *line, const char *key, size_t key_len, bool value);
void tmo_line_null(struct tmo_line *line, const char *key, size_t key_len);

/* The NAMES of the bits that are set in BITS: an array, in text a comma list. */
void tmo_line_bits(struct tmo_line *line, const char *key, size_t key_len, const char (*names)[12],
                   size_t count, unsigned bits);

/* LEN bytes as lower-case hex. */
void tmo_line_hex(struct tmo_line *line, const char *key, size_t key_len,
                  const unsigned char *bytes, size_t len);

/* Writes what begins at P (LEFT bytes, at least one) into OUT, at most 6 bytes, as JSON or text
 * have it within quotes; *RET_LEN is how much of P that was. Returns the length of OUT. */
size_t tmo_line_escape(const unsigned char *p, size_t left, bool json, char *out, size_t *ret_len);

#endif
