/* SPDX-License-Identifier: MIT
 * How descriptors begin and end, a batch at a time: `prepare` makes what the measured step needs
 * and clears away what the last one left. See ops.h.
 */
#include "bench/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Two descriptors for each step, connected to each other; -1 where there is none. */
static int fds[MAX_CONNECTIONS][2];
static int used; /* of these, by the current batch */
static int next; /* the first one that no run has touched */
static int listener = -1, unix_listener = -1;
static struct sockaddr_un unix_address;

static struct sockaddr *tcp_address(void)
{
    return (struct sockaddr *)&end_address;
}

static void clear_away(void)
{
    for (int i = 0; i < used; i++)
        for (int side = 0; side < 2; side++)
            if (fds[i][side] >= 0)
                close(fds[i][side]);
    memset(fds, -1, sizeof(fds));
    used = next = 0;
}

/* The step of a batch where a run of COUNT begins: a batch may be run in two parts. */
static int take(int count)
{
    int first = next;

    next += count;
    return first;
}

/* Connections that were begun by the last step wait in the accept queue. */
static void empty_queue(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 0) == 1)
        close(accept(fd, NULL, NULL));
}

static int prepare_tcp(const struct op *op, int count)
{
    (void)op;
    clear_away();
    if (listener < 0)
        listener = end_listen();
    empty_queue(listener);
    used = count;
    return listener;
}

static int prepare_unix(const struct op *op, int count)
{
    (void)op;
    clear_away();
    if (unix_listener < 0) {
        socklen_t len = sizeof(sa_family_t);

        /* a name of the kernel's choice */
        unix_address.sun_family = AF_UNIX;
        unix_listener = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(unix_listener, (struct sockaddr *)&unix_address, len) < 0 ||
            listen(unix_listener, 1024) < 0)
            die("listening unix socket");
    }
    empty_queue(unix_listener);
    used = count;
    return unix_listener;
}

static int unix_connect(void)
{
    struct sockaddr_un addr;
    socklen_t len = sizeof(addr);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (getsockname(unix_listener, (struct sockaddr *)&addr, &len) < 0 ||
        connect(fd, (struct sockaddr *)&addr, len) < 0)
        die("connect to a unix socket");
    return fd;
}

static int prepare_unix_queue(const struct op *op, int count)
{
    prepare_unix(op, count);
    for (int i = 0; i < count; i++)
        fds[i][0] = unix_connect();
    return unix_listener;
}

static int prepare_queue(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++) {
        fds[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fds[i][0], tcp_address(), sizeof(end_address)) < 0)
            die("connect");
    }
    return listener;
}

static int prepare_connections(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        end_connect(listener, 0, fds[i]);
    return listener;
}

static int prepare_nonblocking(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        end_connect(listener, O_NONBLOCK, fds[i]);
    return listener;
}

static int prepare_fresh(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        fds[i][0] = socket(AF_INET, SOCK_STREAM, 0);
    return listener;
}

static int prepare_listeners(const struct op *op, int count)
{
    prepare_fresh(op, count);
    for (int i = 0; i < count; i++)
        if (listen(fds[i][0], 8) < 0)
            die("listen");
    return listener;
}

static int prepare_udp(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        fds[i][0] = socket(AF_INET, SOCK_DGRAM, 0);
    return listener;
}

static int prepare_socketpairs(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) < 0)
            die("socketpair");
    return listener;
}

static int prepare_pipes(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        if (pipe(fds[i]) < 0)
            die("pipe");
    return listener;
}

static int prepare_files(const struct op *op, int count)
{
    prepare_tcp(op, count);
    for (int i = 0; i < count; i++)
        fds[i][0] = open("/dev/null", O_RDONLY);
    return listener;
}

static int run_connect(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++) {
        fds[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        bad += connect(fds[i][0], tcp_address(), sizeof(end_address)) != 0;
    }
    return bad;
}

/* As event loops do it. */
static int run_connect_nonblocking(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++) {
        struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
                           .events = POLLOUT};
        int error = -1;
        socklen_t len = sizeof(error);

        fds[i][0] = p.fd;
        bad += connect(p.fd, tcp_address(), sizeof(end_address)) != -1 || errno != EINPROGRESS;
        bad += poll(&p, 1, 5000) != 1;
        bad += getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0;
    }
    return bad;
}

