/* SPDX-License-Identifier: MIT
 * Cases of calls.c: MSG_ flags, files sent and spliced, calls under syscall(2), fortified names.
 */

#include <sys/prctl.h>
#include <sys/resource.h>

/* --- MSG_ flags ------------------------------------------------------------------------------ */

/* A receive of FLAGS from a socket with WAITING bytes, or whose peer has gone. */
static void receive_flagged(const struct data_kind *kind, int flags, int waiting)
{
    char buf[6] = {0}, control[64];
    struct iovec iov = {buf, 4};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct mmsghdr msgs[2] = {{.msg_hdr = msg}, {.msg_hdr = msg}};
    int ends[2];

    for (int way = 0; way < 4; way++) {
        data_pair(kind, ends);
        if (waiting > 0) {
            WANT(send(ends[1], "123456789", (size_t)waiting, 0) == waiting);
            if (kind->type == SOCK_STREAM) /* the end is for MSG_WAITALL to find */
                DO(shutdown(ends[1], SHUT_WR));
            calls_settle(ends[0], kind->type == SOCK_STREAM ? POLLRDHUP : POLLIN);
        } else {
            DO(fcntl(ends[0], F_SETFL, O_NONBLOCK));
        }
        printf("%d ", way);
        if (way == 0)
            CALL("recv", recv(ends[0], buf, 4, flags));
        else if (way == 1)
            CALL("recvfrom", recvfrom(ends[0], buf, 4, flags, NULL, NULL));
        else if (way == 2) {
            long n = CALL("recvmsg", recvmsg(ends[0], &msg, flags));

            if (n >= 0)
                printf("flags %#x, control %zu, ", msg.msg_flags, (size_t)msg.msg_controllen);
            msg.msg_controllen = sizeof control;
        } else {
            CALL("recvmmsg",
                 recvmmsg(ends[0], msgs, 2, flags | (kind->type == SOCK_STREAM ? 0 : MSG_DONTWAIT),
                          NULL));
        }
        printf("'%.4s', left %ld\n", buf, drain(ends[0]));
        data_end(ends);
    }
}

static void case_flags(void)
{
    static const int flags[] = {0,
                                MSG_PEEK,
                                MSG_TRUNC,
                                MSG_PEEK | MSG_TRUNC,
                                MSG_WAITALL,
                                MSG_WAITALL | MSG_PEEK,
                                MSG_WAITALL | MSG_TRUNC,
                                MSG_DONTWAIT,
                                MSG_DONTWAIT | MSG_WAITALL,
                                MSG_OOB,
                                MSG_OOB | MSG_PEEK,
                                MSG_ERRQUEUE,
                                MSG_CMSG_CLOEXEC,
                                MSG_WAITFORONE,
                                MSG_NOSIGNAL,
                                MSG_CTRUNC,
                                MSG_EOR,
                                0x800000};
    int ends[2], mark = 0;
    char buf[8];

    calls_count_pipes();
    for (size_t i = 0; i < COUNT(data_kinds); i++)
        for (size_t j = 0; j < COUNT(flags); j++)
            for (int waiting = 0; waiting <= 9; waiting += 3) {
                printf("%s, flags %#x, %d waiting\n", data_kinds[i].name, (unsigned)flags[j],
                       waiting);
                receive_flagged(&data_kinds[i], flags[j], waiting);
            }
    for (size_t i = 0; i < COUNT(data_kinds); i++)
        for (size_t j = 0; j < COUNT(flags); j++) {
            data_pair(&data_kinds[i], ends);
            printf("%s, send %#x\n", data_kinds[i].name, (unsigned)flags[j]);
            if (CALL("send", send(ends[0], "abc", 3, flags[j] & ~MSG_FASTOPEN)) > 0)
                calls_settle(ends[1], (flags[j] & MSG_OOB) != 0 ? POLLPRI : POLLIN);
            DO(close(ends[1]));
            if (data_kinds[i].type != SOCK_DGRAM)
                calls_settle(ends[0], POLLRDHUP);
            if (data_kinds[i].domain == AF_UNIX)
                CALL("send", send(ends[0], "abc", 3, flags[j] & ~MSG_FASTOPEN));
            DO(close(ends[0]));
        }
    guest_connect(ends); /* a mark between the bytes */
    WANT(send(ends[1], "ab", 2, 0) == 2 && send(ends[1], "!", 1, MSG_OOB) == 1);
    calls_settle(ends[0], POLLPRI);
    CALL("at mark", sockatmark(ends[0]));
    CALL("recv", recv(ends[0], buf, 8, MSG_WAITALL & 0));
    CALL("at mark", sockatmark(ends[0]));
    CALL("urgent", recv(ends[0], buf, 8, MSG_OOB));
    CALL("urgent again", recv(ends[0], buf, 8, MSG_OOB));
    CALL("SIOCATMARK", ioctl(ends[0], 0x8905, &mark));
    printf("%d\n", mark);
    data_end(ends);
}

