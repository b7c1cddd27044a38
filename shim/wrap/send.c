/* SPDX-License-Identifier: MIT
 * Waits for the peer to take: write, writev, send, sendto, sendmsg, sendmmsg, sendfile, splice.
 * Layer: wrap. Shape: see recv.c; here a whole count is what is returned at once.
 */
#include "shim/wrap/call.h"
#include "shim/sys/raw.h"
#include "shim/wrap/made.h"
#include "shim/wrap/before.h"

#include <poll.h>

/* --- write, send ----------------------------------------------------------------------------- */

static ssize_t make_send(const struct tmo_call *c, size_t done, int more)
{
    size_t left = done > 0 ? c->wanted - done : c->len;
    return tmo_result(tmo_real.send(c->fd, (const char *)c->buf + done, left, c->flags | more));
}

/* On a socket, write(2) is send(2) without flags. */
static ssize_t make_write(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0 && more == 0)
        return tmo_result(tmo_real.write(c->fd, c->buf, c->len));
    return make_send(c, done, more);
}

static const struct tmo_kind kind_write = {"write", TMO_SEND, make_write};
static const struct tmo_kind kind_send = {"send", TMO_SEND, make_send};

ssize_t wrap_write(int fd, const void *buf, size_t len)
{
    TMO_CHECKED_OR(fd, other);
    struct tmo_args a;
    TMO_KEEP_ARGS(a, fd, buf, len);
    ssize_t n = tmo_real.write(fd, buf, len);
    if (TMO_LIKELY(n == (ssize_t)a.len))
        return n;
    a.flags = 0;
    TMO_RETURN_AFTER(a, n, &kind_write);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return tmo_args_slow(fd, buf, len, 0, &kind_write);
    return tmo_real.write(fd, buf, len);
}
TMO_ALIAS(__write, write);

ssize_t wrap_send(int fd, const void *buf, size_t len, int flags)
{
    TMO_CHECKED_OR(fd, other);
    struct tmo_args a;
    TMO_KEEP_ARGS(a, fd, buf, len);
    a.flags = flags;
    TMO_KEEP(a.flags);
    ssize_t n = tmo_real.send(fd, buf, len, flags);
    if (TMO_LIKELY(n == (ssize_t)a.len))
        return n;
    TMO_RETURN_AFTER(a, n, &kind_send);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return tmo_args_slow(fd, buf, len, flags, &kind_send);
    return tmo_real.send(fd, buf, len, flags);
}
TMO_ALIAS(__send, send);

/* --- sendto ---------------------------------------------------------------------------------- */

static ssize_t make_sendto(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0)
        return make_send(c, done, more);
    return tmo_result(tmo_real.sendto(c->fd, c->buf, c->len, c->flags | more, c->addr, c->to_len));
}

static const struct tmo_kind kind_sendto = {"sendto", TMO_SEND, make_sendto};

static ssize_t __attribute__((noinline)) sendto_slow(int fd, const void *buf, size_t len, int flags,
                                                     const struct sockaddr *addr, socklen_t alen)
{
    struct tmo_call call = tmo_call_of(&kind_sendto, fd, flags);
    call.buf = buf;
    call.len = len;
    call.wanted = tmo_most_bytes(len);
    call.addr = (struct sockaddr *)(uintptr_t)addr;
    call.to_len = alen;
    return tmo_call_slow(&call);
}

ssize_t wrap_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
                    socklen_t alen)
{
    TMO_CHECKED_OR(fd, other);
    struct tmo_args a; /* CHECK says a connected stream, where an address counts for nothing */
    TMO_KEEP_ARGS(a, fd, buf, len);
    a.flags = flags;
    TMO_KEEP(a.flags);
    ssize_t n = tmo_real.sendto(fd, buf, len, flags, addr, alen);
    if (TMO_LIKELY(n == (ssize_t)a.len))
        return n;
    TMO_RETURN_AFTER(a, n, &kind_sendto);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return sendto_slow(fd, buf, len, flags, addr, alen);
    return tmo_real.sendto(fd, buf, len, flags, addr, alen);
}

