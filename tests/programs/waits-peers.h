/* SPDX-License-Identifier: MIT
 * Cases of waits.c: what becomes of connections, and who else waits for them.
 */

/* --- connecting ------------------------------------------------------------------------------- */

static int error_of(int fd)
{
    int error = -1;
    socklen_t size = sizeof error;

    DO(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return error;
}

static int new_client(void)
{
    int ret = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    DO(ret);
    return ret;
}

static void accept_later(struct later *later)
{
    DO(accept(later->fd, NULL, NULL));
}

static void connecting(const struct waiting *how)
{
    int listener = bound(), client = new_client(), filler = new_client();
    struct later later = {.ms = 100, .act = accept_later, .fd = listener};
    struct wait wait;

    /* refused */
    WANT(dial(client, listener) == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
    wait = wait_for(how, client, POLLIN | POLLOUT);
    say(how->name, "refused", AT_ONCE(wait_now(&wait, LONG_MS, NULL)), &wait.happened);
    printf("%s: error %s, then %d\n", how->name, strerror(error_of(client)), error_of(client));

    /* it goes well */
    DO(listen(listener, 0));
    WANT(dial(filler, listener) == -1 && errno == EINPROGRESS);
    wait = wait_for(how, filler, POLLOUT);
    say(how->name, "goes well", AT_ONCE(wait_now(&wait, LONG_MS, NULL)), &wait.happened);
    printf("%s: error %d\n", how->name, error_of(filler));
    wait = wait_for(how, filler, POLLIN);
    say(how->name, "for what comes", LASTS(wait_now(&wait, 60, NULL), 60), &wait.happened);

    /* the queue is full now; the SYN is sent again after a second */
    client = new_client();
    WANT(dial(client, listener) == -1 && errno == EINPROGRESS);
    wait = wait_for(how, client, POLLOUT);
    say(how->name, "not yet", LASTS(wait_now(&wait, 60, NULL), 60), &wait.happened);
    start_later(&later);
    say(how->name, "late", IN_TIME(wait_now(&wait, -1, NULL), 300, 3000), &wait.happened);
    end_later(&later);
    printf("%s: error %d, sent %d\n", how->name, error_of(client), (int)send(client, "x", 1, 0));
}

static void case_connecting(void)
{
    each_call(connecting, NULL);
}

/* --- the peer's doings ------------------------------------------------------------------------ */

static void shutdown_later(struct later *later)
{
    DO(shutdown(later->fd, SHUT_RDWR));
}

static void reset_later(struct later *later)
{
    struct linger abrupt = {1, 0};

    DO(setsockopt(later->fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt));
    DO(close(later->fd));
}

static void ended(const struct waiting *how)
{
    static const struct {
        const char *what;
        void (*act)(struct later *later);
        bool here;
    } ends[] = {{"the peer closes", close_later, false},
                {"the peer resets", reset_later, false},
                {"a thread shuts down", shutdown_later, true}};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct pair pair = connected(O_NONBLOCK);
        struct later later = {
            .ms = 60, .act = ends[i].act, .fd = ends[i].here ? pair.client : pair.peer};
        uint32_t quiet = how->select == NULL ? POLLRDHUP : 0;
        struct wait wait = wait_for(how, pair.client, POLLIN | quiet);
        char byte;
        int n;

        start_later(&later);
        say(how->name, ends[i].what, IN_TIME(wait_now(&wait, LONG_MS, NULL), 0, 60),
            &wait.happened);
        end_later(&later);
        n = (int)recv(pair.client, &byte, 1, 0);
        say(how->name, "recv", n, NULL);
    }
}

static void case_ended(void)
{
    each_call(ended, NULL);
}

/* A timeout of the program's own is for recv; no call that waits for descriptors heeds it. */
static void own_timeout(const struct waiting *how)
{
    struct pair pair = connected(0);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    struct timeval soon = {0, 50000};
    char byte;

    DO(setsockopt(pair.client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    DO(setsockopt(pair.client, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon));
    say(how->name, "longer than it", LASTS(wait_now(&wait, 200, NULL), 200), &wait.happened);
    WANT(recv(pair.client, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    WANT(send(pair.peer, "x", 1, 0) == 1);
    say(how->name, "then data", AT_ONCE(wait_now(&wait, LONG_MS, NULL)), &wait.happened);
    WANT(recv(pair.client, &byte, 1, 0) == 1);
}

static void case_own_timeout(void)
{
    each_call(own_timeout, NULL);
}

/* --- two that wait ---------------------------------------------------------------------------- */

struct waiter {
    struct wait wait;
    pthread_t thread;
    int n, got;
};

static void *be_waiter(void *argument)
{
    struct waiter *waiter = argument;
    char byte;

    waiter->n = wait_now(&waiter->wait, -1, NULL);
    waiter->got = (int)recv(waiter->wait.fd, &byte, 1, 0);
    return NULL;
}

/* The first is content, the second finds nothing any more and waits again. */
static void two_threads(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct waiter two[2];
    int got = 0;

    for (int i = 0; i < 2; i++) {
        two[i].wait = wait_for(how, pair.client, POLLIN);
        WANT(pthread_create(&two[i].thread, NULL, be_waiter, &two[i]) == 0);
    }
    rest_ms(100);
    WANT(send(pair.peer, "x", 1, 0) == 1);
    rest_ms(60);
    WANT(send(pair.peer, "y", 1, 0) == 1); /* for one that came after the other's recv */
    for (int i = 0; i < 2; i++) {
        WANT(pthread_join(two[i].thread, NULL) == 0);
        WANT(two[i].n == 1 && two[i].wait.happened == POLLIN);
        got += two[i].got > 0;
    }
    WANT(got >= 1);
    printf("%s: both were woken\n", how->name);
}

static void case_two_threads(void)
{
    each_call(two_threads, NULL);
}

/* A child goes on with its parent's loop, and the parent does, too. */
static void forked(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    int status;
    pid_t pid;

    say(how->name, "before", LASTS(wait_now(&wait, 30, NULL), 30), &wait.happened);
    fflush(stdout);
    DO(pid = fork());
    if (pid == 0) {
        char byte;

        say(how->name, "child", LASTS(wait_now(&wait, 60, NULL), 60), &wait.happened);
        WANT(send(pair.peer, "x", 1, 0) == 1);
        say(how->name, "child, data", AT_ONCE(wait_now(&wait, -1, NULL)), &wait.happened);
        WANT(recv(pair.client, &byte, 1, 0) == 1);
        say(how->name, "child, taken", LASTS(wait_now(&wait, 30, NULL), 30), &wait.happened);
        close(pair.client);
        close(wait.epoll_fd);
        exit(0);
    }
    DO(waitpid(pid, &status, 0));
    WANT(status == 0);
    say(how->name, "parent", LASTS(wait_now(&wait, 60, NULL), 60), &wait.happened);
    WANT(send(pair.peer, "x", 1, 0) == 1);
    say(how->name, "parent, data", AT_ONCE(wait_now(&wait, -1, NULL)), &wait.happened);
}

static void case_forked(void)
{
    each_call(forked, NULL);
}
