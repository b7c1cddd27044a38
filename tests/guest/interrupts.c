/* SPDX-License-Identifier: MIT
 *
 * interrupts CASE: handlers that run in the middle of calls on sockets, leave them, or use sockets
 * themselves.
 */
#include "tests/guest/blocking.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>

static atomic_int handled;
static bool restarts; /* the handler is one with SA_RESTART */

static void count_signal(int number)
{
    (void)number;
    handled++;
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    DO(sigaction(number, &action, NULL));
}

/* --- one signal in each call ----------------------------------------------------------------- */

struct caller {
    const struct blocking *how;
    struct scene scene;
    pthread_t thread;
    atomic_int tid;
    atomic_bool returned;
    long result;
    int error;
};

static void *be_caller(void *argument)
{
    struct caller *c = argument;

    c->tid = (int)syscall(SYS_gettid);
    c->result = c->how->call(&c->scene);
    c->error = errno;
    c->returned = true;
    return NULL;
}

/* The call returns, or sleeps again. */
static void settle(struct caller *c)
{
    for (int seen = 0; seen < 5 && !c->returned; blocking_rest_ms(1))
        seen = blocking_sleeps(c->tid) ? seen + 1 : 0;
}

/* What room the peer's window has yet is used by a timer of TCP: a send that a signal finds may
 * have sent a little, and then ends with that whatever the handler. */
static void say_interrupted(const struct caller *c, bool went_on)
{
    const char *error = c->result < 0 ? strerror(c->error) : "-";

    if (c->how->feed != feed_by_reading)
        printf("%s: %s, %ld %s\n", c->how->name, went_on ? "went on" : "interrupted", c->result,
               error);
    else if (restarts)
        printf("%s: %s\n", c->how->name, c->result > 0 ? "sent" : error);
    else
        printf("%s: %s\n", c->how->name, went_on ? "went on" : "interrupted");
}

static void interrupt(const struct blocking *how)
{
    struct caller c = {.how = how, .scene = blocking_scene(how)};
    bool went_on;

    handled = 0;
    WANT(pthread_create(&c.thread, NULL, be_caller, &c) == 0);
    for (int i = 1; i <= 3 && !c.returned; i++) {
        if (i == 1)
            blocking_entered(&c.tid);
        WANT(!c.returned && pthread_kill(c.thread, SIGUSR1) == 0);
        while (handled < i)
            blocking_rest_ms(1);
        settle(&c);
    }
    went_on = !c.returned;
    if (went_on)
        how->feed(&c.scene);
    WANT(pthread_join(c.thread, NULL) == 0);
    say_interrupted(&c, went_on);
    if (!went_on)
        how->check(&c.scene);
    blocking_end(&c.scene);
}

static void case_restarted(void)
{
    restarts = true;
    handle(SIGUSR1, count_signal, SA_RESTART);
    for (int i = 0; i < BLOCKING_CALLS; i++)
        interrupt(&blocking_calls[i]);
}

static void case_interrupted(void)
{
    handle(SIGUSR1, count_signal, 0);
    for (int i = 0; i < BLOCKING_CALLS; i++)
        interrupt(&blocking_calls[i]);
}

/* A handler that is there, and never runs, changes nothing: what a peer takes in parts is sent
 * whole, and what comes in parts is waited for. */
static void *take_slowly(void *argument)
{
    struct scene *s = argument;
    static char bytes[BIG];
    size_t left = s->filled + s->wanted;

    while (left > 0) {
        ssize_t n = recv(s->peer, bytes, left < 16384 ? left : 16384, 0);

        WANT(n > 0);
        left -= (size_t)n;
        if (left % 3 == 0)
            blocking_rest_ms(1);
    }
    return NULL;
}

static void case_in_parts(void)
{
    handle(SIGUSR1, count_signal, 0);
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        const struct blocking *how = &blocking_calls[i];
        struct scene s;
        pthread_t thread;
        char some[8192];

        if (how->feed != feed_by_reading)
            continue;
        s = blocking_scene(how);
        /* there is room for a part at once */
        WANT(recv(s.peer, some, sizeof some, MSG_WAITALL) == sizeof some);
        s.filled -= sizeof some;
        WANT(pthread_create(&thread, NULL, take_slowly, &s) == 0);
        SAY(how->name, how->call(&s));
        WANT(pthread_join(thread, NULL) == 0);
        blocking_end(&s);
    }
}

struct giver {
    int fd;
};

static void *give_in_parts(void *argument)
{
    const struct giver *g = argument;

    for (int i = 0; i < 8; i++) {
        WANT(send(g->fd, "abcd", 4, 0) == 4);
        blocking_rest_ms(5);
    }
    return NULL;
}

