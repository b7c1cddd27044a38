/* SPDX-License-Identifier: MIT
 * Where connections out begin: socket, socketpair, connect, and a send that connects. Layer: wrap.
 *
 * A blocking connect waits by SO_SNDTIMEO (socket(7)), set for its own time only. When that goes
 * off the kernel says EINPROGRESS and goes on with the handshake; we end the attempt.
 */
#include "shim/policy/apply.h"
#include "shim/policy/end.h"
#include "shim/policy/judge.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/made.h"
#include "shim/wrap/note.h"
#include "shim/wrap/rules.h"
#include "shim/wrap/sockopts.h"
#include "shim/wrap/watch.h"
#include "shim/wrap/watchdog.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>

/* --- socket, socketpair ---------------------------------------------------------------------- */

int wrap_socket(int domain, int type, int protocol)
{
    if (!tmo_current.active)
        return tmo_real.socket(domain, type, protocol);
    int fd = tmo_real.socket(domain, type, protocol);
    if (fd >= 0 && !tmo_self_borrowed())
        tmo_made_socket(fd, domain, type, protocol, false);
    return fd;
}

int wrap_socketpair(int domain, int type, int protocol, int sv[2])
{
    if (!tmo_current.active)
        return tmo_real.socketpair(domain, type, protocol, sv);
    int r = tmo_real.socketpair(domain, type, protocol, sv);
    if (r == 0 && !tmo_self_borrowed()) {
        tmo_made_socket(sv[0], domain, type, protocol, true);
        tmo_made_socket(sv[1], domain, type, protocol, true);
    }
    return r;
}

/* --- connect --------------------------------------------------------------------------------- */

struct attempt {
    int fd;
    struct tmo_slot *slot;
    const struct sockaddr *addr;
    socklen_t len;
    int64_t start_ns, limit_ns; /* limit 0: none of ours */
    int64_t send_us;            /* the SO_SNDTIMEO that we gave it for that; 0 = none */
    unsigned timed;             /* TMO_SLOT_TIMED_RECV: its SO_RCVTIMEO is ours */
};

static void record_connect(const struct attempt *a, int error, int64_t took_ns)
{
    struct tmo_tcpinfo info = {.len = 0};
    struct tmo_event event;
    if (!tmo_wants(TMO_EVENT_CONNECT) || !tmo_is_covered(a->slot))
        return;
    (void)tmo_tcpinfo_get(a->fd, &info);
    tmo_emit_begin(&event, TMO_RECORD_CONNECT);
    tmo_emit_connection(&event, a->fd, a->slot, &info);
    event.outcome = error == 0             ? "ok"
                    : error == EINPROGRESS ? "in_progress"
                    : error == ETIMEDOUT   ? "timeout"
                                           : "error";
    event.error = error;
    event.took_ms = took_ns / TMO_NS_PER_MS;
    tmo_emit(&event);
}

/* A new attempt undoes what ended the one before. Whom it goes to is noted when the kernel has read
 * the address: tmo_made_peer(). */
static void start_afresh(const struct attempt *a)
{
    struct tmo_slot *slot = a->slot;
    tmo_slot_lower(slot, TMO_SLOT_ENDED | TMO_SLOT_DRAIN | TMO_SLOT_STUBBORN | TMO_SLOT_CUT_RECV |
                             TMO_SLOT_CUT_SEND | TMO_SLOT_RECORDED | TMO_SLOT_EXPIRED |
                             TMO_SLOT_INHERITED | TMO_SLOT_CONNECTED | TMO_SLOT_CONNECTING |
                             TMO_SLOT_ENDING | TMO_SLOT_NOTED | TMO_SLOT_FOUND);
    slot->pending = 0;
    slot->connect_us = 0;
    slot->timeouts = 0;
    slot->dir = TMO_DIR_OUT;
    slot->peer_port = 0;
    tmo_slot_set_born_us(slot, (uint64_t)a->start_ns / 1000);
}

