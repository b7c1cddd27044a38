/* SPDX-License-Identifier: MIT
 * The program's descriptors from another table. See borrow.h.
 */
#include "shim/sys/borrow.h"

#include <limits.h>

#define CLOSE_RANGE_OF_OWN (1U << 1) /* CLOSE_RANGE_UNSHARE, linux/close_range.h */

__thread int tmo_borrow_pidfd_1;

int tmo_borrow_slow(int fd);

int tmo_borrow_start(void)
{
    int r = (int)TMO_RAW3(TMO_SYS_close_range, 0, UINT_MAX, CLOSE_RANGE_OF_OWN);
    if (r < 0)
        return r == -EINVAL ? -ENOSYS : r;
    tmo_borrow_pidfd_1 = -1; /* whatever follows: no number is the program's any more */
    int pidfd = (int)TMO_RAW2(SYS_pidfd_open, tmo_raw_getpid(), 0);
    if (pidfd < 0)
        return pidfd;
    /* Of no descriptor the answer is EBADF, unless nothing is allowed at all: container runtimes
     * have filters that refuse it. */
    r = (int)TMO_RAW3(SYS_pidfd_getfd, pidfd, -1, 0);
    if (r != -EBADF)
        return r < 0 ? r : -EPERM;
    tmo_borrow_pidfd_1 = pidfd + 1;
    return 0;
}

int tmo_borrow_slow(int fd)
{
    return (int)TMO_RAW3(SYS_pidfd_getfd, tmo_borrow_pidfd_1 - 1, fd, 0);
}

int tmo_borrow_copy(int fd)
{
    if (tmo_borrow_pidfd_1 != 0)
        return tmo_borrow_slow(fd);
    return (int)TMO_RAW3(TMO_SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd < 64 ? 64 : fd + 1);
}
