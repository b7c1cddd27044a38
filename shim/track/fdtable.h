/* SPDX-License-Identifier: MIT
 * Which descriptors are ours: one hot byte each for the fast paths, a slot each for the slow ones.
 * Layer: track. Lock-free; everything here is signal-safe unless it says otherwise. Memory comes
 * from mmap(2) and is never given back, so that a pointer to a slot stays readable for ever.
 *
 * Ordering against other threads: a descriptor is dropped here before its real close, and added
 * after the real socket or accept, so that a number is never ours while it is somebody else's.
 */
#ifndef TMO_TRACK_FDTABLE_H
#define TMO_TRACK_FDTABLE_H

#include "shim/track/slot.h"
#include "shim/track/tsan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a data call on a descriptor has to do. */
enum tmo_hot {
    TMO_HOT_NONE,   /* not ours: jump to the real function */
    TMO_HOT_PASS,   /* ours, but nothing follows a data call: non-blocking, or without a limit */
    TMO_HOT_CHECK,  /* ours, blocking, with a limit: look at a call that failed or came up short */
    TMO_HOT_SLOW,   /* look before the call too: ended, expired once, inherited, not connected */
    TMO_HOT_SHARED, /* as SLOW, for good: a descriptor of TMO_HOT_SIZE or more has this byte */
};

/* By the low 16 bits of the descriptor. A descriptor above shares its byte with one below; the slow
 * path then asks tmo_track_slot(), which is exact. `make distcheck P=shared` has a table so small
 * that nearly all numbers share a byte. */
#ifndef TMO_HOT_SIZE
#define TMO_HOT_SIZE 65536
#endif
#define TMO_HOT_INDEX(fd) ((unsigned)(fd) % TMO_HOT_SIZE)
extern unsigned char tmo_track_hot[TMO_HOT_SIZE] __attribute__((visibility("hidden")));

static inline unsigned tmo_hot(int fd)
{
    return TMO_TSAN_BYTE(tmo_track_hot[TMO_HOT_INDEX(fd)]);
}

/* Descriptors from here on are left alone (fs.nr_open is 1,048,576 by default). */
#define TMO_TRACK_FDS (1 << 20)

/* What is known of a descriptor itself, beside its socket. */
struct tmo_cell {
    uint32_t slot;   /* slot number + 1, TMO_CELL_SPARE: kept for the next socket; 0 = not ours */
    uint32_t due_ms; /* when its connection is to be looked at next, see due.h; 0 = not */
    union {
        uint32_t att_ms; /* until when somebody polls for it, or last did; 0 = nobody so far */
        uint32_t set;    /* TMO_SLOT_IN_EPOLL: slot number + 1 of the epoll set that it is in */
    };
};
#define TMO_CELL_SPARE (1u << 31)

/* Several threads may poll for one descriptor. */
static inline uint32_t tmo_cell_att_ms(const struct tmo_cell *cell)
{
    return __atomic_load_n(&cell->att_ms, __ATOMIC_RELAXED);
}

static inline void tmo_cell_attend(struct tmo_cell *cell, uint32_t ms)
{
    __atomic_store_n(&cell->att_ms, ms, __ATOMIC_RELAXED);
}

/* Descriptor -> cell, and slot number -> slot, in chunks that are made when they are first needed.
 * For tmo_track_cell() and tmo_track_slot() only. */
#define TMO_TRACK_CHUNK 1024u
extern struct tmo_cell *tmo_track_cells[TMO_TRACK_FDS / TMO_TRACK_CHUNK]
    __attribute__((visibility("hidden")));
extern struct tmo_slot *tmo_track_slots[TMO_TRACK_FDS / TMO_TRACK_CHUNK]
    __attribute__((visibility("hidden")));

