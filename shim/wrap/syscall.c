/* SPDX-License-Identifier: MIT
 * syscall(2): passed through, but for the calls that we wrap under their own names. libuv closes
 * its sockets that way, dig and others more. Layer: wrap.
 *
 * Calls that make or end descriptors are always followed; data calls only on descriptors of ours.
 * None is a cancellation point, as syscall(2) is none.
 */
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/close.h"
#include "shim/wrap/last.h"
#include "shim/wrap/wait.h"
#include "shim/wrap/wrap.h"

#include <pthread.h>
#include <string.h>

#define P(type, x) ((type)(uintptr_t)(x))

/* Of any descriptor. Returns whether NR is one of these; the result is then in *RET. */
static bool follow_lifecycle(long nr, const long *a, long *ret)
{
    int fd = (int)a[0];
    switch (nr) {
#ifdef SYS_socket
    case SYS_socket:
        *ret = wrap_socket(fd, (int)a[1], (int)a[2]);
        return true;
    case SYS_socketpair:
        *ret = wrap_socketpair(fd, (int)a[1], (int)a[2], P(int *, a[3]));
        return true;
    case SYS_connect:
        *ret = wrap_connect(fd, P(const struct sockaddr *, a[1]), (socklen_t)a[2]);
        return true;
    case SYS_listen:
        *ret = wrap_listen(fd, (int)a[1]);
        return true;
    case SYS_accept4:
        *ret = wrap_accept4(fd, P(struct sockaddr *, a[1]), P(socklen_t *, a[2]), (int)a[3]);
        return true;
#endif
#ifdef SYS_accept
    case SYS_accept:
        *ret = wrap_accept(fd, P(struct sockaddr *, a[1]), P(socklen_t *, a[2]));
        return true;
#endif
    case SYS_close_range:
        *ret = tmo_close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
        return true;
    case SYS_dup:
        *ret = wrap_dup(fd);
        return true;
#ifdef SYS_dup2
    case SYS_dup2:
        *ret = wrap_dup2(fd, (int)a[1]);
        return true;
#endif
    case SYS_dup3:
        *ret = wrap_dup3(fd, (int)a[1], (int)a[2]);
        return true;
#ifdef __LP64__
    case SYS_setrlimit:
        *ret = wrap_setrlimit((int)a[0], P(const struct rlimit *, a[1]));
        return true;
    case SYS_prlimit64:
        *ret = wrap_prlimit((pid_t)a[0], (int)a[1], P(const struct rlimit *, a[2]),
                            P(struct rlimit *, a[3]));
        return true;
#endif
    case SYS_epoll_create1:
        *ret = wrap_epoll_create1(fd);
        return true;
    case SYS_epoll_ctl:
        *ret = wrap_epoll_ctl(fd, (int)a[1], (int)a[2], P(struct epoll_event *, a[3]));
        return true;
    case SYS_execve:
        *ret = wrap_execve(P(const char *, a[0]), P(char *const *, a[1]), P(char *const *, a[2]));
        return true;
    case SYS_execveat:
        *ret = tmo_execveat(fd, P(const char *, a[1]), P(char *const *, a[2]),
                            P(char *const *, a[3]), (int)a[4]);
        return true;
    default:
        return false;
    }
}

/* What is called by libc's name may be a point of cancellation, which syscall(2) is not. A thread
 * that may be cancelled at any point stays so. Returns what let_cancel() is to be given. */