int tmo_connect_expired(int fd, int by, struct tmo_slot *slot, int64_t waited_ns, const char *call)
{
    bool polled = strcmp(call, "connect") != 0;
    uint16_t generation = slot->generation;
    int error = tmo_state_expire(&(struct tmo_expiry){
        .fd = fd,
        .slot = slot,
        .limit = "connect",
        .limit_ns = tmo_plan_of(slot)->connect_ns,
        .waited_ns = waited_ns,
        .call = call,
        .kernel_error = slot->family == TMO_FAMILY_UNIX ? EAGAIN : EINPROGRESS,
        .generation = generation,
        .cookie = by != fd ? tmo_state_cookie(by) : 0,
    });
    if (tmo_track_slot(fd) != slot || slot->generation != generation) {
        tmo_end_attempt(by, slot,
                        polled); /* the number is another's meanwhile, the socket is not */
        return error;
    }
    tmo_emit_close_by(by, fd, slot, "timeout");
    tmo_end_attempt(by, slot, polled);
    /* From now on it is told so, until it connects again. */
    tmo_state_ended(by, slot, 0);
    if (polled) /* the connect that asks how it went is told so, once, as by the kernel */
        slot->pending = (uint8_t)error;
    tmo_slot_lower(slot, TMO_SLOT_EXPIRED | TMO_SLOT_DRAIN | TMO_SLOT_CONNECTING);
    tmo_state_rehot(fd, slot);
    return error;
}

static int attempt_expired(const struct attempt *a, int64_t waited_ns)
{
    return tmo_connect_expired(a->fd, a->fd, a->slot, waited_ns, "connect");
}

/* Goes on with an attempt that a signal interrupted. Returns 0 or the errno. */
static int wait_on(const struct attempt *a)
{
    int64_t end_ns = (a->start_ns != 0 ? a->start_ns : tmo_clock_ns()) + a->limit_ns;
    for (;;) {
        int64_t left_ns = end_ns - tmo_clock_ns();
        int r = left_ns > 0 ? tmo_raw_wait(a->fd, POLLOUT, left_ns) : tmo_raw_peek(a->fd, POLLOUT);
        if (r == -EINTR) {
            if (!tmo_judge_may_restart())
                return EINTR;
            continue;
        }
        if (r == 0)
            return EINPROGRESS;
        if (tmo_real.connect(a->fd, a->addr, a->len) == 0 || errno == EISCONN)
            return 0;
        if (errno == EALREADY && tmo_clock_ns() >= end_ns)
            return EINPROGRESS;
        if (errno != EINTR && errno != EALREADY)
            return errno;
    }
}

/* The limit has passed after TOOK_NS, which is only to be recorded: the attempt goes on, and how it
 * ends is the kernel's to say. Returns 0 or the errno. */
static int carry_on(const struct attempt *a, int64_t took_ns)
{
    tmo_apply_wait(a->fd, a->slot, tmo_plan_of(a->slot), TMO_SEND, true);
    tmo_note_now(a->fd, a->slot, TMO_LIMIT_CONNECT, took_ns, "connect");
    int error = tmo_real.connect(a->fd, a->addr, a->len) == 0 ? 0 : errno;
    return error == EISCONN ? 0 : error;
}

/* Whether a connect that took TOOK_NS took as long as its limit, as the kernel counts, which may be
 * some ticks behind: then its timer goes off too soon by these. */
static bool took_all(const struct attempt *a, int64_t took_ns)
{
    return a->limit_ns != 0 && took_ns + TMO_TICK_SLACK_NS >= a->limit_ns;
}

/* Whether ERROR is what the kernel says when SO_SNDTIMEO goes off. AF_UNIX says EAGAIN also for a
 * full backlog at once, on a non-blocking socket (unix(7)). */
static bool is_expiry(const struct attempt *a, int error, int64_t took_ns)
{
    if (!took_all(a, took_ns))
        return false;
    if (a->slot->family == TMO_FAMILY_UNIX)
        return error == EAGAIN;
    return error == EINPROGRESS || error == EALREADY;
}

/* Whether the kernel's timer went off before the limit, so that there is a rest to be waited. */
static bool is_too_soon(const struct attempt *a, int error, int64_t took_ns)
{
    return took_ns < a->limit_ns && a->slot->family != TMO_FAMILY_UNIX &&
           (error == EINPROGRESS || error == EALREADY);
}

