/* SPDX-License-Identifier: MIT
 * The steps of lookups.c that ask the resolver itself, or getaddrinfo_a; gethostbyaddr.
 */
#include <arpa/nameser.h>

/* --- by address ------------------------------------------------------------------------------ */

static void step_gethostbyaddr(const char *argument)
{
    struct in_addr in;

    inet_pton(AF_INET, argument != NULL ? argument : "10.1.2.3", &in);
    prepare();
    struct hostent *host = gethostbyaddr(&in, sizeof in, AF_INET);
    say_host(said[0], host, errno, h_errno);
}

static void step_gethostbyaddr_r(const char *argument)
{
    static char buf[900];
    struct hostent host, *ret = &host;
    struct in_addr in;
    int r, failure = H_ERRNO_BEFORE;

    inet_pton(AF_INET, argument != NULL ? argument : "10.1.2.3", &in);
    prepare();
    r = gethostbyaddr_r(&in, sizeof in, AF_INET, &host, buf, sizeof buf, &ret, &failure);
    snprintf(said[0], sizeof said[0], "%d %d %s: ", r, failure,
             ret == &host && host.h_name >= buf && host.h_name < buf + 900 ? "in its place" : "-");
    say_host(said[0], ret, errno, h_errno);
}

/* --- the resolver ---------------------------------------------------------------------------- */

/* What came of it, with the address that is in the answer. */
static void say_answer(char *to, int r, const unsigned char *packet, int error, int host_error)
{
    char what[200], text[64] = "";
    const unsigned char *address = r > 4 ? packet + r - 4 : packet;

    if (r > 12 && packet[7] == 1)
        inet_ntop(AF_INET, address, text, sizeof text);
    snprintf(what, sizeof what, "%d, rcode %d %s", r, packet[3] & 15, text);
    say_end(to, what, error, host_error);
}

#define ASK(call)                                                                                  \
    do {                                                                                           \
        unsigned char packet[600] = {0};                                                           \
        prepare();                                                                                 \
        int r = call;                                                                              \
        say_answer(said[0], r, packet, errno, h_errno);                                            \
    } while (0)

static void step_res_query(const char *argument)
{
    ASK(res_query(name_or(argument), C_IN, T_A, packet, sizeof packet));
}

static void step_res_search(const char *argument)
{
    ASK(res_search(name_or(argument), C_IN, T_A, packet, sizeof packet));
}

static void step_res_querydomain(const char *argument)
{
    ASK(res_querydomain(name_or(argument), "domain", C_IN, T_A, packet, sizeof packet));
}

static int make_question(unsigned char *question, int size)
{
    int len = res_mkquery(QUERY, "x.test", C_IN, T_A, NULL, 0, NULL, question, size);

    DO(len);
    question[0] = question[1] = 7; /* not by chance */
    return len;
}

static void step_res_send(const char *argument)
{
    unsigned char question[300];
    int len = make_question(question, sizeof question);

    (void)argument;
    ASK(res_send(question, len, packet, sizeof packet));
}

static void *query_in_thread(void *to)
{
    unsigned char packet[600] = {0};

    prepare();
    int r = res_query("x.test", C_IN, T_A, packet, sizeof packet);
    say_answer(to, r, packet, errno, h_errno);
    return NULL;
}

static void step_res_two(const char *argument)
{
    pthread_t threads[2];

    (void)argument;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, query_in_thread, said[i + 1]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    snprintf(said[0], sizeof said[0], "%.120s; %.120s", said[1], said[2]);
}

#ifdef __GLIBC__
/* The same with a state of its own, closed as soon as the call is back. */
#define ASK_BY(call)                                                                               \
    do {                                                                                           \
        unsigned char packet[600] = {0};                                                           \
        struct __res_state state = {0};                                                            \
        DO(res_ninit(&state));                                                                     \
        prepare();                                                                                 \
        int r = call, error = errno, host_error = h_errno;                                         \
        say_answer(said[0], r, packet, error, host_error);                                         \
        snprintf(said[0] + strlen(said[0]), 64, ", res_h_errno %d", state.res_h_errno);            \
        res_nclose(&state);                                                                        \
        memset(&state, 0xa5, sizeof state);                                                        \
    } while (0)

static void step_res_nquery(const char *argument)
{
    ASK_BY(res_nquery(&state, name_or(argument), C_IN, T_A, packet, sizeof packet));
}

static void step_res_nsearch(const char *argument)
{
    ASK_BY(res_nsearch(&state, name_or(argument), C_IN, T_A, packet, sizeof packet));
}

static void step_res_nquerydomain(const char *argument)
{
    ASK_BY(res_nquerydomain(&state, name_or(argument), "domain", C_IN, T_A, packet, sizeof packet));
}

static void step_res_nsend(const char *argument)
{
    unsigned char question[300];
    int len = make_question(question, sizeof question);

    (void)argument;
    ASK_BY(res_nsend(&state, question, len, packet, sizeof packet));
}

/* A name server of this process at PORT of loopback. */
static int other_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ends[2];

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    DO(bind(fd, (struct sockaddr *)&at, sizeof at));
    DO(getsockname(fd, (struct sockaddr *)&at, &len));
    DO(pipe2(ends, O_CLOEXEC));
    if (fork() == 0) {
        close(ends[1]);
        serve(fd, ends[0], 0);
    }
    close(ends[0]);
    close(fd);
    return ntohs(at.sin_port);
}

static void go_to(struct __res_state *state, int port)
{
    state->nsaddr_list[0].sin_family = AF_INET;
    state->nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    state->nsaddr_list[0].sin_port = htons((unsigned short)port);
    state->nscount = 1;
}