static int hold_cancel(void)
{
    int type, state = PTHREAD_CANCEL_DISABLE;
    (void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    if (type == PTHREAD_CANCEL_DEFERRED)
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    else
        (void)pthread_setcanceltype(type, &type);
    return state;
}

static void let_cancel(int state)
{
    int ignored;
    if (state != PTHREAD_CANCEL_DISABLE)
        (void)pthread_setcancelstate(state, &ignored);
}

/* Of a descriptor that is ours. */
static bool follow_data(long nr, const long *a, long *ret)
{
    int fd = (int)a[0], flags = (int)a[3];
    void *buf = P(void *, a[1]);
    size_t len = (size_t)a[2];
    switch (nr) {
    case SYS_read:
        *ret = wrap_read(fd, buf, len);
        return true;
    case SYS_write:
        *ret = wrap_write(fd, buf, len);
        return true;
    case SYS_readv:
        *ret = wrap_readv(fd, P(const struct iovec *, a[1]), (int)a[2]);
        return true;
    case SYS_writev:
        *ret = wrap_writev(fd, P(const struct iovec *, a[1]), (int)a[2]);
        return true;
#if __SIZEOF_LONG__ == 8 /* else its offset is not that of the function of this name */
    case SYS_sendfile:
        *ret = wrap_sendfile(fd, (int)a[1], P(off_t *, a[2]), (size_t)a[3]);
        return true;
#endif
    case SYS_ioctl:
        *ret = wrap_ioctl(fd, (unsigned long)a[1], a[2]);
        return true;
#ifdef SYS_socket
    case SYS_recvfrom:
        *ret = wrap_recvfrom(fd, buf, len, flags, P(struct sockaddr *, a[4]), P(socklen_t *, a[5]));
        return true;
    case SYS_recvmsg:
        *ret = wrap_recvmsg(fd, P(struct msghdr *, a[1]), (int)a[2]);
        return true;
    case SYS_sendto:
        *ret = wrap_sendto(fd, buf, len, flags, P(const struct sockaddr *, a[4]), (socklen_t)a[5]);
        return true;
    case SYS_sendmsg:
        *ret = wrap_sendmsg(fd, P(const struct msghdr *, a[1]), (int)a[2]);
        return true;
    case SYS_sendmmsg:
        *ret = wrap_sendmmsg(fd, P(struct mmsghdr *, a[1]), (unsigned)a[2], flags);
        return true;
    case SYS_shutdown:
        *ret = wrap_shutdown(fd, (int)a[1]);
        return true;
    case SYS_setsockopt:
        *ret = wrap_setsockopt(fd, (int)a[1], (int)a[2], P(const void *, a[3]), (socklen_t)a[4]);
        return true;
    case SYS_getsockopt:
        *ret = wrap_getsockopt(fd, (int)a[1], (int)a[2], P(void *, a[3]), P(socklen_t *, a[4]));
        return true;
#endif
#if defined(SYS_recvmmsg) && __SIZEOF_LONG__ == 8
    case SYS_recvmmsg:
        *ret = wrap_recvmmsg(fd, P(struct mmsghdr *, a[1]), (unsigned)a[2], flags,
                             P(struct timespec *, a[4]));
        return true;
#endif
    default:
        break;
    }
    if (nr == TMO_SYS_fcntl) {
        *ret = wrap_fcntl(fd, (int)a[1], a[2]);
        return true;
    }
    return false;
}

/* Waits for several descriptors. They may be bounded only where something is watched; and are then
 * made under the names of libc, which leave a timespec alone where the kernel counts it down. */
static bool follow_wait(long nr, const long *a, long *ret)
{
    switch (nr) {
#ifdef SYS_poll
    case SYS_poll:
        *ret = wrap_poll(P(struct pollfd *, a[0]), (nfds_t)a[1], (int)a[2]);
        return true;
#endif
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
        *ret = wrap_epoll_wait((int)a[0], P(struct epoll_event *, a[1]), (int)a[2], (int)a[3]);
        return true;
#endif
#if defined(SYS_select) && __SIZEOF_LONG__ == 8 /* else its timeval is not libc's, maybe */
    case SYS_select:
        if (a[4] != 0 && !tmo_wait_can_read(P(void *, a[4]), sizeof(struct timeval)))
            return false;
        *ret = wrap_select((int)a[0], P(fd_set *, a[1]), P(fd_set *, a[2]), P(fd_set *, a[3]),
                           P(struct timeval *, a[4]));
        return true;
#endif
    default:
        return false;
    }
}

static bool is_wait(long nr)
{
#ifdef SYS_poll
    if (nr == SYS_poll || nr == SYS_epoll_wait)
        return true;
#endif
#ifdef SYS_select
    if (nr == SYS_select)
        return true;
#endif
#ifdef SYS_epoll_pwait2
    if (nr == SYS_epoll_pwait2)
        return true;
#endif
    return nr == SYS_ppoll || nr == SYS_pselect6 || nr == SYS_epoll_pwait;
}

#if __SIZEOF_LONG__ == 8
/* The mask of a call that hands over SIZE bytes at MASK. Returns whether libc can be given it. */
static bool take_mask(long mask, long size, sigset_t *ret)
{
    if (size != 8 || !tmo_wait_can_read(P(void *, mask), 8))
        return false;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, P(void *, mask), 8);
    return true;
}

