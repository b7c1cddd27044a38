/* SPDX-License-Identifier: MIT
 * report/sink: every kind, and what goes wrong with each: nothing lands where it should not,
 * nothing waits, no signal comes through, and what is lost is counted.
 */
#include "tests/unit/place.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* --- files ----------------------------------------------------------------------------------- */

static void check_file(void)
{
    const char *path = in_folder("log.42.prog");
    struct rlimit limit;
    CHECK_EQ(start(in_folder("log.%p.%c")), 0);
    CHECK_TEXT(sink.path, path);
    CHECK_EQ(access(path, F_OK), -1); /* made at the first record */
    CHECK_EQ(say(), 0);
    CHECK_EQ(mode_of(path), 0600);
    CHECK_TEXT(content(path), LINE);

    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int top = limit.rlim_cur < 4096 ? (int)limit.rlim_cur : 4096;
    CHECK_EQ(sink.fd, top - 1);
    CHECK_EQ(fcntl(sink.fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(sink.fd, F_GETFL) & O_APPEND, O_APPEND);
    CHECK(tmo_sink_owns(&sink, sink.fd));
    CHECK(!tmo_sink_owns(&sink, -1) && !tmo_sink_owns(&sink, 0));

    /* Another process appends in between. */
    int other = open(path, O_WRONLY | O_APPEND);
    CHECK_EQ(write(other, "x\n", 2), 2);
    close(other);
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(path), LINE "x\n" LINE);

    /* The program wants our number. */
    int before = sink.fd;
    tmo_sink_move(&sink);
    CHECK_EQ(fcntl(before, F_GETFD), -1);
    CHECK(sink.fd != before && sink.fd >= top - 2 && tmo_sink_owns(&sink, sink.fd));
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(path), LINE "x\n" LINE LINE);
    close(sink.fd);
}

static void check_renamed(void)
{
    const char *path = in_folder("rotated"), *old = in_folder("rotated.1");
    CHECK_EQ(start(path), 0);
    CHECK_EQ(say(), 0);
    int fd = sink.fd;
    CHECK_EQ(rename(path, old), 0);
    sink.looked_s = 0; /* as if a second had gone by */
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(old), LINE);
    CHECK_TEXT(content(path), LINE);
    CHECK_EQ(sink.fd, fd);

    CHECK_EQ(unlink(path), 0); /* seen at once */
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(path), LINE);
    CHECK_EQ(sink.fd, fd);

    /* Renamed, and nothing new can be made: the old one is better than nothing. */
    CHECK_EQ(rename(path, old), 0);
    CHECK_EQ(mkdir(path, 0700), 0);
    sink.looked_s = 0;
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(old), LINE LINE);
    CHECK_EQ(tmo_sink_take_lost(&sink), 0);

    /* Removed and nothing new can be made: lost, and again there when that is over. */
    CHECK_EQ(unlink(old), 0);
    CHECK_EQ(say(), -EISDIR);
    CHECK_EQ(rmdir(path), 0);
    CHECK_EQ(say(), 0);
    CHECK_EQ(tmo_sink_take_lost(&sink), 1);
    CHECK_EQ(tmo_sink_take_lost(&sink), 0);
    tmo_sink_give_lost(&sink, 3);
    CHECK_EQ(tmo_sink_take_lost(&sink), 3);
    close(sink.fd);
}

/* The program closed our descriptor and opened a file of its own under that number. */
static void check_reused(void)
{
    const char *path = in_folder("reused"), *theirs = in_folder("theirs");
    make(theirs, 0600);
    CHECK_EQ(start(path), 0);
    CHECK_EQ(say(), 0);
    int number = sink.fd, fd = open(theirs, O_WRONLY);
    CHECK_EQ(dup2(fd, number), number);
    CHECK(!tmo_sink_owns(&sink, number));
    CHECK_EQ(say(), 0);
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(path), LINE LINE LINE);
    CHECK_TEXT(content(theirs), "");
    CHECK(fcntl(number, F_GETFD) >= 0); /* theirs stays open */
    CHECK(sink.fd != number);
    close(sink.fd);
    CHECK_EQ(say(), 0); /* closed, not reused */
    CHECK_TEXT(content(path), LINE LINE LINE LINE);
    close(number);
    close(fd);
    close(sink.fd);
}

