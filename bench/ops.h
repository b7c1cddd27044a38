/* SPDX-License-Identifier: MIT
 * The table of named operations. Each is one libc call, or a short sequence, in a loop that
 * holds nothing else: so the same operation can be counted by strace and by valgrind, and timed.
 */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#include "bench/ends.h"

#include <stddef.h>

struct op {
    const char *name;
    /* Which bounds hold; run.sh has the numbers:
     *   foreign, ours, fails    data calls, by the kind of descriptor and how they come out
     *   iov, mmsg               data calls with an iovec or an mmsghdr
     *   wait, unwatched         poll, select, epoll_wait and kin, on TCP or in a process without
     *   fcntl
     *   connecting, accepted, listening, other    from socket to established
     *   close-ours, close-other
     *   cycle       all of these at once
     *   time, threads           timed only */
    const char *class;
    int max; /* calls that one `prepare` can serve */
    /* Makes COUNT calls possible; returns the descriptor for `run`. */
    int (*prepare)(const struct op *op, int count);
    int (*run)(int fd, int count); /* returns how many calls did not do what they should */
    enum end_kind end;
    void (*ready)(void); /* called just before each run, unmeasured; NULL: nothing to do */
};

#define MAX_CONNECTIONS 256

extern const struct op data_ops[], wait_ops[], life_ops[], thread_ops[];
extern const size_t data_op_count, wait_op_count, life_op_count, thread_op_count;

int prepare_in(const struct op *op, int count);
int prepare_out(const struct op *op, int count);

#endif
