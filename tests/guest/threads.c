/* SPDX-License-Identifier: MIT
 *
 * threads CASE: threads with small stacks, threads that come and go, and many that use the same
 * numbers.
 */
#include "tests/guest/blocking.h"

#include <limits.h>
#include <sys/mman.h>

static struct sockaddr_in server; /* of serve() */

/* Accepts, gives back what comes, and closes when the client does. */
static void *serve_one(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char bytes[256];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        WANT(send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n || errno == EPIPE);
    DO(close(fd));
    return NULL;
}

/* A process of its own, so that what it closes is on record there. Its number is returned. */
static pid_t serve(void)
{
    int listener = guest_listener(&server);
    pid_t pid;

    DO(listen(listener, 4096));
    DO(pid = fork());
    if (pid == 0) {
        guest_guard();
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            pthread_t thread;

            if (fd < 0)
                continue;
            WANT(pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0);
            WANT(pthread_detach(thread) == 0);
        }
    }
    DO(close(listener));
    return pid;
}

static void end_server(pid_t pid)
{
    DO(kill(pid, SIGKILL));
    guest_reap("server", pid);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    DO(fd);
    DO(connect(fd, (struct sockaddr *)&server, sizeof server));
    return fd;
}

static void echo(int fd)
{
    char bytes[8] = "";

    WANT(send(fd, "abcdefg", 8, 0) == 8);
    WANT(recv(fd, bytes, 8, MSG_WAITALL) == 8 && strcmp(bytes, "abcdefg") == 0);
}

/* --- small stacks ---------------------------------------------------------------------------- */

static struct scene scenes[BLOCKING_CALLS];

struct small {
    atomic_int tid, at;
    int results[BLOCKING_CALLS];
};

/* Every call, with what ends connections and is recorded. What it needs beside its own frame is the
 * library's. */
static void *with_small_stack(void *argument)
{
    struct small *small = argument;
    int two[2], fd, copy;

    small->tid = (int)syscall(SYS_gettid);
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        small->at = i;
        small->results[i] = (int)blocking_calls[i].call(&scenes[i]);
    }
    small->at = BLOCKING_CALLS;
    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, two));
    for (int i = 0; i < 4; i++) {
        fd = dial();
        echo(fd);
        DO(copy = dup(fd));
        DO(close(copy));
        if (i == 0)
            DO(close(fd));
        else if (i == 1)
            DO(dup2(two[0], fd));
        else if (i == 2)
            DO(shutdown(fd, SHUT_RDWR));
#ifdef HAVE_CLOSE_RANGE
        else
            DO(close_range((unsigned)fd, (unsigned)fd, 0));
#endif
    }
    return NULL;
}

static void case_small_stacks(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 16384, least = (size_t)PTHREAD_STACK_MIN;
    struct small small = {.at = -1};
    pthread_attr_t attr;
    pthread_t thread;
    pid_t pid = serve();
    char *low;

    if (size < least)
        size = (least + page - 1) / page * page;
    low = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    WANT(low != MAP_FAILED);
    memset(low, 0x5a, page); /* a page below, which nobody is to write to */
    for (int i = 0; i < BLOCKING_CALLS; i++)
        scenes[i] = blocking_scene(&blocking_calls[i]);
    WANT(pthread_attr_init(&attr) == 0);
    WANT(pthread_attr_setstack(&attr, low + page, size) == 0);
    WANT(pthread_create(&thread, &attr, with_small_stack, &small) == 0);
    for (int i = 0; i < BLOCKING_CALLS; i++) { /* all of them wait, and go on */
        while (small.at < i)
            blocking_rest_ms(1);
        blocking_entered(&small.tid);
        blocking_calls[i].feed(&scenes[i]);
    }
    WANT(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < BLOCKING_CALLS; i++)
        printf("%s: %d\n", blocking_calls[i].name, small.results[i]);
    for (size_t i = 0; i < page; i++)
        WANT(low[i] == 0x5a);
    end_server(pid);
}

/* --- threads that end ------------------------------------------------------------------------ */

