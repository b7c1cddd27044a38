/* SPDX-License-Identifier: MIT
 *
 * client ACTION...: a client for programs that no preload reaches: the tests link it statically.
 * Actions, in order, each with its result printed as one line of stdout:
 *
 *     connect:PORT      to 127.0.0.1
 *     fd:N              goes on with what is open there
 *     send:N, recv      N bytes; what there is, up to 4096
 *     get:PATH, put:N   sends a request of HTTP for that; one with a body of N bytes
 *     all, polled       receives until the end; the same, with a poll before each receive
 *     print             the same as all, and writes what comes to stdout
 *     fill              sends until that fails
 *     listen, accept    on a port of loopback, printed; accept gives the socket for what follows
 *     rest:MS
 *     churn:N:PORT      N times connect, send a byte, receive it, close
 *     forks:N           N children that exit at once, one after the other
 *     orphan:MS         a child whose child goes on alone for MS and prints a line, by its own name
 *     handle            prints each signal that comes (HUP, INT, TERM, USR1, CONT), and goes on;
 *                       USR1 ends the pause below
 *     pause             until a signal comes that is handled and is USR1
 *     exit:N, die:SIG
 *
 * A call that fails prints "ACTION: NAME OF ERROR", and ends the client with status 1.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fd = -1, listener = -1;
static volatile sig_atomic_t last;

static void say(const char *action, long n)
{
    printf("%s %ld\n", action, n);
    fflush(stdout);
}

static void check(const char *action, long n)
{
    if (n < 0) {
        const char *name = errno == ECONNRESET ? "ECONNRESET" : errno == EPIPE ? "EPIPE" : NULL;
        if (name == NULL)
            name = strerror(errno);
        printf("%s: %s\n", action, name);
        fflush(stdout);
        exit(1);
    }
}

static struct sockaddr_in loopback(long port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons((unsigned short)port);
    return in;
}

static void do_connect(long port)
{
    struct sockaddr_in to = loopback(port);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check("connect", connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static void rest(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

static void do_listen(void)
{
    struct sockaddr_in on = loopback(0);
    socklen_t len = sizeof(on);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    check("listen", bind(listener, (struct sockaddr *)&on, len));
    check("listen", listen(listener, 8));
    check("listen", getsockname(listener, (struct sockaddr *)&on, &len));
    say("listen", ntohs(on.sin_port));
}

/* Receives until the end. */
static long take_all(const char *action, bool polls, FILE *to)
{
    static char piece[1 << 16];
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    long sum = 0;
    for (;;) {
        if (polls)
            check(action, poll(&poller, 1, -1));
        long n = recv(fd, piece, sizeof(piece), 0);
        check(action, n);
        if (n == 0)
            return sum;
        sum += n;
        if (to != NULL && fwrite(piece, 1, (size_t)n, to) != (size_t)n)
            check("write", -1);
    }
}

static void give(const char *action, const char *bytes, long len)
{
    for (long at = 0, n; at < len; at += n)
        check(action, n = send(fd, bytes + at, (size_t)(len - at), MSG_NOSIGNAL));
}

static void put(const char *action, long count)
{
    static const char zeros[1 << 16];
    char head[128];
    long piece = sizeof(zeros);
    int len =
        snprintf(head, sizeof(head),
                 "PUT /x HTTP/1.1\r\nConnection: close\r\nContent-Length: %ld\r\n\r\n", count);
    give(action, head, len);
    for (; count > 0; count -= piece)
        give(action, zeros, count < piece ? count : piece);
}

static void churn(long count, long port)
{
    char byte = 'x';
    for (long i = 0; i < count; i++) {
        do_connect(port);
        check("churn", send(fd, &byte, 1, 0));
        check("churn", recv(fd, &byte, 1, 0));
        close(fd);
    }
}

static void forks(long count)
{
    for (long i = 0; i < count; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(i % 200 == 7 ? 3 : 0);
        check("forks", waitpid(pid, &status, 0));
    }
}

static void orphan(long ms)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            rest(ms);
            say("orphan", 0);
        }
        _exit(0);
    }
    check("orphan", waitpid(pid, NULL, 0));
}

static void note(int sig)
{
    char line[] = "signal 00\n";
    line[7] = (char)('0' + sig / 10);
    line[8] = (char)('0' + sig % 10);
    last = sig;
    if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
        _exit(9);
}

static void handle(void)
{
    static const int which[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGCONT};
    struct sigaction action = {.sa_handler = note};
    for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++)
        sigaction(which[i], &action, NULL);
}

int main(int argc, char **argv)
{
    static char buf[4096], much[1 << 16];
    for (int i = 1; i < argc; i++) {
        const char *name = strtok(argv[i], ":");
        const char *first = strtok(NULL, ":"), *second = strtok(NULL, ":");
        long a = first != NULL ? atol(first) : 0, b = second != NULL ? atol(second) : 0, n = 0;
        if (strcmp(name, "connect") == 0) {
            do_connect(a);
        } else if (strcmp(name, "fd") == 0) {
            fd = (int)a;
        } else if (strcmp(name, "send") == 0) {
            check(name, n = send(fd, much, (size_t)a, MSG_NOSIGNAL));
        } else if (strcmp(name, "recv") == 0) {
            check(name, n = recv(fd, buf, sizeof(buf), 0));
        } else if (strcmp(name, "get") == 0 && first != NULL) {
            n = snprintf(buf, sizeof(buf), "GET %.200s HTTP/1.0\r\n\r\n", first);
            give(name, buf, n);
        } else if (strcmp(name, "put") == 0) {
            put(name, n = a);
        } else if (strcmp(name, "all") == 0 || strcmp(name, "polled") == 0) {
            n = take_all(name, strcmp(name, "polled") == 0, NULL);
        } else if (strcmp(name, "print") == 0) {
            n = take_all(name, false, stdout);
        } else if (strcmp(name, "fill") == 0) {
            for (;;)
                check(name, send(fd, much, sizeof(much), MSG_NOSIGNAL));
        } else if (strcmp(name, "listen") == 0) {
            do_listen();
            continue;
        } else if (strcmp(name, "accept") == 0) {
            check(name, fd = accept(listener, NULL, NULL));
        } else if (strcmp(name, "rest") == 0) {
            rest(a);
        } else if (strcmp(name, "churn") == 0) {
            churn(a, b);
        } else if (strcmp(name, "forks") == 0) {
            forks(a);
        } else if (strcmp(name, "orphan") == 0) {
            orphan(a);
        } else if (strcmp(name, "handle") == 0) {
            handle();
        } else if (strcmp(name, "pause") == 0) {
            say("pausing", (long)getpid());
            while (last != SIGUSR1)
                pause();
        } else if (strcmp(name, "exit") == 0) {
            return (int)a;
        } else if (strcmp(name, "die") == 0) {
            raise((int)a);
        } else {
            fprintf(stderr, "client: what is '%s'?\n", name);
            return 2;
        }
        say(name, n);
    }
    return 0;
}
