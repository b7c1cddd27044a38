/* SPDX-License-Identifier: MIT
 * Every call that waits for descriptors, under one shape, for steps.c and waits.c: by its libc
 * name, and as sys_NAME by syscall(2).
 */
#ifndef TESTS_PROGRAMS_WAITING_H
#define TESTS_PROGRAMS_WAITING_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __GLIBC__
#pragma GCC diagnostic ignored "-Wsign-conversion" /* inside musl's FD_SET */
#endif

/* Of the type that the kernel takes: of an int, syscall(2) hands over bits that nobody set. */
#define KERNEL_MASK_BYTES ((size_t)8)

/* What pselect6 takes for its sixth argument. */
struct raw_mask {
    const sigset_t *mask;
    size_t bytes;
};

/* Times are ms, below 0 for ever. A mask that is NULL, or given to a call that takes none, is as
 * it is. */
struct waiting {
    const char *name;
    const char *recorded; /* the call as a record names it */
    int (*poll)(struct pollfd *fds, nfds_t count, int ms, const sigset_t *mask);
    int (*select)(int count, fd_set *in, fd_set *out, fd_set *odd, int ms, const sigset_t *mask);
    int (*epoll)(int fd, struct epoll_event *events, int most, int ms, const sigset_t *mask);
    bool masks;
    bool raw; /* by syscall(2): no point of cancellation */
};

static struct timespec *timespec_of(struct timespec *ret, int ms)
{
    *ret = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    return ms < 0 ? NULL : ret;
}

#define POLL(name, expression)                                                                     \
    static int poll_##name(struct pollfd *fds, nfds_t count, int ms, const sigset_t *mask)         \
    {                                                                                              \
        struct timespec time, *until = timespec_of(&time, ms);                                     \
        (void)until, (void)mask;                                                                   \
        return (int)(expression);                                                                  \
    }

#define SELECT(name, expression)                                                                   \
    static int select_##name(int count, fd_set *in, fd_set *out, fd_set *odd, int ms,              \
                             const sigset_t *mask)                                                 \
    {                                                                                              \
        struct timespec time, *until = timespec_of(&time, ms);                                     \
        struct timeval whole = {.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};            \
        struct timeval *left = ms < 0 ? NULL : &whole;                                             \
        struct raw_mask raw = {mask, KERNEL_MASK_BYTES};                                           \
        (void)until, (void)left, (void)raw;                                                        \
        return (int)(expression);                                                                  \
    }

#define EPOLL(name, expression)                                                                    \
    static int epoll_##name(int fd, struct epoll_event *events, int most, int ms,                  \
                            const sigset_t *mask)                                                  \
    {                                                                                              \
        struct timespec time, *until = timespec_of(&time, ms);                                     \
        (void)until, (void)mask;                                                                   \
        return (int)(expression);                                                                  \
    }

/* Times of 64 bits, and system calls and fortified forms that take those of 32. */
#if defined(_TIME_BITS) && _TIME_BITS == 64 && !defined(__LP64__)
#define TIMES_DIFFER
#endif

POLL(poll, poll(fds, count, ms))
POLL(ppoll, ppoll(fds, count, until, mask))
SELECT(select, select(count, in, out, odd, left))
SELECT(pselect, pselect(count, in, out, odd, until, mask))
EPOLL(epoll_wait, epoll_wait(fd, events, most, ms))
EPOLL(epoll_pwait, epoll_pwait(fd, events, most, ms, mask))

#ifdef SYS_poll
POLL(sys_poll, syscall(SYS_poll, fds, count, ms))
#endif
#if defined(SYS_ppoll) && !defined(TIMES_DIFFER)
POLL(sys_ppoll, syscall(SYS_ppoll, fds, count, until, mask, KERNEL_MASK_BYTES))
#endif
#if defined(SYS_select) && defined(__LP64__)
SELECT(sys_select, syscall(SYS_select, count, in, out, odd, left))
#endif
#if defined(SYS_pselect6) && !defined(TIMES_DIFFER)
SELECT(sys_pselect6, syscall(SYS_pselect6, count, in, out, odd, until, &raw))
#endif
#ifdef SYS_epoll_wait
EPOLL(sys_epoll_wait, syscall(SYS_epoll_wait, fd, events, most, ms))
#endif
EPOLL(sys_epoll_pwait, syscall(SYS_epoll_pwait, fd, events, most, ms, mask, KERNEL_MASK_BYTES))
#if defined(SYS_epoll_pwait2) && defined(__LP64__)
EPOLL(sys_epoll_pwait2, syscall(SYS_epoll_pwait2, fd, events, most, until, mask, KERNEL_MASK_BYTES))
#endif

#ifdef __GLIBC__
extern int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room);
extern int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *until,
                       const sigset_t *mask, size_t room);
POLL(__poll_chk, __poll_chk(fds, count, ms, SIZE_MAX))
#ifndef TIMES_DIFFER
POLL(__ppoll_chk, __ppoll_chk(fds, count, until, mask, SIZE_MAX))
#endif
#if __GLIBC_PREREQ(2, 35)
#define HAS_EPOLL_PWAIT2
EPOLL(epoll_pwait2, epoll_pwait2(fd, events, most, until, mask))
#endif
#endif