/* --- writev, sendmsg ------------------------------------------------------------------------- */

/* What is left of a vector behind DONE bytes, without a copy of it: the rest of the buffer where it
 * stopped; at the beginning of one, all from there on. */
static ssize_t make_vector(int fd, const struct iovec *iov, size_t count, size_t done, int flags)
{
    while (count > 0 && done >= iov->iov_len) {
        done -= iov->iov_len;
        iov++;
        count--;
    }
    if (done > 0)
        return tmo_result(
            tmo_real.send(fd, (const char *)iov->iov_base + done, iov->iov_len - done, flags));
    struct msghdr rest = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                          .msg_iovlen = (__typeof__(((struct msghdr *)0)->msg_iovlen))count};
    return tmo_result(tmo_real.sendmsg(fd, &rest, flags));
}

static ssize_t make_writev(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0)
        return make_vector(c->fd, c->iov, c->iov_count, done, more);
    if (more != 0) { /* the vector is not read here: it may be a bad pointer */
        struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)c->iov,
                             .msg_iovlen = (__typeof__(msg.msg_iovlen))c->iov_count};
        ssize_t n = tmo_result(tmo_real.sendmsg(c->fd, &msg, more | MSG_NOSIGNAL));
        if (n != -EMSGSIZE && n != -EPIPE) /* a bad count, an empty vector: not so with writev */
            return n;
    }
    return tmo_result(tmo_real.writev(c->fd, c->iov, (int)c->iov_count));
}

static ssize_t make_sendmsg(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0)
        return tmo_result(tmo_real.sendmsg(c->fd, c->msg, c->flags | more));
    return make_vector(c->fd, c->msg->msg_iov, (size_t)c->msg->msg_iovlen, done, c->flags | more);
}

static const struct tmo_kind kind_writev = {"writev", TMO_SEND, make_writev};
static const struct tmo_kind kind_sendmsg = {"sendmsg", TMO_SEND, make_sendmsg};

static struct tmo_call writev_call(int fd, const struct iovec *iov, int count)
{
    struct tmo_call call = tmo_call_of(&kind_writev, fd, 0);
    call.iov = iov;
    call.iov_count = (size_t)count;
    return call;
}

/* The vector is only read when the kernel has accepted it: a bad pointer is its to find. */
static ssize_t __attribute__((noinline))
writev_after(int fd, const struct iovec *iov, int count, ssize_t n)
{
    struct tmo_call call = writev_call(fd, iov, count);
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        call.wanted = tmo_iov_bytes(iov, call.iov_count);
    return tmo_call_after(&call, n);
}

static ssize_t __attribute__((noinline)) writev_slow(int fd, const struct iovec *iov, int count)
{
    struct tmo_call call = writev_call(fd, iov, count);
    call.counts = false;
    call.late = true;
    return tmo_call_slow(&call);
}

ssize_t wrap_writev(int fd, const struct iovec *iov, int count)
{
    TMO_CHECKED_OR(fd, other);
    ssize_t n = tmo_real.writev(fd, iov, count);
    if (n >= 0) {
        size_t bytes = 0;
        for (int i = 0; i < count; i++)
            bytes += iov[i].iov_len;
        if (n == (ssize_t)bytes)
            return n;
    }
    if (n < 0 && !tmo_may_be_ours(fd, 0))
        return -1;
    return writev_after(fd, iov, count, n);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return writev_slow(fd, iov, count);
    return tmo_real.writev(fd, iov, count);
}

static ssize_t __attribute__((noinline))
sendmsg_after(int fd, const struct msghdr *msg, int flags, ssize_t n)
{
    struct tmo_call call = tmo_call_of(&kind_sendmsg, fd, flags);
    call.msg = msg;
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        call.wanted = tmo_iov_bytes(msg->msg_iov, (size_t)msg->msg_iovlen);
    return tmo_call_after(&call, n);
}

