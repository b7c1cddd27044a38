/* SPDX-License-Identifier: MIT
 * Cases of waits.c: what poll, select and their kin return, and how long they take.
 */

/* --- time ------------------------------------------------------------------------------------- */

static void times_of(const struct waiting *how)
{
    static const int times[] = {0, 30, 120, 300};
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int n = LASTS(wait_now(&wait, times[i], NULL), times[i]);

        say(how->name, "nothing comes", n, &wait.happened);
    }
}

/* A silent connection. */
static void case_times(void)
{
    each_call(times_of, NULL);
}

static void for_ever_with(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    struct later later = {.ms = 150, .act = write_later, .fd = pair.peer};
    char byte;

    start_later(&later);
    say(how->name, "for ever", IN_TIME(wait_now(&wait, -1, NULL), 0, 150), &wait.happened);
    say(how->name, "once more", AT_ONCE(wait_now(&wait, -1, NULL)), &wait.happened);
    say(how->name, "for long", AT_ONCE(wait_now(&wait, LONG_MS, NULL)), &wait.happened);
    say(how->name, "not at all", AT_ONCE(wait_now(&wait, 0, NULL)), &wait.happened);
    WANT(recv(pair.client, &byte, 1, 0) == 1);
    say(how->name, "taken", LASTS(wait_now(&wait, 30, NULL), 30), &wait.happened);
    end_later(&later);
}

static void case_for_ever(void)
{
    each_call(for_ever_with, NULL);
}

static void ticks_of(const struct waiting *how)
{
    enum { TICKS = 30, TICK_MS = 20 };
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    int64_t before = now_us(), took;
    int timeouts = 0;

    errno = UNTOUCHED;
    for (int i = 0; i < TICKS; i++)
        timeouts += wait_now(&wait, TICK_MS, NULL) == 0;
    took = now_us() - before;
    WANT(errno == UNTOUCHED);
    /* a tick is late by some ms where there is much to do */
    WANT(took >= TICKS * TICK_MS * 1000L && took <= TICKS * TICK_MS * 1000L * 2);
    printf("%s: %d timeouts\n", how->name, timeouts);
}

/* A program that keeps its own time by short waits counts as many of them. */
static void case_ticks(void)
{
    each_call(ticks_of, NULL);
}

/* --- poll ------------------------------------------------------------------------------------- */

static void say_poll(const struct waiting *how, const char *what, int n, const struct pollfd *fds,
                     int count)
{
    say(how->name, what, n, NULL);
    for (int i = 0; i < count; i++)
        printf("  %#x", (unsigned)(uint16_t)fds[i].revents);
    putchar('\n');
}

/* So that it is seen which revents are written. */
static void soil(struct pollfd *fds, int count)
{
    for (int i = 0; i < count; i++)
        fds[i].revents = 0x7777;
}

static void poll_descriptors(const struct waiting *how)
{
    int quiet[2], ready[2], widow[2], deaf[2], closed;
    struct pair pair = connected(O_NONBLOCK);
    int fresh = socket(AF_INET, SOCK_STREAM, 0);

    WANT(pipe(quiet) == 0 && pipe(ready) == 0 && pipe(widow) == 0 && pipe(deaf) == 0);
    WANT(write(ready[1], "x", 1) == 1);
    DO(close(widow[1]));
    DO(close(deaf[0]));
    DO(closed = dup(0));
    DO(close(closed));

    struct pollfd all[] = {{quiet[0], POLLIN, 0},
                           {ready[0], POLLIN | POLLRDNORM, 0},
                           {ready[0], 0, 0},
                           {ready[1], POLLOUT, 0},
                           {widow[0], POLLIN, 0},
                           {deaf[1], POLLOUT, 0},
                           {closed, POLLIN, 0},
                           {closed, 0, 0},
                           {-1, POLLIN, 0},
                           {-7, POLLOUT, 0},
                           {pair.client, POLLIN | POLLOUT | POLLRDHUP, 0},
                           {pair.client, POLLIN, 0},
                           {pair.listener, POLLIN, 0},
                           {fresh, POLLIN | POLLOUT, 0}};
    struct pollfd silent[] = {{quiet[0], POLLIN, 0},
                              {-1, POLLIN, 0},
                              {pair.client, POLLIN, 0},
                              {pair.listener, POLLIN, 0}};
    enum { ALL = sizeof all / sizeof all[0], SILENT = sizeof silent / sizeof silent[0] };
    struct pollfd before[ALL];

    memcpy(before, all, sizeof all);
    for (int ms = -1; ms <= 1; ms++) {
        soil(all, ALL);
        say_poll(how, "all", AT_ONCE(how->poll(all, ALL, ms, NULL)), all, ALL);
    }
    soil(silent, SILENT);
    say_poll(how, "silent", AT_ONCE(how->poll(silent, SILENT, 0, NULL)), silent, SILENT);
    soil(silent, SILENT);
    say_poll(how, "silent", LASTS(how->poll(silent, SILENT, 120, NULL), 120), silent, SILENT);
    DO(close(pair.peer));
    soil(all, ALL);
    say_poll(how, "peer gone", AT_ONCE(how->poll(all, ALL, -1, NULL)), all, ALL);
    for (int i = 0; i < ALL; i++)
        WANT(all[i].fd == before[i].fd && all[i].events == before[i].events);
    say_poll(how, "below -1", AT_ONCE(how->poll(all, ALL, -5, NULL)), all, ALL);
}

