/* SPDX-License-Identifier: MIT
 *
 * shared CASE: one socket, or one number, in the hands of several processes or threads.
 */
#include "tests/guest/blocking.h"

#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

static pid_t child_of(void (*run)(void *), void *argument)
{
    pid_t pid;

    fflush(stdout);
    DO(pid = fork());
    if (pid != 0)
        return pid;
    guest_guard();
    run(argument);
    fflush(stdout);
    _exit(0);
}

static void give(int fd, char byte)
{
    WANT(send(fd, &byte, 1, 0) == 1);
}

static void take(int fd, char byte)
{
    char got = 0;

    WANT(recv(fd, &got, 1, 0) == 1);
    WANT(got == byte);
}

/* --- two processes --------------------------------------------------------------------------- */

struct both {
    int ends[2], tell[2];
};

static void use_and_close(void *argument)
{
    struct both *b = argument;

    give(b->ends[0], 'c');
    take(b->ends[0], 'd');
    DO(close(b->ends[0]));
    DO(close(b->ends[1]));
    DO(close(b->tell[1]));
}

/* A child that uses a connection and closes it leaves it to its parent as it was. */
static void case_child_closes(void)
{
    struct both b;
    char byte;

    guest_connect(b.ends);
    DO(pipe(b.tell));
    give(b.ends[0], 'a');
    for (int i = 0; i < 5; i++) {
        pid_t pid = child_of(use_and_close, &b);

        if (i == 0)
            take(b.ends[1], 'a');
        take(b.ends[1], 'c');
        give(b.ends[1], 'd');
        guest_reap("child", pid);
        give(b.ends[0], 'e');
        take(b.ends[1], 'e');
    }
    SAY("shutdown", shutdown(b.ends[0], SHUT_WR));
    SAY("recv", recv(b.ends[1], &byte, 1, 0));
}

static void shut_down(void *argument)
{
    DO(shutdown(*(int *)argument, SHUT_RDWR));
}

/* What a child does to the connection itself, its parent sees. */
static void case_child_shuts_down(void)
{
    int ends[2];
    char byte;

    guest_connect(ends);
    guest_reap("child", child_of(shut_down, &ends[0]));
    SAY("recv", recv(ends[0], &byte, 1, 0));
    SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
    SAY("peer's recv", recv(ends[1], &byte, 1, 0));
}

static void accept_until_told(void *argument)
{
    int listener = *(int *)argument;

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char byte = 0;

        DO(fd);
        WANT(recv(fd, &byte, 1, 0) == 1);
        give(fd, (char)(byte + 1));
        DO(close(fd));
        if (byte == 'q')
            return;
    }
}

/* Four processes wait for one listener's connections; each is served once. */
static void case_many_accept(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr);
    pid_t pids[4];

    for (int i = 0; i < 4; i++)
        pids[i] = child_of(accept_until_told, &listener);
    for (int i = 0; i < 44; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char byte = i < 40 ? 'a' : 'q';

        DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
        give(fd, byte);
        take(fd, (char)(byte + 1));
        WANT(recv(fd, &byte, 1, 0) == 0);
        DO(close(fd));
    }
    for (int i = 0; i < 4; i++)
        guest_reap("child", pids[i]);
}

/* --- servers that fork first ----------------------------------------------------------------- */

enum { INHERITED = 1000, CHILDREN = 8 };

static int inherited[INHERITED][2];

static void use_one(void *argument)
{
    int *ends = argument;

    give(ends[0], 'x');
    take(ends[1], 'x');
    exit(0); /* all the others are open */
}