static ssize_t __attribute__((noinline)) sendmsg_slow(int fd, const struct msghdr *msg, int flags)
{
    struct tmo_call call = tmo_call_of(&kind_sendmsg, fd, flags);
    call.msg = msg;
    call.counts = false;
    call.late = true;
    return tmo_call_slow(&call);
}

ssize_t wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    TMO_CHECKED_OR(fd, other);
    ssize_t n = tmo_real.sendmsg(fd, msg, flags);
    if (n >= 0) {
        const struct iovec *iov = msg->msg_iov;
        size_t bytes = 0;
        for (size_t i = (size_t)msg->msg_iovlen; i > 0; i--)
            bytes += iov++->iov_len;
        if (n == (ssize_t)bytes)
            return n;
    }
    if (n < 0 && !tmo_may_be_ours(fd, flags))
        return -1;
    return sendmsg_after(fd, msg, flags, n);

other:
    if (tmo_hot(fd) > TMO_HOT_CHECK)
        return sendmsg_slow(fd, msg, flags);
    return tmo_real.sendmsg(fd, msg, flags);
}
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__sendmsg64, sendmsg);
#endif

/* --- sendmmsg -------------------------------------------------------------------------------- */

/* Waits in the kernel: a message that it sends without waiting may be cut short, and the ones
 * behind it left out. */
static ssize_t make_sendmmsg(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    more &= ~MSG_DONTWAIT;
    return tmo_result(tmo_real.sendmmsg(c->fd, c->msgs, (unsigned)c->len, c->flags | more));
}

static const struct tmo_kind kind_sendmmsg = {"sendmmsg", TMO_SEND, make_sendmmsg};

int wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    if (tmo_hot(fd) < TMO_HOT_CHECK)
        return tmo_real.sendmmsg(fd, msgs, count, flags);
    struct tmo_call call = tmo_call_of(&kind_sendmmsg, fd, flags);
    call.msgs = msgs;
    call.len = count;
    call.waits = true;
    call.counts = false; /* its count is of messages */
    return (int)tmo_call_slow(&call);
}
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__sendmmsg64, sendmmsg);
#endif

/* --- sendfile -------------------------------------------------------------------------------- */

/* Goes on where it stopped: the kernel has moved the offset, or the file's position. */
static ssize_t make_sendfile(const struct tmo_call *c, size_t done, int more)
{
    (void)more;
    return tmo_result(tmo_real.sendfile(c->fd, c->other_fd, (off_t *)c->offset, c->wanted - done));
}

/* Whether the file that sendfile reads is at its end, as OFFSET, or its own position, stands now.
 */
static bool is_at_end(const struct tmo_call *call)
{
    char byte;
    int64_t at = call->offset == NULL ? (int64_t)TMO_RAW3(SYS_lseek, call->other_fd, 0, SEEK_CUR)
                 : call->wide_offset  ? *(const off64_t *)call->offset
                                      : *(const long *)call->offset;
    if (at < 0)
        return true;
    /* 32-bit machines take the offset in two parts */
    long r = sizeof(long) == 8 ? TMO_RAW4(SYS_pread64, call->other_fd, &byte, 1, at)
                               : TMO_RAW5(SYS_pread64, call->other_fd, &byte, 1, at, at >> 32);
    return r <= 0;
}

/* Where a silence is only to be recorded it must not be waited for within the call: in parts of
 * what there is room for. */
static ssize_t sendfile_in_parts(struct tmo_call *call, const struct tmo_slot *slot)
{
    size_t wanted = call->wanted, done = 0;
    int e = errno;
    ssize_t n;
    do {
        size_t room = tmo_before_room(call->fd, slot), least = 4096;
        room = room > least ? room : least;
        call->wanted = wanted - done < room ? wanted - done : room;
        n = tmo_call_slow(call);
        done += n > 0 ? (size_t)n : 0;
    } while (n > 0 && (size_t)n == call->wanted && done < wanted);
    if (done == 0)
        return n;
    errno = e;
    return (ssize_t)done;
}

