/* SPDX-License-Identifier: MIT
 * Taking up of sockets. See made.h.
 */
#include "shim/wrap/made.h"
#include "shim/policy/apply.h"
#include "shim/policy/deadline.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/own.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/reload.h"
#include "shim/wrap/rules.h"
#include "shim/wrap/sockopts.h"
#include "shim/wrap/watch.h"
#include "shim/wrap/watchdog.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

/* A slot for FD; its birth is when it connects, listens, or is taken up. NULL: no memory. */
static inline struct tmo_slot *fresh(int fd, enum tmo_proto proto, enum tmo_family family,
                                     unsigned flags)
{
    struct tmo_slot *slot = tmo_track_add(fd);
    if (slot == NULL)
        return NULL;
    slot->proto = proto & 7;
    slot->family = family & 3;
    slot->flags = flags;
    tmo_rules_begin(slot);
    if (!TMO_TSAN_BYTE(tmo_watch_on) && tmo_current.wide.watches)
        __atomic_store_n(&tmo_watch_on, true, __ATOMIC_RELAXED);
    tmo_watchdog_need();
    return slot;
}

static void set_born_now(struct tmo_slot *slot)
{
    tmo_slot_set_born_us(slot, tmo_self_now_us());
}

void tmo_made_unseen_end(int fd)
{
    struct tmo_slot *there = tmo_hot(fd) != TMO_HOT_NONE ? tmo_track_slot(fd) : NULL;
    if (there == NULL)
        return;
    if (there->refs == 1)
        tmo_emit_close(fd, there, NULL);
    tmo_track_drop(fd);
}

void tmo_made_peer(struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len)
{
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    if (len < sizeof(sa_family_t))
        return;
    if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof(in));
        slot->family = TMO_FAMILY_4;
        slot->peer4 = in.sin_addr.s_addr;
        slot->peer_port = ntohs(in.sin_port);
    } else if (addr->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        struct sockaddr_in6 in6 = {.sin6_scope_id = 0};
        memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
        slot->family = TMO_FAMILY_6;
        memcpy(slot->peer6, &in6.sin6_addr, sizeof(slot->peer6));
        if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr)) /* bytes that are 0 there (RFC 4291, 2.5.6) */
            memcpy(slot->peer6 + 2, &in6.sin6_scope_id, sizeof(in6.sin6_scope_id));
        slot->peer_port = ntohs(in6.sin6_port);
    } else if (addr->sa_family == AF_UNIX && slot->family == TMO_FAMILY_UNIX && len > path_at) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)addr;
        size_t path_len = len - path_at;
        if (un->sun_path[0] != '\0')
            path_len = strnlen(un->sun_path, path_len);
        tmo_track_free_text(slot->peer_path);
        slot->peer_path = tmo_track_keep_text(un->sun_path, path_len);
    }
}

void tmo_made_socket(int fd, int domain, int type, int protocol, bool pair)
{
    enum tmo_proto proto = tmo_apply_proto(domain, type, protocol);
    tmo_made_unseen_end(fd);
    tmo_reload_look();
    if (tmo_current.off || !tmo_rules_cover(proto))
        return;
    enum tmo_family family = domain == AF_INET6  ? TMO_FAMILY_6
                             : domain == AF_UNIX ? TMO_FAMILY_UNIX
                                                 : TMO_FAMILY_4;
    struct tmo_slot *slot =
        fresh(fd, proto, family, (type & SOCK_NONBLOCK) != 0 ? TMO_SLOT_NONBLOCK : 0);
    if (slot == NULL)
        return;
    /* Datagram sockets and pairs may wait as they are; streams only when they are connected. */
    if (pair || !tmo_proto_is_connected(proto)) {
        slot->flags |= TMO_SLOT_CONNECTED;
        slot->dir = TMO_DIR_OUT;
        set_born_now(slot);
        tmo_apply_wait(fd, slot, tmo_plan_of(slot), TMO_RECV, false);
        tmo_apply_wait(fd, slot, tmo_plan_of(slot), TMO_SEND, false);
    }
    tmo_sockopts_made(fd, slot, true);
    tmo_state_rehot(fd, slot);
}

/* What was accepted from a listener of ours inherits SO_SNDTIMEO, which had our value before the
 * first handshake, and never wants the listener's SO_RCVTIMEO, the limit of accept. */
