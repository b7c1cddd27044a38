/* SPDX-License-Identifier: MIT
 * Looks at connections that are waited for. See watch.h. Layer: wrap.
 */
#include "shim/wrap/watch.h"
#include "shim/policy/deadline.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/wrap/call.h"
#include "shim/wrap/epollset.h"
#include "shim/wrap/note.h"

#include <poll.h>
#include <sys/ioctl.h>

bool tmo_watch_on;

#define NEVER_MS TMO_DUE_FAR_MS

enum { WAITS_RECV = 1 << TMO_RECV, WAITS_SEND = 1 << TMO_SEND };

/* --- what a look finds ----------------------------------------------------------------------- */

static int64_t age_ns(const struct tmo_slot *slot)
{
    return (int64_t)(tmo_self_now_us() - tmo_slot_born_us(slot)) * 1000;
}

/* Whether FD still leads to SLOT, as it was when it was handed out for the GENERATIONth time. */
static bool is_still(int fd, const struct tmo_slot *slot, uint16_t generation)
{
    return tmo_track_slot(fd) == slot && slot->generation == generation;
}

static bool has_queued(int fd)
{
    int queued = 0;
    return TMO_RAW3(SYS_ioctl, fd, FIONREAD, &queued) == 0 && queued > 0;
}

/* Whether there is something to be read. Where nothing is ended one call does for all. */
static bool has_come(int fd, const struct tmo_slot *slot)
{
    return tmo_plan_of(slot)->reports ? tmo_raw_peek(fd, POLLIN) != 0 : has_queued(fd);
}

/* Whether it is for this thread to end what SLOT describes. Not if FD has another owner by now:
 * then what was read of SLOT may be of both, and the age that of a connection that is not born yet.
 */
static bool claim(int fd, struct tmo_slot *slot, uint16_t generation)
{
    uint32_t before = __atomic_fetch_or(&slot->flags, TMO_SLOT_ENDING, __ATOMIC_ACQ_REL);
    if ((before & (TMO_SLOT_ENDING | TMO_SLOT_ENDED)) != 0)
        return false;
    if (is_still(fd, slot, generation))
        return true;
    tmo_slot_lower(slot, TMO_SLOT_ENDING);
    return false;
}

static void expire(int fd, struct tmo_slot *slot, uint16_t generation,
                   const struct tmo_deadline *passed, uint8_t moved, const char *call)
{
    int64_t waited_ns = passed->waited_ms * TMO_NS_PER_MS;
    if (!is_still(fd, slot, generation))
        return;
    if (tmo_plan_of(slot)->reports) {
        tmo_slot_lower(slot, TMO_SLOT_INHERITED | TMO_SLOT_STALLED);
        tmo_note(fd, slot, passed->limit, moved, waited_ns, call);
        return;
    }
    if (!claim(fd, slot, generation))
        return;
    tmo_slot_lower(slot, TMO_SLOT_INHERITED | TMO_SLOT_STALLED);
    (void)tmo_state_expire(&(struct tmo_expiry){
        .fd = fd,
        .slot = slot,
        .limit = tmo_limit_name(passed->limit),
        .limit_ns = tmo_limit_ns(tmo_plan_of(slot), passed->limit),
        .waited_ns = waited_ns,
        .call = call,
        .kernel_error = EAGAIN,
        .end = true,
        .generation = generation,
    });
    tmo_slot_lower(slot, TMO_SLOT_ENDING);
}

/* How long until a stall that was seen is believed: what the kernel was about to send is gone by
 * then. */
static int64_t confirm_ms(const struct tmo_plan *plan)
{
    int64_t ms = plan->wait_ns[TMO_SEND] / TMO_NS_PER_MS / 20;
    return ms < 50 ? ms + 1 : 50;
}

