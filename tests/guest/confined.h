/* SPDX-License-Identifier: MIT
 * What the cases of confined.c share: a child for each, ordinary use of sockets that says how each
 * call went, and filters of system calls.
 */
#ifndef TESTS_GUEST_CONFINED_H
#define TESTS_GUEST_CONFINED_H

#include "tests/guest/guest.h"

#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#pragma GCC diagnostic ignored "-Wsign-conversion" /* inside musl's FD_SET */

/* Both ends of a connection, and a listener: made before anything is forbidden. */
struct place {
    int ends[2], listener;
    struct sockaddr_in addr;
};

static void make_place(struct place *p)
{
    guest_connect(p->ends);
    p->listener = guest_listener(&p->addr);
}

/* Runs FN as a child, and says how it ended. */
#define AS_CHILD(what, call)                                                                       \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        pid_t child_ = fork();                                                                     \
        DO(child_);                                                                                \
        if (child_ == 0) {                                                                         \
            call;                                                                                  \
            fflush(stdout);                                                                        \
            _exit(0);                                                                              \
        }                                                                                          \
        guest_reap(what, child_);                                                                  \
    } while (0)

static volatile sig_atomic_t handled;

static void on_signal(int n)
{
    (void)n;
    handled++;
}

static bool without_writev; /* the program does not call it itself */

/* Data each way, by every call. */
static void exchange(int a, int b)
{
    char bytes[16] = "abcdefgh";
    struct iovec parts[2] = {{bytes, 3}, {bytes + 3, 5}};
    struct iovec none[2] = {{bytes, 0}, {NULL, 0}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    void *volatile bad = (void *)(uintptr_t)8; /* volatile: not for the compiler to judge */
    volatile int below = -1, many = 1025;

    SAY("read, no bytes", read(a, bytes, 0));
    SAY("readv, no parts", readv(a, parts, 0));
    SAY("readv, no bytes", readv(a, none, 2));
    SAY("readv, parts below 0", readv(a, parts, below));
    SAY("readv, too many parts", readv(a, parts, many));
    SAY("readv, bad vector", readv(a, bad, 1));
    SAY("write, bad pointer", write(a, bad, 4));
    SAY("write, no bytes", write(a, bytes, 0));
    if (!without_writev) {
        SAY("writev, bad vector", writev(a, bad, 1));
        SAY("writev, no parts", writev(a, parts, 0));
        SAY("writev, no bytes", writev(a, none, 2));
        SAY("writev, parts below 0", writev(a, parts, below));
        SAY("writev, too many parts", writev(a, parts, many));
    }
    SAY("write", write(a, bytes, 8));
    SAY("read", read(b, bytes, 8));
    SAY("send", send(b, bytes, 8, 0));
    SAY("recv", recv(a, bytes, 8, 0));
    SAY("writev", without_writev ? write(a, bytes, 8) : writev(a, parts, 2));
    SAY("readv", readv(b, parts, 2));
    SAY("sendmsg", sendmsg(b, &msg, 0));
    SAY("recvmsg", recvmsg(a, &msg, 0));
    SAY("sendto", sendto(a, bytes, 8, MSG_NOSIGNAL, NULL, 0));
    SAY("recv, all", recv(b, bytes, 8, MSG_WAITALL));
    SAY("recv, now", recv(b, bytes, 8, MSG_DONTWAIT));
    WANT(memcmp(bytes, "abcdefgh", 8) == 0);
}

/* A new connection from its socket to its end. */
static void come_and_go(const struct place *p)
{
    int fd = (int)SAY("socket", socket(AF_INET, SOCK_STREAM, 0)), accepted, on = 1;
    socklen_t len = sizeof on;

    SAY("connect", connect(fd, (const struct sockaddr *)&p->addr, sizeof p->addr));
    accepted = (int)SAY("accept", accept(p->listener, NULL, NULL));
    SAY("setsockopt", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    SAY("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, &on, &len));
    exchange(fd, accepted);
    SAY("shutdown", shutdown(fd, SHUT_WR));
    SAY("the end", recv(accepted, &on, 1, 0));
    SAY("close", close(accepted));
    SAY("close", close(fd));
    SAY("close again", close(fd));
}

/* Waits of 40 ms that nothing ends, while a blocked signal is pending, which may not come in. */
static void wait_in_vain(const struct place *p, int epoll)
{
    struct pollfd wait = {p->ends[0], POLLIN, 0};
    struct timeval time = {0, 40000};
    struct epoll_event event;
    fd_set set;

    FD_ZERO(&set);
    FD_SET(p->ends[0], &set);
    SAY("poll", poll(&wait, 1, 40));
    SAY("select", select(p->ends[0] + 1, &set, NULL, NULL, &time));
    SAY("epoll_wait", epoll_wait(epoll, &event, 1, 40));
    printf("handled: %d\n", (int)handled);
}

/* Waits that end at once. */
static void wait_for_data(const struct place *p, int epoll)
{
    struct pollfd wait = {p->ends[0], POLLIN, 0};
    struct epoll_event event;
    char byte = 'x';
    fd_set set;

    FD_ZERO(&set);
    FD_SET(p->ends[0], &set);
    SAY("send", send(p->ends[1], &byte, 1, 0));
    SAY("poll", poll(&wait, 1, -1));
    SAY("select", select(p->ends[0] + 1, &set, NULL, NULL, NULL));
    SAY("epoll_wait", epoll_wait(epoll, &event, 1, -1));
    SAY("recv", recv(p->ends[0], &byte, 1, 0));
}

/* --- filters --------------------------------------------------------------------------------- */

/* linux/filter.h, linux/seccomp.h, which not every C library comes with */
#ifndef PR_SET_SECCOMP
#define PR_SET_SECCOMP 22
#endif
enum { MODE_STRICT = 1, MODE_FILTER = 2 };
#define RET_KILL  0x80000000U
#define RET_ERRNO 0x00050000U
#define RET_ALLOW 0x7fff0000U

struct instruction {
    uint16_t code;
    uint8_t if_so, if_not;
    uint32_t value;
};

/* From now on LISTED calls (ended by -1) meet IF_LISTED, all others OTHERWISE. */
static void filter(const long *listed, unsigned if_listed, unsigned otherwise)
{
    enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06 };
    struct instruction code[200];
    unsigned short count = 0, n = 0;

    while (listed[n] >= 0)
        n++;
    code[count++] = (struct instruction){LOAD, 0, 0, 0}; /* the number of the call */
    for (unsigned short i = 0; i < n; i++)
        code[count++] =
            (struct instruction){JUMP_IF_EQUAL, (uint8_t)(n - i), 0, (uint32_t)listed[i]};
    code[count++] = (struct instruction){RETURN, 0, 0, otherwise};
    code[count++] = (struct instruction){RETURN, 0, 0, if_listed};
    struct {
        unsigned short count;
        struct instruction *code;
    } program = {count, code};
    puts("filtered"); /* stdio has its buffer from now on */
    fflush(stdout);
    DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    DO(prctl(PR_SET_SECCOMP, MODE_FILTER, &program, 0, 0));
}

#endif
