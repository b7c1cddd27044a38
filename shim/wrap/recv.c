/* SPDX-License-Identifier: MIT
 * Waits for the peer to send: read, readv, recv, recvfrom, recvmsg, recvmmsg and their fortified
 * forms. Layer: wrap.
 *
 * Shape of each: one byte looked up; not ours, or nothing to do after: a jump. Ours: the arguments
 * are kept on the stack, the call is made, and a result above 0 is returned as it is. MSG_WAITALL
 * must be looked at closer, as a short count may be our limit's doing.
 */
#include "shim/wrap/call.h"
#include "shim/wrap/made.h"

#include <string.h>

/* --- read ------------------------------------------------------------------------------------ */

static ssize_t make_read(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    if (more != 0 && c->len > 0) /* on a socket, read(2) is recv(2) without flags; of 0 bytes only
                                  * the latter waits */
        return tmo_result(tmo_real.recv(c->fd, (void *)(uintptr_t)c->buf, c->len, more));
    return tmo_result(tmo_real.read(c->fd, (void *)(uintptr_t)c->buf, c->len));
}

static const struct tmo_kind kind_read = {"read", TMO_RECV, make_read};

ssize_t wrap_read(int fd, void *buf, size_t len)
{
    TMO_CHECKED_OR(fd, other);
    struct tmo_args a;
    TMO_KEEP_ARGS(a, fd, buf, len);
    ssize_t n = tmo_real.read(fd, buf, len);
    if (TMO_LIKELY(n > 0))
        return n;
    a.flags = 0;
    TMO_RETURN_AFTER(a, n, &kind_read);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return tmo_args_slow(fd, buf, len, 0, &kind_read);
    return tmo_real.read(fd, buf, len);
}
TMO_ALIAS(__read, read);

/* --- recv ------------------------------------------------------------------------------------ */

static ssize_t make_recv(const struct tmo_call *c, size_t done, int more)
{
    size_t left = done > 0 ? c->wanted - done : c->len;
    return tmo_result(
        tmo_real.recv(c->fd, (char *)(uintptr_t)c->buf + done, left, c->flags | more));
}

static const struct tmo_kind kind_recv = {"recv", TMO_RECV, make_recv};

ssize_t wrap_recv(int fd, void *buf, size_t len, int flags)
{
    TMO_CHECKED_OR(fd, other);
    if (TMO_UNLIKELY(flags & MSG_WAITALL))
        return tmo_args_slow(fd, buf, len, flags, &kind_recv);
    struct tmo_args a;
    TMO_KEEP_ARGS(a, fd, buf, len);
    a.flags = flags;
    TMO_KEEP(a.flags);
    ssize_t n = tmo_real.recv(fd, buf, len, flags);
    if (TMO_LIKELY(n > 0))
        return n;
    TMO_RETURN_AFTER(a, n, &kind_recv);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return tmo_args_slow(fd, buf, len, flags, &kind_recv);
    return tmo_real.recv(fd, buf, len, flags);
}

/* --- recvfrom -------------------------------------------------------------------------------- */

static ssize_t make_recvfrom(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0) /* a stream: the address was given, or there is none, as with TCP */
        return make_recv(c, done, more);
    return tmo_result(tmo_real.recvfrom(c->fd, (void *)(uintptr_t)c->buf, c->len, c->flags | more,
                                        c->addr, c->addr_len));
}

static const struct tmo_kind kind_recvfrom = {"recvfrom", TMO_RECV, make_recvfrom};

static ssize_t __attribute__((noinline))
recvfrom_slow(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
    struct tmo_call call = tmo_call_of(&kind_recvfrom, fd, flags);
    call.buf = buf;
    call.len = len;
    call.wanted = tmo_most_bytes(len);
    call.addr = addr;
    call.addr_len = alen;
    return tmo_call_slow(&call);
}

ssize_t wrap_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                      socklen_t *alen)
{
    TMO_CHECKED_OR(fd, other);
    /* All that needs a closer look, in one question: no user address and flags add up to 0. (A sum,
     * because from an "or" the compiler would know both to be 0, and pass fresh zeros on.) */
    uintptr_t special = (unsigned)flags;
    TMO_KEEP_IN_REGISTER(special);
    if (TMO_UNLIKELY(special + (uintptr_t)addr != 0))
        return recvfrom_slow(fd, buf, len, flags, addr, alen);
    struct tmo_args a;
    TMO_KEEP_ARGS(a, fd, buf, len);
    ssize_t n = tmo_real.recvfrom(fd, buf, len, flags, addr, alen);
    if (TMO_LIKELY(n > 0))
        return n;
    a.flags = 0;
    TMO_RETURN_AFTER(a, n, &kind_recvfrom);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return recvfrom_slow(fd, buf, len, flags, addr, alen);
    return tmo_real.recvfrom(fd, buf, len, flags, addr, alen);
}

