/* SPDX-License-Identifier: MIT
 * Waits for the peer to take: write, writev, send, sendto, sendmsg, sendmmsg, sendfile, splice.
 * Layer: wrap. Shape: see recv.c; here a whole count is what is returned at once.
 */
#include "shim/wrap/call.h"
#include "shim/sys/raw.h"
#include "shim/wrap/made.h"

#include <poll.h>

#define SEND(fd_, name_, flags_, make_)                                                            \
    .fd = fd_, .way = TMO_SEND, .name = name_, .flags = flags_, .make = make_, .counts = true

/* --- write, send ----------------------------------------------------------------------------- */

static ssize_t make_send(const struct tmo_call *c, size_t done, int more)
{
    return tmo_result(
        tmo_real.send(c->fd, (const char *)c->buf + done, c->len - done, c->flags | more));
}

/* On a socket, write(2) is send(2) without flags. */
static ssize_t make_write(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0 && more == 0)
        return tmo_result(tmo_real.write(c->fd, c->buf, c->len));
    return make_send(c, done, more);
}

struct send_args {
    int fd;
    const void *buf;
    size_t len;
    int flags;
};

static struct tmo_call send_call(const struct send_args *a, const char *name,
                                 ssize_t (*make)(const struct tmo_call *, size_t, int))
{
    return (struct tmo_call){SEND(a->fd, name, a->flags, make), .buf = (void *)(uintptr_t)a->buf,
                             .len = a->len, .wanted = a->len};
}

static ssize_t __attribute__((noinline)) write_slow(int fd, const void *buf, size_t len)
{
    struct tmo_call call = send_call(&(struct send_args){fd, buf, len, 0}, "write", make_write);
    return tmo_call_slow(&call);
}

static ssize_t __attribute__((noinline)) write_after(int fd, const void *buf, size_t len, ssize_t n)
{
    struct tmo_call call = send_call(&(struct send_args){fd, buf, len, 0}, "write", make_write);
    return tmo_call_after(&call, n);
}

ssize_t wrap_write(int fd, const void *buf, size_t len)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return write_slow(fd, buf, len);
        return tmo_real.write(fd, buf, len);
    }
    struct send_args a;
    a.fd = fd;
    a.buf = buf;
    a.len = len;
    TMO_KEEP(a.fd);
    TMO_KEEP(a.buf);
    TMO_KEEP(a.len);
    ssize_t n = tmo_real.write(fd, buf, len);
    if (n == (ssize_t)a.len)
        return n;
    if (n < 0)
        return tmo_is_final(a.fd, 0) ? -1 : write_after(a.fd, a.buf, a.len, -1);
    return write_after(a.fd, a.buf, a.len, n);
}
TMO_ALIAS(__write, write);

static ssize_t __attribute__((noinline)) send_slow(int fd, const void *buf, size_t len, int flags)
{
    struct tmo_call call = send_call(&(struct send_args){fd, buf, len, flags}, "send", make_send);
    return tmo_call_slow(&call);
}

static ssize_t __attribute__((noinline)) send_after(const struct send_args *a, ssize_t n)
{
    struct tmo_call call = send_call(a, "send", make_send);
    return tmo_call_after(&call, n);
}

ssize_t wrap_send(int fd, const void *buf, size_t len, int flags)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return send_slow(fd, buf, len, flags);
        return tmo_real.send(fd, buf, len, flags);
    }
    struct send_args a = {fd, buf, len, flags};
    TMO_KEEP(a);
    ssize_t n = tmo_real.send(fd, buf, len, flags);
    if (n == (ssize_t)a.len)
        return n;
    if (n < 0)
        return tmo_is_final(a.fd, a.flags) ? -1 : send_after(&a, -1);
    return send_after(&a, n);
}
TMO_ALIAS(__send, send);

/* --- sendto ---------------------------------------------------------------------------------- */

static ssize_t make_sendto(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0)
        return make_send(c, done, more);
    return tmo_result(tmo_real.sendto(c->fd, c->buf, c->len, c->flags | more, c->addr, c->to_len));
}

