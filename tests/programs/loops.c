/* SPDX-License-Identifier: MIT
 *
 * loops CASE: what limits make of event loops where one connection, or one process, is not enough;
 * one case a time, which is for SOCKTMO_RECV=1s where nothing else is said.
 *
 * A case prints what came of it and checks itself, as those of waits.c.
 */
#include "tests/programs/waits.h"

enum {
    LIMIT_MS = 1000,
    LATEST_MS = LIMIT_MS * 11 / 10 + 50,
    NEVER_MS = 20000, /* no program's own time ends a wait here */
};

static int error_of(int fd)
{
    int error = -1;
    socklen_t size = sizeof error;

    DO(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return error;
}

/* It is over, with the errno of the limit, and stays so. */
static void is_ended(int fd)
{
    char byte;

    for (int i = 0; i < 3; i++) {
        WANT(recv(fd, &byte, 1, 0) == -1 && errno == ETIMEDOUT);
        WANT(error_of(fd) == ETIMEDOUT);
        WANT(send(fd, "x", 1, 0) == -1 && errno == ETIMEDOUT);
    }
}

/* It is whole: a byte goes each way. */
static void is_whole(const struct pair *pair)
{
    struct pollfd wait = {pair->client, POLLIN, 0};
    char byte;

    WANT(send(pair->client, "p", 1, 0) == 1);
    WANT(recv(pair->peer, &byte, 1, 0) == 1 && byte == 'p');
    WANT(send(pair->peer, "q", 1, 0) == 1);
    WANT(poll(&wait, 1, LONG_MS) == 1);
    WANT(recv(pair->client, &byte, 1, 0) == 1 && byte == 'q');
}

/* --- data in the very moment of the deadline, with SOCKTMO_RECV=200ms --------------------------
 */

static void late_byte(struct later *later)
{
    send(later->fd, "x", 1, MSG_NOSIGNAL); /* it may come too late */
}

static void moment_of(const struct waiting *how)
{
    enum { AT_MS = 200, AROUND_MS = 10 };
    int data = 0, ended = 0, both = 0;

    for (int off_ms = -AROUND_MS; off_ms <= AROUND_MS; off_ms++) {
        struct pair pair = connected(O_NONBLOCK);
        struct wait wait = wait_for(how, pair.client, POLLIN);
        struct later later = {.ms = AT_MS + off_ms, .act = late_byte, .fd = pair.peer};
        char bytes[2];
        ssize_t n;

        start_later(&later);
        WANT(wait_now(&wait, NEVER_MS, NULL) == 1);
        n = recv(pair.client, bytes, sizeof bytes, 0);
        end_later(&later);
        if (n == 1 && bytes[0] == 'x') {
            data++;
            if (error_of(pair.client) == 0) {
                is_whole(&pair);
            } else { /* just when the data came, which could be read none the less */
                both++;
                is_ended(pair.client);
            }
        } else if (n == -1 && errno == ETIMEDOUT) {
            ended++;
            is_ended(pair.client);
        } else {
            FAIL("%+d ms off the limit, recv gives %zd, %s", off_ms, n,
                 n < 0 ? strerror(errno) : "which was not sent");
        }
        close(wait.epoll_fd);
        close(pair.client);
        close(pair.peer);
        close(pair.listener);
    }
    WANT(data + ended == 2 * AROUND_MS + 1);
    printf("data %d ended %d\n", data, ended + both);
}

static void case_moment(void)
{
    each_call(moment_of, NULL);
}

/* --- many connections, some of them silent -----------------------------------------------------
 */

enum { CROWD = 12, CHATTY_MS = 400 };

static struct crowd {
    struct pair pairs[CROWD];
    int64_t heard_us[CROWD]; /* when the last byte came; at first, when the loop began */
    bool over[CROWD];
    int left; /* of those that are to be ended */
} crowd;

/* Each even one gets a byte now and then, each odd one a single byte, at a time of its own. */
static void chat(struct later *later)
{
    for (int ms = 0; !later->over; ms += 10) {
        for (int i = 0; i < CROWD; i++)
            if (i % 2 == 0 ? ms % CHATTY_MS == 0 : ms == i * 30)
                send(crowd.pairs[i].peer, "x", 1, MSG_NOSIGNAL);
        rest_ms(10);
    }
}

static void attend(int i)
{
    char bytes[16];
    ssize_t n = recv(crowd.pairs[i].client, bytes, sizeof bytes, 0);
    int64_t silent_ms = (now_us() - crowd.heard_us[i]) / 1000;

    if (n > 0) {
        crowd.heard_us[i] = now_us();
        return;
    }
    WANT(i % 2 != 0 && n == -1 && errno == ETIMEDOUT);
    /* the byte came before it was taken, by 50 ms at most where there is much to do */
    WANT(silent_ms >= LIMIT_MS - 50 && silent_ms <= LATEST_MS + SLACK_MS);
    is_ended(crowd.pairs[i].client);
    crowd.over[i] = true;
    crowd.left--;
}

static void crowd_by_poll(const struct waiting *how)
{
    struct pollfd fds[CROWD];

    for (int i = 0; i < CROWD; i++)
        fds[i] = (struct pollfd){crowd.pairs[i].client, POLLIN, 0};
    while (crowd.left > 0) {
        WANT(how->poll(fds, CROWD, NEVER_MS, NULL) > 0);
        for (int i = 0; i < CROWD; i++) {
            if (fds[i].revents != 0)
                attend(i);
            if (crowd.over[i])
                fds[i].fd = -1;
        }
    }
}

static void crowd_by_select(const struct waiting *how)
{
    fd_set in;

    while (crowd.left > 0) {
        int highest = 0;

        FD_ZERO(&in);
        for (int i = 0; i < CROWD; i++) {
            if (crowd.over[i])
                continue;
            FD_SET(crowd.pairs[i].client, &in);
            if (crowd.pairs[i].client > highest)
                highest = crowd.pairs[i].client;
        }
        WANT(how->select(highest + 1, &in, NULL, NULL, NEVER_MS, NULL) > 0);
        for (int i = 0; i < CROWD; i++)
            if (FD_ISSET(crowd.pairs[i].client, &in))
                attend(i);
    }
}

static void crowd_by_epoll(const struct waiting *how)
{
    int set = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; i < CROWD; i++) {
        struct epoll_event interest = {.events = EPOLLIN | (i % 3 == 0 ? EPOLLET : 0U),
                                       .data.u64 = 0x7f0000000000ULL + (unsigned)i};

        DO(epoll_ctl(set, EPOLL_CTL_ADD, crowd.pairs[i].client, &interest));
    }
    while (crowd.left > 0) {
        struct epoll_event events[4];
        int n = how->epoll(set, events, 4, NEVER_MS, NULL);

        WANT(n > 0);
        for (int k = 0; k < n; k++) {
            int i = (int)(events[k].data.u64 & 0xff);

            WANT(events[k].data.u64 >> 8 == 0x7f00000000 && i < CROWD && !crowd.over[i]);
            attend(i);
            if (crowd.over[i])
                DO(epoll_ctl(set, EPOLL_CTL_DEL, crowd.pairs[i].client, NULL));
        }
    }
}

