/* SPDX-License-Identifier: MIT
 * Descriptors and slots. See fdtable.h.
 */
#include "shim/track/fdtable.h"
#include "shim/sys/raw.h"

#include <string.h>
#include <sys/mman.h>

#define CHUNK TMO_TRACK_CHUNK

/* What is rare stays out of the way of what is not. */
#define NOINLINE    __attribute__((noinline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

TMO_SPARSE unsigned char tmo_track_hot[TMO_HOT_SIZE];
TMO_SPARSE struct tmo_cell *tmo_track_cells[TMO_TRACK_FDS / CHUNK];
TMO_SPARSE struct tmo_slot *tmo_track_slots[TMO_TRACK_FDS / CHUNK];
static uint32_t slots_used; /* slots handed out so far, without those from the free list */
static uint64_t free_head;  /* low half: slot number + 1, high half: a tag against ABA */
static int highest = -1;    /* no descriptor above was ever ours */
static bool high_seen;      /* a descriptor of TMO_HOT_SIZE or more was ours */

/* The chunk that *WHERE points to, made first if there is none. NULL: no memory. */
static void *chunk(void **where, size_t size)
{
    void *there = __atomic_load_n(where, __ATOMIC_ACQUIRE);
    if (there != NULL)
        return there;
    void *fresh = tmo_raw_map(size);
    if (fresh == NULL)
        return NULL;
    if (__atomic_compare_exchange_n(where, &there, fresh, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return fresh;
    tmo_raw_unmap(fresh, size); /* another thread was first */
    return there;
}

/* A free slot's number + 1, or 0. */
static NOINLINE uint32_t take_slot(void)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_ACQUIRE);
    while ((uint32_t)head != 0) {
        /* Another thread may have taken it meanwhile and write here: then the exchange fails. */
        uint32_t next =
            __atomic_load_n(&tmo_track_slot_at((uint32_t)head - 1)->born_low_us, __ATOMIC_RELAXED);
        uint64_t fresh = ((head >> 32) + 1) << 32 | next;
        if (__atomic_compare_exchange_n(&free_head, &head, fresh, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return (uint32_t)head;
    }
    uint32_t number = __atomic_fetch_add(&slots_used, 1, __ATOMIC_RELAXED);
    if (number >= TMO_TRACK_FDS ||
        chunk((void **)&tmo_track_slots[number / CHUNK], CHUNK * sizeof(struct tmo_slot)) == NULL) {
        __atomic_fetch_sub(&slots_used, 1, __ATOMIC_RELAXED);
        return 0;
    }
    return number + 1;
}

static void free_slot(uint32_t number_1)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_RELAXED), fresh;
    do {
        __atomic_store_n(&tmo_track_slot_at(number_1 - 1)->born_low_us, (uint32_t)head,
                         __ATOMIC_RELAXED);
        fresh = ((head >> 32) + 1) << 32 | number_1;
    } while (!__atomic_compare_exchange_n(&free_head, &head, fresh, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

/* The cell of FD, made if there is none. NULL: no memory, or FD is out of range. */
static inline struct tmo_cell *made_cell(int fd)
{
    if (fd < 0 || fd >= TMO_TRACK_FDS)
        return NULL;
    struct tmo_cell *cells =
        chunk((void **)&tmo_track_cells[(unsigned)fd / CHUNK], CHUNK * sizeof(struct tmo_cell));
    return cells != NULL ? &cells[(unsigned)fd % CHUNK] : NULL;
}

/* The same where descriptors share a byte, or may. Once SHARED it stays so, also when another
 * thread writes it at the same time; but for the first such byte of a process, if that thread
 * looked at high_seen just before. */
static NOINLINE void put_hot_shared(int fd, enum tmo_hot hot)
{
    unsigned char *byte = &tmo_track_hot[TMO_HOT_INDEX(fd)];
    unsigned char now = __atomic_load_n(byte, __ATOMIC_RELAXED);
    if (fd >= TMO_HOT_SIZE && hot != TMO_HOT_NONE) {
        __atomic_store_n(&high_seen, true, __ATOMIC_RELEASE);
        __atomic_store_n(byte, TMO_HOT_SHARED, __ATOMIC_RELEASE);
    }
    if (fd >= TMO_HOT_SIZE)
        return;
    while (now != TMO_HOT_SHARED &&
           !__atomic_compare_exchange_n(byte, &now, (unsigned char)hot, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        continue;
}

static inline void put_hot(int fd, enum tmo_hot hot)
{
    if (UNLIKELY(fd >= TMO_HOT_SIZE || __atomic_load_n(&high_seen, __ATOMIC_ACQUIRE)))
        put_hot_shared(fd, hot);
    else
        __atomic_store_n(&tmo_track_hot[TMO_HOT_INDEX(fd)], (unsigned char)hot, __ATOMIC_RELEASE);
}

static void raise_highest(int fd)
{
    int known = __atomic_load_n(&highest, __ATOMIC_RELAXED);
    while (fd > known && !__atomic_compare_exchange_n(&highest, &known, fd, true, __ATOMIC_RELEASE,
                                                      __ATOMIC_RELAXED))
        continue;
}

/* Makes FD ours, with slot NUMBER_1 - 1 in its CELL. */
static inline struct tmo_slot *add(int fd, struct tmo_cell *cell, uint32_t number_1)
{
    /* Whoever closed this number before is done with it: the kernel has given it out anew. */
    TMO_TSAN_ACQUIRE(cell);
    struct tmo_slot *there = tmo_track_slot_at(number_1 - 1);
    *there = (struct tmo_slot){.refs = 1, .generation = (uint16_t)(there->generation + 1)};
    cell->due_ms = 0;
    tmo_cell_attend(cell, 0);
    raise_highest(fd);
    __atomic_store_n(&cell->slot, number_1, __ATOMIC_RELEASE);
    return there;
}

/* The same for a number that no slot stayed with. */
static NOINLINE struct tmo_slot *add_with_slot(int fd)
{
    struct tmo_cell *cell = made_cell(fd);
    uint32_t number_1 = cell != NULL ? take_slot() : 0;
    return number_1 != 0 ? add(fd, cell, number_1) : NULL;
}

struct tmo_slot *tmo_track_add(int fd)
{
    struct tmo_cell *cell = tmo_track_cell(fd);
    uint32_t number_1 = cell != NULL ? __atomic_load_n(&cell->slot, __ATOMIC_ACQUIRE) : 0;
    number_1 &= ~TMO_CELL_SPARE;
    return number_1 != 0 ? add(fd, cell, number_1) : add_with_slot(fd);
}

/* Takes the spare slot of CELL away, for which there is no use any more. */
static void give_spare(struct tmo_cell *cell)
{
    uint32_t number_1 = __atomic_exchange_n(&cell->slot, 0, __ATOMIC_ACQ_REL);
    if ((number_1 & TMO_CELL_SPARE) != 0)
        free_slot(number_1 & ~TMO_CELL_SPARE);
}

void tmo_track_share(int from, int to)
{
    tmo_track_drop(to);
    struct tmo_cell *source = tmo_track_cell(from), *target = made_cell(to);
    uint32_t number_1 = tmo_track_number(from);
    if (number_1 == 0 || target == NULL)
        return;
    struct tmo_slot *slot = tmo_track_slot_at(number_1 - 1);
    if (__atomic_fetch_add(&slot->refs, 1, __ATOMIC_RELAXED) >= UINT16_MAX - 64) {
        __atomic_fetch_sub(&slot->refs, 1, __ATOMIC_RELAXED);
        return; /* more copies than can be counted: this one is not ours */
    }
    TMO_TSAN_ACQUIRE(target);
    give_spare(target);
    raise_highest(to);
    tmo_cell_attend(target, tmo_cell_att_ms(source));
    __atomic_store_n(&target->due_ms, source->due_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&target->slot, number_1, __ATOMIC_RELEASE);
    unsigned hot = tmo_hot(from);
    put_hot(to, hot < TMO_HOT_SHARED ? (enum tmo_hot)hot : TMO_HOT_SLOW);
}

struct tmo_slot *tmo_track_leave(int fd)
{
    struct tmo_cell *cell = tmo_track_cell(fd);
    uint32_t number_1 = cell != NULL ? __atomic_load_n(&cell->slot, __ATOMIC_ACQUIRE) : 0;
    do {
        if (number_1 == 0 || (number_1 & TMO_CELL_SPARE) != 0)
            return NULL;
    } while (!__atomic_compare_exchange_n(&cell->slot, &number_1, number_1 | TMO_CELL_SPARE, true,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    __atomic_store_n(&cell->due_ms, 0, __ATOMIC_RELAXED);
    put_hot(fd, TMO_HOT_NONE);
    struct tmo_slot *slot = tmo_track_slot_at(number_1 - 1);
    /* The only one that led there is gone already: nobody else can count. */
    if (__atomic_load_n(&slot->refs, __ATOMIC_ACQUIRE) == 1)
        return slot;
    __atomic_store_n(&cell->slot, 0, __ATOMIC_RELEASE); /* it lives on under another number */
    if (__atomic_sub_fetch(&slot->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return NULL;
    __atomic_store_n(&cell->slot, number_1 | TMO_CELL_SPARE, __ATOMIC_RELEASE);
    return slot;
}

#ifdef TMO_TSAN
void tmo_track_closing(int fd)
{
    if (tmo_track_cell(fd) != NULL)
        TMO_TSAN_RELEASE(tmo_track_cell(fd));
}
#endif

void tmo_track_drop(int fd)
{
    struct tmo_slot *slot = tmo_track_leave(fd);
    if (slot != NULL)
        tmo_track_free(slot);
    tmo_track_closing(fd);
}

static NOINLINE void put_hot_all(const struct tmo_slot *slot, enum tmo_hot hot)
{
    for (int other = tmo_track_next(0); other >= 0; other = tmo_track_next(other + 1)) {
        if (tmo_track_slot(other) == slot)
            put_hot(other, hot);
    }
}

void tmo_track_set_hot(int fd, const struct tmo_slot *slot, enum tmo_hot hot)
{
    put_hot(fd, hot);
    if (UNLIKELY(__atomic_load_n(&slot->refs, __ATOMIC_RELAXED) != 1))
        put_hot_all(slot, hot);
}

void tmo_track_guard(int fd, bool guarded)
{
    if (fd >= 0)
        put_hot(fd, guarded ? TMO_HOT_SLOW : TMO_HOT_NONE);
}

int tmo_track_next(int fd)
{
    int last = __atomic_load_n(&highest, __ATOMIC_ACQUIRE);
    for (; fd <= last; fd++) {
        if (tmo_track_cell(fd) == NULL)
            fd |= (int)CHUNK - 1; /* nothing in this chunk */
        else if (tmo_track_number(fd) != 0)
            return fd;
    }
    return -1;
}

int tmo_track_highest(void)
{
    return __atomic_load_n(&highest, __ATOMIC_ACQUIRE);
}

#define TEXT_PART 36 /* the generation stays where it is */

/* Text lives in slots that are lent for it: a link, a length and 36 bytes in each. */
struct text_slot {
    uint32_t next; /* where the free list's link is */
    uint16_t unused;
    uint16_t generation;
    uint32_t len; /* of the whole text, in the first */
    char part[TEXT_PART];
};
_Static_assert(sizeof(struct text_slot) == sizeof(struct tmo_slot), "text is kept in slots");

uint32_t tmo_track_keep_text(const void *text, size_t len)
{
    uint32_t first = 0;
    if (len == 0 || len > 108)
        return 0;
    for (size_t part = (len - 1) / TEXT_PART + 1;
         part-- > 0;) { /* from the end, so that links point on */
        uint32_t number_1 = take_slot();
        if (number_1 == 0) {
            tmo_track_free_text(first);
            return 0;
        }
        struct text_slot *slot = (struct text_slot *)(void *)tmo_track_slot_at(number_1 - 1);
        size_t at = part * TEXT_PART, here = len - at < TEXT_PART ? len - at : TEXT_PART;
        memcpy(slot->part, (const char *)text + at, here);
        slot->len = (uint32_t)len;
        slot->next = first;
        first = number_1;
    }
    return first;
}

size_t tmo_track_kept_text(uint32_t handle, void *buf)
{
    size_t at = 0, len = 0;
    while (handle != 0 && at < 108) {
        const struct text_slot *slot = (struct text_slot *)(void *)tmo_track_slot_at(handle - 1);
        len = at == 0 ? slot->len : len;
        if (len > 108)
            return 0;
        size_t here = len - at < TEXT_PART ? len - at : TEXT_PART;
        memcpy((char *)buf + at, slot->part, here);
        at += here;
        handle = at < len ? slot->next : 0;
    }
    return at;
}

void tmo_track_free_text(uint32_t handle)
{
    while (handle != 0) {
        uint32_t next = ((struct text_slot *)(void *)tmo_track_slot_at(handle - 1))->next;
        free_slot(handle); /* writes the free list's link over ours */
        handle = next;
    }
}
