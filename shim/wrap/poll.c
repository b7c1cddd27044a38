/* SPDX-License-Identifier: MIT
 * poll, ppoll and their fortified forms. See wait.h. Layer: wrap.
 */
#include "shim/wrap/wait.h"

#include <poll.h>

struct poll_args {
    struct pollfd *fds;
    nfds_t count;
    int timeout_ms, slice_ms; /* of a poll: the program's, and what its first piece had of that */
    int n;                    /* what that gave */
};

static int make_poll(struct tmo_wait *w, int64_t ns, const sigset_t *mask)
{
    const struct poll_args *a = w->args;
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    int n = tmo_real.ppoll(a->fds, a->count, ns == INT64_MAX ? NULL : &t, mask);
    if (n < 0 && mask == NULL && tmo_wait_is_refused(-errno))
        n = tmo_real.poll(a->fds, a->count, tmo_wait_ms(ns));
    return n < 0 ? -errno : n;
}

/* Whether a program that asks for EVENTS waits for the peer to send. */
static bool wants_in(short events)
{
    return (events & (POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLRDHUP)) != 0;
}

static uint32_t look_poll(struct tmo_wait *w, uint32_t now)
{
    const struct poll_args *a = w->args;
    uint32_t first = 0;
    for (nfds_t i = 0; i < a->count; i++) {
        if (a->fds[i].fd < 0 || tmo_hot(a->fds[i].fd) == TMO_HOT_NONE)
            continue;
        uint32_t due = tmo_watch_named(a->fds[i].fd, wants_in(a->fds[i].events), w->start, now,
                                       w->call, &w->fake);
        first = tmo_due_earlier(first, due);
    }
    return first;
}

static void leave_poll(struct tmo_wait *w, uint32_t now)
{
    const struct poll_args *a = w->args;
    for (nfds_t i = 0; i < a->count; i++) {
        if (a->fds[i].fd >= 0)
            tmo_watch_named_until(a->fds[i].fd, now);
    }
}

static int fake_poll(struct tmo_wait *w)
{
    const struct poll_args *a = w->args;
    int count = 0;
    for (nfds_t i = 0; i < a->count; i++) {
        const struct tmo_slot *slot = a->fds[i].fd >= 0 ? tmo_track_slot(a->fds[i].fd) : NULL;
        bool is = slot != NULL && slot->pending != 0;
        a->fds[i].revents = is ? POLLERR : 0;
        count += is;
    }
    return count;
}

static const struct tmo_wait_kind kind_poll = {make_poll, look_poll, leave_poll, fake_poll};

static __attribute__((noinline)) int rest(struct pollfd *fds, nfds_t count, int64_t left_ns,
                                          const sigset_t *mask, const char *call)
{
    struct poll_args args = {.fds = fds, .count = count};
    struct tmo_wait w = {.kind = &kind_poll, .call = call, .sliced = mask == NULL, .args = &args};
    return tmo_wait_rest(&w, left_ns, mask);
}

/* What follows a first piece that was not the whole. */
static __attribute__((noinline)) int poll_on(const struct poll_args *a)
{
    return rest(a->fds, a->count, tmo_wait_left_ms(a->timeout_ms, a->slice_ms), NULL, "poll");
}

static __attribute__((noinline)) int poll_looks(const struct poll_args *a)
{
    (void)rest(a->fds, a->count, 0, NULL, "poll");
    return a->n;
}

static __attribute__((noinline)) int poll_watched(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct poll_args a = {fds, count, timeout_ms, tmo_wait_slice(timeout_ms), 0};
    TMO_KEEP(a);
    int n = tmo_real.poll(fds, count, a.slice_ms);
    TMO_KEEP(a);
    if (n < 0)
        return n;
    if (TMO_UNLIKELY(n == 0 && a.slice_ms != a.timeout_ms))
        return poll_on(&a);
    if (!tmo_wait_counts())
        return n;
    a.n = n;
    return tmo_wait_is_time() ? poll_looks(&a) : a.n;
}

int wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (TMO_UNLIKELY(TMO_TSAN_BYTE(tmo_watch_on)))
        return poll_watched(fds, count, timeout_ms);
    return tmo_real.poll(fds, count, timeout_ms);
}
TMO_ALIAS(__poll, poll);

static __attribute__((noinline)) int ppoll_watched(struct pollfd *fds, nfds_t count,
                                                   const struct timespec *timeout,
                                                   const sigset_t *mask)
{
    int n;
    if (timeout != NULL && tmo_wait_is_short(timeout)) {
        n = tmo_real.ppoll(fds, count, timeout, mask);
        if (n < 0)
            return n;
    } else {
        struct timespec slice = {0, (long)tmo_wait_first_ns(mask)};
        n = tmo_real.ppoll(fds, count, &slice, mask);
        if (n < 0)
            return n;
        if (TMO_UNLIKELY(n == 0))
            return rest(fds, count, tmo_wait_left(timeout, slice.tv_nsec), mask, "ppoll");
    }
    if (TMO_UNLIKELY(tmo_wait_looks()))
        (void)rest(fds, count, 0, NULL, "ppoll");
    return n;
}

/* libc reads TIMEOUT as well: ppoll(2) leaves it alone, unlike the kernel's. */
int wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask)
{
    if (TMO_UNLIKELY(TMO_TSAN_BYTE(tmo_watch_on)))
        return ppoll_watched(fds, count, timeout, mask);
    return tmo_real.ppoll(fds, count, timeout, mask);
}

#ifdef __GLIBC__
TMO_EXPORT int wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms,
                               size_t room) __asm__("__poll_chk");
TMO_EXPORT int wrap___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                                const sigset_t *mask, size_t room) __asm__("__ppoll_chk");

/* The fortified forms: libc says that the buffer is too small, and aborts. */
int wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room)
{
    if (TMO_UNLIKELY(room / sizeof(*fds) < count)) {
        int (*real)(struct pollfd *, nfds_t, int, size_t);
        *(void **)&real = tmo_real_late("__poll_chk");
        if (real != NULL)
            return real(fds, count, timeout_ms, room);
    }
    return wrap_poll(fds, count, timeout_ms);
}

int wrap___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                     const sigset_t *mask, size_t room)
{
    if (TMO_UNLIKELY(room / sizeof(*fds) < count)) {
        int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
        *(void **)&real = tmo_real_late("__ppoll_chk");
        if (real != NULL)
            return real(fds, count, timeout, mask, room);
    }
    return wrap_ppoll(fds, count, timeout, mask);
}
#endif
