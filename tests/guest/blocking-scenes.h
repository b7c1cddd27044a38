/* SPDX-License-Identifier: MIT
 * The scenes of blocking.h: what receives, sends, accepts, connects and waits for events.
 */
#ifndef TESTS_GUEST_BLOCKING_SCENES_H
#define TESTS_GUEST_BLOCKING_SCENES_H

#include "tests/guest/guest.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define HAVE_CLOSE_RANGE 1
#endif
#if __GLIBC_PREREQ(2, 35)
#define HAVE_EPOLL_PWAIT2 1
#endif
#else
#pragma GCC diagnostic ignored "-Wsign-conversion" /* in musl's FD_SET */
#endif

enum {
    BIG = 256 * 1024, /* more than a socket of a scene ever has room for */
    PIPEFUL = 4096,
    QUIET_MS = 50, /* nothing goes on if nothing came for so long */
};

struct scene {
    int fd;     /* of the call */
    int peer;   /* its other end; of a connect, the listener */
    int aux[2]; /* a pipe, an epoll set, a file */
    size_t filled, wanted;
    struct sockaddr_un name; /* of a unix listener */
    struct sockaddr_in addr; /* of any other */
    int crowd;               /* what fills a listener's queue */
};

struct blocking {
    const char *name;
    void (*make)(struct scene *s);
    long (*call)(struct scene *s);
    void (*feed)(struct scene *s);  /* lets the call end as it is to */
    void (*check)(struct scene *s); /* undisturbed by a call that did nothing */
};

static char blocking_big[BIG];

static bool blocking_readable(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};

    for (;;) {
        int n = poll(&p, 1, ms);

        if (n >= 0 || errno != EINTR)
            return n == 1;
    }
}

/* --- what receives --------------------------------------------------------------------------- */

static void make_silent(struct scene *s)
{
    int ends[2];

    guest_connect(ends);
    s->fd = ends[0];
    s->peer = ends[1];
}

static void feed_byte(struct scene *s)
{
    WANT(send(s->peer, "x", 1, 0) == 1);
}

static void check_silent(struct scene *s)
{
    char byte = 0;

    WANT(send(s->peer, "y", 1, 0) == 1);
    WANT(recv(s->fd, &byte, 1, 0) == 1 && byte == 'y');
    WANT(send(s->fd, "z", 1, 0) == 1);
    WANT(recv(s->peer, &byte, 1, 0) == 1 && byte == 'z');
}

static long call_recv(struct scene *s)
{
    char bytes[8];

    return recv(s->fd, bytes, sizeof bytes, 0);
}

static long call_recvfrom(struct scene *s)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char bytes[8];

    return recvfrom(s->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len);
}

static long call_recvmsg(struct scene *s)
{
    char bytes[8];
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    return recvmsg(s->fd, &msg, 0);
}

static long call_recvmmsg(struct scene *s)
{
    char bytes[8];
    struct iovec iov = {bytes, sizeof bytes};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

    return recvmmsg(s->fd, &msg, 1, 0, NULL);
}

static long call_read(struct scene *s)
{
    char bytes[8];

    return read(s->fd, bytes, sizeof bytes);
}

static long call_readv(struct scene *s)
{
    char bytes[8];
    struct iovec iov[2] = {{bytes, 4}, {bytes + 4, 4}};

    return readv(s->fd, iov, 2);
}

static void make_silent_pipe(struct scene *s)
{
    make_silent(s);
    DO(pipe(s->aux));
}

static long call_splice_in(struct scene *s)
{
    return splice(s->fd, NULL, s->aux[1], NULL, 8, 0);
}

/* --- what sends ------------------------------------------------------------------------------ */

/* Whether nothing that FD has sent is under way, and its peer takes no more: the window is closed.
 * A silence alone does not say so: an acknowledgement may be 40 ms late, and what a window has room
 * for that is smaller than a segment goes only with the first probe, 200 ms later (linux/tcp.h,
 * TCP_DELACK_MIN, TCP_RTO_MIN). */
static bool is_settled(int fd)
{
    enum { UNACKED = 24 / 4, SND_WND = 228 / 4, COUNT = 64 }; /* linux/tcp.h, struct tcp_info */
    uint32_t info[COUNT] = {0};
    socklen_t len = sizeof info;

    DO(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len));
    WANT(len / 4 > SND_WND); /* Linux 5.4 */
    return info[UNACKED] == 0 && info[SND_WND] == 0;
}

