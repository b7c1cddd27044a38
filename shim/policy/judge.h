/* SPDX-License-Identifier: MIT
 * Whose doing it was that a call failed or came up short: our limit's, the program's own timeout's,
 * a signal's. Asked only after a call failed; the kernel's present state decides, not our memory.
 * Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_JUDGE_H
#define TMO_POLICY_JUDGE_H

#include "shim/policy/plan.h"

/* Whether a timeout of ours is in force on WAY of FD for a call with the MSG_ flags FLAGS: the
 * socket is blocking (else SLOT is told so), the call may wait, and the kernel holds our value.
 * Two system calls. */
bool tmo_judge_timed(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                     int flags);

/* How long the peer has been silent, in ns, by the kernel's own account: for TMO_RECV since it last
 * sent data, for TMO_SEND since it last took any. -1: the kernel does not tell (no TCP).
 * What it counts as taking: see judge.c. */
int64_t tmo_judge_silent_ns(int fd, enum tmo_way way);

/* Whether BYTES may have moved on the connection FD in WAY, by the kernel's count: a connection
 * that took the number of the one they moved on has moved less. -1: the kernel does not tell. */
int tmo_judge_moved(int fd, enum tmo_way way, uint64_t bytes);

/* Whether FD, of which poll(2) says REVENTS, has an error to give in WAY and nothing else. */
bool tmo_judge_failed(int fd, int revents, enum tmo_way way);

/* Whether a wait that a signal interrupted may go on, because no handler is installed that lacks
 * SA_RESTART, but for faults of a thread's own. The kernel does not restart socket calls that have
 * a timeout (signal(7)), so that a wait which would have gone on bare comes back with EINTR; whose
 * signal it was is not told. 12 us. */
bool tmo_judge_may_restart(void);

/* The slack of the kernel's clock for socket timeouts and TCP_INFO, in ns: two ticks at HZ=100. */
#define TMO_TICK_SLACK_NS (20 * TMO_NS_PER_MS)

/* Whether the kernel gives ERROR again to the same call: EPIPE, or one that is of the call and not
 * of the socket, as with a bad pointer of the program's. */
bool tmo_judge_is_given_again(int error);

#endif
