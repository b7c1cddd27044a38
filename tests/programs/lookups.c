/* SPDX-License-Identifier: MIT
 *
 * lookups SERVER STEP…: look-ups of names in a world of their own (mount and network namespaces,
 * which need root), whose only name server is at 127.0.0.9 and is SERVER:
 *
 *     mute     never answers
 *     good     every name has the address 10.1.2.3, 10.1.2.3 has the name name.test
 *     late:MS  the same, MS later; but to names with an n first not at all
 *
 * /etc/hosts has a.test, 127.0.0.2. The resolver waits for half a minute, and asks five times. A
 * STEP is printed with what came of it, and on standard error with how long it took, `STEP took
 * MS`.
 *
 *     getaddrinfo[:NAME], gethostbyname, gethostbyname2, gethostbyname_r, gethostbyname2_r
 *     getnameinfo, gethostbyaddr, gethostbyaddr_r      of 10.1.2.3
 *     res_query[:NAME], res_search, res_querydomain, res_send, res_nquery, res_nsearch,
 *     res_nquerydomain, res_nsend   the state of the latter four is closed as soon as they return
 *     res_other     res_query and res_nquery with states that have another name server,
 *                   which answers
 *     res_two       res_query in two threads at once
 *     async_wait, async_suspend, async_signal, async_thread
 *                   getaddrinfo_a, for x.test and 127.0.0.1
 *     async_order   one that is never answered, and one that is
 *     res_loop:N, async_loop:N
 *                   as loop, by res_nquery and getaddrinfo_a
 *     two           getaddrinfo in two threads at once
 *     cancel        getaddrinfo in a thread that is cancelled after 200 ms
 *     handler       getaddrinfo, with a handler each 20 ms that restarts nothing
 *     resolver      getaddrinfo, with a resolver's state that is set to ask once, for a second
 *     thread        the signals that the thread of a look-up does not block
 *     loop:N        N times getaddrinfo; what is left when nothing runs any more
 *     none          as a user who may have no more threads
 *     stack         in a handler on a signal stack of its own
 *     alone         what one thread alone may do, after a look-up
 *     numeric:N, file:N
 *                   N look-ups of 127.0.0.1, a.test: ns each
 */
#include "tests/programs/lookups-world.h"

#include <dirent.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { ERRNO_BEFORE = 4095, H_ERRNO_BEFORE = 77 };

/* --- what musl lacks -------------------------------------------------------------------------- */

#ifdef __GLIBC__
static size_t bytes_taken(void)
{
    return mallinfo2().uordblks;
}
#else
#define strerrorname_np strerror
static size_t bytes_taken(void)
{
    return 0;
}
#endif

/* --- the calls ------------------------------------------------------------------------------- */

static char said[3][512]; /* of a step; of two threads */

static void say_end(char *to, const char *what, int error, int host_error)
{
    size_t len = strlen(to);

    snprintf(to + len, 300, "%s, errno %s, h_errno %d", what,
             error == ERRNO_BEFORE ? "-" : strerrorname_np(error), host_error);
}

static void say_host(char *to, const struct hostent *host, int error, int host_error)
{
    char what[200] = "NULL", text[64];
    size_t len;

    if (host != NULL) {
        len = (size_t)snprintf(what, sizeof what, "%s", host->h_name);
        for (char **a = host->h_aliases; *a != NULL; a++)
            len += (size_t)snprintf(what + len, sizeof what - len, " also %s", *a);
        for (char **a = host->h_addr_list; *a != NULL; a++)
            len += (size_t)snprintf(what + len, sizeof what - len, " %s",
                                    inet_ntop(host->h_addrtype, *a, text, sizeof text));
    }
    say_end(to, what, error, host_error);
}

static void prepare(void)
{
    errno = ERRNO_BEFORE;
    h_errno = H_ERRNO_BEFORE;
}

static int by_getaddrinfo(const char *name, char *to)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char what[200] = "", text[64];
    int r, error, host_error;
    size_t len = 0;

    prepare();
    r = getaddrinfo(name, "80", &hints, &list);
    error = errno;
    host_error = h_errno;
    if (r != 0)
        snprintf(what, sizeof what, "%s", gai_strerror(r));
    for (struct addrinfo *a = list; r == 0 && a != NULL; a = a->ai_next) {
        getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        len += (size_t)snprintf(what + len, sizeof what - len, "%s%s", len > 0 ? " " : "", text);
    }
    if (r == 0)
        freeaddrinfo(list);
    say_end(to, what, error, host_error);
    return r;
}

static const char *name_or(const char *argument)
{
    return argument != NULL ? argument : "x.test";
}

static void step_getaddrinfo(const char *argument)
{
    by_getaddrinfo(name_or(argument), said[0]);
}

