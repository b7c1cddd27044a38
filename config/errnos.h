/* SPDX-License-Identifier: MIT
 * errno numbers <-> names, without strerror(3) (which allocates and follows the locale).
 * Layer: config (pure). Signal-safe.
 */
#ifndef TMO_CONFIG_ERRNOS_H
#define TMO_CONFIG_ERRNOS_H

#include <stddef.h>

/* The name of errno E ("ETIMEDOUT"), or NULL if we do not know it. */
const char *tmo_errno_name(int e);

/* The number of the errno called by the LEN bytes at NAME, in either case; 0 if there is none. */
int tmo_errno_number(const char *name, size_t len);

#endif
