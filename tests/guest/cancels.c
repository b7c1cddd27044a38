/* SPDX-License-Identifier: MIT
 *
 * cancels CASE: threads that are cancelled in calls on sockets, and in those which are no point of
 * cancellation.
 */
#include "tests/guest/blocking.h"

struct victim {
    const struct blocking *how;
    struct scene scene;
    pthread_t thread;
    atomic_int tid; /* 0 until it is about to make the call */
    int type;       /* PTHREAD_CANCEL_DEFERRED… */
    bool deaf;      /* cancellation is off in the call */
    atomic_bool go;
    atomic_bool returned;
    bool cleaned;
    long result;
};

static void clean_up(void *argument)
{
    ((struct victim *)argument)->cleaned = true;
}

static void *be_victim(void *argument)
{
    struct victim *v = argument;
    int old;

    pthread_cleanup_push(clean_up, v);
    WANT(pthread_setcancelstate(v->deaf ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE, &old) ==
         0);
    WANT(pthread_setcanceltype(v->type, &old) == 0);
    v->tid = (int)syscall(SYS_gettid);
    v->result = v->how->call(&v->scene);
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
    v->returned = true;
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

static void start(struct victim *v, const struct blocking *how)
{
    v->how = how;
    v->scene = blocking_scene(how);
    WANT(pthread_create(&v->thread, NULL, be_victim, v) == 0);
    blocking_entered(&v->tid);
    WANT(!v->returned);
}

/* The thread ends as cancelled, and says so. */
static void join(struct victim *v)
{
#ifdef __GLIBC__
    const bool interrupted = false;
#else /* musl ends such a call with EINTR if it stands in the kernel just then */
    const bool interrupted = v->deaf;
#endif
    void *ret = NULL;

    WANT(pthread_join(v->thread, &ret) == 0);
    printf("%s: %s%s%s", v->how->name, ret == PTHREAD_CANCELED ? "cancelled" : "not cancelled",
           v->cleaned ? ", cleaned up" : "", v->returned ? ", after its call" : "");
    if (v->returned && !interrupted)
        printf(", which gave %ld", v->result);
    putchar('\n');
}

/* Whether the thread ends in its call, cancelled. Some libc have fewer points of cancellation. */
static bool ends_by_itself(const struct victim *v)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 300 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    for (;;) { /* joined later */
        struct timespec now;

        if (syscall(SYS_tgkill, getpid(), v->tid, 0) < 0)
            return true;
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec > end.tv_nsec))
            return false;
        blocking_rest_ms(1);
    }
}

static void cancel_each(int type)
{
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        struct victim v = {.type = type};

        start(&v, &blocking_calls[i]);
        WANT(pthread_cancel(v.thread) == 0);
        if (ends_by_itself(&v)) {
            join(&v);
            v.how->check(&v.scene);
        } else { /* no point of cancellation */
            v.how->feed(&v.scene);
            join(&v);
        }
        blocking_end(&v.scene);
    }
}

static void case_deferred(void)
{
    cancel_each(PTHREAD_CANCEL_DEFERRED);
}

static void case_asynchronous(void)
{
    cancel_each(PTHREAD_CANCEL_ASYNCHRONOUS);
}

/* Where cancellation is off the call goes on, and gets what it waits for. */
static void case_disabled(void)
{
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        struct victim v = {.deaf = true};

        start(&v, &blocking_calls[i]);
        WANT(pthread_cancel(v.thread) == 0);
        for (int seen = 0; seen < 5 && !v.returned; blocking_rest_ms(1))
            seen = blocking_sleeps(v.tid) ? seen + 1 : 0;
        if (!v.returned) /* musl interrupts calls that are not restarted */
            v.how->feed(&v.scene);
        join(&v);
        blocking_end(&v.scene);
    }
}

/* --- cancelled before the call --------------------------------------------------------------- */

static void *be_cancelled_before(void *argument)
{
    struct victim *v = argument;
    int old;

    pthread_cleanup_push(clean_up, v);
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
    v->tid = (int)syscall(SYS_gettid);
    while (!v->go)
        blocking_rest_ms(1);
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
    v->result = v->how->call(&v->scene);
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
    v->returned = true;
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

/* The call would not have to wait, and does nothing: what is there stays there. */
static void case_pending(void)
{
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        struct victim v = {.how = &blocking_calls[i]};
        bool receives = v.how->feed == feed_byte || v.how->feed == feed_connect;

        if (!receives)
            continue;
        v.scene = blocking_scene(v.how);
        v.how->feed(&v.scene);
        WANT(pthread_create(&v.thread, NULL, be_cancelled_before, &v) == 0);
        while (v.tid == 0)
            blocking_rest_ms(1);
        WANT(pthread_cancel(v.thread) == 0);
        v.go = true;
        join(&v);
        printf("%s: what was there %s\n", v.how->name,
               blocking_readable(v.scene.fd, 0) ? "is there" : "was taken");
        blocking_end(&v.scene);
    }
}

/* --- what is no point of cancellation -------------------------------------------------------- */

