/* SPDX-License-Identifier: MIT
 *
 * luck CASE: what went well by luck only, one case a time; they stand at the end of this file.
 *
 * A case checks itself: it prints `CASE: ok`, `CASE: skip REASON`, or what went wrong, with status
 * 1. SOCKTMO_TIMEOUT, as `Nms`, is the limit; without it a case is as it must be bare, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANY ((struct sockaddr *)&address)
enum { SLACK_MS = 450, AT_ONCE_MS = 200, GUARD_S = 9 };
static const char *name; /* of the case */
static int limit_ms;     /* 0: bare */
static in_addr_t host = INADDR_LOOPBACK;
static char big[1 << 23], taken[1 << 21];

/* --- what is said, and what it must be ------------------------------------------------------- */

#define SAY(status, ...) (printf("%s: ", name), printf(__VA_ARGS__), putchar('\n'), exit(status))
#define WANT(truth)      ((truth) ? (void)0 : SAY(1, "line %d: not so: %s", __LINE__, #truth))
#define DO(succeeds)     ((succeeds) >= 0 ? (void)0 : SAY(1, "%s: %s", #succeeds, strerror(errno)))

static int now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int)(now.tv_sec % 1000000) * 1000 + (int)(now.tv_nsec / 1000000);
}

struct result {
    const char *what;
    long n;
    int error, ms;
};

#define MEASURED(call)                                                                             \
    ({                                                                                             \
        struct result ret_ = {.what = #call, .ms = -now_ms(CLOCK_MONOTONIC)};                      \
        ret_.n = (long)(call);                                                                     \
        ret_.error = ret_.n < 0 ? errno : 0;                                                       \
        ret_.ms += now_ms(CLOCK_MONOTONIC);                                                        \
        ret_;                                                                                      \
    })
#define LIMIT                         limit_ms - 1 /* our clock is cut to a ms */, limit_ms * 11 / 10 + SLACK_MS
#define SET(fd, level, option, value) setsockopt(fd, level, option, &(int){value}, sizeof(int))
#define AT_ONCE(call, n_, error)      gives(MEASURED(call), n_, error, 0, AT_ONCE_MS)
#define TIMES_OUT(call)               gives(MEASURED(call), -1, ETIMEDOUT, LIMIT)

static void gives(struct result result, long n, int error, int low_ms, int high_ms)
{
    if (result.n != n || result.error != error || result.ms < low_ms || result.ms > high_ms)
        SAY(1, "%s = %ld (%s) in %d ms, not %ld (%s) in %d to %d", result.what, result.n,
            strerror(result.error), result.ms, n, strerror(error), low_ms, high_ms);
}

/* A socket with a port that nobody listens on yet. */
static int bound(int type)
{
    struct sockaddr_in address = {AF_INET, .sin_addr.s_addr = htonl(host)};
    int fd = socket(AF_INET, type, 0);
    DO(bind(fd, ANY, sizeof address));
    return fd;
}

/* Connects FD to where TO is bound. */
static int dial(int fd, int to)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    DO(getsockname(to, ANY, &size));
    return connect(fd, ANY, size);
}

struct pair {
    int listener, client, peer;
};

/* Not connected yet; with the peer's receive buffer and the client's send buffer, if not 0. */
static struct pair prepared(int receive, int send)
{
    struct pair ret = {bound(SOCK_STREAM), socket(AF_INET, SOCK_STREAM, 0), -1};
    WANT(receive == 0 || SET(ret.listener, SOL_SOCKET, SO_RCVBUF, receive) == 0);
    WANT(send == 0 || SET(ret.client, SOL_SOCKET, SO_SNDBUF, send) == 0);
    DO(listen(ret.listener, 5));
    return ret;
}

static struct pair meet(struct pair pair)
{
    DO(dial(pair.client, pair.listener));
    DO(pair.peer = accept(pair.listener, NULL, NULL));
    return pair;
}
#define connected(receive, send) meet(prepared(receive, send))

static int happens(int fd, short events, int ms)
{
    struct pollfd wait = {.fd = fd, .events = events};
    return poll(&wait, 1, ms) == 0 ? 0 : wait.revents;
}

/* Lets the connection be silent for longer than the limit. */
#define GROW_OLD(fd) WANT(happens(fd, POLLIN, limit_ms + 100) == 0)

static void fill(int fd, size_t step)
{
    while (happens(fd, POLLOUT, 100) != 0)
        WANT(send(fd, big, step, MSG_DONTWAIT) > 0 || errno == EAGAIN);
}

static struct racer {
    int fd, ends[2]; /* the pipe has a byte once it is done */
    _Atomic pid_t tid;
    struct result result;
    char got[16];
} racer;

