/* SPDX-License-Identifier: MIT
 * Cases of calls.c: connections that fail in the middle of a call.
 */

static void reset(int fd)
{
    struct linger hard = {1, 0};

    DO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    DO(close(fd));
}

/* Says what FD polls as, and its SO_ERROR. */
static void say_state(int fd)
{
    struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    int error = UNTOUCHED;
    socklen_t len = sizeof error;

    CALL("poll", poll(&one, 1, 0));
    printf("revents %#x\n", (unsigned)one.revents);
    CALL("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    printf("%s\n", strerror(error));
}

/* A MSG_WAITALL that got a part when the connection ended: HOW it ended, and WHAT comes next. */
static void cut_receive(bool resets, int next)
{
    int ends[2];
    char buf[64];
    struct iovec iov[2] = {{buf, 3}, {buf + 3, 30}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

    guest_connect(ends);
    WANT(send(ends[1], "12345", 5, 0) == 5);
    calls_settle(ends[0], POLLIN);
    if (resets)
        reset(ends[1]);
    else
        DO(close(ends[1]));
    calls_settle(ends[0], POLLRDHUP);
    printf("%s, then %d\n", resets ? "reset" : "closed", next);
    if (next % 2 == 0)
        CALL("recv", recv(ends[0], buf, sizeof buf, MSG_WAITALL));
    else
        CALL("recvmsg", recvmsg(ends[0], &msg, MSG_WAITALL));
    if (next < 2)
        say_state(ends[0]);
    CALL("recv again", recv(ends[0], buf, sizeof buf, MSG_WAITALL));
    CALL("send", send(ends[0], "x", 1, 0));
    if (resets) {
        CALL("send again", send(ends[0], "x", 1, 0));
        say_state(ends[0]);
    }
    DO(close(ends[0]));
}

/* Resets FD when the other end has a full buffer. */
static pid_t reset_later(int fd, int other)
{
    pid_t child = fork();

    DO(child);
    if (child == 0) {
        struct pollfd full = {other, POLLOUT, 0};

        while (poll(&full, 1, 0) == 1)
            usleep(1000); /* the parent is sending */
        usleep(20000);
        DO(close(other));
        reset(fd);
        _exit(0);
    }
    DO(close(fd));
    return child;
}

/* A large send that the peer resets while it waits. */
static void cut_send(int way)
{
    enum { MUCH = 16 << 20 };
    static char much[MUCH];
    struct iovec iov[2] = {{much, 1000}, {much, MUCH - 1000}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    int ends[2], error = 0;
    long n;
    pid_t child;

    guest_connect(ends);
    child = reset_later(ends[1], ends[0]);
    errno = UNTOUCHED;
    n = way == 0   ? send(ends[0], much, MUCH, 0)
        : way == 1 ? write(ends[0], much, MUCH)
        : way == 2 ? writev(ends[0], iov, 2)
                   : sendmsg(ends[0], &msg, 0);
    error = errno;
    printf("send %d: %s %s", way,
           n <= 0      ? "none"
           : n == MUCH ? "all"
                       : "a part",
           error == UNTOUCHED ? "-" : strerror(error));
    printf(" SIGPIPE %d\n", (int)calls_pipes);
    calls_pipes = 0;
    say_state(ends[0]);
    CALL("send", send(ends[0], "x", 1, 0));
    CALL("recv", recv(ends[0], much, 1, 0));
    guest_reap("child", child);
    DO(close(ends[0]));
}

static void case_cut_receive(void)
{
    calls_count_pipes();
    for (int next = 0; next < 4; next++) {
        cut_receive(false, next);
        cut_receive(true, next);
    }
}

static void case_cut_send(void)
{
    calls_count_pipes();
    for (int way = 0; way < 4; way++)
        cut_send(way);
}
