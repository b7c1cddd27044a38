/* SPDX-License-Identifier: MIT
 * /etc/services, without getservbyname(3), which goes by NSS and allocates. Layer: config (pure).
 */
#ifndef TMO_CONFIG_SERVICES_H
#define TMO_CONFIG_SERVICES_H

#include <stddef.h>

/* The port of the service NAME (LEN bytes; a name or an alias, in either case) in the SIZE bytes at
 * TEXT, which are in the form of services(5); -1 if it is not there. Signal-safe. */
int tmo_services_port(const char *text, size_t size, const char *name, size_t len);

#endif