static void poll_oddly(const struct waiting *how)
{
    struct rlimit few;
    long page = sysconf(_SC_PAGESIZE);
    char *pages =
        mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pollfd *nowhere = (struct pollfd *)(void *)(pages + page);
    struct pollfd none[65], *writable = (struct pollfd *)(void *)pages;

    for (int ms = 0; ms <= 300; ms = ms * 2 + 30) /* 0 30 90 210 */
        say(how->name, "a sleep", LASTS(how->poll(NULL, 0, ms, NULL), ms), NULL);
    say(how->name, "a sleep that needs no array", LASTS(how->poll(nowhere, 0, 30, NULL), 30), NULL);

    DO(mprotect(nowhere, (size_t)page, PROT_NONE));
    nowhere[-1] = (struct pollfd){0, POLLIN, 0};
    say(how->name, "an array nowhere", AT_ONCE(how->poll(nowhere, 1, 0, NULL)), NULL);
    say(how->name, "an array nowhere", AT_ONCE(how->poll(nowhere, 1, 120, NULL)), NULL);
    say(how->name, "one half nowhere", AT_ONCE(how->poll(nowhere - 1, 2, 120, NULL)), NULL);
    say(how->name, "a far pointer", AT_ONCE(how->poll((void *)-64L, 2, 30, NULL)), NULL);
    *writable = (struct pollfd){-1, POLLIN, 0};
    DO(mprotect(pages, (size_t)page, PROT_READ));
    say(how->name, "read-only", AT_LEISURE(how->poll(writable, 1, 30, NULL)), NULL);

    for (int i = 0; i < 65; i++)
        none[i] = (struct pollfd){-1, POLLIN, 0x7777};
    DO(getrlimit(RLIMIT_NOFILE, &few));
    few.rlim_cur = 64;
    DO(setrlimit(RLIMIT_NOFILE, &few));
    say(how->name, "65 of 64", AT_ONCE(how->poll(none, 65, 30, NULL)), NULL);
    WANT(none[0].revents == 0x7777);
    say(how->name, "64 of 64", LASTS(how->poll(none, 64, 30, NULL), 30), NULL);
    say(how->name, "far too many", AT_ONCE(how->poll(none, 1 << 28, 30, NULL)), NULL);
}

static void poll_both(const struct waiting *how)
{
    poll_descriptors(how);
    poll_oddly(how);
}

static void case_poll(void)
{
    each_call(poll_both, is_poll);
}

/* --- select ----------------------------------------------------------------------------------- */

enum { WORD_BITS = 8 * sizeof(unsigned long), BIG_BITS = 4096 };

/* May be larger than an fd_set; the kernel does not mind. */
struct big_set {
    unsigned long words[BIG_BITS / WORD_BITS];
};

static void put(struct big_set *set, int fd)
{
    set->words[fd / (int)WORD_BITS] |= 1UL << fd % (int)WORD_BITS;
}

