/* SPDX-License-Identifier: MIT
 * Cases of calls.c: what one call leaves for the next, in every state of a TCP socket.
 */

/* A socket and whom it is, or was, connected to. */
struct stand {
    int fd, peer;
};

static void put_fresh(struct stand *s)
{
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    s->peer = -1;
    DO(s->fd);
}

static void put_bound(struct stand *s)
{
    struct sockaddr_in any = {.sin_family = AF_INET};

    put_fresh(s);
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    DO(bind(s->fd, (struct sockaddr *)&any, sizeof any));
}

static void put_listening(struct stand *s)
{
    put_bound(s);
    DO(listen(s->fd, 2));
}

static void put_waited_for(struct stand *s)
{
    s->fd = calls_make_listener(&s->peer);
}

static void put_connected(struct stand *s)
{
    put_fresh(s);
    DO(connect(s->fd, (struct sockaddr *)&calls_addr, sizeof calls_addr));
    calls_settle(calls_listening, POLLIN);
    s->peer = accept(calls_listening, NULL, NULL);
    DO(s->peer);
}

static void put_with_data(struct stand *s)
{
    put_connected(s);
    WANT(send(s->peer, "0123456789", 10, 0) == 10);
    calls_settle(s->fd, POLLIN);
}

static void put_left(struct stand *s) /* the peer has closed, after some data */
{
    put_with_data(s);
    DO(close(s->peer));
    s->peer = -1;
    calls_settle(s->fd, POLLRDHUP);
}

static void put_reset(struct stand *s)
{
    put_with_data(s);
    reset(s->peer);
    s->peer = -1;
    calls_settle(s->fd, POLLERR);
}

static void put_half_shut(struct stand *s)
{
    put_with_data(s);
    DO(shutdown(s->fd, SHUT_WR));
    calls_settle(s->peer, POLLRDHUP);
}

static void put_deaf(struct stand *s)
{
    put_connected(s);
    DO(shutdown(s->fd, SHUT_RD));
}

static void put_refused(struct stand *s)
{
    struct sockaddr_in nobody = calls_addr;

    put_fresh(s);
    nobody.sin_port = htons(1);
    WANT(connect(s->fd, (struct sockaddr *)&nobody, sizeof nobody) < 0 && errno == ECONNREFUSED);
}

static void put_disconnected(struct stand *s)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    put_connected(s);
    DO(connect(s->fd, &none, sizeof none));
    calls_settle(s->peer, POLLHUP);
    DO(close(s->peer));
    s->peer = -1;
}

static void put_was_listening(struct stand *s)
{
    put_listening(s);
    DO(shutdown(s->fd, SHUT_RD));
}

static void put_unix(struct stand *s)
{
    int ends[2];

    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    s->fd = ends[0];
    s->peer = ends[1];
    WANT(send(s->peer, "0123456789", 10, 0) == 10);
}

static void put_unix_left(struct stand *s)
{
    put_unix(s);
    WANT(send(s->fd, "unread", 6, 0) == 6);
    DO(close(s->peer));
    s->peer = -1;
}

static const struct {
    const char *name;
    void (*put)(struct stand *s);
} stands[] = {
    {"fresh", put_fresh},
    {"bound", put_bound},
    {"listening", put_listening},
    {"listening, waited for", put_waited_for},
    {"connected", put_connected},
    {"with data", put_with_data},
    {"left by the peer", put_left},
    {"reset", put_reset},
    {"shut down for writing", put_half_shut},
    {"shut down for reading", put_deaf},
    {"refused", put_refused},
    {"disconnected", put_disconnected},
    {"was listening", put_was_listening},
    {"unix", put_unix},
    {"unix, left by the peer", put_unix_left},
};

/* What would wait for ever is not done. Each says what came of it. */
static long ask(struct stand *s, int what)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct sockaddr_in addr = calls_addr;
    struct pollfd one = {s->fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    socklen_t len = sizeof addr;
    int value = 0;
    char buf[4] = {0};
    long n;

    switch (what) {
    case 0:
        return calls_readable(s->fd) ? CALL("recv", recv(s->fd, buf, 4, 0)) : 0;
    case 1:
        n = poll(&one, 1, 0); /* all of it must be there, or the end of it */
        if (n < 1 || (one.revents & (POLLRDHUP | POLLHUP)) == 0)
            n = ioctl(s->fd, FIONREAD, &value) == 0 && value >= 4;
        return n > 0 ? CALL("recv all", recv(s->fd, buf, 4, MSG_WAITALL)) : 0;
    case 2:
        return CALL("peek", recv(s->fd, buf, 4, MSG_PEEK | MSG_DONTWAIT));
    case 3:
        n = CALL("send", send(s->fd, "x", 1, 0));
        if (n > 0 && s->peer < 0) /* which brings a reset */
            calls_settle(s->fd, POLLERR);
        return n;
    case 4:
        n = CALL("connect", connect(s->fd, (struct sockaddr *)&addr, sizeof addr));
        if (n == 0) {
            DO(s->peer < 0 ? 0 : close(s->peer));
            calls_settle(calls_listening, POLLIN);
            s->peer = accept(calls_listening, NULL, NULL);
            DO(s->peer);
        }
        return n;
    case 5:
        addr.sin_port = htons(1);
        return CALL("connect to nobody", connect(s->fd, (struct sockaddr *)&addr, sizeof addr));
    case 6:
        return CALL("disconnect", connect(s->fd, &none, sizeof none));
    case 7:
        return CALL("listen", listen(s->fd, 2));
    case 8:
        if (fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0) {
            n = CALL("accept", accept(s->fd, NULL, NULL));
            DO(n < 0 ? 0 : close((int)n));
            DO(fcntl(s->fd, F_SETFL, 0));
        }
        return 0;
    case 9:
    case 10:
    case 11:
    case 12:
        return CALL("shutdown", shutdown(s->fd, what - 9)); /* the last is none */
    case 13:
        CALL("poll", poll(&one, 1, 0));
        return printf("revents %#x\n", (unsigned)one.revents);
    case 14:
        len = sizeof value;
        CALL("SO_ERROR", getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &value, &len));
        return printf("%s\n", strerror(value));
    case 15:
        CALL("FIONREAD", ioctl(s->fd, FIONREAD, &value));
        return printf("%d\n", value);
    case 16:
        return CALL("getpeername", getpeername(s->fd, (struct sockaddr *)&addr, &len));
    case 17:
        return CALL("write nothing", write(s->fd, "", 0));
    default:
        return CALL("recv nothing", recv(s->fd, buf, 0, MSG_DONTWAIT));
    }
}

/* Every call after every other in every state; then what the socket is like. */
static void states_from(size_t from, size_t to)
{
    enum { WAYS = 19 };

    calls_count_pipes();
    (void)calls_listener();
    for (size_t i = from; i < to; i++)
        for (int first = 0; first < WAYS; first++)
            for (int second = 0; second < WAYS; second++) {
                struct stand s;

                stands[i].put(&s);
                printf("%s\n", stands[i].name);
                ask(&s, first);
                ask(&s, second);
                ask(&s, 13);
                ask(&s, 3);
                ask(&s, 0);
                DO(close(s.fd));
                DO(s.peer < 0 ? 0 : close(s.peer));
            }
}

static void case_states_before(void)
{
    states_from(0, 4);
}

static void case_states_connected(void)
{
    states_from(4, 10);
}

static void case_states_after(void)
{
    states_from(10, COUNT(stands));
}
