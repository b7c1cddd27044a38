/* SPDX-License-Identifier: MIT
 * What is to be done with a socket: settings, put into the kernel's units. Most processes have one
 * plan; each rule (config/rule.h) has one of its own, and a socket the number of its own.
 * Layer: policy. Signal-safe.
 */
#ifndef TMO_POLICY_PLAN_H
#define TMO_POLICY_PLAN_H

#include "config/load.h"
#include "config/sockopts.h"
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
    uint32_t pause_ms;             /* a longer one between two waits is not waiting */
    bool options;                  /* keepalive or user_timeout is set */
    unsigned sockopts_count;
    const struct tmo_sockopt *sockopts; /* SOCKTMO_SOCKOPT; it stays for ever, as the plan does */
    enum tmo_mode mode;
    enum tmo_action action;
    bool reports;    /* the action is report */
    bool keeps;      /* no timeout of ours is on the socket: the time of a call is kept around it */
    bool watchdog;   /* a thread looks at connections that no call of ours comes by for */
    int error;       /* errno that the program is told; 0 = what the kernel gave */
    unsigned protos; /* one bit per enum tmo_proto */
    struct tmo_keepalive keepalive;
    unsigned user_timeout_ms; /* 0 = off */
    const char *rule;         /* its name, for records; NULL: no rule, the general settings */
};

/* Makes the plan that the values VALUE (TMO_SETTINGS of them, by type as settings.def says) ask
 * for, without what texts ask for: tmo_plan_take_sockopts(). */
void tmo_plan_make(const int64_t *value, struct tmo_plan *ret);

/* One bit per enum tmo_proto for the TMO_PROTO_ bits of LIST. */
unsigned tmo_plan_protos(int64_t list);

/* Gives PLAN the socket options of TEXT, which tmo_setting_parse() accepted. They lie in ARENA, and
 * stay for ever. Returns 0 or -ENOMEM. */
int tmo_plan_take_sockopts(struct tmo_plan *plan, const char *text, struct tmo_arena *arena);

/* What holds for waits on many sockets at once, of whatever plans. */
struct tmo_wide {
    bool watches;        /* that of any plan */
    bool options;        /* a plan has socket options beside the timeouts */
    bool watchdog;       /* that of any plan */
    int64_t shortest_ns; /* 0 = there is none */
    uint32_t slice_ms;   /* how long a wait may last before we look */
    int64_t slice_ns;    /* the same */
    long slice_us;
    uint32_t pause_ms; /* the longest */
};

/* Counts PLAN in. Other threads may read WIDE meanwhile. */
void tmo_wide_add(struct tmo_wide *wide, const struct tmo_plan *plan);

/* The plans beside the general one of the start, which has number 0: by number / TMO_PLAN_BLOCK,
 * then the rest. They stay for ever, as sockets keep theirs when others are read. */
#define TMO_PLAN_BLOCK 256
#define TMO_PLANS      65536
extern struct tmo_plan *tmo_plan_blocks[TMO_PLANS / TMO_PLAN_BLOCK]
    __attribute__((visibility("hidden")));

static inline const struct tmo_plan *tmo_plan_numbered(unsigned number)
{
    return &tmo_plan_blocks[number / TMO_PLAN_BLOCK][number % TMO_PLAN_BLOCK];
}

/* Keeps a copy of PLAN. Returns its number, or -ENOSPC, -ENOMEM. By one thread at a time. */
int tmo_plan_keep(const struct tmo_plan *plan);

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
