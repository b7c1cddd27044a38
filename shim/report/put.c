/* SPDX-License-Identifier: MIT
 * Writing without waiting and without signals. See put.h.
 *
 * How to avoid waiting differs by kind: O_NONBLOCK on what we opened ourselves, MSG_DONTWAIT on
 * sockets, a look before (and RWF_NOWAIT) on pipes, another opening of terminals. The flags of a
 * descriptor of the program are never changed: they are shared with other processes.
 */
#include "shim/report/put.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* linux/fs.h */
#endif

static long write_parts(const struct tmo_put *p)
{
    if (p->nowait) {
        long r = tmo_raw_call(SYS_pwritev2, p->fd, (long)p->parts, p->count, -1, -1, RWF_NOWAIT);
        if (r != -EOPNOTSUPP && r != -ENOSYS && r != -EPERM)
            return r; /* else an older kernel's pipes do not know it, or seccomp(2) does not */
    }
    return TMO_RAW3(SYS_writev, p->fd, p->parts, p->count);
}

/* Writes while SIGNAL, which this may raise in the calling thread, is held back; what was raised is
 * taken. One that was pending before is left alone, it is the program's. */
static long write_held(const struct tmo_put *p, int signal)
{
    uint64_t set = UINT64_C(1) << (signal - 1), old = 0, pending = 0; /* the kernel's sigset_t */
    struct timespec none = {0, 0};

    if (TMO_RAW4(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, sizeof(set)) < 0)
        return -EAGAIN;
    if ((old & set) != 0)
        (void)TMO_RAW2(SYS_rt_sigpending, &pending, sizeof(pending));
    long r = write_parts(p);
    if (r < 0 && (pending & set) == 0 && (r == -EPIPE || r == -EFBIG))
        (void)TMO_RAW4(SYS_rt_sigtimedwait, &set, 0, &none, sizeof(set));
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
    return r;
}

/* A terminal takes what it has room for and then waits. One of our own opening does not, so it is
 * opened once more for the moment; without /proc or the right to, the program's is used. */
static long write_terminal(struct tmo_put *p)
{
    static const char folder[] = "/proc/thread-self/fd/"; /* its table need not be the process's */
    char path[sizeof(folder) + 10], digits[10];
    int ignored, n = p->fd;
    size_t at = sizeof(folder) - 1, count = 0;

    if (TMO_RAW3(SYS_ioctl, p->fd, TIOCGETD, &ignored) < 0)
        return write_held(p, SIGTTOU); /* another device */
    memcpy(path, folder, at);
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    while (count > 0)
        path[at++] = digits[--count];
    path[at] = '\0';
    long own = TMO_RAW3(SYS_openat, AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0)
        p->fd = (int)own;
    long r = write_held(p, SIGTTOU); /* from the background, with stty tostop */
    if (own >= 0)
        (void)tmo_raw_close((int)own);
    return r;
}

long tmo_put(struct tmo_put *p, const struct tmo_statx *is)
{
    if (tmo_statx_is(is, S_IFREG))
        return p->limited ? write_held(p, SIGXFSZ) : write_parts(p);
    if (tmo_statx_is(is, S_IFSOCK)) {
        struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)p->parts,
                           .msg_iovlen = (__typeof__(m.msg_iovlen))p->count};
        return TMO_RAW3(SYS_sendmsg, p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (!p->own) {
        int ready = tmo_raw_peek(p->fd, POLLOUT);
        if (ready < 0)
            return ready;
        if ((ready & POLLERR) != 0)
            return -EPIPE; /* no reader */
        if ((ready & POLLOUT) == 0)
            return -EAGAIN;
    }
    if (tmo_statx_is(is, S_IFIFO)) {
        p->nowait = !p->own;
        return write_held(p, SIGPIPE);
    }
    return p->own ? write_held(p, SIGTTOU) : write_terminal(p);
}
