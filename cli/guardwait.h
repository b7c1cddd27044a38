/* SPDX-License-Identifier: MIT
 * What makes the guard look like the program from outside: signals, stops, the exit status.
 * Layer: cli. The child is in our process group and session, so that the terminal reaches both.
 */
#ifndef TMO_CLI_GUARDWAIT_H
#define TMO_CLI_GUARDWAIT_H

#include "cli/guardtree.h"

#include <signal.h>

/* What was so before we changed it, for the program. */
struct tmo_guard_before {
    sigset_t mask;
    struct sigaction child;
};

/* Blocks all signals, and sees to it that ended children are not thrown away. */
void tmo_guard_signals_hold(struct tmo_guard_before *ret);

/* Undoes that in the child. */
void tmo_guard_signals_restore(const struct tmo_guard_before *before);

/* A descriptor that is readable when a signal has come, or -errno. */
int tmo_guard_signals_open(void);

enum tmo_guard_news {
    TMO_GUARD_GOES_ON,
    TMO_GUARD_WAS_STOPPED, /* the program was, and we with it; now both go on */
    TMO_GUARD_ENDED,
};

/* Passes the signals that have come to PROGRAM, reaps orphans, and follows PROGRAM in its stops.
 * What the terminal sends has reached the program by itself; what a process of TREE sends to its
 * group, too. When the program has ended *RET_END says how. */
enum tmo_guard_news tmo_guard_signals_take(int fd, pid_t program, const struct tmo_guard_tree *tree,
                                           siginfo_t *ret_end);

/* Ends as END says: returns the exit status, or ends by the same signal, without a core dump. */
int tmo_guard_end_as(const siginfo_t *end);

#endif
