/* SPDX-License-Identifier: MIT
 * A look at a connection: the kernel is asked how long it has been still, and it is ended if a
 * limit has passed. When that is done: watch.h. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_LOOK_H
#define TMO_WRAP_LOOK_H

#include "shim/track/due.h"
#include "shim/wrap/call.h"

/* Ways to wait, as bits. */
enum { TMO_WAITS_RECV = 1 << TMO_RECV, TMO_WAITS_SEND = 1 << TMO_SEND };

#define TMO_LOOK_NEVER_MS TMO_DUE_FAR_MS

/* Looks at the connection FD, which SLOT describes, on behalf of CALL. WAITS and WAITED_MS are as
 * for tmo_deadline_of(). ASKED: a call waits for its answer, so that one is owed, whatever `await`
 * says. Returns the ms until the next look; TMO_LOOK_NEVER_MS: there is nothing to wait for. */
int64_t tmo_look(int fd, struct tmo_slot *slot, unsigned waits, int64_t waited_ms, bool asked,
                 const char *call);

/* The same of a socket FD that tells nothing of its silence, and that has been waited for as long
 * as its limit is. *RET_FAKE is raised if it cannot be made ready, being no connection. */
int64_t tmo_look_untold(int fd, struct tmo_slot *slot, const char *call, bool *ret_fake);

/* Whether the connect on FD is under way yet; if not, SLOT says so from now on. */
bool tmo_look_is_connecting(int fd, struct tmo_slot *slot);

/* The shorter one of the limits that WAITS names; TMO_LOOK_NEVER_MS if none is set. */
int64_t tmo_look_shortest_ms(const struct tmo_slot *slot, unsigned waits);

#endif
