/* SPDX-License-Identifier: MIT
 * One socket of the tree, by whatever descriptors in whatever processes, and what a look finds.
 * Layer: cli.
 */
#ifndef TMO_CLI_GUARDSOCK_H
#define TMO_CLI_GUARDSOCK_H

#include "cli/guardwatch.h"
#include "shim/policy/deadline.h"

enum tmo_guard_kind {
    TMO_GUARD_NEW,    /* never looked at */
    TMO_GUARD_OTHER,  /* no TCP */
    TMO_GUARD_LISTEN, /* waits for nobody in particular */
    TMO_GUARD_CONN,
};

struct tmo_guard_sock {
    struct tmo_guard_sock *same;            /* the next in its bucket */
    struct tmo_guard_sock *next, **pointed; /* of all, and what points here */
    uint64_t inode, cookie;
    unsigned refs, library;        /* descriptors that lead here; of them in the library's care */
    struct tmo_guard_proc *holder; /* one of those who have it, as FD; NULL: not known */
    int fd;
    unsigned walk; /* in which it was last seen */
    enum tmo_guard_kind kind;
    int64_t due_ms; /* the next look */
    bool mptcp;
    bool was_library; /* the library had it in its care */
    bool left;        /* ... when it was to be looked at last */

    /* Of a connection. */
    bool begun;       /* it is one, or was */
    bool closed;      /* ... the socket is unconnected again */
    bool ended;       /* ... by us */
    bool settled;     /* nothing is owed: until the program runs, only idle and total can pass */
    bool unread;      /* at the last look the program had bytes to read */
    int64_t begun_ms; /* when it was first seen */
    int64_t from_ms;  /* since when the program may have been waiting for bytes; 0: always */
    unsigned dir;     /* TMO_TO, TMO_FROM */
    unsigned noted;   /* action = report: tmo_limit_noted() of what is on record */
    uint8_t moved;    /* ... and what had moved then */
    unsigned timeouts;
    const struct tmo_plan *plan; /* NULL: left alone */
    pid_t pid;                   /* who had it first */
    char *program;
    struct tmo_address local, peer;
};

/* Looks at SOCK, sets when the next look is, and ends it if it is overdue. */
void tmo_guard_sock_look(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock);

/* Puts the end of SOCK on record, if it was a connection in our care. */
void tmo_guard_sock_gone(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock);

/* The shortest limit of a connection with PLAN, once it is one; TMO_GUARD_NEVER: none. */
int64_t tmo_guard_least_ms(const struct tmo_plan *plan);

/* Whether the library keeps the limits in PROC. That is asked once an exec, but with AGAIN also
 * where it was not there: it may have been about to be loaded. */
bool tmo_guard_is_library(struct tmo_guard_watch *watch, struct tmo_guard_proc *proc, bool again);

#endif