/* What they only inherited, they do not speak of. */
static void case_prefork(void)
{
    struct rlimit limit;
    pid_t pids[CHILDREN];

    DO(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < 4096) {
        limit.rlim_cur = 4096;
        if (limit.rlim_max < 4096)
            limit.rlim_max = 4096;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
            printf("too few descriptors\n");
            return;
        }
    }
    for (int i = 0; i < INHERITED; i++)
        guest_connect(inherited[i]);
    for (int i = 0; i < CHILDREN; i++)
        pids[i] = child_of(use_one, inherited[i * 100]);
    for (int i = 0; i < CHILDREN; i++)
        guest_reap("child", pids[i]);
    for (int i = 0; i < INHERITED; i++) {
        give(inherited[i][0], 'y');
        take(inherited[i][1], 'y');
        DO(close(inherited[i][0]));
        DO(close(inherited[i][1]));
    }
}

/* A shell with pipes and commands of its own, which it starts by vfork or fork. */
static void case_shell(void)
{
    static char sh[] = "sh", c[] = "-c",
                commands[] = "echo to the peer >&9; head -c 5 <&9 | cat; : | cat | cat; exit 3";
    char *argv[] = {sh, c, commands, NULL};
    int ends[2];
    char bytes[64] = "";
    pid_t pid;

    guest_connect(ends);
    DO(dup2(ends[0], 9));
    WANT(send(ends[1], "reply", 5, 0) == 5);
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        if (i == 0) {
            WANT(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
        } else {
            WANT(send(ends[1], "again", 5, 0) == 5);
            pid = vfork();
            if (pid == 0) {
                execv("/bin/sh", argv);
                _exit(127);
            }
        }
        guest_reap("\nshell", pid);
        WANT(recv(ends[1], bytes, 12, MSG_WAITALL) == 12);
        printf("%s", bytes);
    }
    give(ends[0], 'z');
    take(ends[1], 'z');
}

/* --- sets of epoll --------------------------------------------------------------------------- */

static int ready(int set, uint64_t *ret_data)
{
    struct epoll_event event = {.data.u64 = 0};
    int n = epoll_wait(set, &event, 1, 300);

    *ret_data = event.data.u64;
    return n;
}

static void add(int set, int fd, uint64_t data, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = data};

    DO(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
}

struct family {
    int set, ends[2], go[2], done[2];
};

static void add_own(void *argument)
{
    struct family *f = argument;
    uint64_t data;
    int own[2];
    char byte;

    WANT(ready(f->set, &data) == 1 && data == 1); /* registered by the parent */
    take(f->ends[0], 'a');
    guest_connect(own);
    add(f->set, own[0], 2, EPOLLIN);
    give(own[1], 'b'); /* which the parent is told of, and cannot read */
    give(f->done[1], 'x');
    WANT(read(f->go[0], &byte, 1) == 1);
    take(own[0], 'b');
    give(f->done[1], 'x');
    WANT(read(f->go[0], &byte, 1) == 1);
}

static void case_epoll_forked(void)
{
    struct family f = {.set = epoll_create1(0)};
    uint64_t data = 0;
    pid_t pid;
    int n;

    guest_connect(f.ends);
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, f.go));
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, f.done));
    add(f.set, f.ends[0], 1, EPOLLIN);
    give(f.ends[1], 'a');
    pid = child_of(add_own, &f);
    take(f.done[0], 'x');
    n = ready(f.set, &data);
    printf("the child's: %d of %d\n", n, (int)data);
    give(f.go[1], 'x');
    take(f.done[0], 'x');
    n = ready(f.set, &data);
    printf("read by the child: %d\n", n);
    give(f.ends[1], 'c');
    n = ready(f.set, &data);
    printf("the parent's: %d of %d\n", n, (int)data);
    take(f.ends[0], 'c');
    give(f.go[1], 'x');
    guest_reap("child", pid);
    n = ready(f.set, &data);
    printf("after its end: %d\n", n);
}

static void hold_until_told(void *argument)
{
    struct family *f = argument;
    char byte;

    WANT(read(f->go[0], &byte, 1) == 1);
    take(f->ends[0], 'a');
    give(f->ends[0], 'b');
    give(f->done[1], 'x');
    WANT(read(f->go[0], &byte, 1) == 1);
}