static void case_waitall(void)
{
    int ends[2];
    char bytes[33] = "", more[17] = "";
    struct iovec iov[2] = {{bytes, 16}, {bytes + 16, 16}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 1}},
                             {.msg_hdr = {.msg_iov = iov + 1, .msg_iovlen = 1}}};
    struct giver giver;
    pthread_t thread;

    handle(SIGUSR1, count_signal, 0);
    guest_connect(ends);
    giver.fd = ends[1];
    for (int i = 0; i < 4; i++) {
        memset(bytes, 0, sizeof bytes);
        WANT(pthread_create(&thread, NULL, give_in_parts, &giver) == 0);
        if (i == 0)
            SAY("recv", recv(ends[0], bytes, 32, MSG_WAITALL));
        else if (i == 1)
            SAY("recvfrom", recvfrom(ends[0], bytes, 32, MSG_WAITALL, NULL, NULL));
        else if (i == 2)
            SAY("recvmsg", recvmsg(ends[0], &msg, MSG_WAITALL));
        else
            SAY("recvmmsg", recvmmsg(ends[0], two, 2, MSG_WAITALL, NULL));
        printf("%s\n", bytes);
        WANT(pthread_join(thread, NULL) == 0);
    }
    printf("%u and %u bytes\n", two[0].msg_len, two[1].msg_len);
    /* without the flag recvmmsg waits for all messages yet, each of what there is */
    WANT(send(ends[1], "first", 5, 0) == 5);
    iov[0] = (struct iovec){more, 5};
    WANT(pthread_create(&thread, NULL, give_in_parts, &giver) == 0);
    SAY("recvmmsg", recvmmsg(ends[0], two, 2, 0, NULL));
    printf("%s\n", more);
    WANT(pthread_join(thread, NULL) == 0);
}

/* --- out of a call --------------------------------------------------------------------------- */

enum { JUMPS = 40 };

static sigjmp_buf out;
static volatile sig_atomic_t armed;

static void jump(int number)
{
    (void)number;
    if (armed) {
        armed = 0;
        siglongjmp(out, 1);
    }
}

static __attribute__((noinline)) int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static __attribute__((noinline)) void jump_out_of(const struct blocking *how, struct scene *s,
                                                  long us)
{
    struct itimerval soon = {{0, 0}, {0, us}};

    if (sigsetjmp(out, 1) != 0)
        return;
    armed = 1;
    DO(setitimer(ITIMER_REAL, &soon, NULL));
    for (;;) { /* before it, in it, between two */
        long n = how->call(s);

        WANT(n < 0 || how->feed == feed_by_reading);
    }
}

/* A handler that leaves each call by a jump, wherever it stands just then. */
static void case_jumps(void)
{
    unsigned seed = 1;
    int before;

    handle(SIGALRM, jump, 0);
    before = open_descriptors();
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        struct scene s = blocking_scene(&blocking_calls[i]);

        for (int j = 0; j < JUMPS; j++)
            jump_out_of(&blocking_calls[i], &s, 30 + rand_r(&seed) % 400);
        guest_guard();
        blocking_calls[i].check(&s);
        blocking_end(&s);
        printf("%s: left\n", blocking_calls[i].name);
    }
    WANT(open_descriptors() == before);
}

/* --- sockets in handlers --------------------------------------------------------------------- */

static struct {
    int tcp[2], listener, sent, closed;
    struct sockaddr_in addr;
    volatile sig_atomic_t line, error; /* where it went wrong */
} inside;

#define INSIDE(truth)                                                                              \
    do {                                                                                           \
        if (!(truth) && inside.line == 0) {                                                        \
            inside.line = __LINE__;                                                                \
            inside.error = errno;                                                                  \
        }                                                                                          \
    } while (0)

/* All of it may be called in a handler (signal-safety(7)). */
static void use_sockets(int number)
{
    int e = errno, two[2];
    char byte = 0;
    struct pollfd p = {inside.tcp[1], POLLIN, 0};

    (void)number;
    INSIDE(send(inside.tcp[0], "a", 1, 0) == 1);
    INSIDE(poll(&p, 1, 1000) == 1);
    INSIDE(recv(inside.tcp[1], &byte, 1, 0) == 1 && byte == 'a');
    INSIDE(write(inside.tcp[1], "b", 1) == 1);
    INSIDE(read(inside.tcp[0], &byte, 1) == 1 && byte == 'b');
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0) {
        INSIDE(write(two[0], "c", 1) == 1);
        INSIDE(read(two[1], &byte, 1) == 1 && byte == 'c');
        INSIDE(close(two[0]) == 0 && read(two[1], &byte, 1) == 0 && close(two[1]) == 0);
    }
    if (inside.sent++ % 16 == 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        INSIDE(connect(fd, (struct sockaddr *)&inside.addr, sizeof inside.addr) == 0);
        INSIDE(send(fd, "d", 1, 0) == 1);
        INSIDE(close(fd) == 0);
        inside.closed++;
    }
    errno = e;
}

static void prepare_inside(void)
{
    inside.listener = guest_listener(&inside.addr);
    DO(listen(inside.listener, 4096));
    DO(fcntl(inside.listener, F_SETFL, O_NONBLOCK));
    guest_connect(inside.tcp);
}

/* A machine that is fast makes more connections than any accept queue holds. */
static void accept_all(void)
{
    int fd;

    while ((fd = accept(inside.listener, NULL, NULL)) >= 0)
        WANT(close(fd) == 0);
    WANT(errno == EAGAIN);
    errno = UNTOUCHED;
}

