/* SPDX-License-Identifier: MIT
 * Which name the program looked up for which address, in a table of fixed size: 512 names in sets
 * of four, of which the one longest not looked up gives way. Layer: track. Lock-free, signal-safe;
 * no system call but, after a vfork, the one of tmo_self_borrowed(). Memory is touched at the first
 * name.
 *
 * A port or a scope makes no difference, and an IPv4-mapped address is the IPv4 address that it
 * stands for (RFC 4291, 2.5.5.2).
 */
#ifndef TMO_TRACK_HOSTS_H
#define TMO_TRACK_HOSTS_H

#include <stddef.h>
#include <sys/socket.h>

#define TMO_HOST_MAX 255 /* bytes of a name, without its NUL; RFC 1035, 2.3.4 */

enum tmo_hosts_way {
    TMO_HOSTS_FORWARD, /* the program gave the name */
    TMO_HOSTS_REVERSE, /* it gave the address. Who owns the address chose that name, so it counts
                          only where there is no other */
};

/* Notes that NAME, LEN bytes, was found to have the address ADDR (ADDR_LEN bytes, anywhere). Kept
 * in small letters and without a dot at the end. Not kept: what is longer, an address written as a
 * name, and other families than IPv4 and IPv6. In a vfork(2) child nothing is noted, nor where
 * others hold what would have to be written. */
void tmo_hosts_note(const char *name, size_t len, enum tmo_hosts_way way,
                    const struct sockaddr *addr, socklen_t addr_len);

/* The name of ADDR (ADDR_LEN bytes, anywhere) into BUF (TMO_HOST_MAX + 1 bytes), with a NUL.
 * Returns its length; 0: none is known. Of several it is the one that this thread (in a forked
 * child: it or the one that forked) looked up last, else the last that any did. Who looked a name
 * up is known of eight threads a name at most. */
size_t tmo_hosts_find(const struct sockaddr *addr, socklen_t addr_len, char *buf);

#endif
