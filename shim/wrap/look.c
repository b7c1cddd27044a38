/* SPDX-License-Identifier: MIT
 * A look at a connection. See look.h. Layer: wrap.
 */
#include "shim/wrap/look.h"
#include "shim/policy/deadline.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/wrap/made.h"
#include "shim/wrap/note.h"

#include <poll.h>
#include <sys/ioctl.h>

static int64_t age_ns(const struct tmo_slot *slot)
{
    return (int64_t)(tmo_self_now_us() - tmo_slot_born_us(slot)) * 1000;
}

/* Until the next look at what this thread could not get to see. */
#define AGAIN_MS 1000

/* A look at a connection. */
struct look {
    int fd, by; /* the program's number, and what it is asked by: sys/borrow.h */
    struct tmo_slot *slot;
    const struct tmo_plan *plan;
    uint16_t generation; /* the slot's, when it began */
    uint32_t cookie;     /* what was looked at, where no call of ours holds the number; else 0 */
    const char *call;
    struct tmo_quiet q;
};

static struct look look_at(int fd, struct tmo_slot *slot, const char *call)
{
    struct look l = {.fd = fd, .slot = slot, .call = call};
    l.generation = slot->generation;
    l.plan = tmo_plan_of(slot);
    l.by = tmo_borrow(fd);
    l.cookie = tmo_borrow_pidfd_1 != 0 ? tmo_state_cookie(l.by) : 0;
    return l;
}

/* Whether the number still leads to the slot, as it was when it was handed out then. */
static bool is_still(const struct look *l)
{
    const struct tmo_slot *slot = tmo_track_slot(l->fd);
    return slot != NULL && slot == l->slot && slot->generation == l->generation;
}

static bool has_queued(int fd)
{
    int queued = 0;
    return TMO_RAW3(SYS_ioctl, fd, FIONREAD, &queued) == 0 && queued > 0;
}

/* Whether there is something to be read. Where nothing is ended one call does for all. */
static bool has_come(const struct look *l)
{
    return l->plan->reports ? tmo_raw_peek(l->by, POLLIN) != 0 : has_queued(l->by);
}

/* Whether it is for this thread to end the connection. Not if the number has another owner by now:
 * then what was read of the slot may be of both, and the age that of a connection that is not born
 * yet. */
static bool claim(const struct look *l)
{
    uint32_t before = __atomic_fetch_or(&l->slot->flags, TMO_SLOT_ENDING, __ATOMIC_ACQ_REL);
    if ((before & (TMO_SLOT_ENDING | TMO_SLOT_ENDED)) != 0)
        return false;
    if (is_still(l))
        return true;
    tmo_slot_lower(l->slot, TMO_SLOT_ENDING);
    return false;
}

static void expire(const struct look *l, const struct tmo_deadline *passed)
{
    int64_t waited_ns = passed->waited_ms * TMO_NS_PER_MS;
    if (!is_still(l))
        return;
    if (l->plan->reports) {
        tmo_slot_lower(l->slot, TMO_SLOT_INHERITED | TMO_SLOT_STALLED);
        tmo_note(l->fd, l->slot, passed->limit, l->q.moved, waited_ns, l->call);
        return;
    }
    if (!claim(l))
        return;
    tmo_slot_lower(l->slot, TMO_SLOT_INHERITED | TMO_SLOT_STALLED);
    (void)tmo_state_expire(&(struct tmo_expiry){
        .fd = l->fd,
        .slot = l->slot,
        .limit = tmo_limit_name(passed->limit),
        .limit_ns = tmo_limit_ns(l->plan, passed->limit),
        .waited_ns = waited_ns,
        .call = l->call,
        .kernel_error = EAGAIN,
        .end = true,
        .generation = l->generation,
        .cookie = l->cookie,
    });
    tmo_slot_lower(l->slot, TMO_SLOT_ENDING);
}

/* How long until a stall that was seen is believed: what the kernel was about to send is gone by
 * then. */
static int64_t confirm_ms(const struct tmo_plan *plan)
{
    int64_t ms = plan->wait_ns[TMO_SEND] / TMO_NS_PER_MS / 20;
    return ms < 50 ? ms + 1 : 50;
}

/* A connect that is under way, by what we know. Returns whether it is yet; *RET_LEFT_MS is then
 * set. */
static bool look_connecting(const struct look *l, int64_t *ret_left_ms)
{
    struct tmo_slot *slot = l->slot;
    if (!l->q.connecting) {
        tmo_slot_lower(slot, TMO_SLOT_CONNECTING);
        return false;
    }
    int64_t age = age_ns(slot);
    int64_t left_ns = l->plan->connect_ns - age;
    *ret_left_ms = tmo_ns_to_ms(left_ns > 0 ? left_ns : 0);
    if (left_ns > 0)
        return true;
    if (l->slot->peer_port == 0) /* another thread waits in connect(2), or nobody has told of it */
        (void)tmo_made_ask_peer(l->by, slot);
    if (l->plan->reports) {
        *ret_left_ms = tmo_ns_to_ms(l->plan->connect_ns);
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        tmo_note(l->fd, slot, TMO_LIMIT_CONNECT, l->q.moved, age, l->call);
        return true;
    }
    *ret_left_ms = TMO_LOOK_NEVER_MS;
    if (claim(l)) {
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
        (void)tmo_connect_expired(l->fd, l->by, slot, age, l->call);
        tmo_slot_lower(slot, TMO_SLOT_ENDING);
    }
    return true;
}

