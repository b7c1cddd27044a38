/* SPDX-License-Identifier: MIT
 * What the library does with a connection. See outcome.h. It is told from the very plan that the
 * library would make; which option is set where: shim/policy/apply.c, shim/wrap/connect.c, made.c.
 */
#include "cli/outcome.h"
#include "config/duration.h"
#include "config/rule.h"

#include <stdarg.h>
#include <stdio.h>

#define WAITS "poll, select, epoll_wait"

struct story {
    const struct tmo_plan *plan;
    uint8_t proto, dir;
    bool is6, connects; /* of IPv6; a handshake is waited for */
    tmo_step_fn *step;
    void *ctx;
    unsigned count;
};

/* The step CALL, with the words of FORMAT. */
static __attribute__((format(printf, 3, 4))) void say(struct story *s, const char *call,
                                                      const char *format, ...)
{
    char when[200];
    va_list args;
    va_start(args, format);
    vsnprintf(when, sizeof(when), format, args);
    va_end(args);
    s->step(s->ctx, call, when);
    s->count++;
}

/* What holds where the program has a timeout of its own. */
static const char *but_for_its_own(const struct story *s)
{
    return s->plan->mode == TMO_MODE_CAP    ? ", unless the program set a shorter one"
           : s->plan->mode == TMO_MODE_FILL ? ", unless the program set one"
                                            : "";
}

static void say_timeout(struct story *s, enum tmo_way way, int64_t us, const char *when)
{
    char call[80], time[TMO_DURATION_TEXT];
    tmo_duration_print(us * TMO_NS_PER_US, time);
    snprintf(call, sizeof(call), "setsockopt(SOL_SOCKET, %s, %s)",
             way == TMO_RECV ? "SO_RCVTIMEO" : "SO_SNDTIMEO", time);
    say(s, call, "%s%s", when, but_for_its_own(s));
}

/* The same for other options. AMOUNT: of two values one is the stricter. */
static const char *but_for_its_option(const struct story *s, bool amount)
{
    return s->plan->mode == TMO_MODE_FORCE           ? ""
           : s->plan->mode == TMO_MODE_CAP && amount ? ", unless the program set less"
                                                     : ", unless the program set it";
}

static void say_number(struct story *s, const char *option, int value, bool amount)
{
    char call[80];
    snprintf(call, sizeof(call), "setsockopt(%s, %d)", option, value);
    say(s, call, "%s%s", s->connects ? "before connect" : "at accept",
        but_for_its_option(s, amount));
}

static void say_options(struct story *s)
{
    const struct tmo_plan *plan = s->plan;
    if (s->proto != TMO_PROTO_TCP)
        return;
    if (plan->keepalive.idle_s != 0) {
        say_number(s, "SOL_SOCKET, SO_KEEPALIVE", 1, false);
        say_number(s, "IPPROTO_TCP, TCP_KEEPIDLE", plan->keepalive.idle_s, true);
        if (plan->keepalive.interval_s != 0)
            say_number(s, "IPPROTO_TCP, TCP_KEEPINTVL", plan->keepalive.interval_s, true);
        if (plan->keepalive.count != 0)
            say_number(s, "IPPROTO_TCP, TCP_KEEPCNT", plan->keepalive.count, true);
    }
    if (plan->user_timeout_ms != 0)
        say_number(s, "IPPROTO_TCP, TCP_USER_TIMEOUT", (int)plan->user_timeout_ms, true);
}

/* Whether such a socket has OPTION; as shim/policy/options.c has it. */
static bool applies(const struct story *s, const struct tmo_sockopt *option)
{
    bool late = s->dir == TMO_FROM;
    switch (option->scope) {
    case TMO_FOR_INET:
        return s->proto != TMO_PROTO_UNIX;
    case TMO_FOR_TCP:
        return s->proto == TMO_PROTO_TCP;
    case TMO_FOR_TCP_NEW:
        return s->proto == TMO_PROTO_TCP && !late;
    case TMO_FOR_UDP:
        return s->proto == TMO_PROTO_UDP;
    case TMO_FOR_IP6:
        return s->is6;
    case TMO_FOR_IP6_NEW:
        return s->is6 && !late;
    case TMO_FOR_UNIX:
        return s->proto == TMO_PROTO_UNIX;
    default:
        return true;
    }
}

static void say_listed(struct story *s)
{
    for (unsigned i = 0; i < s->plan->sockopts_count; i++) {
        const struct tmo_sockopt *option = &s->plan->sockopts[i];
        char value[TMO_SOCKOPT_TEXT], call[TMO_SOCKOPT_TEXT + 16];
        if (!applies(s, option))
            continue;
        tmo_sockopt_print(option, value);
        snprintf(call, sizeof(call), "setsockopt(%s)", value);
        say(s, call, "%s%s", s->dir == TMO_FROM ? "at accept" : "at socket",
            but_for_its_option(s, tmo_sockopt_is_amount(option->type)));
    }
}

/* Which waits the timeout of a direction is for. */
static const char *waits_of(enum tmo_way way, bool out)
{
    if (way == TMO_RECV)
        return out ? "at connect, for blocking reads" : "at accept, for blocking reads";
    return out ? "when connected, for blocking writes" : "at accept, for blocking writes";
}

