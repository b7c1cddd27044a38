/* SPDX-License-Identifier: MIT
 * The slow path of a data call. See call.h. Layer: wrap.
 *
 * The kernel kept the time of the call that failed. Where the wait goes on after that (a signal, a
 * peer that is slow but moves), see rest.h.
 */
#include "shim/wrap/rest.h"
#include "config/duration.h"
#include "shim/policy/apply.h"
#include "shim/policy/judge.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/made.h"
#include "shim/wrap/before.h"
#include "shim/wrap/note.h"
#include "shim/wrap/watch.h"
#include "shim/wrap/watchdog.h"

#include <poll.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000 /* linux/socket.h */
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000 /* linux/socket.h, Linux 4.14 */
#endif

static ssize_t give(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = (int)-n;
    return -1;
}

/* How old the socket is; one that is younger than the wait has not waited. */
static int64_t age_ns(const struct tmo_slot *slot)
{
    return (int64_t)(tmo_self_now_us() - tmo_slot_born_us(slot)) * 1000;
}

/* Whether the pipe at the other end of a splice gave the EAGAIN: it has no room, or nothing to
 * give. The kernel does not wait for it under SPLICE_F_NONBLOCK or O_NONBLOCK. */
static bool is_of_pipe(const struct tmo_call *call)
{
    short events = call->kind->way == TMO_RECV ? POLLOUT : POLLIN;
    return call->pipe && tmo_raw_peek(call->other_fd, events) == 0;
}

/* The kernel's timeout went off and nothing went through. */
static ssize_t after_timeout(struct tmo_rest *w)
{
    const struct tmo_call *call = w->call;
    short events = call->kind->way == TMO_RECV ? POLLIN : POLLOUT;
    int64_t age = age_ns(w->slot);
    int64_t there_us = tmo_apply_read_timeo(call->fd, call->kind->way);
    int64_t waited_ns = there_us > 0 ? there_us * 1000 : w->limit_ns;
    if (is_of_pipe(call) || age + TMO_TICK_SLACK_NS < waited_ns) /* another socket by now */
        return -EAGAIN;
    /* A datagram socket counts as writable while its peer's queue is full: not a word of that. */
    bool tells = tmo_proto_is_connected(w->slot->proto) || call->kind->way == TMO_RECV;
    if (tells && (tmo_raw_peek(call->fd, events) & events) != 0) {
        if (call->pipe)
            return -EAGAIN;
        tmo_rest_since(w, tmo_clock_ns(), 0); /* in that very moment: the data win */
        return tmo_rest_go_on(w);
    }
    int64_t until_ns = INT64_MAX;
    if (tmo_rest_overdue(w, tmo_clock_ns(), &until_ns))
        return -tmo_state_error(w->slot);
    if (w->limit_ns == 0) { /* the kernel's timeout was of a limit that is not passed yet */
        tmo_rest_since(w, tmo_clock_ns(), 0);
        return tmo_rest_go_on(w);
    }
    int64_t silent_ns =
        w->slot->dir == TMO_DIR_LISTEN ? -1 : tmo_judge_silent_ns(call->fd, call->kind->way);
    if (silent_ns < 0 || silent_ns > waited_ns) /* before the call nobody waited */
        silent_ns = waited_ns;
    if (silent_ns >= w->limit_ns)
        return tmo_rest_expire(w, waited_ns);
    /* The peer did send (another thread read it), or did take something of what was queued. */
    tmo_rest_since(w, tmo_clock_ns(), silent_ns);
    return tmo_rest_go_on(w);
}

