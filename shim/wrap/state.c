/* SPDX-License-Identifier: MIT
 * What happens to a socket when a limit expires on it, and what its state means for later calls.
 * See call.h. Layer: wrap.
 */
#include "shim/policy/apply.h"
#include "shim/policy/end.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/before.h"
#include "shim/wrap/last.h"

#include <signal.h>

#define SPINS_FREE 50                   /* calls answered at full speed after an end */
#define SPIN_NS    (10 * TMO_NS_PER_MS) /* then 100 calls a second */
#define ENDING_MS  50                   /* the longest wait for another thread that ends it */

/* Flags of sockets that need a look before each call. */
#define SPECIAL                                                                                    \
    (TMO_SLOT_ENDED | TMO_SLOT_CUT_RECV | TMO_SLOT_CUT_SEND | TMO_SLOT_EXPIRED |                   \
     TMO_SLOT_INHERITED | TMO_SLOT_FASTOPEN | TMO_SLOT_CAME_SHORT)

/* What a data call has to do on a connection that is as it was made, or on a datagram socket. */
static enum tmo_hot hot_of(const struct tmo_slot *slot, unsigned flags)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    if (!tmo_proto_is_tcp(slot->proto)) {
        if (!tmo_proto_is_connected(slot->proto) && tmo_current.rules != NULL)
            return TMO_HOT_SLOW; /* where it sends to may be another rule's */
        if (plan->watches)
            return TMO_HOT_SLOW; /* when it last took data is not told: tmo_watch_moved() */
    }
    if ((flags & TMO_SLOT_NONBLOCK) != 0)
        return TMO_HOT_PASS;
    if (plan->deadlines)
        return TMO_HOT_SLOW; /* idle and total end in the middle of a wait */
    if (plan->keeps && (plan->wait_ns[TMO_RECV] | plan->wait_ns[TMO_SEND]) != 0)
        return TMO_HOT_SLOW; /* see before.h */
    if ((flags & (TMO_SLOT_TIMED_RECV | TMO_SLOT_TIMED_SEND)) == 0)
        return TMO_HOT_PASS;
    return tmo_proto_is_stream(slot->proto) ? TMO_HOT_CHECK : TMO_HOT_SLOW;
}

void tmo_state_rehot(int fd, const struct tmo_slot *slot)
{
    unsigned flags = tmo_slot_flags(slot);
    enum tmo_hot hot = TMO_HOT_SLOW;
    if ((flags & (SPECIAL | TMO_SLOT_CONNECTED)) == TMO_SLOT_CONNECTED && slot->pending == 0)
        hot = hot_of(slot, flags);
    else if ((flags & TMO_SLOT_EPOLL) != 0 && slot->epoll.has_conns == 0)
        hot = TMO_HOT_PASS;
    tmo_track_set_hot(fd, slot, hot);
}

int tmo_state_error(const struct tmo_slot *slot)
{
    int error = tmo_plan_of(slot)->error;
    if ((tmo_slot_flags(slot) & TMO_SLOT_STUBBORN) != 0 || error == 0 || error == EAGAIN)
        return ETIMEDOUT; /* never EAGAIN: a loop would spin on it */
    return error;
}

uint32_t tmo_state_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    if (tmo_raw_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
        return 0;
    return (uint32_t)cookie != 0 ? (uint32_t)cookie : 1;
}

void tmo_state_ended(int fd, struct tmo_slot *slot, unsigned flags)
{
    slot->spins = 0;
    slot->connect_us = tmo_state_cookie(fd); /* how long it took to connect is on record already */
    tmo_slot_raise(slot, TMO_SLOT_ENDED | flags);
}

bool tmo_state_has_ended(const struct tmo_slot *slot)
{
    for (int ms = 0; (tmo_slot_flags(slot) & TMO_SLOT_ENDING) != 0 && ms < ENDING_MS; ms++)
        tmo_clock_sleep(TMO_NS_PER_MS);
    return (tmo_slot_flags(slot) & TMO_SLOT_ENDED) != 0;
}

int tmo_state_answer(int fd, struct tmo_slot *slot, enum tmo_way way)
{
    unsigned cut = way == TMO_RECV ? TMO_SLOT_CUT_RECV : TMO_SLOT_CUT_SEND;
    unsigned flags = tmo_slot_flags(slot);
    if ((flags & (TMO_SLOT_ENDED | cut)) == 0)
        return 0;
    if ((flags & TMO_SLOT_ENDED) != 0 && slot->connect_us != tmo_state_cookie(fd)) {
        tmo_track_drop(fd); /* closed and taken by a road that we do not see */
        return -1;
    }
    if ((flags & cut) == 0 && way == TMO_RECV && (flags & TMO_SLOT_DRAIN) != 0)
        return 0;
    if (slot->spins < SPINS_FREE)
        slot->spins++;
    else
        tmo_clock_sleep(SPIN_NS);
    return tmo_state_error(slot);
}

