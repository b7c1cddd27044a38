/* SPDX-License-Identifier: MIT
 * getaddrinfo_a(3), of glibc. Layer: wrap.
 *
 * libc makes these in threads of its own, in which nothing of ours can end them; so under the limit
 * `dns` they are ours: each request is a look-up (lookup.h), and who looks after them all is the
 * caller, or with GAI_NOWAIT one more thread, which hands out what they give and tells whom the
 * program wants told. A request of ours bears a mark while it is under way.
 */
#include "shim/wrap/wrap.h"

#ifdef __GLIBC__
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/wrap/lookup.h"
#include "shim/wrap/thread.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef int getaddrinfo_a_fn(int mode, struct gaicb *list[], int count, struct sigevent *event);
typedef int gai_suspend_fn(const struct gaicb *const list[], int count,
                           const struct timespec *timeout);
typedef int gai_cancel_fn(struct gaicb *request);

/* --- marks ----------------------------------------------------------------------------------- */

static int under_way; /* batches with GAI_NOWAIT */

static int mark_of(const struct gaicb *request)
{
    return (int)((uintptr_t)request >> 4) ^ 0x746d6f67;
}

/* Whether REQUEST is ours and under way. */
static bool is_ours(const struct gaicb *request)
{
    return request != NULL &&
           __atomic_load_n(&request->__return, __ATOMIC_ACQUIRE) == EAI_INPROGRESS &&
           request->__glibc_reserved[0] == mark_of(request) &&
           request->__glibc_reserved[1] == ~mark_of(request);
}

static void mark(struct gaicb *request)
{
    request->__glibc_reserved[0] = mark_of(request);
    request->__glibc_reserved[1] = ~mark_of(request);
    __atomic_store_n(&request->__return, EAI_INPROGRESS, __ATOMIC_RELEASE);
}

/* REQUEST ends with R. From then on it is the program's, which may give it up. */
static void hand_back(struct gaicb *request, int r)
{
    request->__glibc_reserved[0] = request->__glibc_reserved[1] = 0;
    __atomic_store_n(&request->__return, r, __ATOMIC_RELEASE);
    tmo_lookup_count_one();
}

/* --- one request ----------------------------------------------------------------------------- */

struct entry {
    struct gaicb *request; /* NULL: none, or handed back */
    struct tmo_lookup *lookup;
    struct tmo_asked asked;
    bool asks;
    bool told; /* that it is late is on record */
};

static void start_entry(struct entry *e, int64_t start_ns)
{
    const struct gaicb *request = e->request;
    tmo_lookup_begin(&e->asked, "getaddrinfo_a", request->ar_name);
    e->asked.start_ns = start_ns;
    e->asks = tmo_lookup_asks(request->ar_name, request->ar_request);
    if (e->asks)
        e->lookup =
            tmo_lookup_new_getaddrinfo(request->ar_name, request->ar_service, request->ar_request);
    if (e->lookup == NULL)
        return;
    e->lookup->counts = true;
    if (!tmo_lookup_start(e->lookup))
        e->lookup = NULL;
}

