/* SPDX-License-Identifier: MIT
 * Cases of shared.c that are run with SOCKTMO_RECV=1s, which some of their waits are as long as.
 */
enum { LIMIT_MS = 1000, LATEST_MS = 1150 + 400 /* for a busy machine */ };

struct waiter {
    const struct blocking *how;
    struct scene scene;
    pthread_t thread;
    atomic_int tid;
    long result;
    int error;
    int64_t took_ms;
};

static void *be_waiter(void *argument)
{
    struct waiter *w = argument;
    int64_t before = guest_now_ms();

    w->tid = (int)syscall(SYS_gettid);
    w->result = w->how->call(&w->scene);
    w->error = errno;
    w->took_ms = guest_now_ms() - before;
    return NULL;
}

static void start_waiter(struct waiter *w, long (*call)(struct scene *))
{
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        if (blocking_calls[i].call == call)
            w->how = &blocking_calls[i];
    }
    WANT(pthread_create(&w->thread, NULL, be_waiter, w) == 0);
    blocking_entered(&w->tid);
}

static void rest_until(int64_t end_ms)
{
    while (guest_now_ms() < end_ms)
        blocking_rest_ms(5);
}

/* With SOCKTMO_NONBLOCK=off. One thread's recv is over at the limit; the one that polls, without a
 * limit, is told of what comes later. */
static void case_two_threads(void)
{
    struct waiter reads = {.tid = 0}, polls = {.tid = 0};
    int ends[2];

    guest_connect(ends);
    reads.scene.fd = polls.scene.fd = ends[0];
    start_waiter(&polls, call_poll);
    start_waiter(&reads, call_recv);
    WANT(pthread_join(reads.thread, NULL) == 0);
    printf("recv: %ld %s\n", reads.result, strerror(reads.error));
    WANT(reads.took_ms >= LIMIT_MS && reads.took_ms <= LATEST_MS);
    give(ends[1], 'a');
    WANT(pthread_join(polls.thread, NULL) == 0);
    printf("poll: %ld\n", polls.result);
    take(ends[0], 'a');
    give(ends[0], 'b');
    take(ends[1], 'b');
}

static void wait_for_nothing(void *argument)
{
    int64_t before = guest_now_ms();
    char byte;

    SAY("the child's recv", recv(*(int *)argument, &byte, 1, 0));
    WANT(guest_now_ms() - before >= LIMIT_MS && guest_now_ms() - before <= LATEST_MS);
}

/* With SOCKTMO_NONBLOCK=off. A child's limit passes while its parent sends, and has nobody take
 * that; what then comes the parent gets. */
static void case_two_processes(void)
{
    struct waiter polls = {.tid = 0};
    int ends[2];
    pid_t pid;

    guest_connect(ends);
    polls.scene.fd = ends[0];
    pid = child_of(wait_for_nothing, &ends[0]);
    start_waiter(&polls, call_poll);
    guest_reap("child", pid);
    give(ends[0], 'a');
    take(ends[1], 'a');
    give(ends[1], 'b');
    WANT(pthread_join(polls.thread, NULL) == 0);
    take(ends[0], 'b');
    printf("the parent has its answer\n");
}

/* Another thread closes the number that this one waits for, and connects anew by it, before the
 * limit passes. The new connection is not ended for the old one, nor before it is due itself. */
static void reuse(long (*call)(struct scene *), int set)
{
    struct waiter w = {.scene = {.aux = {set, -1}}};
    int64_t start_ms, made_ms;
    int old[2], new[2], wake[2];

    guest_connect(old);
    DO(pipe(wake));
    w.scene.fd = old[0];
    if (set >= 0) {
        add(set, old[0], 1, EPOLLIN);
        add(set, wake[0], 2, EPOLLIN); /* the closed one leaves the set */
    }
    start_ms = guest_now_ms();
    start_waiter(&w, call);
    rest_until(start_ms + LIMIT_MS / 2);
    guest_connect(new);
    DO(dup2(new[0], old[0])); /* closes the old one, whose peer is old[1] yet */
    DO(close(new[0]));
    made_ms = guest_now_ms();
    rest_until(start_ms + LIMIT_MS + LIMIT_MS / 4);
    if (guest_now_ms() - made_ms < LIMIT_MS) {
        int error = UNTOUCHED;
        socklen_t len = sizeof error;

        DO(getsockopt(old[0], SOL_SOCKET, SO_ERROR, &error, &len));
        WANT(error == 0);
        give(old[0], 'a');
        take(new[1], 'a');
        give(new[1], 'b');
    } else {
        printf("too busy to tell\n"); /* it may have been due itself */
    }
    /* the waiter may take it, or be told of it, or not: it waited for the other */
    DO(shutdown(new[1], SHUT_WR));
    DO(shutdown(old[1], SHUT_RDWR));
    DO(close(wake[1]));
    WANT(pthread_join(w.thread, NULL) == 0);
    WANT(w.took_ms <= 3 * LATEST_MS);
}

static void case_reused_recv(void)
{
    reuse(call_recv, -1);
}

static void case_reused_poll(void)
{
    reuse(call_poll, -1);
}

static void case_reused_select(void)
{
    reuse(call_select, -1);
}

static void case_reused_epoll(void)
{
    reuse(call_epoll_wait, epoll_create1(EPOLL_CLOEXEC));
}
