/* SPDX-License-Identifier: MIT
 * A plan -> socket options. See apply.h.
 */
#include "shim/policy/apply.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* The options that take the kernel's own long-sized struct timeval, whatever time_t the build or
 * the program has: 20 and 21, but for a few architectures (asm/socket.h). */
#ifdef SO_RCVTIMEO_OLD
#define RCVTIMEO SO_RCVTIMEO_OLD
#define SNDTIMEO SO_SNDTIMEO_OLD
#else
#define RCVTIMEO SO_RCVTIMEO
#define SNDTIMEO SO_SNDTIMEO
#endif

struct kernel_timeval {
    long s, us;
};

static int option_of(enum tmo_way way)
{
    return way == TMO_RECV ? RCVTIMEO : SNDTIMEO;
}

int tmo_apply_timeo(int fd, enum tmo_way way, int64_t us)
{
    int64_t s = us / 1000000;
    struct kernel_timeval t = {(long)s, (long)(us % 1000000)};
    if (t.s != s) /* more than 68 years in 32 bits */
        t = (struct kernel_timeval){INT32_MAX, 0};
    return tmo_raw_setsockopt(fd, SOL_SOCKET, option_of(way), &t, sizeof(t));
}

int64_t tmo_apply_read_timeo(int fd, enum tmo_way way)
{
    struct kernel_timeval t = {0, 0};
    socklen_t len = sizeof(t);
    int r = tmo_raw_getsockopt(fd, SOL_SOCKET, option_of(way), &t, &len);
    return r < 0 ? r : (int64_t)t.s * 1000000 + t.us;
}

int tmo_apply_wait(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                   bool always)
{
    bool ours;
    int64_t us = tmo_plan_timeo_us(plan, plan->wait_ns[way],
                                   tmo_slot_unpack_timeo(slot->app_timeo[way]), &ours);
    unsigned flag = way == TMO_RECV ? TMO_SLOT_TIMED_RECV : TMO_SLOT_TIMED_SEND;
    int r = 0;
    if (ours || always)
        r = tmo_apply_timeo(fd, way, us);
    if (ours && r == 0)
        tmo_slot_raise(slot, flag);
    else
        tmo_slot_lower(slot, flag);
    return r;
}

void tmo_apply_waits(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, bool always)
{
    (void)tmo_apply_wait(fd, slot, plan, TMO_RECV, always);
    (void)tmo_apply_wait(fd, slot, plan, TMO_SEND, always);
}

static int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    int r = tmo_raw_getsockopt(fd, level, name, &value, &len);
    return r < 0 ? r : value;
}

static void set_int(int fd, int level, int name, int value)
{
    (void)tmo_raw_setsockopt(fd, level, name, &value, sizeof(value));
}

static void apply_keepalive(int fd, const struct tmo_plan *plan)
{
    const struct tmo_keepalive *k = &plan->keepalive;
    if (plan->mode != TMO_MODE_FORCE && get_int(fd, SOL_SOCKET, SO_KEEPALIVE) > 0)
        return; /* the program has its own */
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, k->idle_s);
    if (k->interval_s != 0)
        set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, k->interval_s);
    if (k->count != 0)
        set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, k->count);
}

void tmo_apply_options(int fd, const struct tmo_slot *slot, const struct tmo_plan *plan)
{
    if (!tmo_proto_is_tcp(slot->proto))
        return;
    if (plan->keepalive.idle_s != 0)
        apply_keepalive(fd, plan);
    if (plan->user_timeout_ms == 0)
        return;
    int own = plan->mode == TMO_MODE_FORCE ? 0 : get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
    if (own > 0 && (plan->mode == TMO_MODE_FILL || (unsigned)own <= plan->user_timeout_ms))
        return;
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)plan->user_timeout_ms);
}

void tmo_apply_linger(int fd, const struct tmo_plan *plan)
{
    struct linger now = {0, 0};
    socklen_t len = sizeof(now);
    int64_t cap_s = plan->linger_ns / TMO_NS_PER_S + (plan->linger_ns % TMO_NS_PER_S != 0);
    if (cap_s == 0 || tmo_raw_getsockopt(fd, SOL_SOCKET, SO_LINGER, &now, &len) < 0 ||
        now.l_onoff == 0 || now.l_linger <= cap_s)
        return;
    now.l_linger = (int)cap_s;
    (void)tmo_raw_setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

enum tmo_proto tmo_apply_proto(int domain, int type, int protocol)
{
    type &= 0xf; /* SOCK_NONBLOCK and SOCK_CLOEXEC stand above; linux/net.h, SOCK_TYPE_MASK */
    if (domain == AF_UNIX)
        return type == SOCK_DGRAM ? TMO_UNIX_DGRAM : TMO_UNIX_STREAM;
    if (domain == AF_SMC)
        return TMO_SMC;
    if (domain != AF_INET && domain != AF_INET6)
        return TMO_OTHER;
    if (type == SOCK_STREAM && protocol == IPPROTO_MPTCP)
        return TMO_MPTCP;
    if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
        return TMO_TCP;
    if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
        return TMO_UDP;
    return TMO_OTHER;
}

static enum tmo_family family_of(int domain)
{
    return domain == AF_INET    ? TMO_FAMILY_4
           : domain == AF_INET6 ? TMO_FAMILY_6
           : domain == AF_UNIX  ? TMO_FAMILY_UNIX
                                : TMO_FAMILY_NONE;
}

int tmo_apply_identify(int fd, struct tmo_slot *slot)
{
    int domain = get_int(fd, SOL_SOCKET, SO_DOMAIN);
    if (domain < 0)
        return domain;
    int type = get_int(fd, SOL_SOCKET, SO_TYPE);
    int protocol = get_int(fd, SOL_SOCKET, SO_PROTOCOL);
    slot->proto = tmo_apply_proto(domain, type, protocol) & 7;
    slot->family = family_of(domain) & 3;
    return 0;
}
