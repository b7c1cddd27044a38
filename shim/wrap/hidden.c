/* SPDX-License-Identifier: MIT
 * Waits that no call of ours tells of, and sockets that libc was not told of. See watchdog.h.
 * Layer: wrap. Everything here runs in the watchdog's thread.
 *
 * What shows that a connection is waited for:
 *   - a thread that sleeps in a call on it, as /proc says: libc's own behind stdio, system calls
 *     that the program makes itself. Those of our wrappers sleep in ppoll(2), or the kernel keeps
 *     their time;
 *   - that it is in an epoll set which we were not told of;
 *   - that an io_uring(7) of the program's waits, and it is not seen to be waited for otherwise.
 */
#include "shim/sys/clock.h"
#include "shim/sys/procfs.h"
#include "shim/track/self.h"
#include "shim/wrap/complain.h"
#include "shim/wrap/look.h"
#include "shim/wrap/made.h"
#include "shim/wrap/watchdog.h"
#include "config/duration.h"

#include <string.h>
#include <sys/epoll.h>

#define TICK_LEAST_MS 10
#define TICK_MOST_MS  1000
#define TICK_NONE_MS  250 /* while there is no connection */

/* A socket that is new may be in the hands of a thread that is about to tell us of it. */
#define GRACE_MS 200

/* The kernel's own timeout on a socket, and the call that fails by it, are first. */
#define BEHIND_KERNEL_MS 50

/* Of the time of a processor, a thousandth is for going through the descriptors, unless that would
 * be too seldom for the limits. */
#define SHARE      1000
#define WALK_TICKS 4

/* What was seen of a descriptor so far. */
struct trace {
    uint64_t inode;      /* of the socket that it is, none of ours or found */
    int64_t new_ms;      /* when that was first seen */
    int64_t since_ms[2]; /* waited for as of then, and until then, by enum tmo_way */
    int64_t last_ms[2];  /* 0: not at all */
    unsigned walk;       /* when it was last there */
    uint16_t generation; /* of the slot */
    uint8_t timeouts;    /* of the slot: a call that a limit ended is a wait that is over */
    bool ours;           /* it has one */
    bool foreign;        /* it is no socket that the operator means */
};

static struct trace *traces[TMO_TRACK_FDS / TMO_TRACK_CHUNK]; /* made when first needed */

static struct {
    int64_t now_ms, tick_ms;
    int64_t next_ms; /* the next look, at most a tick away */
    int64_t walk_ms; /* when the descriptors are to be gone through next */
    int64_t walk_every_ms;
    int64_t end_ms; /* ... or when something that was seen there is overdue; 0: nothing */
    unsigned walk;
    bool paused;  /* the process was stopped: nobody had time to tell us of anything */
    bool ring;    /* an io_uring of the program's waits */
    bool refused; /* that its threads are not shown was told */
    pid_t self;   /* this thread */
} state;

static struct trace *trace_of(int fd)
{
    if ((unsigned)fd >= TMO_TRACK_FDS)
        return NULL;
    struct trace **chunk = &traces[(unsigned)fd / TMO_TRACK_CHUNK];
    if (*chunk == NULL)
        *chunk = tmo_raw_map(TMO_TRACK_CHUNK * sizeof(**chunk));
    return *chunk != NULL ? &(*chunk)[(unsigned)fd % TMO_TRACK_CHUNK] : NULL;
}

/* --- waits ----------------------------------------------------------------------------------- */

/* Limits are met within a tenth: a wait is seen a tick late at most, and its end on time. */
static int64_t tick_ms(void)
{
    int64_t ms = tmo_current.wide.shortest_ns / TMO_NS_PER_MS / 20;
    return ms < TICK_LEAST_MS ? TICK_LEAST_MS : ms < TICK_MOST_MS ? ms : TICK_MOST_MS;
}

/* Notes that FD, which SLOT describes (NULL: it is none of ours so far), is waited for in WAY. Two
 * looks without a word are no wait; so is a time in which the process was stopped. */
