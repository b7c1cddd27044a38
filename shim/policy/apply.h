/* SPDX-License-Identifier: MIT
 * A plan -> socket options, and what the kernel says of a socket. Layer: policy. Signal-safe; errno
 * is kept. Functions return 0 or -errno unless they say otherwise.
 */
#ifndef TMO_POLICY_APPLY_H
#define TMO_POLICY_APPLY_H

#include "shim/policy/plan.h"

/* Sets SO_RCVTIMEO or SO_SNDTIMEO of FD to US microseconds (0: wait for ever). The kernel rounds
 * up to a timer tick (net/core/sock.c, sock_set_timeout). */
int tmo_apply_timeo(int fd, enum tmo_way way, int64_t us);

/* What it is now, in microseconds (0: for ever), or -errno. */
int64_t tmo_apply_read_timeo(int fd, enum tmo_way way);

/* Gives WAY of FD the timeout that PLAN and the program's own value make, and notes in SLOT whose
 * it is. ALWAYS: also where that is no timeout at all, because FD may have inherited one. */
int tmo_apply_wait(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                   bool always);

/* Both ways. */
void tmo_apply_waits(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, bool always);

/* SO_KEEPALIVE and TCP_USER_TIMEOUT, for TCP. */
void tmo_apply_options(int fd, const struct tmo_slot *slot, const struct tmo_plan *plan);

/* Caps FD's SO_LINGER, if that is set and longer than PLAN allows. */
void tmo_apply_linger(int fd, const struct tmo_plan *plan);

/* Finds out what socket FD is: its protocol and family into SLOT. -ENOTSOCK, -EBADF. */
int tmo_apply_identify(int fd, struct tmo_slot *slot);

/* Protocol and family of socket(DOMAIN, TYPE, PROTOCOL). */
enum tmo_proto tmo_apply_proto(int domain, int type, int protocol);

#endif
