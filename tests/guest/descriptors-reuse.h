/* SPDX-License-Identifier: MIT
 * Cases of descriptors.c: numbers that were closed by one road or another, and taken again; and
 * those that a program is started with.
 */

static void *close_there(void *arg)
{
    DO(close(*(int *)arg));
    return NULL;
}

/* close without libc: as io_uring, Go or a seccomp supervisor would. */
static void close_raw(int fd)
{
#if defined(__x86_64__)
    long n;

    __asm__ volatile("syscall" : "=a"(n) : "0"(SYS_close), "D"((long)fd) : "rcx", "r11", "memory");
    WANT(n == 0);
#else
    DO(syscall(SYS_close, fd));
#endif
}

static void close_by(int road, int fd)
{
    pthread_t thread;
    FILE *file;
    int pipes[2];

    switch (road) {
    case 0:
        DO(close(fd));
        break;
    case 1:
        DO(syscall(SYS_close, fd));
        break;
    case 2:
        close_raw(fd);
        break;
    case 3:
        file = fdopen(fd, "r+");
        WANT(file != NULL);
        WANT(fputs("said", file) >= 0);
        WANT(fclose(file) == 0);
        break;
    case 4:
        WANT(pthread_create(&thread, NULL, close_there, &fd) == 0);
        WANT(pthread_join(thread, NULL) == 0);
        break;
    case 5: /* in place */
        DO(pipe(pipes));
        DO(dup2(pipes[0], fd));
        DO(close(pipes[0]));
        DO(close(pipes[1]));
        DO(close(fd));
        break;
    case 6: /* by stdio, which nobody sees */
        file = fdopen(fd, "r+");
        WANT(file != NULL);
        WANT(freopen("/dev/null", "r+", file) != NULL);
        WANT(fclose(file) == 0);
        break;
    default: /* with a child that closes its own: the parent's stays */
        guest_reap("child", ({
                       pid_t child = vfork();
                       if (child == 0) {
                           close(fd);
                           _exit(0);
                       }
                       child;
                   }));
        SAY("send", send(fd, "still", 5, 0));
        close_raw(fd);
    }
}

/* A socket of each kind, closed by each road, and its number as file, pipe, and socket. */
static void case_reuse(void)
{
    for (int road = 0; road < 8; road++)
        for (int kind = 0; kind < 4; kind++)
            for (int next = 0; next < 3; next++) {
                int ends[2], taken[2];
                char buf[16];

                if (kind < 2)
                    guest_connect(ends);
                else
                    DO(socketpair(AF_UNIX, kind == 2 ? SOCK_STREAM : SOCK_DGRAM, 0, ends));
                if (kind == 1) { /* one that has seen its end */
                    DO(shutdown(ends[0], SHUT_RD));
                    SAY("recv", recv(ends[0], buf, 1, 0));
                }
                printf("road %d, kind %d, %d and %d, then %d\n", road, kind, ends[0], ends[1],
                       next);
                close_by(road, ends[0]);
                printf("%s\n", kind_of(ends[0]));
                SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
                if (next == 0) {
                    taken[0] = new_file();
                    WANT(taken[0] <= ends[0]);
                    if (taken[0] != ends[0])
                        DO(dup2(taken[0], ends[0]));
                    use_as_file(ends[0]);
                    DO(close(taken[0]));
                    if (taken[0] != ends[0])
                        DO(close(ends[0]));
                } else if (next == 1) {
                    DO(pipe(taken));
                    printf("pipe %d %d\n", taken[0], taken[1]);
                    use_as_pipe(taken[0], taken[1]);
                    DO(close(taken[1]));
                } else {
                    guest_connect(taken);
                    printf("sockets %d %d\n", taken[0], taken[1]);
                    SAY("send", send(taken[0], "abc", 3, 0));
                    SAY("recv", recv(taken[1], buf, 3, MSG_WAITALL));
                    close_raw(taken[0]);
                    SAY("end", recv(taken[1], buf, 3, 0));
                    DO(close(taken[1]));
                }
                if (kind < 3)
                    SAY("rest", recv(ends[1], buf, sizeof buf, 0));
                DO(close(ends[1]));
            }
}

/* --- what a program starts with -------------------------------------------------------------- */

static char *const inner_argv[] = {(char *)(uintptr_t) "descriptors", (char *)(uintptr_t) "inner",
                                   NULL};