static void say_set(const char *what, const struct big_set *set)
{
    printf("  %s", what);
    for (int fd = 0; fd < BIG_BITS; fd++)
        if ((set->words[fd / (int)WORD_BITS] >> fd % (int)WORD_BITS & 1) != 0)
            printf(" %d", fd);
}

static void say_select(const struct waiting *how, const char *what, int n,
                       const struct big_set sets[3])
{
    say(how->name, what, n, NULL);
    say_set("in", &sets[0]);
    say_set("out", &sets[1]);
    say_set("odd", &sets[2]);
    putchar('\n');
}

#define SELECT_THEM(count, ms)                                                                     \
    how->select(count, (fd_set *)(void *)&sets[0], (fd_set *)(void *)&sets[1],                     \
                (fd_set *)(void *)&sets[2], ms, NULL)

static void select_with(const struct waiting *how)
{
    enum { MANY = 2001 };
    struct pair pair = connected(O_NONBLOCK);
    struct big_set sets[3], asked[3] = {{{0}}, {{0}}, {{0}}};
    struct rlimit most;
    int quiet[2], last;

    DO(pipe(quiet));
    last = quiet[1];
    put(&asked[0], pair.client);
    put(&asked[0], pair.listener);
    put(&asked[0], quiet[0]);
    put(&asked[2], pair.client);
    memcpy(sets, asked, sizeof sets);
    say_select(how, "silent", AT_ONCE(SELECT_THEM(last + 1, 0)), sets);
    memcpy(sets, asked, sizeof sets);
    say_select(how, "silent", LASTS(SELECT_THEM(last + 1, 120), 120), sets);

    put(&asked[1], pair.client);
    put(&asked[1], quiet[1]);
    WANT(send(pair.peer, "ab", 2, MSG_OOB) == 2);
    WANT(write(quiet[1], "x", 1) == 1);
    for (int ms = -1; ms <= 300; ms += 301) {
        memcpy(sets, asked, sizeof sets);
        say_select(how, "all", AT_ONCE(SELECT_THEM(last + 1, ms)), sets);
    }
    memcpy(sets, asked, sizeof sets);
    say_select(how, "without the last", AT_ONCE(SELECT_THEM(last, 300)), sets);

    memcpy(sets, asked, sizeof sets);
    put(&sets[0], 700); /* closed, and beyond what count says */
    say_select(how, "beyond", AT_ONCE(SELECT_THEM(last + 1, 300)), sets);
    DO(getrlimit(RLIMIT_NOFILE, &most));
    if (most.rlim_max >= MANY) {
        most.rlim_cur = most.rlim_max < BIG_BITS ? most.rlim_max : BIG_BITS;
        DO(setrlimit(RLIMIT_NOFILE, &most));
        DO(dup2(quiet[0], MANY - 1));
        memcpy(sets, asked, sizeof sets);
        put(&sets[0], MANY - 1);
        say_select(how, "more than 1024", AT_ONCE(SELECT_THEM(MANY, 300)), sets);
        memset(sets, 0, sizeof sets);
        put(&sets[1], MANY - 1); /* the reading end of a pipe is not written to */
        say_select(how, "a high one", LASTS(SELECT_THEM(MANY, 120), 120), sets);
    } else {
        printf("%s: no descriptor above 1024 is allowed here\n", how->name);
    }
    memcpy(sets, asked, sizeof sets);
    put(&sets[1], 700);
    say_select(how, "a closed one", AT_ONCE(SELECT_THEM(800, 300)), sets);
    say_select(how, "below 0", AT_ONCE(SELECT_THEM(-1, 30)), sets);

    for (int ms = 0; ms <= 300; ms = ms * 2 + 30)
        say(how->name, "a sleep", LASTS(how->select(0, NULL, NULL, NULL, ms, NULL), ms), NULL);
    say(how->name, "no sets", LASTS(how->select(last + 1, NULL, NULL, NULL, 30, NULL), 30), NULL);
    say(how->name, "a set nowhere",
        AT_ONCE(how->select(last + 1, (void *)-64L, NULL, NULL, 120, NULL)), NULL);
}

static void case_select(void)
{
    each_call(select_with, is_select);
}

/* --- the time that a program hands over ------------------------------------------------------- */