static int run_listen(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++) {
        fds[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        bad += listen(fds[i][0], 8) != 0;
    }
    return bad;
}

static int run_accept(int fd, int count)
{
    int first = take(count);

    for (int i = first; i < first + count; i++)
        fds[i][1] = accept(fd, NULL, NULL);
    return fds[first + count - 1][1] < 0;
}

static int run_accept_nonblocking(int fd, int count)
{
    int first = take(count);

    for (int i = first; i < first + count; i++)
        fds[i][1] = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    return fds[first + count - 1][1] < 0;
}

static int run_unix_connect(int fd, int count)
{
    int first = take(count);

    (void)fd;
    for (int i = first; i < first + count; i++)
        fds[i][0] = unix_connect();
    return 0;
}

static int run_socketpair(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++)
        bad += socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) != 0;
    return bad;
}

static int run_udp(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++) {
        fds[i][0] = socket(AF_INET, SOCK_DGRAM, 0);
        bad += connect(fds[i][0], tcp_address(), sizeof(end_address)) != 0;
    }
    return bad;
}

static int run_pipe(int fd, int count)
{
    int first = take(count), bad = 0;

    (void)fd;
    for (int i = first; i < first + count; i++)
        bad += pipe(fds[i]) != 0;
    return bad;
}

static int run_open(int fd, int count)
{
    int first = take(count);

    (void)fd;
    for (int i = first; i < first + count; i++)
        fds[i][0] = open("/dev/null", O_RDONLY);
    return fds[first + count - 1][0] < 0;
}

static int close_side(int side, int count)
{
    int first = take(count), bad = 0;

    for (int i = first; i < first + count; i++) {
        bad += close(fds[i][side]) != 0;
        fds[i][side] = -1;
    }
    return bad;
}

static int run_close(int fd, int count)
{
    (void)fd;
    return close_side(0, count);
}

static int run_close_accepted(int fd, int count)
{
    (void)fd;
    return close_side(1, count);
}

static int run_cycle(int fd, int count)
{
    int bad = 0;

    for (int i = 0; i < count; i++) {
        int out = socket(AF_INET, SOCK_STREAM, 0), in;

        bad += connect(out, tcp_address(), sizeof(end_address)) != 0;
        in = accept(fd, NULL, NULL);
        bad += in < 0;
        bad += close(out) != 0;
        bad += close(in) != 0;
    }
    return bad;
}

#define ROW(name, class, prepare, run) {name, class, 200, prepare, run, END_COUNT, NULL},

/* clang-format off */
const struct op life_ops[] = {
    ROW("tcp socket+connect", "connecting", prepare_tcp, run_connect)
    ROW("tcp socket+connect+poll+SO_ERROR, non-blocking", "connecting", prepare_tcp, run_connect_nonblocking)
    ROW("tcp accept", "accepted", prepare_queue, run_accept)
    ROW("tcp accept4 SOCK_NONBLOCK", "accepted", prepare_queue, run_accept_nonblocking)
    ROW("tcp socket+listen", "listening", prepare_tcp, run_listen)
    ROW("unix socket+connect", "other", prepare_unix, run_unix_connect)
    ROW("unix accept", "other", prepare_unix_queue, run_accept)
    ROW("unix socketpair", "other", prepare_tcp, run_socketpair)
    ROW("udp socket+connect", "other", prepare_tcp, run_udp)
    ROW("pipe", "other", prepare_tcp, run_pipe)
    ROW("open", "other", prepare_tcp, run_open)
    ROW("tcp close, connected", "close-ours", prepare_connections, run_close)
    ROW("tcp close, accepted", "close-ours", prepare_connections, run_close_accepted)
    ROW("tcp close, non-blocking", "close-ours", prepare_nonblocking, run_close)
    ROW("tcp close, never connected", "close-ours", prepare_fresh, run_close)
    ROW("tcp close, listening", "close-ours", prepare_listeners, run_close)
    ROW("unix close", "close-other", prepare_socketpairs, run_close)
    ROW("udp close", "close-other", prepare_udp, run_close)
    ROW("pipe close", "close-other", prepare_pipes, run_close)
    ROW("file close", "close-other", prepare_files, run_close)
    ROW("tcp cycle", "cycle", prepare_tcp, run_cycle)
    {"tcp close, timed", "time", 64, prepare_connections, run_close, END_COUNT, NULL},
};
/* clang-format on */
const size_t life_op_count = COUNT(life_ops);
