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

/* Whether nothing follows a call that gave N <= 0. */
#define NOTHING_FOLLOWS(n, fd, flags)                                                              \
    ((n) == 0 ? tmo_hot(fd) == TMO_HOT_CHECK : tmo_is_final(fd, flags))

#define RECV(fd_, name_, flags_, make_)                                                            \
    .fd = fd_, .way = TMO_RECV, .name = name_, .flags = flags_, .make = make_,                     \
    .counts = ((flags_) & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL

/* --- read ------------------------------------------------------------------------------------ */

static ssize_t make_read(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    return tmo_result(tmo_real.read(c->fd, c->buf, c->len));
}

struct read_args {
    int fd;
    void *buf;
    size_t len;
};

static ssize_t __attribute__((noinline)) read_slow(int fd, void *buf, size_t len)
{
    return tmo_call_slow(
        &(struct tmo_call){RECV(fd, "read", 0, make_read), .buf = buf, .len = len});
}

static ssize_t __attribute__((noinline)) read_after(const struct read_args *a, ssize_t n)
{
    return tmo_call_after(
        &(struct tmo_call){RECV(a->fd, "read", 0, make_read), .buf = a->buf, .len = a->len}, n);
}

ssize_t wrap_read(int fd, void *buf, size_t len)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return read_slow(fd, buf, len);
        return tmo_real.read(fd, buf, len);
    }
    struct read_args a = {fd, buf, len};
    TMO_KEEP(a);
    ssize_t n = tmo_real.read(fd, buf, len);
    if (n > 0)
        return n;
    return NOTHING_FOLLOWS(n, a.fd, 0) ? n : read_after(&a, n);
}
TMO_ALIAS(__read, read);

/* --- recv ------------------------------------------------------------------------------------ */

static ssize_t make_recv(const struct tmo_call *c, size_t done, int more)
{
    return tmo_result(tmo_real.recv(c->fd, (char *)c->buf + done, c->len - done, c->flags | more));
}

struct recv_args {
    int fd;
    void *buf;
    size_t len;
    int flags;
};

static struct tmo_call recv_call(const struct recv_args *a)
{
    return (struct tmo_call){RECV(a->fd, "recv", a->flags, make_recv), .buf = a->buf, .len = a->len,
                             .wanted = a->len};
}

static ssize_t __attribute__((noinline)) recv_slow(int fd, void *buf, size_t len, int flags)
{
    struct tmo_call call = recv_call(&(struct recv_args){fd, buf, len, flags});
    return tmo_call_slow(&call);
}

static ssize_t __attribute__((noinline)) recv_after(const struct recv_args *a, ssize_t n)
{
    struct tmo_call call = recv_call(a);
    return tmo_call_after(&call, n);
}

ssize_t wrap_recv(int fd, void *buf, size_t len, int flags)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return recv_slow(fd, buf, len, flags);
        return tmo_real.recv(fd, buf, len, flags);
    }
    if (TMO_UNLIKELY(flags & MSG_WAITALL))
        return recv_slow(fd, buf, len, flags);
    struct recv_args a = {fd, buf, len, flags};
    TMO_KEEP(a);
    ssize_t n = tmo_real.recv(fd, buf, len, flags);
    if (n > 0)
        return n;
    return NOTHING_FOLLOWS(n, a.fd, a.flags) ? n : recv_after(&a, n);
}

/* --- recvfrom -------------------------------------------------------------------------------- */

static ssize_t make_recvfrom(const struct tmo_call *c, size_t done, int more)
{
    if (done > 0) /* a stream: the address was given, or there is none, as with TCP */
        return make_recv(c, done, more);
    return tmo_result(
        tmo_real.recvfrom(c->fd, c->buf, c->len, c->flags | more, c->addr, c->addr_len));
}

static ssize_t __attribute__((noinline))
recvfrom_slow(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
    return tmo_call_slow(&(struct tmo_call){RECV(fd, "recvfrom", flags, make_recvfrom), .buf = buf,
                                            .len = len, .wanted = len, .addr = addr,
                                            .addr_len = alen});
}

static ssize_t __attribute__((noinline)) recvfrom_after(const struct recv_args *a, ssize_t n)
{
    return tmo_call_after(&(struct tmo_call){RECV(a->fd, "recvfrom", a->flags, make_recvfrom),
                                             .buf = a->buf, .len = a->len, .wanted = a->len},
                          n);
}

ssize_t wrap_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                      socklen_t *alen)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return recvfrom_slow(fd, buf, len, flags, addr, alen);
        return tmo_real.recvfrom(fd, buf, len, flags, addr, alen);
    }
    /* All that needs a closer look, in one question: no user address and flags add up to 0. (A sum,
     * because from an "or" the compiler would know both to be 0, and pass fresh zeros on.) */
    uintptr_t special = (unsigned)flags;
    TMO_KEEP_IN_REGISTER(special);
    if (TMO_UNLIKELY(special + (uintptr_t)addr != 0))
        return recvfrom_slow(fd, buf, len, flags, addr, alen);
    struct recv_args a;
    a.fd = fd;
    a.buf = buf;
    a.len = len;
    TMO_KEEP(a.fd);
    TMO_KEEP(a.buf);
    TMO_KEEP(a.len);
    ssize_t n = tmo_real.recvfrom(fd, buf, len, flags, addr, alen);
    if (n > 0)
        return n;
    a.flags = 0;
    return NOTHING_FOLLOWS(n, a.fd, 0) ? n : recvfrom_after(&a, n);
}