/* A blocking call came back with less than was asked for. */
static ssize_t after_short(struct tmo_rest *w)
{
    const struct tmo_call *call = w->call;
    int64_t silent_ns = tmo_judge_silent_ns(call->fd, call->kind->way);
    bool expired = w->limit_ns != 0 && silent_ns >= 0 &&
                   silent_ns + TMO_TICK_SLACK_NS >= w->limit_ns; /* the rest of it is waited */
    if (!expired && !tmo_judge_may_restart()) { /* a handler was to end it, as far as can be told */
        if (call->kind->way == TMO_SEND && silent_ns > 0) {
            tmo_slot_raise(w->slot, TMO_SLOT_CAME_SHORT);
            tmo_state_rehot(call->fd, w->slot);
        }
        return (ssize_t)w->done;
    }
    int moved = tmo_judge_moved(call->fd, call->kind->way, w->done);
    if (moved == 0 || (moved < 0 && age_ns(w->slot) + TMO_TICK_SLACK_NS < w->limit_ns))
        return (ssize_t)w->done; /* another connection by now, as far as seen */
    tmo_rest_since(w, tmo_clock_ns(), silent_ns > 0 ? silent_ns : 0);
    return tmo_rest_go_on(w);
}

/* Whether the timeout that ended CALL was one of ours that is not in force any more: a datagram
 * that another thread sent has given the socket the limits of where that went. */
static bool was_of_other_plan(const struct tmo_call *call, const struct tmo_slot *slot)
{
    return call->plan != slot->plan && !tmo_proto_is_connected(slot->proto) &&
           !tmo_slot_has_app(slot, call->kind->way) &&
           (call->flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) == 0 &&
           tmo_raw_is_nonblocking(call->fd) == 0;
}

static ssize_t judge(const struct tmo_call *call, struct tmo_slot *slot, ssize_t n)
{
    struct tmo_rest w = tmo_rest_of(call, slot);
    bool woken = n == 0 ? tmo_call_asks(call) : n == -EAGAIN || (n < 0 && tmo_is_of_end((int)-n));
    if (woken && tmo_state_has_ended(slot))
        return -tmo_state_error(slot); /* by another thread, while this one waited */
    bool stream = tmo_proto_is_stream(slot->proto);
    bool is_short = stream && call->counts && tmo_is_short(n, call->wanted);
    if ((!is_short && n != -EAGAIN && n != -EINTR) ||
        (is_short && (call->flags & MSG_ZEROCOPY) != 0))
        return n; /* which bytes the kernel still reads is told by count */
    /* With a timeout of its own the program would have seen the EINTR bare, too. */
    if (n == -EINTR && tmo_slot_has_app(slot, call->kind->way))
        return n;
    if (n == -EAGAIN && was_of_other_plan(call, slot)) {
        tmo_rest_since(&w, tmo_clock_ns(), 0);
        return tmo_rest_go_on(&w);
    }
    if (!tmo_judge_timed(call->fd, slot, tmo_plan_of(slot), call->kind->way, call->flags)) {
        tmo_state_rehot(call->fd, slot);
        return n;
    }
    if (n == -EAGAIN)
        return after_timeout(&w);
    if (is_short) {
        w.done = (size_t)n;
        return after_short(&w);
    }
    if (!tmo_judge_may_restart())
        return n;
    tmo_rest_since(&w, tmo_clock_ns(), 0);
    return tmo_rest_go_on(&w);
}

ssize_t tmo_call_after(const struct tmo_call *call, ssize_t n)
{
    int e = errno;
    struct tmo_slot *slot = tmo_state_slot(call->fd);
    ssize_t r = slot == NULL ? n < 0 ? -e : n : judge(call, slot, n < 0 ? -e : n);
    errno = e; /* success leaves it alone */
    return give(r);
}

static struct tmo_call call_with(const struct tmo_args *a, const struct tmo_kind *kind)
{
    struct tmo_call call = tmo_call_of(kind, a->fd, a->flags);
    call.buf = a->buf;
    call.len = a->len;
    call.wanted = tmo_most_bytes(a->len);
    return call;
}

static bool is_ours_to_judge(int flags)
{
    if (TMO_UNLIKELY((flags & MSG_DONTWAIT) != 0))
        return false;
    int e = errno;
    return TMO_UNLIKELY(e <= EAGAIN) && (e == EAGAIN || e == EINTR); /* most errors are above */
}

/* The descriptor is special by now: another thread has ended it, perhaps, while this one waited. */
static __attribute__((noinline)) bool is_ours_by_now(int flags)
{
    return tmo_is_of_end(errno) || is_ours_to_judge(flags);
}

