/* SPDX-License-Identifier: MIT
 * epoll_create, epoll_ctl, epoll_wait and their kin. See wait.h, epollset.h. Layer: wrap.
 *
 * Which descriptors an event is about, only the program knows: its data may be anything. So the
 * registrations are followed, and all that is due is looked at by whoever waits.
 */
#include "shim/wrap/epollset.h"
#include "shim/wrap/wait.h"

#include <sys/epoll.h>

int wrap_epoll_create(int size)
{
    int set = tmo_real.epoll_create(size);
    if (set >= 0)
        tmo_set_made(set);
    return set;
}

int wrap_epoll_create1(int flags)
{
    int set = tmo_real.epoll_create1(flags);
    if (set >= 0)
        tmo_set_made(set);
    return set;
}

int wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    /* FD may be a set that is to be in another one, before there is any connection. */
    if (!TMO_TSAN_BYTE(tmo_current.wide.watches) || tmo_hot(fd) == TMO_HOT_NONE)
        return tmo_real.epoll_ctl(set, op, fd, event);
    int r = tmo_real.epoll_ctl(set, op, fd, event);
    if (r == 0) /* the kernel has read EVENT, so we may */
        tmo_set_followed(set, op, fd, op != EPOLL_CTL_DEL ? event->events : 0);
    return r;
}

/* --- waits ----------------------------------------------------------------------------------- */

/* epoll_pwait2(2). */
typedef int exact_call(int set, struct epoll_event *events, int max, const struct timespec *timeout,
                       const sigset_t *mask);

struct epoll_args {
    int set;
    struct epoll_event *events;
    int max;
    exact_call *exact; /* that the program made; NULL: another one, in whole ms */
    struct tmo_slot *slot;
};

static int make_epoll(struct tmo_wait *w, int64_t ns, const sigset_t *mask)
{
    const struct epoll_args *a = w->args;
    if (a->slot != NULL) { /* waited on until then at least, or until it comes back */
        uint32_t now = tmo_due_of_ns(tmo_clock_coarse_ns());
        int64_t ms = ns / 1000000;
        tmo_set_attend(a->slot, w->start, now, tmo_due_after(now, ms));
    }
    int n;
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    if (a->exact != NULL)
        n = a->exact(a->set, a->events, a->max, ns == INT64_MAX ? NULL : &t, mask);
    else
        n = tmo_real.epoll_pwait(a->set, a->events, a->max, tmo_wait_ms(ns), mask);
    if (n < 0 && mask == NULL && tmo_wait_is_refused(-errno))
        n = tmo_real.epoll_wait(a->set, a->events, a->max, tmo_wait_ms(ns));
    return n < 0 ? -errno : n;
}

static uint32_t look_epoll(struct tmo_wait *w, uint32_t now)
{
    const struct epoll_args *a = w->args;
    if (a->slot != NULL)
        tmo_set_attend(a->slot, w->start, now, now);
    return 0; /* what is in it is found by the sweep */
}

static void leave_epoll(struct tmo_wait *w, uint32_t now)
{
    const struct epoll_args *a = w->args;
    if (a->slot != NULL)
        tmo_set_attend(a->slot, w->start, now, now);
}

static const struct tmo_wait_kind kind_epoll = {make_epoll, look_epoll, leave_epoll, NULL};

static __attribute__((noinline)) int rest(int set, struct epoll_event *events, int max,
                                          int64_t left_ns, const sigset_t *mask, const char *call,
                                          exact_call *exact)
{
    struct epoll_args args = {set, events, max, exact, tmo_set_of(set)};
    struct tmo_wait w = {.kind = &kind_epoll, .call = call, .sliced = mask == NULL, .args = &args};
    return tmo_wait_rest(&w, left_ns, mask);
}

/* The program's arguments of a call in whole ms, and its name. They are kept in memory, as in
 * select.c: a register that outlives a call costs more than it saves. */
struct ms_args {
    int set, max;
    struct epoll_event *events;
    int timeout_ms, slice_ms; /* the program's, and what its first piece had of that */
    const char *call;
    int n; /* what that gave */
};

/* What follows a first piece that was not the whole. */
static __attribute__((noinline)) int wait_on(const struct ms_args *a)
{
    return rest(a->set, a->events, a->max, tmo_wait_left_ms(a->timeout_ms, a->slice_ms), NULL,
                a->call, NULL);
}

static __attribute__((noinline)) int wait_looks(const struct ms_args *a)
{
    (void)rest(a->set, a->events, a->max, 0, NULL, a->call, NULL);
    return a->n;
}

/* What follows a call that gave N. */
static inline int wait_done(struct ms_args *a, int n)
{
    if (n < 0 || !tmo_wait_counts())
        return n;
    a->n = n;
    return tmo_wait_is_time() ? wait_looks(a) : a->n;
}

