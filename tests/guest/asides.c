/* SPDX-License-Identifier: MIT
 *
 * asides CASE: what comes beside a socket's bytes, or changes how they come: error queues, stamps,
 * options of TCP, datagrams, unix sockets.
 */
#include "tests/guest/guest.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/un.h>

#ifndef __GLIBC__
#pragma GCC diagnostic ignored "-Wsign-conversion" /* in musl's CMSG_NXTHDR */
#endif

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60 /* asm-generic/socket.h, Linux 4.14 */
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000 /* linux/socket.h, Linux 4.14 */
#endif
#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL 46 /* asm-generic/socket.h */
#endif

/* linux/errqueue.h and linux/net_tstamp.h, which are not beside every libc's headers. */
struct queued_error {
    uint32_t error;
    uint8_t origin, type, code, pad;
    uint32_t info, data;
};

enum {
    STAMP_SENT = 1 << 1,      /* SOF_TIMESTAMPING_TX_SOFTWARE */
    STAMP_BY_KERNEL = 1 << 4, /* SOF_TIMESTAMPING_SOFTWARE */
    STAMP_NUMBERED = 1 << 7,  /* SOF_TIMESTAMPING_OPT_ID */
    STAMP_CONTROL = 1 << 10,  /* SOF_TIMESTAMPING_OPT_CMSG */
};

static void say_received(const char *what, int fd, size_t room, int flags)
{
    char bytes[256] = "";

    WANT(room < sizeof bytes);
    if (SAY(what, recv(fd, bytes, room, flags)) > 0)
        printf("  %s\n", bytes);
}

static short wait_for(int fd, short events)
{
    struct pollfd p = {fd, events, 0};

    WANT(poll(&p, 1, 5000) == 1);
    return p.revents;
}

static void rest_ms(int ms)
{
    struct timespec t = {0, ms * 1000000L};

    while (nanosleep(&t, &t) < 0)
        continue;
}

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int udp(struct sockaddr_in *ret_addr)
{
    socklen_t len = sizeof *ret_addr;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    DO(fd);
    *ret_addr = (struct sockaddr_in){.sin_family = AF_INET};
    ret_addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    DO(bind(fd, (struct sockaddr *)ret_addr, sizeof *ret_addr));
    DO(getsockname(fd, (struct sockaddr *)ret_addr, &len));
    return fd;
}

/* A port that nobody has. */
static struct sockaddr_in nobody(void)
{
    struct sockaddr_in addr;

    DO(close(udp(&addr)));
    return addr;
}

/* --- error queues ---------------------------------------------------------------------------- */

/* Takes one message from FD's error queue and says what it is, but for times. Returns its number,
 * or -1. */
static long say_queued(const char *what, int fd)
{
    union {
        struct cmsghdr head;
        char room[512];
    } control;
    char bytes[64] = "";
    struct iovec iov = {bytes, sizeof bytes - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    long data = -1;

    if (SAY(what, recvmsg(fd, &msg, MSG_ERRQUEUE)) < 0)
        return -1;
    printf("  flags %s%s, \"%s\"\n", (msg.msg_flags & MSG_ERRQUEUE) != 0 ? "errqueue" : "",
           (msg.msg_flags & MSG_CTRUNC) != 0 ? " ctrunc" : "", bytes);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        printf("  control %d %d\n", c->cmsg_level, c->cmsg_type);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
            struct queued_error e;

            memcpy(&e, CMSG_DATA(c), sizeof e);
            printf("  errno %u, origin %d, type %d, code %d, info %u\n", e.error, e.origin, e.type,
                   e.code, e.info);
            data = (long)e.data;
        }
    }
    return data;
}

static void case_udp_errqueue(void)
{
    struct sockaddr_in addr, to = nobody();
    int fd = udp(&addr);

    SAY("IP_RECVERR", set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
    say_queued("nothing", fd);
    for (int i = 0; i < 2; i++) {
        SAY("sendto", sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to));
        WANT((wait_for(fd, 0) & POLLERR) != 0);
        if (i == 0) { /* the error first, then the queue */
            say_received("recv", fd, 8, 0);
            say_queued("queued", fd);
        } else {
            say_queued("queued", fd);
            say_received("recv", fd, 8, MSG_DONTWAIT);
        }
        say_queued("nothing", fd);
    }
    DO(connect(fd, (struct sockaddr *)&to, sizeof to));
    SAY("send", send(fd, "again", 5, 0));
    WANT((wait_for(fd, 0) & POLLERR) != 0);
    SAY("send", send(fd, "again", 5, 0));
    say_queued("queued", fd);
}