/* With no number free the file is not kept open, and with none at all the record is lost. */
static void check_no_numbers(void)
{
    struct rlimit old, few;
    static int fds[128];
    size_t count = 0;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 80;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(start(in_folder("numbers")), 0);
    while (count < 128 && (fds[count] = dup(0)) >= 0)
        count++;
    CHECK_EQ(say(), -EMFILE);
    close(5); /* below the top */
    CHECK_EQ(say(), 0);
    CHECK_EQ(say(), 0);
    CHECK_EQ(sink.fd, -1);
    CHECK_EQ(fcntl(5, F_GETFD), -1);
    close(77);
    CHECK_EQ(say(), 0);
    CHECK_EQ(sink.fd, 77);
    CHECK_EQ(tmo_sink_take_lost(&sink), 1);
    CHECK_TEXT(content(in_folder("numbers")), LINE LINE LINE);
    while (count > 0)
        close(fds[--count]);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* --- full, limited --------------------------------------------------------------------------- */

static void check_full(void)
{
    CHECK_EQ(start("/dev/full"), 0);
    CHECK_EQ(say(), -ENOSPC);
    CHECK_EQ(tmo_sink_take_lost(&sink), 1);
    close(sink.fd);
    int fd = open("/dev/full", O_WRONLY);
    CHECK_EQ(start_with("fd:", fd), 0);
    CHECK_EQ(say(), -ENOSPC);
    close(fd);
}

static sigset_t pending(void)
{
    sigset_t set;
    sigpending(&set);
    return set;
}

/* SIGXFSZ and SIGPIPE would end this process, were they let through. */
static void check_size_limit(void)
{
    struct rlimit old, small;
    sigset_t before, after;
    const char *path = in_folder("limited");
    memset(&before, 0, sizeof(before));
    memset(&after, 0, sizeof(after));
    sigprocmask(SIG_SETMASK, NULL, &before);
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = LEN + 3;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_EQ(start(path), 0);
    CHECK(sink.limited);
    CHECK_EQ(say(), 0);
    CHECK_EQ(say(), -EIO); /* three bytes of it */
    CHECK_EQ(say(), -EFBIG);
    CHECK_EQ(tmo_sink_take_lost(&sink), 2);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    CHECK_EQ(say(), 0); /* on a line of its own */
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(path), LINE "{\"a\n" LINE LINE);
    sigprocmask(SIG_SETMASK, NULL, &after);
    CHECK_EQ(memcmp(&before, &after, sizeof(before)), 0);
    sigset_t set = pending();
    CHECK_EQ(sigismember(&set, SIGXFSZ), 0);
    close(sink.fd);
}

/* --- descriptors of the program -------------------------------------------------------------- */

static void check_pipe(void)
{
    int ends[2];
    static char much[65536];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(start_with("fd:", ends[1]), 0);
    CHECK(!tmo_sink_owns(&sink, ends[1]));
    CHECK_EQ(say(), 0);
    char got[LEN];
    CHECK_EQ(read(ends[0], got, sizeof(got)), LEN);
    CHECK_EQ(memcmp(got, LINE, LEN), 0);

    int flags = fcntl(ends[1], F_GETFL);
    fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
    while (write(ends[1], much, sizeof(much)) > 0)
        ;
    fcntl(ends[1], F_SETFL, flags);
    CHECK(!tmo_sink_is_full(&sink));
    CHECK_EQ(say(), -EAGAIN); /* full, and blocking */
    CHECK(tmo_sink_is_full(&sink) && sink.full_for_ms == 1);
    CHECK_EQ(tmo_sink_take_lost(&sink), 1);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(say(), -EAGAIN);
    CHECK(tmo_sink_is_full(&sink) && sink.full_for_ms == 64);
    CHECK_EQ(tmo_sink_take_lost(&sink), 8);
    for (int tries = 0; tmo_sink_is_full(&sink) && tries < 1000; tries++)
        poll(NULL, 0, 1);
    CHECK(!tmo_sink_is_full(&sink));
    CHECK_EQ(fcntl(ends[1], F_GETFL), flags);
    CHECK(read(ends[0], much, 8192) > 0);
    CHECK_EQ(say(), 0);

    close(ends[0]);
    CHECK_EQ(say(), -EPIPE);
    sigset_t set = pending();
    CHECK_EQ(sigismember(&set, SIGPIPE), 0);
    close(ends[1]);
    CHECK_EQ(say(), -EBADF);
    CHECK_EQ(tmo_sink_take_lost(&sink), 2);

    /* The number is somebody else's now. */
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(start_with("/dev/fd/", ends[1]), 0);
    int other = open(in_folder("other"), O_WRONLY | O_CREAT, 0600);
    CHECK_EQ(dup2(other, ends[1]), ends[1]);
    CHECK_EQ(say(), -EBADF);
    CHECK_TEXT(content(in_folder("other")), "");
    CHECK_EQ(start_with("fd:", ends[0]), -EBADF);
    CHECK_TEXT(what, "is not open for writing");
    close(ends[0]);
    close(ends[1]);
    close(other);
    CHECK_EQ(start_with("fd:", other), -EBADF);
    CHECK_TEXT(what, "is not open");
}