/* Hands E back: it is done, or late, or there is no thread for it. */
static void end_entry(struct entry *e)
{
    struct gaicb *request = e->request;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    struct addrinfo *list = NULL;
    int r = EAI_AGAIN;
    if (e->lookup != NULL) {
        end = tmo_lookup_await(e->lookup, &e->asked);
        if (end == TMO_LOOKUP_DONE) {
            r = e->lookup->r;
            list = e->lookup->list;
            tmo_lookup_free(e->lookup);
        }
    } else {
        r = tmo_real.getaddrinfo(request->ar_name, request->ar_service, request->ar_request, &list);
    }
    if (r == 0) {
        request->ar_result = list;
        tmo_lookup_note(request->ar_name, list);
    }
    if (e->asks)
        tmo_lookup_tell(&e->asked, tmo_lookup_eai_name(r),
                        end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    e->request = NULL;
    hand_back(request, r);
}

/* Whether E, which is late, is waited for yet: it is on record then, and those that end meanwhile
 * are handed back before it. */
static bool goes_on(struct entry *e)
{
    if (tmo_current.plan.reports && !e->told) {
        tmo_lookup_tell_late(&e->asked);
        e->told = true;
    }
    return tmo_current.plan.reports;
}

/* --- all of them ----------------------------------------------------------------------------- */

struct batch {
    int64_t start_ns;
    size_t count;
    struct sigevent event;
    pid_t pid;
    struct entry entries[];
};

static struct batch *batch_of(struct tmo_lookup *l)
{
    return (struct batch *)(void *)l->room;
}

/* Makes the look-ups of BATCH. Each is handed back as soon as it has ended. */
static void make_all(struct batch *batch)
{
    struct tmo_asked whole = {.start_ns = batch->start_ns};
    int64_t deadline_ns = tmo_lookup_deadline_ns(&whole);
    for (size_t i = 0; i < batch->count; i++)
        start_entry(&batch->entries[i], batch->start_ns);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->entries[i].lookup == NULL)
            end_entry(&batch->entries[i]);
    }
    for (;;) {
        int seen = tmo_lookup_count();
        bool late = tmo_clock_ns() >= deadline_ns, any = false;
        for (size_t i = 0; i < batch->count; i++) {
            struct entry *e = &batch->entries[i];
            if (e->request != NULL && (tmo_lookup_is_done(e->lookup) || (late && !goes_on(e))))
                end_entry(e);
            any = any || e->request != NULL;
        }
        if (!any)
            return;
        if (late)
            deadline_ns = INT64_MAX;
        (void)tmo_lookup_count_await(seen, deadline_ns);
    }
}

/* --- who is told ----------------------------------------------------------------------------- */

struct notice {
    void (*function)(union sigval value);
    union sigval value;
};

/* In a thread of its own, with the signals open that were closed to ours. */
static void *notify(void *arg)
{
    struct notice notice = *(struct notice *)arg;
    uint64_t none = 0;
    tmo_raw_unmap(arg, sizeof(struct notice));
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
    notice.function(notice.value);
    return NULL;
}

static void tell(const struct batch *batch)
{
    const struct sigevent *event = &batch->event;
    if (event->sigev_notify == SIGEV_SIGNAL) {
        siginfo_t info = {.si_signo = event->sigev_signo, .si_code = SI_ASYNCNL};
        info.si_pid = batch->pid;
        info.si_uid = (uid_t)TMO_RAW2(SYS_getuid, 0, 0);
        info.si_value = event->sigev_value;
        (void)TMO_RAW3(SYS_rt_sigqueueinfo, batch->pid, event->sigev_signo, &info);
    } else if (event->sigev_notify == SIGEV_THREAD) {
        struct notice *notice = tmo_raw_map(sizeof(*notice));
        if (notice == NULL)
            return;
        notice->function = event->sigev_notify_function;
        notice->value = event->sigev_value;
        if (tmo_thread_of_program(event->sigev_notify_attributes, notify, notice) != 0)
            tmo_raw_unmap(notice, sizeof(*notice));
    }
}

static void make_batch(struct tmo_lookup *l)
{
    struct batch *batch = batch_of(l);
    make_all(batch);
    (void)__atomic_sub_fetch(&under_way, 1, __ATOMIC_ACQ_REL);
    tell(batch);
}

/* --- the calls ------------------------------------------------------------------------------- */

#define CALL(name, params)                                                                         \
    TMO_EXPORT int wrap_##name params __asm__(#name);                                              \
    int wrap_##name params

/* A look-up that has a batch of the requests in LIST, or NULL. */
static struct tmo_lookup *new_batch(struct gaicb *list[], int count, const struct sigevent *event)
{
    struct tmo_lookup *l =
        tmo_lookup_new(sizeof(struct batch) + (size_t)count * sizeof(struct entry));
    if (l == NULL)
        return NULL;
    struct batch *batch = batch_of(l);
    batch->start_ns = tmo_clock_ns();
    batch->pid = (pid_t)TMO_RAW2(SYS_getpid, 0, 0);
    batch->event.sigev_notify = SIGEV_NONE;
    if (event != NULL)
        batch->event = *event;
    for (int i = 0; i < count; i++) {
        if (list[i] != NULL)
            batch->entries[batch->count++].request = list[i];
    }
    return l;
}