/* What is left of the timespec at AT, SPENT_NS later, as the kernel leaves it; one of 0 stays. */
static void count_down(long at, const struct timespec *whole, int64_t start_ns)
{
    int64_t left_ns = tmo_wait_ns(whole->tv_sec, whole->tv_nsec) - (tmo_clock_ns() - start_ns);
    if (left_ns < 0)
        left_ns = 0;
    /* The kernel says nothing where it cannot write; this call finds out, and writes. */
    if (TMO_RAW2(SYS_clock_getres, CLOCK_MONOTONIC, at) == 0)
        *P(struct timespec *, at) =
            (struct timespec){(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
}

/* ppoll, pselect6, epoll_pwait, epoll_pwait2: those with a mask. */
static bool follow_masked_wait(long nr, const long *a, long *ret)
{
    sigset_t mask;
    struct timespec whole = {0, 0};
    long timeout = nr == SYS_ppoll ? a[2] : nr == SYS_pselect6 ? a[4] : a[3];
    long mask_at = nr == SYS_ppoll ? a[3] : a[4], size = nr == SYS_ppoll ? a[4] : a[5];
    bool timed = nr != SYS_epoll_pwait && timeout != 0;
    if (nr == SYS_pselect6) { /* a pointer to both */
        mask_at = 0;
        if (a[5] != 0 && !tmo_wait_can_read(P(void *, a[5]), 16))
            return false;
        if (a[5] != 0) {
            mask_at = P(long *, a[5])[0];
            size = P(long *, a[5])[1];
        }
    }
    if (mask_at != 0 && !take_mask(mask_at, size, &mask))
        return false;
    if (timed) {
        if (!tmo_wait_can_read(P(void *, timeout), sizeof(whole)))
            return false;
        whole = *P(struct timespec *, timeout);
        if (whole.tv_sec < 0 || whole.tv_nsec < 0 || whole.tv_nsec >= 1000000000)
            return false;
    }
    const sigset_t *masked = mask_at != 0 ? &mask : NULL;
    int64_t start_ns = timed ? tmo_clock_ns() : 0;
    if (nr == SYS_ppoll)
        *ret = wrap_ppoll(P(struct pollfd *, a[0]), (nfds_t)a[1], timed ? &whole : NULL, masked);
    else if (nr == SYS_pselect6)
        *ret = wrap_pselect((int)a[0], P(fd_set *, a[1]), P(fd_set *, a[2]), P(fd_set *, a[3]),
                            timed ? &whole : NULL, masked);
    else if (nr == SYS_epoll_pwait)
        *ret = wrap_epoll_pwait((int)a[0], P(struct epoll_event *, a[1]), (int)a[2], (int)a[3],
                                masked);
#ifdef SYS_epoll_pwait2
    else
        *ret = tmo_epoll_pwait2((int)a[0], P(struct epoll_event *, a[1]), (int)a[2],
                                timed ? &whole : NULL, masked);
#endif
    if (timed && (nr == SYS_ppoll || nr == SYS_pselect6) &&
        (whole.tv_sec != 0 || whole.tv_nsec != 0)) {
        int e = errno;
        count_down(timeout, &whole, start_ns);
        errno = e;
    }
    return true;
}

static bool is_masked_wait(long nr)
{
#ifdef SYS_epoll_pwait2
    if (nr == SYS_epoll_pwait2)
        return true;
#endif
    return nr == SYS_ppoll || nr == SYS_pselect6 || nr == SYS_epoll_pwait;
}
#endif

/* The waits. Returns whether NR is one. */
static bool follow_any_wait(long nr, const long *a, long *ret)
{
    int state;
    bool is = is_wait(nr);
    if (!is)
        return false;
    state = hold_cancel();
    is = follow_wait(nr, a, ret);
#if __SIZEOF_LONG__ == 8
    is = is || (is_masked_wait(nr) && follow_masked_wait(nr, a, ret));
#endif
    let_cancel(state);
    return is;
}

/* Calls that may be points of cancellation under their own names, among those of
 * follow_lifecycle(): on descriptors that are not ours they are as syscall(2) makes them. */
static bool is_point(long nr)
{
#ifdef SYS_accept
    if (nr == SYS_accept)
        return true;
#endif
#ifdef SYS_socket
    if (nr == SYS_connect || nr == SYS_accept4)
        return true;
#endif
    return false;
}

/* A child that libc does not know of, so that no fork handler runs: it says nothing (self.h). */
static bool makes_process(long nr)
{
#ifdef SYS_fork
    if (nr == SYS_fork)
        return true;
#endif
#ifdef SYS_vfork
    if (nr == SYS_vfork)
        return true;
#endif
#ifdef SYS_clone3
    if (nr == SYS_clone3)
        return true;
#endif
    return nr == SYS_clone;
}

long wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    long args[6] = {a, b, c, d, e, f}, ret;
    if (!tmo_current.active || tmo_self_borrowed())
        return tmo_real.syscall(nr, a, b, c, d, e, f);
    if (nr == SYS_close) /* libuv closes this way because it is no point of cancellation */
        return tmo_close_mind((int)a) ? tmo_real.syscall(nr, a, b, c, d, e, f) : -1;
    bool point = is_point(nr);
    if (point && tmo_track_slot((int)a) == NULL)
        return tmo_real.syscall(nr, a, b, c, d, e, f);
    int state = point ? hold_cancel() : PTHREAD_CANCEL_DISABLE;
    bool is = follow_lifecycle(nr, args, &ret);
    let_cancel(state);
    if (is)
        return ret;
    if ((unsigned long)a < TMO_TRACK_FDS && tmo_hot((int)a) != TMO_HOT_NONE) {
        state = hold_cancel();
        is = follow_data(nr, args, &ret);
        let_cancel(state);
        if (is)
            return ret;
    }
    if (TMO_TSAN_BYTE(tmo_watch_on) && follow_any_wait(nr, args, &ret))
        return ret;
    if (nr == SYS_splice) { /* either of its descriptors may be ours */
        state = hold_cancel();
        ret = wrap_splice((int)a, P(off64_t *, b), (int)c, P(off64_t *, d), (size_t)e, (unsigned)f);
        let_cancel(state);
        return ret;
    }
    if (nr == SYS_exit_group)
        tmo_last_records("exit", false);
    if (makes_process(nr))
        tmo_self.vforked = true;
    return tmo_real.syscall(nr, a, b, c, d, e, f);
}