/* A non-blocking connect. Returns whether it is under way yet; *RET_LEFT_MS is then set. */
static bool look_connecting(int fd, struct tmo_slot *slot, uint16_t generation,
                            const struct tmo_quiet *q, const char *call, int64_t *ret_left_ms)
{
    if (!q->connecting) {
        tmo_slot_lower(slot, TMO_SLOT_CONNECTING);
        return false;
    }
    int64_t age = age_ns(slot);
    int64_t left_ns = tmo_plan_of(slot)->connect_ns - age;
    *ret_left_ms = tmo_ns_to_ms(left_ns > 0 ? left_ns : 0);
    if (left_ns <= 0 && tmo_plan_of(slot)->reports) {
        *ret_left_ms = tmo_ns_to_ms(tmo_plan_of(slot)->connect_ns);
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        tmo_note(fd, slot, TMO_LIMIT_CONNECT, q->moved, age, call);
    } else if (left_ns <= 0) {
        *ret_left_ms = NEVER_MS;
        if (!claim(fd, slot, generation))
            return true;
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        (void)tmo_connect_expired(fd, slot, age, call);
        tmo_slot_lower(slot, TMO_SLOT_ENDING);
    }
    return true;
}

/* The shorter one of the limits that WAITS names; NEVER_MS if none is set. */
static int64_t shortest_ms(const struct tmo_slot *slot, unsigned waits)
{
    int64_t shortest_ns = 0;
    for (int way = TMO_RECV; way <= TMO_SEND; way++) {
        int64_t ns = (waits & 1u << way) != 0 ? tmo_plan_of(slot)->wait_ns[way] : 0;
        if (ns != 0 && (shortest_ns == 0 || ns < shortest_ns))
            shortest_ns = ns;
    }
    return shortest_ns != 0 ? tmo_ns_to_ms(shortest_ns) : NEVER_MS;
}

/* The limit that is met first, but for those that are on record. */
static struct tmo_deadline first_of(const struct tmo_slot *slot, const struct tmo_quiet *q,
                                    unsigned waits, int64_t waited_ms)
{
    return tmo_deadline_of(q, tmo_plan_of(slot), waits | (tmo_slot_flags(slot) & TMO_SLOT_NOTED),
                           waited_ms, age_ns(slot) / TMO_NS_PER_MS);
}

/* The ms until the next look where NEXT is what is met first. */
static int64_t until(const struct tmo_slot *slot, const struct tmo_deadline *next, unsigned waits)
{
    int64_t least_ms = shortest_ms(slot, waits); /* what begins to wait right now meets it then */
    unsigned flags = tmo_slot_flags(slot);
    if (next->limit != TMO_LIMIT_NONE && next->left_ms < least_ms)
        least_ms = next->left_ms > 0 ? next->left_ms : 1;
    for (int limit = TMO_LIMIT_CONNECT; limit <= TMO_LIMIT_TOTAL; limit++) {
        int64_t ms = tmo_ns_to_ms(tmo_limit_ns(tmo_plan_of(slot), (enum tmo_limit)limit));
        bool asked = (limit != TMO_LIMIT_RECV || (waits & WAITS_RECV) != 0) &&
                     (limit != TMO_LIMIT_SEND || (waits & WAITS_SEND) != 0);
        if (asked && (flags & tmo_limit_noted((enum tmo_limit)limit)) != 0 && ms < least_ms)
            least_ms = ms; /* whether something has moved since */
    }
    return least_ms;
}

/* Looks at the connection FD: ends it if a limit has passed. WAITS and WAITED_MS are as for
 * tmo_deadline_of(). Returns the ms until the next look; NEVER_MS: there is nothing to wait for. */
static int64_t look(int fd, struct tmo_slot *slot, unsigned waits, int64_t waited_ms,
                    const char *call)
{
    struct tmo_quiet q;
    uint16_t generation = slot->generation;
    int64_t left_ms;
    unsigned flags = tmo_slot_flags(slot);
    if ((flags & (TMO_SLOT_ENDED | TMO_SLOT_CONNECTED)) != TMO_SLOT_CONNECTED ||
        slot->dir == TMO_DIR_LISTEN || tmo_quiet_get(fd, &q) < 0 || !is_still(fd, slot, generation))
        return NEVER_MS;
    tmo_note_moved(slot, q.moved);
    if ((flags & TMO_SLOT_CONNECTING) != 0 &&
        look_connecting(fd, slot, generation, &q, call, &left_ms))
        return left_ms;
    struct tmo_deadline next = first_of(slot, &q, waits, waited_ms);
    if (next.limit == TMO_LIMIT_NONE || next.left_ms > 0) {
        tmo_slot_lower(slot, TMO_SLOT_STALLED);
        return until(slot, &next, waits);
    }
    if (next.limit == TMO_LIMIT_RECV && has_come(fd, slot)) /* in that very moment: the data win */
        return tmo_ns_to_ms(tmo_plan_of(slot)->wait_ns[TMO_RECV]);
    if (next.limit == TMO_LIMIT_SEND && (flags & TMO_SLOT_STALLED) == 0) {
        tmo_slot_raise(slot, TMO_SLOT_STALLED);
        return confirm_ms(tmo_plan_of(slot));
    }
    expire(fd, slot, generation, &next, q.moved, call);
    if (!tmo_plan_of(slot)->reports)
        return NEVER_MS;
    next = first_of(slot, &q, waits, waited_ms);
    return until(slot, &next, waits);
}

