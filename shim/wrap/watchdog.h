/* SPDX-License-Identifier: MIT
 * engine = watchdog, both: one thread that ends overdue connections where no call of ours comes by
 * in time: in libc's own calls behind stdio, in system calls that a program makes itself, in
 * io_uring. Layer: wrap.
 *
 * It is started at the first socket. It has a table of descriptors of its own (sys/borrow.h), so
 * that it never takes a number that the program may be about to get.
 */
#ifndef TMO_WRAP_WATCHDOG_H
#define TMO_WRAP_WATCHDOG_H

#include "shim/wrap/current.h"

/* Starts the thread of this process, if a setting asks for one and it is not there. */
void tmo_watchdog_start(void);

static inline void tmo_watchdog_need(void)
{
    if (__builtin_expect(tmo_current.wide.watchdog, 0))
        tmo_watchdog_start();
}

/* Before the calling thread ends by pthread_exit(3): if it is the first, the watchdog ends, and is
 * waited for (10 s at the most). A process ends with the last of its threads, in which libc runs
 * exit(3): that is not to be one that is without the program's descriptors. */
void tmo_watchdog_first_ends(void);

/* Whether this process is to do without: no thread can be made, or it has ended. Where ENGINE is
 * watchdog, the time of a blocking connect is then the kernel's. Signal-safe. */
bool tmo_watchdog_is_missing(void);

/* Has that done when the calling thread, the first one, is cancelled, too: no wrapper is told of
 * it, but thread-local data have their destructors called. Takes a key of pthread_key_create(3). At
 * start. */
void tmo_watchdog_of_first(void);

/* After fork(2), in the child: it has none, until it needs one. */
void tmo_watchdog_forked(void);

/* The same in a child of which libc does not know whether it may allocate: _Fork(3). It gets none.
 */
void tmo_watchdog_never(void);

/* --- hidden.c: what no call of ours tells ---------------------------------------------------- */

/* Finds out, at NOW_MS (monotonic), which connections are waited for by roads that we do not see,
 * and ends those that are overdue. Returns when to do so again. By the watchdog's thread alone. */
int64_t tmo_hidden_look(int64_t now_ms);

/* In the child: what was found out is the parent's. */
void tmo_hidden_forked(void);

#endif