/* --- readv ----------------------------------------------------------------------------------- */

static ssize_t make_readv(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    (void)more;
    return tmo_result(tmo_real.readv(c->fd, c->iov, (int)c->iov_count));
}

static ssize_t __attribute__((noinline)) readv_slow(int fd, const struct iovec *iov, int count)
{
    return tmo_call_slow(&(struct tmo_call){RECV(fd, "readv", 0, make_readv), .iov = iov,
                                            .iov_count = (size_t)count});
}

static ssize_t __attribute__((noinline))
readv_after(int fd, const struct iovec *iov, int count, ssize_t n)
{
    return tmo_call_after(&(struct tmo_call){RECV(fd, "readv", 0, make_readv), .iov = iov,
                                             .iov_count = (size_t)count},
                          n);
}

ssize_t wrap_readv(int fd, const struct iovec *iov, int count)
{
    TMO_LOOK(fd, other, slow);
    if (TMO_UNLIKELY(other)) {
        if (slow)
            return readv_slow(fd, iov, count);
        return tmo_real.readv(fd, iov, count);
    }
    ssize_t n = tmo_real.readv(fd, iov, count);
    if (n > 0 || NOTHING_FOLLOWS(n, fd, 0))
        return n;
    return readv_after(fd, iov, count, n);
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

static struct tmo_call recvmsg_call(int fd, struct msghdr *msg, int flags)
{
    return (struct tmo_call){RECV(fd, "recvmsg", flags, make_recvmsg), .msg = msg};
}

static ssize_t __attribute__((noinline)) recvmsg_slow(int fd, struct msghdr *msg, int flags)
{
    struct tmo_call call = recvmsg_call(fd, msg, flags);
    /* How much MSG_WAITALL is to wait for can only be read when the kernel has read it, too. */
    call.counts = false;
    struct tmo_call rest = recvmsg_call(fd, msg, flags);
    ssize_t n = tmo_call_slow(&call);
    if (n > 0 && rest.counts && tmo_hot(fd) >= TMO_HOT_CHECK) {
        rest.wanted = tmo_iov_bytes(msg->msg_iov, msg->msg_iovlen);
        n = tmo_call_after(&rest, n);
    }
    if (n >= 0 && msg->msg_controllen > 0)
        tmo_made_received(msg);
    return n;
}

static ssize_t __attribute__((noinline))
recvmsg_after(int fd, struct msghdr *msg, int flags, ssize_t n)
{
    struct tmo_call call = recvmsg_call(fd, msg, flags);
    return tmo_call_after(&call, n);
}

ssize_t wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
    unsigned hot = tmo_hot(fd);
    if (TMO_UNLIKELY(hot == TMO_HOT_SLOW || (hot == TMO_HOT_CHECK && (flags & MSG_WAITALL) != 0)))
        return recvmsg_slow(fd, msg, flags);
    ssize_t n = tmo_real.recvmsg(fd, msg, flags);
    if (n <= 0 && hot == TMO_HOT_CHECK && !NOTHING_FOLLOWS(n, fd, flags))
        n = recvmsg_after(fd, msg, flags, n);
    if (n < 0)
        return n;
    if (TMO_UNLIKELY(msg->msg_controllen > 0)) /* descriptors may have arrived */
        tmo_made_received(msg);
    return n;
}

/* --- recvmmsg -------------------------------------------------------------------------------- */

static ssize_t make_recvmmsg(const struct tmo_call *c, size_t done, int more)
{
    (void)done;
    return tmo_result(
        tmo_real.recvmmsg(c->fd, c->msgs, (unsigned)c->len, c->flags | more, c->timeout));
}

static int __attribute__((noinline))
recvmmsg_slow(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout)
{
    struct tmo_call call = {RECV(fd, "recvmmsg", flags, make_recvmmsg), .msgs = msgs, .len = count,
                            .timeout = timeout};
    call.counts = false;
    return (int)tmo_call_slow(&call);
}

int wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout)
{
    int n = tmo_hot(fd) < TMO_HOT_CHECK ? tmo_real.recvmmsg(fd, msgs, count, flags, timeout)
                                        : recvmmsg_slow(fd, msgs, count, flags, timeout);
    for (int i = 0; i < n; i++) {
        if (msgs[i].msg_hdr.msg_controllen > 0)
            tmo_made_received(&msgs[i].msg_hdr);
    }
    return n;
}

/* --- fortified forms: libc checks the size of the buffer, and aborts ----------------------------
 */

#ifdef __GLIBC__
ssize_t wrap___read_chk(int fd, void *buf, size_t len, size_t room)
{
    if (TMO_UNLIKELY(len > room))
        return tmo_real.__read_chk(fd, buf, len, room);
    return wrap_read(fd, buf, len);
}

ssize_t wrap___recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
    if (TMO_UNLIKELY(len > room))
        return tmo_real.__recv_chk(fd, buf, len, room, flags);
    return wrap_recv(fd, buf, len, flags);
}

ssize_t wrap___recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                            struct sockaddr *addr, socklen_t *alen)
{
    if (TMO_UNLIKELY(len > room))
        return tmo_real.__recvfrom_chk(fd, buf, len, room, flags, addr, alen);
    return wrap_recvfrom(fd, buf, len, flags, addr, alen);
}
#endif