static pthread_key_t at_end;
static atomic_int destroyed;

static void close_at_end(void *value)
{
    int fd = (int)(intptr_t)value;

    echo(fd);
    errno = UNTOUCHED;
    WANT(close(fd) == 0 && errno == UNTOUCHED);
    destroyed++;
}

static void *leave_open(void *argument)
{
    (void)argument;
    WANT(pthread_setspecific(at_end, (void *)(intptr_t)dial()) == 0);
    return NULL;
}

/* Destructors of thread-specific data use sockets and close them. */
static void case_destructors(void)
{
    pthread_t threads[8];
    pid_t pid = serve();

    WANT(pthread_key_create(&at_end, close_at_end) == 0);
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 8; i++)
            WANT(pthread_create(&threads[i], NULL, leave_open, NULL) == 0);
        for (int i = 0; i < 8; i++)
            WANT(pthread_join(threads[i], NULL) == 0);
    }
    printf("%d were closed\n", destroyed);
    end_server(pid);
}

static void *leave_a_connection(void *argument)
{
    int fd = dial();

    (void)argument;
    WANT(send(fd, "x", 1, 0) == 1);
    return (void *)(intptr_t)fd;
}

/* What a thread leaves open is the process's. */
static void case_left_open(void)
{
    pid_t pid = serve();

    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *ret;
        char byte = 0;

        WANT(pthread_create(&thread, NULL, leave_a_connection, NULL) == 0);
        WANT(pthread_join(thread, &ret) == 0);
        WANT(recv((int)(intptr_t)ret, &byte, 1, 0) == 1 && byte == 'x');
        echo((int)(intptr_t)ret);
        DO(close((int)(intptr_t)ret));
    }
    end_server(pid);
}

static void *outlive_main(void *argument)
{
    pthread_t *main_thread = argument;
    pid_t pid;
    int fd;

    WANT(pthread_join(*main_thread, NULL) == 0);
    pid = serve();
    fd = dial();
    echo(fd);
    DO(close(fd));
    (void)dial(); /* open at the end */
    end_server(pid);
    printf("main_ends: ok\n");
    exit(0);
}

/* The first thread ends, the program goes on. */
static void case_main_ends(void)
{
    static pthread_t self;
    pthread_t thread;

    self = pthread_self();
    WANT(pthread_create(&thread, NULL, outlive_main, &self) == 0);
    pthread_exit(NULL);
}

/* --- errno ----------------------------------------------------------------------------------- */

static atomic_bool stop;

static void *fail_always(void *argument)
{
    int ends[2], other = (int)(intptr_t)argument;
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(1)};
    char byte;

    guest_connect(ends);
    nowhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (!stop) {
        int fd;

        if (other % 2 == 0) { /* fails, each time with its own errno */
            errno = 0;
            WANT(recv(ends[0], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
            WANT(recv(-1, &byte, 1, 0) == -1 && errno == EBADF);
            DO(fd = socket(AF_INET, SOCK_STREAM, 0));
            WANT(recv(fd, &byte, 1, 0) == -1 && errno == ENOTCONN);
            WANT(connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere) == -1 &&
                 errno == ECONNREFUSED);
            WANT(close(fd) == 0 && errno == ECONNREFUSED);
        } else { /* never fails, and never finds its errno changed */
            errno = UNTOUCHED;
            WANT(send(ends[0], "x", 1, 0) == 1 && errno == UNTOUCHED);
            WANT(recv(ends[1], &byte, 1, 0) == 1 && errno == UNTOUCHED);
            fd = socket(AF_INET, SOCK_STREAM, 0);
            WANT(fd >= 0 && close(fd) == 0 && errno == UNTOUCHED);
        }
    }
    return NULL;
}

static void case_errno(void)
{
    pthread_t threads[6];

    for (intptr_t i = 0; i < 6; i++)
        WANT(pthread_create(&threads[i], NULL, fail_always, (void *)i) == 0);
    blocking_rest_ms(999);
    stop = true;
    for (int i = 0; i < 6; i++)
        WANT(pthread_join(threads[i], NULL) == 0);
}

