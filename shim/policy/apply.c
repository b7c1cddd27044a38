/* SPDX-License-Identifier: MIT
 * A plan -> socket options. See apply.h.
 */
#include "shim/policy/apply.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <netinet/in.h>

int64_t tmo_apply_read_timeo(int fd, enum tmo_way way)
{
    struct tmo_timeval t = {0, 0};
    socklen_t len = sizeof(t);
    int r = tmo_raw_getsockopt(fd, SOL_SOCKET, tmo_apply_timeo_option(way), &t, &len);
    return r < 0 ? r : (int64_t)t.s * 1000000 + t.us;
}

void tmo_apply_wait(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                    bool always)
{
    tmo_slot_change(slot, tmo_apply_flag(way), tmo_apply_timed(fd, slot, plan, way, always));
}

static int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    int r = tmo_raw_getsockopt(fd, level, name, &value, &len);
    return r < 0 ? r : value;
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
    if (domain == AF_INET || domain == AF_INET6) {
        if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
            return TMO_TCP;
        if (type == SOCK_STREAM && protocol == IPPROTO_MPTCP)
            return TMO_MPTCP;
        if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
            return TMO_UDP;
        return TMO_OTHER;
    }
    if (domain == AF_UNIX)
        return type == SOCK_DGRAM       ? TMO_UNIX_DGRAM
               : type == SOCK_SEQPACKET ? TMO_UNIX_SEQPACKET
                                        : TMO_UNIX_STREAM;
    return domain == AF_SMC ? TMO_SMC : TMO_OTHER;
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
