/* SPDX-License-Identifier: MIT
 * The processes below us. A walk looks at those that have run since the last one, by their clocks:
 * who has not run has made no system call, so that no child and no socket of it is new. (Threads
 * that share descriptors but not the process, clone(2) with CLONE_FILES alone, are not thought of.)
 * Layer: cli.
 */
#ifndef TMO_CLI_GUARDTREE_H
#define TMO_CLI_GUARDTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tmo_guard_reach {
    TMO_GUARD_UNASKED,
    TMO_GUARD_OURS,
    TMO_GUARD_LIBRARY,
    TMO_GUARD_RINGS, /* ours: what waits there are rings, be the library there or not */
};

struct tmo_guard_sock;

/* A descriptor that is a socket. */
struct tmo_guard_ref {
    int fd;
    bool library; /* counted in the socket's `library` */
    struct tmo_guard_sock *sock;
};

struct tmo_guard_proc {
    struct tmo_guard_proc *next;
    pid_t pid;
    int pidfd;
    int64_t ran_ns;             /* as of the last walk */
    uint64_t executed;          /* tmo_guard_executed() */
    bool stranger;              /* our own child from before: never looked at */
    bool refused;               /* the kernel does not let us look; that was told */
    enum tmo_guard_reach reach; /* who keeps the limits there */
    struct tmo_guard_ref *refs;
    size_t refs_count, refs_room;
    char program[256];
};

struct tmo_guard_tree {
    struct tmo_guard_proc *first, **end; /* in the order in which they were seen */
    int own;                             /* names our own children; -1: it cannot be had */
    bool blind; /* the kernel names no children, or has no pidfd; that was told */
    /* Called for a process that has run: its descriptors may be others. */
    void (*ran)(void *ctx, struct tmo_guard_proc *proc);
    /* Called before PROC goes: it has ended. */
    void (*gone)(void *ctx, struct tmo_guard_proc *proc);
    void *ctx;
};

/* To be called when the program was taken in: other children are from before, and left alone. */
void tmo_guard_tree_start(struct tmo_guard_tree *tree);

/* Takes PID, our child, in. */
void tmo_guard_tree_add(struct tmo_guard_tree *tree, pid_t pid);

/* One walk. */
void tmo_guard_tree_walk(struct tmo_guard_tree *tree);

/* Whether PID is a process of the tree, as of the last walk. */
bool tmo_guard_tree_has(const struct tmo_guard_tree *tree, pid_t pid);

#endif
