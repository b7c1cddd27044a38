/* SPDX-License-Identifier: MIT
 *
 * loaders CASE: socket calls before main and after it, and by libraries that are opened in every
 * way; what symbols lead to. GUEST_PLUG is the path of tests/programs/plug.c, compiled.
 */
#include "tests/guest/guest.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>

/* --- before main ----------------------------------------------------------------------------- */

static struct early {
    const char *when;
    int fds[2], faults;
} early[4];
static size_t early_count;

/* A connection over loopback, used and kept; another one closed. No libc function that may not be
 * ready yet. */
static void connect_early(const char *when)
{
    struct early *e = &early[early_count++];
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0), accepted, more;
    char byte = 'e';

    e->when = when;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    e->faults += bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0;
    e->faults += listen(listener, 8) < 0;
    e->faults += getsockname(listener, (struct sockaddr *)&addr, &len) < 0;
    e->fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    e->faults += connect(e->fds[0], (struct sockaddr *)&addr, len) < 0;
    e->fds[1] = accept(listener, NULL, NULL);
    more = socket(AF_INET, SOCK_STREAM, 0);
    e->faults += connect(more, (struct sockaddr *)&addr, len) < 0;
    accepted = accept(listener, NULL, NULL);
    e->faults += send(more, &byte, 1, 0) != 1 || recv(accepted, &byte, 1, 0) != 1;
    e->faults += close(more) < 0 || recv(accepted, &byte, 1, 0) != 0;
    e->faults += close(accepted) < 0 || close(listener) < 0;
    e->faults += write(e->fds[1], &byte, 1) != 1; /* read in main */
}

static void before_all(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    (void)envp;
    connect_early("preinit");
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **,
                                                                              char **) = before_all;

static void __attribute__((constructor(101))) first_of_all(void)
{
    connect_early("constructor 101");
}

static void __attribute__((constructor)) last_of_all(void)
{
    connect_early("constructor");
}

static void use(int a, int b)
{
    char byte = 'a';

    WANT(send(a, &byte, 1, 0) == 1 && recv(b, &byte, 1, 0) == 1 && byte == 'a');
    WANT(write(b, &byte, 1) == 1 && read(a, &byte, 1) == 1 && byte == 'a');
}

static void case_before(void)
{
    for (size_t i = 0; i < early_count; i++) {
        struct early *e = &early[i];
        struct pollfd wait = {e->fds[0], POLLIN, 0};
        char byte;

        printf("%s: %d %d, faults %d\n", e->when, e->fds[0], e->fds[1], e->faults);
        SAY("poll", poll(&wait, 1, 1000));
        SAY("what was sent before main", recv(e->fds[0], &byte, 1, 0));
        use(e->fds[0], e->fds[1]);
        SAY("poll in vain", poll(&wait, 1, 30));
        SAY("shutdown", shutdown(e->fds[1], SHUT_WR));
        SAY("the end", read(e->fds[0], &byte, 1));
        SAY("close", close(e->fds[0]));
        SAY("close", close(e->fds[1]));
    }
}

/* --- after main ------------------------------------------------------------------------------ */

static int late_fds[2] = {-1, -1};

static void say_late(const char *when)
{
    int more[2];

    if (late_fds[0] < 0)
        return;
    use(late_fds[0], late_fds[1]);
    guest_connect(more);
    use(more[0], more[1]);
    DO(close(more[0]));
    DO(close(more[1]));
    printf("%s\n", when);
    fflush(stdout);
}

static void at_exit_function(void)
{
    say_late("atexit");
}

static void at_quick_exit_function(void)
{
    say_late("at_quick_exit");
}

#ifdef __GLIBC__
static void on_exit_function(int status, void *arg)
{
    printf("status %d, %s\n", status, arg != NULL ? "argument" : "none");
    say_late("on_exit");
}
#endif

static void __attribute__((destructor)) destruct(void)
{
    say_late("destructor");
}

static void __attribute__((destructor(101))) destruct_last(void)
{
    say_late("destructor 101");
}

static void end_late(bool quick)
{
    guest_connect(late_fds);
    WANT(atexit(at_exit_function) == 0);
#ifdef __GLIBC__
    WANT(on_exit(on_exit_function, late_fds) == 0);
#endif
    WANT(at_quick_exit(at_quick_exit_function) == 0);
    if (quick)
        quick_exit(5);
    exit(6);
}

static void case_after(void)
{
    for (int quick = 0; quick < 2; quick++) {
        fflush(stdout);
        pid_t pid = fork();
        DO(pid);
        if (pid == 0)
            end_late(quick != 0);
        guest_reap("child", pid);
    }
}

static pthread_key_t key;

