/* SPDX-License-Identifier: MIT
 * Cases of processes.c: how children end, what a process is made of.
 */
#ifndef TESTS_GUEST_PROCESSES_STATE_H
#define TESTS_GUEST_PROCESSES_STATE_H

#include "tests/guest/processes-exec.h"

#include <dirent.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/stat.h>

/* --- ends ------------------------------------------------------------------------------------ */

static int end_sockets[2];

static void say_late(const char *what)
{
    char byte = 'e';
    ssize_t sent = send(end_sockets[0], &byte, 1, 0), got = recv(end_sockets[1], &byte, 1, 0);

    printf("%s: send %zd recv %zd\n", what, sent, got);
    fflush(stdout);
}

static void late_first(void)
{
    say_late("registered first");
}

static void late_last(void)
{
    int more[2];

    guest_connect(more);
    use(more[0], more[1]);
    say_late("registered last");
}

static void end_by(int how)
{
    WANT(atexit(late_first) == 0 && atexit(late_last) == 0);
#ifdef __GLIBC__
    WANT(at_quick_exit(late_first) == 0 && at_quick_exit(late_last) == 0);
#endif
    switch (how) {
    case 0:
        exit(3);
    case 1:
        _exit(4);
    case 2:
        _Exit(5);
    case 3:
        quick_exit(6);
    case 4:
        abort();
    case 5:
        syscall(SYS_exit_group, 7);
        break;
    case 6:
        raise(SIGSEGV);
        break;
    case 7:
        exit(0x1234);
    default:
        _exit(-1);
    }
}

static void case_ends(void)
{
    struct rlimit none = {0, 0};

    DO(setrlimit(RLIMIT_CORE, &none));
    for (int how = 0; how < 9; how++) {
        fflush(stdout);
        pid_t pid = fork();

        DO(pid);
        if (pid == 0) {
            guest_connect(end_sockets);
            end_by(how);
        }
        guest_reap("child", pid);
    }
}

/* In which it is when it is killed. */
static void hang_in(int where, int ends[2], int listener)
{
    struct pollfd wait = {ends[0], POLLIN, 0};
    struct epoll_event event = {.events = EPOLLIN};
    static char bytes[1 << 16];
    fd_set set;
    int epoll;

    switch (where) {
    case 0:
        recv(ends[0], bytes, sizeof bytes, 0);
        break;
    case 1:
        poll(&wait, 1, -1);
        break;
    case 2:
        accept(listener, NULL, NULL);
        break;
    case 3:
        epoll = epoll_create1(0);
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
        while (epoll_wait(epoll, &event, 1, -1) < 0) /* EINTR after a stop (signal(7)) */
            continue;
        break;
    case 4:
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        select(ends[0] + 1, &set, NULL, NULL, NULL);
        break;
    default:
        for (;;)
            if (send(ends[0], bytes, sizeof bytes, 0) < 0)
                break;
    }
    _exit(1);
}

/* Until PID sleeps. */
static void await_sleep(pid_t pid)
{
    char path[64], text[512];
    struct timespec tick = {0, 2000000};

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (;;) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, text, sizeof text - 1);

        DO(fd);
        DO(n);
        DO(close(fd));
        text[n] = '\0';
        if (strstr(text, ") S ") != NULL)
            return;
        nanosleep(&tick, NULL);
    }
}

static void case_killed(void)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGALRM};
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), ends[2], status;

    for (int where = 0; where < 6; where++) {
        guest_connect(ends);
        fflush(stdout);
        pid_t pid = fork();

        DO(pid);
        if (pid == 0)
            hang_in(where, ends, listener);
        await_sleep(pid);
        DO(kill(pid, SIGSTOP));
        WANT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
        DO(kill(pid, SIGCONT));
        await_sleep(pid);
        DO(kill(pid, signals[where % 3]));
        guest_reap("killed", pid);
        if (where < 5)
            use(ends[0], ends[1]);
        DO(close(ends[0]));
        DO(close(ends[1]));
    }
    SAY("waitpid", waitpid(-1, NULL, WNOHANG));
}