static void accepted_waits(int fd, struct tmo_slot *slot, const struct tmo_plan *plan,
                           const struct tmo_slot *listener)
{
    unsigned from = tmo_slot_flags(listener);
    bool any = plan->accept_us != 0 || plan->wait_us[TMO_RECV] != 0 ||
               plan->wait_us[TMO_SEND] != 0 ||
               (from & (TMO_SLOT_TIMED_RECV | TMO_SLOT_TIMED_SEND)) != 0;
    unsigned timed = tmo_apply_timed(fd, slot, plan, TMO_RECV, any);
    if ((from & TMO_SLOT_TIMED_SEND) != 0 && (from & TMO_SLOT_SHARED) == 0 &&
        slot->proto == TMO_TCP && slot->plan == listener->plan)
        timed |= TMO_SLOT_TIMED_SEND;
    else
        timed |= tmo_apply_timed(fd, slot, plan, TMO_SEND, any);
    slot->flags |= timed; /* nobody else knows the socket yet */
}

void tmo_made_accepted(int fd, struct tmo_slot *listener, const struct sockaddr *addr,
                       socklen_t len, int flags)
{
    tmo_made_unseen_end(fd);
    tmo_reload_look();
    if (tmo_current.off)
        return;
    unsigned begin = TMO_SLOT_CONNECTED | (tmo_slot_flags(listener) & TMO_SLOT_LOWAT);
    if ((flags & SOCK_NONBLOCK) != 0)
        begin |= TMO_SLOT_NONBLOCK;
    struct tmo_slot *slot = fresh(fd, listener->proto, listener->family, begin);
    if (slot == NULL)
        return;
    slot->dir = TMO_DIR_IN;
    /* A tick early at most, at a tenth of the price. */
    tmo_slot_set_born_us(slot, (uint64_t)tmo_clock_coarse_ns() / 1000);
    if (tmo_proto_is_tcp(slot->proto)) { /* inherited, as of the handshake; not by unix sockets */
        memcpy(slot->app_low, listener->app_low, sizeof(slot->app_low));
        memcpy(slot->app_high, listener->app_high, sizeof(slot->app_high));
        tmo_own_inherit(listener, slot);
    }
    if (len > 0)
        tmo_made_peer(slot, addr, len);
    tmo_rules_peer(fd, slot, TMO_FROM, listener);
    const struct tmo_plan *plan = tmo_plan_of(slot);
    accepted_waits(fd, slot, plan, listener);
    tmo_sockopts_made(fd, slot, false);
    if (plan->deadlines)
        tmo_watch_begin(fd, slot);
    tmo_state_rehot(fd, slot);
    if (tmo_current.logs)
        __atomic_fetch_add(&listener->listener.accepted, 1, __ATOMIC_RELAXED);
}

/* Whether the handshake is left to the first send: TCP_FASTOPEN_CONNECT with a cookie at hand. */
static bool is_deferred(int fd)
{
    struct tmo_tcpinfo info;
    if (tmo_tcpinfo_get(fd, &info) < 0)
        return false;
    unsigned state = tmo_tcpinfo_state(&info);
    return state == TMO_TCP_CLOSE || state == TMO_TCP_SYN_SENT;
}

void tmo_made_connected(int fd, struct tmo_slot *slot, int64_t send_us, unsigned timed)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    slot->dir = TMO_DIR_OUT;
    bool ours;
    int64_t us =
        tmo_plan_timeo_us(plan, plan->wait_us[TMO_SEND], tmo_slot_app_us(slot, TMO_SEND), &ours);
    if (ours && us == send_us) /* it is there already */
        timed |= TMO_SLOT_TIMED_SEND;
    else
        timed |= tmo_apply_timed(fd, slot, plan, TMO_SEND, send_us != 0);
    unsigned mask = TMO_SLOT_TIMED_RECV | TMO_SLOT_TIMED_SEND;
    if ((tmo_slot_flags(slot) & TMO_SLOT_FASTOPEN) != 0 && !is_deferred(fd))
        mask |= TMO_SLOT_FASTOPEN;
    tmo_slot_change(slot, mask, timed | TMO_SLOT_CONNECTED);
    if (plan->deadlines || (tmo_slot_flags(slot) & TMO_SLOT_IN_EPOLL) != 0)
        tmo_watch_begin(fd, slot);
    tmo_state_rehot(fd, slot);
}

void tmo_made_towards(int fd, struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len)
{
    uint16_t before = slot->plan;
    if (addr->sa_family == AF_UNSPEC) {
        slot->peer_port = 0;
        tmo_rules_begin(slot);
    } else {
        tmo_rules_connect(slot, addr, len, true);
    }
    if (slot->plan == before)
        return;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    tmo_sockopts_connect(fd, slot, before);
    tmo_apply_wait(fd, slot, plan, TMO_RECV, true);
    tmo_apply_wait(fd, slot, plan, TMO_SEND, true);
    tmo_state_rehot(fd, slot);
}