/* The time LEFT_MS from NOW, for the cell; 0 if that is never. */
static uint32_t due_in(uint32_t now, int64_t left_ms)
{
    return left_ms < NEVER_MS ? tmo_due_after(now, left_ms > 0 ? left_ms : 1) : 0;
}

/* DUE, later by a thirtieth of what is left at most: so many are looked at together. */
static uint32_t with_others(uint32_t now, uint32_t due)
{
    int32_t left = tmo_due_between(now, due);
    if (due == 0 || left < 64)
        return due;
    uint32_t step = 1u << (31 - __builtin_clz((unsigned)left) - 5);
    uint32_t later = (due + step - 1) & ~(step - 1);
    return later != 0 ? later : 1;
}

/* --- beginnings ------------------------------------------------------------------------------ */

void tmo_watch_waits(int fd, const struct tmo_slot *slot, unsigned waits)
{
    int64_t ms = shortest_ms(slot, waits);
    uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
    if (slot->dir == TMO_DIR_LISTEN || ms == NEVER_MS)
        return;
    uint32_t due = with_others(now, tmo_due_after(now, ms));
    if (tmo_plan_of(slot)->deadlines || (tmo_slot_flags(slot) & TMO_SLOT_CONNECTING) != 0)
        due = tmo_due_earlier(tmo_due_get(fd), due);
    tmo_due_set(fd, slot, due);
}

void tmo_watch_begin(int fd, const struct tmo_slot *slot)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    if (plan->deadlines && tmo_proto_is_tcp(slot->proto) && slot->dir != TMO_DIR_LISTEN) {
        int64_t first_ns = plan->idle_ns;
        if (first_ns == 0 || (plan->total_ns != 0 && plan->total_ns < first_ns))
            first_ns = plan->total_ns;
        uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
        tmo_due_set(fd, slot, tmo_due_after(now, tmo_ns_to_ms(first_ns)));
    }
    if ((tmo_slot_flags(slot) & TMO_SLOT_IN_EPOLL) != 0) /* since before it was connected */
        tmo_watch_waits(fd, slot, tmo_set_waits(slot));
}

void tmo_watch_connecting(int fd, struct tmo_slot *slot)
{
    tmo_slot_raise(slot, TMO_SLOT_CONNECTING);
    uint32_t born = tmo_due_of_ns((int64_t)tmo_slot_born_us(slot) * 1000);
    uint32_t due = tmo_due_after(born, tmo_ns_to_ms(tmo_plan_of(slot)->connect_ns) + 1);
    tmo_due_set(fd, slot, tmo_due_earlier(tmo_due_get(fd), due));
}

/* --- by the calls on it ---------------------------------------------------------------------- */

void tmo_watch_moved(int fd, const struct tmo_slot *slot)
{
    uint32_t due = tmo_due_get(fd);
    int64_t limit_ns = tmo_plan_of(slot)->wait_ns[TMO_RECV];
    if (due == 0 || limit_ns == 0)
        return;
    uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
    tmo_due_put(fd, slot, tmo_due_after(now, tmo_ns_to_ms(limit_ns)));
}

uint32_t tmo_watch_own(int fd, struct tmo_slot *slot, const char *call)
{
    uint32_t due = tmo_due_get(fd);
    uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
    if (due != 0 && !tmo_due_has_come(due, now))
        return due;
    due = due_in(now, look(fd, slot, 0, 0, call));
    tmo_due_set(fd, slot, due);
    return due;
}