/* Connected: told once by the next call. Unconnected: never. */
static void case_udp_errors(void)
{
    struct sockaddr_in addr, to = nobody();
    int fd = udp(&addr), error = UNTOUCHED;
    socklen_t len = sizeof error;

    SAY("sendto", sendto(fd, "a", 1, 0, (struct sockaddr *)&to, sizeof to));
    rest_ms(20);
    say_received("unconnected", fd, 8, MSG_DONTWAIT);
    SAY("connect", connect(fd, (struct sockaddr *)&to, sizeof to));
    SAY("send", send(fd, "a", 1, 0));
    WANT((wait_for(fd, POLLIN) & POLLERR) != 0);
    say_received("recv", fd, 8, 0);
    SAY("send", send(fd, "a", 1, 0));
    WANT((wait_for(fd, POLLIN) & POLLERR) != 0);
    SAY("write", write(fd, "a", 1));
    SAY("write", write(fd, "a", 1));
    WANT((wait_for(fd, POLLIN) & POLLERR) != 0);
    SAY("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    printf("  %s\n", strerror(error));
    say_received("recv", fd, 8, MSG_DONTWAIT);
    SAY("empty", send(fd, "", 0, 0));
}

/* Datagrams of no bytes, longer ones than there is room for, and of oneself. */
static void case_udp_datagrams(void)
{
    struct sockaddr_in addr;
    int fd = udp(&addr);

    DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
    SAY("send", send(fd, "", 0, 0));
    SAY("send", send(fd, "longer", 6, 0));
    SAY("send", send(fd, "third", 5, 0));
    say_received("recv", fd, 8, 0);
    say_received("peek", fd, 3, MSG_PEEK | MSG_TRUNC);
    say_received("recv", fd, 3, MSG_TRUNC | MSG_WAITALL);
    say_received("recv", fd, 8, MSG_WAITALL);
    SAY("shutdown", shutdown(fd, SHUT_RD));
    say_received("recv", fd, 8, 0);
}

static void case_timestamps(void)
{
    struct sockaddr_in addr;
    int fd = udp(&addr);
    int flags = STAMP_SENT | STAMP_BY_KERNEL | STAMP_NUMBERED | STAMP_CONTROL;

    if (set_int(fd, SOL_SOCKET, SO_TIMESTAMPING, flags) < 0) {
        printf("not here\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        SAY("sendto", sendto(fd, "stamp", 5, 0, (struct sockaddr *)&addr, sizeof addr));
        WANT((wait_for(fd, 0) & POLLERR) != 0);
        printf("number %ld\n", say_queued("stamp", fd) & 0xffff);
        say_received("recv", fd, 8, 0); /* which is no error */
    }
    say_queued("nothing", fd);
}

static void case_zerocopy(void)
{
    static char bytes[65536];
    int ends[2];

    guest_connect(ends);
    if (set_int(ends[0], SOL_SOCKET, SO_ZEROCOPY, 1) < 0) {
        printf("not here\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        size_t left = 16384;

        SAY("send", send(ends[0], bytes, left, MSG_ZEROCOPY));
        while (left > 0) {
            ssize_t n = recv(ends[1], bytes, left, 0);

            WANT(n > 0);
            left -= (size_t)n;
        }
        WANT((wait_for(ends[0], 0) & POLLERR) != 0);
        printf("up to %ld\n", say_queued("done", ends[0]));
        say_queued("nothing", ends[0]);
        say_received("no error", ends[0], 8, MSG_DONTWAIT);
    }
    WANT(send(ends[1], "answer", 6, 0) == 6);
    SAY("send", send(ends[0], bytes, 100, MSG_ZEROCOPY));
    say_received("recv beside it", ends[0], 8, 0);
}

/* --- how bytes come -------------------------------------------------------------------------- */

static void *send_in_parts(void *argument)
{
    for (int i = 0; i < 4; i++) {
        rest_ms(15);
        WANT(send(*(int *)argument, &"abcd"[i], 1, 0) == 1);
    }
    return NULL;
}

static void case_peek(void)
{
    static const int flags[] = {MSG_PEEK | MSG_WAITALL, MSG_WAITALL | MSG_TRUNC,
                                MSG_PEEK | MSG_TRUNC, MSG_WAITALL};

    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        int ends[2];

        guest_connect(ends);
        WANT(send(ends[1], "xyz", 3, 0) == 3);
        wait_for(ends[0], POLLIN);
        WANT(pthread_create(&thread, NULL, send_in_parts, &ends[1]) == 0);
        if (flags[i] == (MSG_WAITALL | MSG_TRUNC)) /* thrown away by TCP */
            SAY("recv", recv(ends[0], NULL, 6, flags[i]));
        else
            say_received("recv", ends[0], 6, flags[i]);
        WANT(pthread_join(thread, NULL) == 0);
        say_received("the rest", ends[0], 20, 0);
        say_received("none", ends[0], 20, MSG_DONTWAIT | MSG_PEEK);
    }
}

/* What is held back comes in one piece. */
static void case_cork(void)
{
    int ends[2];

    for (int i = 0; i < 2; i++) {
        int64_t before = guest_now_ms();
        struct pollfd p = {.events = POLLIN};
        int n;

        guest_connect(ends);
        p.fd = ends[1];
        if (i == 0)
            SAY("TCP_CORK", set_int(ends[0], IPPROTO_TCP, TCP_CORK, 1));
        SAY("send", send(ends[0], "abc", 3, i == 0 ? 0 : MSG_MORE));
        SAY("send", send(ends[0], "def", 3, i == 0 ? 0 : MSG_MORE));
        n = poll(&p, 1, 30);
        WANT(n == 0 || guest_now_ms() - before > 150); /* not for longer than 200 ms */
        if (i == 0)
            SAY("TCP_CORK", set_int(ends[0], IPPROTO_TCP, TCP_CORK, 0));
        else
            SAY("send", send(ends[0], "", 0, 0));
        SAY("send", send(ends[0], "ghi", 3, 0));
        say_received("recv", ends[1], 9, MSG_WAITALL);
    }
}

static void case_busy_poll(void)
{
    int ends[2], us = 0;
    socklen_t len = sizeof us;
    pthread_t thread;

    guest_connect(ends);
    if (set_int(ends[0], SOL_SOCKET, SO_BUSY_POLL, 50) < 0) {
        printf("not here\n");
        return;
    }
    DO(getsockopt(ends[0], SOL_SOCKET, SO_BUSY_POLL, &us, &len));
    printf("%d us\n", us);
    WANT(pthread_create(&thread, NULL, send_in_parts, &ends[1]) == 0);
    wait_for(ends[0], POLLIN);
    say_received("recv", ends[0], 4, MSG_WAITALL);
    WANT(pthread_join(thread, NULL) == 0);
}

/* --- how connections come -------------------------------------------------------------------- */

static void case_defer_accept(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), fd = socket(AF_INET, SOCK_STREAM, 0), served;

    SAY("TCP_DEFER_ACCEPT", set_int(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    DO(fcntl(listener, F_SETFL, O_NONBLOCK));
    SAY("connect", connect(fd, (struct sockaddr *)&addr, sizeof addr));
    rest_ms(20);
    SAY("accept", accept(listener, NULL, NULL));
    SAY("send", send(fd, "request", 7, 0));
    wait_for(listener, POLLIN);
    served = accept(listener, NULL, NULL);
    DO(served);
    say_received("recv", served, 10, MSG_DONTWAIT);
    SAY("send", send(served, "answer", 6, 0));
    say_received("recv", fd, 10, 0);
}

static void case_fast_open(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr);

    (void)set_int(listener, IPPROTO_TCP, TCP_FASTOPEN, 16); /* the system may not want it */
    for (int i = 0; i < 3; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), served;

        SAY("sendto", sendto(fd, "first", 5, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof addr));
        SAY("send", send(fd, " and second", 11, 0));
        served = accept(listener, NULL, NULL);
        DO(served);
        say_received("recv", served, 16, MSG_WAITALL);
        SAY("send", send(served, "answer", 6, 0));
        say_received("recv", fd, 10, 0);
        SAY("sendto", sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof addr));
        DO(close(fd));
        DO(close(served));
    }
}

