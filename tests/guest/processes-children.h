/* SPDX-License-Identifier: MIT
 * Cases of processes.c: children by fork, vfork, clone, and what they do to their parent's numbers.
 */
#ifndef TESTS_GUEST_PROCESSES_CHILDREN_H
#define TESTS_GUEST_PROCESSES_CHILDREN_H

#include "tests/guest/processes.h"

#include <pthread.h>
#include <sys/resource.h>

/* --- fork under fire ------------------------------------------------------------------------- */

enum { WORKERS = 3, ROUNDS = 40, FORKS = 15 };

static struct sockaddr_in storm_addr;
static int storm_listener;
static volatile sig_atomic_t storm_over;
static int handler_runs, handler_faults;

/* A connection made, used, ended; in handlers, threads and children alike. Returns faults. */
static int round_trip(void)
{
    int pair[2], faults = 0;
    char byte = 'x';
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&storm_addr, sizeof storm_addr) < 0 ||
        send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
        faults++;
    faults += close(fd) < 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return faults + 1;
    faults += write(pair[0], &byte, 1) != 1;
    faults += read(pair[1], &byte, 1) != 1 || byte != 'x';
    return faults + (close(pair[0]) < 0) + (close(pair[1]) < 0);
}

static void on_storm(int n)
{
    int e = errno;

    (void)n;
    __atomic_fetch_add(&handler_faults, round_trip(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&handler_runs, 1, __ATOMIC_RELAXED);
    errno = e;
}

static void *storm_accept(void *ignored)
{
    for (;;) {
        int fd = accept(storm_listener, NULL, NULL);

        if (fd < 0)
            return ignored; /* it was shut down */
        close(fd);
    }
}

static void *storm_work(void *faults)
{
    for (int i = 0; i < ROUNDS || !storm_over; i++)
        *(int *)faults += round_trip();
    return NULL;
}

/* A program with threads, and a handler that makes socket calls, forks; both sides go on. */
static void case_fork_storm(void)
{
    struct sigaction action = {.sa_handler = on_storm, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec every = {{0, 3000000}, {0, 3000000}};
    int faults[WORKERS] = {0}, well = 0, status;
    pthread_t acceptor, workers[WORKERS];
    sigset_t usr1;
    timer_t timer;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    storm_listener = guest_listener(&storm_addr);
    DO(listen(storm_listener, 4096));
    DO(sigaction(SIGUSR1, &action, NULL));
    DO(pthread_sigmask(SIG_BLOCK, &usr1, NULL)); /* not in the one that takes connections */
    WANT(pthread_create(&acceptor, NULL, storm_accept, NULL) == 0);
    DO(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL));
    for (int i = 0; i < WORKERS; i++)
        WANT(pthread_create(&workers[i], NULL, storm_work, &faults[i]) == 0);
    DO(timer_create(CLOCK_MONOTONIC, &event, &timer));
    DO(timer_settime(timer, 0, &every, NULL));
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        DO(pid);
        if (pid == 0) {
            handler_faults = 0;
            for (int k = 0; k < 3; k++) {
                raise(SIGUSR1);
                handler_faults += round_trip();
            }
            _exit(handler_faults == 0 ? 42 : 1);
        }
        while (waitpid(pid, &status, 0) < 0)
            WANT(errno == EINTR);
        well += WIFEXITED(status) && WEXITSTATUS(status) == 42;
    }
    storm_over = 1;
    for (int i = 0; i < WORKERS; i++) {
        WANT(pthread_join(workers[i], NULL) == 0);
        printf("worker %d: %d faults\n", i, faults[i]);
    }
    DO(timer_delete(timer));
    DO(shutdown(storm_listener, SHUT_RDWR));
    WANT(pthread_join(acceptor, NULL) == 0);
    WANT(handler_runs > 0);
    printf("children that went well: %d, faults in handlers: %d\n", well, handler_faults);
}

/* --- forks that libc knows of, and others ---------------------------------------------------- */

static pid_t plain_fork(void)
{
    return fork();
}

#ifdef __GLIBC__
static pid_t underscore_fork(void)
{
    return _Fork();
}
#endif

static pid_t raw_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* In a child: what it was handed works, numbers are as ever, ends are told. */
static void live_as_child(int ends[2], const struct sockaddr_in *addr, int listener)
{
    int mine, accepted, copy;
    char byte;

    use(ends[0], ends[1]);
    SAY("close", close(ends[0]));
    SAY("close again", close(ends[0]));
    mine = dial(addr);
    printf("the number of the closed one: %s\n", mine == ends[0] ? "yes" : "no");
    accepted = accept(listener, NULL, NULL);
    DO(accepted);
    use(mine, accepted);
    copy = SAY("dup", dup(mine)) >= 0 ? dup2(mine, 60) : -1;
    SAY("over a copy", send(copy, "x", 1, 0));
    SAY("recv", recv(accepted, &byte, 1, 0));
    DO(close(accepted));
    SAY("the end", recv(copy, &byte, 1, 0));
    SAY("dup2 onto the parent's", dup2(copy, ends[1]));
    say_fds("descriptors");
    fflush(stdout);
    _exit(7);
}

