/* SPDX-License-Identifier: MIT
 * The settings and rules as plans, and which one a connection has.
 * Layer: cli.
 */
#ifndef TMO_CLI_GUARDPLAN_H
#define TMO_CLI_GUARDPLAN_H

#include "cli/loaded.h"
#include "shim/policy/plan.h"
#include "shim/report/event.h"

struct tmo_guard_plans {
    const struct tmo_loaded *loaded;
    struct tmo_plan general;
    struct tmo_plan *of_rules; /* in the order of the rules */
    bool *nonblock;            /* whether waits on non-blocking sockets are bounded, by rule */
    int64_t shortest_ns;       /* of all limits but accept's; 0 = there is none */
};

/* Makes *RET of LOADED, which must stay. 0 or -ENOMEM. */
int tmo_guard_plans_make(const struct tmo_loaded *loaded, struct tmo_guard_plans *ret);

/* The plan of a TCP connection of PROGRAM to or from (DIR: TMO_TO, TMO_FROM) PEER, whose own port
 * is OWN_PORT. NULL: it is left alone. NONBLOCK: the socket is non-blocking. */
const struct tmo_plan *tmo_guard_plan_of(const struct tmo_guard_plans *plans, const char *program,
                                         unsigned dir, const struct tmo_address *peer,
                                         uint16_t own_port, bool nonblock);

/* The port of ADDRESS, 0: none. */
uint16_t tmo_guard_port(const struct tmo_address *address);

#endif
