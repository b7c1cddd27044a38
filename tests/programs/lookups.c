/* SPDX-License-Identifier: MIT
 *
 * lookups SERVER STEP…: look-ups of names in a world of their own (mount and network namespaces,
 * which need root), whose only name server is at 127.0.0.9 and is SERVER:
 *
 *     mute     never answers
 *     good     every name has the address 10.1.2.3, 10.1.2.3 has the name name.test
 *     late:MS  the same, MS later
 *
 * /etc/hosts has a.test, 127.0.0.2. The resolver waits for half a minute, and asks five times. A
 * STEP is printed with what came of it, and on standard error with how long it took, `STEP took
 * MS`.
 *
 *     getaddrinfo[:NAME], gethostbyname, gethostbyname2, gethostbyname_r, gethostbyname2_r
 *     getnameinfo    of 10.1.2.3
 *     two            getaddrinfo in two threads at once
 *     cancel         getaddrinfo in a thread that is cancelled after 200 ms
 *     handler        getaddrinfo, with a handler each 20 ms that restarts nothing
 *     resolver       getaddrinfo, with a resolver's state that is set to ask once, for a second
 *     thread         the signals that the thread of a look-up does not block
 *     loop:N         N times getaddrinfo; what is left when nothing runs any more
 *     none           as a user who may have no more threads
 *     stack          in a handler on a signal stack of its own
 *     numeric:N, file:N   N look-ups of 127.0.0.1, a.test: ns each
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>

#define DO(call)                                                                                   \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            perror(#call);                                                                         \
            exit(99);                                                                              \
        }                                                                                          \
    } while (0)

enum { ERRNO_BEFORE = 4095, H_ERRNO_BEFORE = 77 };

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000 + (long)t.tv_nsec / 1000;
}

static void rest_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* --- the world ------------------------------------------------------------------------------- */

static void put_over(const char *path, const char *text)
{
    char file[] = "/tmp/lookups-XXXXXX";
    int fd = mkstemp(file);

    DO(fd);
    DO(fchmod(fd, 0644) == 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1);
    DO(close(fd));
    if (mount(file, path, "none", MS_BIND, NULL) < 0 && errno != ENOENT)
        DO(-1);
    DO(unlink(file));
}

static int name_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "127.0.0.9", &at.sin_addr);
    DO(fd);
    DO(ioctl(fd, SIOCSIFFLAGS, &lo));
    DO(bind(fd, (struct sockaddr *)&at, sizeof at));
    return fd;
}

/* Answers one question, LEN bytes at PACKET, in its place. Returns the length (RFC 1035, 4.1). */
static size_t answer(unsigned char *packet, size_t len)
{
    static const unsigned char address[] = "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\1\2\3";
    static const unsigned char name[] = "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\x0b\4name\4test";
    size_t end = 12;
    int type;

    while (end < len && packet[end] != 0)
        end += packet[end] + 1u;
    type = packet[end + 2];
    end += 5;
    packet[2] = 0x85;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    packet[7] = type == 1 || type == 12;
    if (type == 1)
        memcpy(packet + end, address, sizeof address - 1);
    if (type == 12)
        memcpy(packet + end, name, sizeof name);
    return end + (type == 1 ? sizeof address - 1 : type == 12 ? sizeof name : 0);
}

/* What came in, to be answered later. */
static struct question {
    unsigned char packet[512];
    ssize_t len;
    struct sockaddr_in from;
    long due_us;
} questions[4096];

/* Until nobody holds the other end of UNTIL. */
static void serve(int fd, int until, long late_us)
{
    size_t first = 0, count = 0;
    struct pollfd in[] = {{fd, POLLIN, 0}, {until, 0, 0}};

    for (;;) {
        struct question *q = &questions[count % 4096];
        socklen_t len = sizeof q->from;
        long wait_us = first < count ? questions[first % 4096].due_us - now_us() : 1000000;
        poll(in, 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
        if (in[1].revents != 0)
            _exit(0);
        if (in[0].revents != 0) {
            q->len = recvfrom(fd, q->packet, sizeof q->packet - 64, 0, (struct sockaddr *)&q->from,
                              &len);
            q->due_us = now_us() + late_us;
            count += q->len > 12;
        }
        for (; first < count && questions[first % 4096].due_us <= now_us(); first++) {
            struct question *old = &questions[first % 4096];
            sendto(fd, old->packet, answer(old->packet, (size_t)old->len), 0,
                   (struct sockaddr *)&old->from, sizeof old->from);
        }
    }
}

static void set_up(const char *how)
{
    int fd, ends[2];
    pid_t pid;

    DO(unshare(CLONE_NEWNS | CLONE_NEWNET));
    DO(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL));
    put_over("/etc/hosts", "127.0.0.1 localhost\n127.0.0.2 a.test alias.test\n");
    put_over("/etc/nsswitch.conf", "hosts: files dns\nservices: files\n");
    put_over("/etc/resolv.conf", "nameserver 127.0.0.9\noptions timeout:30 attempts:5\n");
    fd = name_server();
    if (strcmp(how, "mute") == 0) {
        DO(dup2(fd, 900)); /* held, never read */
        close(fd);
        return;
    }
    DO(pipe2(ends, O_CLOEXEC));
    DO(pid = fork());
    if (pid == 0) {
        close(ends[1]);
        serve(fd, ends[0], strncmp(how, "late:", 5) == 0 ? atol(how + 5) * 1000 : 0);
    }
    close(ends[0]);
    close(fd);
}

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

static void step_loop(const char *argument)
{
    char ignored[512];
    size_t bytes = 0;
    int fds = 0, maps = 0, times = atoi(argument), failed = 0;

    for (int i = 0; i < times; i++) {
        ignored[0] = '\0';
        failed += by_getaddrinfo("x.test", ignored) != 0;
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
    {"two", step_two},
    {"cancel", step_cancel},
    {"handler", step_handler},
    {"resolver", step_resolver},
    {"thread", step_thread},
    {"loop", step_loop},
    {"none", step_none},
    {"stack", step_stack},
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