static void try_fork(const char *what, pid_t (*make)(void))
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), ends[2];
    pid_t pid;

    guest_connect(ends);
    use(ends[0], ends[1]);
    fflush(stdout);
    pid = make();
    if (pid == 0)
        live_as_child(ends, &addr, listener);
    guest_reap(what, pid);
    use(ends[0], ends[1]);
    say_fds("the parent's");
    DO(shutdown(ends[0], SHUT_WR));
    SAY("the parent's end", recv(ends[1], &addr, 1, 0));
    DO(close(ends[0]));
    DO(close(ends[1]));
    DO(close(listener));
}

static void case_forks(void)
{
    try_fork("fork", plain_fork);
#ifdef __GLIBC__
    try_fork("_Fork", underscore_fork);
#endif
    try_fork("clone by syscall", raw_fork);
    try_fork("fork again", plain_fork);
}

/* --- vfork ----------------------------------------------------------------------------------- */

/* What a vfork child does to the numbers of its parent, which are its own only. */
static void meddle(int ends[2], const struct sockaddr_in *addr)
{
    int fd, flags = 0;

    close(ends[0]);
    dup2(1, ends[1]);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0)
        _exit(20);
    if (dup2(fd, ends[0]) != ends[0] || close(fd) < 0)
        _exit(19);
    fd = ends[0];
    flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || write(fd, "v", 1) != 1)
        _exit(21);
    if (recv(fd, &flags, 1, 0) >= 0 || errno != EAGAIN)
        _exit(22);
    if (dup2(fd, ends[1]) != ends[1] || fcntl(fd, F_DUPFD, 100) != 100 || close(100) < 0)
        _exit(23);
    shutdown(fd, SHUT_RDWR);
}

static void case_vforks(void)
{
    struct sockaddr_in addr;
    char byte;
    int listener = guest_listener(&addr), ends[2], accepted;
    char *argv[] = {self_path, (char *)(uintptr_t) "@fds", NULL};

    guest_connect(ends);
    for (int how = 0; how < 3; how++) {
        pid_t pid;

        fflush(stdout);
        pid = vfork();
        if (pid == 0) {
            meddle(ends, &addr);
            if (how == 0) {
                int closed = 0;

                for (int fd = 3; fd < 1024; fd++)
                    closed += close(fd) == 0;
                _exit(100 + closed);
            }
            if (how == 1)
                execv(self_path, argv);
            execv("/nowhere", argv);
            _exit(errno == ENOENT ? 6 : 24);
        }
        guest_reap("vfork child", pid);
        accepted = accept(listener, NULL, NULL);
        DO(accepted);
        SAY("what it sent", recv(accepted, &byte, 1, 0));
        SAY("its end", recv(accepted, &byte, 1, 0));
        DO(close(accepted));
        use(ends[0], ends[1]);
        say_fds("the parent's");
    }
}

/* --- clone ----------------------------------------------------------------------------------- */

struct shared {
    int *ends;
    const struct sockaddr_in *addr;
    int pipe[2];
};

static int run_meddler(void *arg)
{
    struct shared *s = arg;

    meddle(s->ends, s->addr);
    _exit(9);
}

/* Closes the parent's connection, and leaves other things under its numbers. */
static int run_replacer(void *arg)
{
    struct shared *s = arg;

    close(s->ends[0]);
    close(s->ends[1]);
    dup2(s->pipe[0], s->ends[0]);
    dup2(s->pipe[1], s->ends[1]);
    _exit(10);
}

