/* SPDX-License-Identifier: MIT
 * Taking up of sockets, however they came to us. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_MADE_H
#define TMO_WRAP_MADE_H

#include "shim/wrap/wrap.h"

/* Looks for descriptors in the ancillary data of MSG, which the kernel filled in (SCM_RIGHTS,
 * unix(7)), and takes up those that are sockets of ours. */
void tmo_made_received(const struct msghdr *msg);

/* Takes up FD, which is there already, if it is a socket of ours. INHERITED: it is another
 * process's as well, and on record here only if it is used. */
void tmo_made_adopt(int fd, bool inherited);

/* FD is a number that the kernel just gave out. If it is ours yet, it was closed by a road that we
 * do not see: that is put on record. */
void tmo_made_unseen_end(int fd);

/* The same of the program's FD, which is none of ours and which nobody told of; for a thread with
 * descriptors of its own. Returns its slot, or NULL. */
struct tmo_slot *tmo_made_found(int fd);

/* The TCP socket FD is not connected, by what SLOT says. If it is, or about to be, it was connected
 * by a road that we do not see: takes that up. For such a thread. */
void tmo_made_found_connected(int fd, struct tmo_slot *slot);

/* Takes up FD, new by socket(DOMAIN, TYPE, PROTOCOL) or socketpair. */
void tmo_made_socket(int fd, int domain, int type, int protocol, bool pair);

/* Takes up FD, new by accept with FLAGS from LISTENER; ADDR (LEN bytes) is its peer, if known. */
void tmo_made_accepted(int fd, struct tmo_slot *listener, const struct sockaddr *addr,
                       socklen_t len, int flags);

/* Notes the peer's address in SLOT. */
void tmo_made_peer(struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len);

/* Notes in SLOT the peer that the kernel has for FD, which may be connecting yet. The length must
 * be just the address's. False: it has none. (net/core/sock.c, SO_PEERNAME) */
bool tmo_made_ask_peer(int fd, struct tmo_slot *slot);

/* After a connect that went well or is under way: the limit of sends, its state. SEND_US is the
 * SO_SNDTIMEO that we gave the socket for the connect; 0 = none. SO_RCVTIMEO is there already:
 * TIMED is TMO_SLOT_TIMED_RECV if it is ours. */
void tmo_made_connected(int fd, struct tmo_slot *slot, int64_t send_us, unsigned timed);

/* After a connect of the datagram socket FD to ADDR (LEN bytes), which the kernel has read: its
 * plan is that of its destination. */
void tmo_made_towards(int fd, struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len);

struct tmo_call;

/* Before CALL, a send that connects to where it goes: the plan is that of its destination. */
void tmo_made_sends(const struct tmo_call *call, struct tmo_slot *slot);

/* After CALL gave N: if it sent a datagram to somewhere of its own, what is waited for next is from
 * there. */
void tmo_made_sent(const struct tmo_call *call, struct tmo_slot *slot, ssize_t n);

/* Gives the listener FD the limit of accept, as MODE says. */
void tmo_made_listener(int fd, struct tmo_slot *slot);

#endif