/* --- files ----------------------------------------------------------------------------------- */

static void case_files(void)
{
    int other, file = calls_make_file(&other), ends[2], pipes[2];
    off_t *fixed = (off_t *)(void *)calls_read_only(0), at;
    off_t *half = (off_t *)(void *)(calls_edge() + ROOM - 4);
    static const size_t counts[] = {0, 4, 100, (size_t)1 << 31, SSIZE_MAX, SIZE_MAX};
    static const off_t offsets[] = {0, 5, 9, 100, -1, LONG_MAX, LONG_MAX - 1};

    calls_count_pipes();
    DO(pipe(pipes));
    for (size_t i = 0; i < COUNT(data_kinds); i++) {
        data_pair(&data_kinds[i], ends);
        printf("%s\n", data_kinds[i].name);
        for (size_t j = 0; j < COUNT(counts); j++)
            for (size_t k = 0; k <= COUNT(offsets); k++) {
                loff_t in_at = k < COUNT(offsets) ? offsets[k] : 0;

                at = in_at;
                DO(lseek(file, 2, SEEK_SET));
                printf("count %zu, offset %zu ", j, k);
                CALL("sendfile",
                     sendfile(ends[0], file, k < COUNT(offsets) ? &at : NULL, counts[j]));
                printf("offset %ld, file at %ld, came %ld\n", (long)at,
                       (long)lseek(file, 0, SEEK_CUR), drain(ends[1]));
                CALL("splice", splice(file, k < COUNT(offsets) ? &in_at : NULL, pipes[1], NULL,
                                      counts[j], SPLICE_F_NONBLOCK));
                CALL("splice", splice(pipes[0], NULL, ends[0], NULL, counts[j], SPLICE_F_NONBLOCK));
                printf("offset %ld, came %ld\n", (long)in_at, drain(ends[1]));
                while (calls_readable(pipes[0]))
                    WANT(read(pipes[0], (char[64]){0}, 64) > 0);
            }
        CALL("offset nowhere", sendfile(ends[0], file, NOWHERE, 4));
        CALL("offset half nowhere", sendfile(ends[0], file, half, 4));
        CALL("offset read-only", sendfile(ends[0], file, fixed, 4));
        printf("came %ld\n", drain(ends[1]));
        CALL("from a socket", sendfile(ends[0], ends[1], NULL, 4));
        CALL("from nothing", sendfile(ends[0], -1, NULL, 4));
        CALL("from a pipe", sendfile(ends[0], pipes[0], NULL, 0));
        CALL("from a folder", sendfile(ends[0], open("/", O_RDONLY), NULL, 4));
        WANT(send(ends[1], "spliced", 7, 0) == 7);
        calls_settle(ends[0], POLLIN);
        CALL("splice out", splice(ends[0], NULL, pipes[1], NULL, 4, 0));
        CALL("splice, offset", splice(ends[0], &(loff_t){0}, pipes[1], NULL, 4, 0));
        CALL("splice, out offset", splice(ends[0], NULL, pipes[1], &(loff_t){0}, 4, 0));
        CALL("splice, nowhere", splice(ends[0], NOWHERE, pipes[1], NOWHERE, 4, 0));
        CALL("splice, no pipe", splice(ends[0], NULL, ends[1], NULL, 4, 0));
        CALL("splice, file", splice(file, NULL, ends[0], NULL, 4, 0));
        CALL("splice, flags", splice(ends[0], NULL, pipes[1], NULL, 4, 0x100));
        CALL("splice of none", splice(ends[0], NULL, pipes[1], NULL, 0, 0));
        if (calls_readable(ends[0]))
            CALL("splice huge",
                 splice(ends[0], NULL, pipes[1], NULL, SSIZE_MAX, SPLICE_F_NONBLOCK));
        CALL("tee", tee(pipes[0], ends[0], 4, 0));
        printf("left %ld\n", drain(ends[0]));
        while (calls_readable(pipes[0]))
            WANT(read(pipes[0], (char[64]){0}, 64) > 0);
        DO(shutdown(ends[0], SHUT_WR));
        at = 0;
        CALL("sendfile, shut", sendfile(ends[0], file, &at, 4));
        WANT(write(pipes[1], "abc", 3) == 3);
        CALL("splice, shut", splice(pipes[0], NULL, ends[0], NULL, 3, 0));
        while (calls_readable(pipes[0]))
            WANT(read(pipes[0], (char[64]){0}, 64) > 0);
        data_end(ends);
    }
}

