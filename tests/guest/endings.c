/* SPDX-License-Identifier: MIT
 *
 * endings CASE: what a program finds when a connection ends, or in what comes beside its bytes.
 */
#include "tests/guest/guest.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef __GLIBC__
#pragma GCC diagnostic ignored "-Wsign-conversion" /* in musl's FD_SET */
#endif

/* Closes FD so that its peer is reset. */
static void reset(int fd)
{
    struct linger hard = {1, 0};

    DO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    DO(close(fd));
}

static void say_events(const char *what, int fd, short events, int ms)
{
    struct pollfd p = {fd, events, 0};
    int n = poll(&p, 1, ms);

    printf("%s: %d%s%s%s%s%s%s\n", what, n, (p.revents & POLLIN) != 0 ? " in" : "",
           (p.revents & POLLOUT) != 0 ? " out" : "", (p.revents & POLLPRI) != 0 ? " pri" : "",
           (p.revents & POLLERR) != 0 ? " err" : "", (p.revents & POLLHUP) != 0 ? " hup" : "",
           (p.revents & POLLRDHUP) != 0 ? " rdhup" : "");
    fflush(stdout);
}

/* Receives up to ROOM bytes and says them. */
static void say_received(const char *what, int fd, size_t room, int flags)
{
    char bytes[256] = "";

    WANT(room < sizeof bytes);
    if (SAY(what, recv(fd, bytes, room, flags)) > 0)
        printf("  %s\n", bytes);
}

static int error_of(int fd)
{
    int error = UNTOUCHED;
    socklen_t len = sizeof error;

    DO(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    return error;
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {fd, events, 0};

    WANT(poll(&p, 1, 5000) == 1);
}

static void rest_ms(int ms)
{
    struct timespec t = {0, ms * 1000000L};

    while (nanosleep(&t, &t) < 0)
        continue;
}

/* --- errors ---------------------------------------------------------------------------------- */

/* SO_ERROR is given once, and is 0 from then on. */
static void case_so_error(void)
{
    int ends[2], error = UNTOUCHED;
    socklen_t len = sizeof error;

    guest_connect(ends);
    reset(ends[1]);
    SAY("getsockopt", getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &len));
    printf("SO_ERROR %s\n", strerror(error));
    SAY("getsockopt again", getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &len));
    printf("SO_ERROR %s\n", strerror(error));
    SAY("recv", recv(ends[0], &error, sizeof error, 0));
}

struct sender {
    const char *name;
    ssize_t (*send)(int fd, int flags);
};

static ssize_t by_send(int fd, int flags)
{
    return send(fd, "x", 1, flags);
}

static ssize_t by_write(int fd, int flags)
{
    (void)flags;
    return write(fd, "x", 1);
}

static char one_byte[] = "x";

static ssize_t by_writev(int fd, int flags)
{
    struct iovec iov = {one_byte, 1};

    (void)flags;
    return writev(fd, &iov, 1);
}

static ssize_t by_sendmsg(int fd, int flags)
{
    struct iovec iov = {one_byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    return sendmsg(fd, &msg, flags);
}

static ssize_t by_sendmmsg(int fd, int flags)
{
    struct iovec iov = {one_byte, 1};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

    return sendmmsg(fd, &msg, 1, flags != 0 ? MSG_NOSIGNAL : 0); /* libc differ in its type */
}

static ssize_t by_sendfile(int fd, int flags)
{
    int file = open("/proc/self/exe", O_RDONLY);
    ssize_t n = sendfile(fd, file, NULL, 1);
    int e = errno;

    (void)flags;
    DO(close(file));
    errno = e;
    return n;
}

static ssize_t by_splice(int fd, int flags)
{
    int ends[2], e;
    ssize_t n;

    (void)flags;
    DO(pipe(ends));
    WANT(write(ends[1], "x", 1) == 1);
    e = errno = UNTOUCHED;
    n = splice(ends[0], NULL, fd, NULL, 1, 0);
    e = errno;
    DO(close(ends[0]));
    DO(close(ends[1]));
    errno = e;
    return n;
}

static const struct sender senders[] = {
    {"send", by_send},       {"write", by_write},       {"writev", by_writev},
    {"sendmsg", by_sendmsg}, {"sendmmsg", by_sendmmsg}, {"sendfile", by_sendfile},
    {"splice", by_splice},
};

enum { SENDERS = sizeof senders / sizeof senders[0] };

static void send_twice(const struct sender *how, int flags)
{
    pid_t pid;

    fflush(stdout);
    DO(pid = fork());
    if (pid == 0) {
        int ends[2];

        guest_connect(ends);
        reset(ends[1]);
        wait_for(ends[0], POLLIN);
        SAY(how->name, how->send(ends[0], flags));
        SAY(how->name, how->send(ends[0], flags));
        SAY(how->name, how->send(ends[0], flags));
        fflush(stdout);
        _exit(0);
    }
    guest_reap(how->name, pid);
}

/* After a reset the first send fails, and the second raises SIGPIPE. */
static void case_sigpipe(void)
{
    for (int i = 0; i < SENDERS; i++)
        send_twice(&senders[i], 0);
    send_twice(&senders[0], MSG_NOSIGNAL);
    send_twice(&senders[3], MSG_NOSIGNAL);
    send_twice(&senders[4], MSG_NOSIGNAL);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SENDERS; i++)
        send_twice(&senders[i], 0);
}

