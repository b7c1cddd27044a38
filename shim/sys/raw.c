/* SPDX-License-Identifier: MIT
 * System calls of our own. See raw.h.
 */
#include "shim/sys/raw.h"
#include "shim/sys/real.h"

#include <errno.h>
#include <sys/mman.h>

#ifdef TMO_RAW_BY_LIBC
long tmo_raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
    int kept = errno;
    long r = tmo_real.syscall(nr, a, b, c, d, e, f);
    if (r == -1)
        r = -errno;
    errno = kept;
    return r;
}
#endif

int tmo_raw_close(int fd)
{
    return (int)TMO_RAW1(SYS_close, fd);
}

pid_t tmo_raw_getpid(void)
{
    return (pid_t)TMO_RAW1(SYS_getpid, 0);
}

pid_t tmo_raw_gettid(void)
{
    return (pid_t)TMO_RAW1(SYS_gettid, 0);
}

int tmo_raw_is_nonblocking(int fd)
{
    long flags = TMO_RAW2(TMO_SYS_fcntl, fd, F_GETFL);
    return flags < 0 ? (int)flags : (flags & O_NONBLOCK) != 0;
}

int tmo_raw_peek(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    struct timespec none = {0, 0};
    long r = TMO_RAW5(SYS_ppoll, &p, 1, &none, 0, 0);
    return r < 0 ? (int)r : p.revents;
}

int tmo_raw_wait(int fd, short events, int64_t ns)
{
    int kept = errno;
    struct pollfd p = {fd, events, 0};
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    int r = tmo_real.ppoll(&p, 1, ns < 0 ? NULL : &t, NULL);
    r = r < 0 ? -errno : r > 0 ? p.revents : 0;
    errno = kept;
    return r;
}

int tmo_raw_wait_through(int fd, short events, int64_t ns)
{
    struct pollfd p = {fd, events, 0};
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    long r = TMO_RAW5(SYS_ppoll, &p, 1, ns < 0 ? NULL : &t, 0, 0);
    return r < 0 ? (int)r : p.revents;
}

void *tmo_raw_map(size_t size)
{
    int kept = errno;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = kept;
    return at != MAP_FAILED ? at : NULL;
}

void tmo_raw_unmap(void *at, size_t size)
{
    int kept = errno;
    (void)munmap(at, size);
    errno = kept;
}
