/* SPDX-License-Identifier: MIT
 * What the cases of processes.c share: connections that are used and checked, what descriptors
 * there are, children that are this program again.
 */
#ifndef TESTS_GUEST_PROCESSES_H
#define TESTS_GUEST_PROCESSES_H

#include "tests/guest/guest.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#pragma GCC diagnostic ignored "-Wsign-conversion" /* inside musl's FD_SET */

static char *self_path; /* of this program */

enum { SHOWN_FDS = 200 }; /* the log's own is above, and is no secret (libsocktmo(8), SINKS) */

/* Sends a byte each way over the connection A, B. */
static void use(int a, int b)
{
    char byte = 'a';

    WANT(send(a, &byte, 1, 0) == 1 && recv(b, &byte, 1, 0) == 1 && byte == 'a');
    byte = 'b';
    WANT(write(b, &byte, 1) == 1 && read(a, &byte, 1) == 1 && byte == 'b');
}

/* Says which descriptors below SHOWN_FDS are open, with those that are close-on-exec marked. */
static void say_fds(const char *what)
{
    printf("%s:", what);
    for (int fd = 0; fd < SHOWN_FDS; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0)
            printf(" %d%s", fd, (flags & FD_CLOEXEC) != 0 ? "c" : "");
    }
    putchar('\n');
    fflush(stdout);
}

/* Connects to ADDR. Returns the descriptor. */
static int dial(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    DO(fd);
    DO(connect(fd, (const struct sockaddr *)addr, sizeof *addr));
    return fd;
}

/* Says the signals that are blocked, pending, ignored. */
static void say_signals(const char *what)
{
    sigset_t blocked, pending;
    struct sigaction is;

    DO(sigprocmask(SIG_BLOCK, NULL, &blocked));
    DO(sigpending(&pending));
    printf("%s:", what);
    for (int n = 1; n < 32; n++) {
        DO(sigaction(n, NULL, &is));
        if (sigismember(&blocked, n) != 0 || sigismember(&pending, n) != 0 ||
            is.sa_handler != SIG_DFL)
            printf(" %d%s%s%s", n, sigismember(&blocked, n) != 0 ? "b" : "",
                   sigismember(&pending, n) != 0 ? "p" : "",
                   is.sa_handler == SIG_IGN   ? "i"
                   : is.sa_handler != SIG_DFL ? "h"
                                              : "");
    }
    putchar('\n');
    fflush(stdout);
}

/* A stack of its own for clone(2); its upper end. */
static char *stack_top(void)
{
    enum { SIZE = 64 * 1024 };
    char *stack = malloc(SIZE);

    WANT(stack != NULL);
    return stack + SIZE;
}

#endif