/* A number that another process of the same table made something else of: a pipe. */
static void use_as_pipe(const int ends[2])
{
    struct pollfd waits[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    struct iovec part = {(char[4]){0}, 4};
    char byte = 'p';

    SAY("write", write(ends[1], &byte, 1));
    SAY("poll", poll(waits, 2, 1000));
    printf("revents %#x %#x\n", (unsigned)waits[0].revents, (unsigned)waits[1].revents);
    SAY("read", read(ends[0], &byte, 1));
    SAY("writev", writev(ends[1], &part, 1));
    SAY("readv", readv(ends[0], &part, 1));
    SAY("recv", recv(ends[0], &byte, 1, 0));
    SAY("send", send(ends[1], &byte, 1, 0));
    DO(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    SAY("read of nothing", read(ends[0], &byte, 1));
    SAY("close", close(ends[1]));
    SAY("read of the end", read(ends[0], &byte, 1));
    SAY("close", close(ends[0]));
}

static void try_clone(const char *what, int (*fn)(void *), int flags)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), ends[2];
    struct shared s = {ends, &addr, {-1, -1}};

    guest_connect(ends);
    DO(pipe(s.pipe));
    use(ends[0], ends[1]);
    fflush(stdout);
    guest_reap(what, clone(fn, stack_top(), flags | SIGCHLD, &s));
    DO(close(s.pipe[0]));
    DO(close(s.pipe[1]));
    say_fds("the parent's");
    if (fn == run_replacer && (flags & CLONE_FILES) != 0) {
        use_as_pipe(ends);
    } else if ((flags & CLONE_FILES) != 0) {
        char byte = 'x';
        int accepted = accept(listener, NULL, NULL);

        SAY("fcntl", fcntl(ends[0], F_GETFL) & O_NONBLOCK);
        SAY("recv of what was sent", recv(accepted, &byte, 1, 0));
        SAY("recv of the end", recv(ends[0], &byte, 1, 0));
        SAY("send after the end", send(ends[0], &byte, 1, MSG_NOSIGNAL));
        SAY("close", close(accepted));
        SAY("close", close(ends[0]));
        SAY("close", close(ends[1]));
    } else {
        use(ends[0], ends[1]);
        DO(close(ends[0]));
        SAY("recv of the end", recv(ends[1], &addr, 1, 0));
        DO(close(ends[1]));
    }
    DO(close(listener));
}

static void case_clones(void)
{
    try_clone("clone", run_meddler, 0);
    try_clone("clone", run_replacer, 0);
    try_clone("clone, vfork", run_meddler, CLONE_VM | CLONE_VFORK);
    try_clone("clone, vfork", run_replacer, CLONE_VM | CLONE_VFORK);
    try_clone("clone, memory", run_meddler, CLONE_VM);
}

static void case_clones_files(void)
{
    try_clone("clone, files", run_meddler, CLONE_FILES);
    try_clone("clone, files", run_replacer, CLONE_FILES);
    try_clone("clone, vfork and files", run_meddler, CLONE_VM | CLONE_VFORK | CLONE_FILES);
    try_clone("clone, vfork and files", run_replacer, CLONE_VM | CLONE_VFORK | CLONE_FILES);
    try_clone("clone, memory and files", run_replacer, CLONE_VM | CLONE_FILES);
}

/* --- a thread with descriptors of its own ---------------------------------------------------- */

static pthread_barrier_t turns;

static void *run_apart(void *arg)
{
    struct shared *s = arg;
    int own[2];

    SAY("unshare", unshare(CLONE_FILES));
    pthread_barrier_wait(&turns);
    close(s->ends[0]);
    close(s->ends[1]);
    guest_connect(own);
    printf("the same numbers: %s\n", own[0] == s->ends[0] || own[1] == s->ends[0] ? "yes" : "no");
    pthread_barrier_wait(&turns); /* the other uses its own meanwhile */
    use(own[0], own[1]);
    DO(shutdown(own[0], SHUT_WR));
    SAY("the thread's end", recv(own[1], &own[0], 1, 0));
    close(s->ends[0]);
    close(s->ends[1]);
    pthread_barrier_wait(&turns);
    pthread_barrier_wait(&turns);
    return NULL;
}

static void case_unshare_files(void)
{
    pthread_t thread;
    int ends[2];
    struct shared s = {ends, NULL, {-1, -1}};
    struct pollfd wait;

    guest_connect(ends);
    WANT(pthread_barrier_init(&turns, NULL, 2) == 0);
    WANT(pthread_create(&thread, NULL, run_apart, &s) == 0);
    pthread_barrier_wait(&turns);
    pthread_barrier_wait(&turns);
    use(ends[0], ends[1]);
    pthread_barrier_wait(&turns); /* the thread has closed them in its table by now */
    use(ends[0], ends[1]);
    wait = (struct pollfd){ends[0], POLLIN, 0};
    SAY("poll", poll(&wait, 1, 30));
    DO(shutdown(ends[1], SHUT_WR));
    SAY("poll", poll(&wait, 1, 1000));
    SAY("the end", recv(ends[0], &wait, 1, 0));
    DO(close(ends[0]));
    DO(close(ends[1]));
    pthread_barrier_wait(&turns);
    WANT(pthread_join(thread, NULL) == 0);
    say_fds("descriptors");
}

#endif
