/* SPDX-License-Identifier: MIT
 * The thread in which a name is looked up, and the wait for it. See lookup.h. Layer: wrap.
 *
 * Two own a look-up, and the last frees it: the thread says DONE, who asked says ABANDONED, and who
 * finds the other's word there is the last.
 */
#include "shim/wrap/lookup.h"
#include "shim/sys/clock.h"
#include "shim/sys/futex.h"
#include "shim/sys/raw.h"
#include "shim/sys/real.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/complain.h"
#include "shim/wrap/last.h"
#include "shim/wrap/thread.h"

#include <resolv.h>
#include <string.h>

enum { LOOKUP_RUNS, LOOKUP_DONE, LOOKUP_ABANDONED };

/* Modules of nsswitch.conf(5) take up to some 256 KiB; it is memory only where it is touched. */
#define STACK_BYTES ((size_t)512 << 10)

/* How long who asked waits at most for the thread to be gone that gave the answer. */
#define GONE_MS 40

/* --- what libc gives ------------------------------------------------------------------------- */

/* Found at the first look-up. */
static struct {
    bool found;
    void (*free_list)(struct addrinfo *);
    struct __res_state *(*resolver)(void);
    int (*resolver_start)(struct __res_state *);
} libc;

#define FIND(member, name) (*(void **)&libc.member = tmo_real_late(#name))

static bool find_libc(void)
{
    if (__atomic_load_n(&libc.found, __ATOMIC_ACQUIRE))
        return true;
    FIND(free_list, freeaddrinfo);
#ifdef __GLIBC__
    FIND(resolver, __res_state);
    FIND(resolver_start, __res_ninit);
#endif
    if (libc.free_list == NULL)
        return false;
    __atomic_store_n(&libc.found, true, __ATOMIC_RELEASE);
    return true;
}

/* glibc has a resolver's state for each thread. If the program has begun one, its options and times
 * are taken along: 0, or options, retrans and retry. Not its servers: they may be those of a
 * resolv.conf that has been replaced since, which libc would notice and we cannot. */
static void keep_resolver(struct tmo_lookup *l)
{
    struct __res_state *state = libc.resolver != NULL ? libc.resolver() : NULL;
    if (state == NULL || (state->options & RES_INIT) == 0)
        return;
    l->resolver[0] = state->options;
    l->resolver[1] = (unsigned long)state->retrans;
    l->resolver[2] = (unsigned long)state->retry;
}

static void take_resolver(const struct tmo_lookup *l)
{
    struct __res_state *state = libc.resolver != NULL ? libc.resolver() : NULL;
    if (l->resolver[0] == 0 || state == NULL || libc.resolver_start == NULL ||
        libc.resolver_start(state) < 0)
        return;
    if (state->options != l->resolver[0])
        state->options = l->resolver[0];
    if (state->retrans != (int)l->resolver[1])
        state->retrans = (int)l->resolver[1];
    if (state->retry != (int)l->resolver[2])
        state->retry = (int)l->resolver[2];
}

/* --- the thread ------------------------------------------------------------------------------ */

struct tmo_lookup *tmo_lookup_new(size_t room)
{
    static bool complained;
    if (tmo_current.cfg.value[TMO_SET_DNS] == 0 ||
        __atomic_load_n(&tmo_current.off, __ATOMIC_ACQUIRE) || !tmo_thread_may_start())
        return NULL;
    size_t size = sizeof(struct tmo_lookup) + room;
    struct tmo_lookup *l = size > room ? tmo_raw_map(size) : NULL;
    if (l == NULL && !__atomic_exchange_n(&complained, true, __ATOMIC_RELAXED)) {
        tmo_complain(NULL, &(struct tmo_problem){.where = "SOCKTMO_DNS",
                                                 .value = "",
                                                 .what = "no memory; a look-up goes without it"});
    }
    if (l != NULL)
        l->size = size;
    return l;
}

