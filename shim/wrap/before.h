/* SPDX-License-Identifier: MIT
 * Where no timeout of ours is on a socket (action = report, engine = watchdog), the time of a
 * blocking call is kept around it: most calls are made without waiting, and their wait is that of
 * rest.h; those that cannot be made so wait here, before. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_BEFORE_H
#define TMO_WRAP_BEFORE_H

#include "shim/policy/deadline.h"
#include "shim/wrap/rest.h"

/* Whether the limit of SLOT for WAY is kept around its calls, and not by the kernel. */
static inline bool tmo_keeps(const struct tmo_slot *slot, enum tmo_way way)
{
    return tmo_plan_of(slot)->keeps && tmo_rest_limit_ns(slot, way) != 0;
}

/* The program's own timeout for WAY of FD, where there is none of ours, in us; 0: none, or one that
 * counts for nothing, as `mode` has it; TMO_SLOT_NEVER_WAITS. *RET_ALONE says whether our limit
 * does not count beside it. */
int64_t tmo_before_app_us(int fd, const struct tmo_slot *slot, enum tmo_way way, bool *ret_alone);

/* Before CALL, which waits for WAY in the kernel: waits until it need not, or until its limit has
 * passed; by WAIT, tmo_raw_wait() or the other one. Returns 0: CALL is to be made; or -errno, which
 * the program gets. */
int tmo_before_wait(int fd, struct tmo_slot *slot, enum tmo_way way, const char *call,
                    int (*wait)(int fd, short events, int64_t ns));

/* How many bytes FD takes now without waiting, about; SIZE_MAX: the kernel does not tell. */
size_t tmo_before_room(int fd, const struct tmo_slot *slot);

/* Before CALL, of those that are made as they are, the same. */
int tmo_before_call(const struct tmo_call *call, struct tmo_slot *slot);

#endif