/* --- by name --------------------------------------------------------------------------------- */

/* The socket FD tells nothing of its silence: the wait itself has lasted for the limit. Returns the
 * ms until the next look. */
static int64_t look_untold(int fd, struct tmo_slot *slot, const char *call, bool *ret_fake)
{
    struct tmo_deadline passed = {.limit = TMO_LIMIT_RECV};
    uint16_t generation = slot->generation;
    passed.waited_ms = tmo_ns_to_ms(tmo_plan_of(slot)->wait_ns[TMO_RECV]);
    if (tmo_raw_peek(fd, POLLIN) != 0 || !is_still(fd, slot, generation))
        return passed.waited_ms;
    expire(fd, slot, generation, &passed, 0, call);
    if (tmo_plan_of(slot)->reports)
        return passed.waited_ms;
    if ((tmo_slot_flags(slot) & TMO_SLOT_ENDED) == 0) { /* a datagram socket has no end */
        slot->pending =
            (uint8_t)(tmo_plan_of(slot)->error != 0 ? tmo_plan_of(slot)->error : EAGAIN);
        tmo_state_rehot(fd, slot);
        *ret_fake = true;
    }
    return passed.waited_ms;
}

/* Whether the connect on FD is under way yet. */
static bool is_connecting(int fd, struct tmo_slot *slot)
{
    struct tmo_quiet q;
    uint16_t generation = slot->generation;
    if ((tmo_quiet_get(fd, &q) == 0 && q.connecting) || !is_still(fd, slot, generation))
        return true;
    tmo_slot_lower(slot, TMO_SLOT_CONNECTING);
    return false;
}

uint32_t tmo_watch_named(int fd, bool wants_in, uint32_t start, uint32_t now, const char *call,
                         bool *ret_fake)
{
    struct tmo_cell *cell = tmo_hot(fd) != TMO_HOT_NONE ? tmo_track_cell(fd) : NULL;
    struct tmo_slot *slot = cell != NULL ? tmo_track_slot(fd) : NULL;
    if (slot == NULL)
        return 0;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    unsigned flags = tmo_slot_flags(slot);
    if ((flags & TMO_SLOT_EPOLL) != 0) { /* which others wait in */
        tmo_set_attend(slot, start, now, now);
        return 0;
    }
    if ((flags & (TMO_SLOT_ENDED | TMO_SLOT_CONNECTED)) != TMO_SLOT_CONNECTED ||
        slot->dir == TMO_DIR_LISTEN)
        return 0;
    if ((flags & TMO_SLOT_INHERITED) != 0) {
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        tmo_state_rehot(fd, slot);
    }
    if ((flags & TMO_SLOT_CONNECTING) != 0 && !is_connecting(fd, slot)) {
        flags &= ~(unsigned)TMO_SLOT_CONNECTING;
        if ((flags & TMO_SLOT_IN_EPOLL) == 0)
            tmo_cell_attend(cell, 0);
    }
    bool told = tmo_proto_is_tcp(slot->proto);
    unsigned waits = (wants_in ? WAITS_RECV : 0u) | (told ? WAITS_SEND : 0u);
    int64_t limit_ms = shortest_ms(slot, waits);
    uint32_t due = tmo_due_get(fd);
    if ((flags & (TMO_SLOT_IN_EPOLL | TMO_SLOT_CONNECTING)) == 0) {
        if (limit_ms == NEVER_MS && !plan->deadlines)
            return 0;
        uint32_t since = tmo_cell_att_ms(cell);
        tmo_cell_attend(cell, now);
        if (limit_ms != NEVER_MS &&
            (due == 0 || since == 0 || tmo_due_between(since, now) > (int32_t)plan->pause_ms)) {
            due = tmo_due_after(start, limit_ms);
            if (plan->deadlines) /* which do not begin anew */
                due = tmo_due_earlier(due, due_in(now, look(fd, slot, 0, 0, call)));
            tmo_due_put(fd, slot, due);
        }
        /* Another thread, which comes and goes, may have put it off: this one has stayed. */
        if (tmo_due_between(start, now) >= limit_ms && (flags & TMO_SLOT_NOTED) == 0)
            due = now;
    }
    if (!tmo_due_has_come(due, now))
        return due;
    /* It was due when the program had waited for the limit; unless for idle or total. */
    int64_t waited_ms = plan->deadlines || (flags & TMO_SLOT_IN_EPOLL) != 0
                            ? INT64_MAX
                            : limit_ms + tmo_due_between(due, now);
    int64_t left_ms =
        told ? look(fd, slot, waits, waited_ms, call) : look_untold(fd, slot, call, ret_fake);
    due = due_in(now, left_ms);
    if ((flags & TMO_SLOT_IN_EPOLL) != 0 || plan->deadlines)
        tmo_due_set(fd, slot, due);
    else
        tmo_due_put(fd, slot, due);
    return due;
}

