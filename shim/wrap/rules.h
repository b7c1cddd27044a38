/* SPDX-License-Identifier: MIT
 * Which rule, and so which plan, a socket has. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_RULES_H
#define TMO_WRAP_RULES_H

#include "config/rule.h"
#include "shim/wrap/wrap.h"

/* The rules in force: made once, then only read. */
struct tmo_rules {
    struct tmo_ruleset set; /* those that are for this program */
    uint16_t general;       /* plan of what no rule is for */
    uint16_t left_alone;    /* plan without a limit, for protocols that a rule or no rule covers */
    uint16_t birth[8];      /* by enum tmo_proto: plan of a socket that is not connected yet */
    unsigned protos;        /* one bit per enum tmo_proto: those that any plan covers */
};

/* The rules in force; NULL: there are none. */
static inline const struct tmo_rules *tmo_rules_now(void)
{
    return __atomic_load_n(&tmo_current.rules, __ATOMIC_ACQUIRE);
}

/* Makes RULES, which has its set, into plans, by CFG. Returns 0 or -errno. ARENA: for what is
 * needed meanwhile. */
int tmo_rules_make(struct tmo_rules *rules, const struct tmo_config *cfg, struct tmo_arena *arena);

/* Whether sockets of PROTO are ours. */
bool tmo_rules_cover(enum tmo_proto proto);

/* Gives SLOT, which is not connected, the plan of its beginning. */
void tmo_rules_begin(struct tmo_slot *slot);

/* Gives SLOT the plan for ADDR (LEN bytes), which it is to connect or send to: the program's
 * pointer. READ: the kernel has read it; else it may be a bad one. */
void tmo_rules_connect(struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len,
                       bool read);

/* Gives SLOT, of the connection FD, the plan for its peer, which it knows. DIR: TMO_TO or TMO_FROM.
 * LISTENER: that it was accepted from, if known. */
void tmo_rules_peer(int fd, struct tmo_slot *slot, unsigned dir, const struct tmo_slot *listener);

#endif
