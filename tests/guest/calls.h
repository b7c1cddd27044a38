/* SPDX-License-Identifier: MIT
 * What the parts of calls.c share: calls by their names, each on a descriptor of some kind, and how
 * what came of them is said.
 */
#ifndef TESTS_GUEST_CALLS_H
#define TESTS_GUEST_CALLS_H

#include "tests/guest/guest.h"

#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t calls_pipes; /* SIGPIPEs since the last call was told of */

static void calls_on_pipe(int signal)
{
    (void)signal;
    calls_pipes = calls_pipes + 1;
}

/* From now on SIGPIPE is counted. */
static void calls_count_pipes(void)
{
    struct sigaction action = {.sa_handler = calls_on_pipe, .sa_flags = SA_RESTART};

    DO(sigaction(SIGPIPE, &action, NULL));
}

/* Says WHAT, that it gave N and errno ERROR, and whether SIGPIPE came. */
static void calls_say(const char *what, long n, int error)
{
    printf("%s: %ld %s", what, n,
           n < 0                ? strerror(error)
           : error == UNTOUCHED ? "-"
                                : "errno changed");
    if (calls_pipes != 0)
        printf(" SIGPIPE %d", (int)calls_pipes);
    calls_pipes = 0;
    putchar('\n');
}

#define CALL(what, call)                                                                           \
    ({                                                                                             \
        errno = UNTOUCHED;                                                                         \
        long n_ = (long)(call);                                                                    \
        int e_ = errno;                                                                            \
        calls_say(what, n_, e_);                                                                   \
        n_;                                                                                        \
    })

/* --- memory ---------------------------------------------------------------------------------- */

enum { ROOM = 256 * 1024 };

