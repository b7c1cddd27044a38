/* SPDX-License-Identifier: MIT
 * Calls that wait for descriptors or ask about them: on something ready, on something that is not
 * (timeout 0), and a real wait of a millisecond that nothing ends. See ops.h.
 */
#include "bench/ops.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct epoll_event event = {.events = EPOLLIN};
static int epoll_fd = -1;

#define LOOP(name, setup, call, expected)                                                          \
    static int name(int fd, int count)                                                             \
    {                                                                                              \
        int bad = 0;                                                                               \
                                                                                                   \
        for (int i = 0; i < count; i++) {                                                          \
            setup;                                                                                 \
            bad += (call) != (expected);                                                           \
        }                                                                                          \
        return bad;                                                                                \
    }

#define ASK_POLL struct pollfd p = {.fd = fd, .events = POLLIN}
#define ASK_SELECT(type, seconds)                                                                  \
    fd_set set;                                                                                    \
    struct type t = {.tv_sec = (seconds)};                                                         \
    FD_ZERO(&set);                                                                                 \
    FD_SET((unsigned)fd, &set)
#define ASK_PPOLL                                                                                  \
    ASK_POLL;                                                                                      \
    struct timespec t = {.tv_sec = 5}

LOOP(run_poll_ready, ASK_POLL, poll(&p, 1, 5000), 1)
LOOP(run_poll_idle, ASK_POLL, poll(&p, 1, 0), 0)
LOOP(run_poll_wait, ASK_POLL, poll(&p, 1, 1), 0)
LOOP(run_ppoll_ready, ASK_PPOLL, ppoll(&p, 1, &t, NULL), 1)
LOOP(run_select_ready, ASK_SELECT(timeval, 5), select(fd + 1, &set, NULL, NULL, &t), 1)
LOOP(run_select_idle, ASK_SELECT(timeval, 0), select(fd + 1, &set, NULL, NULL, &t), 0)
LOOP(run_pselect_ready, ASK_SELECT(timespec, 5), pselect(fd + 1, &set, NULL, NULL, &t, NULL), 1)
LOOP(run_epoll_ready, (void)fd, epoll_wait(epoll_fd, &event, 1, -1), 1)
LOOP(run_epoll_idle, (void)fd, epoll_wait(epoll_fd, &event, 1, 0), 0)
LOOP(run_epoll_pwait_ready, (void)fd, epoll_pwait(epoll_fd, &event, 1, 5000, NULL), 1)
LOOP(run_fcntl, int flags = fcntl(fd, F_GETFL), fcntl(fd, F_SETFL, flags), 0)

/* The epoll descriptor watches this one alone. */
static void watch(int fd)
{
    event.events = EPOLLIN;
    if (epoll_fd >= 0)
        close(epoll_fd);
    epoll_fd = epoll_create1(0);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static int prepare_ready(const struct op *op, int count)
{
    int fd = prepare_in(op, 1);

    (void)count;
    return fd;
}

static int prepare_idle(const struct op *op, int count)
{
    int fd = prepare_in(op, 0);

    (void)count;
    return fd;
}

static int prepare_epoll_ready(const struct op *op, int count)
{
    int fd = prepare_ready(op, count);

    watch(fd);
    return fd;
}

static int prepare_epoll_idle(const struct op *op, int count)
{
    int fd = prepare_idle(op, count);

    watch(fd);
    return fd;
}

#define ROW(end, class, name, prepare, run) {name, class, 4000, prepare, run, end, NULL},
#define WAIT_OPS(end, class, name)                                                                 \
    ROW(end, class, name " poll ready", prepare_ready, run_poll_ready)                             \
    ROW(end, class, name " poll 0", prepare_idle, run_poll_idle)                                   \
    ROW(end, class, name " ppoll ready", prepare_ready, run_ppoll_ready)                           \
    ROW(end, class, name " select ready", prepare_ready, run_select_ready)                         \
    ROW(end, class, name " select 0", prepare_idle, run_select_idle)                               \
    ROW(end, class, name " pselect ready", prepare_ready, run_pselect_ready)                       \
    ROW(end, class, name " epoll_wait ready", prepare_epoll_ready, run_epoll_ready)                \
    ROW(end, class, name " epoll_wait 0", prepare_epoll_idle, run_epoll_idle)                      \
    ROW(end, class, name " epoll_pwait ready", prepare_epoll_ready, run_epoll_pwait_ready)         \
    ROW(end, "fcntl", name " fcntl", prepare_idle, run_fcntl)

/* clang-format off */
const struct op wait_ops[] = {
    WAIT_OPS(END_TCP, "wait", "tcp")
    WAIT_OPS(END_ACCEPTED, "wait", "tcp-accepted")
    WAIT_OPS(END_TCP_NB, "wait", "tcp-nonblocking")
    WAIT_OPS(END_PIPE, "unwatched", "pipe")
    WAIT_OPS(END_UNIX, "unwatched", "unix")
    WAIT_OPS(END_UDP, "unwatched", "udp")
    ROW(END_TCP, "time", "tcp poll 1 ms", prepare_idle, run_poll_wait)
    ROW(END_TCP_NB, "time", "tcp-nonblocking poll 1 ms", prepare_idle, run_poll_wait)
};
/* clang-format on */
const size_t wait_op_count = COUNT(wait_ops);
