/* SPDX-License-Identifier: MIT
 * action = report: a limit that passes is put on record, and nothing else comes of it.
 * Layer: wrap. Signal-safe; errno is kept.
 *
 * A silence is recorded once, in however many calls it is waited for: a flag of the slot says so,
 * until something moves.
 */
#ifndef TMO_WRAP_NOTE_H
#define TMO_WRAP_NOTE_H

#include "shim/policy/deadline.h"
#include "shim/wrap/call.h"

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

/* Whether LIMIT of FD is on record, and nothing has moved since. */
bool tmo_note_is_there(int fd, struct tmo_slot *slot, enum tmo_limit limit);

#endif
