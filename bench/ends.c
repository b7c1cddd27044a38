/* SPDX-License-Identifier: MIT
 * Descriptors to measure on. See ends.h. Everything here runs outside of what is measured. The
 * sockets are made with the plain calls, so that the library under test sees them.
 */
#include "bench/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (1 << 20)
#define FILE_BYTES   (1 << 16)

struct sockaddr_in end_address;

static struct end ends[END_COUNT];
static bool opened[END_COUNT];
static char bulk[FILE_BYTES];

void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int must(int result, const char *what)
{
    if (result < 0)
        die(what);
    return result;
}

int end_listen(void)
{
    const struct sockaddr_in any_port = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(end_address);
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

    must(bind(fd, (const struct sockaddr *)&any_port, sizeof(any_port)), "bind");
    must(listen(fd, 1024), "listen");
    must(getsockname(fd, (struct sockaddr *)&end_address, &len), "getsockname");
    return fd;
}

void end_connect(int listener, int flags, int ret[2])
{
    ret[0] = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(ret[0], (struct sockaddr *)&end_address, sizeof(end_address)), "connect");
    ret[1] = must(accept(listener, NULL, NULL), "accept");
    if (flags)
        must(fcntl(ret[0], F_SETFL, flags), "fcntl");
}

/* No Nagle, so that each small send is a segment, and room for a batch of them on the way. */
static void tune(int fd)
{
    int on = 1, bytes = BUFFER_BYTES;

    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "TCP_NODELAY");
    must(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), "SO_SNDBUF");
    must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), "SO_RCVBUF");
}

static struct end both_ways(int fd, int peer, bool datagram)
{
    return (struct end){.in = fd, .out = fd, .feed = peer, .drain = peer, .datagram = datagram};
}

static struct end open_file(void)
{
    struct end end = {.feed = -1, .drain = -1};

    end.in = must(memfd_create("in", 0), "memfd_create");
    end.out = must(memfd_create("out", 0), "memfd_create");
    if (write(end.in, bulk, sizeof(bulk)) != (ssize_t)sizeof(bulk))
        die("write to a memfd");
    return end;
}

static struct end open_pipes(void)
{
    int in[2], out[2];

    must(pipe(in), "pipe");
    must(pipe(out), "pipe");
    must(fcntl(out[0], F_SETFL, O_NONBLOCK), "fcntl"); /* for end_drain */
    return (struct end){.in = in[0], .feed = in[1], .drain = out[0], .out = out[1]};
}

static struct end open_unix(void)
{
    int pair[2], bytes = BUFFER_BYTES;

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    for (int i = 0; i < 2; i++)
        must(setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), "SO_SNDBUF");
    return both_ways(pair[0], pair[1], false);
}

static struct end open_udp(void)
{
    struct sockaddr_in addr[2];
    int fd[2], bytes = BUFFER_BYTES;

    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof(addr[i]);

        addr[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        fd[i] = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
        must(setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), "SO_RCVBUF");
        must(bind(fd[i], (struct sockaddr *)&addr[i], len), "bind");
        must(getsockname(fd[i], (struct sockaddr *)&addr[i], &len), "getsockname");
    }
    for (int i = 0; i < 2; i++)
        must(connect(fd[i], (struct sockaddr *)&addr[!i], sizeof(addr[0])), "connect");
    return both_ways(fd[0], fd[1], true);
}

static struct end open_tcp(int flags, bool accepted)
{
    int listener = end_listen(), pair[2];

    end_connect(listener, flags, pair);
    tune(pair[0]);
    tune(pair[1]);
    must(close(listener), "close");
    return both_ways(pair[accepted], pair[!accepted], false);
}

/* Writes until nothing more fits, and again when what was on the way has arrived. */
static struct end open_full(void)
{
    struct end end = open_tcp(O_NONBLOCK, false);

    /* 300 ms: the kernel's probe of the closed window, after 200 ms, still takes some bytes with
     * it. */
    for (int quiet = 0; quiet < 60; quiet++, usleep(5000)) {
        while (send(end.out, bulk, sizeof(bulk), MSG_NOSIGNAL) > 0)
            quiet = 0;
        while (send(end.out, bulk, 1, MSG_NOSIGNAL) > 0)
            quiet = 0;
    }
    return end;
}

static struct end open_reset(void)
{
    struct end end = open_tcp(0, false);
    struct linger now = {.l_onoff = 1};
    char byte;

    must(setsockopt(end.feed, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
    must(close(end.feed), "close");
    /* The first call is told of the reset itself; what is measured is every further one. */
    if (recv(end.in, &byte, 1, 0) != -1 || errno != ECONNRESET)
        die("recv on a reset connection");
    return end;
}

static struct end open_end(enum end_kind kind)
{
    switch (kind) {
    case END_FILE:
        return open_file();
    case END_PIPE:
        return open_pipes();
    case END_UNIX:
        return open_unix();
    case END_UDP:
        return open_udp();
    case END_ACCEPTED:
        return open_tcp(0, true);
    case END_TCP_NB:
        return open_tcp(O_NONBLOCK, false);
    case END_FULL:
        return open_full();
    case END_RESET:
        return open_reset();
    default:
        return open_tcp(0, false);
    }
}

const struct end *end_get(enum end_kind kind)
{
    if (!opened[kind])
        ends[kind] = open_end(kind);
    opened[kind] = true;
    return &ends[kind];
}

static void empty(int fd)
{
    int waiting;

    while (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0)
        if (read(fd, bulk, sizeof(bulk)) < 0)
            break;
}

/* What loopback delivers it delivers within the send, but for a busy softirq. */
static void await_bytes(int fd, int count)
{
    int waiting = 0;

    for (int tries = 0; tries < 10000 && waiting < count; tries++) {
        must(ioctl(fd, FIONREAD, &waiting), "FIONREAD");
        if (waiting < count)
            usleep(50);
    }
    if (waiting < count)
        die("bytes that were fed did not arrive");
}

void end_feed(const struct end *end, int count)
{
    if (end->feed < 0) {
        must((int)lseek(end->in, 0, SEEK_SET), "lseek");
        return;
    }
    empty(end->in);
    if (end->datagram) {
        for (int i = 0; i < count; i++)
            if (write(end->feed, bulk, 1) != 1)
                die("feeding a datagram");
        return;
    }
    if (count && write(end->feed, bulk, (size_t)count) != count)
        die("feeding");
    await_bytes(end->in, count);
}

void end_drain(const struct end *end)
{
    if (end->drain < 0) {
        must((int)lseek(end->out, 0, SEEK_SET), "lseek");
        must(ftruncate(end->out, 0), "ftruncate");
        return;
    }
    empty(end->drain);
}

int end_allow(int sockets)
{
    enum { SPARE_FDS = 32 };
    struct rlimit limit;

    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    return limit.rlim_max < (rlim_t)sockets + SPARE_FDS ? (int)limit.rlim_max - SPARE_FDS : sockets;
}