void tmo_lookup_free(struct tmo_lookup *l)
{
    tmo_raw_unmap(l, l->size);
}

/* An answer that nobody waits for any more. */
static void drop(struct tmo_lookup *l)
{
    if (l->r == 0 && l->list != NULL)
        libc.free_list(l->list);
    tmo_lookup_free(l);
}

static void *run(void *arg)
{
    struct tmo_lookup *l = arg;
    l->tid = tmo_raw_gettid();
    take_resolver(l);
    errno = l->error;
    h_errno = l->host_error;
    l->make(l);
    l->error = errno;
    l->host_error = h_errno;
    bool counts = l->counts;
    if (__atomic_exchange_n(&l->state, LOOKUP_DONE, __ATOMIC_ACQ_REL) == LOOKUP_ABANDONED)
        drop(l);
    else /* it may be gone by now; then nobody is waked, or one who looks again */
        tmo_futex_wake(&l->state, 1);
    if (counts)
        tmo_lookup_count_one();
    return NULL;
}

static int start(struct tmo_lookup *l)
{
    if (!find_libc())
        return ENOSYS;
    if (!l->has_state)
        keep_resolver(l);
    return tmo_thread_start(run, l, STACK_BYTES);
}

/* --- the wait -------------------------------------------------------------------------------- */

bool tmo_lookup_is_done(const struct tmo_lookup *l)
{
    return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE) == LOOKUP_DONE;
}

