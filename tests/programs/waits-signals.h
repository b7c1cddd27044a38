/* SPDX-License-Identifier: MIT
 * Cases of waits.c: what disturbs a wait. Signals, masks, jumps, job control, cancellation.
 */

static const int moments_ms[] = {0, 10, 60, 200};
enum { MOMENTS = sizeof moments_ms / sizeof moments_ms[0] };

static volatile sig_atomic_t handled;
static int64_t handled_us; /* when */

static void count(int number)
{
    (void)number;
    handled_us = now_us();
    handled++;
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigemptyset(&action.sa_mask);
    DO(sigaction(number, &action, NULL));
}

static sigset_t set_of(int number)
{
    sigset_t ret;

    sigemptyset(&ret);
    sigaddset(&ret, number);
    return ret;
}

/* --- masks ------------------------------------------------------------------------------------ */

/* Blocked outside, allowed inside. */
static void let_in(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    sigset_t inside, outside = set_of(SIGUSR1);
    unsigned long long before;

    sigaddset(&outside, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &outside, &inside);
    before = mask_now();
    handle(SIGUSR1, count, SA_RESTART);
    for (int i = 0; i < MOMENTS; i++) {
        struct later later = {.ms = moments_ms[i], .act = signal_later, .signal = SIGUSR1};
        int n;

        start_later(&later);
        if (later.ms == 0)
            end_later(&later); /* pending before the wait begins */
        handled = 0;
        n = IN_TIME(wait_now(&wait, LONG_MS, &inside), 0, later.ms);
        say(how->name, "let in", n, &wait.happened);
        WANT(handled == 1 && mask_now() == before);
        if (later.ms != 0)
            end_later(&later);
        say(how->name, "and again", LASTS(wait_now(&wait, 30, &inside), 30), &wait.happened);
        WANT(handled == 1 && mask_now() == before);
    }
    /* what is ready goes before what is pending */
    WANT(send(pair.peer, "x", 1, 0) == 1);
    raise(SIGUSR1);
    handled = 0;
    say(how->name, "ready and pending", AT_ONCE(wait_now(&wait, LONG_MS, &inside)), &wait.happened);
    printf("%s: handled %d\n", how->name, (int)handled);
    WANT(mask_now() == before);
}

static void case_let_in(void)
{
    each_call(let_in, has_mask);
}

/* Allowed outside, blocked inside: the handler runs when the wait is over; or before it began, on a
 * machine with its hands full. */
static void kept_out(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    unsigned long long before = mask_now();
    sigset_t inside = set_of(SIGUSR1);

    handle(SIGUSR1, count, 0);
    for (int i = 1; i < MOMENTS; i++) {
        struct later later = {.ms = moments_ms[i], .act = signal_later, .signal = SIGUSR1};
        struct later data = {.ms = 350, .act = write_later, .fd = pair.peer};
        int64_t begun;
        char byte;

        handled = 0;
        start_later(&later);
        begun = now_us();
        say(how->name, "kept out", LASTS(wait_now(&wait, 350, &inside), 350), &wait.happened);
        WANT(handled == 1 && mask_now() == before);
        WANT(handled_us < begun || handled_us - begun >= 350000);
        end_later(&later);

        handled = 0;
        start_later(&later);
        start_later(&data);
        begun = now_us();
        say(how->name, "till there are data", IN_TIME(wait_now(&wait, LONG_MS, &inside), 200, 350),
            &wait.happened);
        WANT(handled == 1 && mask_now() == before);
        WANT(handled_us < begun || handled_us - begun >= 200000);
        end_later(&later);
        end_later(&data);
        WANT(recv(pair.client, &byte, 1, 0) == 1);
    }
}

static void case_kept_out(void)
{
    each_call(kept_out, has_mask);
}

/* --- handlers --------------------------------------------------------------------------------- */

static void interrupted(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    unsigned long long before = mask_now();

    for (int i = 1; i < MOMENTS * 2; i++) {
        struct later later = {
            .ms = moments_ms[i % MOMENTS], .act = insist_later, .signal = SIGUSR1};
        int n;

        handle(SIGUSR1, count, i < MOMENTS ? 0 : SA_RESTART);
        handled = 0;
        start_later(&later);
        n = AT_LEISURE(wait_now(&wait, i % 2 != 0 ? -1 : 2 * LONG_MS, NULL));
        end_later(&later);
        say(how->name, i < MOMENTS ? "a handler" : "one with SA_RESTART", n, &wait.happened);
        WANT(handled >= 1 && mask_now() == before);
    }
}

/* Whatever the handler's flags. */
static void case_interrupted(void)
{
    each_call(interrupted, NULL);
}

static struct wait other_wait;

static void wait_inside(int number)
{
    int kept = errno;

    (void)number;
    WANT(wait_now(&other_wait, 60, NULL) == 0);
    handled++;
    errno = kept;
}

/* The handler itself waits, for the same connection. */
static void within(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    struct later later = {.ms = 30, .act = insist_later, .signal = SIGUSR1};
    int n;

    other_wait = wait_for(how, pair.client, POLLIN);
    handle(SIGUSR1, wait_inside, 0);
    start_later(&later);
    n = AT_LEISURE(wait_now(&wait, -1, NULL));
    end_later(&later);
    say(how->name, "a wait in a handler", n, &wait.happened);
    WANT(handled >= 1);
}