static int64_t us_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* ppoll or pselect, for FD readable; RAW: the system call. */
static int wait_until(bool polls, bool raw, int fd, struct timespec *until)
{
    struct raw_mask mask = {NULL, KERNEL_MASK_BYTES};
    struct pollfd one = {fd, POLLIN, 0};
    fd_set in;

    if (polls)
        return raw ? (int)syscall(SYS_ppoll, &one, 1, until, NULL, KERNEL_MASK_BYTES)
                   : ppoll(&one, 1, until, NULL);
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return raw ? (int)syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, until, &mask)
               : pselect(fd + 1, &in, NULL, NULL, until, NULL);
}

static void handed_over(bool polls, bool raw)
{
    static const struct timespec bad[] = {{0, 1000000000}, {0, -1}, {-1, 0}};
    const char *who = polls ? raw ? "raw ppoll" : "ppoll" : raw ? "raw pselect6" : "pselect";
    long page = sysconf(_SC_PAGESIZE);
    struct timespec *fixed =
        mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pair pair = connected(O_NONBLOCK);
    struct later later = {.ms = 120, .act = write_later, .fd = pair.peer};
    struct timespec until = {0, 120000000};

    say(who, "to the end", LASTS(wait_until(polls, raw, pair.client, &until), 120), NULL);
    WANT(us_of(until) == (raw ? 0 : 120000));
    *fixed = (struct timespec){0, 30000000};
    DO(mprotect(fixed, (size_t)page, PROT_READ));
    say(who, "read-only", LASTS(wait_until(polls, raw, pair.client, fixed), 30), NULL);
    until = (struct timespec){1, 0};
    start_later(&later);
    say(who, "woken", IN_TIME(wait_until(polls, raw, pair.client, &until), 0, 120), NULL);
    if (raw)
        WANT(us_of(until) > 1000000 - (120 + SLACK_MS) * 1000 && us_of(until) < 1000000);
    else
        WANT(us_of(until) == 1000000);
    end_later(&later);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        until = bad[i];
        say(who, "no time", AT_ONCE(wait_until(polls, raw, pair.client, &until)), NULL);
        WANT(until.tv_sec == bad[i].tv_sec && until.tv_nsec == bad[i].tv_nsec);
    }
    if (raw)
        say(who, "a time nowhere", AT_ONCE(wait_until(polls, raw, pair.client, (void *)-64L)),
            NULL);
}

/* select's own, which Linux takes what has passed from. */
static void select_left(void)
{
    static const struct timeval bad[] = {{-1, 0}, {0, -1}, {0, 1500000}};
    struct pair pair = connected(O_NONBLOCK);
    struct later later = {.ms = 120, .act = write_later, .fd = pair.peer};
    struct timeval left = {0, 120000};
    fd_set in;

    FD_ZERO(&in);
    FD_SET(pair.client, &in);
    say("select", "to the end", LASTS(select(pair.client + 1, &in, NULL, NULL, &left), 120), NULL);
    WANT(!IS_GLIBC || (left.tv_sec == 0 && left.tv_usec == 0));
    left = (struct timeval){1, 0};
    start_later(&later);
    FD_SET(pair.client, &in);
    say("select", "woken", IN_TIME(select(pair.client + 1, &in, NULL, NULL, &left), 0, 120), NULL);
    WANT(!IS_GLIBC || (left.tv_sec == 0 && left.tv_usec > 1000000 - (120 + SLACK_MS) * 1000));
    end_later(&later);
    left = (struct timeval){3, 0};
    say("select", "at once", AT_ONCE(select(pair.client + 1, &in, NULL, NULL, &left)), NULL);
    WANT(!IS_GLIBC || (left.tv_sec == 2 && left.tv_usec > 1000000 - SLACK_MS * 1000));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        left = bad[i];
        FD_SET(pair.client, &in); /* readable */
        say("select", "no time", AT_ONCE(select(pair.client + 1, &in, NULL, NULL, &left)), NULL);
    }
}

static void case_handed_over(void)
{
    select_left();
#ifdef TIMES_DIFFER
    enum { WAYS = 2 };
#else
    enum { WAYS = 4 }; /* those by number as well */
#endif
    for (int i = 0; i < WAYS; i++)
        handed_over((i & 1) != 0, (i & 2) != 0);
}
