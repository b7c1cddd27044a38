/* SPDX-License-Identifier: MIT
 * Cases of waits.c: epoll's own ways.
 */

/* A pointer's look, with a descriptor's number nowhere in it. */
#define PATTERN 0x7f5a00badc0ffee8ULL

static int epoll_ctl_of(int fd, int op, int to, uint32_t events, uint64_t data)
{
    struct epoll_event interest = {.events = events, .data.u64 = data};

    return epoll_ctl(fd, op, to, &interest);
}

static int new_epoll(int to, uint32_t events, uint64_t data)
{
    int ret = epoll_create1(EPOLL_CLOEXEC);

    DO(ret);
    DO(epoll_ctl_of(ret, EPOLL_CTL_ADD, to, events, data));
    return ret;
}

/* Waits 30 ms if nothing is there, and says what is. */
static void look(const struct waiting *how, const char *what, int fd, int most)
{
    struct epoll_event events[8];
    int64_t before = now_us();
    int n;

    memset(events, 0x55, sizeof events);
    errno = UNTOUCHED;
    n = how->epoll(fd, events, most, 30, NULL);
    say(how->name, what, n, NULL);
    WANT(n != 0 || (now_us() - before >= 30000 && errno == UNTOUCHED));
    for (int i = 0; i < n; i++)
        printf("  %#x %#llx\n", events[i].events, (unsigned long long)events[i].data.u64);
}

static void take(int fd, size_t bytes)
{
    char taken[64];

    WANT(recv(fd, taken, bytes, 0) == (ssize_t)bytes);
}

static void give(int fd)
{
    WANT(send(fd, "abc", 3, 0) == 3);
    rest_ms(10); /* until it is there */
}

static void triggered(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    int level = new_epoll(pair.client, EPOLLIN, PATTERN);
    int edge = new_epoll(pair.client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, PATTERN + 1);
    int once = new_epoll(pair.client, EPOLLIN | EPOLLONESHOT, UINT64_MAX);
    int alone = new_epoll(pair.client, EPOLLIN | EPOLLEXCLUSIVE, 0);

    for (int round = 0; round < 2; round++) {
        look(how, "edge, before", edge, 8);
        look(how, "level, before", level, 8);
        give(pair.peer);
        for (int i = 0; i < 2; i++) {
            look(how, "level", level, 8);
            look(how, "edge", edge, 8);
            look(how, "one-shot", once, 8);
            look(how, "exclusive", alone, 8);
        }
        take(pair.client, 2);
        look(how, "level, one left", level, 8);
        look(how, "edge, one left", edge, 8);
        give(pair.peer);
        look(how, "edge, more", edge, 8);
        look(how, "one-shot, more", once, 8);
        DO(epoll_ctl_of(once, EPOLL_CTL_MOD, pair.client, EPOLLIN | EPOLLONESHOT, PATTERN + 2));
        look(how, "one-shot, armed again", once, 8);
        look(how, "one-shot, spent again", once, 8);
        take(pair.client, 4);
        look(how, "one-shot, spent", once, 8);
        DO(epoll_ctl_of(once, EPOLL_CTL_MOD, pair.client, EPOLLIN | EPOLLONESHOT, PATTERN + 3));
        look(how, "one-shot, armed", once, 8);
    }
    DO(close(pair.peer));
    rest_ms(10);
    look(how, "level, over", level, 8);
    look(how, "edge, over", edge, 8);
    look(how, "edge, over", edge, 8);
    look(how, "one-shot, over", once, 8);
}

static void case_triggered(void)
{
    each_call(triggered, is_epoll);
}

static void registered(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK), other = connected(O_NONBLOCK);
    int epoll = new_epoll(pair.client, EPOLLIN, PATTERN), copy;

    give(pair.peer);
    look(how, "in", epoll, 8);
    DO(epoll_ctl_of(epoll, EPOLL_CTL_MOD, pair.client, EPOLLOUT, PATTERN + 1));
    look(how, "out", epoll, 8);
    DO(epoll_ctl_of(epoll, EPOLL_CTL_MOD, pair.client, 0, PATTERN + 2));
    look(how, "nothing", epoll, 8);
    say(how->name, "added twice", epoll_ctl_of(epoll, EPOLL_CTL_ADD, pair.client, EPOLLIN, PATTERN),
        NULL);
    DO(epoll_ctl_of(epoll, EPOLL_CTL_MOD, pair.client, EPOLLIN | EPOLLOUT, PATTERN + 3));
    look(how, "both", epoll, 8);
    DO(epoll_ctl(epoll, EPOLL_CTL_DEL, pair.client, NULL));
    look(how, "deleted", epoll, 8);
    say(how->name, "deleted twice", epoll_ctl(epoll, EPOLL_CTL_DEL, pair.client, NULL), NULL);

    /* the number is gone, the file is not, and so is its registration */
    DO(epoll_ctl_of(epoll, EPOLL_CTL_ADD, pair.client, EPOLLIN, PATTERN + 4));
    DO(copy = dup(pair.client));
    DO(close(pair.client));
    look(how, "closed, and a copy left", epoll, 8);
    WANT(dup2(other.client, pair.client) == pair.client);
    take(copy, 3);
    look(how, "another's number now", epoll, 8);
    give(other.peer);
    look(how, "data for the other", epoll, 8);
    give(pair.peer);
    look(how, "data for the copy", epoll, 8);
    DO(epoll_ctl_of(epoll, EPOLL_CTL_ADD, pair.client, EPOLLIN, PATTERN + 5));
    look(how, "both by one number", epoll, 8);
    DO(close(copy));
    look(how, "the copy closed", epoll, 8);
}