/* Uses its descriptors as it finds them: 0 and 1 are a connection, as from inetd, or LISTEN_FDS
 * says where a listener is. It tells the other end. */
static void case_inner(void)
{
    const char *fds = getenv("LISTEN_FDS");
    char line[64];
    int out = 1;

    alarm(5);
    if (fds != NULL) {
        int value = 0;
        socklen_t len = sizeof value;

        WANT(getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value == 1);
        out = accept(3, NULL, NULL);
        WANT(out >= 0);
    }
    for (int i = 0; i < 3; i++) {
        ssize_t n = read(fds != NULL ? out : 0, line, sizeof line);
        int next = dup(0), len;

        if (next >= 0)
            close(next);
        if (n <= 0)
            break;
        len = snprintf(line + 32, 32, "%zd %d %d %s\n", n, out, next, kind_of(next));
        WANT(write(out, line + 32, (size_t)len) == len);
    }
    _exit(7);
}

/* Starts it with FD as 0, 1 and 2, or as 3 with LISTEN_FDS. The rest is closed. */
static pid_t start_inner(int fd, bool listens, unsigned closed)
{
    pid_t child = fork();

    DO(child);
    if (child != 0)
        return child;
    if (listens) {
        DO(dup2(fd, 3));
        DO(fcntl(3, F_SETFD, 0));
        DO(setenv("LISTEN_FDS", "1", 1));
    } else {
        for (int to = 0; to < 3; to++)
            DO(dup2(fd, to));
    }
    for (int i = listens ? 4 : 3; i < 40; i++)
        (void)close(i);
    for (int i = 0; i < 3; i++)
        if ((closed >> i & 1) != 0)
            (void)close(i);
    execv("/proc/self/exe", inner_argv);
    _exit(9);
}

static void talk(int fd)
{
    char line[64];

    for (int i = 0; i < 3; i++) {
        ssize_t n;

        SAY("ask", send(fd, "hello", 5, MSG_NOSIGNAL));
        n = recv(fd, line, sizeof line, 0);
        printf("answer %zd: %.*s", n, n > 0 ? (int)n : 0, line);
    }
    SAY("end", recv(fd, line, sizeof line, 0));
}

static void case_exec(void)
{
    struct sockaddr_in addr;
    int ends[2], listener, client;
    pid_t child;

    fflush(stdout);
    for (int kind = 0; kind < 2; kind++) { /* inetd */
        if (kind == 0)
            guest_connect(ends);
        else
            DO(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        child = start_inner(ends[0], false, kind == 0 ? 0 : 1u << 2);
        DO(close(ends[0]));
        talk(ends[1]);
        guest_reap("inner", child);
        DO(close(ends[1]));
    }
    for (unsigned closed = 0; closed < 8; closed++) { /* systemd, with some of 0, 1, 2 closed */
        listener = guest_listener(&addr);
        child = start_inner(listener, true, closed);
        client = socket(AF_INET, SOCK_STREAM, 0);
        DO(connect(client, (struct sockaddr *)&addr, sizeof addr));
        printf("closed %u\n", closed);
        talk(client);
        guest_reap("inner", child);
        DO(close(client));
        DO(close(listener));
    }
}

/* 0, 1 and 2 closed while it runs: sockets get their numbers. What is said goes to a copy. */
static void case_standard(void)
{
    int kept = dup(1), ends[2], file;
    char byte = 0;
    FILE *out = fdopen(kept, "w");

    WANT(out != NULL && kept == 3);
    fflush(stdout);
    for (int fd = 0; fd < 3; fd++)
        DO(close(fd));
    guest_connect(ends);
    fprintf(out, "ends %d %d\n", ends[0], ends[1]);
    fprintf(out, "send %zd\n", send(ends[0], "x", 1, 0));
    fprintf(out, "recv %zd\n", recv(ends[1], &byte, 1, MSG_WAITALL));
    fprintf(out, "a third %d\n", socket(AF_INET, SOCK_DGRAM, 0));
    for (int fd = 0; fd < 3; fd++)
        (void)close(fd);
    file = new_file();
    fprintf(out, "file %d, write %zd\n", file, write(file, "abc", 3));
    fprintf(out, "back %d %d\n", dup2(kept, 1), dup2(kept, 2));
    fflush(out);
}