/* The cell of FD, or NULL if there is none yet. */
static inline struct tmo_cell *tmo_track_cell(int fd)
{
    if ((unsigned)fd >= TMO_TRACK_FDS)
        return NULL;
    struct tmo_cell *cells =
        __atomic_load_n(&tmo_track_cells[(unsigned)fd / TMO_TRACK_CHUNK], __ATOMIC_ACQUIRE);
    return cells != NULL ? &cells[(unsigned)fd % TMO_TRACK_CHUNK] : NULL;
}

/* The slot of NUMBER, which is one. */
static inline struct tmo_slot *tmo_track_slot_at(uint32_t number)
{
    return &__atomic_load_n(&tmo_track_slots[number / TMO_TRACK_CHUNK],
                            __ATOMIC_ACQUIRE)[number % TMO_TRACK_CHUNK];
}

/* Slot number + 1 of FD, or 0 if FD is not ours. */
static inline uint32_t tmo_track_number(int fd)
{
    const struct tmo_cell *cell = tmo_track_cell(fd);
    uint32_t number_1 = cell != NULL ? __atomic_load_n(&cell->slot, __ATOMIC_ACQUIRE) : 0;
    return (number_1 & TMO_CELL_SPARE) == 0 ? number_1 : 0;
}

/* The slot of FD, or NULL if FD is not ours. */
static inline struct tmo_slot *tmo_track_slot(int fd)
{
    uint32_t number_1 = tmo_track_number(fd);
    return number_1 != 0 ? tmo_track_slot_at(number_1 - 1) : NULL;
}

/* Makes FD, which is not ours, ours. Returns its slot, all zero but for refs, to be filled in; or
 * NULL when there is no memory (FD is then not ours). The hot byte stays NONE, so that nobody looks
 * at the slot, until tmo_track_set_hot(). */
struct tmo_slot *tmo_track_add(int fd);

/* Lets TO lead to the slot of FROM too, with the same hot byte: dup(2). */
void tmo_track_share(int from, int to);

/* FD is ours no longer. Returns its slot if FD was the last to lead to it, else NULL; of several
 * threads that close the descriptors of one socket at once, one gets it. The slot stays as it is
 * until FD is ours again: whoever calls this has yet to close it. tmo_track_free() is to follow. */
struct tmo_slot *tmo_track_leave(int fd);

/* Gives kept text back. Handle 0 is none. */
void tmo_track_free_text(uint32_t handle);

/* Gives back the path that SLOT keeps, which tmo_track_leave() returned. */
static inline void tmo_track_free(struct tmo_slot *slot)
{
    if (slot->family == TMO_FAMILY_UNIX && slot->dir != TMO_DIR_LISTEN)
        tmo_track_free_text(slot->peer_path);
}

/* Both. */
void tmo_track_drop(int fd);

/* What this thread did with FD is over, and its real close is next. Only ThreadSanitizer is told:
 * see tsan.h. tmo_track_drop() does it, who calls tmo_track_leave() has to. */
#ifdef TMO_TSAN
void tmo_track_closing(int fd);
#else
static inline void tmo_track_closing(int fd)
{
    (void)fd;
}
#endif

/* Sets the hot byte of FD, which leads to SLOT, and of every other descriptor that does. */
void tmo_track_set_hot(int fd, const struct tmo_slot *slot, enum tmo_hot hot);

/* Sets the hot byte of FD alone, which need not be ours: guards our own descriptors. */
void tmo_track_guard(int fd, bool guarded);

/* The first of our descriptors at or above FD, or -1. */
int tmo_track_next(int fd);

/* No descriptor above this was ever ours; -1: none at all. */
int tmo_track_highest(void);

/* Keeps LEN bytes (at most 108) of TEXT; returns a handle for a slot's peer_path, or 0. */
uint32_t tmo_track_keep_text(const void *text, size_t len);

/* Copies kept text to BUF (at least 108 bytes); returns its length, 0 for handle 0. */
size_t tmo_track_kept_text(uint32_t handle, void *buf);

#endif