static ssize_t __attribute__((noinline)) sendto_slow(int fd, const void *buf, size_t len, int flags,
                                                     const struct sockaddr *addr, socklen_t alen)
{
    struct tmo_call call =
        send_call(&(struct send_args){fd, buf, len, flags}, "sendto", make_sendto);
    call.addr = (struct sockaddr *)(uintptr_t)addr;
    call.to_len = alen;
    return tmo_call_slow(&call);
}

/* The hot byte said CHECK: a connected stream, where an address counts for nothing. */
static ssize_t __attribute__((noinline)) sendto_after(const struct send_args *a, ssize_t n)
{
    struct tmo_call call = send_call(a, "sendto", make_sendto);
    return tmo_call_after(&call, n);
}

ssize_t wrap_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
                    socklen_t alen)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return sendto_slow(fd, buf, len, flags, addr, alen);
        return tmo_real.sendto(fd, buf, len, flags, addr, alen);
    }
    struct send_args a = {fd, buf, len, flags};
    TMO_KEEP(a);
    ssize_t n = tmo_real.sendto(fd, buf, len, flags, addr, alen);
    if (n == (ssize_t)a.len)
        return n;
    if (n < 0)
        return tmo_is_final(a.fd, a.flags) ? -1 : sendto_after(&a, -1);
    return sendto_after(&a, n);
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
    struct msghdr rest = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    return tmo_result(tmo_real.sendmsg(fd, &rest, flags));
}

static ssize_t make_writev(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0 && more == 0)
        return tmo_result(tmo_real.writev(c->fd, c->iov, (int)c->iov_count));
    return make_vector(c->fd, c->iov, c->iov_count, done, more);
}

static ssize_t make_sendmsg(const struct tmo_call *c, size_t done, int more)
{
    if (done == 0)
        return tmo_result(tmo_real.sendmsg(c->fd, c->msg, c->flags | more));
    return make_vector(c->fd, c->msg->msg_iov, c->msg->msg_iovlen, done, c->flags | more);
}

/* The vector is only read when the kernel has accepted it: a bad pointer is its to find. */
static ssize_t __attribute__((noinline))
writev_after(int fd, const struct iovec *iov, int count, ssize_t n)
{
    struct tmo_call call = {SEND(fd, "writev", 0, make_writev), .iov = iov,
                            .iov_count = (size_t)count};
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        call.wanted = tmo_iov_bytes(iov, call.iov_count);
    return tmo_call_after(&call, n);
}

static ssize_t __attribute__((noinline)) writev_slow(int fd, const struct iovec *iov, int count)
{
    struct tmo_call call = {SEND(fd, "writev", 0, make_writev), .iov = iov,
                            .iov_count = (size_t)count};
    call.counts = false;
    ssize_t n = tmo_call_slow(&call);
    return n > 0 && tmo_hot(fd) >= TMO_HOT_CHECK ? writev_after(fd, iov, count, n) : n;
}

ssize_t wrap_writev(int fd, const struct iovec *iov, int count)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return writev_slow(fd, iov, count);
        return tmo_real.writev(fd, iov, count);
    }
    ssize_t n = tmo_real.writev(fd, iov, count);
    if (n >= 0) {
        size_t bytes = 0;
        for (int i = 0; i < count; i++)
            bytes += iov[i].iov_len;
        if (n == (ssize_t)bytes)
            return n;
    }
    if (n < 0 && tmo_is_final(fd, 0))
        return -1;
    return writev_after(fd, iov, count, n);
}

static ssize_t __attribute__((noinline))
sendmsg_after(int fd, const struct msghdr *msg, int flags, ssize_t n)
{
    struct tmo_call call = {SEND(fd, "sendmsg", flags, make_sendmsg), .msg = msg};
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        call.wanted = tmo_iov_bytes(msg->msg_iov, msg->msg_iovlen);
    return tmo_call_after(&call, n);
}

static ssize_t __attribute__((noinline)) sendmsg_slow(int fd, const struct msghdr *msg, int flags)
{
    struct tmo_call call = {SEND(fd, "sendmsg", flags, make_sendmsg), .msg = msg};
    call.counts = false;
    ssize_t n = tmo_call_slow(&call);
    return n > 0 && tmo_hot(fd) >= TMO_HOT_CHECK ? sendmsg_after(fd, msg, flags, n) : n;
}