static int finish(const struct attempt *a, int error)
{
    struct tmo_slot *slot = a->slot;
    if (error == 0 && !tmo_current.logs) { /* how long it took, nobody will know */
        tmo_made_connected(a->fd, slot, a->send_us, a->timed);
        return 0;
    }
    if (error == EINTR && a->limit_ns != 0 && !tmo_slot_has_app(slot, TMO_SEND) &&
        tmo_judge_may_restart())
        error = wait_on(a);
    int64_t took_ns = a->start_ns != 0 ? tmo_clock_ns() - a->start_ns : a->limit_ns;
    if (is_too_soon(a, error, took_ns)) {
        error = wait_on(a);
        took_ns = tmo_clock_ns() - a->start_ns;
    }
    bool expired = is_expiry(a, error, took_ns);
    if (expired && took_ns < a->limit_ns)
        took_ns = a->limit_ns;
    if (expired && tmo_plan_of(slot)->reports) {
        error = carry_on(a, took_ns);
        took_ns = tmo_clock_ns() - a->start_ns;
    } else if (expired) {
        tmo_apply_wait(a->fd, slot, tmo_plan_of(slot), TMO_SEND, true);
        error = attempt_expired(a, took_ns);
        record_connect(a, error, took_ns);
        tmo_state_rehot(a->fd, slot);
        return error;
    }
    if (error == 0) {
        int64_t us = took_ns / 1000;
        slot->connect_us = us <= 0 ? 1 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    }
    if (error == EINPROGRESS && tmo_plan_of(slot)->connect_ns != 0)
        tmo_watch_connecting(a->fd, slot);
    if (error == 0 || error == EINPROGRESS || error == EALREADY || error == EINTR)
        tmo_made_connected(a->fd, slot, a->send_us, a->timed);
    else {
        tmo_slot_lower(slot, TMO_SLOT_CONNECTED | TMO_SLOT_CONNECTING); /* that has failed */
        if (a->send_us != 0)
            tmo_apply_wait(a->fd, slot, tmo_plan_of(slot), TMO_SEND, true);
    }
    record_connect(a, error, took_ns);
    return error;
}

/* Whether the kernel has read the address, so that we may too: a bad pointer is its to find. */
static bool was_read(int error)
{
    return error != EFAULT && error != EINVAL && error != EBADF && error != ENOTSOCK;
}

/* Datagram sockets do not wait, and AF_UNSPEC takes a connection back. */
static int connect_other(const struct attempt *a)
{
    int r = tmo_real.connect(a->fd, a->addr, a->len);
    if (r == 0 && !tmo_proto_is_connected(a->slot->proto)) {
        tmo_made_peer(a->slot, a->addr, a->len);
        tmo_made_towards(a->fd, a->slot, a->addr, a->len);
    }
    return r;
}

/* The timeout for it: none where the watchdog alone keeps the time, and is there. */
static int64_t connect_us(const struct tmo_plan *plan)
{
    bool lacks = plan->watchdog && plan->connect_us == 0 && tmo_watchdog_is_missing();
    return lacks ? tmo_ns_to_us(plan->connect_ns) : plan->connect_us;
}

/* Puts the time that a connect may take on the socket, or takes back what an earlier connection
 * left there. */
static void set_connect_timeo(struct attempt *a, const struct tmo_plan *plan)
{
    struct tmo_slot *slot = a->slot;
    unsigned flags = tmo_slot_flags(slot);
    bool ours;
    int64_t us = tmo_plan_timeo_us(plan, connect_us(plan), tmo_slot_app_us(slot, TMO_SEND), &ours);
    if (ours && plan->reports && tmo_slot_has_app(slot, TMO_SEND)) {
        ours = false; /* the program's own time stands */
        us = tmo_slot_app_us(slot, TMO_SEND);
    }
    if (ours && (flags & TMO_SLOT_NONBLOCK) == 0) {
        if (tmo_apply_timeo(a->fd, TMO_SEND, us) == 0) {
            a->limit_ns = plan->connect_ns;
            a->send_us = us;
        }
    } else if ((flags & TMO_SLOT_TIMED_SEND) != 0) {
        if (tmo_apply_timeo(a->fd, TMO_SEND, ours ? 0 : us) == 0)
            tmo_slot_lower(slot, TMO_SLOT_TIMED_SEND);
    }
}

/* Whether the program's address is AF_UNSPEC, which takes a connection back, asked before the
 * kernel has judged the pointer. */
static bool is_disconnect(const struct attempt *a)
{
    return a->len >= 8 && tmo_raw_can_read_8(a->addr) && a->addr->sa_family == AF_UNSPEC;
}

/* What is known of the socket after connect gave ERROR. Returns what the program gets. */
static int connect_made(const struct attempt *a, int error, bool under_way)
{
    struct tmo_slot *slot = a->slot;
    if (a->addr->sa_family == AF_UNSPEC) {
        if (error == 0) {
            start_afresh(a);
            slot->dir = TMO_DIR_NONE;
            tmo_rules_begin(slot);
            tmo_state_rehot(a->fd, slot);
        } else {
            tmo_slot_lower(slot, TMO_SLOT_RECORDED); /* it lives on */
        }
        return error;
    }
    if (under_way && error == EINPROGRESS) /* the one before had failed: this is another */
        start_afresh(a);
    if (!under_way || error == EINPROGRESS || error == 0)
        tmo_made_peer(slot, a->addr, a->len);
    return finish(a, error);
}

