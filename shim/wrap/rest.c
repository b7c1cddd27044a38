/* SPDX-License-Identifier: MIT
 * The rest of a wait. See rest.h. Layer: wrap.
 */
#include "shim/wrap/rest.h"
#include "config/duration.h"
#include "shim/policy/judge.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/wrap/note.h"
#include "shim/wrap/watch.h"

#include <poll.h>

struct tmo_rest tmo_rest_of(const struct tmo_call *call, struct tmo_slot *slot)
{
    return (struct tmo_rest){.call = call,
                             .slot = slot,
                             .generation = slot->generation,
                             .limit_ns = tmo_rest_limit_ns(slot, call->kind->way),
                             .owns = tmo_rest_has_deadlines(slot)};
}

ssize_t tmo_rest_expire(const struct tmo_rest *w, int64_t waited_ns)
{
    const struct tmo_call *call = w->call;
    bool half = w->done > 0 && tmo_proto_is_stream(w->slot->proto);
    int error = tmo_state_expire(&(struct tmo_expiry){
        .fd = call->fd,
        .slot = w->slot,
        .limit = w->slot->dir == TMO_DIR_LISTEN ? "accept"
                 : call->kind->way == TMO_RECV  ? "recv"
                                                : "send",
        .limit_ns = w->limit_ns,
        .waited_ns = waited_ns,
        .call = call->kind->name,
        .kernel_error = EAGAIN,
        .cut = !half                         ? 0u
               : call->kind->way == TMO_RECV ? TMO_SLOT_CUT_RECV
                                             : TMO_SLOT_CUT_SEND,
    });
    return w->done > 0 ? (ssize_t)w->done : -error;
}

/* Whether the number still leads to the socket that is waited on. While we wait, another thread may
 * close it, and the number be somebody else's connection. */
static bool is_same(const struct tmo_rest *w)
{
    const struct tmo_slot *there = tmo_track_slot(w->call->fd);
    return there != NULL && there == w->slot && there->generation == w->generation;
}

/* What the program gets when it is not: what went through, or what it would get a moment later. */
static ssize_t gone(const struct tmo_rest *w)
{
    return w->done > 0 ? (ssize_t)w->done : -EBADF;
}

/* The wait of a call that would not wait though its descriptor is ready: an unread error queue, a
 * datagram socket with another, full, peer. */
static void pause_for(const struct tmo_rest *w)
{
    int64_t left_ns = w->deadline_ns - tmo_clock_ns();
    tmo_clock_sleep(left_ns < 10 * TMO_NS_PER_MS ? TMO_NS_PER_MS : 10 * TMO_NS_PER_MS);
}

bool tmo_rest_overdue(const struct tmo_rest *w, int64_t now_ns, int64_t *ret_until_ns)
{
    if (!w->owns)
        return false;
    uint32_t due = tmo_watch_own(w->call->fd, w->slot, w->call->kind->name);
    if ((tmo_slot_flags(w->slot) & TMO_SLOT_ENDED) != 0)
        return true;
    int64_t left_ms = due != 0 ? tmo_due_between(tmo_due_of_ns(now_ns), due) + 1 : 0;
    if (left_ms < 1) /* by the coarse clock, which is behind, it has not come */
        left_ms = 1;
    if (due != 0 && now_ns + left_ms * TMO_NS_PER_MS < *ret_until_ns)
        *ret_until_ns = now_ns + left_ms * TMO_NS_PER_MS;
    return false;
}

/* Whether N says that what had arrived on a connection that we ended is read to its end. */
static bool is_drained(const struct tmo_call *call, ssize_t n)
{
    if (n == 0)
        return tmo_call_asks(call);
    return n < 0 && n != -EFAULT && n != -EINVAL && n != -EAGAIN;
}

ssize_t tmo_rest_drain(const struct tmo_call *call, struct tmo_slot *slot)
{
    ssize_t n = call->kind->make(call, 0, MSG_DONTWAIT);
    if (!is_drained(call, n))
        return n;
    tmo_slot_lower(slot, TMO_SLOT_DRAIN);
    return -tmo_state_error(slot);
}

ssize_t tmo_rest_ended(const struct tmo_call *call, struct tmo_slot *slot)
{
    bool drains = call->kind->way == TMO_RECV && (tmo_slot_flags(slot) & TMO_SLOT_DRAIN) != 0;
    return drains ? tmo_rest_drain(call, slot) : -tmo_state_error(slot);
}

/* Where the limit is only to be recorded, that is done, and the wait goes on without it. Returns
 * whether it is so. */