const char *tmo_state_action_name(enum tmo_action action)
{
    static const char *const names[] = {"error", "reset", "exit", "abort", "report"};
    return names[action];
}

static void record_timeout(const struct tmo_expiry *e)
{
    struct tmo_tcpinfo info = {.len = 0};
    struct tmo_event event;
    if (!tmo_wants(TMO_EVENT_TIMEOUT))
        return;
    int by = tmo_borrow(e->fd);
    (void)tmo_tcpinfo_get(by, &info);
    tmo_emit_begin(&event, TMO_RECORD_TIMEOUT);
    tmo_emit_connection(&event, by, e->slot, &info);
    tmo_borrow_end(by);
    event.fd = e->fd;
    event.limit = e->limit;
    event.limit_ms = tmo_ns_to_ms(e->limit_ns);
    event.waited_ms = e->waited_ns / TMO_NS_PER_MS;
    event.call = e->call;
    event.action = tmo_state_action_name(tmo_plan_of(e->slot)->action);
    event.rule = tmo_plan_of(e->slot)->rule;
    tmo_emit(&event);
}

/* Ends the process as it stands, with a core dump where those are wanted. */
static void die_of_abort(void)
{
    struct {
        unsigned long handler, flags, rest[18];
    } standard = {.handler = 0}; /* SIG_DFL */
    uint64_t abort_only = UINT64_C(1) << (SIGABRT - 1);
    (void)TMO_RAW4(SYS_rt_sigaction, SIGABRT, &standard, 0, 8);
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_UNBLOCK, &abort_only, 0, 8);
    (void)TMO_RAW3(SYS_tgkill, tmo_raw_getpid(), tmo_raw_gettid(), SIGABRT);
    (void)TMO_RAW1(SYS_exit_group, 128 + SIGABRT);
}

void tmo_state_end_program(enum tmo_action action)
{
    if (action == TMO_ACTION_EXIT)
        tmo_last_exit(124);
    if (action == TMO_ACTION_ABORT) {
        tmo_last_records("exit", false);
        die_of_abort();
    }
}

/* Ends the connection. Its record is made before: what the kernel knew is gone afterwards. By a
 * copy of the descriptor, made while the number was ours: another thread may close it, and a third
 * one get it, between any two of our steps. */
static void end(const struct tmo_expiry *e, bool stubborn)
{
    struct tmo_slot *slot = e->slot;
    uint16_t generation = e->end ? e->generation : slot->generation;
    if (slot->dir == TMO_DIR_LISTEN || !tmo_proto_is_connected(slot->proto))
        return;
    int copy = tmo_borrow_copy(e->fd);
    if (copy < 0 && tmo_borrow_pidfd_1 != 0)
        return;                        /* it is not there any more */
    int by = copy >= 0 ? copy : e->fd; /* there may be no free one */
    bool same = e->cookie == 0 || tmo_state_cookie(by) == e->cookie;
    if (same && tmo_track_slot(e->fd) == slot && slot->generation == generation &&
        tmo_end_is_same(by, slot)) {
        tmo_emit_close_by(by, e->fd, slot, "timeout");
        enum tmo_end how = tmo_end_connection(by, slot);
        if (how != TMO_END_NOT)
            tmo_state_ended(by, slot,
                            (how == TMO_END_DRAIN ? TMO_SLOT_DRAIN : 0) |
                                (stubborn ? TMO_SLOT_STUBBORN : 0));
    }
    if (copy >= 0)
        (void)tmo_raw_close(copy);
}

int tmo_state_expire(const struct tmo_expiry *e)
{
    struct tmo_slot *slot = e->slot;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    enum tmo_action action = plan->action;
    bool again = (tmo_slot_flags(slot) & TMO_SLOT_EXPIRED) != 0;

    if (slot->timeouts < UINT8_MAX)
        slot->timeouts++;
    record_timeout(e);
    if (plan->reports)
        return 0;
    tmo_state_end_program(action);

    tmo_slot_raise(slot, TMO_SLOT_EXPIRED | e->cut);
    if (action == TMO_ACTION_RESET || again || e->end)
        end(e, again);
    tmo_state_rehot(e->fd, slot);
    if ((tmo_slot_flags(slot) & TMO_SLOT_ENDED) != 0)
        return tmo_state_error(slot);
    return plan->error != 0 ? plan->error : e->kernel_error;
}
