/* SPDX-License-Identifier: MIT
 * Cases of confined.c: programs that forbid system calls to themselves (seccomp(2)).
 */
#ifndef TESTS_GUEST_CONFINED_FILTERS_H
#define TESTS_GUEST_CONFINED_FILTERS_H

#include "tests/guest/confined.h"

/* Data calls alone, and the plain end of a thread, which nobody makes anything of. */
static const long data_calls[] = {SYS_read,     SYS_write,    SYS_readv,   SYS_writev,
                                  SYS_sendto,   SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
                                  SYS_sendmmsg, SYS_recvmmsg, SYS_exit,    -1};

static void use_with_data_calls(const struct place *p)
{
    static char big[100000];
    struct mmsghdr one = {.msg_len = 0};
    struct iovec part = {big, 4};

    filter(data_calls, RET_ALLOW, RET_KILL);
    exchange(p->ends[0], p->ends[1]);
    exchange(p->ends[1], p->ends[0]);
    one.msg_hdr.msg_iov = &part;
    one.msg_hdr.msg_iovlen = 1;
    SAY("sendmmsg", sendmmsg(p->ends[0], &one, 1, 0));
    SAY("recvmmsg", recvmmsg(p->ends[1], &one, 1, 0, NULL));
    SAY("send, much", send(p->ends[0], big, sizeof big, 0));
    SAY("recv, all of it", recv(p->ends[1], big, sizeof big, MSG_WAITALL));
    SAY("send to nowhere", send(99, big, 1, 0));
    SAY("recv of a file", recv(1, big, 1, 0));
    SAY("read with a bad pointer", read(p->ends[0], NULL, 0));
    syscall(SYS_exit, 12);
}

/* A data call adds no system call. */
static void case_filter_data(void)
{
    struct place p;

    make_place(&p);
    AS_CHILD("child", use_with_data_calls(&p));
    exchange(p.ends[0], p.ends[1]);
    AS_CHILD("child", use_with_data_calls(&p));
}

#ifndef SYS_mmap /* 32-bit ARM */
#define SYS_mmap SYS_mmap2
#endif

/* The calls of exchange() and come_and_go(), and what the library says that it makes besides. */
static const long known_calls[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
    SYS_socket, SYS_connect, SYS_accept4, SYS_shutdown, SYS_close, SYS_setsockopt, SYS_getsockopt,
    SYS_exit_group, SYS_exit, SYS_epoll_pwait, SYS_pselect6, SYS_ppoll, SYS_clock_gettime,
#ifdef SYS_accept
    SYS_accept,
#endif
#ifdef SYS_poll
    SYS_poll, SYS_epoll_wait,
#endif
#ifdef SYS_select
    SYS_select,
#endif
    /* a record, and the log that it goes to */
    SYS_getsockname, SYS_openat, SYS_statx, SYS_fcntl, SYS_prlimit64, SYS_getpid, SYS_gettid,
    SYS_mmap, SYS_munmap, SYS_geteuid, SYS_dup3, SYS_rt_sigprocmask, SYS_rt_sigaction, -1};

static void use_with_known_calls(const struct place *p, int epoll)
{
    filter(known_calls, RET_ALLOW, RET_KILL);
    exchange(p->ends[0], p->ends[1]);
    come_and_go(p);
    wait_for_data(p, epoll);
    wait_in_vain(p, epoll);
}

static int make_epoll(const struct place *p)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    DO(epoll);
    DO(epoll_ctl(epoll, EPOLL_CTL_ADD, p->ends[0], &event));
    return epoll;
}

static void case_filter_known(void)
{
    struct place p;
    int epoll, status;

    make_place(&p);
    epoll = make_epoll(&p);
    AS_CHILD("child", use_with_known_calls(&p, epoll));
    fflush(stdout); /* from a vfork on, the library asks now and then who it is: getpid */
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    WANT(waitpid(pid, &status, 0) == pid && status == 0);
    exchange(p.ends[0], p.ends[1]);
    use_with_known_calls(&p, epoll);
}

