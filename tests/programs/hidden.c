/* SPDX-License-Identifier: MIT
 *
 * hidden STEP…: a client that makes its system calls itself, so that no library sees them. Each
 * step prints a line `STEP RESULT ERRNO MS`, as steps.c does, MS being how long it took. Steps:
 *
 *     connect:PORT        a socket, and its connect to 127.0.0.1
 *     libc:PORT           the same by libc
 *     accepted            takes a connection from a listener of its own
 *     send:N, recv, fill  N bytes; what there is, up to 64 KiB; until it fails
 *     epoll               non-blocking from now on: a set of its own, edge-triggered for all, is
 *                         waited on until there is something to read; then receives
 *     close, again        closes it; connects a new one to where the last went, by the same number
 *     fgets               by libc's stdio, which makes that call out of sight
 *     flow                takes bytes until there are no more, or an error; by libc's stdio
 *     rest:MS             sleeps
 *     busy:MS             uses the processor, and makes no call
 *     threads             how many threads the process has
 *     lowest:MS           for so long takes and closes a number, which must be the lowest each time
 *     child               goes on in a child; its status becomes this one's
 *     leave:MS            the first thread ends, another goes on for so long and then returns
 *     thrd                the first thread ends by thrd_exit(3) where it would by pthread_exit(3)
 *     leave-last          the first thread ends, and there is no other; what is written until then
 *                         is in stdio's buffer, and it is told whether exit(3) runs in it
 *     cancel-last         the same by pthread_cancel(3)
 *     hold:MS             keeps the watchdog where it is for so long, and goes on meanwhile
 *     user:UID            becomes that user
 *
 * A machine for which this is not written prints "not here".
 */
#include "shim/sys/raw.h"

#include "tests/programs/words.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>

#ifdef TMO_RAW_BY_LIBC
int main(void)
{
    puts("not here");
    return 0;
}
#else

static int sock = -1;
static struct sockaddr_in peer = {.sin_family = AF_INET};
static char piece[1 << 16];

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)TMO_RAW2(SYS_nanosleep, &t, 0);
}

static long connected(void)
{
    sock = (int)TMO_RAW3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    return TMO_RAW3(SYS_connect, sock, &peer, sizeof(peer));
}

static long connected_by_libc(void)
{
    sock = socket(AF_INET, SOCK_STREAM, 0);
    return connect(sock, (struct sockaddr *)&peer, sizeof(peer)) == 0 ? 0 : -errno;
}

/* A connection in, of which libc knows nothing, from one that a child of ours keeps. */
static long accepted(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = (int)TMO_RAW3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    (void)TMO_RAW3(SYS_bind, listener, &at, sizeof(at));
    (void)TMO_RAW2(SYS_listen, listener, 1);
    (void)TMO_RAW3(SYS_getsockname, listener, &at, &len);
    int other = (int)TMO_RAW3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    (void)TMO_RAW3(SYS_connect, other, &at, sizeof(at));
    sock = (int)TMO_RAW4(SYS_accept4, listener, 0, 0, 0);
    return sock < 0 ? sock : 0;
}

static long receive(void)
{
    return TMO_RAW5(SYS_recvfrom, sock, piece, sizeof(piece), 0, 0);
}

static long send_bytes(size_t len)
{
    return tmo_raw_call(SYS_sendto, sock, (long)piece, (long)len, MSG_NOSIGNAL, 0, 0);
}

static long fill(void)
{
    long n;
    while ((n = send_bytes(sizeof(piece))) > 0)
        continue;
    return n;
}

static long by_epoll(void)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = sock};
    int set = (int)TMO_RAW1(SYS_epoll_create1, EPOLL_CLOEXEC);
    (void)TMO_RAW3(SYS_fcntl, sock, F_SETFL, O_RDWR | O_NONBLOCK);
    (void)TMO_RAW4(SYS_epoll_ctl, set, EPOLL_CTL_ADD, sock, &e);
    do {
        long n = tmo_raw_call(SYS_epoll_pwait, set, (long)&e, 1, -1, 0, 8);
        if (n < 0 && n != -EINTR)
            return n;
    } while ((e.events & (EPOLLIN | EPOLLERR)) == 0);
    (void)TMO_RAW1(SYS_close, set);
    return receive();
}

static long by_stdio(void)
{
    static FILE *file;
    char line[256];
    if (file == NULL)
        file = fdopen(sock, "r");
    errno = 0;
    return fgets(line, sizeof(line), file) != NULL ? (long)strlen(line) : feof(file) ? 0 : -errno;
}

static long flow(void)
{
    FILE *file = fdopen(sock, "r");
    long count = 0;
    errno = 0;
    while (getc(file) != EOF)
        count++;
    return feof(file) ? count : -errno;
}

