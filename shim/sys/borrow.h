/* SPDX-License-Identifier: MIT
 * The program's descriptors, seen from a thread of ours that has a table of its own: what such a
 * thread opens never takes a number that the program may be about to get, and the numbers that it
 * is asked to look at are the program's. Layer: sys. Signal-safe; errno is kept.
 */
#ifndef TMO_SYS_BORROW_H
#define TMO_SYS_BORROW_H

#include "shim/sys/raw.h"

/* The pidfd of this process + 1, in such a thread, in its table; -1: there is none, and nothing can
 * be borrowed; else 0. */
extern __thread int tmo_borrow_pidfd_1 TMO_HIDDEN __attribute__((tls_model("initial-exec")));

/* Gives the calling thread an empty table of descriptors, for good. Returns 0, or -errno: -ENOSYS
 * before Linux 5.9. (close_range(2), CLOSE_RANGE_UNSHARE; pidfd_getfd(2), Linux 5.6, which lets
 * threads of one process have each other's: kernel/ptrace.c, __ptrace_may_access) */
int tmo_borrow_start(void);

/* The program's descriptor FD for the calling thread: FD itself, or in such a thread a copy in its
 * table; -errno. tmo_borrow_end() is to follow. */
static inline int tmo_borrow(int fd)
{
    int tmo_borrow_slow(int fd);
    return __builtin_expect(tmo_borrow_pidfd_1 == 0, 1) ? fd : tmo_borrow_slow(fd);
}

static inline void tmo_borrow_end(int borrowed)
{
    if (__builtin_expect(tmo_borrow_pidfd_1 != 0, 0) && borrowed >= 0)
        (void)tmo_raw_close(borrowed);
}

/* A copy of the program's descriptor FD that is the caller's to close; -errno. Out of the way of
 * the numbers that programs count on. */
int tmo_borrow_copy(int fd);

#endif
