/* SPDX-License-Identifier: MIT
 * Sets of epoll(7). See epollset.h. Layer: wrap.
 */
#include "shim/wrap/epollset.h"
#include "shim/sys/procfs.h"
#include "shim/sys/raw.h"
#include "shim/wrap/call.h"
#include "shim/wrap/made.h"
#include "shim/wrap/watch.h"

#include <sys/epoll.h>

#define DEEPEST                                                                                    \
    5 /* sets within sets, as deep as the kernel allows; fs/eventpoll.c, EP_MAX_NESTS              \
       */

#define WANTS_IN (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI | EPOLLRDHUP)
#define IN_SET   (TMO_SLOT_IN_EPOLL | TMO_SLOT_WANTS_IN | TMO_SLOT_ONESHOT)

static bool is_set(const struct tmo_slot *slot)
{
    return slot != NULL && (tmo_slot_flags(slot) & TMO_SLOT_EPOLL) != 0;
}

/* A descriptor that leads to SLOT, or -1. */
static int number_of(const struct tmo_slot *slot)
{
    int fd = tmo_track_next(0);
    while (fd >= 0 && tmo_track_slot(fd) != slot)
        fd = tmo_track_next(fd + 1);
    return fd;
}

void tmo_set_made(int set)
{
    if (!tmo_current.wide.watches || tmo_self_borrowed())
        return;
    int e = errno;
    tmo_made_unseen_end(set);
    struct tmo_slot *slot = tmo_track_add(set);
    if (slot != NULL) {
        slot->proto = TMO_OTHER;
        slot->flags = TMO_SLOT_EPOLL;
        tmo_state_rehot(set, slot);
    }
    errno = e;
}

struct tmo_slot *tmo_set_of(int set)
{
    struct tmo_slot *slot = tmo_state_slot(set);
    return is_set(slot) && slot->epoll.has_conns != 0 ? slot : NULL;
}

void tmo_set_gone(const struct tmo_slot *set)
{
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        struct tmo_slot *slot = tmo_track_slot(fd);
        struct tmo_cell *cell = tmo_track_cell(fd);
        if (slot == NULL || (tmo_slot_flags(slot) & TMO_SLOT_IN_EPOLL) == 0 || cell->set == 0 ||
            tmo_track_slot_at(cell->set - 1) != set)
            continue;
        tmo_slot_lower(slot, IN_SET);
        tmo_cell_attend(cell, 0);
    }
}

/* --- who waits ------------------------------------------------------------------------------- */

static bool is_pause(uint32_t from, uint32_t now)
{
    return from == 0 || tmo_due_between(from, now) > (int32_t)tmo_current.wide.pause_ms;
}

void tmo_set_attend(struct tmo_slot *slot, uint32_t start, uint32_t now, uint32_t until)
{
    if (is_pause(__atomic_load_n(&slot->epoll.att_ms, __ATOMIC_RELAXED), now))
        __atomic_store_n(&slot->epoll.since_ms, start, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->epoll.att_ms, until, __ATOMIC_RELAXED);
    if ((tmo_slot_flags(slot) & TMO_SLOT_INHERITED) != 0)
        tmo_slot_lower(slot, TMO_SLOT_INHERITED);
}

uint32_t tmo_set_attended_since(uint32_t number_1, uint32_t now)
{
    for (int depth = 0; number_1 != 0 && depth < DEEPEST; depth++) {
        const struct tmo_slot *set = tmo_track_slot_at(number_1 - 1);
        if (!is_set(set))
            return 0;
        if (!is_pause(__atomic_load_n(&set->epoll.att_ms, __ATOMIC_RELAXED), now))
            return __atomic_load_n(&set->epoll.since_ms, __ATOMIC_RELAXED);
        number_1 = set->epoll.parent;
    }
    return 0;
}

