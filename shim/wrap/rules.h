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

/* Our own port of FD, which the kernel is asked for; 0: none. */
uint16_t tmo_rules_own_port(int fd);

/* Makes RULES, which has its set, into plans, by CFG. Returns 0 or -errno. ARENA: for what is
 * needed meanwhile. */
int tmo_rules_make(struct tmo_rules *rules, const struct tmo_config *cfg, struct tmo_arena *arena);

/* Whether sockets of PROTO are ours. */
static inline bool tmo_rules_cover(enum tmo_proto proto)
{
    const struct tmo_rules *rules = tmo_rules_now();
    unsigned protos = rules != NULL ? rules->protos : tmo_current.plan.protos;
    return (protos >> proto & 1) != 0;
}

/* Gives SLOT, which is not connected, the plan of its beginning. */
static inline void tmo_rules_begin(struct tmo_slot *slot)
{
    const struct tmo_rules *rules = tmo_rules_now();
    if (rules != NULL)
        slot->plan = rules->birth[slot->proto];
}

/* The same as below, where there are RULES. */
void tmo_rules_connect_by(const struct tmo_rules *rules, struct tmo_slot *slot,
                          const struct sockaddr *addr, socklen_t len, bool read);
void tmo_rules_listen_by(const struct tmo_rules *rules, int fd, struct tmo_slot *slot);
void tmo_rules_peer_by(const struct tmo_rules *rules, int fd, struct tmo_slot *slot, unsigned dir,
                       const struct tmo_slot *listener);

/* Gives SLOT the plan for ADDR (LEN bytes), which it is to connect or send to: the program's
 * pointer. READ: the kernel has read it; else it may be a bad one. */
static inline void tmo_rules_connect(struct tmo_slot *slot, const struct sockaddr *addr,
                                     socklen_t len, bool read)
{
    const struct tmo_rules *rules = tmo_rules_now();
    if (TMO_UNLIKELY(rules != NULL))
        tmo_rules_connect_by(rules, slot, addr, len, read);
}

/* Gives SLOT, of the socket FD that is to listen, the plan of those that it accepts, as far as it
 * does not matter from where. */
static inline void tmo_rules_listen(int fd, struct tmo_slot *slot)
{
    const struct tmo_rules *rules = tmo_rules_now();
    if (TMO_UNLIKELY(rules != NULL))
        tmo_rules_listen_by(rules, fd, slot);
}

/* Gives SLOT, of the connection FD, the plan for its peer, which it knows. DIR: TMO_TO or TMO_FROM.
 * LISTENER: that it was accepted from, if known. */
static inline void tmo_rules_peer(int fd, struct tmo_slot *slot, unsigned dir,
                                  const struct tmo_slot *listener)
{
    const struct tmo_rules *rules = tmo_rules_now();
    if (TMO_UNLIKELY(rules != NULL))
        tmo_rules_peer_by(rules, fd, slot, dir, listener);
}

#endif
