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
    int64_t idle_ns, total_ns;
    int64_t wait_ns[2];            /* recv, send, by enum tmo_way */
    int64_t connect_us, accept_us; /* as the kernel takes them */
    int64_t wait_us[2];            /* the first of the limits that a wait can meet */
    bool deadlines;                /* idle or total is set */
    bool watches;                  /* waits by poll, select and epoll are bounded */
    bool answer;                   /* ... by recv only while an answer is owed */
    int64_t shortest_ns;           /* of all limits but accept's; 0 = there is none */
    uint32_t slice_ms;             /* how long such a wait may last before we look */
    int64_t slice_ns;              /* the same */
    long slice_us;
    uint32_t pause_ms; /* a longer one between two waits is not waiting */
    bool options;      /* anything to be set beside the timeouts */
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

/* Whole microseconds and milliseconds, rounded up: a limit never becomes 0, "for ever". */
static inline int64_t tmo_ns_to_us(int64_t ns)
{
    return ns / 1000 + (ns % 1000 != 0);
}

static inline int64_t tmo_ns_to_ms(int64_t ns)
{
    return ns / 1000000 + (ns % 1000000 != 0);
}

/* The timeout (us) that a socket is to have for the limit LIMIT_US, given the program's own (us;
 * 0 = none) and what `mode` makes of the two. *RET_OURS says whether it is our limit that will
 * expire. */
static inline int64_t tmo_plan_timeo_us(const struct tmo_plan *plan, int64_t limit_us,
                                        int64_t app_us, bool *ret_ours)
{
    bool ours = limit_us != 0;
    if (ours && app_us != 0) {
        if (plan->mode == TMO_MODE_CAP)
            ours = limit_us < app_us;
        else if (plan->mode == TMO_MODE_FILL)
            ours = false;
    }
    *ret_ours = ours;
    return ours ? limit_us : app_us;
}

#endif