int64_t tmo_look_shortest_ms(const struct tmo_slot *slot, unsigned waits)
{
    int64_t shortest_ns = 0;
    for (int way = TMO_RECV; way <= TMO_SEND; way++) {
        int64_t ns = (waits & 1u << way) != 0 ? tmo_plan_of(slot)->wait_ns[way] : 0;
        if (ns != 0 && (shortest_ns == 0 || ns < shortest_ns))
            shortest_ns = ns;
    }
    return shortest_ns != 0 ? tmo_ns_to_ms(shortest_ns) : TMO_LOOK_NEVER_MS;
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
    int64_t least_ms =
        tmo_look_shortest_ms(slot, waits); /* what begins to wait right now meets it then */
    unsigned flags = tmo_slot_flags(slot);
    if (next->limit != TMO_LIMIT_NONE && next->left_ms < least_ms)
        least_ms = next->left_ms > 0 ? next->left_ms : 1;
    for (int limit = TMO_LIMIT_CONNECT; limit <= TMO_LIMIT_TOTAL; limit++) {
        int64_t ms = tmo_ns_to_ms(tmo_limit_ns(tmo_plan_of(slot), (enum tmo_limit)limit));
        bool asked = (limit != TMO_LIMIT_RECV || (waits & TMO_WAITS_RECV) != 0) &&
                     (limit != TMO_LIMIT_SEND || (waits & TMO_WAITS_SEND) != 0);
        if (asked && (flags & tmo_limit_noted((enum tmo_limit)limit)) != 0 && ms < least_ms)
            least_ms = ms; /* whether something has moved since */
    }
    return least_ms;
}

/* What is found, once the kernel has been asked. ASKED is as for tmo_look(). */
static int64_t judge(struct look *l, unsigned waits, int64_t waited_ms, bool asked)
{
    struct tmo_slot *slot = l->slot;
    int64_t left_ms;
    unsigned flags = tmo_slot_flags(slot);
    tmo_note_moved(slot, l->q.moved);
    l->q.owed |= asked;
    if ((flags & TMO_SLOT_CONNECTING) != 0 && look_connecting(l, &left_ms))
        return left_ms;
    struct tmo_deadline next = first_of(slot, &l->q, waits, waited_ms);
    bool in_time = next.limit == TMO_LIMIT_NONE || next.left_ms > 0;
    if (!in_time && next.limit == TMO_LIMIT_RECV && has_come(l)) {
        /* in that very moment: the data win, but the other limits hold on */
        next = first_of(slot, &l->q, waits & ~(unsigned)TMO_WAITS_RECV, waited_ms);
        in_time = next.limit == TMO_LIMIT_NONE || next.left_ms > 0;
    }
    if (in_time) {
        tmo_slot_lower(slot, TMO_SLOT_STALLED);
        return until(slot, &next, waits);
    }
    if (next.limit == TMO_LIMIT_SEND && (flags & TMO_SLOT_STALLED) == 0) {
        tmo_slot_raise(slot, TMO_SLOT_STALLED);
        return confirm_ms(l->plan);
    }
    expire(l, &next);
    if (!l->plan->reports)
        return TMO_LOOK_NEVER_MS;
    next = first_of(slot, &l->q, waits, waited_ms);
    return until(slot, &next, waits);
}

int64_t tmo_look(int fd, struct tmo_slot *slot, unsigned waits, int64_t waited_ms, bool asked,
                 const char *call)
{
    int64_t left_ms = TMO_LOOK_NEVER_MS;
    if ((tmo_slot_flags(slot) & (TMO_SLOT_ENDED | TMO_SLOT_CONNECTED)) != TMO_SLOT_CONNECTED ||
        slot->dir == TMO_DIR_LISTEN)
        return TMO_LOOK_NEVER_MS;
    struct look l = look_at(fd, slot, call);
    if (l.by < 0)
        return AGAIN_MS;
    if (tmo_quiet_get(l.by, &l.q) == 0 && is_still(&l))
        left_ms = judge(&l, waits, waited_ms, asked);
    tmo_borrow_end(l.by);
    return left_ms;
}

int64_t tmo_look_untold(int fd, struct tmo_slot *slot, const char *call, bool *ret_fake)
{
    struct tmo_deadline passed = {.limit = TMO_LIMIT_RECV};
    struct look l = look_at(fd, slot, call);
    passed.waited_ms = tmo_ns_to_ms(l.plan->wait_ns[TMO_RECV]);
    if (l.by < 0)
        return AGAIN_MS;
    bool expires = tmo_raw_peek(l.by, POLLIN) == 0 && is_still(&l);
    if (expires)
        expire(&l, &passed);
    tmo_borrow_end(l.by);
    if (!expires || l.plan->reports)
        return passed.waited_ms;
    if ((tmo_slot_flags(slot) & TMO_SLOT_ENDED) == 0) { /* a datagram socket has no end */
        slot->pending = (uint8_t)(l.plan->error != 0 ? l.plan->error : EAGAIN);
        tmo_state_rehot(fd, slot);
        *ret_fake = true;
    }
    return passed.waited_ms;
}

bool tmo_look_is_connecting(int fd, struct tmo_slot *slot)
{
    struct look l = look_at(fd, slot, NULL);
    bool is = (tmo_quiet_get(l.by, &l.q) == 0 && l.q.connecting) || !is_still(&l);
    tmo_borrow_end(l.by);
    if (!is)
        tmo_slot_lower(slot, TMO_SLOT_CONNECTING);
    return is;
}
