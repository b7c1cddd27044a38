/* SPDX-License-Identifier: MIT
 * Cases of descriptors.c: lowest numbers, all numbers, ranges, many and high ones.
 */

static void set_limit(rlim_t most)
{
    struct rlimit limit;

    DO(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = most;
    DO(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Whether MOST descriptors are allowed; says so if not. */
static bool may_have(rlim_t most)
{
    struct rlimit limit;

    DO(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < most) {
        struct rlimit more = {most, most};

        if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
            printf("%lu descriptors are not allowed here\n", (unsigned long)most);
            return false;
        }
    }
    set_limit(most);
    return true;
}

/* Every way to get a number gets the lowest one. */
static void lowest_below(int limit)
{
    struct sockaddr_in addr;
    int listener, pair[2], client, server;

    printf("limit %d\n", limit);
    if (!may_have((rlim_t)limit))
        return;
    listener = guest_listener(&addr);
    printf("listener %d\n", listener);
    client = (int)SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
    SAY("connect", connect(client, (struct sockaddr *)&addr, sizeof addr));
    server = (int)SAY("accept", accept(listener, NULL, NULL));
    SAY("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    printf("pair %d %d\n", pair[0], pair[1]);
    SAY("close", close(client));
    SAY("dup", dup(server));
    SAY("close", close(listener));
    SAY("eventfd", eventfd(0, 0));
    SAY("close", close(server));
    SAY("epoll", epoll_create1(0));
    SAY("F_DUPFD", fcntl(pair[0], F_DUPFD, 3));
    SAY("F_DUPFD at the limit", fcntl(pair[0], F_DUPFD, limit));
    SAY("dup2 to the limit", dup2(pair[0], limit));
    SAY("dup3 below 0", dup3(pair[0], -1, 0));
    for (int fd = 3; fd < limit && fd < 100; fd++)
        (void)close(fd);
    SAY("socket", socket(AF_UNIX, SOCK_DGRAM, 0));
    SAY("close", close(3));
}

static void case_lowest(void)
{
    lowest_below(16);
    lowest_below(9);
    lowest_below(1024);
    lowest_below(20000);
}

/* No number is free. What fails leaves nothing behind. (One may be our log's, if there is one.) */
static void case_full(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), client = socket(AF_INET, SOCK_STREAM, 0), pair[2];
    int ends[2], fd, last = -1;

    DO(connect(client, (struct sockaddr *)&addr, sizeof addr));
    guest_connect(ends);
    set_limit(40);
    while ((fd = dup(0)) >= 0)
        last = fd;
    printf("%s\n", strerror(errno));
    SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
    SAY("accept", accept(listener, NULL, NULL));
    SAY("accept4", accept4(listener, NULL, NULL, SOCK_NONBLOCK));
    SAY("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    SAY("epoll_create1", epoll_create1(0));
    SAY("dup", dup(ends[0]));
    SAY("F_DUPFD", fcntl(ends[0], F_DUPFD, 0));
    SAY("dup2", dup2(ends[0], last));
    SAY("send", send(ends[1], "abc", 3, 0));
    SAY("recv", recv(last, (char[3]){0}, 3, MSG_WAITALL));
    SAY("close", close(last));
    WANT(accept(listener, NULL, NULL) == last);
    SAY("close", close(last));
    SAY("close", close(client));
}

/* Copies of a number are one socket: what is set on one is set on all, and it lives till the last.
 */
static void case_dups(void)
{
    int ends[2], copy[6], value = 0;
    char byte;

    guest_connect(ends);
    copy[0] = (int)SAY("dup", dup(ends[0]));
    copy[1] = (int)SAY("dup2", dup2(ends[0], 30));
    copy[2] = (int)SAY("dup3", dup3(ends[0], 31, O_CLOEXEC));
    copy[3] = (int)SAY("F_DUPFD", fcntl(ends[0], F_DUPFD, 32));
    copy[4] = (int)SAY("F_DUPFD_CLOEXEC", fcntl(copy[3], F_DUPFD_CLOEXEC, 32));
    copy[5] = (int)SAY("syscall", syscall(SYS_dup, copy[1]));
    for (size_t i = 0; i < COUNT(copy); i++)
        SAY("F_GETFD", fcntl(copy[i], F_GETFD));
    SAY("dup2 to itself", dup2(copy[2], copy[2]));
    SAY("F_GETFD", fcntl(copy[2], F_GETFD));
    SAY("dup3 to itself", dup3(copy[2], copy[2], 0));
    SAY("O_NONBLOCK", fcntl(copy[4], F_SETFL, O_NONBLOCK));
    SAY("recv", recv(ends[0], &byte, 1, 0));
    SAY("FIONBIO", ioctl(copy[0], FIONBIO, &value));
    SAY("F_GETFL", fcntl(copy[5], F_GETFL));
    SAY("close", close(ends[0]));
    for (size_t i = 0; i < COUNT(copy); i++) {
        SAY("send", send(copy[i], "x", 1, 0));
        SAY("recv", recv(ends[1], &byte, 1, MSG_WAITALL));
        SAY("send back", send(ends[1], "y", 1, 0));
        SAY("recv", recv(copy[i], &byte, 1, MSG_WAITALL));
        SAY("close", close(copy[i]));
        SAY("send", send(copy[i], "x", 1, 0));
    }
    SAY("end", recv(ends[1], &byte, 1, 0));
    guest_connect((int[2]){0, 0}); /* numbers go on from where they were */
    SAY("dup2 over a socket", dup2(1, ends[1]));
    printf("%s\n", kind_of(copy[2]));
}

/* --- ranges ---------------------------------------------------------------------------------- */

#ifdef __GLIBC__
#define EACH_OPEN(what)                                                                            \
    do {                                                                                           \
        printf("%s:", what);                                                                       \
        for (int fd_ = 0; fd_ < 60; fd_++)                                                         \
            if (fcntl(fd_, F_GETFD) >= 0)                                                          \
                printf(" %d%s", fd_, fcntl(fd_, F_GETFD) == FD_CLOEXEC ? "x" : "");                \
        putchar('\n');                                                                             \
    } while (0)

static void open_some(void)
{
    int ends[2];

    for (int i = 0; i < 6; i++)
        guest_connect(ends);
    DO(dup2(ends[0], 40));
    DO(dup2(ends[0], 50));
}

static void case_ranges(void)
{
    struct rlimit limit;

    open_some();
    EACH_OPEN("some");
    SAY("wrong", close_range(9, 3, 0));
    SAY("flags", close_range(3, 9, 64));
    SAY("none", close_range(60, 70, 0));
    SAY("CLOEXEC", close_range(5, 8, CLOSE_RANGE_CLOEXEC));
    EACH_OPEN("marked");
    SAY("some", close_range(5, 7, 0));
    EACH_OPEN("left");
    SAY("one", close_range(40, 40, 0));
    SAY("unshare", close_range(9, 10, CLOSE_RANGE_UNSHARE));
    EACH_OPEN("left");
    SAY("syscall", syscall(SYS_close_range, 11, 12, 0));
    EACH_OPEN("left");
    open_some();
    EACH_OPEN("anew");
    closefrom(20);
    EACH_OPEN("up to 20");
    DO(getrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = 3; fd < (int)limit.rlim_cur; fd++) {
        errno = UNTOUCHED;
        if (close(fd) == 0)
            printf("closed %d\n", fd);
        else
            WANT(errno == EBADF);
    }
    open_some();
    closefrom(-5 + 8);
    EACH_OPEN("none");
    open_some();
    SAY("all", close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
    EACH_OPEN("none");
    SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
}

/* A thread that has a table of its own from now on: the same numbers are others there. */
static void *unshared(void *arg)
{
    int *ends = arg, pipes[2];
    char byte;

    SAY("unshare", close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
    DO(pipe(pipes));
    printf("pipe %d %d\n", pipes[0], pipes[1]);
    use_as_pipe(pipes[0], pipes[1]);
    SAY("recv", recv(ends[0], &byte, 1, 0));
    return NULL;
}

static void case_unshare(void)
{
    int ends[2];
    pthread_t thread;
    char byte;

    guest_connect(ends);
    printf("ends %d %d\n", ends[0], ends[1]);
    WANT(pthread_create(&thread, NULL, unshared, ends) == 0 && pthread_join(thread, NULL) == 0);
    SAY("send", send(ends[0], "x", 1, 0));
    SAY("recv", recv(ends[1], &byte, 1, 0));
    SAY("close", close(ends[0]));
    SAY("end", recv(ends[1], &byte, 1, 0));
}
#else
static void case_ranges(void)
{
    puts("this libc has none");
}

static void case_unshare(void)
{
    puts("this libc has none");
}
#endif

/* --- many ------------------------------------------------------------------------------------ */

/* As many sockets as there may be, some connected; closed, and their numbers used by files. */
static void case_many(void)
{
    enum { MANY = 19000, CONNECTED = 300 };
    static int connected[CONNECTED][2];
    struct sockaddr_in addr;
    int listener, last = 0, file, held = -1;
    char byte;

    if (!may_have(20000))
        return;
    listener = guest_listener(&addr);
    for (int i = 0; i < CONNECTED; i++) {
        connected[i][0] = socket(AF_INET, SOCK_STREAM, 0);
        DO(connect(connected[i][0], (struct sockaddr *)&addr, sizeof addr));
        connected[i][1] = accept(listener, NULL, NULL);
        DO(connected[i][1]);
    }
    while (last < MANY - 1) {
        int fd =
            socket(last % 3 == 0 ? AF_UNIX : AF_INET, last % 2 == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);

        if (last > 0 && fd == last + 2 && held < 0)
            held = last + 1; /* one may be a log's */
        WANT(fd == last + 1 || last + 1 == held || last == 0);
        last = fd;
    }
    printf("last %d\n", last);
    for (int i = 0; i < CONNECTED; i++) {
        WANT(send(connected[i][0], "x", 1, 0) == 1);
        WANT(recv(connected[i][1], &byte, 1, MSG_WAITALL) == 1);
    }
    DO(dup2(connected[7][0], last + 7)); /* the last one is used as well */
    SAY("send", send(last + 7, "y", 1, 0));
    SAY("recv", recv(connected[7][1], &byte, 1, 0));
    for (int fd = last + 7; fd >= 3; fd--)
        WANT(close(fd) == 0 || (errno == EBADF && (fd > last || fd == held)));
    file = new_file();
    printf("file %d\n", file);
    for (int fd = file + 1; fd < MANY; fd++)
        WANT(fd == held || dup(file) == fd);
    for (int fd = 3; fd < MANY; fd += 977)
        WANT(write(fd, "0123456789", 10) == 10);
    SAY("size", lseek(MANY - 1, 0, SEEK_END));
    use_as_file(12345);
}

/* Numbers where tables end, used as sockets, closed, and used by files. */
static void case_high(void)
{
    static const int highs[] = {1023,  1024,  4095,  4096,   16383,   16384,   19999,
                                65535, 65536, 65539, 131072, 1048575, 1048576, 1048579};
    struct rlimit limit;
    int ends[2];

    for (size_t i = 0; i < COUNT(highs); i++) {
        int fd = highs[i], other = fd ^ 64, file;
        char byte;
        struct pollfd two[2] = {{fd, POLLIN | POLLOUT, 0}, {other, POLLIN, 0}};

        DO(getrlimit(RLIMIT_NOFILE, &limit));
        if (limit.rlim_cur < (rlim_t)fd + 100 && !may_have((rlim_t)fd + 100))
            continue;
        guest_connect(ends);
        WANT(dup2(ends[0], fd) == fd && dup2(ends[1], other) == other);
        DO(close(ends[0]));
        DO(close(ends[1]));
        printf("%d\n", fd);
        SAY("send", send(fd, "a", 1, 0));
        SAY("poll", poll(two, 2, -1));
        SAY("recv", recv(other, &byte, 1, MSG_WAITALL));
        SAY("write", write(other, "b", 1));
        SAY("read", read(fd, &byte, 1));
        SAY("low", fcntl(fd, F_DUPFD, 3));
        DO(close(3));
        SAY("close", close(fd));
        SAY("end", recv(other, &byte, 1, 0));
        SAY("poll", poll(two, 2, -1));
        printf("%#x %#x\n", (unsigned)two[0].revents, (unsigned)two[1].revents);
        file = new_file();
        WANT(dup2(file, fd) == fd && dup2(file, other) == other);
        use_as_file(fd);
        use_as_file(other);
        DO(close(file));
        DO(close(fd));
        DO(close(other));
        /* and the number with the same low bits */
        SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
        SAY("close", close(3));
    }
}