/* --- readv ----------------------------------------------------------------------------------- */

static ssize_t make_readv(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    if (more != 0 && c->iov_count - 1 < UIO_MAXIOV) { /* else each has an errno of its own */
        struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)c->iov,
                             .msg_iovlen = (__typeof__(msg.msg_iovlen))c->iov_count};
        ssize_t n = tmo_result(tmo_real.recvmsg(c->fd, &msg, more));
        /* A bad count has another errno there; and of 0 bytes, in a vector that the kernel has
         * read, only recvmsg(2) waits. */
        if (n != -EMSGSIZE && (n != -EAGAIN || tmo_iov_bytes(c->iov, c->iov_count) > 0))
            return n;
    }
    return tmo_result(tmo_real.readv(c->fd, c->iov, (int)c->iov_count));
}

static const struct tmo_kind kind_readv = {"readv", TMO_RECV, make_readv};

static struct tmo_call readv_call(int fd, const struct iovec *iov, int count)
{
    struct tmo_call call = tmo_call_of(&kind_readv, fd, 0);
    call.iov = iov;
    call.iov_count = (size_t)count;
    return call;
}

static ssize_t __attribute__((noinline)) readv_slow(int fd, const struct iovec *iov, int count)
{
    struct tmo_call call = readv_call(fd, iov, count);
    return tmo_call_slow(&call);
}

static ssize_t __attribute__((noinline))
readv_after(int fd, const struct iovec *iov, int count, ssize_t n)
{
    struct tmo_call call = readv_call(fd, iov, count);
    return tmo_call_after(&call, n);
}

ssize_t wrap_readv(int fd, const struct iovec *iov, int count)
{
    TMO_CHECKED_OR(fd, other);
    ssize_t n = tmo_real.readv(fd, iov, count);
    if (n > 0 || (n == 0 ? tmo_is_end(fd) : !tmo_may_be_ours(fd, 0)))
        return n;
    return readv_after(fd, iov, count, n);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return readv_slow(fd, iov, count);
    return tmo_real.readv(fd, iov, count);
}

/* --- recvmsg --------------------------------------------------------------------------------- */

/* The rest of a MSG_WAITALL: into the buffer where it stopped; then the next. What came with the
 * first part (address, ancillary data) stays. */
static ssize_t make_recvmsg(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0)
        return tmo_result(
            tmo_real.recvmsg(c->fd, (struct msghdr *)(uintptr_t)c->msg, c->flags | more));
    const struct iovec *iov = c->msg->msg_iov;
    while (done >= iov->iov_len)
        done -= iov++->iov_len;
    return tmo_result(
        tmo_real.recv(c->fd, (char *)iov->iov_base + done, iov->iov_len - done, c->flags | more));
}

static const struct tmo_kind kind_recvmsg = {"recvmsg", TMO_RECV, make_recvmsg};

static struct tmo_call recvmsg_call(const struct tmo_kind *kind, int fd, struct msghdr *msg,
                                    int flags)
{
    struct tmo_call call = tmo_call_of(kind, fd, flags);
    call.msg = msg;
    return call;
}

static ssize_t __attribute__((noinline))
recvmsg_slow(const struct tmo_kind *kind, int fd, struct msghdr *msg, int flags)
{
    struct tmo_call call = recvmsg_call(kind, fd, msg, flags);
    call.late = call.counts;
    call.counts = false;
    ssize_t n = tmo_call_slow(&call);
    if (n >= 0 && msg->msg_controllen > 0)
        tmo_made_received(msg);
    return n;
}

static ssize_t __attribute__((noinline))
recvmsg_after(int fd, struct msghdr *msg, int flags, ssize_t n)
{
    struct tmo_call call = recvmsg_call(&kind_recvmsg, fd, msg, flags);
    return tmo_call_after(&call, n);
}

ssize_t wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
    unsigned hot = tmo_hot(fd);
    if (TMO_UNLIKELY(hot >= TMO_HOT_SLOW || (hot == TMO_HOT_CHECK && (flags & MSG_WAITALL) != 0)))
        return recvmsg_slow(&kind_recvmsg, fd, msg, flags);
    ssize_t n = tmo_real.recvmsg(fd, msg, flags);
    if (n <= 0 && hot == TMO_HOT_CHECK && (n == 0 ? !tmo_is_end(fd) : tmo_may_be_ours(fd, flags)))
        n = recvmsg_after(fd, msg, flags, n);
    if (n < 0)
        return n;
    if (TMO_UNLIKELY(msg->msg_controllen > 0)) /* descriptors may have arrived */
        tmo_made_received(msg);
    return n;
}