/* One call fails from now on, with a blocked signal pending: what the program asks for goes as it
 * goes bare. */
static void use_without(long nr, int error, const struct place *p, int epoll)
{
    const long listed[] = {nr, -1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t usr1;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    DO(sigaction(SIGUSR1, &action, NULL));
    DO(sigprocmask(SIG_BLOCK, &usr1, NULL));
    DO(raise(SIGUSR1));
    without_writev = nr == SYS_writev;
    filter(listed, RET_ERRNO | (unsigned)error, RET_ALLOW);
    exchange(p->ends[0], p->ends[1]);
    wait_for_data(p, epoll);
    wait_in_vain(p, epoll);
    come_and_go(p);
}

static const struct denied {
    const char *name;
    long nr;
} denied[] = {
    {"setsockopt", SYS_setsockopt},
    {"getsockopt", SYS_getsockopt},
    {"getsockname", SYS_getsockname},
    {"getpeername", SYS_getpeername},
    {"writev", SYS_writev},
    {"statx", SYS_statx},
    {"openat", SYS_openat},
    {"fcntl", SYS_fcntl},
    {"getpid", SYS_getpid},
    {"gettid", SYS_gettid},
    {"prlimit64", SYS_prlimit64},
    {"mmap", SYS_mmap},
    {"rt_sigprocmask", SYS_rt_sigprocmask},
    {"rt_sigaction", SYS_rt_sigaction},
    {"clock_gettime", SYS_clock_gettime},
};

static void deny_all(int error)
{
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++) {
        struct place p;
        int epoll;

        make_place(&p);
        epoll = make_epoll(&p);
        printf("without %s:\n", denied[i].name);
        AS_CHILD(denied[i].name, use_without(denied[i].nr, error, &p, epoll));
        DO(close(epoll));
        DO(close(p.listener));
        DO(close(p.ends[0]));
        DO(close(p.ends[1]));
    }
}

static void case_filter_eperm(void)
{
    deny_all(EPERM);
}

static void case_filter_enosys(void)
{
    deny_all(ENOSYS);
}

/* The forms of the waits that a program did not use itself. */
static void case_filter_waits(void)
{
#ifdef SYS_poll
    static const struct denied forms[] = {{"ppoll", SYS_ppoll},
                                          {"pselect6", SYS_pselect6},
                                          {"epoll_pwait", SYS_epoll_pwait},
                                          {"epoll_pwait2", 441}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (int error = 0; error < 2; error++) {
            struct place p;
            int epoll;

            make_place(&p);
            epoll = make_epoll(&p);
            printf("without %s:\n", forms[i].name);
            AS_CHILD(forms[i].name,
                     use_without(forms[i].nr, error == 0 ? EPERM : ENOSYS, &p, epoll));
        }
    }
#else
    puts("not here");
#endif
}

static void use_strictly(int a, int b)
{
    char byte = 's';
    ssize_t n = 0;

    if (prctl(PR_SET_SECCOMP, MODE_STRICT) < 0)
        _exit(99);
    for (int i = 0; i < 100; i++)
        n += write(a, &byte, 1) + read(b, &byte, 1) + write(b, &byte, 1) + read(a, &byte, 1);
    syscall(SYS_exit, n == 400 && byte == 's' ? 13 : 14);
}

/* SECCOMP_MODE_STRICT: read, write and the end. */
static void case_strict(void)
{
    struct place p;
    int pair[2], ends[2];

    make_place(&p);
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    DO(pipe(ends));
    AS_CHILD("tcp", use_strictly(p.ends[0], p.ends[1]));
    AS_CHILD("a pair", use_strictly(pair[0], pair[1]));
    guest_connect(ends);
    AS_CHILD("tcp again", use_strictly(ends[1], ends[0]));
    exchange(p.ends[0], p.ends[1]);
}

#endif
