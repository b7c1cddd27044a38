/* SPDX-License-Identifier: MIT
 * Cases of calls.c: pointers that lead nowhere, lengths that are none, vectors that are too long.
 */

#define NOWHERE ((void *)-64L) /* far out of any program's reach */

/* The sockets that data calls are tried on. [1] is the end that is tried. */
struct data_kind {
    const char *name;
    int domain, type;
};

static const struct data_kind data_kinds[] = {
    {"tcp", AF_INET, SOCK_STREAM},
    {"unix stream", AF_UNIX, SOCK_STREAM},
    {"unix packets", AF_UNIX, SOCK_SEQPACKET},
    {"unix datagrams", AF_UNIX, SOCK_DGRAM},
};

static void data_pair(const struct data_kind *kind, int ret[2])
{
    if (kind->domain == AF_INET)
        guest_connect(ret);
    else
        DO(socketpair(kind->domain, kind->type, 0, ret));
}

static void data_end(int ends[2])
{
    DO(close(ends[0]));
    DO(close(ends[1]));
}

/* Reads from FD all that there is; returns how much. */
static long drain(int fd)
{
    static char buf[ROOM];
    long sum = 0, n;

    while (calls_readable(fd) && (n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0)
        sum += n;
    return sum;
}

/* Sends a byte each way: both ends are as good as before. */
static void still_good(int ends[2])
{
    char byte;

    CALL("send", send(ends[1], "x", 1, 0));
    calls_settle(ends[0], POLLIN);
    CALL("recv", recv(ends[0], &byte, 1, 0));
    CALL("send back", send(ends[0], "y", 1, 0));
    calls_settle(ends[1], POLLIN);
    CALL("recv back", recv(ends[1], &byte, 1, 0));
    WANT(byte == 'y');
}

/* Sends what is there only in part: how much of it goes depends on how the kernel cuts it. */
static void say_part(const char *what, int to, long n, int error)
{
    long came = drain(to);

    printf("%s: %s %s\n", what,
           n > 0    ? "a part"
           : n == 0 ? "nothing"
                    : "none",
           n < 0 ? strerror(error) : "-");
    WANT(n < 0 ? came == 0 : came == n);
    fflush(stdout);
}

#define PART(what, to, call)                                                                       \
    do {                                                                                           \
        errno = UNTOUCHED;                                                                         \
        long n_ = (long)(call);                                                                    \
        int e_ = errno;                                                                            \
        WANT(n_ < 0 || e_ == UNTOUCHED);                                                           \
        say_part(what, to, n_, e_);                                                                \
    } while (0)

/* A send from a buffer whose second half is nowhere. What went went, and nothing else is left. */
static void case_half_a_buffer(void)
{
    char *edge = calls_edge(), *at = edge + ROOM - 100000;

    for (size_t i = 0; i < COUNT(data_kinds); i++) {
        struct iovec iov[3] = {{edge, 100}, {at, 200000}, {edge, 100}};
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};
        struct mmsghdr msgs[2] = {{.msg_hdr = msg}, {.msg_hdr = msg}};
        struct iovec good = {edge, 10};
        int ends[2];

        msgs[0].msg_hdr.msg_iov = &good;
        msgs[0].msg_hdr.msg_iovlen = 1;
        data_pair(&data_kinds[i], ends);
        printf("%s\n", data_kinds[i].name);
        PART("send", ends[0], send(ends[1], at, 200000, 0));
        still_good(ends);
        PART("write", ends[0], write(ends[1], at, 200000));
        still_good(ends);
        PART("sendto", ends[0], sendto(ends[1], at, 200000, 0, NULL, 0));
        still_good(ends);
        PART("writev", ends[0], writev(ends[1], iov, 3));
        still_good(ends);
        PART("sendmsg", ends[0], sendmsg(ends[1], &msg, 0));
        still_good(ends);
        CALL("sendmmsg", sendmmsg(ends[1], msgs, 2, 0));
        (void)drain(ends[0]);
        still_good(ends);
        PART("send of all", ends[0], send(ends[1], edge, (size_t)1 << 31, MSG_DONTWAIT));
        still_good(ends);
        data_end(ends);
    }
}