/* --- a storm of signals ---------------------------------------------------------------------- */

static atomic_int handled;

static void count_signal(int number)
{
    (void)number;
    handled++;
}

static void *go_on_amid(void *argument)
{
    (void)argument;
    while (!stop) {
        int fd = dial();

        for (int i = 0; i < 20; i++)
            echo(fd);
        DO(close(fd));
    }
    return NULL;
}

/* Signals with SA_RESTART, one after another, to threads that use and close connections. */
static void case_kill_storm(void)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    int64_t end_ms = guest_now_ms() + 1500;
    pthread_t threads[4];
    pid_t pid = serve();

    DO(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 4; i++)
        WANT(pthread_create(&threads[i], NULL, go_on_amid, NULL) == 0);
    while (guest_now_ms() < end_ms) {
        for (int i = 0; i < 4; i++)
            WANT(pthread_kill(threads[i], SIGUSR1) == 0);
        blocking_rest_ms(1);
    }
    stop = true;
    for (int i = 0; i < 4; i++)
        WANT(pthread_join(threads[i], NULL) == 0);
    WANT(handled > 100);
    end_server(pid);
}

/* --- the same numbers ------------------------------------------------------------------------ */

/* Where GUEST_KNOWN names a file, each connection that was closed is told there, as LOCAL PEER. */
static FILE *known;
static atomic_int dialled;

static void say_name(char *to, size_t room, const struct sockaddr_in *name)
{
    snprintf(to, room, "127.0.0.1:%d", ntohs(name->sin_port));
}

static void *use_numbers(void *argument)
{
    unsigned seed = (unsigned)(intptr_t)argument;

    while (!stop) {
        int fd = dial(), copy = -1;
        struct sockaddr_in local, peer;
        socklen_t len = sizeof local;
        char local_name[32], peer_name[32];

        WANT(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
        WANT(getpeername(fd, (struct sockaddr *)&peer, &len) == 0);
        say_name(local_name, sizeof local_name, &local);
        say_name(peer_name, sizeof peer_name, &peer);
        if (known != NULL)
            fprintf(known, "%s %s\n", local_name, peer_name); /* which locks */
        dialled++;
        if (rand_r(&seed) % 2 != 0)
            echo(fd);
        switch (rand_r(&seed) % 5) {
        case 0:
            DO(copy = dup(fd)); /* the connection moves to another number */
            DO(close(fd));
            echo(copy);
            DO(close(copy));
            break;
        case 1:
            copy = open("/dev/null", O_RDONLY | O_CLOEXEC);
            DO(dup2(copy, fd)); /* ends it */
            DO(close(copy));
            DO(close(fd));
            break;
#ifdef HAVE_CLOSE_RANGE
        case 2:
            DO(close_range((unsigned)fd, (unsigned)fd, 0));
            break;
#endif
        case 3:
            WANT(shutdown(fd, SHUT_RDWR) == 0);
            DO(close(fd));
            break;
        default:
            DO(close(fd));
        }
    }
    return NULL;
}

static void case_numbers(void)
{
    const char *path = getenv("GUEST_KNOWN");
    pthread_t threads[8];
    pid_t pid = serve();

    known = path != NULL ? fopen(path, "we") : NULL;
    for (intptr_t i = 0; i < 8; i++)
        WANT(pthread_create(&threads[i], NULL, use_numbers, (void *)i) == 0);
    for (int i = 0; i < 3 || dialled <= 500; i++) /* more of it where it is slow */
        blocking_rest_ms(900);
    stop = true;
    for (int i = 0; i < 8; i++)
        WANT(pthread_join(threads[i], NULL) == 0);
    if (known != NULL)
        WANT(fclose(known) == 0);
    end_server(pid);
}

static const struct guest_case cases[] = {
    {"small_stacks", case_small_stacks},
    {"destructors", case_destructors},
    {"left_open", case_left_open},
    {"main_ends", case_main_ends},
    {"errno", case_errno},
    {"kill_storm", case_kill_storm},
    {"numbers", case_numbers},
};
GUEST_MAIN(cases)