static long threads(void)
{
    long count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks != NULL && (e = readdir(tasks)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static long lowest(long ms)
{
    long first = TMO_RAW1(SYS_dup, 0), end = now_ms() + ms, taken = 0;
    (void)TMO_RAW1(SYS_close, first);
    while (now_ms() < end) {
        for (int i = 0; i < 1000; i++) {
            long fd = TMO_RAW1(SYS_dup, 0);
            taken += fd != first;
            (void)TMO_RAW1(SYS_close, fd);
        }
    }
    return taken;
}

static void busy(long ms)
{
    for (long end = now_ms() + ms; now_ms() < end;)
        continue;
}

static void *last_thread(void *arg)
{
    sleep_ms(*(long *)arg);
    puts("last 0 - 0");
    fflush(stdout);
    return NULL;
}

static bool by_thrd;

static void first_ends(void)
{
    if (by_thrd)
        thrd_exit(0);
    pthread_exit(NULL);
}

static void leave(long ms)
{
    static long rest_ms;
    pthread_t thread;
    rest_ms = ms;
    fflush(stdout);
    if (pthread_create(&thread, NULL, last_thread, &rest_ms) == 0)
        first_ends();
}

static void say_who_exits(void)
{
    printf("exit 0 %s 0\n", syscall(SYS_gettid) == getpid() ? "-" : "other");
}

static void leave_last(bool cancelled)
{
    atexit(say_who_exits);
    puts("buffered 0 - 0");
    if (cancelled) {
        pthread_cancel(pthread_self());
        pthread_testcancel();
    }
    first_ends();
}

/* The thread of this process that is not its first; 0: there is none. */
static pid_t other_thread(void)
{
    int other = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks != NULL && (e = readdir(tasks)) != NULL;) {
        if (atoi(e->d_name) > 0 && atoi(e->d_name) != getpid())
            other = atoi(e->d_name);
    }
    if (tasks != NULL)
        closedir(tasks);
    return other;
}

/* By a child, as a debugger does it. */
static long hold(long ms)
{
    pid_t held = other_thread();
    int ends[2];
    char told = '-';
    if (held == 0 || pipe(ends) < 0)
        return -ESRCH;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if (fork() == 0) {
        bool has = ptrace(PTRACE_SEIZE, held, 0, 0) == 0 &&
                   ptrace(PTRACE_INTERRUPT, held, 0, 0) == 0 && waitpid(held, NULL, __WALL) == held;
        (void)TMO_RAW3(SYS_write, ends[1], has ? "+" : "-", 1);
        sleep_ms(ms);
        _exit(0);
    }
    (void)TMO_RAW3(SYS_read, ends[0], &told, 1);
    return told == '+' ? 0 : -EPERM;
}

static void say(const char *step, long n, long ms)
{
    printf("%.*s %ld %s %ld\n", (int)strcspn(step, ":"), step, n < 0 ? -1 : n,
           n < 0 ? errno_name((int)-n) : "-", ms);
    fflush(stdout);
}

static void in_child(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        return;
    (void)waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 100);
}

static long do_step(const char *step, long arg)
{
    size_t len = strcspn(step, ":");
#define IS(name) (len == sizeof(name) - 1 && memcmp(step, name, len) == 0)
    if (IS("connect") || IS("libc")) {
        peer.sin_port = htons((uint16_t)arg);
        peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return IS("libc") ? connected_by_libc() : connected();
    }
    if (IS("again"))
        return connected();
    if (IS("accepted"))
        return accepted();
    if (IS("send"))
        return send_bytes((size_t)arg);
    if (IS("recv"))
        return receive();
    if (IS("fill"))
        return fill();
    if (IS("epoll"))
        return by_epoll();
    if (IS("close"))
        return TMO_RAW1(SYS_close, sock);
    if (IS("fgets"))
        return by_stdio();
    if (IS("flow"))
        return flow();
    if (IS("threads"))
        return threads();
    if (IS("hold"))
        return hold(arg);
    if (IS("lowest"))
        return lowest(arg);
    if (IS("user"))
        return setuid((uid_t)arg) == 0 ? 0 : -errno;
    if (IS("rest"))
        sleep_ms(arg);
    else if (IS("busy"))
        busy(arg);
    else if (IS("child"))
        in_child();
    else if (IS("thrd"))
        by_thrd = true;
    else if (IS("leave"))
        leave(arg);
    else if (IS("leave-last"))
        leave_last(false);
    else if (IS("cancel-last"))
        leave_last(true);
    else
        exit(2);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *colon = strchr(argv[i], ':');
        long start = now_ms();
        long n = do_step(argv[i], colon != NULL ? strtol(colon + 1, NULL, 10) : 0);
        say(argv[i], n, now_ms() - start);
    }
    return 0;
}
#endif
