/* SPDX-License-Identifier: MIT
 *
 * soak: what run.sh keeps running for a long time. Every connection is entered in a ledger by
 * whoever has it, as `PID in|out LOCAL PEER`, after it is there and before it is closed: so that
 * the log of the library can be held against it. A client's child says `PID child PARENT` first: it
 * is killed with its parent.
 *
 *     soak server LEDGER         prints its port; for each line on standard input, how many
 *                                descriptors it has and how much memory of its own (KiB); ends
 *                                when there is no more
 *     soak client LEDGER PORT SEED MS  threads that connect, talk and close for MS
 *
 * A request is two bytes: how many blocks the answer has, and who closes first (CLOSES_CLIENT and
 * its neighbours). To serve, the server sometimes forks, as old daemons do; so do the clients'
 * threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS = 8, CLIENTS = 4, BLOCK_BYTES = 4096, PATIENCE_MS = 10000 };

/* A connection is closed when nobody has it any more, also no child that was forked meanwhile for
 * another one. Two such children, one on each side, would wait for each other; so the end that a
 * client's child waits for is a shutdown, which needs nobody else. */
enum { CLOSES_CLIENT, CLOSES_SERVER, ENDS_SERVER };

static int ledger = -1;
static struct sockaddr_in server = {.sin_family = AF_INET};

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "soak[%d]: %s: %s\n", (int)getpid(), what, strerror(errno));
    _exit(3);
}

/* --- the ledger ------------------------------------------------------------------------------ */

/* Enters the connection FD to PEER, in one write. */
static void enter(int fd, const char *dir, const struct sockaddr_in *peer)
{
    struct sockaddr_in local;
    socklen_t len = sizeof local;
    char line[128];

    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
        die("getsockname");
    int n = snprintf(line, sizeof line, "%d %s 127.0.0.1:%u 127.0.0.1:%u\n", (int)getpid(), dir,
                     ntohs(local.sin_port), ntohs(peer->sin_port));
    if (write(ledger, line, (size_t)n) != n)
        die("ledger");
}

/* --- connections ----------------------------------------------------------------------------- */

/* Reads LEN bytes, or what comes before the end. Returns how many. */
static size_t take(int fd, size_t len)
{
    char block[BLOCK_BYTES];
    size_t have = 0;

    while (have < len) {
        size_t want = len - have < sizeof block ? len - have : sizeof block;
        ssize_t n = recv(fd, block, want, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return have;
}

static void give(int fd, unsigned blocks)
{
    static const char block[BLOCK_BYTES];

    while (blocks-- > 0)
        if (send(fd, block, sizeof block, MSG_NOSIGNAL) <= 0)
            return;
}

/* --- the server ------------------------------------------------------------------------------ */

static void serve(int fd)
{
    unsigned char request[2];

    if (recv(fd, request, sizeof request, MSG_WAITALL) != sizeof request)
        return;
    give(fd, request[0]);
    if (request[1] == CLOSES_CLIENT)
        (void)take(fd, 1);
    else if (request[1] == ENDS_SERVER)
        shutdown(fd, SHUT_WR);
}

/* In a child, as a server does that forks for each. It has used the connection. */
static void serve_in_child(int fd, const struct sockaddr_in *peer)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        enter(fd, "in", peer);
        serve(fd);
        _exit(0);
    }
}

static void *serve_all(void *argument)
{
    int listener = *(int *)argument;

    for (unsigned count = 0;; count++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINVAL) /* shut down: the end */
                return NULL;
            if (errno != ECONNABORTED)
                die("accept");
            continue;
        }
        enter(fd, "in", &peer);
        if (count % 16 == 15)
            serve_in_child(fd, &peer);
        else
            serve(fd);
        if (close(fd) < 0)
            die("close");
    }
}

static int count_lines(const char *path, const char *key)
{
    char line[256];
    int kib = 0;
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kib += atoi(line + strlen(key));
    if (file != NULL)
        fclose(file);
    return kib;
}

