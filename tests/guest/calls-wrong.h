/* SPDX-License-Identifier: MIT
 * Cases of calls.c: every call on every kind of descriptor, and what its pointers must not be.
 */

/* The text that a call left in its buffer, as far as it got some. */
static void say_text(const char *text, long n)
{
    if (n > 0)
        printf("  got %.*s\n", (int)n, text);
}

#define ON(name, call)                                                                             \
    static void name(int fd)                                                                       \
    {                                                                                              \
        char buf[64] = {0};                                                                        \
        struct iovec iov[2] = {{buf, 4}, {buf + 4, 8}};                                            \
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};                                     \
        struct mmsghdr msgs[1] = {{.msg_hdr = msg}};                                               \
        struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};                                   \
        socklen_t len = sizeof addr;                                                               \
        struct timespec now = {0, 0};                                                              \
        (void)msgs, (void)len, (void)now;                                                          \
        long n = CALL(#call, call);                                                                \
        say_text(buf, n < 64 ? n : 0);                                                             \
    }

ON(on_read, read(fd, buf, 12))
ON(on_readv, readv(fd, iov, 2))
ON(on_recv, recv(fd, buf, 12, 0))
ON(on_recv_wait, recv(fd, buf, 4, MSG_WAITALL))
ON(on_recvfrom, recvfrom(fd, buf, 12, 0, (struct sockaddr *)&addr, &len))
ON(on_recvmsg, recvmsg(fd, &msg, 0))
ON(on_recvmmsg, recvmmsg(fd, msgs, 1, 0, NULL))
ON(on_write, write(fd, "written", 7))
ON(on_writev, writev(fd, iov, 2))
ON(on_send, send(fd, "sent", 4, 0))
ON(on_send_quiet, send(fd, "sent", 4, MSG_NOSIGNAL))
ON(on_sendto, sendto(fd, "sent", 4, 0, NULL, 0))
ON(on_sendmsg, sendmsg(fd, &msg, 0))
ON(on_sendmmsg, sendmmsg(fd, msgs, 1, 0))
ON(on_sendfile_in, sendfile(1, fd, NULL, 0))
ON(on_sendfile_self, sendfile(fd, fd, NULL, 4))
ON(on_poll, poll(&(struct pollfd){fd, POLLIN | POLLOUT, 0}, 1, 0))
ON(on_ppoll, ppoll(&(struct pollfd){fd, POLLIN | POLLOUT, 0}, 1, &now, NULL))
ON(on_listen, listen(fd, 1))
ON(on_connect, connect(fd, (struct sockaddr *)&addr, sizeof addr))
ON(on_connect_short, connect(fd, (struct sockaddr *)&addr, 1))
ON(on_shutdown, shutdown(fd, SHUT_WR))
ON(on_getfl, fcntl(fd, F_GETFL))
ON(on_setfl, fcntl(fd, F_SETFL, O_NONBLOCK))
ON(on_dupfd, fcntl(fd, F_DUPFD, 0))
ON(on_fionbio, ioctl(fd, FIONBIO, &(int){1}))
ON(on_fionread, ioctl(fd, FIONREAD, &len))
ON(on_outq, ioctl(fd, TIOCOUTQ, &len))
ON(on_atmark, ioctl(fd, 0x8905 /* SIOCATMARK */, &len))
ON(on_unknown, ioctl(fd, 0xdeadbeef, &len))
ON(on_error, getsockopt(fd, SOL_SOCKET, SO_ERROR, &len, &(socklen_t){4}))
ON(on_timeo,
   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){7, 0}, sizeof(struct timeval)))
ON(on_no_option, setsockopt(fd, SOL_SOCKET, 9999, &len, sizeof len))
ON(on_name, getsockname(fd, (struct sockaddr *)&addr, &len))
ON(on_add, epoll_ctl(fd, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN}))
ON(on_wait, epoll_wait(fd, &(struct epoll_event){0}, 1, 0))
ON(on_pwait, epoll_pwait(fd, &(struct epoll_event){0}, 1, 0, NULL))
ON(on_dup, dup(fd))
ON(on_dup2, dup2(fd, fd))
ON(on_dup3, dup3(fd, fd, 0))
ON(on_dup3_to, dup3(fd, 90, O_CLOEXEC))
ON(on_dup3_bad, dup3(fd, 90, O_NONBLOCK))
ON(on_close, close(fd))

