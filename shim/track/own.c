/* SPDX-License-Identifier: MIT
 * The program's own socket options. See own.h.
 */
#include "shim/track/own.h"
#include "shim/sys/raw.h"

struct own {
    uint32_t bits[TMO_OWN_ROWS / 32];
};

TMO_SPARSE TMO_HIDDEN struct own *tmo_own_chunks[TMO_TRACK_FDS / TMO_TRACK_CHUNK];

/* What is noted of SLOT; MAKE: it is to be made if it is not there. NULL: nothing, or no memory. */
static struct own *own_of(const struct tmo_slot *slot, bool make)
{
    size_t at = 0;
    for (; at < TMO_TRACK_FDS / TMO_TRACK_CHUNK; at++) {
        const struct tmo_slot *first = __atomic_load_n(&tmo_track_slots[at], __ATOMIC_ACQUIRE);
        if (first == NULL) /* they are made one after the other */
            return NULL;
        if (slot >= first && slot < first + TMO_TRACK_CHUNK)
            break;
    }
    if (at == TMO_TRACK_FDS / TMO_TRACK_CHUNK)
        return NULL;
    size_t number = (size_t)(slot - tmo_track_slots[at]);
    struct own **chunk = &tmo_own_chunks[at];
    struct own *there = __atomic_load_n(chunk, __ATOMIC_ACQUIRE);
    if (there == NULL && make) {
        const size_t size = TMO_TRACK_CHUNK * sizeof(struct own);
        struct own *fresh = tmo_raw_map(size);
        if (fresh != NULL && __atomic_compare_exchange_n(chunk, &there, fresh, false,
                                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            there = fresh;
        else if (fresh != NULL)
            tmo_raw_unmap(fresh, size); /* another thread was first */
    }
    return there != NULL ? &there[number] : NULL;
}

/* The slot's flag says whether the bits are this socket's or those of one before. */
void tmo_own_note(struct tmo_slot *slot, unsigned row)
{
    struct own *own = own_of(slot, true);
    if (own == NULL)
        return;
    if ((tmo_slot_flags(slot) & TMO_SLOT_OWN_OPTIONS) == 0)
        *own = (struct own){{0}};
    __atomic_fetch_or(&own->bits[row / 32 % (TMO_OWN_ROWS / 32)], 1u << row % 32, __ATOMIC_RELAXED);
    tmo_slot_raise(slot, TMO_SLOT_OWN_OPTIONS);
}

bool tmo_own_has(const struct tmo_slot *slot, unsigned row)
{
    if ((tmo_slot_flags(slot) & TMO_SLOT_OWN_OPTIONS) == 0)
        return false;
    const struct own *own = own_of(slot, false);
    return own != NULL && (own->bits[row / 32 % (TMO_OWN_ROWS / 32)] >> row % 32 & 1) != 0;
}

void tmo_own_inherit(const struct tmo_slot *from, struct tmo_slot *to)
{
    if ((tmo_slot_flags(from) & TMO_SLOT_OWN_OPTIONS) == 0)
        return;
    const struct own *own = own_of(from, false);
    struct own *copy = own != NULL ? own_of(to, true) : NULL;
    if (copy == NULL)
        return;
    *copy = *own;
    tmo_slot_raise(to, TMO_SLOT_OWN_OPTIONS);
}
