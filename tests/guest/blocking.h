/* SPDX-License-Identifier: MIT
 * Every call that waits on a socket, each with a scene in which it waits until it is fed. For the
 * programs that disturb such calls.
 */
#ifndef TESTS_GUEST_BLOCKING_H
#define TESTS_GUEST_BLOCKING_H

#include "tests/guest/blocking-scenes.h"

/* --- all ------------------------------------------------------------------------------------- */

/* clang-format off */
#define RECEIVES(n)  {#n, make_silent, call_##n, feed_byte, check_silent}
#define SENDS(n)     {#n, make_full, call_##n, feed_by_reading, check_full}
#define WAITS(n)     {#n, make_silent, call_##n, feed_byte, check_silent}
#define WAITS_SET(n) {#n, make_silent_set, call_##n, feed_byte, check_silent}
/* clang-format on */

static const struct blocking blocking_calls[] = {
    RECEIVES(recv),
    RECEIVES(recvfrom),
    RECEIVES(recvmsg),
    RECEIVES(recvmmsg),
    RECEIVES(read),
    RECEIVES(readv),
    {"splice from", make_silent_pipe, call_splice_in, feed_byte, check_silent},
    SENDS(send),
    SENDS(sendto),
    SENDS(sendmsg),
    SENDS(sendmmsg),
    SENDS(write),
    SENDS(writev),
    {"sendfile", make_full_file, call_sendfile, feed_by_reading, check_full},
    {"splice to", make_full_pipe, call_splice_out, feed_by_reading, check_full},
    {"accept", make_listener, call_accept, feed_connect, check_listener},
    {"accept4", make_listener, call_accept4, feed_connect, check_listener},
    {"connect", make_crowd, call_connect, feed_accept, check_connect},
    {"connect unix", make_unix_crowd, call_connect_unix, feed_accept, check_connect_unix},
    WAITS(poll),
    WAITS(ppoll),
    WAITS(select),
    WAITS(pselect),
    WAITS_SET(epoll_wait),
    WAITS_SET(epoll_pwait),
#ifdef HAVE_EPOLL_PWAIT2
    WAITS_SET(epoll_pwait2),
#endif
};

enum { BLOCKING_CALLS = sizeof blocking_calls / sizeof blocking_calls[0] };

static struct scene blocking_scene(const struct blocking *how)
{
    struct scene s = {.fd = -1, .peer = -1, .aux = {-1, -1}, .crowd = -1};

    how->make(&s);
    DO(s.fd);
    return s;
}

static void blocking_end(struct scene *s)
{
    int fds[] = {s->fd, s->peer, s->aux[0], s->aux[1], s->crowd};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            DO(close(fds[i]));
    }
}

/* --- threads that are in a call -------------------------------------------------------------- */

static void blocking_rest_ms(int ms)
{
    struct timespec t = {0, ms * 1000000L};

    while (nanosleep(&t, &t) < 0)
        continue;
}

/* Whether thread TID sleeps. */
static bool blocking_sleeps(int tid)
{
    char path[64], line[256] = "";
    int fd;
    const char *name_end;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    WANT(read(fd, line, sizeof line - 1) > 0);
    DO(close(fd));
    name_end = strrchr(line, ')');
    return name_end != NULL && name_end[2] == 'S';
}

/* Waits until thread *TID, which says its number right before the call, sleeps in it. */
static void blocking_entered(atomic_int *tid)
{
    int64_t end_ms = guest_now_ms() + 5000;

    for (int seen = 0; seen < 3; blocking_rest_ms(1)) {
        seen = *tid != 0 && blocking_sleeps(*tid) ? seen + 1 : 0;
        WANT(guest_now_ms() < end_ms);
    }
}

#endif
