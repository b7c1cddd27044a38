/* SPDX-License-Identifier: MIT
 * Futexes. See futex.h. Layer: sys.
 */
#include "shim/sys/futex.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"

#include <errno.h>

/* Of linux/futex.h, which a compiler for musl is without; within this process. */
enum { FUTEX_WAKE = 1 | 128, FUTEX_WAIT_BITSET = 9 | 128 };
#define FUTEX_BITSET_ANY (-1L)

long tmo_futex_wait(const int *at, int value, int64_t deadline_ns)
{
    struct timespec until = {(time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000)};
    bool ends = deadline_ns / 1000000000 == (int64_t)until.tv_sec && deadline_ns != INT64_MAX;
    long r = tmo_raw_call(SYS_futex, (long)at, FUTEX_WAIT_BITSET, value,
                          (long)(ends ? &until : NULL), 0, FUTEX_BITSET_ANY);
    if (r == -ENOSYS || r == -EPERM)
        tmo_clock_sleep(1000000);
    return r;
}

void tmo_futex_wake(const int *at, int count)
{
    (void)TMO_RAW3(SYS_futex, at, FUTEX_WAKE, count);
}
