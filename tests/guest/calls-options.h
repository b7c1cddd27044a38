/* SPDX-License-Identifier: MIT
 * Cases of calls.c: socket families, options with odd values, lengths and pointers.
 */

/* --- families -------------------------------------------------------------------------------- */

static void try_family(int domain, int type)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct pollfd one = {.events = POLLIN | POLLOUT};
    int value = 0, pair[2] = {-7, -7};
    socklen_t len = sizeof value;
    char what[64], byte;

    snprintf(what, sizeof what, "family %d, type %d", domain, type);
    one.fd = (int)CALL(what, socket(domain, type | SOCK_NONBLOCK, 0));
    if (one.fd >= 0) {
        CALL("SO_TYPE", getsockopt(one.fd, SOL_SOCKET, SO_TYPE, &value, &len));
        printf("%d\n", value);
        CALL("SO_PROTOCOL", getsockopt(one.fd, SOL_SOCKET, SO_PROTOCOL, &value, &len));
        printf("%d\n", value);
        CALL("poll", poll(&one, 1, 0));
        printf("revents %#x\n", (unsigned)one.revents);
        if (domain != AF_PACKET) /* which sees what others send */
            CALL("recv", recv(one.fd, &byte, 1, 0));
        CALL("send", send(one.fd, "x", 1, MSG_NOSIGNAL));
        CALL("connect", connect(one.fd, &none, sizeof none));
        CALL("accept", accept(one.fd, NULL, NULL));
        CALL("listen", listen(one.fd, 1));
        CALL("accept", accept4(one.fd, NULL, NULL, SOCK_NONBLOCK));
        CALL("shutdown", shutdown(one.fd, SHUT_RDWR));
        CALL("close", close(one.fd));
    }
    printf("%d %d ", pair[0], pair[1]);
    if (CALL("socketpair", socketpair(domain, type, 0, pair)) == 0) {
        DO(close(pair[0]));
        DO(close(pair[1]));
    }
}

static void case_families(void)
{
    static const int types[] = {-1, 0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET,
                                6,  7, 10,          11,         15,       16};
    int odd[] = {SOCK_STREAM | 0x10000, SOCK_STREAM | 0x40000000, INT_MAX, INT_MIN};
    int protocols[] = {-1, 1, 6, 17, 41, 58, 132, 136, 255, 256, 262, INT_MAX};

    calls_count_pipes();
    for (int domain = -1; domain <= 46; domain++)
        for (size_t i = 0; i < COUNT(types); i++)
            try_family(domain, types[i]);
    for (size_t i = 0; i < COUNT(odd); i++)
        try_family(AF_INET, odd[i]);
    for (int domain = AF_INET; domain <= AF_INET6; domain += AF_INET6 - AF_INET)
        for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++)
            for (size_t i = 0; i < COUNT(protocols); i++) {
                long fd;

                printf("%d %d %d ", domain, type, protocols[i]);
                fd = CALL("socket", socket(domain, type | SOCK_CLOEXEC, protocols[i]));
                if (fd >= 0) {
                    printf("flags %d\n", fcntl((int)fd, F_GETFD));
                    CALL("connect", connect((int)fd, &(struct sockaddr){.sa_family = 99},
                                            sizeof(struct sockaddr)));
                    CALL("close", close((int)fd));
                }
            }
    CALL("socketpair nowhere", socketpair(AF_UNIX, SOCK_STREAM, 0, NOWHERE));
    CALL("socketpair nowhere", socketpair(AF_UNIX, SOCK_STREAM, 0, NULL));
    CALL("socketpair half nowhere",
         socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(void *)(calls_edge() + ROOM - 4)));
    CALL("socketpair read-only",
         socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(void *)calls_read_only(0)));
    CALL("dup", dup(0)); /* the lowest: nothing was left open */
}

/* --- timeouts of the program's own ----------------------------------------------------------- */

static void say_timeo(const char *what, int fd)
{
    for (int i = 0; i < 2; i++) {
        struct timeval got = {77, 77};
        socklen_t len = sizeof got;
        int name = i == 0 ? SO_RCVTIMEO : SO_SNDTIMEO;

        CALL(what, getsockopt(fd, SOL_SOCKET, name, &got, &len));
        printf("%s %lld.%06ld, %u bytes\n", i == 0 ? "recv" : "send", (long long)got.tv_sec,
               (long)got.tv_usec, len);
    }
}