/* --- syscall(2) ------------------------------------------------------------------------------ */

#if __SIZEOF_LONG__ == 8 && defined(SYS_socket)
static void raw_on(int fd)
{
    char buf[8] = {0};
    struct iovec iov = {buf, 4};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct mmsghdr msgs[1] = {{.msg_hdr = msg}};
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    struct timespec none = {0, 0}, negative = {-1, 0};
    struct epoll_event event;
    struct {
        void *mask;
        size_t len;
    } bad = {NOWHERE, 8}, small = {&none, 4};
    socklen_t len = 4;

    CALL("recvfrom", syscall(SYS_recvfrom, fd, buf, 2L, MSG_DONTWAIT, NULL, NULL));
    CALL("recvmsg", syscall(SYS_recvmsg, fd, &msg, MSG_DONTWAIT));
    CALL("recvmmsg", syscall(SYS_recvmmsg, fd, msgs, 1, MSG_DONTWAIT, &none));
    CALL("recvmmsg", syscall(SYS_recvmmsg, fd, msgs, 1, MSG_DONTWAIT, NOWHERE));
    CALL("sendto", syscall(SYS_sendto, fd, "abc", 3L, MSG_DONTWAIT, NULL, 0));
    CALL("sendmsg", syscall(SYS_sendmsg, fd, &msg, MSG_DONTWAIT));
    CALL("sendmmsg", syscall(SYS_sendmmsg, fd, msgs, 1, MSG_DONTWAIT));
    CALL("write", syscall(SYS_write, fd, NOWHERE, 4L));
    CALL("read", syscall(SYS_read, fd, NOWHERE, 0L));
    CALL("writev", syscall(SYS_writev, fd, NULL, 1L));
    CALL("readv", syscall(SYS_readv, fd, &iov, 1025L));
    CALL("F_GETFL", syscall(SYS_fcntl, fd, F_GETFL, 0));
    CALL("FIONREAD", syscall(SYS_ioctl, fd, FIONREAD, &len));
    CALL("SO_ERROR", syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, buf, NOWHERE));
    CALL("SO_LINGER", syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, NOWHERE, 8));
    CALL("ppoll", syscall(SYS_ppoll, &one, 1, &none, NULL, 8L));
    CALL("ppoll", syscall(SYS_ppoll, &one, 1, &none, &none, 4L));
    CALL("pselect6", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, NOWHERE));
    CALL("ppoll, mask", syscall(SYS_ppoll, &one, 1, &none, NOWHERE, 8L));
    CALL("ppoll, time", syscall(SYS_ppoll, &one, 1, NOWHERE, NULL, 8L));
    CALL("ppoll, negative", syscall(SYS_ppoll, &one, 1, &negative, NULL, 8L));
    CALL("pselect6, mask", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, &bad));
    CALL("pselect6, small", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, &small));
    CALL("epoll_pwait, mask", syscall(SYS_epoll_pwait, fd, &event, 1, 0, NOWHERE, 8L));
