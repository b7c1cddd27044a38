/* SPDX-License-Identifier: MIT
 * Cases of processes.c: other programs, by exec, posix_spawn, popen, system; and a daemon.
 */
#ifndef TESTS_GUEST_PROCESSES_EXEC_H
#define TESTS_GUEST_PROCESSES_EXEC_H

#include "tests/guest/processes.h"

#include <spawn.h>
#include <sys/resource.h>

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define HAS_CLOSEFROM_ACTION
#endif
#endif

extern char **environ;

static char *words[8]; /* of a program to be executed */

/* Up to five words behind this program's path. */
static char **self_words(const char *a, const char *b, const char *c, const char *d)
{
    const char *in[] = {self_path, a, b, c, d, NULL};

    memcpy(words, in, sizeof in);
    return words;
}

/* --- posix_spawn ----------------------------------------------------------------------------- */

static void spawn(const char *what, posix_spawn_file_actions_t *actions, short flags)
{
    posix_spawnattr_t attr;
    sigset_t set;
    pid_t pid;
    int error;

    WANT(posix_spawnattr_init(&attr) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    WANT(posix_spawnattr_setsigmask(&attr, &set) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    WANT(posix_spawnattr_setsigdefault(&attr, &set) == 0);
    WANT(posix_spawnattr_setflags(&attr, flags) == 0);
    error = posix_spawn(&pid, self_path, actions, &attr, self_words("@signals", NULL, NULL, NULL),
                        environ);
    if (error == 0) /* first, for both write */
        guest_reap(what, pid);
    printf("%s: %s\n", what, error == 0 ? "spawned" : strerror(error));
    WANT(posix_spawnattr_destroy(&attr) == 0);
}

static void case_spawns(void)
{
    posix_spawn_file_actions_t actions;
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), ends[2];

    guest_connect(ends);
    DO(fcntl(ends[1], F_SETFD, FD_CLOEXEC));
    WANT(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    spawn("plain", NULL, 0);
    spawn("mask", NULL, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    spawn("group", NULL, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_RESETIDS);
#ifdef POSIX_SPAWN_SETSID
    spawn("session", NULL, POSIX_SPAWN_SETSID);
#endif
    WANT(posix_spawn_file_actions_init(&actions) == 0);
    WANT(posix_spawn_file_actions_addclose(&actions, ends[0]) == 0);
    WANT(posix_spawn_file_actions_adddup2(&actions, listener, 50) == 0);
    WANT(posix_spawn_file_actions_adddup2(&actions, ends[1], ends[1]) == 0);
    WANT(posix_spawn_file_actions_addopen(&actions, 60, "/dev/null", O_RDONLY, 0) == 0);
    spawn("close, dup2, open", &actions, 0);
#ifdef HAS_CLOSEFROM_ACTION
    WANT(posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0);
    spawn("and closefrom", &actions, 0);
#endif
    WANT(posix_spawn_file_actions_adddup2(&actions, 90, 91) == 0);
    spawn("a bad action", &actions, 0);
    WANT(posix_spawn_file_actions_destroy(&actions) == 0);
    use(ends[0], ends[1]);
    say_fds("the parent's");
    say_signals("the parent's");
}

/* --- popen, system --------------------------------------------------------------------------- */

static void case_pipes(void)
{
    static const char *const commands[] = {"echo one; exit 3", "kill -TERM $$", "exit 0",
                                           "/nowhere/at/all 2>&-"};
    struct sigaction before, now;
    int ends[2];
    char line[64];

    guest_connect(ends);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        FILE *in = popen(commands[i], "r");

        WANT(in != NULL);
        errno = 0;
        while (fgets(line, sizeof line, in) != NULL)
            printf("read: %s", line);
        WANT(errno == 0 && ferror(in) == 0);
        SAY("pclose", pclose(in));
        SAY("system", system(commands[i]));
        use(ends[0], ends[1]);
    }
    for (int close_on_exec = 0; close_on_exec < 2; close_on_exec++) {
        FILE *out = popen("read line; echo \"got $line\"; exit 4", close_on_exec != 0 ? "we" : "w");

        WANT(out != NULL && fputs("what was written\n", out) >= 0);
        SAY("pclose", pclose(out));
    }
    DO(sigaction(SIGINT, NULL, &before));
    SAY("system", system(NULL) != 0);
    SAY("system that finds the connection", system("[ -S /dev/stdin ] <&3 && echo yes; :"));
    DO(sigaction(SIGINT, NULL, &now));
    WANT(before.sa_handler == now.sa_handler);
    say_fds("descriptors");
    say_signals("signals");
    SAY("waitpid", waitpid(-1, NULL, WNOHANG));
}

/* --- exec ------------------------------------------------------------------------------------ */

/* One of a chain: STEP, and the numbers of a connection's ends and of one that is close-on-exec. */
static void exec_step(int step, int a, int b, int gone)
{
    char next[12], numbers[2][12], third[12];
    sigset_t set;

    printf("step %d: ", step);
    say_fds("descriptors");
    say_signals("signals");
    WANT(step == 0 || fcntl(gone, F_GETFD) < 0);
    use(a, b);
    DO(gone = fcntl(a, F_DUPFD_CLOEXEC, 70));
    snprintf(next, sizeof next, "%d", step + 1);
    snprintf(numbers[0], sizeof numbers[0], "%d", a);
    snprintf(numbers[1], sizeof numbers[1], "%d", b);
    snprintf(third, sizeof third, "%d", gone);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM + step);
    DO(sigprocmask(SIG_BLOCK, &set, NULL));
    if (step == 2)
        raise(SIGTERM);
    fflush(stdout);
    environ[0] = strdup("FIRST=one"); /* the environment is the program's own */
    char *argv[] = {self_path, (char *)(uintptr_t) "@chain", next, numbers[0], numbers[1], third,
                    NULL};
    switch (step) {
    case 0:
        execv(self_path, argv);
        break;
    case 1:
        execl(self_path, self_path, "@chain", next, numbers[0], numbers[1], third, (char *)NULL);
        break;
    case 2:
        execle(self_path, self_path, "@chain", next, numbers[0], numbers[1], third, (char *)NULL,
               environ);
        break;
    case 3:
        execvp(self_path, argv);
        break;
    case 4: {
        int fd = open(self_path, O_RDONLY | O_CLOEXEC);

        fexecve(fd, argv, environ);
        break;
    }
    default:
        DO(shutdown(a, SHUT_WR));
        SAY("the end", recv(b, next, 1, 0));
        SAY("close", close(a));
        SAY("close", close(b));
        puts("exec_chain: ok");
        exit(0);
    }
    FAIL("exec: %s", strerror(errno));
}

static void case_exec_chain(void)
{
    int ends[2];

    guest_connect(ends);
    WANT(signal(SIGQUIT, SIG_IGN) != SIG_ERR);
    WANT(signal(SIGHUP, (void (*)(int))(uintptr_t)abort) != SIG_ERR); /* not inherited */
    exec_step(0, ends[0], ends[1], -1);
}

static void case_exec_fails(void)
{
    static char big[1 << 18];
    char *argv[] = {self_path, big, NULL}, *none[] = {NULL};
    char longest[5000];
    int ends[2], file, text = open("text", O_WRONLY | O_CREAT, 0755);

    guest_connect(ends);
    DO(fcntl(ends[0], F_SETFD, FD_CLOEXEC));
    memset(big, 'x', sizeof big - 1);
    memset(longest, 'y', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    DO(text);
    WANT(write(text, "\1\2\3\n", 4) == 4);
    for (int open_for_writing = 1; open_for_writing >= 0; open_for_writing--) {
        SAY("a file that is no program", execv("text", none));
        if (open_for_writing != 0)
            DO(close(text));
    }
    SAY("a folder", execv("/", none));
    SAY("nothing", execv("nothing", none));
    SAY("nothing at all", execv("", none));
    SAY("no path", execve((char *)(uintptr_t)4096, none, environ));
    SAY("no words", execve(self_path, (char **)(uintptr_t)4096, environ));
    SAY("too long a word", execv(self_path, argv));
    SAY("too long a name", execvp(longest, none));
    SAY("too long a path", execlp(longest, longest, (char *)NULL));
    SAY("below a file", execl("text/x", "x", (char *)NULL));
    DO(symlink("loop", "loop"));
    SAY("a loop", execle("loop", "x", (char *)NULL, environ));
    SAY("no number", fexecve(-1, none, environ));
    SAY("a number that is closed", fexecve(99, none, environ));
    SAY("a socket", fexecve(ends[0], none, environ));
    file = open("text", O_RDONLY | O_CLOEXEC);
    SAY("no program by number", fexecve(file, none, environ));
    DO(close(file));
    DO(chmod("text", 0644));
    SAY("a file that may not be executed", execv("text", none));
    SAY("the same, in PATH", (setenv("PATH", ".:/nowhere", 1), execvp("text", none)));
    SAY("by syscall", syscall(SYS_execve, "nothing", none, environ));
    SAY("by syscall, no path", syscall(SYS_execve, 4096L, none, environ));
    use(ends[0], ends[1]);
    say_fds("descriptors");
    DO(unlink("text"));
    DO(unlink("loop"));
}

/* --- a daemon -------------------------------------------------------------------------------- */

static void serve_as_daemon(int ready)
{
    struct rlimit limit;
    struct sockaddr_in addr;
    char answer[64] = "";
    int closed = 0, listener, fd, null;

    DO(setsid());
    if (fork() != 0)
        _exit(0);
    DO(chdir("/"));
    DO(getrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < (int)limit.rlim_cur; i++)
        if (i != ready)
            closed += close(i) == 0;
    null = open("/dev/null", O_RDWR);
    if (null != 0 || dup(0) != 1 || dup2(1, 2) != 2)
        _exit(1);
    listener = guest_listener(&addr);
    if (write(ready, &addr, sizeof addr) != (ssize_t)sizeof addr || close(ready) < 0)
        _exit(2);
    for (int i = 0; i < 3; i++) { /* by children, as such daemons do */
        fd = accept(listener, NULL, NULL);
        if (fork() == 0) {
            ssize_t n = recv(fd, answer, 8, MSG_WAITALL);

            n = n == 8 ? snprintf(answer + 8, sizeof answer - 8, " closed %d, fd %d, listener %d",
                                  closed, fd, listener)
                       : 0;
            WANT(send(fd, answer, 8 + (size_t)n, 0) == 8 + n);
            _exit(0);
        }
        close(fd);
        wait(NULL);
    }
    _exit(0);
}

static void case_daemon(void)
{
    struct rlimit limit = {1024, 1024};
    struct sockaddr_in addr;
    int ready[2], ends[2];
    char answer[128];

    DO(setrlimit(RLIMIT_NOFILE, &limit));
    guest_connect(ends);
    DO(pipe(ready));
    fflush(stdout);
    pid_t pid = fork();
    DO(pid);
    if (pid == 0)
        serve_as_daemon(ready[1]);
    DO(close(ready[1]));
    guest_reap("the first child", pid);
    WANT(read(ready[0], &addr, sizeof addr) == (ssize_t)sizeof addr);
    for (int i = 0; i < 3; i++) {
        size_t got = 0;
        ssize_t n;
        int fd = dial(&addr);

        WANT(send(fd, "question", 8, 0) == 8);
        while ((n = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
            got += (size_t)n;
        DO(n);
        answer[got] = '\0';
        printf("answer: %s\n", answer);
        DO(close(fd));
    }
    use(ends[0], ends[1]);
}

#endif
