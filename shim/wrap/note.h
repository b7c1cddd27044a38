/* SPDX-License-Identifier: MIT
 * action = report: a limit that passes is put on record, and nothing else comes of it. No timeout
 * of ours is on the socket, so that libc's own calls behind stdio go on as well; the time of a
 * blocking call is kept here. Layer: wrap. Signal-safe; errno is kept.
 *
 * A silence is recorded once, in however many calls it is waited for: a flag of the slot says so,
 * until something moves.
 */
#ifndef TMO_WRAP_NOTE_H
#define TMO_WRAP_NOTE_H

#include "shim/policy/deadline.h"
#include "shim/wrap/call.h"

/* Whether the limit of SLOT for WAY is only to be recorded, so that the time of a blocking call is
 * kept here and not by the kernel. */
static inline bool tmo_note_keeps(const struct tmo_slot *slot, enum tmo_way way)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    return plan->reports && plan->wait_ns[way] != 0;
}

/* As MOVED says (struct tmo_quiet), something has moved on SLOT since its silence was recorded, or
 * not: then it is forgotten. */
void tmo_note_moved(struct tmo_slot *slot, uint8_t moved);

/* A call on SLOT went well in WAY. */
static inline void tmo_note_went_well(struct tmo_slot *slot, enum tmo_way way)
{
    tmo_slot_lower(slot, tmo_limit_noted(way == TMO_RECV ? TMO_LIMIT_RECV : TMO_LIMIT_SEND));
}

/* LIMIT has passed on FD after WAITED_NS in CALL, as things stood at MOVED: that is put on record,
 * unless it is already. On a listener TMO_LIMIT_RECV is the limit of accept. */
void tmo_note(int fd, struct tmo_slot *slot, enum tmo_limit limit, uint8_t moved, int64_t waited_ns,
              const char *call);

/* The same; the kernel is asked for MOVED. */
void tmo_note_now(int fd, struct tmo_slot *slot, enum tmo_limit limit, int64_t waited_ns,
                  const char *call);

/* Before CALL, which waits for WAY in the kernel: waits until it need not, or until its limit has
 * passed and that is on record; by WAIT, tmo_raw_wait() or the other one. Returns 0: CALL is to be
 * made; or -errno, which the program gets. */
int tmo_note_wait(int fd, struct tmo_slot *slot, enum tmo_way way, const char *call,
                  int (*wait)(int fd, short events, int64_t ns));

/* How many bytes FD takes now without waiting, about; SIZE_MAX: the kernel does not tell. */
size_t tmo_note_room(int fd, const struct tmo_slot *slot);

/* Before CALL, of those that are made as they are, the same. */
int tmo_note_before(const struct tmo_call *call, struct tmo_slot *slot);

#endif
