/* SPDX-License-Identifier: MIT
 * Cases of endings.c: events in their order, urgent data, how much makes a socket ready, closes
 * that wait, and a peer that reads slowly.
 */

/* --- events in their order ------------------------------------------------------------------- */

static void say_next(const char *what, int set)
{
    struct epoll_event event = {.events = 0};
    int n = epoll_wait(set, &event, 1, 100);

    printf("%s: %d%s%s%s%s%s\n", what, n, (event.events & EPOLLIN) != 0 ? " in" : "",
           (event.events & EPOLLOUT) != 0 ? " out" : "",
           (event.events & EPOLLERR) != 0 ? " err" : "",
           (event.events & EPOLLHUP) != 0 ? " hup" : "",
           (event.events & EPOLLRDHUP) != 0 ? " rdhup" : "");
}

static int set_of(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    int set = epoll_create1(0);

    DO(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    return set;
}

/* Edge-triggered: each change is told once. */
static void case_edges(void)
{
    int ends[2], set;

    for (int i = 0; i < 2; i++) {
        guest_connect(ends);
        set = set_of(ends[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        say_next("first", set);
        say_next("nothing new", set);
        WANT(send(ends[1], "ab", 2, 0) == 2);
        say_next("data", set);
        say_next("nothing new", set);
        say_received("recv", ends[0], 1, 0);
        say_next("half is read", set);
        WANT(send(ends[1], "c", 1, 0) == 1);
        say_next("more data", set);
        if (i == 0) {
            DO(shutdown(ends[1], SHUT_WR));
            say_next("end", set);
            say_received("recv", ends[0], 8, 0);
            say_received("recv", ends[0], 8, 0);
            say_next("nothing new", set);
            DO(close(ends[1]));
            WANT(send(ends[0], "x", 1, 0) == 1); /* is answered with a reset */
            say_next("reset", set);
        } else {
            reset(ends[1]);
            say_next("reset", set);
            say_received("recv", ends[0], 8, 0);
        }
        printf("SO_ERROR %s\n", strerror(error_of(ends[0])));
        say_next("nothing new", set);
        say_received("recv", ends[0], 8, 0);
        DO(close(set));
        DO(close(ends[0]));
    }
}

static void rearm(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};

    DO(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event));
}

static void case_one_shot(void)
{
    int ends[2], set;

    guest_connect(ends);
    set = set_of(ends[0], EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
    say_next("nothing", set);
    WANT(send(ends[1], "ab", 2, 0) == 2);
    say_next("data", set);
    WANT(send(ends[1], "cd", 2, 0) == 2);
    say_next("not armed", set);
    rearm(set, ends[0], EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
    say_next("armed", set);
    say_received("recv", ends[0], 8, 0);
    rearm(set, ends[0], EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
    say_next("nothing", set);
    DO(close(ends[1]));
    say_next("end", set);
    say_next("not armed", set);
    WANT(send(ends[0], "x", 1, 0) == 1);
    say_next("not armed, reset", set);
    rearm(set, ends[0], EPOLLIN | EPOLLET | EPOLLONESHOT);
    say_next("armed", set);
    rearm(set, ends[0], 0);
    say_next("hung up, asked for nothing", set);
}

/* --- urgent data ----------------------------------------------------------------------------- */

static volatile sig_atomic_t urgent;

static void count_urgent(int number)
{
    (void)number;
    urgent++;
}

static void say_mark(int fd)
{
    int at = -1;

    SAY("SIOCATMARK", ioctl(fd, SIOCATMARK, &at));
    printf("  %d\n", at);
}

static void case_urgent(void)
{
    struct sigaction action = {.sa_handler = count_urgent};
    int on = 1, ends[2];

    DO(sigaction(SIGURG, &action, NULL));
    for (int inlined = 0; inlined < 2; inlined++) {
        urgent = 0;
        guest_connect(ends);
        DO(fcntl(ends[0], F_SETOWN, getpid()));
        DO(setsockopt(ends[0], SOL_SOCKET, SO_OOBINLINE, &inlined, sizeof inlined));
        DO(setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        SAY("recv of none", recv(ends[0], &on, 1, MSG_OOB | MSG_DONTWAIT));
        say_mark(ends[0]);
        SAY("send", send(ends[1], "abc", 3, 0));
        SAY("send urgent", send(ends[1], "!", 1, MSG_OOB));
        SAY("send", send(ends[1], "def", 3, 0));
        while (urgent == 0)
            rest_ms(1);
        wait_for(ends[0], POLLPRI);
        rest_ms(30); /* the rest comes as well */
        say_events("poll", ends[0], POLLIN | POLLPRI, 0);
        say_received("peek", ends[0], 20, MSG_OOB | MSG_PEEK);
        say_received("recv", ends[0], 20, 0); /* up to the mark */
        say_mark(ends[0]);
        say_events("poll", ends[0], POLLIN | POLLPRI, 0);
        say_received("recv urgent", ends[0], 20, MSG_OOB);
        say_received("recv", ends[0], 20, 0);
        say_mark(ends[0]);
        say_events("poll", ends[0], POLLIN | POLLPRI, 0);
        printf("signals: %d\n", (int)urgent);
    }
}

/* --- how much makes it ready ----------------------------------------------------------------- */

static void *send_the_rest(void *argument)
{
    rest_ms(60);
    WANT(send(*(int *)argument, "efghijkl", 8, 0) == 8);
    return NULL;
}

static void case_lowat(void)
{
    int ends[2], lowat = 8, on = 1;
    socklen_t len = sizeof lowat;
    struct timeval soon = {0, 0};
    fd_set in;
    pthread_t thread;

    guest_connect(ends);
    DO(setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    SAY("setsockopt", setsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof lowat));
    for (int i = 0; i < 3; i++) {
        WANT(send(ends[1], "abcd", 4, 0) == 4);
        rest_ms(20);
        say_events("poll for 8 of 4", ends[0], POLLIN, 20);
        WANT(pthread_create(&thread, NULL, send_the_rest, &ends[1]) == 0);
        if (i == 0) {
            say_events("poll", ends[0], POLLIN, 5000);
            FD_ZERO(&in);
            FD_SET(ends[0], &in);
            SAY("select", select(ends[0] + 1, &in, NULL, NULL, &soon));
        }
        say_received("recv", ends[0], 16, i == 2 ? MSG_PEEK : 0);
        WANT(pthread_join(thread, NULL) == 0);
    }
    say_received("recv", ends[0], 16, 0);
    WANT(send(ends[1], "ij", 2, 0) == 2);
    DO(shutdown(ends[1], SHUT_WR));
    wait_for(ends[0], POLLRDHUP);
    say_events("poll at the end", ends[0], POLLIN, 0);
    say_received("recv", ends[0], 16, 0);
    SAY("getsockopt", getsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &lowat, &len));
    printf("SO_RCVLOWAT %d\n", lowat);
}

/* --- closes that wait, and a slow reader ----------------------------------------------------- */

enum { LOT = 1 << 20 };

static struct {
    unsigned long count, sum;
    ssize_t last;
} reader;

static void *read_slowly(void *argument)
{
    int fd = *(int *)argument;
    static char bytes[16384];
    unsigned long sum = 0, count = 0;
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)bytes[i];
        count += (unsigned long)n;
        if (count % 7 == 0)
            rest_ms(1);
    }
    reader.count = count;
    reader.sum = sum & 0xffffffff;
    reader.last = n;
    return NULL;
}

static void join_reader(pthread_t thread)
{
    WANT(pthread_join(thread, NULL) == 0);
    printf("read %lu, %lx, then %zd\n", reader.count, reader.sum, reader.last);
}

static void small_pair(int ret[2])
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), room = 8192;

    DO(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room));
    DO(ret[0] = socket(AF_INET, SOCK_STREAM, 0));
    DO(setsockopt(ret[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
    DO(connect(ret[0], (struct sockaddr *)&addr, sizeof addr));
    DO(ret[1] = accept(listener, NULL, NULL));
    DO(close(listener));
}

static void case_linger(void)
{
    struct linger five_s = {1, 5};
    static char bytes[100000];
    pthread_t thread;
    int64_t before;
    int ends[2];

    guest_connect(ends);
    DO(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &five_s, sizeof five_s));
    before = guest_now_ms();
    SAY("close of an idle one", close(ends[0]));
    say_received("peer's recv", ends[1], 8, 0);
    WANT(guest_now_ms() - before < 3000);
    DO(close(ends[1]));

    small_pair(ends);
    DO(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &five_s, sizeof five_s));
    WANT(pthread_create(&thread, NULL, read_slowly, &ends[1]) == 0);
    SAY("write", write(ends[0], bytes, sizeof bytes));
    SAY("close of a full one", close(ends[0])); /* which the peer empties */
    join_reader(thread);

    guest_connect(ends);
    WANT(send(ends[0], "lost", 4, 0) == 4);
    reset(ends[0]);
    wait_for(ends[1], POLLRDHUP);
    say_received("peer's recv", ends[1], 8, 0);
    say_received("peer's recv", ends[1], 8, 0);
}

