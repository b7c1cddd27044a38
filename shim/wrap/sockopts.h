/* SPDX-License-Identifier: MIT
 * When socket options beside the timeouts are set: SOCKTMO_SOCKOPT, SOCKTMO_KEEPALIVE and
 * SOCKTMO_USER_TIMEOUT. Layer: wrap. Signal-safe; errno is kept.
 */
#ifndef TMO_WRAP_SOCKOPTS_H
#define TMO_WRAP_SOCKOPTS_H

#include "shim/wrap/current.h"

/* The same as below, where some plan has options. */
void tmo_sockopts_made_by(int fd, struct tmo_slot *slot, bool is_new);
void tmo_sockopts_connect_by(int fd, struct tmo_slot *slot, unsigned before);
void tmo_sockopts_follow_by(int fd, struct tmo_slot *slot, int level, int name);

/* FD has just been taken up: sets what its plan asks for. IS_NEW: it comes from socket or
 * socketpair. */
static inline void tmo_sockopts_made(int fd, struct tmo_slot *slot, bool is_new)
{
    if (__builtin_expect(tmo_current.wide.options, 0))
        tmo_sockopts_made_by(fd, slot, is_new);
}

/* FD is about to connect: sets what a connection is to have, and the options of its plan where
 * these are others than those of the plan with the number BEFORE, which it had so far. */
static inline void tmo_sockopts_connect(int fd, struct tmo_slot *slot, unsigned before)
{
    if (__builtin_expect(tmo_current.wide.options, 0))
        tmo_sockopts_connect_by(fd, slot, before);
}

/* The program has set option NAME of LEVEL on FD: ours follows as `mode` says. */
static inline void tmo_sockopts_follow(int fd, struct tmo_slot *slot, int level, int name)
{
    if (__builtin_expect(tmo_current.wide.options, 0))
        tmo_sockopts_follow_by(fd, slot, level, name);
}

#endif
