/* SPDX-License-Identifier: MIT
 * Cases of confined.c: other identities, other namespaces, limits on memory, files, processes.
 */
#ifndef TESTS_GUEST_CONFINED_RIGHTS_H
#define TESTS_GUEST_CONFINED_RIGHTS_H

#include "tests/guest/confined.h"

#include <grp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { NOBODY = 65534 };

static void *hold_thread(void *gate)
{
    char byte;

    return read(*(int *)gate, &byte, 1) == 0 ? NULL : gate;
}

/* --- identities ------------------------------------------------------------------------------ */

/* What libc does in every thread: musl waits for each, which may leave an errno behind. */
#ifdef __GLIBC__
#define IN_ALL_THREADS(call) (call)
#else
#define IN_ALL_THREADS(call)                                                                       \
    ({                                                                                             \
        long in_all_ = (call);                                                                     \
        if (in_all_ >= 0)                                                                          \
            errno = UNTOUCHED;                                                                     \
        in_all_;                                                                                   \
    })
#endif

static void change_identity(const struct place *p)
{
    gid_t group = NOBODY;
    int gate[2];
    pthread_t thread;

    DO(pipe(gate));
    WANT(pthread_create(&thread, NULL, hold_thread, &gate[0]) == 0);
    exchange(p->ends[0], p->ends[1]);
    SAY("setgroups", IN_ALL_THREADS(setgroups(1, &group)));
    SAY("setresgid", IN_ALL_THREADS(setresgid(NOBODY, NOBODY, NOBODY)));
    SAY("seteuid", IN_ALL_THREADS(seteuid(NOBODY)));
    come_and_go(p);
    SAY("seteuid back", IN_ALL_THREADS(seteuid(0)));
    SAY("setuid", IN_ALL_THREADS(setuid(NOBODY)));
    SAY("setuid back", IN_ALL_THREADS(setuid(0)));
    come_and_go(p);
    SAY("a file that is not ours", open("/etc/shadow", O_RDONLY));
    SAY("chroot", chroot("/"));
    DO(close(gate[1]));
    WANT(pthread_join(thread, NULL) == 0);
}

static void case_identity(void)
{
    struct place p;

    make_place(&p);
    if (geteuid() != 0) {
        puts("not root");
        return;
    }
    AS_CHILD("child", change_identity(&p));
    come_and_go(&p);
}

/* The system's shell; not where that is not of musl as we are: our preload would end it. */
static void say_system(const char *command)
{
#ifdef __GLIBC__
    SAY("system", system(command));
#else
    (void)command;
#endif
}

static void case_flags(void)
{
    struct place p;

    make_place(&p);
    SAY("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    come_and_go(&p);
    SAY("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    SAY("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SAY("PR_SET_KEEPCAPS", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    SAY("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    SAY("PR_SET_NAME", prctl(PR_SET_NAME, "guest", 0, 0, 0));
    come_and_go(&p);
    say_system("grep -c NoNewPrivs:.1 /proc/self/status");
}

/* --- other roots and namespaces -------------------------------------------------------------- */

static void go_to_jail(const struct place *p)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/socket"};
    int listener, fd;

    SAY("chroot", chroot("jail"));
    SAY("chdir", chdir("/"));
    come_and_go(p);
    exchange(p->ends[0], p->ends[1]);
    SAY("execv", execv("/bin/sh", (char *[]){NULL}));
    SAY("open", open("/dev/null", O_RDONLY));
    DO(listener = socket(AF_UNIX, SOCK_STREAM, 0));
    SAY("bind", bind(listener, (struct sockaddr *)&un, sizeof un));
    SAY("listen", listen(listener, 1));
    DO(fd = socket(AF_UNIX, SOCK_STREAM, 0));
    SAY("connect", connect(fd, (struct sockaddr *)&un, sizeof un));
    exchange(fd, accept(listener, NULL, NULL));
    DO(unlink("/socket"));
    for (int i = 3; i < 100; i++)
        close(i);
    SAY("open", open("/", O_RDONLY));
    SAY("socket", socket(AF_INET, SOCK_DGRAM, 0));
}

static void case_chroot(void)
{
    struct place p;

    make_place(&p);
    if (geteuid() != 0) {
        puts("not root");
        return;
    }
    DO(mkdir("jail", 0755));
    AS_CHILD("child", go_to_jail(&p));
    DO(rmdir("jail"));
    come_and_go(&p);
}

static void hide_proc(const struct place *p)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) < 0) {
        puts("not here");
        return;
    }
    SAY("what is in /proc", access("/proc/self", F_OK));
    come_and_go(p);
    wait_in_vain(p, epoll_create1(0));
    AS_CHILD("child without /proc", come_and_go(p));
    say_system("exit 5");
}