static __attribute__((noinline)) int wait_watched(int set, struct epoll_event *events, int max,
                                                  int timeout_ms)
{
    struct ms_args a = {set, max, events, timeout_ms, 0, "epoll_wait", 0};
    int n;
    TMO_KEEP(a);
    if (timeout_ms < 0 && tmo_wait_tries()) {
        n = tmo_real.epoll_wait(set, events, max, 0);
        TMO_KEEP(a);
        if (tmo_wait_tried(n))
            goto looks;
    }
    a.slice_ms = tmo_wait_slice(a.timeout_ms);
    n = tmo_real.epoll_wait(a.set, a.events, a.max, a.slice_ms);
    TMO_KEEP(a);
    if (TMO_UNLIKELY(n == 0 && a.slice_ms != a.timeout_ms))
        return wait_on(&a);
looks:
    return wait_done(&a, n);
}

int wrap_epoll_wait(int set, struct epoll_event *events, int max, int timeout_ms)
{
    if (TMO_UNLIKELY(tmo_hot(set) >= TMO_HOT_SLOW))
        return wait_watched(set, events, max, timeout_ms);
    return tmo_real.epoll_wait(set, events, max, timeout_ms);
}

static __attribute__((noinline)) int pwait_watched(int set, struct epoll_event *events, int max,
                                                   int timeout_ms)
{
    struct ms_args a = {set, max, events, timeout_ms, 0, "epoll_pwait", 0};
    int n;
    TMO_KEEP(a);
    if (timeout_ms < 0 && tmo_wait_tries()) {
        n = tmo_real.epoll_pwait(set, events, max, 0, NULL);
        TMO_KEEP(a);
        if (tmo_wait_tried(n))
            goto looks;
    }
    a.slice_ms = tmo_wait_slice(a.timeout_ms);
    n = tmo_real.epoll_pwait(a.set, a.events, a.max, a.slice_ms, NULL);
    TMO_KEEP(a);
    if (TMO_UNLIKELY(n == 0 && a.slice_ms != a.timeout_ms))
        return wait_on(&a);
looks:
    return wait_done(&a, n);
}

/* Under a mask of the program's own: see tmo_wait_first_ns(). */
static __attribute__((noinline)) int pwait_masked(int set, struct epoll_event *events, int max,
                                                  int timeout_ms, const sigset_t *mask)
{
    int n = tmo_real.epoll_pwait(set, events, max, 0, mask);
    if (n == 0 && timeout_ms != 0)
        return rest(set, events, max, tmo_wait_left_ms(timeout_ms, 0), mask, "epoll_pwait", NULL);
    if (n >= 0 && tmo_wait_looks())
        (void)rest(set, events, max, 0, NULL, "epoll_pwait", NULL);
    return n;
}

int wrap_epoll_pwait(int set, struct epoll_event *events, int max, int timeout_ms,
                     const sigset_t *mask)
{
    if (TMO_LIKELY(tmo_hot(set) < TMO_HOT_SLOW))
        return tmo_real.epoll_pwait(set, events, max, timeout_ms, mask);
    return mask == NULL ? pwait_watched(set, events, max, timeout_ms)
                        : pwait_masked(set, events, max, timeout_ms, mask);
}

static __attribute__((noinline)) int pwait2_watched(exact_call *exact, int set,
                                                    struct epoll_event *events, int max,
                                                    const struct timespec *timeout,
                                                    const sigset_t *mask)
{
    struct timespec slice = {0, (long)tmo_wait_first_ns(mask)};
    /* What the kernel is to refuse goes to it as it is. */
    bool all = timeout != NULL &&
               (!tmo_wait_can_read(timeout, sizeof(*timeout)) || tmo_wait_is_short(timeout));
    int n = exact(set, events, max, all ? timeout : &slice, mask);
    if (TMO_UNLIKELY(n == 0 && !all))
        return rest(set, events, max, tmo_wait_left(timeout, slice.tv_nsec), mask, "epoll_pwait2",
                    exact);
    if (n >= 0 && TMO_UNLIKELY(tmo_wait_looks()))
        (void)rest(set, events, max, 0, NULL, "epoll_pwait2", exact);
    return n;
}

#ifdef __GLIBC__
int wrap_epoll_pwait2(int set, struct epoll_event *events, int max, const struct timespec *timeout,
                      const sigset_t *mask)
{
    if (TMO_UNLIKELY(tmo_hot(set) >= TMO_HOT_SLOW))
        return pwait2_watched(tmo_real.epoll_pwait2, set, events, max, timeout, mask);
    return tmo_real.epoll_pwait2(set, events, max, timeout, mask);
}
#endif

#if defined(SYS_epoll_pwait2) && __SIZEOF_LONG__ == 8 /* else its timespec is not libc's, maybe */
static int by_number(int set, struct epoll_event *events, int max, const struct timespec *timeout,
                     const sigset_t *mask)
{
    return (int)tmo_real.syscall(SYS_epoll_pwait2, set, (long)(uintptr_t)events, max,
                                 (long)(uintptr_t)timeout, (long)(uintptr_t)mask, TMO_KERNEL_MASK);
}

int tmo_epoll_pwait2(int set, struct epoll_event *events, int max, const struct timespec *timeout,
                     const sigset_t *mask)
{
    if (tmo_hot(set) >= TMO_HOT_SLOW)
        return pwait2_watched(by_number, set, events, max, timeout, mask);
    return by_number(set, events, max, timeout, mask);
}
#endif