ssize_t wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return sendmsg_slow(fd, msg, flags);
        return tmo_real.sendmsg(fd, msg, flags);
    }
    ssize_t n = tmo_real.sendmsg(fd, msg, flags);
    if (n >= 0) {
        const struct iovec *iov = msg->msg_iov;
        size_t bytes = 0;
        for (size_t i = msg->msg_iovlen; i > 0; i--)
            bytes += iov++->iov_len;
        if (n == (ssize_t)bytes)
            return n;
    }
    if (n < 0 && tmo_is_final(fd, flags))
        return -1;
    return sendmsg_after(fd, msg, flags, n);
}

/* --- sendmmsg -------------------------------------------------------------------------------- */

static ssize_t make_sendmmsg(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    return tmo_result(tmo_real.sendmmsg(c->fd, c->msgs, (unsigned)c->len, c->flags | more));
}

int wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    if (tmo_hot(fd) < TMO_HOT_CHECK)
        return tmo_real.sendmmsg(fd, msgs, count, flags);
    struct tmo_call call = {SEND(fd, "sendmmsg", flags, make_sendmmsg), .msgs = msgs, .len = count};
    call.counts = false; /* its count is of messages */
    return (int)tmo_call_slow(&call);
}

/* --- sendfile -------------------------------------------------------------------------------- */

/* Goes on where it stopped: the kernel has moved the offset, or the file's position. */
static ssize_t make_sendfile(const struct tmo_call *c, size_t done, int more)
{
    (void)more;
    return tmo_result(tmo_real.sendfile(c->fd, c->other_fd, (off_t *)c->offset, c->wanted - done));
}

/* A short count is ordinary at the end of the file: only where the socket takes no more it was the
 * limit. */
static ssize_t sendfile_any(struct tmo_call *call)
{
    size_t wanted = call->wanted;
    call->counts = false;
    ssize_t n = tmo_call_slow(call);
    if (n <= 0 || (size_t)n >= wanted || tmo_hot(call->fd) < TMO_HOT_CHECK ||
        tmo_raw_peek(call->fd, POLLOUT) != 0)
        return n;
    call->counts = true;
    return tmo_call_after(call, n);
}

ssize_t wrap_sendfile(int out, int in, off_t *offset, size_t count)
{
    if (tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.sendfile(out, in, offset, count);
    struct tmo_call call = {SEND(out, "sendfile", 0, make_sendfile), .other_fd = in,
                            .offset = offset, .wanted = count};
    return sendfile_any(&call);
}

#ifdef __GLIBC__
static ssize_t make_sendfile64(const struct tmo_call *c, size_t done, int more)
{
    (void)more;
    return tmo_result(
        tmo_real.sendfile64(c->fd, c->other_fd, (off64_t *)c->offset, c->wanted - done));
}

ssize_t wrap_sendfile64(int out, int in, off64_t *offset, size_t count)
{
    if (tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.sendfile64(out, in, offset, count);
    struct tmo_call call = {SEND(out, "sendfile", 0, make_sendfile64), .other_fd = in,
                            .offset = offset, .wanted = count};
    return sendfile_any(&call);
}
#endif

/* --- splice ---------------------------------------------------------------------------------- */

static ssize_t make_splice(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    int in = c->way == TMO_RECV ? c->fd : c->other_fd,
        out = c->way == TMO_RECV ? c->other_fd : c->fd;
    return tmo_result(tmo_real.splice(in, (off64_t *)c->offset, out, (off64_t *)c->other_offset,
                                      c->len, c->splice_flags));
}

ssize_t wrap_splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t len, unsigned flags)
{
    bool from = tmo_hot(in) >= TMO_HOT_CHECK;
    if (!from && tmo_hot(out) < TMO_HOT_CHECK)
        return tmo_real.splice(in, in_off, out, out_off, len, flags);
    struct tmo_call call = {
        .fd = from ? in : out,
        .way = from ? TMO_RECV : TMO_SEND,
        .name = "splice",
        .make = make_splice,
        .other_fd = from ? out : in,
        .offset = in_off,
        .other_offset = out_off,
        .len = len,
        .splice_flags = flags,
        .pipe = true,
    };
    return tmo_call_slow(&call);
}
