/* SPDX-License-Identifier: MIT
 *
 * faults CASE: a scenario whose every call must go as ever, while of one system call, which it does
 * not make itself, the first fails, then only the second, and so on until there are no more.
 *
 * A seccomp filter hands these calls to the parent, which counts them, lets one fail, and the
 * others go on (seccomp_unotify(2), Linux 5.5; pidfd_getfd(2), 5.6). The file that GUEST_COUNT
 * names gets the number of calls that were seen: whoever stands between the program and libc made
 * them.
 */
#include "tests/guest/guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>

#ifndef SYS_mmap /* 32-bit ARM */
#define SYS_mmap SYS_mmap2
#endif

enum { TRANSCRIPT_BYTES = 4096, CALLS_MAX = 400 };

/* --- the scenario ---------------------------------------------------------------------------- */

static int out = -1;

/* Without stdio, which would make system calls that are not ours to make here. */
static void note(const char *what, long n)
{
    char line[80];
    int error = errno;
    int len = snprintf(line, sizeof line, "%s %ld %s\n", what, n < 0 ? n : n > 0,
                       n < 0                ? strerror(error)
                       : error == UNTOUCHED ? "-"
                                            : "errno changed");
    if (write(out, line, (size_t)len) != len)
        _exit(9);
}

#define NOTE(what, call)                                                                           \
    ({                                                                                             \
        errno = UNTOUCHED;                                                                         \
        long n_ = (long)(call);                                                                    \
        note(what, n_);                                                                            \
        n_;                                                                                        \
    })

static void talk(int from, int to)
{
    char bytes[8];

    NOTE("send", send(from, "hello", 5, 0));
    NOTE("recv", recv(to, bytes, sizeof bytes, 0));
    NOTE("write", write(to, "world", 5));
    NOTE("read", read(from, bytes, sizeof bytes));
    NOTE("recv, nothing there", recv(from, bytes, sizeof bytes, MSG_DONTWAIT));
}

static void await(int fd)
{
    struct pollfd ready = {fd, POLLIN, 0};
    struct timeval t = {0, 40000};
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    int set = (int)NOTE("epoll_create1", epoll_create1(0));
    fd_set read;

    NOTE("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    NOTE("epoll_wait", epoll_wait(set, &event, 1, 40));
    NOTE("poll", poll(&ready, 1, 40));
    FD_ZERO(&read);
    FD_SET(fd, &read);
    NOTE("select", select(fd + 1, &read, NULL, NULL, &t));
    NOTE("close", close(set));
}

static int pass(int fd)
{
    int pair[2], passed;
    char byte = 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};

    NOTE("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    NOTE("sendmsg", sendmsg(pair[0], &msg, 0));
    NOTE("recvmsg", recvmsg(pair[1], &msg, 0));
    memcpy(&passed, CMSG_DATA(&control.header), sizeof passed);
    NOTE("close", close(pair[0]));
    NOTE("close", close(pair[1]));
    return passed;
}

static void scenario(int listener, const struct sockaddr_in *addr)
{
    static int many[1100];
    int client = (int)NOTE("socket", socket(AF_INET, SOCK_STREAM, 0));
    NOTE("connect", connect(client, (const struct sockaddr *)addr, sizeof *addr));
    int server = (int)NOTE("accept", accept(listener, NULL, NULL));
    talk(client, server);
    await(client);

    int copy = (int)NOTE("dup", dup(client));
    NOTE("close", close(client));
    talk(copy, server);
    int passed = pass(copy);
    talk(passed, server);
    NOTE("close", close(copy));

    errno = UNTOUCHED;
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        talk(passed, server);
        _exit(5);
    }
    int status = -1;
    (void)waitpid(pid, &status, 0);
    errno = error;
    note("fork", pid);
    note("child", WIFEXITED(status) ? WEXITSTATUS(status) : -1);

    int hasty = (int)NOTE("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)connect(hasty, (const struct sockaddr *)addr, sizeof *addr);
    struct pollfd ready = {hasty, POLLOUT, 0};
    NOTE("poll", poll(&ready, 1, 1000));
    NOTE("close", close(hasty));

    int datagram = (int)NOTE("socket", socket(AF_INET, SOCK_DGRAM, 0));
    NOTE("connect", connect(datagram, (const struct sockaddr *)addr, sizeof *addr));
    NOTE("close", close(datagram));

    long opened = 0, closed = 0;
    for (int i = 0; i < 1100; i++)
        opened += (many[i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0;
    for (int i = 0; i < 1100; i++)
        closed += close(many[i]) == 0;
    note("opened, closed", opened == closed && opened > 900);

    NOTE("shutdown", shutdown(server, SHUT_WR));
    char byte;
    NOTE("recv, the end", recv(passed, &byte, 1, 0));
    NOTE("close", close(server));
    NOTE("close", close(passed));
}

/* --- the parent ------------------------------------------------------------------------------ */

static int listen_to(int nr)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};

    DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &filter);
}