/* What had come before a reset, and what a close with something unread sends. */
static void case_reset_unread(void)
{
    int ends[2];

    guest_connect(ends);
    WANT(send(ends[1], "unread", 6, 0) == 6);
    wait_for(ends[0], POLLIN);
    reset(ends[1]);
    wait_for(ends[0], POLLRDHUP);
    say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
    say_received("recv", ends[0], 3, 0);
    say_received("recv", ends[0], 10, 0);
    say_received("recv", ends[0], 10, 0);
    SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));

    guest_connect(ends);
    WANT(send(ends[0], "unread", 6, 0) == 6);
    wait_for(ends[1], POLLIN);
    DO(close(ends[1]));
    wait_for(ends[0], POLLRDHUP);
    say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
    printf("SO_ERROR %s\n", strerror(error_of(ends[0])));
    say_received("recv", ends[0], 10, 0);
    SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
}

/* --- one way and the other ------------------------------------------------------------------- */

static void case_half_closed(void)
{
    int ends[2];

    guest_connect(ends);
    SAY("shutdown", shutdown(ends[0], SHUT_WR));
    say_events("peer", ends[1], POLLIN | POLLOUT | POLLRDHUP, 5000);
    say_received("peer's recv", ends[1], 10, 0);
    say_received("peer's recv", ends[1], 10, 0);
    SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
    SAY("peer's send", send(ends[1], "answer", 6, 0));
    say_received("recv", ends[0], 10, 0);
    say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
    SAY("peer's shutdown", shutdown(ends[1], SHUT_WR));
    wait_for(ends[0], POLLRDHUP);
    say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
    say_received("recv", ends[0], 10, 0);
    SAY("shutdown", shutdown(ends[0], SHUT_RD));
    SAY("shutdown", shutdown(ends[0], SHUT_RDWR));

    guest_connect(ends);
    SAY("shutdown", shutdown(ends[0], SHUT_RD));
    say_received("recv", ends[0], 10, 0);
    say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
    SAY("send", send(ends[0], "out", 3, 0));
    say_received("peer's recv", ends[1], 10, 0);
    SAY("peer's send", send(ends[1], "in", 2, 0));
    wait_for(ends[0], POLLIN);
    rest_ms(50);
    say_received("recv", ends[0], 10, 0); /* it came all the same */
    say_received("recv", ends[0], 10, 0);

    guest_connect(ends);
    SAY("shutdown", shutdown(ends[0], SHUT_RDWR));
    say_received("recv", ends[0], 10, 0);
    SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
    wait_for(ends[1], POLLRDHUP);
    SAY("peer's send", send(ends[1], "x", 1, MSG_NOSIGNAL));
    wait_for(ends[1], POLLHUP);
    SAY("peer's send", send(ends[1], "x", 1, MSG_NOSIGNAL));
    SAY("peer's send", send(ends[1], "x", 1, MSG_NOSIGNAL));
    say_received("peer's recv", ends[1], 10, 0);
    printf("SO_ERROR %s\n", strerror(error_of(ends[1])));
}

/* The end comes in the same segment as the last bytes. */
static void case_data_with_fin(void)
{
    int on = 1;

    for (int i = 0; i < 4; i++) {
        int ends[2];

        guest_connect(ends);
        DO(setsockopt(ends[1], IPPROTO_TCP, TCP_CORK, &on, sizeof on));
        WANT(send(ends[1], "last words", 10, 0) == 10);
        DO(shutdown(ends[1], SHUT_WR));
        wait_for(ends[0], POLLRDHUP);
        say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
        if (i == 1)
            say_received("recv", ends[0], 100, MSG_PEEK);
        say_received("recv", ends[0], 100, i == 2 ? MSG_WAITALL : 0);
        say_events("poll", ends[0], POLLIN | POLLOUT | POLLRDHUP, 0);
        say_received("recv", ends[0], 100, i == 3 ? MSG_WAITALL : 0);
        SAY("send", send(ends[0], "x", 1, 0));
        DO(close(ends[0]));
        DO(close(ends[1]));
    }
}

/* --- in other threads ------------------------------------------------------------------------ */

struct other {
    int fd;
    atomic_int tid;
    long result;
    int error;
};

static void *accept_there(void *argument)
{
    struct other *o = argument;

    o->tid = (int)syscall(SYS_gettid);
    o->result = accept(o->fd, NULL, NULL);
    o->error = errno;
    return NULL;
}

static void *receive_there(void *argument)
{
    struct other *o = argument;
    char bytes[8];

    o->tid = (int)syscall(SYS_gettid);
    o->result = recv(o->fd, bytes, sizeof bytes, 0);
    o->error = errno;
    return NULL;
}