static void case_within(void)
{
    each_call(within, NULL);
}

/* --- job control ------------------------------------------------------------------------------ */

/* A process that stops us, 60 ms from now, and lets us go on 100 ms later. */
static pid_t start_stopper(void)
{
    pid_t program = getpid(), pid = fork();

    DO(pid);
    if (pid == 0) {
        rest_ms(60);
        kill(program, SIGSTOP);
        rest_ms(100);
        kill(program, SIGCONT);
        _exit(0);
    }
    return pid;
}

static void stopped(const struct waiting *how)
{
    struct pair pair = connected(O_NONBLOCK);
    struct wait wait = wait_for(how, pair.client, POLLIN);
    pid_t stopper = start_stopper();
    int n = IN_TIME(wait_now(&wait, 400, NULL), 0, 600);

    say(how->name, "stopped for a while", n, &wait.happened);
    WANT(how->poll == NULL || n == 0);
    DO(waitpid(stopper, NULL, 0));
}

static void case_stopped(void)
{
    each_call(stopped, NULL);
}

/* --- a jump out of a handler ------------------------------------------------------------------ */

static sigjmp_buf out;

static void jump(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

/* With the mask that was saved, or the one in force in the handler. */
static void jumped(const struct waiting *how)
{
    for (volatile int saves = 0; saves <= 1; saves++) {
        struct pair pair = connected(O_NONBLOCK);
        struct wait wait = wait_for(how, pair.client, POLLIN);
        struct later later = {.ms = 60, .act = signal_later, .signal = SIGUSR1};
        sigset_t outside = set_of(SIGHUP), inside = set_of(SIGUSR2);
        volatile int jumps = 0;

        if (how->masks)
            sigaddset(&outside, SIGUSR1); /* it comes in the wait for certain */
        else
            later.act = insist_later;
        pthread_sigmask(SIG_SETMASK, &outside, NULL);
        handle(SIGUSR1, jump, 0);
        if (sigsetjmp(out, saves) == 0) {
            start_later(&later);
            wait_now(&wait, LONG_MS, &inside);
            FAIL("%s was not left by a jump", how->name);
        }
        jumps++;
        WANT(jumps == 1);
        printf("%s: mask %#llx after a jump that %s it\n", how->name, mask_now(),
               saves != 0 ? "sets" : "keeps");
        handle(SIGUSR1, count, 0);
        pthread_sigmask(SIG_SETMASK, &outside, NULL);
        end_later(&later);
        say(how->name, "and then", LASTS(wait_now(&wait, 30, &outside), 30), &wait.happened);
        handled = 0;
        pthread_sigmask(SIG_SETMASK, &inside, NULL);
    }
}

static void case_jumped(void)
{
    each_call(jumped, NULL);
}

/* --- cancellation ----------------------------------------------------------------------------- */

static struct victim {
    struct wait wait;
    sigset_t inside;
    bool deaf; /* cancellation is off while it waits */
    int result;
    unsigned long long mask; /* when its cleanup handler runs */
    int cleanups;
} victim;

static void cleanup(void *argument)
{
    (void)argument;
    victim.mask = mask_now();
    victim.cleanups++;
}

static void *be_victim(void *argument)
{
    (void)argument;
    if (victim.deaf)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_push(cleanup, NULL);
    victim.result = wait_now(&victim.wait, 400, &victim.inside);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancelled(const struct waiting *how)
{
    static const struct {
        const char *what;
        int after_ms;
        bool deaf;
    } ways[] = {{"while it waits", 100, false}, {"as it begins", 0, false}, {"deaf", 100, true}};
    struct pair pair = connected(O_NONBLOCK);
    sigset_t outside = set_of(SIGHUP);

    pthread_sigmask(SIG_SETMASK, &outside, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        pthread_t thread;
        int64_t before = now_us(), took;
        void *ret;

        victim = (struct victim){.wait = wait_for(how, pair.client, POLLIN),
                                 .inside = set_of(SIGUSR2),
                                 .deaf = ways[i].deaf,
                                 .result = -2};
        WANT(pthread_create(&thread, NULL, be_victim, NULL) == 0);
        rest_ms(ways[i].after_ms);
        WANT(pthread_cancel(thread) == 0 && pthread_join(thread, &ret) == 0);
        took = now_us() - before;
        WANT(ret == PTHREAD_CANCELED && victim.cleanups == 1);
        printf("%s, cancelled %s: returned %d\n", how->name, ways[i].what, victim.result);
        if (ways[i].after_ms != 0) /* else it may not be in the wait yet */
            printf("%s: mask %#llx\n", how->name, victim.mask);
        if (how->raw || victim.deaf)
            WANT(took >= 400000 || ways[i].after_ms == 0 || !IS_GLIBC);
        else
            WANT(took < 400000);
    }
    say(how->name, "here", LASTS(wait_now(&victim.wait, 30, NULL), 30), &victim.wait.happened);
}

static void case_cancelled(void)
{
    each_call(cancelled, NULL);
}
