/* SPDX-License-Identifier: MIT
 * Socket addresses as text: 127.0.0.1:80, [::1]:80, unix:/path, unix:@name.
 * Layer: report. Signal-safe; never asks a name server.
 */
#ifndef TMO_REPORT_ADDRESS_H
#define TMO_REPORT_ADDRESS_H

#include "shim/report/event.h"

#include <stddef.h>

#define TMO_ADDRESS_TEXT 128

/* Writes ADDRESS into BUF (TMO_ADDRESS_TEXT bytes). Returns its length, 0 if it is not known or of
 * a family that we do not know. No NUL at the end; an abstract unix name may have some in it. */
size_t tmo_address_print(const struct tmo_address *address, char *buf);

#endif