/* Where CALL, a send, goes to by itself; NULL: nowhere else. The kernel has read all of it if READ.
 */
static const struct sockaddr *goes_to(const struct tmo_call *call, bool read, socklen_t *ret_len)
{
    const struct msghdr *msg = call->msg != NULL    ? call->msg
                               : call->msgs != NULL ? &call->msgs->msg_hdr
                                                    : NULL;
    *ret_len = msg != NULL ? 0 : call->to_len;
    if (msg == NULL)
        return call->addr;
    if (!read && !(tmo_raw_can_read_8(msg) && tmo_raw_can_read_8(&msg->msg_namelen)))
        return NULL;
    *ret_len = msg->msg_namelen;
    return msg->msg_name;
}

void tmo_made_sends(const struct tmo_call *call, struct tmo_slot *slot)
{
    socklen_t len;
    if (tmo_current.rules == NULL)
        return;
    const struct sockaddr *addr = goes_to(call, false, &len);
    tmo_rules_connect(slot, addr, len, false);
}

void tmo_made_sent(const struct tmo_call *call, struct tmo_slot *slot, ssize_t n)
{
    socklen_t len;
    if (tmo_current.rules == NULL || n < 0 || call->kind->way != TMO_SEND ||
        tmo_proto_is_connected(slot->proto) || slot->peer_port != 0) /* it waits for its peer */
        return;
    const struct sockaddr *addr = goes_to(call, true, &len);
    if (addr != NULL && len > sizeof(sa_family_t) && addr->sa_family != AF_UNSPEC)
        tmo_made_towards(call->fd, slot, addr, len);
}

void tmo_made_listener(int fd, struct tmo_slot *slot)
{
    if (tmo_current.rules != NULL) /* what it accepts is known by that */
        slot->peer_port = tmo_rules_own_port(fd);
    bool ours;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    int64_t us = tmo_plan_timeo_us(plan, plan->accept_us, tmo_slot_app_us(slot, TMO_RECV), &ours);
    slot->dir = TMO_DIR_LISTEN;
    bool had = (tmo_slot_flags(slot) & TMO_SLOT_TIMED_RECV) != 0; /* of a connection before */
    int r = ours || had ? tmo_apply_timeo(fd, TMO_RECV, us) : 0;
    tmo_slot_change(slot, TMO_SLOT_TIMED_RECV, ours && r == 0 ? TMO_SLOT_TIMED_RECV : 0);
}

static int get_int(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    return tmo_raw_getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? 0 : value;
}

/* The program's own timeouts on a socket that was there before us. Ours, set by this library in
 * the process that had it before, are none. */
static void read_app_timeo(int fd, struct tmo_slot *slot)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    if (plan->mode == TMO_MODE_FORCE && !plan->reports)
        return; /* they count for nothing */
    for (int way = TMO_RECV; way <= TMO_SEND; way++) {
        int64_t us = tmo_apply_read_timeo(fd, (enum tmo_way)way);
        int64_t ours_us = plan->wait_us[way];
        if (us > 0 && (us < ours_us || us > ours_us + 20000))
            tmo_slot_set_app_us(slot, (unsigned)way, us);
    }
}

/* Whether a listener of ours has PORT. */
static bool is_listened(uint16_t port)
{
    bool is = false;
    for (int fd = tmo_track_next(0); fd >= 0 && !is; fd = tmo_track_next(fd + 1)) {
        const struct tmo_slot *slot = tmo_track_slot(fd);
        if (slot == NULL || slot->dir != TMO_DIR_LISTEN)
            continue;
        int by = tmo_borrow(fd);
        is = tmo_rules_own_port(by) == port;
        tmo_borrow_end(by);
    }
    return is;
}

/* Who connected is not told. Of those that are there at the start a server's port is mostly the
 * lower one. */
static bool is_accepted(int fd, const struct tmo_slot *slot, bool found)
{
    if (slot->family == TMO_FAMILY_UNIX)
        return true;
    uint16_t own_port = tmo_rules_own_port(fd);
    return found ? is_listened(own_port) : own_port < slot->peer_port;
}

/* The same, FD being BY for the calling thread. FOUND: it is in the hands of code that we do not
 * see, which is not to meet a timeout of ours: the watchdog ends what is overdue. */