/* Returns when thread *TID sleeps in its call. */
static void wait_until_asleep(atomic_int *tid)
{
    for (int seen = 0; seen < 3; rest_ms(1)) {
        char path[64], line[256] = "", *end;
        int fd;

        if (*tid == 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", *tid);
        DO(fd = open(path, O_RDONLY));
        WANT(read(fd, line, sizeof line - 1) > 0);
        DO(close(fd));
        end = strrchr(line, ')');
        seen = end != NULL && end[2] == 'S' ? seen + 1 : 0;
    }
}

static void case_shutdown_wakes(void)
{
    static const int ways[] = {SHUT_RD, SHUT_RDWR};

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in addr;
        struct other o = {.fd = guest_listener(&addr)};
        pthread_t thread;
        int ends[2];

        WANT(pthread_create(&thread, NULL, accept_there, &o) == 0);
        wait_until_asleep(&o.tid);
        SAY("shutdown", shutdown(o.fd, ways[i]));
        WANT(pthread_join(thread, NULL) == 0);
        printf("accept: %ld %s\n", o.result, strerror(o.error));
        say_events("poll", o.fd, POLLIN | POLLOUT | POLLRDHUP, 0);
        SAY("listen", listen(o.fd, 1));
        DO(close(o.fd));

        guest_connect(ends);
        o = (struct other){.fd = ends[0]};
        WANT(pthread_create(&thread, NULL, receive_there, &o) == 0);
        wait_until_asleep(&o.tid);
        SAY("shutdown", shutdown(ends[0], ways[i]));
        WANT(pthread_join(thread, NULL) == 0);
        printf("recv: %ld\n", o.result);
    }
}

/* A recv goes on though its number is closed by another thread, and gets what comes. */
static void case_closed_meanwhile(void)
{
    struct other o = {.tid = 0};
    pthread_t thread;
    int ends[2];

    guest_connect(ends);
    o.fd = ends[0];
    WANT(pthread_create(&thread, NULL, receive_there, &o) == 0);
    wait_until_asleep(&o.tid);
    SAY("close", close(ends[0]));
    wait_until_asleep(&o.tid);
    SAY("send", send(ends[1], "late", 4, 0));
    WANT(pthread_join(thread, NULL) == 0);
    printf("recv: %ld %s\n", o.result, o.result < 0 ? strerror(o.error) : "-");
    say_received("peer's recv", ends[1], 8, 0);
}

/* --- after the library has ended it ---------------------------------------------------------- */

static int next_events(int set)
{
    struct epoll_event event = {.events = 0};

    return epoll_wait(set, &event, 1, 300) == 1 ? (int)event.events : 0;
}

/* With SOCKTMO_RECV=1s, and SIGPIPE as it is by default. */
static void case_after_end(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
    int64_t before;
    int ends[2], set, events;

    guest_connect(ends);
    DO(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    DO(set = epoll_create1(0));
    DO(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
    before = guest_now_ms();
    WANT(epoll_wait(set, &event, 1, 5000) == 1);
    WANT(guest_now_ms() - before >= 900 && guest_now_ms() - before <= 1550);
    WANT((event.events & (EPOLLIN | EPOLLERR)) != 0);
    for (int i = 0; i < SENDERS; i++) {
        for (int j = 0; j < 2; j++)
            SAY(senders[i].name, senders[i].send(ends[0], 0));
    }
    say_received("recv", ends[0], 8, 0);
    for (int i = 0; i < 3; i++)
        printf("SO_ERROR %s\n", strerror(error_of(ends[0])));
    WANT(next_events(set) == 0); /* the edge was told */
    event.events = EPOLLIN | EPOLLET;
    DO(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event));
    WANT((next_events(set) & (EPOLLERR | EPOLLHUP | EPOLLIN)) != 0); /* and is told anew */
    DO(close(set));
    DO(set = epoll_create1(0));
    DO(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
    events = next_events(set);
    WANT((events & (EPOLLERR | EPOLLHUP | EPOLLIN)) != 0);
    say_received("peer's recv", ends[1], 8, 0);
    SAY("close", close(ends[0]));
}

#include "tests/guest/endings-edges.h"

static const struct guest_case cases[] = {
    {"so_error", case_so_error},
    {"sigpipe", case_sigpipe},
    {"reset_unread", case_reset_unread},
    {"half_closed", case_half_closed},
    {"data_with_fin", case_data_with_fin},
    {"shutdown_wakes", case_shutdown_wakes},
    {"closed_meanwhile", case_closed_meanwhile},
    {"after_end", case_after_end},
    {"edges", case_edges},
    {"one_shot", case_one_shot},
    {"urgent", case_urgent},
    {"lowat", case_lowat},
    {"linger", case_linger},
    {"slow_reader", case_slow_reader},
    {"reset_within_send", case_reset_within_send},
    {"reset_within_waitall", case_reset_within_waitall},
};
GUEST_MAIN(cases)