static void make_full(struct scene *s)
{
    int64_t end_ms = guest_now_ms() + 5000;
    int listener = guest_listener(&s->addr), room = 16384;
    struct pollfd p = {.events = POLLOUT};

    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    DO(setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
    DO(connect(s->fd, (struct sockaddr *)&s->addr, sizeof s->addr));
    s->peer = accept(listener, NULL, NULL);
    DO(s->peer);
    DO(close(listener));
    p.fd = s->fd;
    do { /* what is sent moves on to the peer's side for a while */
        ssize_t n;

        while ((n = send(s->fd, blocking_big, sizeof blocking_big, MSG_DONTWAIT)) > 0)
            s->filled += (size_t)n;
        WANT(errno == EAGAIN);
        WANT(guest_now_ms() < end_ms);
    } while (poll(&p, 1, QUIET_MS) == 1 || !is_settled(s->fd));
    s->wanted = BIG;
}

/* Whoever reads as much as that has read what the call sent. */
static void feed_by_reading(struct scene *s)
{
    static char bytes[BIG];
    size_t left = s->filled + s->wanted;

    while (left > 0) {
        ssize_t n = recv(s->peer, bytes, left < BIG ? left : BIG, 0);

        WANT(n > 0);
        left -= (size_t)n;
    }
}

/* A call that did not end by itself has sent nothing, or a part of it. */
static void check_full(struct scene *s)
{
    static char bytes[BIG];
    size_t got = 0;
    char byte = 0;

    while (got < s->filled || blocking_readable(s->peer, QUIET_MS)) {
        ssize_t n = recv(s->peer, bytes, BIG, 0);

        WANT(n > 0);
        got += (size_t)n;
    }
    WANT(got <= s->filled + s->wanted);
    WANT(send(s->fd, "z", 1, 0) == 1);
    WANT(recv(s->peer, &byte, 1, 0) == 1 && byte == 'z');
    WANT(send(s->peer, "y", 1, 0) == 1);
    WANT(recv(s->fd, &byte, 1, 0) == 1 && byte == 'y');
}

static long call_send(struct scene *s)
{
    return send(s->fd, blocking_big, BIG, 0);
}

static long call_sendto(struct scene *s)
{
    return sendto(s->fd, blocking_big, BIG, MSG_NOSIGNAL, NULL, 0);
}

static struct iovec *halves(struct iovec iov[2])
{
    iov[0] = (struct iovec){blocking_big, BIG / 2};
    iov[1] = (struct iovec){blocking_big + BIG / 2, BIG / 2};
    return iov;
}

static long call_sendmsg(struct scene *s)
{
    struct iovec iov[2];
    struct msghdr msg = {.msg_iov = halves(iov), .msg_iovlen = 2};

    return sendmsg(s->fd, &msg, 0);
}

static long call_sendmmsg(struct scene *s)
{
    struct iovec iov[2];
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = halves(iov), .msg_iovlen = 2}};
    int n = sendmmsg(s->fd, &msg, 1, 0);

    return n == 1 ? (long)msg.msg_len : n;
}

static long call_write(struct scene *s)
{
    return write(s->fd, blocking_big, BIG);
}

static long call_writev(struct scene *s)
{
    struct iovec iov[2];

    return writev(s->fd, halves(iov), 2);
}

static void make_full_file(struct scene *s)
{
    char path[] = "guest-XXXXXX";

    make_full(s);
    s->aux[0] = mkstemp(path);
    DO(s->aux[0]);
    DO(unlink(path));
    DO(ftruncate(s->aux[0], BIG));
}

static long call_sendfile(struct scene *s)
{
    off_t at = 0;

    return sendfile(s->fd, s->aux[0], &at, BIG);
}

static void make_full_pipe(struct scene *s)
{
    make_full(s);
    DO(pipe(s->aux));
    WANT(write(s->aux[1], blocking_big, PIPEFUL) == PIPEFUL);
    s->wanted = PIPEFUL;
}

static long call_splice_out(struct scene *s)
{
    return splice(s->aux[0], NULL, s->fd, NULL, PIPEFUL, 0);
}

/* --- what accepts and connects --------------------------------------------------------------- */

static void make_listener(struct scene *s)
{
    s->fd = guest_listener(&s->addr);
}

static void feed_connect(struct scene *s)
{
    s->peer = socket(AF_INET, SOCK_STREAM, 0);
    DO(connect(s->peer, (struct sockaddr *)&s->addr, sizeof s->addr));
}

/* Returns 1 if FD is a connection. */
static long accepted(int fd)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;

    if (fd < 0)
        return fd;
    WANT(getpeername(fd, (struct sockaddr *)&peer, &len) == 0);
    WANT(close(fd) == 0);
    return 1;
}

