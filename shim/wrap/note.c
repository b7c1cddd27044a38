/* SPDX-License-Identifier: MIT
 * action = report. See note.h. Layer: wrap.
 */
#include "shim/wrap/note.h"

void tmo_note_moved(struct tmo_slot *slot, uint8_t moved)
{
    if ((tmo_slot_flags(slot) & TMO_SLOT_NOTED) != 0 && slot->moved != moved)
        tmo_slot_lower(slot, tmo_limit_noted(TMO_LIMIT_RECV) | tmo_limit_noted(TMO_LIMIT_SEND) |
                                 tmo_limit_noted(TMO_LIMIT_IDLE));
}

void tmo_note(int fd, struct tmo_slot *slot, enum tmo_limit limit, uint8_t moved, int64_t waited_ns,
              const char *call)
{
    bool accepts = slot->dir == TMO_DIR_LISTEN;
    tmo_note_moved(slot, moved);
    slot->moved = moved;
    uint32_t before = __atomic_fetch_or(&slot->flags, tmo_limit_noted(limit), __ATOMIC_ACQ_REL);
    if ((before & tmo_limit_noted(limit)) != 0)
        return;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    (void)tmo_state_expire(&(struct tmo_expiry){
        .fd = fd,
        .slot = slot,
        .limit = accepts ? "accept" : tmo_limit_name(limit),
        .limit_ns = accepts ? plan->accept_ns : tmo_limit_ns(plan, limit),
        .waited_ns = waited_ns,
        .call = call,
    });
}

void tmo_note_now(int fd, struct tmo_slot *slot, enum tmo_limit limit, int64_t waited_ns,
                  const char *call)
{
    struct tmo_quiet q = {.moved = 0};
    if (tmo_proto_is_tcp(slot->proto) && slot->dir != TMO_DIR_LISTEN)
        (void)tmo_quiet_get(fd, &q);
    tmo_note(fd, slot, limit, q.moved, waited_ns, call);
}

bool tmo_note_is_there(int fd, struct tmo_slot *slot, enum tmo_limit limit)
{
    struct tmo_quiet q;
    if ((tmo_slot_flags(slot) & tmo_limit_noted(limit)) == 0)
        return false;
    if (slot->dir != TMO_DIR_LISTEN && tmo_proto_is_tcp(slot->proto) && tmo_quiet_get(fd, &q) == 0)
        tmo_note_moved(slot, q.moved);
    return (tmo_slot_flags(slot) & tmo_limit_noted(limit)) != 0;
}
