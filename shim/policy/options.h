/* SPDX-License-Identifier: MIT
 * Socket options beside the timeouts: SOCKTMO_SOCKOPT, SOCKTMO_KEEPALIVE, SOCKTMO_USER_TIMEOUT, and
 * what `mode` makes of the program's own. Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_OPTIONS_H
#define TMO_POLICY_OPTIONS_H

#include "shim/policy/plan.h"

/* Is told of an option that the kernel refused with the errno ERROR. */
typedef void tmo_refused_fn(const struct tmo_sockopt *option, int error);

enum tmo_options_which {
    TMO_OPTIONS_LISTED = 1,     /* SOCKTMO_SOCKOPT */
    TMO_OPTIONS_CONNECTION = 2, /* keepalive and user_timeout, for TCP */
    TMO_OPTIONS_LATE = 4,       /* but not those that only a new socket takes */
};

/* Sets the options WHICH of PLAN on FD, each if such a socket has it and the program has not set it
 * itself, or `mode` says so all the same. */
void tmo_options_set(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, unsigned which,
                     tmo_refused_fn *refused);

/* The program has set option NAME of LEVEL on FD: ours follows, if there is one and `mode` says so.
 */
void tmo_options_follow(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, int level,
                        int name, tmo_refused_fn *refused);

/* Notes in SLOT what follows from option NAME of LEVEL with VALUE, which the kernel took, whoever
 * set it. */
void tmo_options_note(struct tmo_slot *slot, int level, int name, int value);

#endif