static void note_wait(struct trace *t, const struct tmo_slot *slot, enum tmo_way way, bool asked)
{
    int64_t every_ms =
        asked || state.walk_every_ms < state.tick_ms ? state.tick_ms : state.walk_every_ms;
    if (t->ours != (slot != NULL) || (slot != NULL && t->generation != slot->generation) ||
        (slot != NULL && t->timeouts != slot->timeouts) || t->last_ms[way] == 0 ||
        state.now_ms - t->last_ms[way] > 2 * every_ms + GRACE_MS) {
        t->ours = slot != NULL;
        t->generation = slot != NULL ? slot->generation : 0;
        if (t->timeouts != (slot != NULL ? slot->timeouts : 0))
            t->since_ms[TMO_RECV] = t->since_ms[TMO_SEND] = state.now_ms;
        t->timeouts = slot != NULL ? slot->timeouts : 0;
        t->since_ms[way] = state.now_ms;
    }
    t->last_ms[way] = state.now_ms;
}

/* Whether a call on SLOT that waits for WAY does so for a time of the program's own. */
static bool is_of_program(const struct tmo_slot *slot, enum tmo_way way)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    bool ours;
    (void)tmo_plan_timeo_us(plan, tmo_ns_to_us(plan->wait_ns[way]), tmo_slot_app_us(slot, way),
                            &ours);
    return !ours;
}

/* FD is waited for in WAY right now, by CALL. ASKED is as for tmo_look(). */
static void waits(int fd, enum tmo_way way, bool asked, const char *call)
{
    struct tmo_slot *slot = tmo_track_slot(fd);
    struct trace *t = trace_of(fd);
    if (t == NULL ||
        (slot != NULL && (!tmo_proto_is_tcp(slot->proto) || !tmo_plan_of(slot)->watchdog)))
        return;
    unsigned flags = slot != NULL ? tmo_slot_flags(slot) : 0;
    if ((flags & TMO_SLOT_ENDED) == 0)
        note_wait(t, slot, way, asked);
    int64_t limit_ms = slot != NULL ? tmo_ns_to_ms(tmo_plan_of(slot)->wait_ns[way]) : 0;
    if ((flags & (TMO_SLOT_CONNECTED | TMO_SLOT_ENDED)) != TMO_SLOT_CONNECTED || limit_ms == 0 ||
        (asked && is_of_program(slot, way)))
        return;
    if ((flags & (way == TMO_RECV ? TMO_SLOT_TIMED_RECV : TMO_SLOT_TIMED_SEND)) != 0)
        limit_ms += BEHIND_KERNEL_MS;
    int64_t end_ms = t->since_ms[way] + limit_ms;
    if (end_ms <= state.now_ms) {
        (void)tmo_look(fd, slot, 1u << way, state.now_ms - t->since_ms[way], asked, call);
        return;
    }
    if (end_ms < state.next_ms)
        state.next_ms = end_ms;
    if (!asked && (state.end_ms == 0 || end_ms < state.end_ms))
        state.end_ms = end_ms; /* it is seen again by going through the descriptors */
}

/* Calls that wait for a descriptor, which is their first argument or their third. */
static const struct {
    long nr;
    const char *name;
    enum tmo_way way;
    bool third;
} calls[] = {
    {SYS_read, "read", TMO_RECV, false},
    {SYS_readv, "readv", TMO_RECV, false},
    {SYS_preadv2, "preadv2", TMO_RECV, false},
#ifdef SYS_recv
    {SYS_recv, "recv", TMO_RECV, false},
    {SYS_send, "send", TMO_SEND, false},
#endif
    {SYS_recvfrom, "recvfrom", TMO_RECV, false},
    {SYS_recvmsg, "recvmsg", TMO_RECV, false},
    {SYS_recvmmsg, "recvmmsg", TMO_RECV, false},
    {SYS_splice, "splice", TMO_RECV, false},
    {SYS_write, "write", TMO_SEND, false},
    {SYS_writev, "writev", TMO_SEND, false},
    {SYS_pwritev2, "pwritev2", TMO_SEND, false},
    {SYS_sendto, "sendto", TMO_SEND, false},
    {SYS_sendmsg, "sendmsg", TMO_SEND, false},
    {SYS_sendmmsg, "sendmmsg", TMO_SEND, false},
    {TMO_SYS_sendfile64, "sendfile", TMO_SEND, false},
    {SYS_splice, "splice", TMO_SEND, true},
};