static void full(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct epoll_event *nowhere = (void *)-64L, events[4];
    int epoll = new_epoll(pair.client, EPOLLIN, PATTERN), pipes[3][2];

    for (int i = 0; i < 3; i++) {
        DO(pipe(pipes[i]));
        DO(epoll_ctl_of(epoll, EPOLL_CTL_ADD, pipes[i][0], EPOLLIN, (uint64_t)i));
    }
    look(how, "no room", epoll, 0);
    look(how, "room below 0", epoll, -1);
    say(how->name, "nowhere, and nothing there",
        AT_LEISURE(how->epoll(epoll, nowhere, 1, 30, NULL)), NULL);
    for (int i = 0; i < 3; i++)
        WANT(write(pipes[i][1], "x", 1) == 1);
    give(pair.peer);
    say(how->name, "nowhere", AT_ONCE(how->epoll(epoll, nowhere, 4, 120, NULL)), NULL);
    for (int i = 0; i < 4; i++)
        look(how, "by turns", epoll, 2);
    look(how, "all", epoll, 8);
    say(how->name, "for ever", AT_ONCE(how->epoll(epoll, events, 4, -1, NULL)), NULL);
    look(how, "no epoll", pair.client, 4);
    look(how, "nor that", pipes[0][0], 4);
    look(how, "closed", 99, 4);
    look(how, "far too many", epoll, INT32_MAX);
}

static void nested(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    int inner = new_epoll(pair.client, EPOLLIN, PATTERN);
    int middle = new_epoll(inner, EPOLLIN, PATTERN + 1);
    int outer = new_epoll(middle, EPOLLIN | EPOLLET, PATTERN + 2);
    struct pollfd wait = {inner, POLLIN, 0};

    look(how, "outer, before", outer, 8);
    say(how->name, "poll, before", LASTS(poll(&wait, 1, 30), 30), NULL);
    give(pair.peer);
    look(how, "outer", outer, 8);
    look(how, "middle", middle, 8);
    look(how, "inner", inner, 8);
    look(how, "outer again", outer, 8);
    say(how->name, "poll", AT_ONCE(poll(&wait, 1, 300)), NULL);
    WANT(wait.revents == POLLIN);
    say(how->name, "a circle", epoll_ctl_of(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 0), NULL);
    take(pair.client, 3);
    look(how, "middle, taken", middle, 8);
    DO(close(inner));
    give(pair.peer);
    look(how, "middle, inner gone", middle, 8);
}

static void epoll_rest(const struct waiting *how)
{
    registered(how);
    full(how);
    nested(how);
}

static void case_registered(void)
{
    each_call(epoll_rest, is_epoll);
}

/* A wait is for the file, not for its number. */
static void closed_meanwhile(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    struct later closing = {
        .ms = 150, .act = close_later, .fd = how->epoll != NULL ? wait.epoll_fd : pair.client};
    struct later data = {.ms = 280, .act = write_later, .fd = pair.peer};

    start_later(&closing);
    say(how->name, "closed, and nothing comes", LASTS(wait_now(&wait, 300, NULL), 300),
        &wait.happened);
    end_later(&closing);
    say(how->name, "once more", AT_ONCE(wait_now(&wait, 30, NULL)), &wait.happened);

    pair = connected(O_NONBLOCK);
    wait = wait_for(how, pair.client, POLLIN);
    closing.fd = how->epoll != NULL ? wait.epoll_fd : pair.client;
    data.fd = pair.peer;
    start_later(&closing);
    start_later(&data);
    say(how->name, "closed, and data come", IN_TIME(wait_now(&wait, LONG_MS, NULL), 0, 280),
        &wait.happened);
    end_later(&closing);
    end_later(&data);
}

static void case_closed_meanwhile(void)
{
    each_call(closed_meanwhile, NULL);
}

#ifdef HAS_EPOLL_PWAIT2
static void case_pwait2(void)
{
    static const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    static const struct timespec ages = {(time_t)((1ULL << (8 * sizeof(time_t) - 1)) - 1),
                                         999999999};
    struct pair pair = connected(O_NONBLOCK);
    int epoll = new_epoll(pair.client, EPOLLIN, PATTERN);
    struct later later = {.ms = 150, .act = write_later, .fd = pair.peer};
    struct epoll_event event;
    int64_t before = now_us();

    for (int i = 0; i < 20; i++)
        WANT(epoll_pwait2(epoll, &event, 1, &(struct timespec){0, 500000}, NULL) == 0);
    WANT(now_us() - before >= 20 * 500 && now_us() - before < SLACK_MS * 1000);
    say("pwait2", "1.5 ms",
        IN_TIME(epoll_pwait2(epoll, &event, 1, &(struct timespec){0, 1500000}, NULL), 1, 1), NULL);
    say("pwait2", "0", AT_ONCE(epoll_pwait2(epoll, &event, 1, &(struct timespec){0, 0}, NULL)),
        NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        say("pwait2", "no time", AT_ONCE(epoll_pwait2(epoll, &event, 1, &bad[i], NULL)), NULL);
    start_later(&later);
    say("pwait2", "NULL", IN_TIME(epoll_pwait2(epoll, &event, 1, NULL, NULL), 0, 150), NULL);
    WANT(event.events == EPOLLIN && event.data.u64 == PATTERN);
    end_later(&later);
    say("pwait2", "ages", AT_ONCE(epoll_pwait2(epoll, &event, 1, &ages, NULL)), NULL);
}
#else
static void case_pwait2(void)
{
}
#endif