#ifdef SYS_select
    CALL("select, time", syscall(SYS_select, 0, NULL, NULL, NULL, NOWHERE));
#endif
#ifdef SYS_accept
    CALL("accept", syscall(SYS_accept, fd, NOWHERE, NOWHERE));
#endif
    CALL("accept4", syscall(SYS_accept4, fd, NULL, NULL, 0x7000));
    CALL("connect", syscall(SYS_connect, fd, NOWHERE, 16));
    CALL("listen", syscall(SYS_listen, fd, 5));
    CALL("shutdown", syscall(SYS_shutdown, fd, 7));
    CALL("splice", syscall(SYS_splice, fd, NULL, fd, NULL, 4L, 0));
    CALL("sendfile", syscall(SYS_sendfile, fd, 0, NOWHERE, 4L));
    CALL("dup3", syscall(SYS_dup3, fd, fd, 0));
#ifdef SYS_dup2
    CALL("dup2", syscall(SYS_dup2, fd, fd));
    CALL("dup2, no number", syscall(SYS_dup2, fd, -1));
#endif
    CALL("dup", syscall(SYS_dup, fd));
    CALL("close", syscall(SYS_close, fd));
    CALL("close", syscall(SYS_close, fd));
}

static void case_raw(void)
{
    struct rlimit limit;

    calls_count_pipes();
    calls_each_kind("all", raw_on);
    CALL("socket", syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CALL("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NOWHERE));
    DO(getrlimit(RLIMIT_NOFILE, &limit));
    CALL("setrlimit", syscall(SYS_setrlimit, (long)RLIMIT_NOFILE, &limit));
    CALL("setrlimit, no limit", syscall(SYS_setrlimit, -1L, &limit));
    CALL("prlimit64", syscall(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NOWHERE, NULL));
    CALL("close_range", syscall(SYS_close_range, 9L, 3L, 0L));
    CALL("a call that is none", syscall(-1));
    CALL("another", syscall(100000));
}
#else
static void case_raw(void)
{
    puts("not tried on this machine");
}
#endif

/* --- fortified names ------------------------------------------------------------------------- */

#ifdef __GLIBC__
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *addr,
                       socklen_t *addr_len);
int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask,
                size_t room);

static long fortified(int way, int fd, size_t len, size_t room)
{
    struct pollfd two[2] = {{fd, POLLIN, 0}, {fd, POLLIN, 0}};
    struct timespec none = {0, 0};
    struct sockaddr_storage addr;
    socklen_t addr_len = sizeof addr;
    char buf[64];

    switch (way) {
    case 0:
        return __read_chk(fd, buf, len, room);
    case 1:
        return __recv_chk(fd, buf, len, room, 0);
    case 2:
        return __recvfrom_chk(fd, buf, len, room, MSG_PEEK, (struct sockaddr *)&addr, &addr_len);
    case 3:
        return __poll_chk(two, len / 8, 0, room);
    default:
        return __ppoll_chk(two, len / 8, &none, NULL, room);
    }
}

static void case_fortified(void)
{
    static const size_t rooms[][2] = {{8, 8}, {8, 64}, {0, 0}, {16, 8}, {16, 15}, {8, (size_t)-1}};

    DO(prctl(PR_SET_DUMPABLE, 0)); /* no core */
    fflush(stdout);
    for (int way = 0; way < 5; way++)
        for (size_t i = 0; i < COUNT(rooms); i++)
            for (int kind = 0; kind < 3; kind++) {
                pid_t child = fork();

                DO(child);
                if (child == 0) {
                    int other, fd = kind == 0   ? calls_make_connected(&other)
                                    : kind == 1 ? calls_make_unix(&other)
                                                : calls_make_pipe(&other);

                    DO(dup2(open("/dev/null", O_WRONLY), 2)); /* libc says which */
                    printf("%d, %zu of %zu, ", way, rooms[i][0], rooms[i][1]);
                    CALL("call", fortified(way, fd, rooms[i][0], rooms[i][1]));
                    fflush(stdout);
                    _exit(3);
                }
                guest_reap("child", child);
                fflush(stdout);
            }
}
#else
static void case_fortified(void)
{
    puts("this libc has none");
}
#endif
