/* SPDX-License-Identifier: MIT
 * The waits of programs whose time_t has 64 bits where ours has 32. See sys/libc.h. Layer: wrap.
 *
 * Where something is watched they are made by the wrappers for 32 bits: a time of more than 68
 * years is taken for one of 68. What is no time stays none.
 */
#include "shim/wrap/wait.h"

#ifdef TMO_TWO_TIMES

#define TIME_MAX ((int64_t)INT32_MAX)

static time_t narrow_s(int64_t s)
{
    return (time_t)(s < 0 ? -1 : s < TIME_MAX ? s : TIME_MAX);
}

/* TIMEOUT, if there is one, in *RET. */
static const struct timespec *narrow(const struct tmo_timespec64 *timeout, struct timespec *ret)
{
    if (timeout == NULL)
        return NULL;
    *ret = (struct timespec){narrow_s(timeout->tv_sec), timeout->tv_nsec};
    return ret;
}

int wrap___ppoll64(struct pollfd *fds, nfds_t count, const struct tmo_timespec64 *timeout,
                   const sigset_t *mask)
{
    struct timespec t;
    if (!TMO_TSAN_BYTE(tmo_watch_on))
        return tmo_real.__ppoll64(fds, count, timeout, mask);
    return wrap_ppoll(fds, count, narrow(timeout, &t), mask);
}

int wrap___pselect64(int count, fd_set *read, fd_set *write, fd_set *except,
                     const struct tmo_timespec64 *timeout, const sigset_t *mask)
{
    struct timespec t;
    if (!TMO_TSAN_BYTE(tmo_watch_on))
        return tmo_real.__pselect64(count, read, write, except, timeout, mask);
    return wrap_pselect(count, read, write, except, narrow(timeout, &t), mask);
}

/* What is left is written by libc, as select(2) has it, if the time was one. */
int wrap___select64(int count, fd_set *read, fd_set *write, fd_set *except,
                    struct tmo_timeval64 *timeout)
{
    if (!TMO_TSAN_BYTE(tmo_watch_on) || timeout == NULL || timeout->tv_sec < 0 ||
        timeout->tv_usec < 0)
        return tmo_real.__select64(count, read, write, except, timeout);
    int64_t s = timeout->tv_sec, us = timeout->tv_usec;
    s = s < TIME_MAX ? s + us / 1000000 : s; /* libc takes any number of microseconds */
    struct timeval left = {narrow_s(s), (suseconds_t)(us % 1000000)};
    int n = wrap_select(count, read, write, except, &left);
    if (s < TIME_MAX)
        *timeout = (struct tmo_timeval64){left.tv_sec, left.tv_usec};
    return n;
}

/* Its time is read by the kernel alone. */
int wrap___epoll_pwait2_time64(int set, struct epoll_event *events, int max,
                               const struct tmo_timespec64 *timeout, const sigset_t *mask)
{
    struct timespec t;
    if (tmo_hot(set) < TMO_HOT_SLOW ||
        (timeout != NULL && !tmo_wait_can_read(timeout, sizeof(*timeout))))
        return tmo_real.__epoll_pwait2_time64(set, events, max, timeout, mask);
    return wrap_epoll_pwait2(set, events, max, narrow(timeout, &t), mask);
}

#endif
