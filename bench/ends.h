/* SPDX-License-Identifier: MIT
 * The descriptors that operations run on: one of each kind, opened at first use, with the other
 * end at hand to feed it and to drain it.
 */
#ifndef BENCH_ENDS_H
#define BENCH_ENDS_H

#include <stdbool.h>

enum end_kind {
    END_FILE,
    END_PIPE,
    END_UNIX,
    END_UDP,
    END_TCP,      /* connected, blocking */
    END_ACCEPTED, /* accepted, blocking */
    END_TCP_NB,   /* connected, non-blocking */
    END_FULL,     /* connected, non-blocking, and its peer takes nothing more */
    END_RESET,    /* connected, and its peer sent a RST */
    END_COUNT
};

struct end {
    int in, out;     /* what is measured: reads from `in`, writes to `out` */
    int feed, drain; /* the other ends of those; -1 for a file */
    bool datagram;
};

/* Opens the end at the first call. Ends the program where that fails. */
const struct end *end_get(enum end_kind kind);

/* Makes COUNT reads of one byte (or one datagram) succeed at once, and no more than those. */
void end_feed(const struct end *end, int count);

/* Makes room for writes. */
void end_drain(const struct end *end);

/* A listening TCP socket on loopback, with the address it got in end_address. */
int end_listen(void);

/* A connection: ret[0] connected, ret[1] accepted. */
void end_connect(int listener, int flags, int ret[2]);

/* Raises the limit of descriptors as far as it goes. Returns how many sockets of SOCKETS can be
 * held under it. */
int end_allow(int sockets);

/* Ends the program with status 1 and says why. */
void die(const char *what);

struct sockaddr_in;
extern struct sockaddr_in end_address;

#endif