static pthread_t start(void *(*run)(void *), int fd, void *argument)
{
    pthread_t ret;
    racer.fd = fd;
    WANT((racer.ends[1] > 0 || pipe(racer.ends) == 0) &&
         pthread_create(&ret, NULL, run, argument) == 0);
    return ret;
}

static void *finished(struct result result)
{
    racer.result = result;
    DO(write(racer.ends[1], "", 1));
    return NULL;
}

#define is_done(within_ms) (happens(racer.ends[0], POLLIN, within_ms) == POLLIN)

/* Waits until the thread sleeps in that system call; false if it is done before, or never does. */
static bool sleeps_in(long call)
{
    char path[64], text[16] = "";
    for (int i = 0; i < 400 && atol(text) != call && !is_done(5); i++) {
        snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)racer.tid);
        int fd = open(path, O_RDONLY);
        text[0] = '\0'; /* it is "running", or a number */
        WANT(fd < 0 || read(fd, text, sizeof text - 1) >= 0);
        close(fd);
    }
    return atol(text) == call;
}

static void *wait_there(void *sends)
{
    racer.tid = gettid();
    return finished(sends != NULL ? MEASURED(send(racer.fd, big, sizeof big, MSG_NOSIGNAL))
                                  : MEASURED(recv(racer.fd, racer.got, sizeof racer.got, 0)));
}

/* A thread waits for half the limit, or goes on after ON_WAY bytes that the peer takes then; the
 * client's end is closed, and connects anew: to the same number. */
static struct pair replaced(struct pair pair, size_t on_way)
{
    start(wait_there, pair.client, on_way > 0 ? big : NULL);
    WANT(sleeps_in(on_way > 0 ? SYS_sendto : SYS_recvfrom));
    WANT(happens(pair.client, POLLIN, limit_ms / 2) == 0);
    if (on_way > 0)
        WANT(recv(pair.peer, taken, on_way, MSG_WAITALL) == (ssize_t)on_way);
    if (on_way > 0 && limit_ms > 0)
        sleeps_in(SYS_ppoll); /* the shim goes on with it */
    close(pair.client);
    WANT(socket(AF_INET, SOCK_STREAM, 0) == pair.client);
    return meet(pair);
}

/* --- the cases ------------------------------------------------------------------------------- */

static void number_send(void)
{
    memset(big, 'A', sizeof big);
    struct pair new = replaced(connected(262144, 262144), sizeof taken);
    AT_ONCE(send(new.client, "hello", 5, 0), 5, 0);
    WANT(is_done(limit_ms > 0 ? limit_ms + SLACK_MS : 200) == (limit_ms > 0));
    WANT(happens(new.peer, POLLIN, 1000) == POLLIN);
    WANT(recv(new.peer, taken, sizeof taken, MSG_DONTWAIT) == 5 && memcmp(taken, "hello", 5) == 0);
    if (limit_ms > 0) /* a part, whatever it is */
        gives(racer.result, racer.result.n, 0, limit_ms - 1, 2 * limit_ms + SLACK_MS);
    WANT(racer.result.n < (long)sizeof big);
}

static void number_recv(void)
{
    struct pair new = replaced(connected(0, 0), 0);
    if (limit_ms > 0)
        sleeps_in(SYS_ppoll); /* it must not: its time is over */
    AT_ONCE(send(new.peer, "secret", 6, 0), 6, 0);
    WANT(is_done(200) == (limit_ms > 0) && racer.got[0] == '\0');
    WANT(happens(new.client, POLLIN, 1000) == POLLIN);
    AT_ONCE(recv(new.client, taken, 16, MSG_DONTWAIT), 6, 0);
    if (limit_ms > 0)
        gives(racer.result, -1, racer.result.error, LIMIT);
}

static void error_queue(void)
{
    struct pair pair = connected(0, 0);
    if (SET(pair.client, SOL_SOCKET, SO_ZEROCOPY, 1) != 0)
        SAY(0, "skip the kernel refuses SO_ZEROCOPY");
    WANT(send(pair.client, big, 60000, MSG_ZEROCOPY) == 60000);
    WANT(recv(pair.peer, taken, 60000, MSG_WAITALL) == 60000);
    WANT(happens(pair.client, 0, 1000) == POLLERR);
    int cpu_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    TIMES_OUT(recv(pair.client, taken, 10, 0));
    WANT(now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_ms < 100);
}

