/* SPDX-License-Identifier: MIT
 *
 * interposer CASE: a program that has its own connect, close, poll and read, which stand before
 * everybody's, and go on to whom comes next.
 */
#include "tests/guest/guest.h"

#include <dlfcn.h>
#include <poll.h>

static int connects, closes, polls, reads;

static void next(const char *name, void *ret)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    memcpy(ret, &found, sizeof found);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t);

    next("connect", &real);
    connects++;
    return real(fd, addr, len);
}

int close(int fd)
{
    int (*real)(int);

    next("close", &real);
    closes++;
    return real(fd);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int (*real)(struct pollfd *, nfds_t, int);

    next("poll", &real);
    polls++;
    return real(fds, count, timeout_ms);
}

ssize_t read(int fd, void *bytes, size_t len)
{
    ssize_t (*real)(int, void *, size_t);

    next("read", &real);
    reads++;
    return real(fd, bytes, len);
}

static void say_counts(void)
{
    printf("connect %d, close %d, poll %d, read %d\n", connects, closes, polls, reads);
}

/* The program's own calls come to it, each once; nobody else's do. */
static void case_counts(void)
{
    struct pollfd wait;
    char bytes[4];
    int ends[2], others = 0;

    say_counts();
    guest_connect(ends);
    wait = (struct pollfd){ends[1], POLLIN, 0};
    SAY("send", send(ends[0], "abc", 3, 0));
    SAY("poll", poll(&wait, 1, -1));
    SAY("read", read(ends[1], bytes, 2));
    SAY("recv", recv(ends[1], bytes, 1, MSG_WAITALL));
    SAY("poll in vain", poll(&wait, 1, 60));
    SAY("dup2", dup2(ends[0], 77) - 77);
    SAY("close", close(77));
    SAY("close", close(ends[0]));
    SAY("the end", read(ends[1], bytes, 1));
    SAY("close", close(ends[1]));
    SAY("close again", close(ends[1]));
    say_counts();
    for (int fd = 3; fd < 1024; fd++)
        others += close(fd) == 0;
    printf("closed %d more\n", others);
    say_counts();
    fflush(stdout);
    pid_t pid = fork();
    DO(pid);
    if (pid == 0) {
        guest_connect(ends);
        close(ends[0]);
        _exit(closes - 1000);
    }
    guest_reap("closes in a child", pid);
}

static const struct guest_case cases[] = {
    {"counts", case_counts},
};
GUEST_MAIN(cases)
