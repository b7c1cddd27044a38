/* SPDX-License-Identifier: MIT
 * What is to be done with a socket: the settings, read once and put into the kernel's units.
 * Layer: policy. Pure; signal-safe.
 */
#ifndef TMO_POLICY_PLAN_H
#define TMO_POLICY_PLAN_H

#include "config/load.h"
#include "shim/track/slot.h"

/* The two directions of a socket, as indices. */
enum tmo_way { TMO_RECV, TMO_SEND };

struct tmo_plan {
    int64_t connect_ns, accept_ns, linger_ns; /* 0 = no limit */
    int64_t wait_ns[2];                       /* recv, send, by enum tmo_way */
    enum tmo_mode mode;
    enum tmo_action action;
    int error;       /* errno that the program is told; 0 = what the kernel gave */
    unsigned protos; /* one bit per enum tmo_proto */
    struct tmo_keepalive keepalive;
    unsigned user_timeout_ms; /* 0 = off */
};

/* Makes the plan that CFG asks for. */
void tmo_plan_make(const struct tmo_config *cfg, struct tmo_plan *ret);

/* Whether sockets of PROTO are ours. */
static inline int tmo_plan_covers(const struct tmo_plan *plan, enum tmo_proto proto)
{
    return plan->protos >> proto & 1;
}

/* The timeout (us) that WAY of a socket is to have, given the program's own (us, 0 = none) and
 * what MODE makes of the two. *RET_OURS says whether it is our limit that will expire. */
int64_t tmo_plan_timeo_us(const struct tmo_plan *plan, int64_t limit_ns, int64_t app_us,
                          bool *ret_ours);

/* Whole microseconds and milliseconds, rounded up: a limit never becomes 0, "for ever". */
int64_t tmo_ns_to_us(int64_t ns);
int64_t tmo_ns_to_ms(int64_t ns);

#endif