static bool note(struct tmo_rest *w, int64_t now_ns)
{
    const struct tmo_call *call = w->call;
    if (!tmo_plan_of(w->slot)->reports)
        return false;
    tmo_note_now(call->fd, w->slot, call->kind->way == TMO_RECV ? TMO_LIMIT_RECV : TMO_LIMIT_SEND,
                 now_ns - w->start_ns, call->kind->name);
    w->deadline_ns = INT64_MAX;
    return true;
}

/* Whether nothing is to be looked at any more in the wait for W, which is left to the kernel then:
 * that sees to signals better. */
static bool is_whole(const struct tmo_rest *w)
{
    return w->done == 0 && !w->call->counts && w->app_ns == 0 && !w->owns;
}

static int wait_for(const struct tmo_call *call, short events, int64_t ns)
{
    return call->uncancelled ? tmo_raw_wait_through(call->fd, events, ns)
                             : tmo_raw_wait(call->fd, events, ns);
}

ssize_t tmo_rest_go_on(struct tmo_rest *w)
{
    const struct tmo_call *call = w->call;
    short events = call->kind->way == TMO_RECV ? POLLIN : POLLOUT;

    for (;;) {
        int64_t now_ns = tmo_clock_ns(), until_ns = w->deadline_ns;
        if (w->app_ns != 0 && w->app_ns < until_ns)
            until_ns = w->app_ns;
        if (tmo_rest_overdue(w, now_ns, &until_ns))
            return w->done > 0 ? (ssize_t)w->done : tmo_rest_ended(call, w->slot);
        int r = now_ns < until_ns
                    ? wait_for(call, events, until_ns < INT64_MAX ? until_ns - now_ns : -1)
                    : tmo_raw_peek(call->fd, events);
        if (r == -EINTR) {
            if (w->app_ns == 0 && tmo_judge_may_restart())
                continue; /* with a timeout of its own it would not, bare */
            return w->done > 0 ? (ssize_t)w->done : -EINTR;
        }
        if (!is_same(w))
            return gone(w);
        if (tmo_state_has_ended(w->slot)) /* another thread saw to that */
            return w->done > 0 ? (ssize_t)w->done : tmo_rest_ended(call, w->slot);
        if (r == 0 && w->app_ns != 0 && tmo_clock_ns() >= w->app_ns)
            return w->done > 0 ? (ssize_t)w->done : -EAGAIN;
        if (r == 0 && until_ns < w->deadline_ns)
            continue;
        if (r == 0) {
            int64_t silent_ns =
                call->kind->way == TMO_SEND ? tmo_judge_silent_ns(call->fd, TMO_SEND) : -1;
            now_ns = tmo_clock_ns();
            if (silent_ns >= 0 && silent_ns < w->limit_ns) {
                tmo_rest_since(w, now_ns, silent_ns); /* slow, but it moves */
                continue;
            }
            if (!note(w, now_ns))
                return tmo_rest_expire(w, now_ns - w->start_ns);
            if (is_whole(w))
                return call->kind->make(call, 0, 0);
            continue;
        }
        if (w->done > 0 && tmo_judge_failed(call->fd, r, call->kind->way))
            return (ssize_t)w->done; /* the error stays where pollers see it */
        int more = MSG_DONTWAIT;
        if (w->done > 0 && call->kind->way == TMO_SEND)
            more |= MSG_NOSIGNAL; /* bare, this call would have returned its count, unsignalled */
        ssize_t n = call->kind->make(call, w->done, more);
        if (n <= 0 && tmo_state_has_ended(w->slot))
            return w->done > 0 ? (ssize_t)w->done : -tmo_state_error(w->slot);
        if (n == -EINTR && tmo_judge_may_restart())
            continue;
        if (n == -EAGAIN) {
            now_ns = tmo_clock_ns();
            if (now_ns >= w->deadline_ns && !note(w, now_ns))
                return tmo_rest_expire(w, now_ns - w->start_ns);
            pause_for(w);
            if (!is_same(w))
                return gone(w);
            continue;
        }
        if (n < 0) {
            if (w->done == 0)
                return n;
            if (!tmo_judge_is_given_again((int)-n)) {
                w->slot->pending = (uint8_t)-n;
                tmo_state_rehot(call->fd, w->slot);
            }
            return (ssize_t)w->done;
        }
        w->done += (size_t)n;
        if (!call->counts || w->done >= call->wanted || n == 0)
            return (ssize_t)w->done;
        tmo_rest_since(w, tmo_clock_ns(), 0);
    }
}