struct witness {
    atomic_bool go;
    int ends[4];
    atomic_int last;
};

static void *pass_points(void *argument)
{
    struct witness *w = argument;
    struct sockaddr_in addr = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t len = sizeof addr;
    int old, one = 1, two[2], set, fd, copy;
    char byte = 0;

    WANT(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
    while (!w->go)
        blocking_rest_ms(1);
    WANT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
    fd = socket(AF_INET, SOCK_STREAM, 0), w->last = 1;
    (void)bind(fd, (struct sockaddr *)&addr, sizeof addr), w->last = 2;
    (void)listen(fd, 1), w->last = 3;
    (void)getsockname(fd, (struct sockaddr *)&addr, &len), w->last = 4;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one), w->last = 5;
    len = sizeof one;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &one, &len), w->last = 6;
    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, two), w->last = 7;
    copy = dup(w->ends[0]), w->last = 8;
    (void)dup2(two[0], copy), w->last = 9;
    (void)dup2(two[0], w->ends[0]), w->last = 10; /* ends a connection, which is on record */
    (void)dup3(two[1], w->ends[2], O_CLOEXEC), w->last = 11;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK), w->last = 12;
    (void)fcntl(fd, F_DUPFD_CLOEXEC, 50), w->last = 13;
    (void)shutdown(w->ends[1], SHUT_WR), w->last = 14;
    set = epoll_create1(0), w->last = 15;
    (void)epoll_ctl(set, EPOLL_CTL_ADD, w->ends[1], &event), w->last = 16;
    (void)syscall(SYS_sendto, two[0], &byte, 1L, 0L, NULL, 0L), w->last = 17;
    (void)syscall(SYS_recvfrom, two[1], &byte, 1L, 0L, NULL, NULL), w->last = 18;
    (void)syscall(SYS_read, w->ends[1], &byte, 1L), w->last = 19;
#ifdef SYS_poll
    (void)syscall(SYS_poll, NULL, 0L, 5L), w->last = 20;
#endif
    (void)syscall(SYS_close, w->ends[3]), w->last = 21;
#ifdef HAVE_CLOSE_RANGE
    (void)close_range((unsigned)w->ends[1], (unsigned)w->ends[1], 0), w->last = 22;
#endif
    w->last = 23;
    (void)send(two[0], &byte, 1, MSG_DONTWAIT), w->last = 24; /* a point of cancellation */
    return NULL;
}

static void case_no_points(void)
{
    struct witness w = {.last = 0};
    pthread_t thread;
    void *ret = NULL;

    guest_connect(w.ends);
    guest_connect(w.ends + 2);
    WANT(pthread_create(&thread, NULL, pass_points, &w) == 0);
    WANT(pthread_cancel(thread) == 0);
    w.go = true;
    WANT(pthread_join(thread, &ret) == 0);
    printf("%s after step %d\n", ret == PTHREAD_CANCELED ? "cancelled" : "not cancelled", w.last);
}

/* --- a close that waits ---------------------------------------------------------------------- */

static void make_lingering(struct scene *s)
{
    struct linger ten_s = {1, 10};

    make_full(s);
    s->wanted = 0;
    DO(setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &ten_s, sizeof ten_s));
}

static long call_close(struct scene *s)
{
    return close(s->fd);
}

/* The number is free, and all that was sent arrives. */
static void check_closed(struct scene *s)
{
    char byte;

    WANT(fcntl(s->fd, F_GETFD) == -1 && errno == EBADF);
    feed_by_reading(s);
    WANT(recv(s->peer, &byte, 1, 0) == 0);
    s->fd = -1;
}

static const struct blocking lingering = {"close", make_lingering, call_close, feed_by_reading,
                                          check_closed};

/* A close that waits until what was sent has arrived. */
static void case_linger(void)
{
    static const int types[] = {PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ASYNCHRONOUS};

    for (size_t i = 0; i < 2; i++) {
        struct victim v = {.type = types[i]};

        start(&v, &lingering);
        WANT(pthread_cancel(v.thread) == 0);
        WANT(ends_by_itself(&v));
        join(&v);
        check_closed(&v.scene);
        blocking_end(&v.scene);
    }
}

/* Cancelled before a close, nothing is closed. */
static void case_pending_close(void)
{
    struct victim v = {.how = &lingering};

    make_silent(&v.scene);
    v.scene.aux[0] = v.scene.aux[1] = v.scene.crowd = -1;
    WANT(pthread_create(&v.thread, NULL, be_cancelled_before, &v) == 0);
    WANT(pthread_cancel(v.thread) == 0);
    v.go = true;
    join(&v);
    SAY("fcntl", fcntl(v.scene.fd, F_GETFD));
    check_silent(&v.scene);
    blocking_end(&v.scene);
}

static const struct guest_case cases[] = {
    {"deferred", case_deferred},           {"asynchronous", case_asynchronous},
    {"disabled", case_disabled},           {"pending", case_pending},
    {"no_points", case_no_points},         {"linger", case_linger},
    {"pending_close", case_pending_close},
};
GUEST_MAIN(cases)
