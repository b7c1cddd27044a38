/* SPDX-License-Identifier: MIT
 * Cases of descriptors.c: numbers that are far up, and share what is kept of them with low ones.
 * GUEST_BEYOND names the first of them, 150000 if nothing does.
 */
enum { BEYOND = 150000, FEW = 64 };

/* The first of the numbers; FEW are allowed from there on, or the case is left. */
static int beyond(void)
{
    const char *first = getenv("GUEST_BEYOND");
    int high = first != NULL ? atoi(first) : BEYOND;

    if (!may_have((rlim_t)high + FEW))
        exit(1);
    return high;
}

/* A number below with whose lowest bits are those of HIGH: all 16, where there is one. */
static int twin_of(int high)
{
    return high >= 65536 ? high % 65536 : high - 1024;
}

static void talk_over(int from, int to)
{
    char byte = 0;

    SAY("send", send(from, "a", 1, 0));
    SAY("recv", recv(to, &byte, 1, MSG_WAITALL));
    SAY("write", write(to, "b", 1));
    SAY("read", read(from, &byte, 1));
}

/* Moves a connection's ends to A and B. */
static void connect_at(int a, int b)
{
    int ends[2];

    guest_connect(ends);
    WANT(fcntl(ends[0], F_DUPFD_CLOEXEC, a) == a && fcntl(ends[1], F_DUPFD, b) == b);
    DO(close(ends[0]));
    DO(close(ends[1]));
}

static void case_beyond(void)
{
    int high = beyond(), twin = twin_of(high), set = high + 4, waited;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7}, got = {.events = 0};
    int epoll = epoll_create1(0), file = new_file(), pipes[2];

    connect_at(high, high + 1);
    connect_at(twin, high + 2);
    talk_over(high, high + 1);
    talk_over(twin, high + 2);
    SAY("F_GETFD", fcntl(high, F_GETFD));

    WANT(fcntl(epoll, F_DUPFD, set) == set); /* a set beyond as well */
    DO(close(epoll));
    SAY("add", epoll_ctl(set, EPOLL_CTL_ADD, high, &event));
    SAY("add the other", epoll_ctl(set, EPOLL_CTL_ADD, twin, &event));
    SAY("nothing", epoll_wait(set, &got, 1, 30));
    WANT(send(high + 1, "x", 1, 0) == 1);
    waited = (int)SAY("something", epoll_wait(set, &got, 1, -1));
    WANT(waited == 1 && got.data.u32 == 7);
    SAY("poll", poll(&(struct pollfd){high, POLLIN, 0}, 1, -1));
    SAY("recv", recv(high, &(char){0}, 1, 0));

    SAY("close", close(high)); /* its twin is not */
    SAY("send", send(high, "x", 1, 0));
    talk_over(twin, high + 2);
    WANT(dup2(file, high) == high);
    use_as_file(high);
    SAY("close", close(twin));
    WANT(pipe(pipes) == 0 && dup2(pipes[0], twin) == twin);
    DO(close(pipes[0]));
    use_as_file(high);
    use_as_pipe(twin, pipes[1]);

    connect_at(high + 8, high + 9); /* what is left in the range, and its twins */
    SAY("lowest", fcntl(high + 8, F_DUPFD, 3));
    SAY("close_range", syscall(SYS_close_range, high, high + FEW, 0));
    for (int fd = high; fd < high + FEW; fd++)
        WANT(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
    connect_at(high, twin); /* both anew */
    talk_over(twin, high);
    SAY("close", close(twin));
    SAY("the end", recv(high, &(char){0}, 1, 0));
    SAY("close", close(high));
}

/* With SOCKTMO_RECV=300ms: the limit holds there, and not on a file that shares what is kept. */
static void case_beyond_limit(void)
{
    int high = beyond(), twin = twin_of(high), ends[2];

    guest_connect(ends);
    WANT(dup2(ends[0], high) == high);
    DO(close(ends[0]));
    SAY("recv", recv(high, &(char){0}, 1, 0));
    WANT(dup2(new_file(), twin) == twin);
    SAY("read", read(twin, &(char){0}, 1));
    SAY("close", close(high));
}