void tmo_watch_named_until(int fd, uint32_t now)
{
    const struct tmo_slot *slot = tmo_hot(fd) != TMO_HOT_NONE ? tmo_track_slot(fd) : NULL;
    if (slot != NULL && (tmo_slot_flags(slot) & (TMO_SLOT_IN_EPOLL | TMO_SLOT_EPOLL)) == 0)
        tmo_cell_attend(tmo_track_cell(fd), now);
}

/* --- all ------------------------------------------------------------------------------------- */

/* The same of one in an epoll set, where who waits cannot be told of a datagram socket. */
static int64_t look_untold_set(int fd, struct tmo_slot *slot, unsigned waits, int64_t waited_ms,
                               const char *call)
{
    int64_t limit_ms = shortest_ms(slot, WAITS_RECV);
    bool fake;
    if ((tmo_slot_flags(slot) & (TMO_SLOT_ENDED | TMO_SLOT_CONNECTED)) != TMO_SLOT_CONNECTED ||
        !tmo_proto_is_connected(slot->proto) || slot->dir == TMO_DIR_LISTEN || limit_ms == NEVER_MS)
        return NEVER_MS;
    if ((waits & WAITS_RECV) == 0)
        return limit_ms;
    return waited_ms < limit_ms ? limit_ms - waited_ms : look_untold(fd, slot, call, &fake);
}

static void visit(int fd, uint32_t now, void *ctx)
{
    const char *call = ctx;
    struct tmo_cell *cell = tmo_track_cell(fd);
    struct tmo_slot *slot = tmo_track_slot(fd);
    if (slot == NULL)
        return;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    unsigned flags = tmo_slot_flags(slot), waits = 0;
    bool from_before = (flags & TMO_SLOT_INHERITED) != 0 ||
                       (tmo_self.forked_us != 0 && tmo_slot_born_us(slot) < tmo_self.forked_us);
    int64_t waited_ms = 0, least_ms = NEVER_MS;
    uint32_t attended = tmo_cell_att_ms(cell);

    if ((flags & TMO_SLOT_IN_EPOLL) != 0) {
        uint32_t since = tmo_set_attended_since(cell->set, now);
        least_ms = shortest_ms(slot, tmo_set_waits(slot));
        if (since != 0) {
            from_before = false; /* it is waited for here */
            waits = tmo_set_waits(slot);
            waited_ms = tmo_due_between(since, now);
        }
        if ((waits & WAITS_RECV) != 0 && (flags & TMO_SLOT_ONESHOT) != 0 &&
            !tmo_set_is_armed(fd, cell->set))
            waits &= ~(unsigned)WAITS_RECV;
    } else if (attended != 0 && tmo_due_between(attended, now) <= (int32_t)plan->pause_ms) {
        return; /* somebody polls for it, and will look */
    } else if (!plan->deadlines) {
        return; /* nobody waits for it now */
    }
    int64_t left_ms = from_before ? 1000
                      : tmo_proto_is_tcp(slot->proto)
                          ? look(fd, slot, waits, waited_ms, call)
                          : look_untold_set(fd, slot, waits, waited_ms, call);
    left_ms = left_ms < least_ms ? left_ms : least_ms;
    tmo_due_put(fd, slot, with_others(now, due_in(now, left_ms)));
}

void tmo_watch_sweep(uint32_t now, const char *call)
{
    tmo_due_sweep(now, visit, (void *)(uintptr_t)call);
}