/* SO_RCVTIMEO and SO_SNDTIMEO of both names, by any length. */
static void odd_timeo(int fd, int name)
{
    static const struct timeval values[] = {{0, 0},       {0, 1},      {3, 500000}, {0, 1000000},
                                            {0, -1},      {-1, 0},     {-5, 999},   {70, 0},
                                            {4000, 5000}, {1000000, 0}};
    static const socklen_t lens[] = {0, 1, 4, 8, 12, 15, 16, 17, 24, 4096, (socklen_t)-1};

    printf("option %d\n", name);
    for (size_t i = 0; i < COUNT(values); i++) {
        CALL("set", setsockopt(fd, SOL_SOCKET, name, &values[i], sizeof values[i]));
        say_timeo("get", fd);
    }
    for (size_t i = 0; i < COUNT(lens); i++) {
        char room[4096], *got = room;
        socklen_t len = lens[i];

        memset(room, 0, sizeof room);
        if (lens[i] <= sizeof room)
            room[0] = 9;
        CALL("set by length", setsockopt(fd, SOL_SOCKET, name, room, lens[i]));
        say_timeo("get", fd);
        memset(room, 7, sizeof room);
        CALL("get by length", getsockopt(fd, SOL_SOCKET, name, got, &len));
        printf("length %u:", len);
        for (int j = 0; j < 32; j++)
            printf(" %d", got[j]);
        putchar('\n');
    }
    CALL("set from nowhere", setsockopt(fd, SOL_SOCKET, name, NOWHERE, sizeof values[0]));
    CALL("set from NULL", setsockopt(fd, SOL_SOCKET, name, NULL, sizeof values[0]));
    CALL("get to nowhere", getsockopt(fd, SOL_SOCKET, name, NOWHERE, &(socklen_t){16}));
    CALL("get to NULL", getsockopt(fd, SOL_SOCKET, name, NULL, &(socklen_t){16}));
    CALL("get with no length", getsockopt(fd, SOL_SOCKET, name, &(struct timeval){0}, NULL));
    CALL("get, read-only", getsockopt(fd, SOL_SOCKET, name, calls_read_only(0), &(socklen_t){16}));
    CALL("get, read-only length", getsockopt(fd, SOL_SOCKET, name, &(struct timeval){0},
                                             (socklen_t *)(void *)calls_read_only(16)));
    CALL("get with half a length",
         getsockopt(fd, SOL_SOCKET, name, calls_edge() + ROOM - 8, &(socklen_t){16}));
    CALL("reset", setsockopt(fd, SOL_SOCKET, name, &values[0], sizeof values[0]));
}

static void case_timeo(void)
{
    static const int names[] = {SO_RCVTIMEO, SO_SNDTIMEO, 66, 67};
    struct timeval five = {5, 0}, none = {0, 0};
    struct sockaddr_in addr;
    struct sockaddr unspec = {.sa_family = AF_UNSPEC};
    int fd = socket(AF_INET, SOCK_STREAM, 0), listener = guest_listener(&addr), peer, ends[2];

    say_timeo("fresh", fd);
    for (size_t i = 0; i < COUNT(names); i++)
        odd_timeo(fd, names[i]);
    say_timeo("listener", listener);
    DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
    say_timeo("connected", fd);
    peer = accept(listener, NULL, NULL);
    DO(peer);
    say_timeo("accepted", peer);
    for (size_t i = 0; i < COUNT(names); i++)
        odd_timeo(peer, names[i]);
    DO(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &five, sizeof five));
    say_timeo("set", fd);
    say_timeo("copy", dup(fd));
    DO(fcntl(fd, F_SETFL, O_NONBLOCK));
    say_timeo("non-blocking", fd);
    DO(connect(fd, &unspec, sizeof unspec));
    say_timeo("disconnected", fd);
    DO(close(peer));

    /* what is accepted inherits it */
    DO(setsockopt(listener, SOL_SOCKET, SO_SNDTIMEO, &five, sizeof five));
    DO(fcntl(fd, F_SETFL, 0));
    DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
    peer = accept4(listener, NULL, NULL, 0);
    say_timeo("accepted before it was set", peer);
    DO(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &five, sizeof five));
    say_timeo("listener", listener);
    DO(close(fd));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
    peer = accept(listener, NULL, NULL);
    say_timeo("accepted", peer);
    DO(setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none));
    say_timeo("taken back", peer);
    say_timeo("listener", listener);

    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        DO(socketpair(AF_UNIX, type, 0, ends));
        say_timeo("pair", ends[0]);
        DO(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &five, sizeof five));
        say_timeo("pair", ends[0]);
        say_timeo("pair", ends[1]);
    }
    say_timeo("udp", socket(AF_INET, SOCK_DGRAM, 0));
    say_timeo("no socket", 0);
    say_timeo("closed", 999);
}

/* Its own timeout ends a wait, with the kernel's errno, at its own time. */
static void case_own_timeo(void)
{
    struct timeval soon = {0, 120000}, past = {-1, 0}, longer = {0, 250000};
    char buf[8];

    for (int i = 0; i < 2; i++) {
        int ends[2];
        int64_t began, took;

        if (i == 0)
            guest_connect(ends);
        else
            DO(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
        DO(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
        for (int way = 0; way < 5; way++) {
            struct iovec iov = {buf, sizeof buf};
            struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
            struct mmsghdr msgs[2] = {{.msg_hdr = msg}, {.msg_hdr = msg}};

            began = guest_now_ms();
            if (way == 0)
                CALL("recv", recv(ends[0], buf, sizeof buf, 0));
            else if (way == 1)
                CALL("read", read(ends[0], buf, sizeof buf));
            else if (way == 2)
                CALL("recvmsg", recvmsg(ends[0], &msg, MSG_PEEK));
            else if (way == 3)
                CALL("readv", readv(ends[0], &iov, 1));
            else
                CALL("recvmmsg", recvmmsg(ends[0], msgs, 2, 0, NULL));
            took = guest_now_ms() - began;
            WANT(took >= 115 && took < 2000);
        }
        WANT(send(ends[1], "abc", 3, 0) == 3);
        began = guest_now_ms();
        if (i == 0) /* which waits for all */
            CALL("recv, all", recv(ends[0], buf, sizeof buf, MSG_WAITALL));
        took = guest_now_ms() - began;
        WANT(i == 1 || (took >= 115 && took < 2000));
        (void)drain(ends[0]);
        DO(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &longer, sizeof longer));
        began = guest_now_ms();
        CALL("recv", recv(ends[0], buf, sizeof buf, 0));
        took = guest_now_ms() - began;
        WANT(took >= 245 && took < 2000);
        DO(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &past, sizeof past));
        began = guest_now_ms();
        CALL("recv, negative", recv(ends[0], buf, sizeof buf, 0));
        took = guest_now_ms() - began;
        WANT(took < 1000);
        data_end(ends);
    }
}