/* accept, of which only the listener has something to give */
static void on_accept(int fd)
{
    struct sockaddr_in from = {.sin_family = AF_UNSPEC};
    socklen_t len = sizeof from;
    long peer = CALL("accept4", accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC));

    if (peer >= 0) {
        printf("  family %d, length %u, flags %d\n", from.sin_family, len,
               fcntl((int)peer, F_GETFD));
        DO(close((int)peer));
    }
}

/* and a closed copy, whose number dup and dup3_to opened */
static const struct {
    const char *name;
    void (*do_it)(int fd);
} on_all[] = {
    {"read", on_read},
    {"readv", on_readv},
    {"recv", on_recv},
    {"recv that waits", on_recv_wait},
    {"recvfrom", on_recvfrom},
    {"recvmsg", on_recvmsg},
    {"recvmmsg", on_recvmmsg},
    {"write", on_write},
    {"writev", on_writev},
    {"send", on_send},
    {"send without a signal", on_send_quiet},
    {"sendto", on_sendto},
    {"sendmsg", on_sendmsg},
    {"sendmmsg", on_sendmmsg},
    {"sendfile from", on_sendfile_in},
    {"sendfile to itself", on_sendfile_self},
    {"poll", on_poll},
    {"ppoll", on_ppoll},
    {"listen", on_listen},
    {"accept", on_accept},
    {"connect to nothing", on_connect},
    {"connect, too short", on_connect_short},
    {"shutdown", on_shutdown},
    {"F_GETFL", on_getfl},
    {"F_SETFL", on_setfl},
    {"F_DUPFD", on_dupfd},
    {"FIONBIO", on_fionbio},
    {"FIONREAD", on_fionread},
    {"TIOCOUTQ", on_outq},
    {"SIOCATMARK", on_atmark},
    {"ioctl", on_unknown},
    {"SO_ERROR", on_error},
    {"SO_RCVTIMEO", on_timeo},
    {"setsockopt", on_no_option},
    {"getsockname", on_name},
    {"epoll_ctl", on_add},
    {"epoll_wait", on_wait},
    {"epoll_pwait", on_pwait},
    {"dup", on_dup},
    {"dup2", on_dup2},
    {"dup3", on_dup3},
    {"dup3 to 90", on_dup3_to},
    {"dup3, O_NONBLOCK", on_dup3_bad},
    {"close", on_close},
};

/* All on the lowest numbers, so that what one leaves behind shows in the next. */
static void case_wrong_fds(void)
{
    calls_count_pipes();
    for (size_t i = 0; i < COUNT(on_all); i++) {
        calls_each_kind(on_all[i].name, on_all[i].do_it);
        for (int fd = 3; fd < 100; fd++) /* the copies */
            (void)close(fd);
    }
}

/* The same twice in a row on one descriptor: the second meets what the first has left. But for
 * those that would wait for ever. */
static void case_twice(void)
{
    calls_count_pipes();
    for (size_t i = 0; i < COUNT(on_all); i++) {
        for (size_t j = 0; j < COUNT(calls_kinds); j++) {
            int other = -1, fd = calls_kinds[j].make(&other);
            bool takes = strstr(on_all[i].name, "re") == on_all[i].name || /* read, recv */
                         strcmp(on_all[i].name, "accept") == 0 ||
                         strcmp(calls_kinds[j].name, "listener") == 0;

            printf("%s on %s\n  ", on_all[i].name, calls_kinds[j].name);
            on_all[i].do_it(fd);
            if (!takes || calls_readable(fd) || fcntl(fd, F_GETFL) < 0) {
                printf("  ");
                on_all[i].do_it(fd);
            }
            for (int number = 3; number < 100; number++)
                (void)close(number);
        }
    }
}
