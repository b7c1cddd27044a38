/* SPDX-License-Identifier: MIT
 * Ending a connection in the kernel. See end.h.
 *
 * shutdown(2) alone would be read as the peer's orderly end, half an answer as a whole one. A
 * connect(2) to AF_UNSPEC aborts instead (RFC 793 ABORT; net/ipv4/tcp.c, tcp_disconnect): waiting
 * calls get ECONNRESET or EPIPE, pollers POLLERR and POLLHUP. But it throws the receive queue away.
 */
#include "shim/policy/end.h"
#include "shim/policy/apply.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

static int disconnect(int fd)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    return (int)TMO_RAW3(SYS_connect, fd, &nowhere, sizeof(nowhere));
}

static bool has_queued(int fd)
{
    int queued = 0;
    return TMO_RAW3(SYS_ioctl, fd, FIONREAD, &queued) == 0 && queued > 0;
}

enum tmo_end tmo_end_connection(int fd, const struct tmo_slot *slot)
{
    if (!tmo_proto_is_connected(slot->proto) || !tmo_end_is_same(fd, slot))
        return TMO_END_NOT;
    /* While another thread sleeps in a call on it, some kernels refuse with EBUSY: 4faeee0cf8a5 in
     * 6.4 and backports, until 419ce133ab92 in 6.7. */
    if (tmo_proto_is_tcp(slot->proto) && !has_queued(fd) && disconnect(fd) == 0)
        return TMO_END_RESET;
    return TMO_RAW2(SYS_shutdown, fd, SHUT_RDWR) == 0 ? TMO_END_DRAIN : TMO_END_NOT;
}

void tmo_end_attempt(int fd, const struct tmo_slot *slot, bool polled)
{
    if (!tmo_proto_is_tcp(slot->proto) || disconnect(fd) < 0 || polled)
        return;    /* a unix socket's attempt ends with the call */
    int error = 0; /* the ECONNRESET that this leaves behind (tcp_disconnect) */
    socklen_t len = sizeof(error);
    (void)tmo_raw_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

bool tmo_end_is_same(int fd, const struct tmo_slot *slot)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);
    if (slot->peer_port == 0 || slot->family == TMO_FAMILY_UNIX)
        return true; /* nothing to compare with */
    if (TMO_RAW3(SYS_getpeername, fd, &peer, &len) < 0)
        return false;
    /* To connect to the unspecified address is to connect to this host by another. */
    static const uint8_t unspecified[16];
    if (slot->family == TMO_FAMILY_4)
        return peer.any.sa_family == AF_INET && peer.v4.sin_port == htons(slot->peer_port) &&
               (slot->peer4 == INADDR_ANY || peer.v4.sin_addr.s_addr == slot->peer4);
    if (peer.any.sa_family != AF_INET6 || peer.v6.sin6_port != htons(slot->peer_port))
        return false;
    if (IN6_IS_ADDR_LINKLOCAL(&peer.v6.sin6_addr)) /* the slot has the scope there */
        memcpy(peer.v6.sin6_addr.s6_addr + 2, slot->peer6 + 2, sizeof(peer.v6.sin6_scope_id));
    return memcmp(slot->peer6, unspecified, sizeof(unspecified)) == 0 ||
           memcmp(&peer.v6.sin6_addr, slot->peer6, sizeof(slot->peer6)) == 0;
}
