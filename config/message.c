/* SPDX-License-Identifier: MIT
 * Messages put together from pieces. See message.h.
 */
#include "config/message.h"

#include <string.h>

void tmo_message_add(struct tmo_message *m, const char *piece, size_t len)
{
    if (len > sizeof(m->text) - 1 - m->len)
        len = sizeof(m->text) - 1 - m->len;
    memcpy(m->text + m->len, piece, len);
    m->len += len;
    m->text[m->len] = '\0';
}

void tmo_message_adds(struct tmo_message *m, const char *piece)
{
    tmo_message_add(m, piece, strlen(piece));
}

void tmo_message_number(struct tmo_message *m, unsigned long n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    tmo_message_add(m, digits + at, sizeof(digits) - at);
}