unsigned tmo_set_waits(const struct tmo_slot *slot)
{
    bool in = (tmo_slot_flags(slot) & TMO_SLOT_WANTS_IN) != 0;
    bool told = tmo_proto_is_tcp(slot->proto);
    return (in ? 1u << TMO_RECV : 0u) | (told ? 1u << TMO_SEND : 0u);
}

/* --- what is in a set ------------------------------------------------------------------------ */

/* The epoll set FD, of SLOT, has a connection in it; and so has the one that it is in. */
static void has_conns(int fd, struct tmo_slot *slot)
{
    for (int depth = 0; fd >= 0 && is_set(slot) && depth < DEEPEST; depth++) {
        if (slot->epoll.has_conns != 0)
            return;
        slot->epoll.has_conns = 1;
        tmo_state_rehot(fd, slot);
        if (slot->epoll.parent == 0)
            return;
        slot = tmo_track_slot_at(slot->epoll.parent - 1);
        fd = number_of(slot);
    }
}

static void follow_set(int set, struct tmo_slot *whole, struct tmo_slot *part, int op)
{
    part->epoll.parent = op != EPOLL_CTL_DEL ? tmo_track_number(set) : 0;
    if (op != EPOLL_CTL_DEL && part->epoll.has_conns != 0)
        has_conns(set, whole);
}

static void taken_out(int set, int fd, struct tmo_slot *slot)
{
    struct tmo_cell *cell = tmo_track_cell(fd);
    if ((tmo_slot_flags(slot) & TMO_SLOT_IN_EPOLL) == 0 || cell->set != tmo_track_number(set))
        return;
    tmo_slot_lower(slot, IN_SET);
    tmo_cell_attend(cell, 0);
    if (!tmo_plan_of(slot)->deadlines && (tmo_slot_flags(slot) & TMO_SLOT_CONNECTING) == 0)
        tmo_due_put(fd, slot, 0);
}

static void put_in(int set, struct tmo_slot *whole, int fd, struct tmo_slot *slot, uint32_t events)
{
    unsigned before = tmo_slot_flags(slot);
    unsigned flags = TMO_SLOT_IN_EPOLL | ((events & WANTS_IN) != 0 ? TMO_SLOT_WANTS_IN : 0u) |
                     ((events & EPOLLONESHOT) != 0 ? TMO_SLOT_ONESHOT : 0u);
    tmo_track_cell(fd)->set = tmo_track_number(set);
    tmo_slot_change(slot, IN_SET, flags);
    has_conns(set, whole);
    /* Who only says once more what it waits for has waited all along; after a single event, not. */
    if ((flags & ~before) != 0 || (flags & TMO_SLOT_ONESHOT) != 0)
        tmo_watch_waits(fd, slot, tmo_set_waits(slot));
}

void tmo_set_followed(int set, int op, int fd, uint32_t events)
{
    struct tmo_slot *slot = tmo_state_slot(fd), *whole = tmo_state_slot(set);
    if (slot == NULL)
        return;
    int e = errno;
    if (whole == NULL) { /* made by a road that we do not see */
        tmo_set_made(set);
        whole = tmo_state_slot(set);
    }
    if (is_set(whole)) {
        if (is_set(slot))
            follow_set(set, whole, slot, op);
        else if (op == EPOLL_CTL_DEL)
            taken_out(set, fd, slot);
        else
            put_in(set, whole, fd, slot, events);
    }
    errno = e;
}

/* --- /proc ----------------------------------------------------------------------------------- */

/* The descriptor that is looked for, and whether it is armed. */
struct sought {
    int fd;
    bool armed;
};

static void compare(int fd, uint32_t events, void *ctx)
{
    struct sought *sought = ctx;
    if (fd == sought->fd)
        sought->armed = (events & WANTS_IN) != 0;
}

bool tmo_set_is_armed(int fd, uint32_t number_1)
{
    struct sought sought = {.fd = fd};
    int set = number_of(tmo_track_slot_at(number_1 - 1));
    if (set >= 0)
        (void)tmo_proc_epoll(set, compare, &sought);
    return sought.armed;
}
