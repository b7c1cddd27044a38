/* SPDX-License-Identifier: MIT
 * When connections are to be looked at: a time in the cell of each descriptor, and the first of
 * them all, which bounds every wait. A time is a promise that nothing is to be done before, not
 * that something is to be done then: data calls never touch it. Layer: track. Lock-free,
 * signal-safe; errno is kept.
 *
 * Times are milliseconds of CLOCK_MONOTONIC in 32 bits, which wrap after 49 days: two are compared
 * by their difference, and none lies more than TMO_DUE_FAR_MS ahead. 0 is no time.
 */
#ifndef TMO_TRACK_DUE_H
#define TMO_TRACK_DUE_H

#include "shim/track/fdtable.h"

#define TMO_DUE_FAR_MS (1 << 30) /* 12 days */

/* Low half: the first time, or 0. High half: how often it was touched, so that who makes it later
 * sees that somebody else did not. */
extern uint64_t tmo_due_head __attribute__((visibility("hidden")));

static inline uint32_t tmo_due_first(void)
{
    return (uint32_t)__atomic_load_n(&tmo_due_head, __ATOMIC_ACQUIRE);
}

/* NS of a monotonic clock as a time. */
static inline uint32_t tmo_due_of_ns(int64_t ns)
{
    uint32_t ms = (uint32_t)(ns / 1000000);
    return ms != 0 ? ms : 1;
}

/* The time MS after FROM, at most TMO_DUE_FAR_MS. */
static inline uint32_t tmo_due_after(uint32_t from, int64_t ms)
{
    uint32_t due = from + (uint32_t)(ms < TMO_DUE_FAR_MS ? ms : TMO_DUE_FAR_MS);
    return due != 0 ? due : 1;
}

/* Milliseconds from FROM to TO; negative if TO was before. */
static inline int32_t tmo_due_between(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

/* Whether DUE is a time, and has come by NOW. */
static inline bool tmo_due_has_come(uint32_t due, uint32_t now)
{
    return due != 0 && tmo_due_between(due, now) >= 0;
}

/* The earlier of two times, of which 0 is none. */
static inline uint32_t tmo_due_earlier(uint32_t a, uint32_t b)
{
    return a == 0 || (b != 0 && tmo_due_between(b, a) > 0) ? b : a;
}

/* When FD is due. */
static inline uint32_t tmo_due_get(int fd)
{
    const struct tmo_cell *cell = tmo_track_cell(fd);
    return cell != NULL ? __atomic_load_n(&cell->due_ms, __ATOMIC_ACQUIRE) : 0;
}

/* FD, which leads to SLOT, and every other descriptor that does, is due at DUE; 0: not at all. Who
 * names it in a wait of its own will see. */
void tmo_due_put(int fd, const struct tmo_slot *slot, uint32_t due);

/* The same, and no wait goes on beyond that without a sweep. */
void tmo_due_set(int fd, const struct tmo_slot *slot, uint32_t due);

/* Calls VISIT for each descriptor that is due by NOW, if any is; VISIT puts its next time by
 * tmo_due_put(), or leaves it and returns when to visit it again in spite of that; else 0. Of
 * several threads one does it. A thread that dies or jumps out of it loses nothing: soon the next
 * one begins again. In order of descriptors, 1 ns each. */
void tmo_due_sweep(uint32_t now, uint32_t (*visit)(int fd, uint32_t now, void *ctx), void *ctx);

#endif