/* --- what there is --------------------------------------------------------------------------- */

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;

    WANT(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

static int at_main_errno;
static int at_main_argc;
static char **at_main_argv, **at_main_environ;

/* The variables, but for those by which it was started. */
static void say_environ(void)
{
    unsigned hash = 5381, count = 0;

    for (char **e = environ; *e != NULL; e++) {
        if (strncmp(*e, "LD_PRELOAD=", 11) == 0 || strncmp(*e, "SOCKTMO_", 8) == 0 ||
            strncmp(*e, "PWD=", 4) == 0 || strncmp(*e, "OLDPWD=", 7) == 0 ||
            strncmp(*e, "_=", 2) == 0)
            continue;
        count++;
        for (const char *c = *e; *c != '\0'; c++)
            hash = hash * 33 + (unsigned char)*c;
    }
    printf("environ: %u, hash %u\n", count, hash);
}

static void case_what_there_is(void)
{
    int ends[2];
    char *before = sbrk(0);

    printf("errno at main: %d\n", at_main_errno);
    printf("words: %d, %s, %s\n", at_main_argc, at_main_argv[1],
           at_main_argv[at_main_argc] == NULL ? "ended" : "not ended");
    WANT(at_main_argv + at_main_argc + 1 == at_main_environ); /* as the kernel left it */
    WANT(environ == at_main_environ);
    WANT(getauxval(AT_EXECFN) != 0 && strcmp((char *)getauxval(AT_EXECFN), self_path) == 0);
    WANT(strcmp(program_invocation_name, at_main_argv[0]) == 0);
    say_environ();
    say_fds("descriptors");
    say_signals("signals");
    guest_connect(ends);
    use(ends[0], ends[1]);
    printf("threads: %d\n", count_entries("/proc/self/task"));
    SAY("wait", wait(NULL));
    WANT(sbrk(0) >= (void *)before);
#ifdef __GLIBC__ /* musl moves it for nobody */
    char *there = sbrk(8192);
    WANT(there != (void *)-1);
    memset(there, 1, 8192);
    WANT(sbrk(-8192) != (void *)-1);
#endif
    printf("umask: %o\n", (unsigned)umask(022));
    SAY("getpgrp is the parent's or our own", getpgrp() > 0);
    say_environ();
    WANT(environ == at_main_environ);
    say_fds("descriptors");
}

static void case_clearenv(void)
{
    int ends[2];

    guest_connect(ends);
    SAY("clearenv", clearenv());
    SAY("setenv", setenv("ONLY", "one", 1));
    SAY("system",
        system("echo \"$ONLY\"; env | sort | grep -v '^_=\\|^PWD=\\|^SHLVL=\\|^OLDPWD='"));
    fflush(stdout);
    pid_t pid = fork();
    DO(pid);
    if (pid == 0) {
        use(ends[0], ends[1]);
        execv(self_path, self_words("@signals", NULL, NULL, NULL));
        _exit(1);
    }
    guest_reap("exec without an environment", pid);
    environ = NULL;
    use(ends[0], ends[1]);
    pid = fork();
    DO(pid);
    if (pid == 0) {
        execlp("sh", "sh", "-c", "exit 8", (char *)NULL);
        _exit(1);
    }
    guest_reap("exec without environ", pid);
    SAY("putenv", putenv((char *)(uintptr_t) "PATH=/nowhere"));
    SAY("execvp", execvp("sh", self_words("x", NULL, NULL, NULL)));
    SAY("unsetenv", unsetenv("PATH"));
    use(ends[0], ends[1]);
}

static void case_traced(void)
{
    int ends[2], status, stops = 0;

    guest_connect(ends);
    fflush(stdout);
    pid_t pid = fork();
    DO(pid);
    if (pid == 0) {
        DO(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        raise(SIGUSR1); /* the tracer swallows it */
        use(ends[0], ends[1]);
        execv(self_path, self_words("@signals", NULL, NULL, NULL));
        _exit(1);
    }
    for (;;) {
        WANT(waitpid(pid, &status, 0) == pid);
        if (!WIFSTOPPED(status))
            break;
        stops++;
        printf("stopped by %d\n", WSTOPSIG(status));
        DO(ptrace(PTRACE_CONT, pid, NULL, NULL));
    }
    printf("stops %d, status %d\n", stops, status);
    use(ends[0], ends[1]);
}

#endif