static void step_res_other(const char *argument)
{
    unsigned char packet[600] = {0};
    struct __res_state state = {0};
    int port = other_server(), plain, by_state;

    (void)argument;
    DO(res_ninit(&state));
    DO(res_init());
    go_to(&_res, port);
    go_to(&state, port);
    plain = res_query("x.test", C_IN, T_A, packet, sizeof packet);
    by_state = res_nquery(&state, "x.test", C_IN, T_A, packet, sizeof packet);
    res_nclose(&state);
    DO(res_init());
    snprintf(said[0], sizeof said[0], "%d %d", plain, by_state);
}

static bool fails_to_query(void)
{
    unsigned char packet[600];
    struct __res_state state = {0};
    int r;

    DO(res_ninit(&state));
    r = res_nquery(&state, "x.test", C_IN, T_A, packet, sizeof packet);
    res_nclose(&state);
    memset(&state, 0xa5, sizeof state);
    return r < 0;
}

static void step_res_loop(const char *argument)
{
    leaves(atoi(argument), fails_to_query);
}

/* --- getaddrinfo_a --------------------------------------------------------------------------- */

static volatile sig_atomic_t told;
static volatile int told_value;

static void note_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    told_value = info->si_code == SI_ASYNCNL ? info->si_value.sival_int : -1;
    told = 1;
}

static void note_value(union sigval value)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    told_value = sigismember(&mask, SIGUSR1) ? -1 : value.sival_int;
    told = 1;
}

/* By MODE, telling by EVENT; how both requests ended, and how long the second took, which nobody
 * has to be asked for. */
static void by_async(int mode, struct sigevent *event, bool suspends)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct gaicb first = {.ar_name = "x.test", .ar_service = "80", .ar_request = &hints};
    struct gaicb second = {.ar_name = "127.0.0.1", .ar_request = &hints};
    struct gaicb *list[] = {&first, NULL, &second};
    const struct timespec short_time = {0, 20000000};
    char text[2][64] = {"-", "-"};
    int r = getaddrinfo_a(mode, list, 3, event), first_wait = 0, cancelled = 0;

    if (suspends) {
        const struct gaicb *one[] = {&first};
        first_wait = gai_suspend(one, 1, &short_time);
        cancelled = gai_cancel(&first);
        while (gai_error(&first) == EAI_INPROGRESS)
            gai_suspend((const struct gaicb *const *)list, 3, NULL);
        while (gai_error(&second) == EAI_INPROGRESS)
            rest_ms(1);
    }
    for (int i = 0; event != NULL && !told && i < 2000; i++)
        rest_ms(5);
    for (int i = 0; i < 2; i++) {
        struct gaicb *one = i == 0 ? &first : &second;
        if (gai_error(one) == 0) {
            getnameinfo(one->ar_result->ai_addr, one->ar_result->ai_addrlen, text[i],
                        sizeof text[i], NULL, 0, NI_NUMERICHOST);
            freeaddrinfo(one->ar_result);
        } else {
            snprintf(text[i], sizeof text[i], "%s", gai_strerror(gai_error(one)));
        }
    }
    snprintf(said[0], sizeof said[0], "%d, %s, %s", r, text[0], text[1]);
    if (suspends)
        snprintf(said[0] + strlen(said[0]), 100, ", %s, %s", gai_strerror(first_wait),
                 gai_strerror(cancelled));
    if (event != NULL)
        snprintf(said[0] + strlen(said[0]), 100, ", told %d", told_value);
}

static void step_async_wait(const char *argument)
{
    (void)argument;
    by_async(GAI_WAIT, NULL, false);
}

static void step_async_suspend(const char *argument)
{
    (void)argument;
    by_async(GAI_NOWAIT, NULL, true);
}

static void step_async_signal(const char *argument)
{
    struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};

    (void)argument;
    told = 0;
    event.sigev_value.sival_int = 42;
    sigaction(SIGUSR1, &action, NULL);
    by_async(GAI_NOWAIT, &event, false);
}

static void step_async_thread(const char *argument)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = note_value};

    (void)argument;
    told = 0;
    event.sigev_value.sival_int = 43;
    by_async(GAI_NOWAIT, &event, false);
}

/* One that is never answered beside one that is; handed back first is that. */
static void step_async_order(const char *argument)
{
    struct gaicb never = {.ar_name = "never.test"}, late = {.ar_name = "x.test"};
    struct gaicb *list[] = {&never, &late};
    const struct gaicb *one[] = {&late};
    const struct timespec most = {5, 0};

    (void)argument;
    getaddrinfo_a(GAI_NOWAIT, list, 2, NULL);
    gai_suspend(one, 1, &most);
    snprintf(said[0], sizeof said[0], "%d %d", gai_error(&late),
             gai_error(&never) == EAI_INPROGRESS);
}

static bool fails_by_async(void)
{
    struct gaicb first = {.ar_name = "x.test"}, second = {.ar_name = "y.test"};
    struct gaicb *list[] = {&first, &second};
    int failed = 0;

    getaddrinfo_a(GAI_NOWAIT, list, 2, NULL);
    for (int i = 0; i < 2; i++) {
        while (gai_error(list[i]) == EAI_INPROGRESS)
            gai_suspend((const struct gaicb *const *)list, 2, NULL);
        if (gai_error(list[i]) != 0)
            failed++;
        else
            freeaddrinfo(list[i]->ar_result);
    }
    memset(&first, 0xa5, sizeof first);
    memset(&second, 0xa5, sizeof second);
    return failed > 0;
}

static void step_async_loop(const char *argument)
{
    leaves(atoi(argument), fails_by_async);
}
#endif