bool tmo_may_be_ours(int fd, int flags)
{
    if (TMO_UNLIKELY(tmo_hot(fd) != TMO_HOT_CHECK))
        return is_ours_by_now(flags);
    return is_ours_to_judge(flags);
}

ssize_t tmo_args_after(const struct tmo_args *args, ssize_t n, const struct tmo_kind *kind)
{
    if (n == 0 && kind->way == TMO_RECV && tmo_is_end(args->fd))
        return 0;
    struct tmo_call call = call_with(args, kind);
    return tmo_call_after(&call, n);
}

/* A socket that went well again is as good as any. */
static void went_well(int fd, struct tmo_slot *slot)
{
    if ((tmo_slot_flags(slot) & TMO_SLOT_EXPIRED) == 0)
        return;
    tmo_slot_lower(slot, TMO_SLOT_EXPIRED);
    tmo_state_rehot(fd, slot);
}

/* Whether we watch over CALL while it waits. Of SO_RCVLOWAT only the kernel knows; nor
 * one for more than a call moves, of which read(2) and recv(2) think differently. */
static bool is_owned(const struct tmo_call *call, const struct tmo_slot *slot)
{
    unsigned free_of = TMO_SLOT_NONBLOCK | (call->kind->way == TMO_RECV ? TMO_SLOT_LOWAT : 0);
    return (tmo_rest_has_deadlines(slot) ||
            (tmo_keeps(slot, call->kind->way) && tmo_proto_is_tcp(slot->proto))) &&
           call->len <= TMO_MOST_BYTES &&
           (tmo_slot_flags(slot) & (TMO_SLOT_CONNECTED | free_of)) == TMO_SLOT_CONNECTED &&
           (call->flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB | MSG_ZEROCOPY)) == 0 &&
           (call->flags & (MSG_PEEK | MSG_WAITALL)) != (MSG_PEEK | MSG_WAITALL) && !call->waits;
}

/* Whether CALL is the one that follows a send which came up short: what the peer is silent for goes
 * on counting, if it was the limit. */
static bool is_careful(const struct tmo_call *call, struct tmo_slot *slot)
{
    if ((tmo_slot_flags(slot) & TMO_SLOT_CAME_SHORT) == 0 || call->kind->way != TMO_SEND)
        return false;
    if (!call->waits && call->len <= TMO_MOST_BYTES &&
        (call->flags & (MSG_DONTWAIT | MSG_OOB | MSG_ZEROCOPY)) == 0)
        return true;
    tmo_slot_lower(slot, TMO_SLOT_CAME_SHORT);
    tmo_state_rehot(call->fd, slot);
    return false;
}

/* For how long the peer has taken nothing, after a send that came up short; 0 if none did, or if it
 * takes something again: what our own end has room for says nothing of the peer. */
static int64_t still_short_ns(int fd, struct tmo_slot *slot)
{
    if ((tmo_slot_flags(slot) & TMO_SLOT_CAME_SHORT) == 0)
        return 0;
    int64_t silent_ns = tmo_judge_silent_ns(fd, TMO_SEND);
    if (silent_ns > 100 * TMO_NS_PER_MS)
        return silent_ns;
    tmo_slot_lower(slot, TMO_SLOT_CAME_SHORT);
    tmo_state_rehot(fd, slot);
    return 0;
}

/* Such a call: made without waiting first, so that one which need not wait costs no more; then the
 * wait is ours. Returns a count or -errno. */