static long call_accept(struct scene *s)
{
    return accepted(accept(s->fd, NULL, NULL));
}

static long call_accept4(struct scene *s)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;

    return accepted(accept4(s->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC));
}

static void check_listener(struct scene *s)
{
    if (s->peer >= 0)
        DO(close(s->peer));
    feed_connect(s);
    WANT(call_accept(s) == 1);
}

/* A client after whom the listener's queue has no room. */
static void crowd(struct scene *s, struct sockaddr *addr, socklen_t len)
{
    struct pollfd p = {.events = POLLOUT};

    DO(listen(s->peer, 0));
    s->crowd = socket(addr->sa_family, SOCK_STREAM, 0);
    DO(connect(s->crowd, addr, len));
    for (;;) {
        p.fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(p.fd, addr, len) < 0 &&
            (errno == EAGAIN || (errno == EINPROGRESS && poll(&p, 1, QUIET_MS) == 0)))
            break;
    }
    DO(close(p.fd));
    s->fd = socket(addr->sa_family, SOCK_STREAM, 0);
}

static void make_crowd(struct scene *s)
{
    s->peer = guest_listener(&s->addr);
    crowd(s, (struct sockaddr *)&s->addr, sizeof s->addr);
}

static void make_unix_crowd(struct scene *s)
{
    static atomic_int count;
    struct sockaddr_un *name = &s->name;

    name->sun_family = AF_UNIX;
    snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "guest %d %d", (int)getpid(), count++);
    s->peer = socket(AF_UNIX, SOCK_STREAM, 0);
    DO(bind(s->peer, (struct sockaddr *)name, sizeof *name));
    crowd(s, (struct sockaddr *)name, sizeof *name);
}

/* Takes all that wait; what comes of their names goes with them. */
static void feed_accept(struct scene *s)
{
    do {
        int fd = accept(s->peer, NULL, NULL);

        DO(fd);
        DO(close(fd));
    } while (blocking_readable(s->peer, QUIET_MS));
}

static long call_connect(struct scene *s)
{
    return connect(s->fd, (struct sockaddr *)&s->addr, sizeof s->addr);
}

static long call_connect_unix(struct scene *s)
{
    return connect(s->fd, (struct sockaddr *)&s->name, sizeof s->name);
}

static void check_connects(struct scene *s, long (*call)(struct scene *))
{
    char byte = 0;
    int fd;

    feed_accept(s);
    WANT(call(s) == 0);
    fd = accept(s->peer, NULL, NULL);
    WANT(send(s->fd, "z", 1, 0) == 1);
    WANT(recv(fd, &byte, 1, 0) == 1 && byte == 'z');
    DO(close(fd));
}

static void check_connect(struct scene *s)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    DO(connect(s->fd, &nowhere, sizeof nowhere)); /* the attempt is given up */
    check_connects(s, call_connect);
}

static void check_connect_unix(struct scene *s)
{
    check_connects(s, call_connect_unix);
}

/* --- what waits for events ------------------------------------------------------------------- */

static long call_poll(struct scene *s)
{
    struct pollfd p = {s->fd, POLLIN, 0};

    return poll(&p, 1, -1);
}

static long call_ppoll(struct scene *s)
{
    struct pollfd p = {s->fd, POLLIN, 0};

    return ppoll(&p, 1, NULL, NULL);
}

static long call_select(struct scene *s)
{
    fd_set in;

    FD_ZERO(&in);
    FD_SET(s->fd, &in);
    return select(s->fd + 1, &in, NULL, NULL, NULL);
}

static long call_pselect(struct scene *s)
{
    fd_set in;

    FD_ZERO(&in);
    FD_SET(s->fd, &in);
    return pselect(s->fd + 1, &in, NULL, NULL, NULL, NULL);
}

static void make_silent_set(struct scene *s)
{
    struct epoll_event event = {.events = EPOLLIN};

    make_silent(s);
    s->aux[0] = epoll_create1(EPOLL_CLOEXEC);
    DO(epoll_ctl(s->aux[0], EPOLL_CTL_ADD, s->fd, &event));
}

static long call_epoll_wait(struct scene *s)
{
    struct epoll_event event;

    return epoll_wait(s->aux[0], &event, 1, -1);
}

static long call_epoll_pwait(struct scene *s)
{
    struct epoll_event event;

    return epoll_pwait(s->aux[0], &event, 1, -1, NULL);
}

#ifdef HAVE_EPOLL_PWAIT2
static long call_epoll_pwait2(struct scene *s)
{
    struct epoll_event event;

    return epoll_pwait2(s->aux[0], &event, 1, NULL, NULL);
}
#endif

#endif