static void out_of_band(void)
{
    struct pair pair = connected(2304, 4608);
    fill(pair.client, 100);
    WANT(send(pair.client, "!", 1, MSG_OOB | MSG_DONTWAIT) == 1);
    /* EINVAL until it is announced */
    for (int i = 0; recv(pair.peer, taken, 1, MSG_OOB | MSG_DONTWAIT) < 0 && errno == EINVAL; i++)
        WANT(i < 400 && happens(pair.peer, POLLPRI, 10) == 0);
    WANT(errno == EAGAIN && happens(pair.peer, POLLPRI, limit_ms + 100) == 0);
    AT_ONCE(recv(pair.peer, taken, 1, MSG_OOB), -1, EAGAIN);
    AT_ONCE(recv(pair.peer, taken, 1, MSG_OOB), -1, EAGAIN);
}

static void datagram(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct result last = {.n = 5};
    DO(bind(receiver, ANY, sizeof address.sun_family)); /* to a name of the kernel's */
    DO(getsockname(receiver, ANY, &size));
    for (int i = 0; i < 1000 && last.n == 5; i++)
        last = MEASURED(sendto(sender, "hello", 5, 0, ANY, size));
    gives(last, -1, ETIMEDOUT, LIMIT);
}

static void family(void)
{
    int nobody = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "./a-path-that-is-not-there"};
    AT_ONCE(dial(fd, nobody), -1, ECONNREFUSED);
    AT_ONCE(connect(fd, ANY, sizeof address), -1, EAFNOSUPPORT);
}

/* The second time on a socket that is older than the limit. */
static void whole_messages(int from, int to)
{
    for (int i = 0; i < 2; i++) {
        WANT(send(from, "one", 3, 0) == 3 && send(from, "two", 3, 0) == 3);
        AT_ONCE(recv(to, taken, 16, MSG_WAITALL), 3, 0);
        AT_ONCE(recv(to, taken + 3, 16, MSG_WAITALL), 3, 0);
        WANT(memcmp(taken, "onetwo", 7) == 0);
        GROW_OLD(to);
    }
}

static void wait_all(void)
{
    int receiver = bound(SOCK_DGRAM), sender = socket(AF_INET, SOCK_DGRAM, 0), ends[2];
    DO(dial(sender, receiver));
    whole_messages(sender, receiver);
    DO(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    whole_messages(ends[0], ends[1]);
}

static void file_end(void)
{
    struct pair pair = connected(4096, 400000);
    FILE *file = tmpfile();
    WANT(file != NULL && ftruncate(fileno(file), 100) == 0);
    fill(pair.client, 1000);
    GROW_OLD(pair.client);
    WANT(happens(pair.client, POLLOUT, 0) == 0);
    AT_ONCE(sendfile(pair.client, fileno(file), NULL, 4096), 100, 0);
    AT_ONCE(send(pair.client, "x", 1, MSG_DONTWAIT), 1, 0);
    AT_ONCE(send(pair.client, "x", 1, 0), 1, 0);
}

static void full_pipe(void)
{
    int fd = connected(0, 0).client, ends[2];
    DO(pipe2(ends, O_NONBLOCK));
    while (write(ends[1], big, 4096) > 0)
        ;
    DO(fcntl(ends[1], F_SETFL, 0));
    AT_ONCE(splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK), -1, EAGAIN);
    GROW_OLD(fd);
    AT_ONCE(splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK), -1, EAGAIN);
}

/* Two waits, then the connection is ended. */
static void end_by_expiry(int fd, int peer)
{
    TIMES_OUT(recv(fd, taken, 4, 0));
    TIMES_OUT(recv(fd, taken, 4, 0));
    AT_ONCE(recv(fd, taken, 4, 0), -1, ETIMEDOUT);
    WANT(happens(peer, POLLIN, 1000) != 0);
    AT_ONCE(recv(peer, taken, 4, MSG_DONTWAIT), -1, ECONNRESET);
}

static void any_address(void)
{
    host = INADDR_ANY;
    struct pair pair = connected(0, 0);
    end_by_expiry(pair.client, pair.peer);
}

static void another(void)
{
    struct pair pair = prepared(0, 0);
    int fd = pair.client, nobody = bound(SOCK_STREAM), error;
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    socklen_t size = sizeof error;
    DO(fcntl(fd, F_SETFL, O_NONBLOCK));
    AT_ONCE(dial(fd, nobody), -1, EINPROGRESS);
    WANT(happens(fd, POLLOUT, 1000) != 0);
    WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED);
    AT_ONCE(dial(fd, pair.listener), -1, ECONNABORTED);
    AT_ONCE(dial(fd, pair.listener), -1, EINPROGRESS);
    WANT(happens(fd, POLLOUT, 1000) == POLLOUT);
    DO(fcntl(fd, F_SETFL, 0));
    pair.peer = accept(pair.listener, NULL, NULL);
    if (limit_ms > 0)
        end_by_expiry(fd, pair.peer);
    close(fd);
    DO(pair.client = socket(AF_INET, SOCK_STREAM, 0));
    DO(connect(meet(pair).client, &nowhere, sizeof nowhere));
}