/* Closed here, but open in the child: the set still tells of it, and its number may be another's
 * here. */
static void case_epoll_closed(void)
{
    struct family f = {.set = epoll_create1(0)};
    uint64_t data = 0;
    int other[2], number, n;
    pid_t pid;

    guest_connect(f.ends);
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, f.go));
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, f.done));
    add(f.set, f.ends[0], 1, EPOLLIN);
    pid = child_of(hold_until_told, &f);
    number = f.ends[0];
    DO(close(f.ends[0]));
    SAY("epoll_ctl", epoll_ctl(f.set, EPOLL_CTL_DEL, number, NULL));
    n = ready(f.set, &data);
    printf("nothing: %d\n", n);
    give(f.ends[1], 'a');
    n = ready(f.set, &data);
    printf("what is closed here: %d of %d\n", n, (int)data);
    give(f.go[1], 'x');
    take(f.done[0], 'x');
    take(f.ends[1], 'b');
    guest_connect(other);
    WANT(other[0] == number || dup2(other[0], number) == number);
    SAY("epoll_ctl", epoll_ctl(f.set, EPOLL_CTL_MOD, number, &(struct epoll_event){.events = 0}));
    add(f.set, number, 3, EPOLLIN);
    give(other[1], 'd');
    n = ready(f.set, &data);
    printf("the number's new one: %d of %d\n", n, (int)data);
    take(number, 'd');
    give(f.go[1], 'x');
    guest_reap("child", pid);
    give(other[1], 'e');
    n = ready(f.set, &data);
    printf("the number's new one: %d of %d\n", n, (int)data);
    take(number, 'e');
    give(number, 'f');
    take(other[1], 'f');
}

/* --- handed over ----------------------------------------------------------------------------- */

static void send_fd(int by, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN(sizeof(int))}};
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    WANT(sendmsg(by, &msg, 0) == 1);
}

static int receive_fd(int by)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    int fd;

    WANT(recvmsg(by, &msg, 0) == 1 && msg.msg_controllen >= sizeof(struct cmsghdr));
    memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
    return fd;
}

static void use_what_comes(void *argument)
{
    int by = *(int *)argument, fd = receive_fd(by);
    struct pollfd p = {fd, POLLIN, 0};

    printf("the number is the lowest free: %d\n", fd == dup(fd) - 1);
    give(by, 'r');
    WANT(poll(&p, 1, 5000) == 1);
    take(fd, 'a');
    give(fd, 'b');
    DO(close(fd));
    give(by, 'c');
}

/* Both sides have it, and use it in turn. */
static void case_handed_over(void)
{
    int ends[2], by[2];
    pid_t pid;

    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, by));
    pid = child_of(use_what_comes, &by[1]);
    guest_connect(ends);
    send_fd(by[0], ends[0]);
    take(by[0], 'r');
    give(ends[1], 'a');
    take(ends[1], 'b');
    take(by[0], 'c');
    give(ends[0], 'd');
    take(ends[1], 'd');
    guest_reap("child", pid);
    give(ends[1], 'e');
    take(ends[0], 'e');
}

#include "tests/guest/shared-limits.h"

static const struct guest_case cases[] = {
    {"child_closes", case_child_closes},
    {"child_shuts_down", case_child_shuts_down},
    {"many_accept", case_many_accept},
    {"prefork", case_prefork},
    {"shell", case_shell},
    {"epoll_forked", case_epoll_forked},
    {"epoll_closed", case_epoll_closed},
    {"handed_over", case_handed_over},
    {"two_threads", case_two_threads},
    {"two_processes", case_two_processes},
    {"reused_recv", case_reused_recv},
    {"reused_poll", case_reused_poll},
    {"reused_epoll", case_reused_epoll},
    {"reused_select", case_reused_select},
};
GUEST_MAIN(cases)