static void say_waits(struct story *s)
{
    const struct tmo_plan *plan = s->plan;
    bool out = s->dir == TMO_TO;
    for (int way = TMO_RECV; way <= TMO_SEND; way++) {
        const char *when = s->proto == TMO_PROTO_UDP ? "at socket, connect or sendto"
                                                     : waits_of((enum tmo_way)way, out);
        bool is_there = way == TMO_SEND && s->connects && plan->wait_us[way] == plan->connect_us;
        if (plan->wait_us[way] != 0 && !is_there)
            say_timeout(s, (enum tmo_way)way, plan->wait_us[way], when);
    }
}

/* Where no timeout is on the socket the time is kept around the call. */
static void say_kept(struct story *s)
{
    static const char *const calls[] = {"recv, read and their kin", "send, write and their kin"};
    const struct tmo_plan *plan = s->plan;
    char time[TMO_DURATION_TEXT];
    for (int way = TMO_RECV; way <= TMO_SEND && plan->keeps; way++) {
        if (plan->wait_ns[way] == 0)
            continue;
        tmo_duration_print(plan->wait_ns[way], time);
        say(s, calls[way], "one that waits is waited for by ppoll, and %s after %s%s",
            plan->reports ? "recorded" : "ended", time, but_for_its_own(s));
    }
    if (!plan->watchdog || s->proto != TMO_PROTO_TCP)
        return;
    if (plan->connect_ns != 0 && plan->connect_us == 0 && s->connects) {
        tmo_duration_print(plan->connect_ns, time);
        say(s, "connect", "one that waits is %s by the watchdog after %s",
            plan->reports ? "recorded" : "ended", time);
    }
    say(s, "pidfd_getfd, getsockopt(IPPROTO_TCP, TCP_INFO)",
        "by the watchdog, where it is waited for by no call of libc's that is followed");
}

static void say_loops(struct story *s)
{
    const struct tmo_plan *plan = s->plan;
    const char *waits = s->proto == TMO_PROTO_UDP ? "poll, select" : WAITS;
    char time[TMO_DURATION_TEXT];
    bool connects = s->connects && plan->connect_ns != 0;
    if (!plan->watches) {
        if (connects || plan->wait_ns[TMO_RECV] != 0 || plan->wait_ns[TMO_SEND] != 0)
            say(s, waits, "left alone, as nonblock is off");
        return;
    }
    if (connects) {
        tmo_duration_print(plan->connect_ns, time);
        say(s, waits,
            plan->reports ? "a connect under way is recorded after %s"
                          : "a connect under way is ended after %s",
            time);
    }
    if (plan->wait_ns[TMO_RECV] != 0) {
        tmo_duration_print(plan->wait_ns[TMO_RECV], time);
        say(s, waits, "looked at after %s of silence%s", time,
            plan->answer ? ", if an answer is owed" : "");
    }
    if (plan->wait_ns[TMO_SEND] != 0 && s->proto != TMO_PROTO_UDP) {
        tmo_duration_print(plan->wait_ns[TMO_SEND], time);
        say(s, waits, "looked at after %s in which nothing that was sent moved", time);
    }
}

static void say_deadlines(struct story *s)
{
    static const char call[] = "getsockopt(IPPROTO_TCP, TCP_INFO)";
    const struct tmo_plan *plan = s->plan;
    const char *what = plan->reports ? "recorded" : "ended";
    char time[TMO_DURATION_TEXT];
    if (s->proto != TMO_PROTO_TCP) /* the kernel does not tell for others */
        return;
    if (plan->idle_ns != 0) {
        tmo_duration_print(plan->idle_ns, time);
        say(s, call, "at each wait that lasts: %s after %s of silence both ways", what, time);
    }
    if (plan->total_ns != 0) {
        tmo_duration_print(plan->total_ns, time);
        say(s, call, "at each wait that lasts: %s %s after %s", what, time,
            s->dir == TMO_TO ? "connect" : "accept");
    }
}

static void say_linger(struct story *s)
{
    int64_t ns = s->plan->linger_ns;
    char call[80];
    if (ns == 0)
        return;
    snprintf(call, sizeof(call), "setsockopt(SOL_SOCKET, SO_LINGER, %llds)",
             (long long)(ns / TMO_NS_PER_S + (ns % TMO_NS_PER_S != 0)));
    say(s, call, "where the program sets a longer one");
}

unsigned tmo_cli_outcome(const struct tmo_plan *plan, int64_t accept_us,
                         const struct tmo_target *target, tmo_step_fn *step, void *ctx)
{
    uint8_t proto = target->proto, dir = target->dir;
    struct story s = {.plan = plan, .proto = proto, .dir = dir, .step = step, .ctx = ctx};
    s.is6 = target->has_addr && !tmo_block_is4(target->addr);
    s.connects = dir == TMO_TO && proto != TMO_PROTO_UDP;
    if (dir == TMO_FROM && proto != TMO_PROTO_UDP && accept_us != 0)
        say_timeout(&s, TMO_RECV, accept_us, "on the listening socket, for a blocking accept");
    say_listed(&s);
    say_options(&s);
    if (s.connects && plan->connect_us != 0)
        say_timeout(&s, TMO_SEND, plan->connect_us,
                    plan->connect_us == plan->wait_us[TMO_SEND]
                        ? "at connect, for that and for blocking writes"
                        : "for the time of a blocking connect");
    say_waits(&s);
    say_kept(&s);
    say_loops(&s);
    say_deadlines(&s);
    say_linger(&s);
    return s.count;
}
