/* SPDX-License-Identifier: MIT
 * Where connections in begin: listen, accept, accept4. Layer: wrap.
 *
 * A listener waits by SO_RCVTIMEO. Its SO_SNDTIMEO is for those that it accepts, which inherit it.
 */
#include "shim/policy/apply.h"
#include "shim/policy/judge.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/made.h"
#include "shim/wrap/before.h"
#include "shim/wrap/note.h"
#include "shim/wrap/rules.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>

/* --- listen ---------------------------------------------------------------------------------- */

int wrap_listen(int fd, int backlog)
{
    struct tmo_slot *slot = tmo_state_slot(fd);
    if (slot == NULL)
        return tmo_real.listen(fd, backlog);
    uint16_t before = slot->plan;
    if (slot->dir != TMO_DIR_LISTEN && (tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) == 0) {
        tmo_rules_listen(fd, slot);
        tmo_apply_wait(fd, slot, tmo_plan_of(slot), TMO_SEND, false); /* which is inherited */
    }
    int r = tmo_real.listen(fd, backlog);
    if (r != 0)
        slot->plan = before;
    if (r != 0 && slot->dir == TMO_DIR_NONE && (tmo_slot_flags(slot) & TMO_SLOT_TIMED_SEND) != 0) {
        int64_t us = tmo_slot_app_us(slot, TMO_SEND);
        if (tmo_apply_timeo(fd, TMO_SEND, us) == 0)
            tmo_slot_lower(slot, TMO_SLOT_TIMED_SEND);
    }
    if (r != 0 || slot->dir == TMO_DIR_LISTEN)
        return r;

    memset(&slot->listener, 0, sizeof(slot->listener));
    tmo_slot_set_born_us(slot, tmo_self_now_us());
    tmo_made_listener(fd, slot);
    tmo_state_rehot(fd, slot);
    if (tmo_wants(TMO_EVENT_LISTEN) && tmo_is_covered(slot)) {
        struct tmo_tcpinfo info = {.len = 0};
        struct tmo_event event;
        (void)tmo_tcpinfo_get(fd, &info);
        tmo_emit_begin(&event, TMO_RECORD_LISTEN);
        tmo_emit_connection(&event, fd, slot, &info);
        tmo_emit(&event);
    }
    return r;
}

/* --- accept ---------------------------------------------------------------------------------- */

/* Looks at the accept queue, ten times a second at most. */
static void sample_queue(int fd, struct tmo_slot *slot)
{
    struct tmo_tcpinfo info;
    if (!tmo_proto_is_tcp(slot->proto))
        return;
    uint32_t now_ms = (uint32_t)(tmo_clock_coarse_ns() / TMO_NS_PER_MS);
    if (now_ms - slot->listener.sampled_ms < 100)
        return;
    slot->listener.sampled_ms = now_ms;
    if (tmo_tcpinfo_get(fd, &info) == 0 &&
        tmo_tcpinfo_unacked(&info) > slot->listener.queue_highest)
        slot->listener.queue_highest = tmo_tcpinfo_unacked(&info);
}

static ssize_t make_accept(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    return tmo_result(c->accept_flags == 0
                          ? tmo_real.accept(c->fd, c->addr, c->addr_len)
                          : tmo_real.accept4(c->fd, c->addr, c->addr_len, c->accept_flags));
}

/* The wait of an accept that is ours: where the limit is only to be recorded; and on an MPTCP
 * listener, since SO_RCVTIMEO does not reach the socket that waits (Linux 6.18, measured). By poll:
 * another process may take the connection first; then accept waits, and with an accept queue that
 * is empty again the limit is missed once. Returns 0 or -errno. */
static int wait_before(int fd, struct tmo_slot *slot, const char *call, int flags)
{
    if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
        return 0; /* the kernel refuses it, and does not wait */
    if (tmo_plan_of(slot)->keeps)
        return tmo_before_wait(fd, slot, TMO_RECV, call, tmo_raw_wait);
    int64_t limit_ns = tmo_plan_of(slot)->accept_ns;
    if (slot->proto != TMO_MPTCP || (tmo_slot_flags(slot) & TMO_SLOT_TIMED_RECV) == 0 ||
        tmo_raw_is_nonblocking(fd) != 0)
        return 0;
    int64_t end_ns = tmo_clock_ns() + limit_ns;
    for (;;) {
        int64_t left_ns = end_ns - tmo_clock_ns();
        int r = tmo_raw_wait(fd, POLLIN, left_ns > 0 ? left_ns : 0);
        if (r == -EINTR && tmo_judge_may_restart())
            continue;
        if (r != 0)
            return r == -EINTR ? r : 0;
        return -tmo_state_expire(&(struct tmo_expiry){
            .fd = fd,
            .slot = slot,
            .limit = "accept",
            .limit_ns = limit_ns,
            .waited_ns = limit_ns,
            .call = call,
            .kernel_error = EAGAIN,
        });
    }
}

