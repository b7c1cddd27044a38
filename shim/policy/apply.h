/* SPDX-License-Identifier: MIT
 * A plan -> socket options, and what the kernel says of a socket. Layer: policy. Signal-safe; errno
 * is kept. Functions return 0 or -errno unless they say otherwise.
 */
#ifndef TMO_POLICY_APPLY_H
#define TMO_POLICY_APPLY_H

#include "shim/policy/plan.h"
#include "shim/sys/raw.h"

/* The options that take the kernel's own long-sized struct timeval, whatever time_t the build or
 * the program has: 20 and 21, but for a few architectures (asm/socket.h). */
struct tmo_timeval {
    long s, us;
};

static inline int tmo_apply_timeo_option(enum tmo_way way)
{
#ifdef SO_RCVTIMEO_OLD
    return way == TMO_RECV ? SO_RCVTIMEO_OLD : SO_SNDTIMEO_OLD;
#else
    return way == TMO_RECV ? SO_RCVTIMEO : SO_SNDTIMEO;
#endif
}

/* Sets SO_RCVTIMEO or SO_SNDTIMEO of FD to US microseconds (0: wait for ever; -1: never wait). The
 * kernel rounds up to a timer tick (net/core/sock.c, sock_set_timeout). */
static inline int tmo_apply_timeo(int fd, enum tmo_way way, int64_t us)
{
    uint64_t s = (uint64_t)us / 1000000;
    struct tmo_timeval t = {(long)s, (long)((uint64_t)us % 1000000)};
    if (__builtin_expect(us < 0, 0))
        t = (struct tmo_timeval){-1, 0};
    else if ((uint64_t)t.s != s) /* more than 68 years in 32 bits */
        t = (struct tmo_timeval){INT32_MAX, 0};
    return tmo_raw_setsockopt(fd, SOL_SOCKET, tmo_apply_timeo_option(way), &t, sizeof(t));
}

/* What it is now, in microseconds (0: for ever), or -errno. */
int64_t tmo_apply_read_timeo(int fd, enum tmo_way way);

/* The flag of a slot that says that the timeout of WAY is ours. */
static inline unsigned tmo_apply_flag(enum tmo_way way)
{
    return way == TMO_RECV ? TMO_SLOT_TIMED_RECV : TMO_SLOT_TIMED_SEND;
}

/* Gives WAY of FD the timeout that PLAN and the program's own value make. ALWAYS: also where that
 * is no timeout at all, because FD may have inherited one. Returns tmo_apply_flag() if it is ours,
 * else 0. */
static inline unsigned tmo_apply_timed(int fd, const struct tmo_slot *slot,
                                       const struct tmo_plan *plan, enum tmo_way way, bool always)
{
    bool ours;
    int64_t us = tmo_plan_timeo_us(plan, plan->wait_us[way], tmo_slot_app_us(slot, way), &ours);
    int r = ours || always ? tmo_apply_timeo(fd, way, us) : 0;
    return ours && r == 0 ? tmo_apply_flag(way) : 0;
}

/* The same, noted in SLOT. */
void tmo_apply_wait(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                    bool always);

/* Caps FD's SO_LINGER, if that is set and longer than PLAN allows. */
void tmo_apply_linger(int fd, const struct tmo_plan *plan);

/* Finds out what socket FD is: its protocol and family into SLOT. -ENOTSOCK, -EBADF. */
int tmo_apply_identify(int fd, struct tmo_slot *slot);

/* Protocol and family of socket(DOMAIN, TYPE, PROTOCOL). */
enum tmo_proto tmo_apply_proto(int domain, int type, int protocol);

#endif
