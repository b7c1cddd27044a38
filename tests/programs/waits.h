/* SPDX-License-Identifier: MIT
 * What the cases of waits.c and loops.c stand on: what is said and measured, connections, and what
 * happens a while later.
 */
#ifndef TESTS_PROGRAMS_WAITS_H
#define TESTS_PROGRAMS_WAITS_H

#pragma GCC diagnostic ignored "-Wunused-function" /* not each of the two needs all of it */

#include "tests/programs/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    SLACK_MS = 400,   /* for a machine with its hands full */
    LONG_MS = 5000,   /* what ends no wait here */
    UNTOUCHED = 4095, /* no errno that there is */
    GUARD_S = 12,     /* a case that hangs for so long is ended */
};

/* musl's select gives no time back, and its cancellation interrupts where it is off, too. */
#ifdef __GLIBC__
enum { IS_GLIBC = 1 };
#else
enum { IS_GLIBC = 0 };
#endif

static const char *name = "waits"; /* of the case */

/* --- what is said ---------------------------------------------------------------------------- */

#define FAIL(...) (printf("%s: ", name), printf(__VA_ARGS__), putchar('\n'), exit(1))
#define WANT(truth)                                                                                \
    ((truth) ? (void)0 : FAIL("line %d: not so: %s (errno %s)", __LINE__, #truth, strerror(errno)))
#define DO(succeeds) ((succeeds) >= 0 ? (void)0 : FAIL("%s: %s", #succeeds, strerror(errno)))

/* Microseconds: a wait of 30 ms that takes 29.9 was too short. */
static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The result of CALL, which must take from LOW to HIGH ms and the slack, and leave errno alone if
 * it goes well. */
#define IN_TIME(call, low_ms, high_ms)                                                             \
    ({                                                                                             \
        int64_t before_ = now_us(), took_;                                                         \
        int n_;                                                                                    \
        errno = UNTOUCHED;                                                                         \
        n_ = (int)(call);                                                                          \
        took_ = now_us() - before_;                                                                \
        check_time(#call, __LINE__, n_, took_, low_ms, high_ms);                                   \
        n_;                                                                                        \
    })
#define AT_ONCE(call)    IN_TIME(call, 0, 0)
#define LASTS(call, ms)  IN_TIME(call, ms, ms)
#define AT_LEISURE(call) IN_TIME(call, 0, LONG_MS)

static void check_time(const char *what, int line, int n, int64_t took_us, int low_ms, int high_ms)
{
    int kept = errno;

    if (took_us < low_ms * 1000L || took_us > (high_ms + SLACK_MS) * 1000L)
        FAIL("line %d: %s = %d in %ld us, not in %d to %d ms", line, what, n, (long)took_us, low_ms,
             high_ms + SLACK_MS);
    if (n >= 0 && kept != UNTOUCHED)
        FAIL("line %d: %s = %d, and errno is %s", line, what, n, strerror(kept));
    errno = kept;
}

/* One line: what the call returned, its errno, what happened, all that must be as bare. A pointer,
 * for the call may be among the arguments. */
static void say(const char *who, const char *what, int n, const uint32_t *happened)
{
    static const char *const bits[] = {"in", "pri", "out", "err", "hup", "nval"};
    uint32_t events = happened != NULL ? *happened : 0;
    const char *error = n < 0 ? strerror(errno) : "-";

    printf("%s %s: %d %s", who, what, n, error);
    for (unsigned bit = 0; bit < sizeof bits / sizeof bits[0]; bit++)
        if ((events & 1U << bit) != 0)
            printf(" %s", bits[bit]);
    if (events >> 6 != 0)
        printf(" %#x", events >> 6 << 6);
    putchar('\n');
}

/* The first 64 signals of the mask in force. */
static unsigned long long mask_now(void)
{
    sigset_t set;
    unsigned long long ret = 0;

    sigemptyset(&set);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    for (int number = 1; number < 64; number++)
        if (sigismember(&set, number) == 1)
            ret |= 1ULL << number;
    return ret;
}

/* --- each of the calls ------------------------------------------------------------------------ */

/* Neither a kernel before 5.11 nor every emulator has epoll_pwait2. */
static bool is_there(const struct waiting *how)
{
    struct epoll_event event;

    return strstr(how->name, "pwait2") == NULL || how->epoll(-1, &event, 1, 0, NULL) != -1 ||
           errno != ENOSYS;
}

/* ONE with each call in a process of its own, all at once; what they say in the table's order. */
static void each_call(void (*one)(const struct waiting *how), bool (*fits)(const struct waiting *))
{
    pid_t pids[WAITINGS];
    int pipes[WAITINGS][2], failed = 0;

    fflush(stdout);
    for (int i = 0; i < WAITINGS; i++) {
        pids[i] = 0;
        if ((fits != NULL && !fits(&waitings[i])) || !is_there(&waitings[i]))
            continue;
        DO(pipe2(pipes[i], O_CLOEXEC));
        DO(pids[i] = fork());
        if (pids[i] == 0) {
            DO(dup2(pipes[i][1], STDOUT_FILENO));
            name = waitings[i].name;
            alarm(GUARD_S);
            one(&waitings[i]);
            exit(0);
        }
        close(pipes[i][1]);
    }
    for (int i = 0; i < WAITINGS; i++) {
        char said[4096];
        ssize_t n;
        int status;

        if (pids[i] == 0)
            continue;
        while ((n = read(pipes[i][0], said, sizeof said)) > 0)
            fwrite(said, 1, (size_t)n, stdout);
        DO(waitpid(pids[i], &status, 0));
        if (status != 0) {
            printf("%s: status %#x\n", waitings[i].name, (unsigned)status);
            failed = 1;
        }
    }
    if (failed != 0)
        exit(1);
}

static bool is_poll(const struct waiting *how)
{
    return how->poll != NULL;
}

static bool is_select(const struct waiting *how)
{
    return how->select != NULL;
}

static bool is_epoll(const struct waiting *how)
{
    return how->epoll != NULL;
}

static bool has_mask(const struct waiting *how)
{
    return how->masks;
}

/* --- connections ------------------------------------------------------------------------------ */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
};

struct pair {
    int listener, client, peer;
};

static int bound(void)
{
    union address address = {.v4 = {AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    DO(fd);
    DO(bind(fd, &address.any, sizeof address.v4));
    return fd;
}

static int dial(int fd, int to)
{
    union address address;
    socklen_t size = sizeof address;

    DO(getsockname(to, &address.any, &size));
    return connect(fd, &address.any, size);
}

/* A connection, the client's end with these flags. */
static struct pair connected(int flags)
{
    struct pair ret = {bound(), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1};

    DO(ret.client);
    DO(listen(ret.listener, 5));
    DO(dial(ret.client, ret.listener));
    DO(ret.peer = accept4(ret.listener, NULL, NULL, SOCK_CLOEXEC));
    DO(fcntl(ret.client, F_SETFL, fcntl(ret.client, F_GETFL) | flags));
    return ret;
}

/* --- a while later ---------------------------------------------------------------------------- */

static void rest_ms(int ms)
{
    struct timespec rest;

    timespec_of(&rest, ms);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
        continue;
}

/* What another thread does MS from now: `act` finds here what it needs. */
struct later {
    int ms;
    void (*act)(struct later *later);
    int fd;
    int signal;
    pthread_t thread, whom;
    _Atomic bool over; /* no need to go on */
};

static void *run_later(void *argument)
{
    struct later *later = argument;

    rest_ms(later->ms);
    later->act(later);
    return NULL;
}

/* The other thread takes no signal that is meant for this one. */
static void start_later(struct later *later)
{
    sigset_t all, before;

    later->whom = pthread_self();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    WANT(pthread_create(&later->thread, NULL, run_later, later) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void end_later(struct later *later)
{
    later->over = true;
    WANT(pthread_join(later->thread, NULL) == 0);
}

static void write_later(struct later *later)
{
    WANT(write(later->fd, "x", 1) == 1);
}

static void close_later(struct later *later)
{
    DO(close(later->fd));
}

static void signal_later(struct later *later)
{
    pthread_kill(later->whom, later->signal);
}

/* Again and again, for on a busy machine the first may come before the wait has begun. */
static void insist_later(struct later *later)
{
    while (!later->over) {
        pthread_kill(later->whom, later->signal);
        for (int i = 0; i < 20 && !later->over; i++)
            rest_ms(10);
    }
}

#endif