static struct tmo_slot *adopt(int fd, int by, bool inherited, bool found)
{
    struct tmo_slot is = {.refs = 0};
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);

    if (tmo_current.off || tmo_apply_identify(by, &is) < 0 || !tmo_rules_cover(is.proto))
        return NULL;
    struct tmo_slot *slot =
        fresh(fd, is.proto, is.family,
              (found ? TMO_SLOT_FOUND : TMO_SLOT_SHARED) | (inherited ? TMO_SLOT_INHERITED : 0u));
    if (slot == NULL)
        return NULL;
    set_born_now(slot);
    if (tmo_raw_is_nonblocking(by) > 0)
        slot->flags |= TMO_SLOT_NONBLOCK;
    bool stream = tmo_proto_is_connected(slot->proto);
    if (get_int(by, SO_ACCEPTCONN) != 0) {
        read_app_timeo(by, slot);
        if (found)
            slot->dir = TMO_DIR_LISTEN;
        else
            tmo_made_listener(by, slot);
    } else if (TMO_RAW3(SYS_getpeername, by, &peer, &len) == 0 || !stream) {
        if (peer.ss_family != AF_UNSPEC)
            tmo_made_peer(slot, (struct sockaddr *)&peer, len);
        slot->dir = is_accepted(by, slot, found) ? TMO_DIR_IN : TMO_DIR_OUT;
        slot->flags |= TMO_SLOT_CONNECTED;
        if (peer.ss_family != AF_UNSPEC)
            tmo_rules_peer(by, slot, slot->dir == TMO_DIR_IN ? TMO_FROM : TMO_TO, NULL);
        const struct tmo_plan *plan = tmo_plan_of(slot);
        if ((plan->deadlines || plan->keeps) && get_int(by, SO_RCVLOWAT) > 1)
            slot->flags |= TMO_SLOT_LOWAT;
        read_app_timeo(by, slot);
        if (!found) {
            tmo_apply_wait(by, slot, plan, TMO_RECV, false);
            tmo_apply_wait(by, slot, plan, TMO_SEND, false);
        }
        tmo_apply_linger(by, plan);
        tmo_watch_begin(fd, slot);
    } else {
        read_app_timeo(by, slot);
    }
    tmo_sockopts_made(by, slot, false);
    tmo_state_rehot(fd, slot);
    return slot;
}

void tmo_made_adopt(int fd, bool inherited)
{
    tmo_made_unseen_end(fd);
    (void)adopt(fd, fd, inherited, false);
}

struct tmo_slot *tmo_made_found(int fd)
{
    int by = tmo_borrow(fd);
    uint32_t cookie = tmo_state_cookie(by);
    struct tmo_slot *slot = tmo_hot(fd) == TMO_HOT_NONE ? adopt(fd, by, false, true) : NULL;
    uint16_t generation = slot != NULL ? slot->generation : 0;
    tmo_borrow_end(by);
    by = tmo_borrow(fd);
    if (slot != NULL && tmo_state_cookie(by) != cookie && slot->generation == generation) {
        tmo_track_drop(fd); /* it was closed meanwhile, and the number may be another's */
        slot = NULL;
    }
    tmo_borrow_end(by);
    return slot;
}

bool tmo_made_ask_peer(int fd, struct tmo_slot *slot)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t len =
        slot->family == TMO_FAMILY_6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (tmo_raw_getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &len) < 0)
        return false;
    tmo_made_peer(slot, (struct sockaddr *)&peer, len);
    return true;
}

void tmo_made_found_connected(int fd, struct tmo_slot *slot)
{
    struct tmo_quiet q;
    int by = tmo_borrow(fd);
    if (tmo_quiet_get(by, &q) == 0 && (q.connecting || q.reads) && tmo_made_ask_peer(by, slot)) {
        set_born_now(slot);
        slot->dir = TMO_DIR_OUT;
        tmo_rules_peer(by, slot, TMO_TO, NULL);
        tmo_slot_raise(slot, TMO_SLOT_CONNECTED | TMO_SLOT_FOUND);
        if (q.connecting && tmo_plan_of(slot)->connect_ns != 0)
            tmo_watch_connecting(fd, slot);
        tmo_watch_begin(fd, slot);
        tmo_state_rehot(fd, slot);
    }
    tmo_borrow_end(by);
}

void tmo_made_received(const struct msghdr *msg)
{
    if (!tmo_current.active || tmo_self_borrowed())
        return;
    const char *data = msg->msg_control;
    size_t room = msg->msg_controllen, step;
    for (size_t at = 0; at + sizeof(struct cmsghdr) <= room; at += step) {
        const struct cmsghdr *c = (const struct cmsghdr *)(const void *)(data + at);
        if (c->cmsg_len < sizeof(*c) || c->cmsg_len > room - at)
            return;
        step = (c->cmsg_len + sizeof(long) - 1) & ~(sizeof(long) - 1);
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            tmo_made_adopt(fd, false);
        }
    }
}