static const struct tmo_kind kind_accept = {"accept", TMO_RECV, make_accept};
static const struct tmo_kind kind_accept4 = {"accept4", TMO_RECV, make_accept};

/* What follows an accept on LISTENER that failed, or the whole of one on a listener that expired.
 */
static __attribute__((noinline)) int accept_judged(struct tmo_slot *listener,
                                                   const struct tmo_kind *kind, int fd,
                                                   struct sockaddr *addr, socklen_t *len, int flags)
{
    struct tmo_call call = tmo_call_of(kind, fd, 0);
    call.addr = addr;
    call.addr_len = len;
    call.accept_flags = flags;
    if ((tmo_slot_flags(listener) & TMO_SLOT_EXPIRED) != 0)
        return (int)tmo_call_slow(&call);
    return (int)tmo_call_after(&call, -1);
}

/* How many bytes of an address the program has room for, by its pointer, which may be a bad one. */
static __attribute__((noinline)) socklen_t room_of(const socklen_t *len)
{
    bool aligned = (uintptr_t)len % 4096 <= 4096 - 8;
    const char *at = (const char *)len - (aligned ? 0 : 4);
    return len != NULL && tmo_raw_can_read_8(at) ? *len : 0;
}

/* The peer of FD, which was just accepted, for a program that asked for it in ADDR. Returns the
 * length. A connection that was reset meanwhile has a peer only there, where the kernel has just
 * written, if there was ROOM for all of it. */
static __attribute__((noinline)) socklen_t peer_of(int fd, const struct sockaddr *addr,
                                                   socklen_t room, struct sockaddr_storage *ret)
{
    socklen_t len = sizeof(*ret);
    if (TMO_RAW3(SYS_getpeername, fd, ret, &len) == 0)
        return len;
    if (room < 8 || !tmo_raw_can_read_8(addr))
        return 0;
    len = addr->sa_family == AF_INET    ? 8 /* family, port, address: the rest is zeros */
          : addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                        : 0;
    if (len == 0 || len > room || !tmo_raw_can_read_8((const char *)addr + len - 8))
        return 0;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, addr, len);
    return addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : len;
}

static inline __attribute__((always_inline)) int
accept_any(const struct tmo_kind *kind, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct sockaddr_storage peer;
    socklen_t peer_len = 0;
    struct tmo_slot *slot = tmo_state_slot(fd);
    int e = errno;
    if (slot == NULL || slot->dir != TMO_DIR_LISTEN)
        return flags == 0 ? tmo_real.accept(fd, addr, len) : tmo_real.accept4(fd, addr, len, flags);
    if (tmo_wants(TMO_EVENT_CLOSE | TMO_EVENT_LISTEN))
        sample_queue(fd, slot);
    int r = 0;
    if (TMO_UNLIKELY(tmo_plan_of(slot)->keeps || slot->proto == TMO_MPTCP))
        r = wait_before(fd, slot, kind->name, flags);
    if (r < 0) {
        errno = -r;
        return -1;
    }
    tmo_slot_lower(slot, TMO_SLOT_INHERITED);
    /* Who does not ask for the peer's address leaves it to us, for free. */
    bool wants = tmo_wants_peers(), asks = wants && (addr != NULL || len != NULL);
    socklen_t room = 0;
    if (wants && !asks) {
        peer_len = sizeof(peer);
        addr = (struct sockaddr *)&peer;
        len = &peer_len;
    } else if (asks && addr != NULL) {
        room = room_of(len);
    }
    r = -1;
    if ((tmo_slot_flags(slot) & TMO_SLOT_EXPIRED) == 0)
        r = flags == 0 ? tmo_real.accept(fd, addr, len) : tmo_real.accept4(fd, addr, len, flags);
    if (r < 0)
        r = accept_judged(slot, kind, fd, addr, len, flags);
    if (r < 0)
        return r;
    tmo_note_went_well(slot, TMO_RECV);
    if (asks)
        peer_len = peer_of(r, addr, room, &peer);
    tmo_made_accepted(r, slot, (struct sockaddr *)&peer, peer_len, flags);
    errno = e;
    return r;
}

int wrap_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    if (!tmo_current.active)
        return tmo_real.accept(fd, addr, len);
    return accept_any(&kind_accept, fd, addr, len, 0);
}

int wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    if (!tmo_current.active)
        return tmo_real.accept4(fd, addr, len, flags);
    return accept_any(&kind_accept4, fd, addr, len, flags);
}