static void every_ms(bool on)
{
    struct itimerval timer = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};

    DO(setitimer(ITIMER_REAL, &timer, NULL));
}

/* The same calls, inside and outside of a handler that comes 1000 times a second. */
static void case_storm(void)
{
    int64_t end_ms = guest_now_ms() + 1500;
    int ends[2], rounds = 0;

    prepare_inside();
    guest_connect(ends);
    handle(SIGALRM, use_sockets, SA_RESTART);
    every_ms(true);
    while (guest_now_ms() < end_ms) {
        struct pollfd p = {ends[1], POLLIN, 0};
        char bytes[64] = "";
        int fd, n;

        snprintf(bytes, sizeof bytes, "round %d", rounds);
        errno = UNTOUCHED;
        WANT(send(ends[0], bytes, 32, 0) == 32);
        while ((n = poll(&p, 1, 1000)) < 0 && errno == EINTR)
            errno = UNTOUCHED;
        WANT(n == 1);
        WANT(recv(ends[1], bytes, sizeof bytes, 0) == 32 && atoi(bytes + 6) == rounds);
        WANT(write(ends[1], bytes, 32) == 32);
        WANT(read(ends[0], bytes, sizeof bytes) == 32 && atoi(bytes + 6) == rounds);
        if (rounds++ % 16 == 0) {
            fd = socket(AF_INET, SOCK_STREAM, 0);
            WANT(connect(fd, (struct sockaddr *)&inside.addr, sizeof inside.addr) == 0);
            WANT(write(fd, "e", 1) == 1);
            WANT(close(fd) == 0);
            WANT(errno == UNTOUCHED);
            accept_all();
        }
        WANT(errno == UNTOUCHED);
    }
    every_ms(false);
    guest_guard();
    if (inside.line != 0)
        FAIL("in the handler, line %d: %s", (int)inside.line, strerror(inside.error));
    WANT(inside.sent > 50 && rounds > 100);
}

/* The handler comes while each call waits, and the call is none the wiser. */
static void case_sockets_within(void)
{
    prepare_inside();
    handle(SIGUSR1, use_sockets, SA_RESTART);
    for (int i = 0; i < BLOCKING_CALLS; i++) {
        struct caller c = {.how = &blocking_calls[i], .scene = blocking_scene(&blocking_calls[i])};

        WANT(pthread_create(&c.thread, NULL, be_caller, &c) == 0);
        blocking_entered(&c.tid);
        for (int j = 1, before = inside.sent; j <= 17; j++) {
            if (c.returned)
                break;
            WANT(pthread_kill(c.thread, SIGUSR1) == 0);
            while (*(volatile int *)&inside.sent < before + j)
                blocking_rest_ms(1);
            settle(&c);
        }
        if (!c.returned)
            c.how->feed(&c.scene);
        WANT(pthread_join(c.thread, NULL) == 0);
        if (c.how->feed == feed_by_reading)
            printf("%s: %s\n", c.how->name, c.result > 0 ? "sent" : strerror(c.error));
        else
            printf("%s: %ld %s\n", c.how->name, c.result, c.result < 0 ? strerror(c.error) : "-");
        if (inside.line != 0)
            FAIL("in the handler, line %d: %s", (int)inside.line, strerror(inside.error));
        blocking_end(&c.scene);
    }
}

/* --- small stacks of handlers ---------------------------------------------------------------- */

static char *stack_low;

/* A stack of SIZE bytes that ends at a page which is not there. Returns whether it is enough for
 * the kernel. */
static bool small_stack(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *low =
        mmap(NULL, whole + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_size = size};

    WANT(low != MAP_FAILED);
    DO(mprotect(low, page, PROT_NONE));
    stack_low = low + page;
    memset(stack_low, 0x5a, whole);
    stack.ss_sp = stack_low;
    return sigaltstack(&stack, NULL) == 0;
}

static void on_small_stack(size_t size)
{
    if (!small_stack(size)) {
        printf("too small\n");
        return;
    }
    use_sockets(0); /* the linker needs more when it looks a name up */
    handle(SIGUSR2, use_sockets, SA_ONSTACK);
    for (int i = 0; i < 40; i++)
        DO(raise(SIGUSR2));
    if (inside.line != 0)
        FAIL("in the handler, line %d: %s", (int)inside.line, strerror(inside.error));
    SAY("handlers", inside.sent);
}

static void case_small_stack(void)
{
    size_t size = 2048;

#ifdef _SC_MINSIGSTKSZ
    long least = sysconf(_SC_MINSIGSTKSZ);

    size += least > 0 ? (size_t)least : 4096;
#else
    size += 4096;
#endif
    prepare_inside();
    on_small_stack(size);
}

static const struct guest_case cases[] = {
    {"restarted", case_restarted},
    {"interrupted", case_interrupted},
    {"in_parts", case_in_parts},
    {"waitall", case_waitall},
    {"jumps", case_jumps},
    {"storm", case_storm},
    {"sockets_within", case_sockets_within},
    {"small_stack", case_small_stack},
};
GUEST_MAIN(cases)
