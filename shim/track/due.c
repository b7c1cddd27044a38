/* SPDX-License-Identifier: MIT
 * When connections are to be looked at. See due.h.
 */
#include "shim/track/due.h"

uint64_t tmo_due_head;

/* A sweep that does not come to its end, or was overtaken, is done again after that. */
#define AGAIN_MS 50

static uint64_t with(uint64_t head, uint32_t first)
{
    return ((head >> 32) + 1) << 32 | first;
}

static void make_earlier(uint32_t due)
{
    uint64_t head = __atomic_load_n(&tmo_due_head, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(&tmo_due_head, &head,
                                        with(head, tmo_due_earlier((uint32_t)head, due)), true,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        continue;
}

void tmo_due_put(int fd, const struct tmo_slot *slot, uint32_t due)
{
    struct tmo_cell *cell = tmo_track_cell(fd);
    if (cell == NULL || tmo_track_slot(fd) != slot)
        return;
    __atomic_store_n(&cell->due_ms, due, __ATOMIC_RELEASE);
    if (__atomic_load_n(&slot->refs, __ATOMIC_RELAXED) == 1)
        return;
    for (int other = tmo_track_next(0); other >= 0; other = tmo_track_next(other + 1)) {
        if (tmo_track_slot(other) == slot)
            __atomic_store_n(&tmo_track_cell(other)->due_ms, due, __ATOMIC_RELEASE);
    }
}

void tmo_due_set(int fd, const struct tmo_slot *slot, uint32_t due)
{
    tmo_due_put(fd, slot, due);
    if (due != 0)
        make_earlier(due);
}

void tmo_due_sweep(uint32_t now, uint32_t (*visit)(int fd, uint32_t now, void *ctx), void *ctx)
{
    uint64_t head = __atomic_load_n(&tmo_due_head, __ATOMIC_ACQUIRE);
    if (!tmo_due_has_come((uint32_t)head, now))
        return;
    uint64_t claimed = with(head, tmo_due_after(now, AGAIN_MS));
    if (!__atomic_compare_exchange_n(&tmo_due_head, &head, claimed, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return; /* somebody else is at it */

    uint32_t first = 0;
    int last = tmo_track_highest();
    for (int fd = 0; fd <= last; fd++) {
        const struct tmo_cell *cell = tmo_track_cell(fd);
        if (cell == NULL) {
            fd |= (int)TMO_TRACK_CHUNK - 1; /* nothing in this chunk */
            continue;
        }
        uint32_t due = __atomic_load_n(&cell->due_ms, __ATOMIC_ACQUIRE);
        if (tmo_due_has_come(due, now)) {
            uint32_t again = visit(fd, now, ctx);
            due = __atomic_load_n(&cell->due_ms, __ATOMIC_ACQUIRE);
            if (tmo_due_has_come(due, now))
                due = again; /* somebody else's to look at */
        }
        first = tmo_due_earlier(first, due);
    }
    /* Unless a time was set meanwhile that the loop may have passed by. */
    if (!__atomic_compare_exchange_n(&tmo_due_head, &claimed, with(claimed, first), false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
        first != 0)
        make_earlier(first);
}
