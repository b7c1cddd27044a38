/* SPDX-License-Identifier: MIT
 *
 * loop: an epoll loop over many connections, and what it costs.
 *
 *     loop traffic CONNECTIONS EVENTS   every connection has something to read, again and again
 *     loop wait CONNECTIONS WAITS       one has, the others are silent; each wait is ready at once
 *     loop tick CONNECTIONS WAITS       all are silent; each wait lasts for 60 ms
 *     loop idle CONNECTIONS SECONDS     all are silent, and one wait has that long
 *
 * Prints the connections held, and the processor time of the loop: ns an event, ns a wait, or (of
 * idle) parts per million of the time that went by. The other ends are in a process of their own.
 */
#include "bench/ends.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, TICK_MS = 60 };

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The peers: accepts all, then writes a byte to each of the first TALKING for each byte that comes
 * by the pipe ASK. */
static void serve(int listener, int ask, int connections, int talking)
{
    int *fds = calloc((size_t)connections, sizeof(*fds));
    char byte = 'x';
    if (fds == NULL)
        die("calloc");
    for (int i = 0; i < connections; i++) {
        fds[i] = accept(listener, NULL, NULL);
        if (fds[i] < 0)
            die("accept");
    }
    while (read(ask, &byte, 1) == 1) {
        for (int i = 0; i < talking; i++) {
            if (send(fds[i], "x", 1, MSG_NOSIGNAL) != 1)
                die("send");
        }
    }
    _exit(0);
}

/* An epoll set with that many connections in it, the peers in *RET_PEERS, asked by *RET_ASK. */
static int make_set(int connections, int talking, pid_t *ret_peers, int *ret_ask)
{
    int listener = end_listen(), ask[2];
    if (listen(listener, 4096) < 0 || pipe(ask) < 0)
        die("listen, pipe");
    *ret_peers = fork();
    if (*ret_peers == 0) {
        close(ask[1]);
        serve(listener, ask[0], connections, talking);
    }
    close(ask[0]);
    *ret_ask = ask[1];
    int set = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 || connect(fd, (struct sockaddr *)&end_address, sizeof(end_address)) < 0 ||
            fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
            die("connect");
    }
    return set;
}

static int64_t traffic(int set, int ask, int connections, int64_t events)
{
    struct epoll_event ready[BATCH];
    int64_t seen = 0, cpu_ns = 0;
    while (seen < events) {
        char byte = 'x';
        if (write(ask, &byte, 1) != 1)
            die("write");
        for (int left = connections; left > 0;) {
            int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
            int n = epoll_wait(set, ready, BATCH, -1);
            if (n < 0)
                die("epoll_wait");
            for (int i = 0; i < n; i++) {
                if (recv(ready[i].data.fd, &byte, 1, 0) != 1)
                    die("recv");
            }
            cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
            left -= n;
            seen += n;
        }
    }
    return cpu_ns / seen;
}

static int64_t waits(int set, int64_t count, int timeout_ms, int expected)
{
    struct epoll_event ready;
    int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int64_t i = 0; i < count; i++) {
        if (epoll_wait(set, &ready, 1, timeout_ms) != expected)
            die("epoll_wait");
    }
    return (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / count;
}

/* Each peer says something first: one that never did owes an answer, and would be ended. */
static int64_t idle(int set, int ask, int connections, int64_t seconds)
{
    struct epoll_event ready;
    traffic(set, ask, connections, connections);
    int64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (epoll_wait(set, &ready, 1, (int)seconds * 1000) != 0)
        die("epoll_wait");
    cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return cpu * 1000000 / (clock_ns(CLOCK_MONOTONIC) - start);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: loop traffic|wait|tick|idle CONNECTIONS COUNT\n");
        return 2;
    }
    const char *what = argv[1];
    int connections = end_allow(atoi(argv[2])), ask;
    int64_t count = atoll(argv[3]), figure;
    pid_t peers;
    int set = make_set(connections, strcmp(what, "wait") == 0 ? 1 : connections, &peers, &ask);

    if (strcmp(what, "traffic") == 0) {
        figure = traffic(set, ask, connections, count);
    } else if (strcmp(what, "wait") == 0) {
        struct epoll_event ready;
        if (write(ask, "x", 1) != 1 || epoll_wait(set, &ready, 1, -1) != 1)
            die("write");
        figure = waits(set, count, -1, 1);
    } else if (strcmp(what, "tick") == 0) {
        figure = waits(set, count, TICK_MS, 0);
    } else {
        figure = idle(set, ask, connections, count);
    }
    close(ask);
    kill(peers, SIGKILL);
    waitpid(peers, NULL, 0);
    printf("%d %lld\n", connections, (long long)figure);
    return 0;
}