/* Leaves LOOKUP to the thread. False: that is done with it. */
static bool abandon(struct tmo_lookup *l)
{
    int runs = LOOKUP_RUNS;
    return __atomic_compare_exchange_n(&l->state, &runs, LOOKUP_ABANDONED, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* Whether LOOKUP is done by DEADLINE_NS. A handler that runs meanwhile does not end it. */
static bool await(struct tmo_lookup *l, int64_t deadline_ns)
{
    while (!tmo_lookup_is_done(l)) {
        (void)tmo_futex_wait(&l->state, LOOKUP_RUNS, deadline_ns);
        if (tmo_clock_ns() >= deadline_ns)
            return tmo_lookup_is_done(l);
    }
    return true;
}

static int ended; /* a futex; it goes round */

int tmo_lookup_count(void)
{
    return __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
}

void tmo_lookup_count_one(void)
{
    (void)__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
    tmo_futex_wake(&ended, INT32_MAX);
}

long tmo_lookup_count_await(int seen, int64_t deadline_ns)
{
    return tmo_futex_wait(&ended, seen, deadline_ns);
}

/* --- records --------------------------------------------------------------------------------- */

static void begin_record(struct tmo_event *event, enum tmo_event_kind kind,
                         const struct tmo_asked *asked)
{
    tmo_emit_begin(event, kind);
    event->call = asked->call;
    event->host = asked->name[0] != '\0' ? asked->name : NULL;
    event->peer = asked->addr;
}

void tmo_lookup_tell(const struct tmo_asked *asked, const char *failure, const char *outcome)
{
    struct tmo_event event;
    if (!tmo_wants(TMO_EVENT_DNS))
        return;
    begin_record(&event, TMO_RECORD_DNS, asked);
    event.outcome = outcome != NULL ? outcome : failure != NULL ? "error" : "ok";
    event.failure = failure;
    event.took_ms = (tmo_clock_ns() - asked->start_ns) / TMO_NS_PER_MS;
    tmo_emit(&event);
}

void tmo_lookup_tell_late(const struct tmo_asked *asked)
{
    struct tmo_event event;
    if (!tmo_wants(TMO_EVENT_TIMEOUT))
        return;
    begin_record(&event, TMO_RECORD_TIMEOUT, asked);
    event.limit = "dns";
    event.limit_ms = tmo_ns_to_ms(tmo_current.cfg.value[TMO_SET_DNS]);
    event.waited_ms = (tmo_clock_ns() - asked->start_ns) / TMO_NS_PER_MS;
    event.action = tmo_state_action_name(tmo_current.plan.action);
    tmo_emit(&event);
}

static void no_thread(struct tmo_lookup *l, int error)
{
    static bool complained;
    tmo_lookup_free(l);
    if (!__atomic_exchange_n(&complained, true, __ATOMIC_RELAXED)) {
        char value[TMO_SETTING_TEXT];
        (void)tmo_setting_print(TMO_SET_DNS, tmo_current.cfg.value[TMO_SET_DNS], value);
        tmo_complain(NULL,
                     &(struct tmo_problem){
                         .where = "SOCKTMO_DNS",
                         .value = value,
                         .what = error == ENOSYS
                                     ? "the program has no threads; look-ups go without this limit"
                                     : "no thread can be made; look-ups go without this limit"});
    }
}

bool tmo_lookup_start(struct tmo_lookup *l)
{
    int kept = errno;
    l->error = kept;
    l->host_error = h_errno;
    int error = start(l);
    if (error != 0)
        no_thread(l, error);
    errno = kept;
    return error == 0;
}

bool tmo_lookup_leave(struct tmo_lookup *l)
{
    l->state = LOOKUP_ABANDONED;
    return tmo_lookup_start(l);
}

int64_t tmo_lookup_deadline_ns(const struct tmo_asked *asked)
{
    int64_t deadline_ns;
    return __builtin_add_overflow(asked->start_ns, tmo_current.cfg.value[TMO_SET_DNS], &deadline_ns)
               ? INT64_MAX
               : deadline_ns;
}

enum tmo_lookup_end tmo_lookup_await(struct tmo_lookup *l, const struct tmo_asked *asked)
{
    enum tmo_lookup_end end = TMO_LOOKUP_DONE;
    int kept = errno;

    if (!await(l, tmo_lookup_deadline_ns(asked))) {
        bool reports = tmo_current.plan.reports;
        if (reports || abandon(l)) {
            end = TMO_LOOKUP_LATE;
            tmo_lookup_tell_late(asked);
            tmo_state_end_program(tmo_current.plan.action);
        }
        if (reports) {
            (void)await(l, INT64_MAX);
            end = TMO_LOOKUP_DONE;
        }
    }
    errno = end == TMO_LOOKUP_DONE ? l->error : kept;
    if (end == TMO_LOOKUP_DONE)
        h_errno = l->host_error;
    return end;
}

/* A program with one thread may do what one with two may not: unshare(2) its user, setns(2). So the
 * thread that made LOOKUP is not to be there when the call is back. */
static void await_gone(const struct tmo_lookup *l)
{
    int64_t deadline_ns = tmo_clock_ns() + GONE_MS * TMO_NS_PER_MS;
    while (TMO_RAW3(SYS_tgkill, tmo_self.pid, l->tid, 0) == 0 && tmo_clock_ns() < deadline_ns)
        tmo_clock_sleep(TMO_NS_PER_MS / 100);
}

enum tmo_lookup_end tmo_lookup_make(struct tmo_lookup *l, const struct tmo_asked *asked)
{
    if (!tmo_lookup_start(l))
        return TMO_LOOKUP_NOT;
    enum tmo_lookup_end end = tmo_lookup_await(l, asked);
    if (end == TMO_LOOKUP_DONE)
        await_gone(l);
    return end;
}

void *tmo_lookup_libc(void **kept, const char *name)
{
    char older[32] = "__";
    void *found = __atomic_load_n(kept, __ATOMIC_ACQUIRE);
    if (found == NULL && strlen(name) < sizeof(older) - 2) {
        found = tmo_real_late(name);
        if (found == NULL) {
            memcpy(older + 2, name, strlen(name) + 1);
            found = tmo_real_late(older);
        }
        __atomic_store_n(kept, found, __ATOMIC_RELEASE);
    }
    return found;
}