/* A receive into such a buffer, or one that may not be written. */
static void case_half_a_target(void)
{
    enum { SENT = 8000 };
    char *edge = calls_edge(), *at = edge + ROOM - 3000, *fixed = calls_read_only('r');
    struct iovec iov[2] = {{at, 1000}, {at, SENT}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    static char sent[SENT];

    for (size_t i = 0; i < COUNT(data_kinds); i++)
        for (int way = 0; way < 7; way++) {
            struct mmsghdr msgs[1] = {{.msg_hdr = msg}};
            int ends[2];
            long n;

            data_pair(&data_kinds[i], ends);
            WANT(send(ends[0], sent, SENT, 0) == SENT);
            calls_settle(ends[1], POLLIN);
            errno = UNTOUCHED;
            n = way == 0   ? recv(ends[1], at, SENT, 0)
                : way == 1 ? recv(ends[1], at, SENT, MSG_WAITALL)
                : way == 2 ? read(ends[1], at, SENT)
                : way == 3 ? readv(ends[1], iov, 2)
                : way == 4 ? recvmsg(ends[1], &msg, MSG_WAITALL)
                : way == 5 ? recvmmsg(ends[1], msgs, 1, 0, NULL)
                           : recv(ends[1], fixed, SENT, 0);
            printf("%s, %d: %s %s\n", data_kinds[i].name, way, n < 0 ? "none" : "a part",
                   n < 0                ? strerror(errno)
                   : errno == UNTOUCHED ? "-"
                                        : "errno changed");
            /* the rest is there yet; of a stream all that was not given */
            if (data_kinds[i].type == SOCK_STREAM && way != 5)
                WANT(drain(ends[1]) == SENT - (n > 0 ? n : 0));
            else
                (void)drain(ends[1]);
            still_good(ends);
            data_end(ends);
        }
}

/* --- lengths --------------------------------------------------------------------------------- */

static const size_t lengths[] = {
    0, 1, (size_t)1 << 31, (size_t)SSIZE_MAX, (size_t)SSIZE_MAX + 1, SIZE_MAX - 4096, SIZE_MAX};

static void lengths_with(const struct data_kind *kind, char *buf)
{
    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t len = lengths[i];
        struct iovec iov = {buf, len};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        struct mmsghdr msgs[1] = {{.msg_hdr = msg}};
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        int ends[2];

        for (int way = 0; way < 8; way++) {
            bool stream = kind->type == SOCK_STREAM;

            data_pair(kind, ends);
            printf("%s, length %zu, way %d\n", kind->name, i, way);
            if (way < 6) {
                WANT(send(ends[1], "abcdef", 6, 0) == 6);
                calls_settle(ends[0], POLLIN);
            }
            if (way == 0)
                CALL("recv", recv(ends[0], buf, len, 0));
            else if (way == 1)
                CALL("read", read(ends[0], buf, len));
            else if (way == 2)
                CALL("recvfrom",
                     recvfrom(ends[0], buf, len, 0, (struct sockaddr *)&from, &from_len));
            else if (way == 3)
                CALL("readv", readv(ends[0], &iov, 1));
            else if (way == 4)
                CALL("recvmsg", recvmsg(ends[0], &msg, MSG_PEEK | MSG_TRUNC));
            else if (way == 5)
                CALL("recvmmsg", recvmmsg(ends[0], msgs, 1, 0, NULL));
            else if (len <= 1 || !stream) {
                CALL("send", send(ends[0], buf, len, 0));
                CALL("write", write(ends[0], buf, len));
                CALL("writev", writev(ends[0], &iov, 1));
                CALL("sendmsg", sendmsg(ends[0], &msg, 0));
                CALL("sendmmsg", sendmmsg(ends[0], msgs, 1, 0));
            } else {
                PART("send", ends[1], send(ends[0], buf, len, MSG_DONTWAIT));
                PART("sendmsg", ends[1], sendmsg(ends[0], &msg, MSG_DONTWAIT));
                DO(fcntl(ends[0], F_SETFL, O_NONBLOCK));
                PART("write", ends[1], write(ends[0], buf, len));
                PART("writev", ends[1], writev(ends[0], &iov, 1));
            }
            data_end(ends);
        }
    }
}

static void case_lengths(void)
{
    char *edge = calls_edge();

    for (size_t i = 0; i < COUNT(data_kinds); i++)
        lengths_with(&data_kinds[i], edge);
}

/* --- vectors --------------------------------------------------------------------------------- */

static void vectors_of(int ends[2], const char *what, struct iovec *iov, long count)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    struct mmsghdr msgs[1] = {{.msg_hdr = msg}};

    printf("%s\n", what);
    CALL("writev", writev(ends[0], iov, (int)count));
    CALL("sendmsg", sendmsg(ends[0], &msg, MSG_NOSIGNAL));
    CALL("sendmmsg", sendmmsg(ends[0], msgs, 1, 0));
    (void)drain(ends[1]);
    for (int way = 0; way < 3; way++) {
        WANT(send(ends[1], "123456", 6, 0) == 6);
        calls_settle(ends[0], POLLIN);
        if (way == 0)
            CALL("readv", readv(ends[0], iov, (int)count));
        else if (way == 1)
            CALL("recvmsg", recvmsg(ends[0], &msg, 0));
        else
            CALL("recvmmsg", recvmmsg(ends[0], msgs, 1, 0, NULL));
        printf("left %ld\n", drain(ends[0]));
    }
}

static void case_vectors(void)
{
    static char buf[8];
    static struct iovec many[1026];

    calls_count_pipes();
    for (size_t i = 0; i < COUNT(data_kinds); i++) {
        struct iovec none[2] = {{NULL, 0}, {NULL, 0}};
        struct iovec holes[4] = {{NULL, 0}, {buf, 2}, {NOWHERE, 0}, {buf + 2, 1}};
        struct iovec bad[2] = {{buf, 2}, {NULL, 3}};
        struct iovec too_much[2] = {{buf, SSIZE_MAX}, {buf, SSIZE_MAX}};
        struct iovec negative[2] = {{buf, 1}, {buf, (size_t)-1}};
        int ends[2];

        data_pair(&data_kinds[i], ends);
        printf("%s\n", data_kinds[i].name);
        for (size_t j = 0; j < COUNT(many); j++)
            many[j] = (struct iovec){buf, j % 2};
        vectors_of(ends, "no vector", NULL, 0);
        vectors_of(ends, "NULL", NULL, 1);
        vectors_of(ends, "nowhere", NOWHERE, 2);
        vectors_of(ends, "count -1", none, -1);
        vectors_of(ends, "empty ones", none, 2);
        vectors_of(ends, "with holes", holes, 4);
        vectors_of(ends, "half bad", bad, 2);
        vectors_of(ends, "negative", negative, 2);
        vectors_of(ends, "as many as there may be", many, 1024);
        vectors_of(ends, "one more", many, 1025);
        if (data_kinds[i].type == SOCK_DGRAM || data_kinds[i].type == SOCK_SEQPACKET)
            vectors_of(ends, "more than there is", too_much, 2);
        data_end(ends);
    }
}