static void crowd_of(const struct waiting *how)
{
    struct later later = {.act = chat};

    for (int i = 0; i < CROWD; i++) {
        crowd.pairs[i] = connected(O_NONBLOCK);
        crowd.heard_us[i] = now_us();
        crowd.left += i % 2;
    }
    start_later(&later);
    if (how->poll != NULL)
        crowd_by_poll(how);
    else if (how->select != NULL)
        crowd_by_select(how);
    else
        crowd_by_epoll(how);
    end_later(&later);
    for (int i = 0; i < CROWD; i += 2) {
        char bytes[64];

        while (recv(crowd.pairs[i].client, bytes, sizeof bytes, 0) > 0)
            continue;
        is_whole(&crowd.pairs[i]);
    }
    printf("%s: the silent ones were ended\n", how->name);
}

static void case_crowd(void)
{
    each_call(crowd_of, NULL);
}

/* --- two threads, two processes ----------------------------------------------------------------
 */

struct waiter {
    struct wait wait;
    pthread_t thread;
    int n;
};

static void *be_waiter(void *argument)
{
    struct waiter *waiter = argument;

    waiter->n = wait_now(&waiter->wait, NEVER_MS, NULL);
    return NULL;
}

/* Both are woken, and the one that is told of the end is on record. */
static void threads_of(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct waiter two[2];
    int64_t before = now_us();

    for (int i = 0; i < 2; i++) {
        two[i].wait = wait_for(how, pair.client, POLLIN);
        WANT(pthread_create(&two[i].thread, NULL, be_waiter, &two[i]) == 0);
    }
    for (int i = 0; i < 2; i++)
        WANT(pthread_join(two[i].thread, NULL) == 0 && two[i].n == 1);
    WANT(now_us() - before >= (LIMIT_MS - 10) * 1000L &&
         now_us() - before <= (LATEST_MS + SLACK_MS) * 1000L);
    is_ended(pair.client);
    printf("%s: both were woken\n", how->name);
}