static void end_of_thread(void *value)
{
    int *round = value;

    say_late("a value of a thread is destroyed");
    if (--*round > 0) /* and once more (pthread_key_create(3)) */
        WANT(pthread_setspecific(key, value) == 0);
}

static void *live_shortly(void *rounds)
{
    WANT(pthread_setspecific(key, rounds) == 0);
    return NULL;
}

static void case_threads_end(void)
{
    pthread_t thread;
    int rounds = 2;

    guest_connect(late_fds);
    WANT(pthread_key_create(&key, end_of_thread) == 0);
    WANT(pthread_create(&thread, NULL, live_shortly, &rounds) == 0);
    WANT(pthread_join(thread, NULL) == 0);
    use(late_fds[0], late_fds[1]);
    late_fds[0] = -1;
}

/* --- libraries ------------------------------------------------------------------------------- */

static struct plug {
    void *handle;
    int (*faults)(int *);
    int (*dial)(const struct sockaddr_in *);
    int (*accept)(int);
    long (*send)(int, const void *, size_t);
    long (*recv)(int, void *, size_t);
    int (*poll)(int, short, int);
    int (*close)(int);
    int (*replace)(int, int, const struct sockaddr_in *);
} plug;

static void find(const char *name, void *ret)
{
    void *found = dlsym(plug.handle, name);

    if (found == NULL)
        FAIL("%s: %s", name, dlerror());
    memcpy(ret, &found, sizeof found);
}

static void take_plug(void *handle)
{
    if (handle == NULL)
        FAIL("%s", dlerror());
    plug.handle = handle;
    find("plug_faults", &plug.faults);
    find("plug_dial", &plug.dial);
    find("plug_accept", &plug.accept);
    find("plug_send", &plug.send);
    find("plug_recv", &plug.recv);
    find("plug_poll", &plug.poll);
    find("plug_close", &plug.close);
    find("plug_replace", &plug.replace);
}

/* What is under a number that the other side made something else of. */
static void use_replaced(int fd, int by, int other)
{
    char bytes[8] = "replace";
    struct iovec part = {bytes, 3};
    struct pollfd wait = {fd, POLLIN | POLLOUT, 0};

    printf("replaced by %d: ", by);
    SAY("poll", poll(&wait, 1, by == 1 ? 30 : 1000));
    printf("revents %#x\n", (unsigned)wait.revents);
    if (by == 4)
        WANT(plug.send(other, "seven", 5) == 5);
    if (by != 1)
        SAY("read", read(fd, bytes, 1));
    if (by != 1 && by != 0 && by != 4)
        SAY("readv", readv(fd, &part, 1));
    SAY("recv", recv(fd, bytes, 1, MSG_DONTWAIT));
    SAY("write", write(fd, bytes, 2));
    SAY("writev", writev(fd, &part, 1));
    SAY("send", send(fd, bytes, 1, MSG_NOSIGNAL));
    SAY("fcntl", fcntl(fd, F_GETFL) & O_NONBLOCK);
    if (other > 0)
        WANT(plug.close(other) == 0);
    if (by == 0 || by == 4)
        SAY("the end", read(fd, bytes, 1));
    SAY("close", close(fd));
    SAY("close again", close(fd));
}

static void exchange_with_plug(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), fds[2], status = -1;
    char byte = 'x';

    SAY("faults", plug.faults(&status));
    for (int owner = 0; owner < 2; owner++) { /* who makes it, who ends it: the other */
        for (int round = 0; round < 3; round++) {
            fds[0] = owner == 0 ? plug.dial(&addr) : socket(AF_INET, SOCK_STREAM, 0);
            if (owner != 0)
                DO(connect(fds[0], (struct sockaddr *)&addr, sizeof addr));
            fds[1] = owner == 0 ? accept(listener, NULL, NULL) : plug.accept(listener);
            printf("numbers %d %d\n", fds[0], fds[1]);
            use(fds[0], fds[1]);
            WANT(plug.send(fds[0], &byte, 1) == 1 && recv(fds[1], &byte, 1, 0) == 1);
            WANT(send(fds[1], &byte, 1, 0) == 1 && plug.poll(fds[0], POLLIN, 1000) == POLLIN);
            WANT(plug.recv(fds[0], &byte, 1) == 1);
            SAY("poll of the other in vain", plug.poll(fds[0], POLLIN, 30));
            SAY("close", owner == 0 ? close(fds[0]) : plug.close(fds[0]));
            SAY("close again", owner == 0 ? plug.close(fds[0]) : close(fds[0]));
            SAY("the end", recv(fds[1], &byte, 1, 0));
            SAY("close", owner == 0 ? plug.close(fds[1]) : close(fds[1]));
            SAY("close again", owner == 0 ? close(fds[1]) : plug.close(fds[1]));
        }
    }
    for (int by = 0; by < 5; by++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), other, end;

        DO(connect(fd, (struct sockaddr *)&addr, sizeof addr));
        DO(end = accept(listener, NULL, NULL));
        use(fd, end);
        DO(other = plug.replace(fd, by, &addr));
        use_replaced(fd, by, other);
        SAY("the first one's end", recv(end, &byte, 1, 0));
        DO(close(end));
        if (by == 2)
            DO(close(accept(listener, NULL, NULL)));
    }
    SAY("dlclose", dlclose(plug.handle));
    printf("faults at its end: %d\n", status);
    DO(close(listener));
}