static void step_gethostbyname(const char *argument)
{
    prepare();
    struct hostent *host = gethostbyname(name_or(argument));
    say_host(said[0], host, errno, h_errno);
}

static void step_gethostbyname2(const char *argument)
{
    prepare();
    struct hostent *host = gethostbyname2(name_or(argument), AF_INET);
    say_host(said[0], host, errno, h_errno);
}

static void by_r(const char *argument, int family)
{
    static _Alignas(8) char room[1000];
    struct hostent host, *ret = &host;
    int r, failure = H_ERRNO_BEFORE;
    char *buf = room + 3; /* as the program likes it */

    memset(room, '~', sizeof room);
    prepare();
    r = family == 0 ? gethostbyname_r(name_or(argument), &host, buf, 900, &ret, &failure)
                    : gethostbyname2_r(name_or(argument), family, &host, buf, 900, &ret, &failure);
    snprintf(said[0], sizeof said[0], "%d %d %s: ", r, failure,
             ret == &host && host.h_name >= buf && host.h_name < buf + 900 ? "in its place" : "-");
    say_host(said[0], ret, errno, h_errno);
}

static void step_gethostbyname_r(const char *argument)
{
    by_r(argument, 0);
}

static void step_gethostbyname2_r(const char *argument)
{
    by_r(argument, AF_INET);
}

static void step_getnameinfo(const char *argument)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    char host[100] = "", service[100] = "", what[250];
    int r;

    inet_pton(AF_INET, argument != NULL ? argument : "10.1.2.3", &in.sin_addr);
    prepare();
    r = getnameinfo((struct sockaddr *)&in, sizeof in, host, sizeof host, service, sizeof service,
                    NI_NUMERICSERV | NI_NAMEREQD);
    snprintf(what, sizeof what, "%s %s %s", r != 0 ? gai_strerror(r) : "", host, service);
    say_end(said[0], what, errno, h_errno);
}

/* --- around them ----------------------------------------------------------------------------- */

static void *in_thread(void *to)
{
    by_getaddrinfo("x.test", to);
    pthread_testcancel();
    return NULL;
}

static void step_two(const char *argument)
{
    pthread_t threads[2];

    (void)argument;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, in_thread, said[i + 1]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    snprintf(said[0], sizeof said[0], "%.120s; %.120s", said[1], said[2]);
}

static void step_cancel(const char *argument)
{
    pthread_t thread;
    void *end;

    (void)argument;
    pthread_create(&thread, NULL, in_thread, said[1]);
    rest_ms(200);
    pthread_cancel(thread);
    pthread_join(thread, &end);
    snprintf(said[0], sizeof said[0], "%s", end == PTHREAD_CANCELED ? "cancelled" : "not");
}

static volatile sig_atomic_t handled;

static void count_one(int number)
{
    (void)number;
    handled++;
}

static void step_handler(const char *argument)
{
    struct sigaction action = {.sa_handler = count_one};
    struct itimerval each = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};

    (void)argument;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
    by_getaddrinfo("x.test", said[0]);
    setitimer(ITIMER_REAL, &never, NULL);
    strcat(said[0], handled > 3 ? ", handled" : ", not handled");
}

static void step_resolver(const char *argument)
{
    (void)argument;
    res_init();
    _res.retrans = _res.retry = 1;
    by_getaddrinfo("x.test", said[0]);
}

/* Entries of a folder of /proc/self. */
static int entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

static int lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int count = 0, c;

    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

/* What each thread but the main one and who asks blocks; theirs is nothing. */
static void step_thread(const char *argument)
{
    pthread_t asker;
    DIR *dir;
    char line[256], path[300];

    (void)argument;
    pthread_create(&asker, NULL, in_thread, said[1]);
    for (int i = 0; i < 100 && entries("/proc/self/task") < 3; i++)
        rest_ms(10);
    rest_ms(100); /* libc blocks them all while it makes a thread */
    dir = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        while (fgets(line, sizeof line, file) != NULL)
            if (strncmp(line, "SigBlk:\t", 8) == 0 && strtoull(line + 8, NULL, 16) != 0)
                snprintf(said[0], sizeof said[0], "open %llx", ~strtoull(line + 8, NULL, 16));
        fclose(file);
    }
    closedir(dir);
    pthread_join(asker, NULL);
}

/* Until there is but this one; ten seconds at most. */
static void await_threads(void)
{
    for (int i = 0; i < 1000 && entries("/proc/self/task") > 1; i++)
        rest_ms(10);
}