static void case_threads(void)
{
    each_call(threads_of, NULL);
}

/* The parent has the connection open, and its epoll even has it registered, but waits for others:
 * whatever the child does with it, the parent ends nothing. The child rests at first. */
static void family_of(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    struct wait other;
    int ends[2], status;
    pid_t pid;

    fflush(stdout);
    DO(pipe(ends));
    DO(pid = fork());
    if (pid == 0) {
        struct later later = {.ms = 300, .act = write_later, .fd = pair.peer};
        char byte;

        alarm(GUARD_S);
        rest_ms(LIMIT_MS * 3 / 2);
        start_later(&later);
        WANT(IN_TIME(wait_now(&wait, NEVER_MS, NULL), 200, 300) == 1);
        WANT(recv(pair.client, &byte, 1, 0) == 1);
        end_later(&later);
        /* from the byte on, which came a little before it was taken */
        WANT(IN_TIME(wait_now(&wait, NEVER_MS, NULL), LIMIT_MS - 50, LATEST_MS) == 1);
        is_ended(pair.client);
        printf("child %d %s\n", (int)getpid(), how->name);
        exit(0);
    }
    other = wait_for(how, ends[0], POLLIN);
    for (int i = 0; i < 25; i++)
        WANT(wait_now(&other, 150, NULL) == 0);
    DO(waitpid(pid, &status, 0));
    WANT(status == 0);
}

static void case_family(void)
{
    each_call(family_of, NULL);
}

/* With SOCKTMO_IDLE=1s. Nothing goes either way, and the child is late to notice. */
static void idle_family_of(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN), other;
    int ends[2], status;
    pid_t pid;

    fflush(stdout);
    DO(pipe(ends));
    DO(pid = fork());
    if (pid == 0) {
        alarm(GUARD_S);
        rest_ms(LIMIT_MS * 2);
        WANT(error_of(pair.client) == 0);
        WANT(AT_ONCE(wait_now(&wait, NEVER_MS, NULL)) == 1);
        is_ended(pair.client);
        printf("child %d %s\n", (int)getpid(), how->name);
        exit(0);
    }
    other = wait_for(how, ends[0], POLLIN);
    for (int i = 0; i < 15; i++)
        WANT(wait_now(&other, 150, NULL) == 0);
    DO(waitpid(pid, &status, 0));
    WANT(status == 0);
}

static void case_idle_family(void)
{
    each_call(idle_family_of, NULL);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"moment", case_moment},           {"crowd", case_crowd},
    {"threads", case_threads},         {"family", case_family},
    {"idle_family", case_idle_family},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc != 2 || strcmp(cases[i].name, argv[1]) != 0)
            continue;
        name = cases[i].name;
        cases[i].run();
        printf("%s: ok\n", cases[i].name);
        return 0;
    }
    fprintf(stderr, "usage: loops CASE, one of those at the end of loops.c\n");
    return 2;
}
