/* SPDX-License-Identifier: MIT
 * Cases of names.c that connect to what they looked up: what then stands in the log is looked at by
 * tests/bats/hosts.bats.
 */

static struct sockaddr_in where;

/* A listener on every address of this machine. */
static int listen_on_all(void)
{
    socklen_t len = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    where = (struct sockaddr_in){.sin_family = AF_INET};
    DO(bind(fd, (struct sockaddr *)&where, sizeof where));
    DO(listen(fd, 4096));
    DO(getsockname(fd, (struct sockaddr *)&where, &len));
    return fd;
}

/* Looks NAME up. */
static struct sockaddr_in address_of(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    struct sockaddr_in in;

    WANT(getaddrinfo(name, NULL, &hints, &list) == 0);
    memcpy(&in, list->ai_addr, sizeof in);
    freeaddrinfo(list);
    in.sin_port = where.sin_port;
    return in;
}

/* Connects to IN and closes that. */
static void visit(struct sockaddr_in in)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    DO(fd);
    DO(connect(fd, (struct sockaddr *)&in, sizeof in));
    DO(close(fd));
}

/* Every way in which a name is looked up, each for a connection. */
static void case_ways(void)
{
    static _Alignas(16) char buf[1024];
    struct hostent host, *ret = NULL;
    char name[100];
    int error, listener = listen_on_all();
    struct sockaddr_in in = where;

    visit(address_of("A.test"));
    ret = gethostbyname("B.TEST");
    WANT(ret != NULL);
    memcpy(&in.sin_addr, ret->h_addr_list[0], 4);
    visit(in);
    ret = gethostbyname2("two.test", AF_INET);
    WANT(ret != NULL);
    memcpy(&in.sin_addr, ret->h_addr_list[0], 4);
    visit(in);
    WANT(gethostbyname_r("both.test", &host, buf, sizeof buf, &ret, &error) == 0 && ret != NULL);
    memcpy(&in.sin_addr, ret->h_addr_list[0], 4);
    visit(in);
    WANT(gethostbyname2_r("many.test", AF_INET, &host, buf, sizeof buf, &ret, &error) == 0);
    in.sin_addr.s_addr = htonl(0x7f000008); /* its third */
    visit(in);
    visit(address_of("127.0.0.10")); /* no name */
    in.sin_addr.s_addr = htonl(0x7f000009);
    WANT(getnameinfo((struct sockaddr *)&in, sizeof in, name, 100, NULL, 0, NI_NUMERICHOST) == 0);
    visit(in); /* nor here */
    in.sin_addr.s_addr = htonl(0x7f00000a);
    WANT(getnameinfo((struct sockaddr *)&in, sizeof in, name, 100, NULL, 0, 0) == 0);
    visit(in);
    DO(close(listener));
}

/* Of an accepted connection, whose peer is looked up before it is closed. */
static void case_accepted(void)
{
    char name[300];
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    int listener = listen_on_all(), fd = socket(AF_INET, SOCK_STREAM, 0), peer;

    in.sin_addr.s_addr = htonl(0x7f000003);
    DO(bind(fd, (struct sockaddr *)&in, sizeof in));
    DO(connect(fd, (struct sockaddr *)&where, sizeof where));
    peer = accept(listener, (struct sockaddr *)&in, &len);
    DO(peer);
    WANT(getnameinfo((struct sockaddr *)&in, len, name, sizeof name, NULL, 0, 0) == 0);
    printf("%s\n", name);
    DO(close(peer));
    DO(close(fd));
    DO(close(listener));
}

static void case_timeout(void)
{
    char byte;
    struct sockaddr_in in;
    int listener = listen_on_all(), fd = socket(AF_INET, SOCK_STREAM, 0);

    in = address_of("b.test");
    DO(connect(fd, (struct sockaddr *)&in, sizeof in));
    WANT(recv(fd, &byte, 1, 0) < 0 && errno == ETIMEDOUT);
    DO(close(fd));
    DO(close(listener));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    in = address_of("a.test");
    WANT(connect(fd, (struct sockaddr *)&in, sizeof in) < 0 && errno == ECONNREFUSED);
    DO(close(fd));
}

/* Two names of one address, each looked up by a thread of its own, which then connects. */
static pthread_barrier_t looked_up;

static void *visits(void *name)
{
    struct sockaddr_in in = address_of(name);

    pthread_barrier_wait(&looked_up);
    for (int i = 0; i < 20; i++)
        visit(in);
    return NULL;
}

static void case_threads(void)
{
    static char names[][9] = {"one.test", "two.test"};
    pthread_t threads[2];
    int listener = listen_on_all();

    pthread_barrier_init(&looked_up, NULL, 2);
    for (int i = 0; i < 2; i++)
        WANT(pthread_create(&threads[i], NULL, visits, names[i]) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    DO(close(listener));
}

/* A child knows what its parent looked up, and the parent nothing of what the child did. */
static void case_fork(void)
{
    int listener = listen_on_all();
    struct sockaddr_in in = address_of("one.test");
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        visit(in);
        visit(address_of("b.test"));
        (void)address_of("two.test");
        _exit(0);
    }
    guest_reap("child", pid);
    visit(in);
    DO(close(listener));
}

/* A handler that connects and closes, so that records look names up in the middle of notes. */
static volatile sig_atomic_t visited;

static void on_alarm(int sig)
{
    int e = errno;

    (void)sig;
    visit((struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = where.sin_port, .sin_addr.s_addr = htonl(0x7f000004)});
    visited++;
    errno = e;
}

static void case_handler(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    int listener = listen_on_all();

    (void)address_of("one.test");
    DO(sigaction(SIGPROF, &action, NULL));
    DO(setitimer(ITIMER_PROF, &every, NULL));
    while (visited < 50) {
        WANT(address_of("one.test").sin_addr.s_addr == htonl(0x7f000004));
        WANT(address_of("two.test").sin_addr.s_addr == htonl(0x7f000004));
        (void)address_of("b.test");
    }
    DO(setitimer(ITIMER_PROF, &never, NULL));
    DO(close(listener));
}

/* What a resolver's thread finds serves the thread that connects. */
static void *asks(void *name)
{
    (void)address_of(name);
    return NULL;
}

static void case_resolver_thread(void)
{
    static char names[][9] = {"one.test", "two.test"};
    int listener = listen_on_all();

    for (int i = 0; i < 2; i++) {
        pthread_t thread;

        WANT(pthread_create(&thread, NULL, asks, names[i]) == 0);
        pthread_join(thread, NULL);
        visit((struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = where.sin_port,
                                   .sin_addr.s_addr = htonl(0x7f000004)});
    }
    DO(close(listener));
}

/* --- memory ---------------------------------------------------------------------------------- */

static long private_dirty_kib(void)
{
    char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof text - 1);

    WANT(len > 0);
    DO(close(fd));
    text[len] = '\0';
    const char *at = strstr(text, "Private_Dirty:");
    WANT(at != NULL);
    return atol(at + strlen("Private_Dirty:"));
}

/* What a few look-ups take. */
static void case_memory(void)
{
    (void)private_dirty_kib();
    long was = private_dirty_kib();
    for (int i = 0; i < 10; i++) {
        (void)address_of("a.test");
        (void)address_of("b.test");
    }
    printf("grew by %ld KiB\n", private_dirty_kib() - was);
}