/* ROOM bytes, behind which nothing is mapped. */
static char *calls_edge(void)
{
    char *at = mmap(NULL, ROOM * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    WANT(at != MAP_FAILED);
    memset(at, 'm', ROOM);
    DO(mprotect(at + ROOM, ROOM, PROT_NONE));
    return at;
}

/* A page that can be read only, with BYTE in it. */
static char *calls_read_only(int byte)
{
    long page = sysconf(_SC_PAGESIZE);
    char *at = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    WANT(at != MAP_FAILED);
    memset(at, byte, (size_t)page);
    DO(mprotect(at, (size_t)page, PROT_READ));
    return at;
}

/* --- descriptors ----------------------------------------------------------------------------- */

static struct sockaddr_in calls_addr; /* of the listener that calls_listener() keeps */
static int calls_listening = -1;

/* Where all the cases connect to. What is connected is to be accepted soon. */
static int calls_listener(void)
{
    if (calls_listening < 0) {
        calls_listening = guest_listener(&calls_addr);
        DO(fcntl(calls_listening, F_SETFL, O_NONBLOCK));
    }
    return calls_listening;
}

static bool calls_readable(int fd)
{
    struct pollfd one = {fd, POLLIN, 0};

    return poll(&one, 1, 0) == 1 && (one.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
}

/* Waits until FD has one of EVENTS, or is known not to get it. */
static void calls_settle(int fd, short events)
{
    struct pollfd one = {fd, events, 0};

    (void)poll(&one, 1, 3000);
}

static int calls_udp(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;

    DO(fd);
    DO(bind(fd, (struct sockaddr *)&addr, sizeof addr));
    DO(getsockname(fd, (struct sockaddr *)&addr, &len));
    DO(connect(fd, (struct sockaddr *)&addr, sizeof addr)); /* to itself */
    return fd;
}

/* The kinds. Each leaves in *RET_OTHER what is to be closed with it, or -1. */
struct calls_kind {
    const char *name;
    int (*make)(int *ret_other);
};

static int calls_make_negative(int *ret_other)
{
    (void)ret_other;
    return -1;
}

static int calls_make_closed(int *ret_other)
{
    int fd = dup(0);

    (void)ret_other;
    DO(fd);
    DO(close(fd));
    return fd;
}

static int calls_make_file(int *ret_other)
{
    FILE *file = tmpfile();
    int fd;

    (void)ret_other;
    WANT(file != NULL);
    fd = dup(fileno(file));
    fclose(file);
    WANT(write(fd, "file text", 9) == 9 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int calls_make_pipe(int *ret_other)
{
    int ends[2];

    DO(pipe(ends));
    WANT(write(ends[1], "piped", 5) == 5);
    *ret_other = ends[1];
    return ends[0];
}

static int calls_make_pipe_in(int *ret_other)
{
    int ends[2];

    DO(pipe(ends));
    *ret_other = ends[0];
    return ends[1];
}

static int calls_make_path(int *ret_other)
{
    (void)ret_other;
    return open("/dev/null", O_PATH);
}

static int calls_make_event(int *ret_other)
{
    (void)ret_other;
    return eventfd(5, 0);
}

static int calls_make_epoll(int *ret_other)
{
    (void)ret_other;
    return epoll_create1(0);
}

static int calls_make_folder(int *ret_other)
{
    (void)ret_other;
    return open("/", O_RDONLY | O_DIRECTORY);
}

static int calls_make_fresh(int *ret_other)
{
    (void)ret_other;
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int calls_make_listener(int *ret_other)
{
    struct sockaddr_in addr;
    int fd = guest_listener(&addr);

    *ret_other = socket(AF_INET, SOCK_STREAM, 0);
    DO(connect(*ret_other, (struct sockaddr *)&addr, sizeof addr));
    calls_settle(fd, POLLIN);
    return fd;
}

static int calls_make_connected(int *ret_other)
{
    int ends[2];

    guest_connect(ends);
    WANT(send(ends[1], "a liner\n", 8, 0) == 8);
    calls_settle(ends[0], POLLIN);
    *ret_other = ends[1];
    return ends[0];
}

static int calls_make_udp(int *ret_other)
{
    int fd = calls_udp();

    (void)ret_other;
    WANT(send(fd, "datagram", 8, 0) == 8);
    calls_settle(fd, POLLIN);
    return fd;
}

static int calls_pair(int type, int *ret_other)
{
    int ends[2];

    DO(socketpair(AF_UNIX, type, 0, ends));
    WANT(send(ends[1], "locally!", 8, 0) == 8);
    *ret_other = ends[1];
    return ends[0];
}

static int calls_make_unix(int *ret_other)
{
    return calls_pair(SOCK_STREAM, ret_other);
}

static int calls_make_packets(int *ret_other)
{
    return calls_pair(SOCK_SEQPACKET, ret_other);
}

static int calls_make_unix_dgram(int *ret_other)
{
    return calls_pair(SOCK_DGRAM, ret_other);
}

static const struct calls_kind calls_kinds[] = {
    {"-1", calls_make_negative},
    {"closed", calls_make_closed},
    {"file", calls_make_file},
    {"pipe", calls_make_pipe},
    {"pipe to write", calls_make_pipe_in},
    {"O_PATH", calls_make_path},
    {"eventfd", calls_make_event},
    {"epoll", calls_make_epoll},
    {"folder", calls_make_folder},
    {"fresh", calls_make_fresh},
    {"listener", calls_make_listener},
    {"connected", calls_make_connected},
    {"udp", calls_make_udp},
    {"unix stream", calls_make_unix},
    {"unix packets", calls_make_packets},
    {"unix datagrams", calls_make_unix_dgram},
};

/* Runs DO_IT on each kind, made anew. */
static void calls_each_kind(const char *what, void (*do_it)(int fd))
{
    for (size_t i = 0; i < COUNT(calls_kinds); i++) {
        int other = -1, fd = calls_kinds[i].make(&other);

        printf("%s on %s\n  ", what, calls_kinds[i].name);
        do_it(fd);
        (void)close(fd); /* it may be closed already, or none */
        if (other >= 0)
            DO(close(other));
    }
}

#endif
