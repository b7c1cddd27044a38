/* SPDX-License-Identifier: MIT
 * How long a connection has been still, by the kernel's own account, and which limit that passes.
 * Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_DEADLINE_H
#define TMO_POLICY_DEADLINE_H

#include "shim/policy/plan.h"

enum tmo_limit {
    TMO_LIMIT_NONE,
    TMO_LIMIT_CONNECT,
    TMO_LIMIT_RECV,
    TMO_LIMIT_SEND,
    TMO_LIMIT_IDLE,
    TMO_LIMIT_TOTAL,
};

/* The setting's name, as records have it. */
const char *tmo_limit_name(enum tmo_limit limit);

/* How long the limit is, in ns; 0 = off. */
int64_t tmo_limit_ns(const struct tmo_plan *plan, enum tmo_limit limit);

/* The flag of a slot that says that LIMIT has passed and is on record, where that is all that
 * follows. */
static inline unsigned tmo_limit_noted(enum tmo_limit limit)
{
    return 1u << (22 + limit);
}

/* What TCP_INFO says of a connection. Times in ms, in steps of a timer tick. */
struct tmo_quiet {
    bool connecting;   /* the handshake is under way */
    bool reads;        /* the peer may send yet */
    bool owed;         /* an answer is owed: see `answer` in deadline.c */
    bool queued;       /* something is unsent, or unacknowledged */
    int64_t silent_ms; /* since a byte came or went */
    int64_t stuck_ms;  /* if queued: for so long at least nothing of that has moved */
    uint8_t moved;     /* of what came and what was taken: another one after each byte, mostly */
};

/* Asks the kernel. Returns 0, or -errno: -EOPNOTSUPP for what is no TCP. One system call. */
int tmo_quiet_get(int fd, struct tmo_quiet *ret);

/* The same from LEN bytes of a struct tcp_info (linux/tcp.h) at INFO; 104 or more. */
void tmo_quiet_read(const unsigned char *info, size_t len, struct tmo_quiet *ret);

/* The first limit that is met. */
struct tmo_deadline {
    enum tmo_limit limit; /* TMO_LIMIT_NONE: none ever, as things stand */
    int64_t left_ms;      /* until then; 0 or less: it is passed */
    int64_t waited_ms;    /* what the limit bounds has lasted for so long */
};

/* Of a connection that is AGE_MS old, and as Q says. WAITS: `recv` and `send` count, bits 1 <<
 * enum tmo_way; recv for no longer than WAITED_MS, since the program waits no longer. Limits whose
 * bit of tmo_limit_noted() is there are left out. Pure. */
struct tmo_deadline tmo_deadline_of(const struct tmo_quiet *q, const struct tmo_plan *plan,
                                    unsigned waits, int64_t waited_ms, int64_t age_ms);

#endif
