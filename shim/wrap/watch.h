/* SPDX-License-Identifier: MIT
 * Connections that a program waits for without a call of their own: by poll, select, epoll, or not
 * at all. When each is to be looked at; what a look finds: look.h. Layer: wrap. Signal-safe; errno
 * is kept.
 *
 * The clock of a wait belongs to the connection and spans calls: the kernel says how long it has
 * been still, so that data calls keep no books. What is kept is only since when the program waits:
 * for who polls in the cell of the descriptor, for epoll in the slot of the set. A pause between
 * two waits, in which nobody waited for the peer, begins that anew.
 */
#ifndef TMO_WRAP_WATCH_H
#define TMO_WRAP_WATCH_H

#include "shim/track/due.h"
#include "shim/wrap/wrap.h"

/* Whether there is or was a connection whose waits are bounded: else every wait is a jump. */
extern bool tmo_watch_on TMO_HIDDEN;

/* FD, which SLOT describes, is connected as of now: idle and total run. */
void tmo_watch_begin(int fd, const struct tmo_slot *slot);

/* As of now the program waits for FD in the ways that WAITS says (bits 1 << enum tmo_way). */
void tmo_watch_waits(int fd, const struct tmo_slot *slot, unsigned waits);

/* A non-blocking connect on FD is under way as of SLOT's birth. */
void tmo_watch_connecting(int fd, struct tmo_slot *slot);

/* What a call that took data found out about a socket of which the kernel does not say how long it
 * has been silent (unix, UDP): its clock begins anew. */
void tmo_watch_moved(int fd, const struct tmo_slot *slot);

/* The limits idle and total on FD, asked by the blocking call CALL on it. Ends the connection if
 * one has passed. Returns when to ask again; 0: not any more. */
uint32_t tmo_watch_own(int fd, struct tmo_slot *slot, const char *call);

/* --- by name: poll and select ---------------------------------------------------------------- */

/* CALL waits for FD as of START, and it is NOW: WANTS_IN: the program is to be told when it can
 * be read. Ends the connection if its time is over. Returns when it is to be
 * looked at next; 0: it is none of ours. *RET_FAKE is raised if FD cannot be made ready, and the
 * caller is to say that it is. */
uint32_t tmo_watch_named(int fd, bool wants_in, uint32_t start, uint32_t now, const char *call,
                         bool *ret_fake);

/* It waited until NOW. */
void tmo_watch_named_until(int fd, uint32_t now);

/* --- all ------------------------------------------------------------------------------------- */

/* Looks at all that is due by NOW, on behalf of CALL, a wait. */
void tmo_watch_sweep(uint32_t now, const char *call);

#endif