#ifdef TMO_TWO_TIMES
/* It differs in the time stamps among the ancillary data. */
static ssize_t make_recvmsg64(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0)
        return make_recvmsg(c, done, more);
    return tmo_result(
        tmo_real.__recvmsg64(c->fd, (struct msghdr *)(uintptr_t)c->msg, c->flags | more));
}

static const struct tmo_kind kind_recvmsg64 = {"recvmsg", TMO_RECV, make_recvmsg64};

ssize_t wrap___recvmsg64(int fd, struct msghdr *msg, int flags)
{
    if (tmo_hot(fd) >= TMO_HOT_CHECK)
        return recvmsg_slow(&kind_recvmsg64, fd, msg, flags);
    ssize_t n = tmo_real.__recvmsg64(fd, msg, flags);
    if (n >= 0 && msg->msg_controllen > 0)
        tmo_made_received(msg);
    return n;
}
#endif

/* --- recvmmsg -------------------------------------------------------------------------------- */

/* Waits in the kernel, for the first message and for those behind it. */
static ssize_t make_recvmmsg(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    more &= ~MSG_DONTWAIT;
    return tmo_result(
        tmo_real.recvmmsg(c->fd, c->msgs, (unsigned)c->len, c->flags | more, c->timeout));
}

static const struct tmo_kind kind_recvmmsg = {"recvmmsg", TMO_RECV, make_recvmmsg};

static int __attribute__((noinline))
recvmmsg_slow(const struct tmo_kind *kind, int fd, struct mmsghdr *msgs, unsigned count, int flags,
              void *timeout)
{
    struct tmo_call call = tmo_call_of(kind, fd, flags);
    call.msgs = msgs;
    call.len = count;
    call.timeout = timeout;
    call.waits = true;
    call.counts = false;
    return (int)tmo_call_slow(&call);
}

/* Descriptors may have arrived with the N messages at MSGS. */
static int received(const struct mmsghdr *msgs, int n)
{
    for (int i = 0; i < n; i++) {
        if (msgs[i].msg_hdr.msg_controllen > 0)
            tmo_made_received(&msgs[i].msg_hdr);
    }
    return n;
}

int wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout)
{
    int n = tmo_hot(fd) < TMO_HOT_CHECK
                ? tmo_real.recvmmsg(fd, msgs, count, flags, timeout)
                : recvmmsg_slow(&kind_recvmmsg, fd, msgs, count, flags, timeout);
    return received(msgs, n);
}

#ifdef TMO_TWO_TIMES
static ssize_t make_recvmmsg64(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    more &= ~MSG_DONTWAIT;
    return tmo_result(
        tmo_real.__recvmmsg64(c->fd, c->msgs, (unsigned)c->len, c->flags | more, c->timeout));
}

static const struct tmo_kind kind_recvmmsg64 = {"recvmmsg", TMO_RECV, make_recvmmsg64};

int wrap___recvmmsg64(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                      struct tmo_timespec64 *timeout)
{
    int n = tmo_hot(fd) < TMO_HOT_CHECK
                ? tmo_real.__recvmmsg64(fd, msgs, count, flags, timeout)
                : recvmmsg_slow(&kind_recvmmsg64, fd, msgs, count, flags, timeout);
    return received(msgs, n);
}
#endif

/* --- fortified forms: libc checks the size of the buffer, and aborts ----------------------------
 */

#ifdef __GLIBC__
TMO_EXPORT ssize_t wrap___read_chk(int fd, void *buf, size_t len,
                                   size_t room) __asm__("__read_chk");
TMO_EXPORT ssize_t wrap___recv_chk(int fd, void *buf, size_t len, size_t room,
                                   int flags) __asm__("__recv_chk");
TMO_EXPORT ssize_t wrap___recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                                       struct sockaddr *addr,
                                       socklen_t *alen) __asm__("__recvfrom_chk");

/* What the names end in when the buffer is too small; libc says so and aborts. */
static ssize_t overflow(const char *name, int fd, void *buf, size_t len, size_t room)
{
    ssize_t (*real)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
    *(void **)&real = tmo_real_late(name);
    return real != NULL ? real(fd, buf, len, room, 0, NULL, NULL) : wrap_read(fd, buf, room);
}

ssize_t wrap___read_chk(int fd, void *buf, size_t len, size_t room)
{
    if (TMO_UNLIKELY(len > room))
        return overflow("__read_chk", fd, buf, len, room);
    return wrap_read(fd, buf, len);
}

ssize_t wrap___recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
    if (TMO_UNLIKELY(len > room))
        return overflow("__recv_chk", fd, buf, len, room);
    return wrap_recv(fd, buf, len, flags);
}

ssize_t wrap___recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                            struct sockaddr *addr, socklen_t *alen)
{
    if (TMO_UNLIKELY(len > room))
        return overflow("__recvfrom_chk", fd, buf, len, room);
    return wrap_recvfrom(fd, buf, len, flags, addr, alen);
}
#endif