static void case_slow_reader(void)
{
    static char lot[LOT];

    for (size_t i = 0; i < LOT; i++)
        lot[i] = (char)(i * 7 + i / 1000);
    for (int i = 0; i < 4; i++) {
        struct iovec iov[3] = {{lot, 1000}, {lot + 1000, LOT / 2}, {NULL, LOT - 1000 - LOT / 2}};
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};
        struct mmsghdr mmsg = {.msg_hdr = msg};
        pthread_t thread;
        int ends[2];

        iov[2].iov_base = lot + 1000 + LOT / 2;
        small_pair(ends);
        WANT(pthread_create(&thread, NULL, read_slowly, &ends[1]) == 0);
        if (i == 0)
            SAY("write", write(ends[0], lot, LOT));
        else if (i == 1)
            SAY("writev", writev(ends[0], iov, 3));
        else if (i == 2)
            SAY("sendmsg", sendmsg(ends[0], &msg, 0));
        else if (SAY("sendmmsg", sendmmsg(ends[0], &mmsg, 1, 0)) == 1)
            printf("  %u bytes\n", mmsg.msg_len);
        DO(close(ends[0]));
        join_reader(thread);
    }
}

/* --- a reset in the middle ------------------------------------------------------------------- */

static void *read_a_part_and_reset(void *argument)
{
    int fd = *(int *)argument;
    static char bytes[65536];

    WANT(recv(fd, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
    rest_ms(30); /* the sender waits again */
    reset(fd);
    return NULL;
}

static void *send_a_part_and_reset(void *argument)
{
    int fd = *(int *)argument;

    WANT(send(fd, "part", 4, 0) == 4);
    rest_ms(30);
    reset(fd);
    return NULL;
}

static char lot_to_send[LOT];

/* One of five; how much was sent differs each time. */
static ssize_t send_lot(int how, int fd)
{
    struct iovec iov[2] = {{lot_to_send, LOT / 2}, {lot_to_send + LOT / 2, LOT / 2}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    struct mmsghdr mmsg = {.msg_hdr = msg};

    return how == 0   ? send(fd, lot_to_send, LOT, 0)
           : how == 1 ? write(fd, lot_to_send, LOT)
           : how == 2 ? writev(fd, iov, 2)
           : how == 3 ? sendmsg(fd, &msg, 0)
                      : sendmmsg(fd, &mmsg, 1, 0);
}

/* What went through before is told, and then the reset: by events, SO_ERROR, and each call. */
static void say_reset(int what, int fd)
{
    say_events("poll", fd, POLLIN | POLLOUT | POLLRDHUP, 0);
    if (what == 0)
        say_received("recv", fd, 8, 0);
    else if (what == 1)
        printf("SO_ERROR %s\n", strerror(error_of(fd)));
    else if (what == 2)
        SAY("send", send(fd, "x", 1, MSG_NOSIGNAL));
    else
        say_events("poll", fd, POLLIN | POLLOUT | POLLRDHUP, 0);
    say_events("poll", fd, POLLIN | POLLOUT | POLLRDHUP, 0);
    say_received("recv", fd, 8, 0);
    SAY("send", send(fd, "x", 1, MSG_NOSIGNAL));
    printf("SO_ERROR %s\n", strerror(error_of(fd)));
}

static void case_reset_within_send(void)
{
    for (int how = 0; how < 5; how++) {
        for (int what = 0; what < 4; what++) {
            pthread_t thread;
            int ends[2];
            ssize_t n;

            small_pair(ends);
            WANT(pthread_create(&thread, NULL, read_a_part_and_reset, &ends[1]) == 0);
            n = send_lot(how, ends[0]);
            printf("%d: %s\n", how, n > 0 && n < LOT ? "a part" : n < 0 ? strerror(errno) : "all");
            WANT(pthread_join(thread, NULL) == 0);
            say_reset(what, ends[0]);
            DO(close(ends[0]));
        }
    }
}

static void case_reset_within_waitall(void)
{
    char bytes[32] = "";
    struct iovec iov = {bytes, 16};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    for (int how = 0; how < 3; how++) {
        for (int what = 0; what < 4; what++) {
            pthread_t thread;
            int ends[2];

            guest_connect(ends);
            WANT(pthread_create(&thread, NULL, send_a_part_and_reset, &ends[1]) == 0);
            if (how == 0)
                SAY("recv", recv(ends[0], bytes, 16, MSG_WAITALL));
            else if (how == 1)
                SAY("recvmsg", recvmsg(ends[0], &msg, MSG_WAITALL));
            else
                SAY("peek", recv(ends[0], bytes, 16, MSG_WAITALL | MSG_PEEK));
            WANT(pthread_join(thread, NULL) == 0);
            say_reset(what, ends[0]);
            DO(close(ends[0]));
        }
    }
}
