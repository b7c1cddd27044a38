/* SPDX-License-Identifier: MIT
 * When connections that are waited for are looked at. See watch.h. Layer: wrap.
 */
#include "shim/wrap/watch.h"
#include "shim/sys/clock.h"
#include "shim/wrap/epollset.h"
#include "shim/wrap/look.h"
#include "shim/wrap/watchdog.h"

bool tmo_watch_on;

/* The time LEFT_MS from NOW, for the cell; 0 if that is never. */
static uint32_t due_in(uint32_t now, int64_t left_ms)
{
    return left_ms < TMO_LOOK_NEVER_MS ? tmo_due_after(now, left_ms > 0 ? left_ms : 1) : 0;
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
    int64_t ms = tmo_look_shortest_ms(slot, waits);
    uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
    if (slot->dir == TMO_DIR_LISTEN || ms == TMO_LOOK_NEVER_MS)
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
    due = due_in(now, tmo_look(fd, slot, 0, 0, false, call));
    tmo_due_set(fd, slot, due);
    return due;
}

/* --- by name --------------------------------------------------------------------------------- */

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
        tmo_watchdog_need();
        tmo_state_rehot(fd, slot);
    }
    if ((flags & TMO_SLOT_CONNECTING) != 0 && !tmo_look_is_connecting(fd, slot)) {
        flags &= ~(unsigned)TMO_SLOT_CONNECTING;
        if ((flags & TMO_SLOT_IN_EPOLL) == 0)
            tmo_cell_attend(cell, 0);
    }
    bool told = tmo_proto_is_tcp(slot->proto);
    unsigned waits = (wants_in ? TMO_WAITS_RECV : 0u) | (told ? TMO_WAITS_SEND : 0u);
    int64_t limit_ms = tmo_look_shortest_ms(slot, waits);
    uint32_t due = tmo_due_get(fd);
    if ((flags & (TMO_SLOT_IN_EPOLL | TMO_SLOT_CONNECTING)) == 0) {
        if (limit_ms == TMO_LOOK_NEVER_MS && !plan->deadlines)
            return 0;
        uint32_t since = tmo_cell_att_ms(cell);
        tmo_cell_attend(cell, now);
        if (limit_ms != TMO_LOOK_NEVER_MS &&
            (due == 0 || since == 0 || tmo_due_between(since, now) > (int32_t)plan->pause_ms)) {
            due = tmo_due_after(start, limit_ms);
            if (plan->deadlines) /* which do not begin anew */
                due = tmo_due_earlier(due, due_in(now, tmo_look(fd, slot, 0, 0, false, call)));
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
    int64_t left_ms = told ? tmo_look(fd, slot, waits, waited_ms, false, call)
                           : tmo_look_untold(fd, slot, call, ret_fake);
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
    int64_t limit_ms = tmo_look_shortest_ms(slot, TMO_WAITS_RECV);
    bool fake;
    if ((tmo_slot_flags(slot) & (TMO_SLOT_ENDED | TMO_SLOT_CONNECTED)) != TMO_SLOT_CONNECTED ||
        !tmo_proto_is_connected(slot->proto) || slot->dir == TMO_DIR_LISTEN ||
        limit_ms == TMO_LOOK_NEVER_MS)
        return TMO_LOOK_NEVER_MS;
    if ((waits & TMO_WAITS_RECV) == 0)
        return limit_ms;
    return waited_ms < limit_ms ? limit_ms - waited_ms : tmo_look_untold(fd, slot, call, &fake);
}

/* Whether a connect is under way whose time nobody else keeps: the call itself waits for it,
 * without a timeout, or was none of libc's. */
static bool is_waited_in(const struct tmo_slot *slot)
{
    unsigned flags = tmo_slot_flags(slot);
    return tmo_plan_of(slot)->watchdog && (flags & TMO_SLOT_CONNECTING) != 0 &&
           ((flags & TMO_SLOT_NONBLOCK) == 0 || (flags & TMO_SLOT_FOUND) != 0);
}

static uint32_t visit(int fd, uint32_t now, void *ctx)
{
    const char *call = ctx;
    struct tmo_cell *cell = tmo_track_cell(fd);
    struct tmo_slot *slot = tmo_track_slot(fd);
    if (slot == NULL)
        return 0;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    unsigned flags = tmo_slot_flags(slot), waits = 0;
    bool from_before = (flags & TMO_SLOT_INHERITED) != 0 ||
                       (tmo_self.forked_us != 0 && tmo_slot_born_us(slot) < tmo_self.forked_us);
    int64_t waited_ms = 0, least_ms = TMO_LOOK_NEVER_MS;
    uint32_t attended = tmo_cell_att_ms(cell);

    if (is_waited_in(slot)) {
        call = (flags & TMO_SLOT_FOUND) == 0 ? "connect" : call;
        from_before = false;
    } else if ((flags & TMO_SLOT_IN_EPOLL) != 0) {
        uint32_t since = tmo_set_attended_since(cell->set, now);
        least_ms = tmo_look_shortest_ms(slot, tmo_set_waits(slot));
        if (since != 0) {
            from_before = false; /* it is waited for here */
            waits = tmo_set_waits(slot);
            waited_ms = tmo_due_between(since, now);
        }
        if ((waits & TMO_WAITS_RECV) != 0 && (flags & TMO_SLOT_ONESHOT) != 0 &&
            !tmo_set_is_armed(fd, cell->set))
            waits &= ~(unsigned)TMO_WAITS_RECV;
    } else if (attended != 0 && tmo_due_between(attended, now) <= (int32_t)plan->pause_ms) {
        /* Somebody polls for it, and will look when it is due for him; or did, and never will. */
        return plan->deadlines && !from_before ? due_in(now, tmo_look(fd, slot, 0, 0, false, call))
                                               : 0;
    } else if (!plan->deadlines) {
        return 0; /* nobody waits for it now */
    }
    int64_t left_ms = from_before ? 1000
                      : tmo_proto_is_tcp(slot->proto)
                          ? tmo_look(fd, slot, waits, waited_ms, false, call)
                          : look_untold_set(fd, slot, waits, waited_ms, call);
    left_ms = left_ms < least_ms ? left_ms : least_ms;
    tmo_due_put(fd, slot, with_others(now, due_in(now, left_ms)));
    return 0;
}

void tmo_watch_sweep(uint32_t now, const char *call)
{
    tmo_due_sweep(now, visit, (void *)(uintptr_t)call);
}