static void case_opened(void)
{
    static const int modes[] = {RTLD_NOW | RTLD_LOCAL, RTLD_LAZY | RTLD_GLOBAL,
                                RTLD_LAZY | RTLD_LOCAL, RTLD_NOW | RTLD_LOCAL};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        printf("mode %d\n", modes[i]);
        take_plug(dlopen(getenv("GUEST_PLUG"), modes[i]));
        exchange_with_plug();
    }
}

static void case_opened_deep(void)
{
#ifdef RTLD_DEEPBIND
    take_plug(dlopen(getenv("GUEST_PLUG"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND));
    exchange_with_plug();
    take_plug(dlopen(getenv("GUEST_PLUG"), RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND));
    exchange_with_plug();
#else
    puts("not here");
#endif
}

static void case_opened_apart(void)
{
#ifdef LM_ID_NEWLM
    for (int i = 0; i < 3; i++) {
        take_plug(dlmopen(LM_ID_NEWLM, getenv("GUEST_PLUG"), RTLD_NOW | RTLD_LOCAL));
        exchange_with_plug();
    }
#else
    puts("not here");
#endif
}

/* --- symbols --------------------------------------------------------------------------------- */

static void try_symbols(const char *what, void *connect_at, void *close_at)
{
    int (*connect_by)(int, const struct sockaddr *, socklen_t), (*close_by)(int);
    struct sockaddr_in addr;
    int listener = guest_listener(&addr), fd = socket(AF_INET, SOCK_STREAM, 0), accepted;
    Dl_info info;

    WANT(connect_at != NULL && close_at != NULL);
    memcpy(&connect_by, &connect_at, sizeof connect_by);
    memcpy(&close_by, &close_at, sizeof close_by);
    puts(what);
    SAY("connect", connect_by(fd, (struct sockaddr *)&addr, sizeof addr));
    accepted = accept(listener, NULL, NULL);
    use(fd, accepted);
    SAY("connect again", connect_by(fd, (struct sockaddr *)&addr, sizeof addr));
    SAY("connect of nothing", connect_by(-1, (struct sockaddr *)&addr, sizeof addr));
    SAY("close", close_by(fd));
    SAY("close again", close_by(fd));
    SAY("the end", recv(accepted, &addr, 1, 0));
    WANT(dladdr(connect_at, &info) != 0 && info.dli_fname != NULL);
    DO(close(accepted));
    DO(close(listener));
}

static void case_symbols(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

    (void)dlerror();
    try_symbols("RTLD_DEFAULT", dlsym(RTLD_DEFAULT, "connect"), dlsym(RTLD_DEFAULT, "close"));
    try_symbols("RTLD_NEXT", dlsym(RTLD_NEXT, "connect"), dlsym(RTLD_NEXT, "close"));
    if (libc != NULL)
        try_symbols("libc", dlsym(libc, "connect"), dlsym(libc, "close"));
    try_symbols("the program", dlsym(dlopen(NULL, RTLD_LAZY), "connect"),
                dlsym(dlopen(NULL, RTLD_LAZY), "close"));
    printf("dlerror: %s\n", dlerror() == NULL ? "none" : "some");
    WANT(dlsym(RTLD_DEFAULT, "no_such_name_at_all") == NULL && dlerror() != NULL);
#if defined(__GLIBC__) && defined(__x86_64__)
    try_symbols("a version", dlvsym(RTLD_DEFAULT, "connect", "GLIBC_2.2.5"),
                dlvsym(RTLD_NEXT, "close", "GLIBC_2.2.5"));
    WANT(dlvsym(RTLD_DEFAULT, "connect", "GLIBC_2.99") == NULL && dlerror() != NULL);
#endif
    void *self;
    int (*linked)(int) = close;
    memcpy(&self, &linked, sizeof self);
    printf("the program's close is the first: %s\n",
           self == dlsym(RTLD_DEFAULT, "close") ? "yes" : "no");
}

static const struct guest_case cases[] = {
    {"before", case_before},           {"after", case_after},
    {"threads_end", case_threads_end}, {"opened", case_opened},
    {"opened_deep", case_opened_deep}, {"opened_apart", case_opened_apart},
    {"symbols", case_symbols},
};
GUEST_MAIN(cases)
