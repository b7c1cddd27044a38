/* SPDX-License-Identifier: MIT
 * Values of socket options, by type: for sockopts.c alone, whose header says what the types are.
 * Layer: config (pure). Signal-safe, thread-safe.
 */
#ifndef TMO_CONFIG_SOCKOPTS_VALUE_H
#define TMO_CONFIG_SOCKOPTS_VALUE_H

#include "config/sockopts.h"

/* Reads LEN bytes at TEXT as a whole number from LOW to HIGH, decimal or with 0x. Whether it is
 * one; *RET is untouched if not. */
bool tmo_sockopt_number(const char *text, size_t len, int64_t low, int64_t high, int64_t *ret);

/* Reads LEN bytes at TEXT as the value of RET, whose type is known. Returns 0, -EINVAL, or -ERANGE
 * (a time too long). */
int tmo_sockopt_parse_value(const char *text, size_t len, struct tmo_sockopt *ret);

/* These write at AT of BUF (TMO_SOCKOPT_TEXT bytes) and return where that ends. */
size_t tmo_sockopt_put_number(char *buf, size_t at, int64_t n);
size_t tmo_sockopt_put_value(const struct tmo_sockopt *o, char *buf, size_t at);

/* The same for TEXT; BUF has SIZE bytes, and what does not fit is cut. */
size_t tmo_sockopt_put(char *buf, size_t at, size_t size, const char *text);

#endif
