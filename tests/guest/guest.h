/* SPDX-License-Identifier: MIT
 * What the programs of this folder stand on. Each has a table of cases, run one a time:
 *
 *     PROGRAM CASE
 *
 * A case says on standard output what must be the same whoever stands between it and libc, and
 * checks itself what differs from run to run (times, ports, numbers of processes). Its last line is
 * `CASE: ok`; or it says what went wrong, with status 1. It never takes longer than 25 s
 * (GUEST_GUARD_S in the environment allows it more), nor waits as long as any limit that it is run
 * with (60 s).
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* not every program needs all of it */

enum {
    UNTOUCHED = 4095, /* no errno that there is */
    GUARD_S = 25,     /* see guest_guard() */
};

struct guest_case {
    const char *name;
    void (*run)(void);
};

static const char *guest_name = "guest"; /* of the case */

/* Ends the process if it hangs for longer than GUARD_S, or the seconds of GUEST_GUARD_S: there are
 * sanitizers that slow it down. */
static void guest_guard(void)
{
    const char *other = getenv("GUEST_GUARD_S");

    alarm(other != NULL ? (unsigned)atoi(other) : GUARD_S);
}

/* --- what is said ---------------------------------------------------------------------------- */

#define FAIL(...)                                                                                  \
    (printf("%s: line %d: ", guest_name, __LINE__), printf(__VA_ARGS__), putchar('\n'),            \
     fflush(stdout), _exit(1))
#define WANT(truth)  ((truth) ? (void)0 : FAIL("not so: %s (errno %s)", #truth, strerror(errno)))
#define DO(succeeds) ((succeeds) >= 0 ? (void)0 : FAIL("%s: %s", #succeeds, strerror(errno)))

/* Says WHAT and how CALL went: its result if it failed or is to be compared, its errno, and whether
 * errno was changed by a success. */
#define SAY(what, call)                                                                            \
    ({                                                                                             \
        errno = UNTOUCHED;                                                                         \
        long n_ = (long)(call);                                                                    \
        guest_say(what, n_);                                                                       \
        n_;                                                                                        \
    })

static void guest_say(const char *what, long n)
{
    int error = errno;

    printf("%s: %ld %s\n", what, n,
           n < 0                ? strerror(error)
           : error == UNTOUCHED ? "-"
                                : "errno changed");
    fflush(stdout); /* before a fork or the end */
}

/* --- connections ----------------------------------------------------------------------------- */

/* A TCP socket that listens on 127.0.0.1; *RET_ADDR is where. */
static int guest_listener(struct sockaddr_in *ret_addr)
{
    socklen_t len = sizeof *ret_addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_addr = (struct sockaddr_in){.sin_family = AF_INET};
    ret_addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    DO(fd);
    DO(bind(fd, (struct sockaddr *)ret_addr, sizeof *ret_addr));
    DO(listen(fd, 128));
    DO(getsockname(fd, (struct sockaddr *)ret_addr, &len));
    return fd;
}

/* A connection over loopback with both its ends: [0] connected, [1] was accepted. */
static void guest_connect(int ret[2])
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr);

    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    DO(ret[0]);
    DO(connect(ret[0], (struct sockaddr *)&addr, sizeof addr));
    ret[1] = accept(listener, NULL, NULL);
    DO(ret[1]);
    DO(close(listener));
}

/* --- times, processes ------------------------------------------------------------------------ */

static int64_t guest_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for PID. Says how it ended. */
static void guest_reap(const char *what, pid_t pid)
{
    int status;

    DO(pid);
    while (waitpid(pid, &status, 0) < 0)
        WANT(errno == EINTR);
    if (WIFSIGNALED(status))
        printf("%s: signal %d\n", what, WTERMSIG(status));
    else
        printf("%s: status %d\n", what, WEXITSTATUS(status));
}

/* --- main ------------------------------------------------------------------------------------ */

static int guest_main(int argc, char **argv, const struct guest_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            puts(cases[i].name);
        if (argc < 2 || strcmp(cases[i].name, argv[1]) != 0)
            continue;
        guest_name = cases[i].name;
        guest_guard();
        cases[i].run();
        printf("%s: ok\n", cases[i].name);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    fprintf(stderr, "usage: %s CASE, or --list for their names\n", argv[0]);
    return 2;
}

#define GUEST_MAIN(cases)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return guest_main(argc, argv, cases, sizeof(cases) / sizeof((cases)[0]));                  \
    }

#endif