CALL(getaddrinfo_a, (int mode, struct gaicb *list[], int count, struct sigevent *event))
{
    static void *kept;
    int error = errno;
    struct tmo_lookup *l = NULL;
    if (tmo_lookup_matters() && count >= 0 && (mode == GAI_WAIT || mode == GAI_NOWAIT))
        l = new_batch(list, count, event);
    if (l == NULL) {
        void *real = tmo_lookup_libc(&kept, "getaddrinfo_a");
        return real != NULL ? ((getaddrinfo_a_fn *)(uintptr_t)real)(mode, list, count, event)
                            : EAI_SYSTEM;
    }
    struct batch *batch = batch_of(l);
    for (size_t i = 0; i < batch->count; i++)
        mark(batch->entries[i].request);
    if (mode == GAI_WAIT) {
        make_all(batch);
        tmo_lookup_free(l);
        errno = error;
        return 0;
    }
    l->make = make_batch;
    l->has_state = true; /* it needs none */
    (void)__atomic_add_fetch(&under_way, 1, __ATOMIC_ACQ_REL);
    if (tmo_lookup_leave(l))
        return 0;
    (void)__atomic_sub_fetch(&under_way, 1, __ATOMIC_ACQ_REL);
    for (int i = 0; i < count; i++) {
        if (list[i] != NULL)
            hand_back(list[i], EAI_AGAIN);
    }
    return EAI_AGAIN;
}

static int count_ours(const struct gaicb *const list[], int count)
{
    int ours = 0;
    for (int i = 0; i < count; i++)
        ours += is_ours(list[i]);
    return ours;
}

/* Until one of the OURS requests of LIST that are under way has ended. */
static int await_ours(const struct gaicb *const list[], int count, int ours, int64_t deadline_ns)
{
    for (;;) {
        int seen = tmo_lookup_count();
        if (count_ours(list, count) < ours)
            return 0;
        if (tmo_clock_ns() >= deadline_ns)
            return EAI_AGAIN;
        if (tmo_lookup_count_await(seen, deadline_ns) == -EINTR)
            return EAI_INTR;
    }
}

static int64_t deadline_of(int64_t s, int64_t ns)
{
    int64_t deadline_ns;
    if (__builtin_mul_overflow(s, TMO_NS_PER_S, &deadline_ns) ||
        __builtin_add_overflow(deadline_ns, ns, &deadline_ns) ||
        __builtin_add_overflow(deadline_ns, tmo_clock_ns(), &deadline_ns))
        return INT64_MAX;
    return deadline_ns;
}

CALL(gai_suspend, (const struct gaicb *const list[], int count, const struct timespec *timeout))
{
    static void *kept;
    int ours = count_ours(list, count);
    if (ours > 0)
        return await_ours(list, count, ours,
                          timeout != NULL ? deadline_of(timeout->tv_sec, timeout->tv_nsec)
                                          : INT64_MAX);
    void *real = tmo_lookup_libc(&kept, "gai_suspend");
    return real != NULL ? ((gai_suspend_fn *)(uintptr_t)real)(list, count, timeout) : EAI_ALLDONE;
}

#ifdef TMO_TWO_TIMES
CALL(__gai_suspend_time64,
     (const struct gaicb *const list[], int count, const struct tmo_timespec64 *timeout))
{
    static void *kept;
    int ours = count_ours(list, count);
    if (ours > 0)
        return await_ours(list, count, ours,
                          timeout != NULL ? deadline_of(timeout->tv_sec, timeout->tv_nsec)
                                          : INT64_MAX);
    void *real = tmo_lookup_libc(&kept, "__gai_suspend_time64");
    return real != NULL
               ? ((int (*)(const struct gaicb *const[], int, const struct tmo_timespec64 *))(
                     uintptr_t)real)(list, count, timeout)
               : EAI_ALLDONE;
}
#endif

/* What is being looked up cannot be cancelled, here as in libc. */
CALL(gai_cancel, (struct gaicb * request))
{
    static void *kept;
    bool ours =
        request != NULL ? is_ours(request) : __atomic_load_n(&under_way, __ATOMIC_ACQUIRE) > 0;
    if (ours && request != NULL)
        return EAI_NOTCANCELED;
    void *real = tmo_lookup_libc(&kept, "gai_cancel");
    int r = real != NULL ? ((gai_cancel_fn *)(uintptr_t)real)(request) : EAI_ALLDONE;
    return ours ? EAI_NOTCANCELED : r;
}
#endif
