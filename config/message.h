/* SPDX-License-Identifier: MIT
 * Messages put together from pieces. Layer: config (pure). Signal-safe.
 */
#ifndef TMO_CONFIG_MESSAGE_H
#define TMO_CONFIG_MESSAGE_H

#include <stddef.h>

/* What does not fit is cut. Start with .len = 0. */
struct tmo_message {
    char text[256]; /* NUL-terminated from the first piece on */
    size_t len;
};

/* Adds the LEN bytes at PIECE. */
void tmo_message_add(struct tmo_message *m, const char *piece, size_t len);

/* Adds PIECE, to its NUL. */
void tmo_message_adds(struct tmo_message *m, const char *piece);

/* Adds N in decimal. */
void tmo_message_number(struct tmo_message *m, unsigned long n);

#endif