static void look_at_thread(int tid, void *ctx)
{
    struct tmo_proc_call call;
    (void)ctx;
    if (tid == state.self)
        return;
    int r = tmo_proc_call(tid, &call);
    if (r == -EACCES && !state.refused) {
        state.refused = true;
        tmo_complain(NULL, &(struct tmo_problem){
                               .where = "SOCKTMO_ENGINE",
                               .value = "",
                               .what = "the process has changed its user, so that its threads are "
                                       "not shown: waits inside libc are not bounded"});
    }
    for (size_t i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].nr == call.nr)
            waits((int)call.args[calls[i].third ? 2 : 0], calls[i].way, true, calls[i].name);
    }
}

/* --- descriptors ----------------------------------------------------------------------------- */

/* Whether only the process that it came from may end what SLOT describes. */
static bool is_of_parent(const struct tmo_slot *slot)
{
    return (tmo_slot_flags(slot) & TMO_SLOT_INHERITED) != 0 ||
           (tmo_self.forked_us != 0 && tmo_slot_born_us(slot) < tmo_self.forked_us);
}

/* FD is in an epoll set of which we were not told. */
static void look_at_member(int fd, uint32_t events, void *ctx)
{
    const struct tmo_slot *slot = tmo_track_slot(fd);
    (void)ctx;
    if (slot != NULL && is_of_parent(slot))
        return;
    if ((events & (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP)) != 0)
        waits(fd, TMO_RECV, false, "epoll_wait");
    waits(fd, TMO_SEND, false, "epoll_wait");
}

/* A descriptor that is none of ours. */
static void look_at_other(int fd, struct trace *t)
{
    uint64_t inode = 0;
    switch (tmo_proc_kind(fd, &inode)) {
    case TMO_PROC_SOCKET:
        if (t->inode != inode || state.paused) {
            t->inode = inode;
            t->new_ms = state.now_ms;
            t->foreign = false;
            t->last_ms[TMO_RECV] = t->last_ms[TMO_SEND] = 0;
        } else if (!t->foreign && state.now_ms - t->new_ms >= GRACE_MS) {
            const struct tmo_slot *slot = tmo_made_found(fd);
            t->foreign = slot == NULL;
            t->ours = slot != NULL; /* and what was seen of it counts on */
            t->generation = slot != NULL ? slot->generation : 0;
        }
        return;
    case TMO_PROC_EPOLL:
        (void)tmo_proc_epoll(fd, look_at_member, NULL);
        break;
    case TMO_PROC_RING:
        state.ring |= tmo_proc_ring_waits(fd);
        break;
    case TMO_PROC_OTHER:
        break;
    }
    t->inode = 0;
}

/* Whether FD is another socket than the one that was found, or none: it was closed by a road that
 * we do not see. */
static bool is_gone(int fd, const struct tmo_slot *slot, const struct trace *t)
{
    uint64_t inode = 0;
    uint16_t generation = slot->generation;
    if ((tmo_slot_flags(slot) & TMO_SLOT_FOUND) == 0 || t->inode == 0)
        return false;
    bool gone = tmo_proc_kind(fd, &inode) != TMO_PROC_SOCKET || inode != t->inode;
    /* Unless it is a new one by now, of which we were told. */
    return gone && tmo_track_slot(fd) == slot && slot->generation == generation &&
           (tmo_slot_flags(slot) & TMO_SLOT_FOUND) != 0;
}