/* Answers the calls of the child behind LISTENER until it is gone: number WHICH fails with ERROR.
 * Returns how many there were. */
static int answer(int listener, int which, int error)
{
    int count = 0;
    struct pollfd ready = {listener, POLLIN, 0};

    while (poll(&ready, 1, -1) == 1 && (ready.revents & POLLIN) != 0) {
        struct seccomp_notif call;
        struct seccomp_notif_resp reply;
        memset(&call, 0, sizeof call);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
            continue;
        memset(&reply, 0, sizeof reply);
        reply.id = call.id;
        if (++count == which)
            reply.error = -error;
        else
            reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
    return count;
}

/* Runs the scenario; call number WHICH of NR fails with ERROR (0: none does). What it noted is left
 * in RET. Returns how many calls there were. */
static int play(int nr, int which, int error, char *ret)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr);
    int notes[2], hand[2], go[2], number;

    DO(pipe(notes));
    DO(pipe(hand));
    DO(pipe(go));
    pid_t pid = fork();
    DO(pid);
    if (pid == 0) {
        char byte;
        out = notes[1];
        number = listen_to(nr);
        if (write(hand[1], &number, sizeof number) != sizeof number || read(go[0], &byte, 1) != 1)
            _exit(8);
        scenario(listener, &addr);
        _exit(0);
    }
    DO(close(notes[1]));
    WANT(read(hand[0], &number, sizeof number) == sizeof number);
    DO(number);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    DO(pidfd);
    int calls = (int)syscall(438, pidfd, number, 0); /* SYS_pidfd_getfd */
    DO(calls);
    WANT(write(go[1], "", 1) == 1);
    int count = answer(calls, which, error), status;
    size_t have = 0;
    ssize_t n;
    while ((n = read(notes[0], ret + have, TRANSCRIPT_BYTES - 1 - have)) > 0)
        have += (size_t)n;
    ret[have] = '\0';
    DO(waitpid(pid, &status, 0));
    if (status != 0)
        FAIL("call %d of %d fails: the scenario's status is %#x, after %s", which, nr, status, ret);
    for (int i = 0; i < 2; i++) {
        DO(close(hand[i]));
        DO(close(go[i]));
    }
    DO(close(notes[0]));
    DO(close(calls));
    DO(close(pidfd));
    DO(close(listener));
    return count;
}

static void each(int nr, int error)
{
    static char as_ever[TRANSCRIPT_BYTES], notes[TRANSCRIPT_BYTES];
    int count = play(nr, 0, 0, as_ever), which = 1;
    const char *path = getenv("GUEST_COUNT");

    printf("%s", as_ever);
    WANT(strstr(as_ever, "errno changed") == NULL);
    do { /* how many there are may differ by what has failed */
        count = play(nr, which, error, notes);
        if (strcmp(notes, as_ever) != 0)
            FAIL("call %d fails, and this is not as ever: %s", which, notes);
    } while (which++ < count && which < CALLS_MAX);
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file != NULL) {
        fprintf(file, "%d\n", which - 1);
        fclose(file);
    }
}

static void case_setsockopt(void)
{
    each(SYS_setsockopt, ENOBUFS);
}

static void case_getsockopt(void)
{
    each(SYS_getsockopt, ENOBUFS);
}

static void case_getsockname(void)
{
    each(SYS_getsockname, ENOBUFS);
}

static void case_getpeername(void)
{
    each(SYS_getpeername, ENOBUFS);
}

static void case_mmap(void)
{
    each(SYS_mmap, ENOMEM);
}

static void case_openat(void)
{
    each(SYS_openat, EMFILE);
}

static void case_writev(void)
{
    each(SYS_writev, ENOSPC);
}

static void case_statx(void)
{
    each(SYS_statx, ENOSYS);
}

static void case_fcntl(void)
{
    each(SYS_fcntl, EMFILE);
}

static void case_rt_sigprocmask(void)
{
    each(SYS_rt_sigprocmask, EPERM);
}

static const struct guest_case cases[] = {
    {"setsockopt", case_setsockopt},
    {"getsockopt", case_getsockopt},
    {"getsockname", case_getsockname},
    {"getpeername", case_getpeername},
    {"mmap", case_mmap},
    {"openat", case_openat},
    {"writev", case_writev},
    {"statx", case_statx},
    {"fcntl", case_fcntl},
    {"rt_sigprocmask", case_rt_sigprocmask},
};
GUEST_MAIN(cases)