static int count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int be_server(void)
{
    pthread_t threads[SERVERS];
    socklen_t len = sizeof server;
    char line[64];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    signal(SIGCHLD, SIG_IGN); /* the children are not waited for */
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&server, sizeof server) < 0 ||
        listen(listener, 512) < 0 || getsockname(listener, (struct sockaddr *)&server, &len) < 0)
        die("listen");
    for (int i = 0; i < SERVERS; i++)
        if (pthread_create(&threads[i], NULL, serve_all, &listener) != 0)
            die("pthread_create");
    printf("%u\n", ntohs(server.sin_port));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        printf("%d %d\n", count_fds(), count_lines("/proc/self/smaps_rollup", "Private_Dirty:"));
        fflush(stdout);
    }
    shutdown(listener, SHUT_RDWR);
    for (int i = 0; i < SERVERS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

/* --- the clients ----------------------------------------------------------------------------- */

static int64_t end_ms;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As event loops do it. Returns the socket or -1. */
static int connect_nonblocking(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd ready = {fd, POLLOUT, 0};
    int error = 0;
    socklen_t len = sizeof error;

    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 &&
        (errno != EINPROGRESS || poll(&ready, 1, PATIENCE_MS) != 1 ||
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_blocking(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Reads LEN bytes from a non-blocking socket in an epoll set of its own. */
static size_t take_by_epoll(int fd, size_t len)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &set}};
    size_t have = 0;

    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll");
    while (have < len && epoll_wait(set, &event, 1, PATIENCE_MS) == 1) {
        char block[BLOCK_BYTES];
        ssize_t n = recv(fd, block, len - have < sizeof block ? len - have : sizeof block, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        have += n > 0 ? (size_t)n : 0;
    }
    close(set);
    return have;
}

/* One of the ways in which programs get rid of a connection. */
static void drop(int fd, unsigned way)
{
    FILE *file;
    int other;

    switch (way % 6) {
    case 0:
        file = fdopen(fd, "r+");
        if (file == NULL || fclose(file) != 0)
            die("fclose");
        return;
    case 1:
        other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (other < 0 || dup3(other, fd, O_CLOEXEC) != fd)
            die("dup3");
        close(other);
        break;
    case 2:
        other = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        if (other < 0)
            die("dup");
        close(fd);
        fd = other;
        break;
    case 3:
        shutdown(fd, SHUT_RDWR);
        break;
    case 4:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        break;
    default:
        break;
    }
    close(fd);
}

/* A child that reads a connection's end, and leaves. */
static void use_in_child(int fd)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char line[64];
        int n = snprintf(line, sizeof line, "%d child %d\n", (int)getpid(), (int)parent);
        if (write(ledger, line, (size_t)n) != n)
            die("ledger");
        enter(fd, "out", &server);
        (void)take(fd, 1);
        _exit(0);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void talk(unsigned *seed)
{
    bool nonblocking = rand_r(seed) % 2 == 0;
    unsigned char request[2] = {(unsigned char)(rand_r(seed) % 8),
                                rand_r(seed) % 2 == 0 ? CLOSES_SERVER : CLOSES_CLIENT};
    unsigned special = (unsigned)rand_r(seed) % 20;
    bool by_child = special == 1 && request[1] == CLOSES_SERVER && !nonblocking;
    int fd = nonblocking ? connect_nonblocking() : connect_blocking();
    size_t len = (size_t)request[0] * BLOCK_BYTES;

    if (fd < 0)
        die("connect");
    enter(fd, "out", &server);
    if (by_child)
        request[1] = ENDS_SERVER;
    if (special != 0 && send(fd, request, sizeof request, MSG_NOSIGNAL) == sizeof request) {
        size_t have = nonblocking ? take_by_epoll(fd, len) : take(fd, len);
        if (have != len)
            die("not all of the answer came");
        if (by_child)
            use_in_child(fd);
    }
    if (rand_r(seed) % 4 == 0) /* held for a while */
        poll(NULL, 0, rand_r(seed) % 16);
    drop(fd, (unsigned)rand_r(seed));
}

static void *talk_on(void *argument)
{
    unsigned seed = *(unsigned *)argument;

    while (now_ms() < end_ms) {
        talk(&seed);
        poll(NULL, 0, rand_r(&seed) % 16);
    }
    return NULL;
}

static int be_client(unsigned seed, int ms)
{
    pthread_t threads[CLIENTS];
    unsigned seeds[CLIENTS];

    end_ms = now_ms() + ms;
    for (unsigned i = 0; i < CLIENTS; i++) {
        seeds[i] = seed * CLIENTS + i;
        if (pthread_create(&threads[i], NULL, talk_on, &seeds[i]) != 0)
            die("pthread_create");
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    /* one more that is open at the end, which comes in one of its ways */
    int fd = connect_blocking();
    if (fd < 0)
        die("connect");
    enter(fd, "out", &server);
    switch (seed % 3) {
    case 0:
        _exit(0);
    case 1:
        execl("/bin/true", "true", (char *)NULL);
        die("exec");
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || (ledger = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0) {
        fprintf(stderr, "usage: soak server LEDGER | client LEDGER PORT SEED MS\n");
        return 2;
    }
    if (argc == 3)
        return be_server();
    if (argc != 6)
        return 2;
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return be_client((unsigned)atoi(argv[4]), atoi(argv[5]));
}