static void look_at_ours(int fd, struct tmo_slot *slot, struct trace *t)
{
    unsigned flags = tmo_slot_flags(slot);
    if (is_gone(fd, slot, t)) {
        tmo_made_unseen_end(fd);
        return;
    }
    if (!tmo_proto_is_tcp(slot->proto) || slot->dir == TMO_DIR_LISTEN)
        return;
    if ((flags & (TMO_SLOT_CONNECTED | TMO_SLOT_ENDED)) == 0) {
        tmo_made_found_connected(fd, slot);
        if ((tmo_slot_flags(slot) & TMO_SLOT_FOUND) != 0)
            (void)tmo_proc_kind(fd, &t->inode);
        return;
    }
    const struct tmo_cell *cell = tmo_track_cell(fd);
    if (!state.ring || (flags & TMO_SLOT_IN_EPOLL) != 0 || is_of_parent(slot) ||
        (tmo_cell_att_ms(cell) != 0 &&
         tmo_due_between(tmo_cell_att_ms(cell), (uint32_t)state.now_ms) <=
             (int32_t)tmo_plan_of(slot)->pause_ms))
        return;
    waits(fd, TMO_RECV, false, "io_uring_enter");
    waits(fd, TMO_SEND, false, "io_uring_enter");
}

static void look_at_descriptor(int fd, void *ctx)
{
    struct trace *t = trace_of(fd);
    (void)ctx;
    if (t == NULL)
        return;
    struct tmo_slot *slot = tmo_track_slot(fd);
    t->walk = state.walk;
    if (slot == NULL && tmo_hot(fd) == TMO_HOT_NONE)
        look_at_other(fd, t);
    else if (slot != NULL && (tmo_slot_flags(slot) & TMO_SLOT_EPOLL) == 0)
        look_at_ours(fd, slot, t);
}

/* What was found and is not there any more. */
static void forget_gone(void)
{
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        const struct tmo_slot *slot = tmo_track_slot(fd);
        const struct trace *t = slot != NULL ? trace_of(fd) : NULL;
        if (t != NULL && t->walk != state.walk && is_gone(fd, slot, t))
            tmo_made_unseen_end(fd);
    }
}

/* The processor time of this thread. */
static int64_t used_ns(void)
{
    struct timespec t = {0, 0};
    (void)tmo_clock_get(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * TMO_NS_PER_S + t.tv_nsec;
}

static void walk(void)
{
    state.walk++;
    bool had_ring = state.ring;
    state.ring = false;
    int r = tmo_proc_descriptors(look_at_descriptor, NULL);
    state.ring |= had_ring && r < 0;
    if (r == 0)
        forget_gone();
}

/* Whether there is a connection that might be waited for. */
static bool has_any(void)
{
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        const struct tmo_slot *slot = tmo_track_slot(fd);
        unsigned flags = slot != NULL ? tmo_slot_flags(slot) : 0;
        if ((flags & (TMO_SLOT_CONNECTED | TMO_SLOT_ENDED)) == TMO_SLOT_CONNECTED &&
            tmo_plan_of(slot)->watchdog)
            return true;
    }
    return false;
}

int64_t tmo_hidden_look(int64_t now_ms)
{
    state.self = tmo_self_tid();
    state.paused = state.now_ms != 0 && now_ms - state.now_ms > 2 * state.tick_ms + GRACE_MS;
    state.now_ms = now_ms;
    state.tick_ms = tick_ms();
    bool any = has_any();
    state.next_ms = now_ms + (any ? state.tick_ms : TICK_NONE_MS);
    if (any)
        (void)tmo_proc_threads(look_at_thread, NULL);
    if (now_ms >= state.walk_ms || (state.end_ms != 0 && now_ms >= state.end_ms)) {
        int64_t start_ns = used_ns();
        state.end_ms = 0;
        walk();
        int64_t every_ms = (used_ns() - start_ns) * SHARE / TMO_NS_PER_MS;
        int64_t most_ms = WALK_TICKS * state.tick_ms;
        state.walk_every_ms = every_ms < most_ms ? every_ms : most_ms;
        state.walk_ms = now_ms + state.walk_every_ms;
    }
    return state.end_ms != 0 && state.end_ms < state.next_ms ? state.end_ms : state.next_ms;
}

void tmo_hidden_forked(void)
{
    state.self = 0;
    state.ring = false;
    state.walk_ms = 0;
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        if (traces[i] != NULL)
            memset(traces[i], 0, TMO_TRACK_CHUNK * sizeof(*traces[i]));
    }
}