/* Two listeners of one port: each connection comes to one of them. */
static void case_reuseport(void)
{
    struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int count = 0;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2; i++) {
        DO(p[i].fd = socket(AF_INET, SOCK_STREAM, 0));
        SAY("SO_REUSEPORT", set_int(p[i].fd, SOL_SOCKET, SO_REUSEPORT, 1));
        SAY("bind", bind(p[i].fd, (struct sockaddr *)&addr, sizeof addr));
        SAY("listen", listen(p[i].fd, 64));
        DO(getsockname(p[i].fd, (struct sockaddr *)&addr, &len));
    }
    for (int i = 0; i < 40; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), served;
        char byte = 0;

        DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
        WANT(poll(p, 2, 5000) == 1);
        DO(served = accept(p[0].revents != 0 ? p[0].fd : p[1].fd, NULL, NULL));
        WANT(send(served, "x", 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1 && byte == 'x');
        DO(close(fd));
        DO(close(served));
        count++;
    }
    printf("%d served\n", count);
}

#include "tests/guest/asides-unix.h"

static const struct guest_case cases[] = {
    {"udp_errqueue", case_udp_errqueue},
    {"udp_errors", case_udp_errors},
    {"udp_datagrams", case_udp_datagrams},
    {"timestamps", case_timestamps},
    {"zerocopy", case_zerocopy},
    {"peek", case_peek},
    {"cork", case_cork},
    {"busy_poll", case_busy_poll},
    {"defer_accept", case_defer_accept},
    {"fast_open", case_fast_open},
    {"reuseport", case_reuseport},
    {"unix", case_unix},
    {"credentials", case_credentials},
    {"unix_datagrams", case_unix_datagrams},
};
GUEST_MAIN(cases)