static void case_no_proc(void)
{
    struct place p;

    make_place(&p);
    AS_CHILD("child", hide_proc(&p));
    come_and_go(&p);
}

static void child_of_namespace(const struct place *p)
{
    printf("number %d\n", (int)getpid());
    come_and_go(p);
    AS_CHILD("grandchild", (printf("number %d\n", (int)getpid()), come_and_go(p)));
}

static void change_namespaces(const struct place *p)
{
    int was = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    exchange(p->ends[0], p->ends[1]);
    SAY("user", unshare(CLONE_NEWUSER)); /* refused to a program with threads (unshare(2)) */
    SAY("net", unshare(CLONE_NEWNET));
    exchange(p->ends[0], p->ends[1]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SAY("connect in a net without a way",
        connect(fd, (const struct sockaddr *)&p->addr, sizeof p->addr));
    SAY("back, without the right to", setns(was, CLONE_NEWNET));
    SAY("pid", unshare(CLONE_NEWPID));
    AS_CHILD("child", exchange(p->ends[0], p->ends[1]));
    DO(close(was));
}

static void change_as_root(const struct place *p)
{
    int was = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    SAY("net", unshare(CLONE_NEWNET));
    exchange(p->ends[0], p->ends[1]);
    SAY("back", setns(was, CLONE_NEWNET));
    come_and_go(p);
    SAY("pid", unshare(CLONE_NEWPID));
    AS_CHILD("child", child_of_namespace(p));
    DO(close(was));
}

static void case_namespaces(void)
{
    struct place p;

    make_place(&p);
    if (geteuid() == 0)
        AS_CHILD("root", change_as_root(&p));
    AS_CHILD("anybody", change_namespaces(&p));
    come_and_go(&p);
}

/* --- limits ---------------------------------------------------------------------------------- */

/* Bytes of address space that there are by now. */
static size_t size_now(void)
{
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    DO(fd);
    WANT(read(fd, text, sizeof text - 1) > 0);
    DO(close(fd));
    return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* A macro, for the first argument's type has no name of its own everywhere. */
#define limit_to(resource, to)                                                                     \
    SAY("setrlimit", setrlimit(resource, &(struct rlimit){(rlim_t)(to), (rlim_t)(to)}))

/* As many sockets as there may be, in no more memory than there is. */
static void fill_up(const struct place *p)
{
    enum { MANY = 3000 };
    static int fds[MANY];
    int count = 0, connected = 0, accepted[20];

    limit_to(RLIMIT_NOFILE, 2000);
    limit_to(RLIMIT_AS, size_now() + 4096);
    while (count < MANY && (fds[count] = socket(AF_INET, SOCK_STREAM, 0)) >= 0)
        count++;
    printf("sockets %d, then %s\n", count, strerror(errno));
    WANT(close(fds[--count]) == 0 && close(fds[--count]) == 0);
    SAY("the number of the first", fds[0] == p->listener + 1);
    SAY("the numbers follow each other", fds[count - 1] - fds[0] == count - 1);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    for (int i = count - 1; i >= count - 20; i--)
        connected += connect(fds[i], (const struct sockaddr *)&p->addr, sizeof p->addr) == 0;
    printf("connected %d\n", connected);
    for (int i = 0; i < 20; i++)
        accepted[i] = accept(p->listener, NULL, NULL);
    for (int i = 0; i < 20; i++)
        WANT(send(fds[count - 1 - i], &i, sizeof i, 0) == (ssize_t)sizeof i &&
             recv(accepted[i], &connected, sizeof i, 0) == (ssize_t)sizeof i && connected == i);
    exchange(p->ends[0], p->ends[1]);
    SAY("dup2", dup2(fds[count - 1], 1990) - 1990);
    SAY("closed by the peer", close(accepted[0]));
    SAY("the end", recv(1990, accepted, 1, 0));
    SAY("mmap", mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    AS_CHILD("a child", exchange(p->ends[0], p->ends[1]));
}

static void case_no_memory(void)
{
    struct place p;

    make_place(&p);
    AS_CHILD("child", fill_up(&p));
    come_and_go(&p);
}

/* A file that may not grow, in three ways to say so; records fill a log meanwhile. */
static void limit_files(const struct place *p, int how)
{
    struct rlimit small = {100, RLIM_INFINITY};
    int file = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    DO(file);
    if (how == 0)
        SAY("setrlimit", setrlimit(RLIMIT_FSIZE, &small));
    else if (how == 1)
        SAY("prlimit", prlimit(getpid(), RLIMIT_FSIZE, &small, NULL));
    else
        SAY("prlimit64 by syscall", syscall(SYS_prlimit64, 0L, (long)RLIMIT_FSIZE, &small, NULL));
    come_and_go(p);
    WANT(signal(SIGXFSZ, on_signal) == SIG_DFL); /* it was not ours to change */
    come_and_go(p);
    printf("handled: %d\n", (int)handled);
    static char bytes[200];
    SAY("write", write(file, bytes, sizeof bytes));
    SAY("write", write(file, bytes, sizeof bytes));
    printf("handled: %d\n", (int)handled);
    WANT(signal(SIGXFSZ, SIG_DFL) == on_signal);
    come_and_go(p);
    if (how == 1)
        SAY("write", write(file, bytes, sizeof bytes));
}

static void case_file_size(void)
{
    struct place p;

    make_place(&p);
    for (int how = 0; how < 3; how++)
        AS_CHILD("child", limit_files(&p, how));
    DO(unlink("file"));
}

static void *small_thread(void *p)
{
    come_and_go(p);
    return p;
}

/* As nobody: no more processes, no locked memory, small stacks. */
static void live_poorly(struct place *p)
{
    pthread_attr_t attr;
    pthread_t thread;

    limit_to(RLIMIT_STACK, 256 * 1024);
    WANT(pthread_attr_init(&attr) == 0);
    WANT(pthread_attr_setstacksize(&attr, 64 * 1024) == 0); /* for stdio, no less */
    WANT(pthread_create(&thread, &attr, small_thread, p) == 0);
    WANT(pthread_join(thread, NULL) == 0);
    say_system("exit 3");
    SAY("setuid", setresuid(NOBODY, NOBODY, NOBODY));
    limit_to(RLIMIT_MEMLOCK, 64 * 1024);
    SAY("mlockall", mlockall(MCL_FUTURE)); /* a table that grows now does not get its memory */
    come_and_go(p);
    for (int i = 0; i < 300; i++)
        WANT(dup(p->ends[0]) >= 0);
    SAY("dup2", dup2(p->ends[0], 900) - 900);
    SAY("close", close(900));
    exchange(p->ends[0], p->ends[1]);
    limit_to(RLIMIT_NPROC, 0);
    SAY("fork", fork());
    limit_to(RLIMIT_CORE, 0);
    limit_to(RLIMIT_CPU, 5);
    limit_to(RLIMIT_NOFILE, 3);
    SAY("socket", socket(AF_INET, SOCK_STREAM, 0));
    exchange(p->ends[0], p->ends[1]);
    SAY("close", close(p->ends[0]));
    SAY("the end", recv(p->ends[1], &attr, 1, MSG_DONTWAIT));
}

static void case_limits(void)
{
    struct place p;

    make_place(&p);
    if (geteuid() != 0) {
        puts("not root");
        return;
    }
    AS_CHILD("child", live_poorly(&p));
    come_and_go(&p);
}

#endif