/* Whoever sets less than 0 never waits; the shim leaves that to a program of its own times. */
static void negative(void)
{
    struct timeval never = {.tv_sec = -1};
    struct pair pair = prepared(0, 0);
    DO(setsockopt(pair.client, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never));
    DO(setsockopt(pair.client, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never));
    AT_ONCE(dial(pair.client, pair.listener), -1, EINPROGRESS);
    WANT(happens(pair.client, POLLOUT, 1000) == POLLOUT);
    AT_ONCE(dial(pair.client, pair.listener), 0, 0);
    GROW_OLD(pair.client);
    AT_ONCE(recv(pair.client, taken, 4, 0), -1, EAGAIN);
    struct result sent = MEASURED(send(pair.client, big, sizeof big, 0));
    WANT(sent.n > 0 && sent.n < (long)sizeof big);
    for (int i = 0; i < 100 && sent.n > 0; i++) { /* what was taken makes room for more */
        WANT(sent.ms <= AT_ONCE_MS);
        sent = MEASURED(send(pair.client, big, sizeof big, 0));
    }
    gives(sent, -1, EAGAIN, 0, AT_ONCE_MS);
}

static void *read_slowly(void *unused)
{
    struct result all = {.what = "all that was read"};
    (void)unused;
    for (ssize_t n; (n = recv(racer.fd, taken, 131072, 0)) > 0; all.n += n)
        poll(NULL, 0, 50); /* that is what it is there for */
    return finished(all);
}

static void fast_open(void)
{
    enum { BYTES = 1 << 22 };
    struct pair pair = prepared(262144, 262144);
    int fd = pair.client;
    if (SET(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1) != 0)
        SAY(0, "skip the kernel refuses TCP_FASTOPEN_CONNECT");
    DO(dial(fd, pair.listener));
    start(read_slowly, accept(pair.listener, NULL, NULL), NULL);
    gives(MEASURED(send(fd, big, BYTES, 0)), BYTES, 0, 2 * limit_ms, 5000);
    DO(shutdown(fd, SHUT_WR));
    WANT(is_done(3000) && racer.result.n == BYTES);
}

static void reopened(void)
{
    struct pair pair = connected(0, 0);
    FILE *file = fdopen(pair.client, "r+");
    end_by_expiry(pair.client, pair.peer);
    file = freopen("/proc/self/stat", "r", file); /* libc closes the socket within itself */
    WANT(file != NULL && fileno(file) == pair.client);
    AT_ONCE(read(fileno(file), taken, 8), 8, 0);
}

static void *close_when_cancelled(void *file)
{
    pthread_cancel(pthread_self());
    DO(syscall(SYS_close, *(int *)file));
    DO(syscall(SYS_close, racer.fd));
    return file;
}

static void cancelled(void)
{
    int file = open("/dev/null", O_RDONLY);
    void *returned;
    pthread_join(start(close_when_cancelled, connected(0, 0).client, &file), &returned);
    WANT(returned == &file); /* syscall(2) is no cancellation point */
}

/* About a ms: longer, and the other has no processor to run on. */
enum { SPINS = 1000000 };

static void *close_together(void *fd)
{
    static _Atomic int ready;
    int spins = 0;
    for (ready++; ready % 2 != 0;) {
        if (++spins > SPINS) /* a yield before would keep them from meeting */
            sched_yield();
    }
    DO(close(*(int *)fd));
    return NULL;
}

static void twice(void)
{
    for (int i = 0; i < 500; i++) {
        struct pair pair = connected(0, 0);
        int copy = dup(pair.client);
        pthread_t thread = start(close_together, -1, &copy);
        close_together(&pair.client);
        pthread_join(thread, NULL);
        close(pair.peer);
        close(pair.listener);
    }
}

/* clang-format off */
#define CASE(run) (strcmp(name, #run) == 0 ? run(), SAY(0, "ok") : (void)0);

int main(int argc, char **argv)
{
    name = argc == 2 ? argv[1] : "luck";
    limit_ms = atoi(getenv("SOCKTMO_TIMEOUT") ?: "0");
    alarm(GUARD_S);
    CASE(number_send) CASE(number_recv) CASE(error_queue) CASE(out_of_band) CASE(datagram)
    CASE(family) CASE(wait_all) CASE(file_end) CASE(full_pipe) CASE(any_address) CASE(another)
    CASE(negative) CASE(fast_open) CASE(reopened) CASE(cancelled) CASE(twice)
    SAY(1, "usage: luck CASE, see the end of luck.c");
}