/* A short count is ordinary at the end of the file: only where the socket takes no more it was the
 * limit. */
static ssize_t sendfile_any(struct tmo_call *call)
{
    size_t wanted = call->wanted;
    call->counts = false;
    const struct tmo_slot *slot =
        tmo_hot(call->fd) >= TMO_HOT_SLOW ? tmo_state_slot(call->fd) : NULL;
    if (slot != NULL && tmo_keeps(slot, TMO_SEND) && tmo_proto_is_tcp(slot->proto) &&
        wanted <= TMO_MOST_BYTES) /* more is refused, or cut, by the kernel */
        return sendfile_in_parts(call, slot);
    ssize_t n = tmo_call_slow(call);
    if (!tmo_is_short(n, wanted) || tmo_hot(call->fd) < TMO_HOT_CHECK ||
        tmo_raw_peek(call->fd, POLLOUT) != 0 || is_at_end(call))
        return n;
    call->counts = true;
    return tmo_call_after(call, n);
}

static ssize_t sendfile_ours(const struct tmo_kind *kind, int out, int in, void *offset, bool wide,
                             size_t count)
{
    struct tmo_call call = tmo_call_of(kind, out, 0);
    call.other_fd = in;
    call.waits = true;
    call.uncancelled = true;
    call.offset = offset;
    call.wide_offset = wide;
    call.wanted = count;
    return sendfile_any(&call);
}

static const struct tmo_kind kind_sendfile = {"sendfile", TMO_SEND, make_sendfile};

ssize_t wrap_sendfile(int out, int in, off_t *offset, size_t count)
{
    if (tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.sendfile(out, in, offset, count);
    return sendfile_ours(&kind_sendfile, out, in, offset, sizeof(long) == 8, count);
}

#if defined(__GLIBC__) && defined(__LP64__)
TMO_ALIAS(sendfile64, sendfile);
#elif defined(__GLIBC__)
static ssize_t make_sendfile64(const struct tmo_call *c, size_t done, int more)
{
    (void)more;
    return tmo_result(
        tmo_real.sendfile64(c->fd, c->other_fd, (off64_t *)c->offset, c->wanted - done));
}

static const struct tmo_kind kind_sendfile64 = {"sendfile", TMO_SEND, make_sendfile64};

ssize_t wrap_sendfile64(int out, int in, off64_t *offset, size_t count)
{
    if (tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.sendfile64(out, in, offset, count);
    return sendfile_ours(&kind_sendfile64, out, in, offset, true, count);
}
#endif

/* --- splice ---------------------------------------------------------------------------------- */

static ssize_t splice_from(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    return tmo_result(tmo_real.splice(c->fd, (off64_t *)c->offset, c->other_fd,
                                      (off64_t *)c->other_offset, c->len, c->splice_flags));
}

static ssize_t splice_to(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    return tmo_result(tmo_real.splice(c->other_fd, (off64_t *)c->offset, c->fd,
                                      (off64_t *)c->other_offset, c->len, c->splice_flags));
}

ssize_t wrap_splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t len, unsigned flags)
{
    static const struct tmo_kind from_socket = {"splice", TMO_RECV, splice_from};
    static const struct tmo_kind to_socket = {"splice", TMO_SEND, splice_to};
    /* a pipe's number may share its byte with a socket's */
    bool from = tmo_hot(in) >= TMO_HOT_CHECK && tmo_state_slot(in) != NULL;
    if (!from && tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.splice(in, in_off, out, out_off, len, flags);
    struct tmo_call call =
        from ? tmo_call_of(&from_socket, in, 0) : tmo_call_of(&to_socket, out, 0);
    call.counts = false; /* short counts are ordinary */
    call.other_fd = from ? out : in;
    call.offset = in_off;
    call.other_offset = out_off;
    call.len = len;
    call.splice_flags = flags;
    call.waits = true;
#ifndef __GLIBC__
    call.uncancelled = true; /* musl, src/linux/splice.c */
#endif
    call.pipe = true;
    return tmo_call_slow(&call);
}
