/* SPDX-License-Identifier: MIT
 * The TCP connections of the tree: each is looked at by a copy of its descriptor, which is there
 * for the time of the look, and ended by that when a limit has passed.
 * Layer: cli. Times in ms are of the monotonic clock.
 */
#ifndef TMO_CLI_GUARDWATCH_H
#define TMO_CLI_GUARDWATCH_H

#include "cli/guardplan.h"
#include "cli/guardtree.h"

#define TMO_GUARD_NEVER INT64_MAX

struct tmo_guard_watch {
    struct tmo_guard_plans plans;
    struct tmo_guard_tree tree;
    struct tmo_guard_sock **buckets; /* by inode */
    struct tmo_guard_sock *first;    /* all of them */
    uint8_t *listened;               /* one bit a port: accepted connections have it */
    int64_t next_ms;                 /* nothing is due before */
    int64_t tick_ms;                 /* between two walks */
    int64_t now_ms, before_ms;       /* of this walk or look, and of the walk before */
    unsigned walks;
    bool under_way; /* what is seen from now on was not there at the start */
    bool unable;    /* the kernel has no pidfd_getfd; that was told */
    pid_t main;     /* the program that was started */
    bool exits;     /* it was killed by us: action = exit */
};

/* Makes *RET for the settings of LOADED, which must stay. 0 or -ENOMEM. */
int tmo_guard_watch_start(struct tmo_guard_watch *ret, const struct tmo_loaded *loaded);

/* Whether there is anything to watch for: a limit, or records of connections. */
bool tmo_guard_watch_needed(const struct tmo_guard_watch *watch);

/* Walks the tree. */
void tmo_guard_watch_walk(struct tmo_guard_watch *watch, int64_t now_ms);

/* Looks at what is due. Returns when the next look is; TMO_GUARD_NEVER: none is foreseen. */
int64_t tmo_guard_watch_look(struct tmo_guard_watch *watch, int64_t now_ms);

/* The program was stopped until NOW_MS: that was no waiting for a peer. */
void tmo_guard_watch_stopped(struct tmo_guard_watch *watch, int64_t now_ms);

#endif