static ssize_t make_owned(struct tmo_call *call, struct tmo_slot *slot)
{
    enum tmo_way way = call->kind->way;
    struct tmo_rest w = tmo_rest_of(call, slot);
    int64_t until_ns = INT64_MAX;
    if (tmo_rest_overdue(&w, tmo_clock_coarse_ns(), &until_ns))
        return tmo_rest_ended(call, slot);
    ssize_t n = call->kind->make(call, 0, MSG_DONTWAIT);
    if (n == -ENOTSOCK) { /* closed and taken by a road that we do not see */
        tmo_made_unseen_end(call->fd);
        return call->kind->make(call, 0, 0);
    }
    tmo_call_measure(call, n);
    int64_t silent_ns = still_short_ns(call->fd, slot);
    if (n != -EAGAIN && (n <= 0 || !call->counts || (size_t)n >= call->wanted))
        return n;
    if (tmo_raw_is_nonblocking(call->fd) > 0) {
        tmo_slot_raise(slot, TMO_SLOT_NONBLOCK);
        tmo_state_rehot(call->fd, slot);
        return n;
    }
    int64_t now_ns = tmo_clock_ns();
    if ((tmo_slot_flags(slot) & tmo_apply_flag(way)) == 0) {
        bool alone;
        int64_t app_us = tmo_before_app_us(call->fd, slot, way, &alone);
        if (app_us == TMO_SLOT_NEVER_WAITS)
            return n;
        w.app_ns = app_us > 0 ? now_ns + app_us * 1000 : 0;
        w.limit_ns = alone ? 0 : w.limit_ns;
    }
    w.done = n > 0 ? (size_t)n : 0;
    tmo_rest_since(&w, now_ns, silent_ns);
    return tmo_rest_go_on(&w);
}

ssize_t tmo_call_slow(struct tmo_call *call)
{
    int e = errno;
    struct tmo_slot *slot = tmo_state_slot(call->fd);
    if (slot == NULL)
        return give(call->kind->make(call, 0, 0));

    if ((tmo_slot_flags(slot) & TMO_SLOT_INHERITED) != 0) {
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        tmo_watchdog_need();
        tmo_state_rehot(call->fd, slot);
    }
    int error = tmo_state_answer(call->fd, slot, call->kind->way);
    if (error < 0) /* the number is something else by now */
        return give(call->kind->make(call, 0, 0));
    if (error == 0 && slot->pending != 0) {
        error = slot->pending;
        slot->pending = 0;
        tmo_state_rehot(call->fd, slot);
    }
    if (error != 0)
        return give(-error);

    if (call->kind->way == TMO_SEND && tmo_proto_is_tcp(slot->proto) &&
        ((tmo_slot_flags(slot) & TMO_SLOT_FASTOPEN) != 0 || (call->flags & MSG_FASTOPEN) != 0)) {
        ssize_t sent = tmo_connect_by_send(call, slot);
        errno = e;
        return give(sent);
    }

    bool ended = (tmo_slot_flags(slot) & TMO_SLOT_ENDED) != 0; /* but there is something to read */
    uint16_t generation = slot->generation;
    call->plan = slot->plan;
    bool owned = !ended && (is_owned(call, slot) || is_careful(call, slot));
    int before =
        !owned && !ended && tmo_keeps(slot, call->kind->way) ? tmo_before_call(call, slot) : 0;
    ssize_t n = before != 0 ? before
                : owned     ? make_owned(call, slot)
                : ended     ? tmo_rest_drain(call, slot)
                            : call->kind->make(call, 0, 0);
    tmo_call_measure(call, n);
    tmo_made_sent(call, slot, n);
    if (n > 0)
        tmo_note_went_well(slot, call->kind->way);
    if (n > 0 && !tmo_proto_is_tcp(slot->proto) && call->kind->way == TMO_RECV)
        tmo_watch_moved(call->fd, slot);
    if (tmo_track_slot(call->fd) != slot || slot->generation != generation) {
        errno = e; /* closed by another thread meanwhile: what it is now is not ours to judge */
    } else if (n >= 0 && (owned || ended || !call->counts || (size_t)n >= call->wanted)) {
        went_well(call->fd, slot);
    } else if (!owned && !ended) {
        n = judge(call, slot, n);
        if (n > 0 && (tmo_slot_flags(slot) & (TMO_SLOT_CUT_RECV | TMO_SLOT_CUT_SEND)) == 0)
            went_well(call->fd, slot);
    }
    errno = e;
    return give(n);
}

ssize_t tmo_args_slow(int fd, const void *buf, size_t len, int flags, const struct tmo_kind *kind)
{
    struct tmo_call call = call_with(&(struct tmo_args){fd, flags, buf, len}, kind);
    return tmo_call_slow(&call);
}