/* A FIFO by name: no reader, a reader, a reader that has gone; a SIGPIPE of the program's own. */
static void check_fifo(void)
{
    const char *path = in_folder("fifo");
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(start(path), 0);
    CHECK_EQ(say(), -ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    CHECK_EQ(say(), 0);
    char got[64];
    CHECK_EQ(read(reader, got, sizeof(got)), LEN);
    close(reader);
    CHECK_EQ(say(), -EPIPE);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, &old);
    CHECK_EQ(say(), -EPIPE);
    set = pending();
    CHECK_EQ(sigismember(&set, SIGPIPE), 0);
    pthread_kill(pthread_self(), SIGPIPE);
    CHECK_EQ(say(), -EPIPE);
    set = pending();
    CHECK_EQ(sigismember(&set, SIGPIPE), 1);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
    CHECK_EQ(tmo_sink_take_lost(&sink), 4);
    close(sink.fd);
}

static void check_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        puts("no terminal is to be had: not tried on one");
        return;
    }
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK_EQ(start_with("fd:", slave), 0);
    CHECK_EQ(say(), 0);
    char got[64];
    CHECK_EQ(read(master, got, sizeof(got)), LEN + 1); /* \r\n */
    int r = 0;
    for (int i = 0; i < 100000 && r == 0; i++) /* nobody reads: full at some time, and no wait */
        r = tmo_sink_write(&sink, LINE, LEN);
    CHECK(r == -EAGAIN || r == -EIO);
    close(slave);
    close(master);
}

static void check_stream(void)
{
    int ends[2];
    static char much[65536];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_EQ(start_with("fd:", ends[1]), 0);
    CHECK_EQ(say(), 0);
    while (send(ends[1], much, sizeof(much), MSG_DONTWAIT) > 0)
        ;
    while (send(ends[1], much, 1, MSG_DONTWAIT) > 0)
        ;
    CHECK_EQ(say(), -EAGAIN);
    close(ends[0]);
    CHECK(say() < 0);
    CHECK_EQ(tmo_sink_take_lost(&sink), 2);
    close(ends[1]);
}

static void check_datagrams(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char text[128], got[64];
    const char *path = in_folder("sock");
    snprintf(text, sizeof(text), "unix:%s", path);
    CHECK_EQ(start(text), -ENOENT);
    CHECK_TEXT(what, "its socket is not there");
    CHECK_EQ(say(), -ENOENT);
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(server, (struct sockaddr *)&to, sizeof(to)), 0);
    CHECK_EQ(start(text), 0);
    CHECK_EQ(say(), 0);
    CHECK_EQ(recv(server, got, sizeof(got), 0), LEN);
    CHECK_EQ(memcmp(got, LINE, LEN), 0);
    int r = 0;
    for (int i = 0; i < 100000 && r == 0; i++)
        r = tmo_sink_write(&sink, LINE, LEN);
    CHECK_EQ(r, -EAGAIN);

    /* syslog: the same, with a head and without the newline. */
    while (recv(server, got, sizeof(got), MSG_DONTWAIT) > 0)
        ;
    sink.kind = TMO_SINK_SYSLOG;
    strcpy(sink.program, "a b:[x");
    CHECK_EQ(say(), 0);
    ssize_t n = recv(server, got, sizeof(got) - 1, 0);
    got[n > 0 ? n : 0] = '\0';
    snprintf(text, sizeof(text), "<29>a_b__x[%d]: {\"a\":1}", getpid());
    CHECK_TEXT(got, text);
    close(server);
    CHECK_EQ(say(), -ECONNREFUSED);
    CHECK_EQ(tmo_sink_take_lost(&sink), 2);
    CHECK_EQ(dup(0), server); /* nothing was left open */
    close(server);
}

/* --- at once --------------------------------------------------------------------------------- */

#define THREADS 4
#define EACH    200

static void *say_often(void *arg)
{
    for (int i = 0; i < EACH; i++)
        (void)tmo_sink_write(&sink, LINE, LEN);
    return arg;
}

static void check_threads(void)
{
    const char *path = in_folder("threads");
    pthread_t threads[THREADS];
    struct stat st;
    int lowest = dup(0);
    close(lowest);
    CHECK_EQ(start(path), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, say_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(tmo_sink_take_lost(&sink), 0);
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_size, (off_t)(THREADS * EACH * LEN));
    CHECK_EQ(dup(0), lowest);
    close(lowest);

    /* A child that was forked while another thread was at it is not stopped by that. */
    CHECK_EQ(unlink(path), 0);
    sink.keeper = getpid();
    pid_t child = fork();
    if (child == 0) {
        int fd = sink.fd;
        int r = tmo_sink_write(&sink, LINE, LEN);
        _exit(r == 0 && sink.keeper == 0 && sink.fd == fd ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(say(), 0); /* held: it goes without keeping the file */
    CHECK_TEXT(content(path), LINE LINE);
    sink.keeper = 0;
    close(sink.fd);
}

int main(void)
{
    begin();
    check_file();
    check_renamed();
    check_reused();
    check_no_numbers();
    check_full();
    check_size_limit();
    check_pipe();
    check_fifo();
    check_terminal();
    check_stream();
    check_datagrams();
    check_threads();
    return end();
}
