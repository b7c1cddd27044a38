/* SPDX-License-Identifier: MIT
 * Ending a connection in the kernel, so that whoever waits on it wakes by whatever road, and with
 * an error. Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_END_H
#define TMO_POLICY_END_H

#include "shim/track/slot.h"

#include <stdbool.h>

enum tmo_end {
    TMO_END_NOT,   /* it could not be ended, or is none that has an end (a datagram socket) */
    TMO_END_RESET, /* aborted: the peer got a RST, and all of TCP_INFO is zero from now on */
    TMO_END_DRAIN, /* shut down: what had arrived can still be read */
};

/* Ends the connection FD, which SLOT describes. What waits in its receive queue is kept. Take
 * TCP_INFO before: connect(AF_UNSPEC) zeroes it. */
enum tmo_end tmo_end_connection(int fd, const struct tmo_slot *slot);

/* Ends an attempt to connect, so that no handshake completes later and a new one starts afresh. The
 * error that this leaves in the kernel is taken away, unless POLLED: who polls must see POLLERR. */
void tmo_end_attempt(int fd, const struct tmo_slot *slot, bool polled);

/* Whether FD still is the connection that SLOT describes, by its peer: the number may have been
 * closed and taken by a road that we do not see. */
bool tmo_end_is_same(int fd, const struct tmo_slot *slot);

#endif
