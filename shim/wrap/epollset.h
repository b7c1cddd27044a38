/* SPDX-License-Identifier: MIT
 * Sets of epoll(7): which connections are in them, and whether somebody waits on them. A set has a
 * slot as a socket has. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_EPOLLSET_H
#define TMO_WRAP_EPOLLSET_H

#include "shim/track/slot.h"

#include <stdbool.h>
#include <stdint.h>

/* SET is a new epoll set. */
void tmo_set_made(int set);

/* epoll_ctl(SET, OP, FD) went well, with EVENTS. */
void tmo_set_followed(int set, int op, int fd, uint32_t events);

/* The slot of SET if it is an epoll set with a connection in it (or there was one), else NULL. */
struct tmo_slot *tmo_set_of(int set);

/* The epoll set SLOT is closed. */
void tmo_set_gone(const struct tmo_slot *slot);

/* Somebody waits on the epoll set SLOT as of START, and will until UNTIL; it is NOW. Times are
 * those of due.h. */
void tmo_set_attend(struct tmo_slot *slot, uint32_t start, uint32_t now, uint32_t until);

/* Since when the epoll set of slot number NUMBER_1 - 1 has been waited on without a pause, by this
 * process; 0: it is not. A set within another is waited on with that. */
uint32_t tmo_set_attended_since(uint32_t number_1, uint32_t now);

/* What a set that the connection SLOT is in waits for: bits 1 << enum tmo_way. */
unsigned tmo_set_waits(const struct tmo_slot *slot);

/* Whether FD, put into the set of slot number NUMBER_1 - 1 for one event, waits for that yet: the
 * kernel lists it in /proc; without that, no. */
bool tmo_set_is_armed(int fd, uint32_t number_1);

#endif