/* What another thread is to know of an attempt that is about to be made: that there is one, and
 * that it may look when its time is over, where the socket has no timeout for it. */
static void tell_watchdog(const struct attempt *a)
{
    struct tmo_slot *slot = a->slot;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    bool ours; /* or the program's own time stands */
    tmo_slot_raise(slot, TMO_SLOT_CONNECTED);
    (void)tmo_plan_timeo_us(plan, tmo_ns_to_us(plan->connect_ns), tmo_slot_app_us(slot, TMO_SEND),
                            &ours);
    if (ours && a->limit_ns == 0 && (tmo_slot_flags(slot) & TMO_SLOT_NONBLOCK) == 0)
        tmo_watch_connecting(a->fd, slot);
}

/* What a program is told whose attempt the watchdog has ended. */
static int ended_error(const struct tmo_slot *slot)
{
    return tmo_plan_of(slot)->error != 0 ? tmo_plan_of(slot)->error : EINPROGRESS;
}

static int connect_ours(int fd, struct tmo_slot *slot, const struct sockaddr *addr, socklen_t len)
{
    struct attempt a = {.fd = fd, .slot = slot, .addr = addr, .len = len};
    unsigned flags = tmo_slot_flags(slot), dir = slot->dir;
    bool under_way = (flags & (TMO_SLOT_CONNECTED | TMO_SLOT_ENDED)) == TMO_SLOT_CONNECTED;
    int e = errno;

    if (!tmo_proto_is_connected(slot->proto) || dir == TMO_DIR_LISTEN)
        return connect_other(&a);
    if ((flags & TMO_SLOT_ENDED) != 0 && slot->pending != 0) {
        errno = slot->pending;
        slot->pending = 0;
        return -1;
    }
    if ((flags & TMO_SLOT_DRAIN) != 0)
        tmo_end_attempt(fd, slot, false); /* shut down is still connected */
    if (under_way && tmo_wants(TMO_EVENT_CLOSE) && is_disconnect(&a))
        tmo_emit_close(fd, slot, "close"); /* afterwards TCP_INFO is zero */
    if (!under_way) {
        uint16_t before = slot->plan;
        tmo_rules_connect(slot, addr, len, false);
        tmo_sockopts_connect(fd, slot, before);
    }
    const struct tmo_plan *plan = tmo_plan_of(slot);
    set_connect_timeo(&a, plan);
    if (!under_way) /* it does not count in connect, and costs less before than behind */
        a.timed = tmo_apply_timed(fd, slot, plan, TMO_RECV, (flags & TMO_SLOT_TIMED_RECV) != 0);
    else
        a.timed = flags & TMO_SLOT_TIMED_RECV;
    /* Without a log a tick early is good enough, at a tenth of the price. */
    a.start_ns = tmo_current.logs ? tmo_clock_ns() : tmo_clock_coarse_ns();
    if (!under_way) /* before the wait, which may be cancelled */
        start_afresh(&a);
    if (plan->watchdog && !under_way)
        tell_watchdog(&a);
    int error = tmo_real.connect(fd, addr, len) == 0 ? 0 : errno;
    if (error != 0 && plan->watchdog && tmo_state_has_ended(slot)) {
        error = ended_error(slot);
        record_connect(&a, error, tmo_clock_ns() - a.start_ns);
        errno = error;
        return -1;
    }
    if (error != 0) /* else with the other way's */
        tmo_slot_change(slot, TMO_SLOT_TIMED_RECV, a.timed);
    if ((error == EINPROGRESS || error == EAGAIN) && a.limit_ns != 0 &&
        tmo_raw_is_nonblocking(fd) > 0) {
        tmo_slot_raise(slot, TMO_SLOT_NONBLOCK);
        a.limit_ns = 0;
    }
    if (was_read(error) && len >= sizeof(sa_family_t) && error != EISCONN) {
        error = connect_made(&a, error, under_way);
    } else {
        slot->dir = dir & 3;
        if (!under_way)
            tmo_slot_lower(slot, TMO_SLOT_CONNECTED | TMO_SLOT_CONNECTING);
        if (a.send_us != 0)
            tmo_apply_wait(fd, slot, tmo_plan_of(slot), TMO_SEND, true);
    }
    errno = error != 0 ? error : e;
    return error != 0 ? -1 : 0;
}

int wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct tmo_slot *slot = tmo_state_slot(fd);
    if (slot == NULL)
        return tmo_real.connect(fd, addr, len);
    return connect_ours(fd, slot, addr, len);
}
TMO_ALIAS(__connect, connect);

/* --- TCP Fast Open (RFC 7413, tcp(7)) -----------------------------------------------------------
 */

static bool is_syn_sent(int fd)
{
    struct tmo_tcpinfo info;
    return tmo_tcpinfo_get(fd, &info) == 0 && tmo_tcpinfo_state(&info) == TMO_TCP_SYN_SENT;
}

ssize_t tmo_connect_by_send(struct tmo_call *call, struct tmo_slot *slot)
{
    struct attempt a = {.fd = call->fd, .slot = slot};
    bool deferred = (tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) != 0; /* TCP_FASTOPEN_CONNECT */
    if (!deferred) {
        uint16_t before = slot->plan;
        tmo_made_sends(call, slot);
        tmo_sockopts_connect(call->fd, slot, before);
    }
    const struct tmo_plan *plan = tmo_plan_of(slot);
    bool blocking = (call->flags & MSG_DONTWAIT) == 0 && tmo_raw_is_nonblocking(call->fd) == 0;
    bool ours;
    int64_t us = tmo_plan_timeo_us(plan, connect_us(plan), tmo_slot_app_us(slot, TMO_SEND), &ours);
    if (ours && blocking && !plan->reports && tmo_apply_timeo(call->fd, TMO_SEND, us) == 0) {
        a.limit_ns = plan->connect_ns;
        a.send_us = us;
    }
    a.timed = tmo_apply_timed(call->fd, slot, plan, TMO_RECV, false);
    a.start_ns = tmo_clock_ns();
    bool watched = plan->watchdog && blocking;
    if (watched) {
        if (!deferred)
            start_afresh(&a);
        tmo_slot_set_born_us(slot, (uint64_t)a.start_ns / 1000);
        tell_watchdog(&a);
    }
    ssize_t n = call->kind->make(call, 0, 0);
    int64_t took_ns = tmo_clock_ns() - a.start_ns;

    if (n < 0 && watched && tmo_state_has_ended(slot))
        return -ended_error(slot);
    if (!deferred && was_read(n < 0 ? (int)-n : 0)) {
        a.addr = call->msg != NULL ? call->msg->msg_name : call->addr;
        a.len = call->msg != NULL ? call->msg->msg_namelen : call->to_len;
        if (!watched)
            start_afresh(&a);
        if (a.addr != NULL)
            tmo_made_peer(slot, a.addr, a.len);
    }
    /* With data in the SYN the kernel calls that sent, though nobody may have got it. */
    bool expired = took_all(&a, took_ns) && (n == -EINPROGRESS || n > 0) && is_syn_sent(call->fd);
    if (expired && took_ns < a.limit_ns)
        took_ns = a.limit_ns;
    tmo_slot_lower(slot, TMO_SLOT_FASTOPEN);
    if (plan->reports && ours && blocking && took_ns >= plan->connect_ns)
        tmo_note_now(call->fd, slot, TMO_LIMIT_CONNECT, took_ns, call->kind->name);
    if (!expired) {
        if (n > 0)
            slot->connect_us = (uint32_t)(took_ns / 1000) + 1;
        if (n > 0 || n == -EINPROGRESS)
            tmo_made_connected(call->fd, slot, a.send_us, a.timed);
        else if (a.limit_ns != 0)
            tmo_apply_wait(call->fd, slot, plan, TMO_SEND, true);
        if (n < 0 && n != -EINPROGRESS && watched && !deferred)
            tmo_slot_lower(slot, TMO_SLOT_CONNECTED | TMO_SLOT_CONNECTING);
        tmo_state_rehot(call->fd, slot);
        if (!deferred)
            record_connect(&a, n < 0 ? (int)-n : 0, took_ns);
        tmo_call_measure(call, n);
        if (n <= 0 || !call->counts || (size_t)n >= call->wanted)
            return n;
        return tmo_result(tmo_call_after(call, n)); /* connected: the rest is under `send` */
    }
    tmo_apply_wait(call->fd, slot, plan, TMO_SEND, true);
    int error = attempt_expired(&a, took_ns);
    record_connect(&a, error, took_ns);
    tmo_state_rehot(call->fd, slot);
    return -error;
}