/* TIMES calls of FAILS, each of which says whether it failed, and what is left behind. */
static void leaves(int times, bool (*fails)(void))
{
    size_t bytes = 0;
    int fds = 0, maps = 0, failed = 0;

    for (int i = 0; i < times; i++) {
        failed += fails();
        if (i != times / 4)
            continue;
        await_threads();
        bytes = bytes_taken();
        maps = lines("/proc/self/maps");
        fds = entries("/proc/self/fd"); /* with the log's */
    }
    await_threads();
    snprintf(said[0], sizeof said[0], "%d failed, %d threads, %d descriptors more, %s", failed,
             entries("/proc/self/task") - 1, entries("/proc/self/fd") - fds,
             bytes_taken() <= bytes + 8192 && lines("/proc/self/maps") <= maps + 16 ? "no memory"
                                                                                    : "memory");
}

static bool fails_to_look_up(void)
{
    char ignored[512] = "";

    return by_getaddrinfo("x.test", ignored) != 0;
}

static void step_loop(const char *argument)
{
    leaves(atoi(argument), fails_to_look_up);
}

static void step_none(const char *argument)
{
    struct rlimit one = {1, 1};

    (void)argument;
    DO(setrlimit(RLIMIT_NPROC, &one));
    DO(setuid(65534));
    by_getaddrinfo("x.test", said[0]);
    said[0][0] = '\0';
    by_getaddrinfo("x.test", said[0]);
}

static void look_up(int number)
{
    (void)number;
    by_getaddrinfo("x.test", said[0]);
    snprintf(said[0] + strlen(said[0]), 32, ", %d threads", entries("/proc/self/task"));
}

static void step_stack(const char *argument)
{
    static char room[1 << 20];
    struct sigaction action = {.sa_handler = look_up, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};

    (void)argument;
    DO(sigaltstack(&stack, NULL));
    DO(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
}

/* What only a program of one thread may do, as soon as it has its answer: 10 times. */
static void step_alone(const char *argument)
{
    int refused = 0, status;

    (void)argument;
    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            by_getaddrinfo("a.test", said[0]);
            _exit(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
        }
        wait(&status);
        refused += status == EINVAL << 8;
    }
    snprintf(said[0], sizeof said[0], "%d refused", refused);
}

static void measure(const char *name, int times)
{
    struct addrinfo *list;
    long before = now_us();

    for (int i = 0; i < times; i++)
        if (getaddrinfo(name, NULL, NULL, &list) == 0)
            freeaddrinfo(list);
    snprintf(said[0], sizeof said[0], "%ld ns", (now_us() - before) * 1000 / times);
}

static void step_numeric(const char *argument)
{
    measure("127.0.0.1", atoi(argument));
}

static void step_file(const char *argument)
{
    measure("a.test", atoi(argument));
}

#include "tests/programs/lookups-resolver.h"

static const struct step {
    const char *name;
    void (*take)(const char *argument);
} steps[] = {
    {"getaddrinfo", step_getaddrinfo},
    {"gethostbyname", step_gethostbyname},
    {"gethostbyname2", step_gethostbyname2},
    {"gethostbyname_r", step_gethostbyname_r},
    {"gethostbyname2_r", step_gethostbyname2_r},
    {"getnameinfo", step_getnameinfo},
    {"gethostbyaddr", step_gethostbyaddr},
    {"gethostbyaddr_r", step_gethostbyaddr_r},
    {"res_query", step_res_query},
    {"res_search", step_res_search},
    {"res_querydomain", step_res_querydomain},
    {"res_send", step_res_send},
    {"res_two", step_res_two},
#ifdef __GLIBC__
    {"res_nquery", step_res_nquery},
    {"res_nsearch", step_res_nsearch},
    {"res_nquerydomain", step_res_nquerydomain},
    {"res_nsend", step_res_nsend},
    {"res_other", step_res_other},
    {"res_loop", step_res_loop},
    {"async_wait", step_async_wait},
    {"async_suspend", step_async_suspend},
    {"async_signal", step_async_signal},
    {"async_thread", step_async_thread},
    {"async_order", step_async_order},
    {"async_loop", step_async_loop},
#endif
    {"two", step_two},
    {"cancel", step_cancel},
    {"handler", step_handler},
    {"resolver", step_resolver},
    {"thread", step_thread},
    {"loop", step_loop},
    {"none", step_none},
    {"stack", step_stack},
    {"alone", step_alone},
    {"numeric", step_numeric},
    {"file", step_file},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        return 99;
    set_up(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 2; i < argc; i++) {
        size_t len = strcspn(argv[i], ":"), j = 0;
        long before;
        while (j < sizeof steps / sizeof steps[0] &&
               (strlen(steps[j].name) != len || strncmp(steps[j].name, argv[i], len) != 0))
            j++;
        if (j == sizeof steps / sizeof steps[0])
            return 99;
        memset(said, 0, sizeof said);
        before = now_us();
        steps[j].take(argv[i][len] == ':' ? argv[i] + len + 1 : NULL);
        fprintf(stderr, "%s took %ld\n", argv[i], (now_us() - before) / 1000);
        printf("%s: %s\n", argv[i], said[0]);
    }
    return 0;
}