static const struct waiting waitings[] = {
    {"poll", "poll", .poll = poll_poll},
    {"ppoll", "ppoll", .poll = poll_ppoll, .masks = true},
    {"select", "select", .select = select_select},
    {"pselect", "pselect", .select = select_pselect, .masks = true},
    {"epoll_wait", "epoll_wait", .epoll = epoll_epoll_wait},
    {"epoll_pwait", "epoll_pwait", .epoll = epoll_epoll_pwait, .masks = true},
#ifdef HAS_EPOLL_PWAIT2
    {"epoll_pwait2", "epoll_pwait2", .epoll = epoll_epoll_pwait2, .masks = true},
#endif
#ifdef __GLIBC__
    {"__poll_chk", "poll", .poll = poll___poll_chk},
#ifndef TIMES_DIFFER
    {"__ppoll_chk", "ppoll", .poll = poll___ppoll_chk, .masks = true},
#endif
#endif
#ifdef SYS_poll
    {"sys_poll", "poll", .poll = poll_sys_poll, .raw = true},
#endif
#if defined(SYS_ppoll) && !defined(TIMES_DIFFER)
    {"sys_ppoll", "ppoll", .poll = poll_sys_ppoll, .masks = true, .raw = true},
#endif
#if defined(SYS_select) && defined(__LP64__)
    {"sys_select", "select", .select = select_sys_select, .raw = true},
#endif
#if defined(SYS_pselect6) && !defined(TIMES_DIFFER)
    {"sys_pselect6", "pselect", .select = select_sys_pselect6, .masks = true, .raw = true},
#endif
#ifdef SYS_epoll_wait
    {"sys_epoll_wait", "epoll_wait", .epoll = epoll_sys_epoll_wait, .raw = true},
#endif
    {"sys_epoll_pwait", "epoll_pwait", .epoll = epoll_sys_epoll_pwait, .masks = true, .raw = true},
#if defined(SYS_epoll_pwait2) && defined(__LP64__)
    {"sys_epoll_pwait2", "epoll_pwait2", .epoll = epoll_sys_epoll_pwait2, .masks = true,
     .raw = true},
#endif
};

enum { WAITINGS = sizeof waitings / sizeof waitings[0] };

/* A wait for one descriptor, by whichever call. POLLIN and its like have the numbers of EPOLLIN and
 * its like; to select they are the three sets. */
struct wait {
    const struct waiting *how;
    int fd;
    int epoll_fd; /* that has FD in it, for those that need one */
    uint32_t events;
    uint32_t happened;
};

static bool by_number; /* the next two are made by syscall(2) */

static int set_made(void)
{
    return by_number ? (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC)
                     : epoll_create1(EPOLL_CLOEXEC);
}

static int set_changed(int set, int op, int fd, struct epoll_event *interest)
{
    return by_number ? (int)syscall(SYS_epoll_ctl, set, op, fd, interest)
                     : epoll_ctl(set, op, fd, interest);
}

static struct wait wait_for(const struct waiting *how, int fd, uint32_t events)
{
    struct wait ret = {.how = how, .fd = fd, .epoll_fd = -1, .events = events};
    struct epoll_event interest = {.events = events, .data.fd = fd};

    if (how->epoll != NULL) {
        ret.epoll_fd = set_made();
        set_changed(ret.epoll_fd, EPOLL_CTL_ADD, fd, &interest);
    }
    return ret;
}

/* What the call returns; `happened` says the rest. */
static int wait_now(struct wait *wait, int ms, const sigset_t *mask)
{
    const struct waiting *how = wait->how;
    int n;

    wait->happened = 0;
    if (how->poll != NULL) {
        struct pollfd one = {.fd = wait->fd, .events = (short)wait->events};

        n = how->poll(&one, 1, ms, mask);
        if (n > 0)
            wait->happened = (uint16_t)one.revents;
    } else if (how->select != NULL) {
        fd_set in, out, odd;

        FD_ZERO(&in);
        FD_ZERO(&out);
        FD_ZERO(&odd);
        if ((wait->events & POLLIN) != 0)
            FD_SET(wait->fd, &in);
        if ((wait->events & POLLOUT) != 0)
            FD_SET(wait->fd, &out);
        if ((wait->events & POLLPRI) != 0)
            FD_SET(wait->fd, &odd);
        n = how->select(wait->fd + 1, &in, &out, &odd, ms, mask);
        if (n > 0)
            wait->happened = (FD_ISSET(wait->fd, &in) ? POLLIN : 0U) |
                             (FD_ISSET(wait->fd, &out) ? POLLOUT : 0U) |
                             (FD_ISSET(wait->fd, &odd) ? POLLPRI : 0U);
    } else {
        struct epoll_event one = {.events = 0};

        n = how->epoll(wait->epoll_fd, &one, 1, ms, mask);
        if (n > 0)
            wait->happened = one.events;
    }
    return n;
}

#endif
