/* SPDX-License-Identifier: MIT
 * What is in force in this process: the configuration, the plan made from it, the log.
 * Layer: wrap. Written by reload.c: before main(), and where a new file is taken up.
 */
#ifndef TMO_WRAP_CURRENT_H
#define TMO_WRAP_CURRENT_H

#include "shim/policy/plan.h"
#include "shim/report/event.h"
#include "shim/report/sink.h"

struct tmo_rules;

struct tmo_current {
    bool active; /* false: every wrapper only passes on */
    bool logs;   /* there is a log */
    bool hosts;  /* host names matter beside the log: a rule asks for them */
    bool off;    /* the file says `disable`: new sockets are left alone */
    bool watches_file;
    unsigned events;      /* TMO_EVENT_ bits */
    struct tmo_plan plan; /* the general one of the start, number 0 */
    struct tmo_wide wide;
    const struct tmo_rules *rules; /* of wrap/rules.h; NULL: none, and the plan is number 0 */
    struct tmo_config cfg;
    struct tmo_sink sink;
};
extern struct tmo_current tmo_current __attribute__((visibility("hidden")));

static inline const struct tmo_plan *tmo_plan_at(unsigned number)
{
    return __builtin_expect(number == 0, 1) ? &tmo_current.plan : tmo_plan_numbered(number);
}

/* Whether it is worth something to know who the peer is. */
static inline bool tmo_wants_peers(void)
{
    return tmo_current.logs || tmo_current.rules != NULL;
}

/* The plan of a socket. */
static inline const struct tmo_plan *tmo_plan_of(const struct tmo_slot *slot)
{
    return tmo_plan_at(slot->plan);
}

/* Whether the operator means sockets such as this one (`proto`): others have a slot only where
 * rules may mean them when their destination is known. */
static inline bool tmo_is_covered(const struct tmo_slot *slot)
{
    return tmo_plan_covers(tmo_plan_of(slot), (enum tmo_proto)slot->proto);
}

/* Whether records of EVENT (a TMO_EVENT_ bit) are wanted. */
static inline bool tmo_wants(unsigned event)
{
    return tmo_current.logs && (tmo_current.events & event) != 0;
}

/* --- emit.c: records ------------------------------------------------------------------------- */

/* An event of KIND with time, process and program filled in, all else unknown. */
void tmo_emit_begin(struct tmo_event *event, enum tmo_event_kind kind);

/* The peer that SLOT, which is no listener, knows: its address into *RET, *RET_LEN bytes. False: it
 * knows none. */
bool tmo_emit_peer(const struct tmo_slot *slot, struct sockaddr_storage *ret, socklen_t *ret_len);

/* Adds what is known of the connection FD, which SLOT describes, and asks the kernel for its
 * addresses. INFO (may be NULL) is its TCP_INFO. */
void tmo_emit_connection(struct tmo_event *event, int fd, const struct tmo_slot *slot,
                         const struct tmo_tcpinfo *info);

/* Writes EVENT to the log, with the name of its peer, if the program looked that up. errno is
 * kept. */
void tmo_emit(struct tmo_event *event);

/* Makes and writes the close record of FD, unless it is on record already, never connected, or not
 * ours to record. REASON is a word for the record's `reason`; call it while FD is still open. NULL:
 * the number is known to be something else by now; the reason is then "unseen", as it is when the
 * kernel says so. */
void tmo_emit_close(int fd, struct tmo_slot *slot, const char *reason);

/* The same of a socket that was known as NUMBER and can still be asked by FD, a copy of ours. */
void tmo_emit_close_by(int fd, int number, struct tmo_slot *slot, const char *reason);

/* Buffers for a line each, for whoever has a small stack: the number of one that is held from now
 * on, or -1; until it is released. */
#define TMO_EMIT_LINES 16
extern char tmo_emit_lines[TMO_EMIT_LINES][4096] __attribute__((visibility("hidden")));
int tmo_emit_hold(void);
void tmo_emit_release(int line);

/* After fork(2), in the child: the buffers of other threads are free again. */
void tmo_emit_forked(void);

/* Lets no wrapper touch the log's own descriptor, if it has one by now. */
void tmo_emit_guard_log(void);

#endif
