/* SPDX-License-Identifier: MIT
 * The rest of a wait: of a data call that a signal interrupted, that a slow peer keeps, or that
 * waits here from the beginning. It is waited by poll(2): the socket's own timeout is shared with
 * other threads and processes and is never changed for it. Layer: wrap. Signal-safe.
 */
#ifndef TMO_WRAP_REST_H
#define TMO_WRAP_REST_H

#include "shim/sys/clock.h"
#include "shim/wrap/call.h"

struct tmo_rest {
    const struct tmo_call *call;
    struct tmo_slot *slot;
    uint16_t generation; /* of the slot, as the wait began */
    int64_t limit_ns;    /* 0: none */
    int64_t start_ns, deadline_ns;
    int64_t app_ns; /* when the program's own timeout is over; 0: it has none */
    bool owns;      /* idle and total are to be asked as well */
    size_t done;    /* bytes that went through so far */
};

/* How long a call on SLOT may wait for WAY, in ns; 0: without a limit. */
static inline int64_t tmo_rest_limit_ns(const struct tmo_slot *slot, enum tmo_way way)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    return slot->dir == TMO_DIR_LISTEN ? plan->accept_ns : plan->wait_ns[way];
}

/* Of CALL on SLOT; nothing went through so far. */
struct tmo_rest tmo_rest_of(const struct tmo_call *call, struct tmo_slot *slot);

/* The peer has been silent for SILENT_NS by NOW_NS: the limit runs from then. */
static inline void tmo_rest_since(struct tmo_rest *w, int64_t now_ns, int64_t silent_ns)
{
    w->start_ns = now_ns - silent_ns;
    w->deadline_ns = w->limit_ns != 0 ? w->start_ns + w->limit_ns : INT64_MAX;
}

/* Goes on with what is left until the limit passes without a byte. Returns a count or -errno. */
ssize_t tmo_rest_go_on(struct tmo_rest *w);

/* The limit has passed. WAITED_NS: how long the wait really was, as far as we know. Returns what
 * the program gets: a count or -errno. */
ssize_t tmo_rest_expire(const struct tmo_rest *w, int64_t waited_ns);

/* Whether idle or total has ended the connection. *RET_UNTIL_NS is made earlier by when the next of
 * them can. */
bool tmo_rest_overdue(const struct tmo_rest *w, int64_t now_ns, int64_t *ret_until_ns);

/* CALL on a connection that we ended: what had arrived before is read yet. As above. */
ssize_t tmo_rest_drain(const struct tmo_call *call, struct tmo_slot *slot);

/* CALL on a connection that was just ended. */
ssize_t tmo_rest_ended(const struct tmo_call *call, struct tmo_slot *slot);

/* Whether idle or total bounds what is done with SLOT. */
static inline bool tmo_rest_has_deadlines(const struct tmo_slot *slot)
{
    return tmo_plan_of(slot)->deadlines && tmo_proto_is_tcp(slot->proto) &&
           slot->dir != TMO_DIR_LISTEN;
}

#endif
