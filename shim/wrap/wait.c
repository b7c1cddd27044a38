/* SPDX-License-Identifier: MIT
 * A wait that lasts. See wait.h. Layer: wrap.
 *
 * Between its pieces all signals are blocked, and each piece runs under the mask that the program
 * meant: so a handler runs within a piece, which ends with EINTR as the whole would have, or after
 * the wait; never unseen between two pieces.
 */
#include "shim/wrap/wait.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"

#include <string.h>

/* A page that no program has: the last but one. */
#define NO_PAGE (UINTPTR_MAX - 2 * (uintptr_t)TMO_WAIT_PAGE + 1)

__thread struct tmo_wait_thread tmo_wait_thread = {.word_pages = {NO_PAGE, NO_PAGE, NO_PAGE}};

/* Signals by which libc's threads speak with each other, from 32 on. A thread that is cancelled
 * just as a piece ends waits for that one within libc, without an end if it is blocked (glibc,
 * nptl/cancellation.c). */
#ifdef __GLIBC__
#define OF_LIBC (UINT64_C(3) << 31)
#else
#define OF_LIBC (UINT64_C(7) << 31)
#endif

/* Where the thread is cancelled in the wait, or a handler jumps out of it, this is not reached, nor
 * needed: there the kernel has the mask of the piece in force. */
static void unblock(const sigset_t *before)
{
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, before, 0, TMO_KERNEL_MASK);
}

/* Returns whether it could: a filter of the program's may forbid it (seccomp(2)). */
static bool block(sigset_t *ret_before)
{
    const uint64_t all = ~OF_LIBC;
    memset(ret_before, 0, sizeof(*ret_before));
    return TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_before, TMO_KERNEL_MASK) == 0;
}

/* Waits until the program's own time is over. Returns the count or -errno. */
static int wait_long(struct tmo_wait *w, const sigset_t *mask)
{
    sigset_t before;
    int64_t now_ns = tmo_clock_ns();
    uint32_t now = tmo_due_of_ns(now_ns);
    bool blocked = block(&before);
    const sigset_t *under = mask != NULL ? mask : blocked ? &before : NULL;
    w->start = now + 1; /* whole ms, and never before it began */
    if (w->sliced)
        w->start -= tmo_current.wide.slice_ms;
    for (;;) {
        uint32_t due = w->kind->look(w, now);
        tmo_watch_sweep(now, w->call);
        due = tmo_due_earlier(due, tmo_due_first());
        int64_t left_ns = w->end_ns == INT64_MAX ? INT64_MAX
                          : w->end_ns > now_ns   ? w->end_ns - now_ns
                                                 : 0;
        /* At that time or a moment after, never before. And no later than the shortest limit: so
         * what another thread puts into an epoll set meanwhile is seen before it is due. */
        int64_t due_ms = due == 0 ? INT_MAX : tmo_due_between(now, due);
        int64_t due_ns = (due_ms < 0 ? 1 : due_ms + 1) * 1000000;
        if (due_ns > tmo_current.wide.shortest_ns)
            due_ns = tmo_current.wide.shortest_ns;
        int n = w->fake ? w->kind->fake(w)
                        : w->kind->make(w, left_ns < due_ns ? left_ns : due_ns, under);
        now_ns = tmo_clock_ns();
        now = tmo_due_of_ns(now_ns);
        w->kind->leave(w, now);
        if (tmo_wait_is_refused(n) && under == &before) {
            unblock(&before);
            blocked = false;
            under = NULL; /* from now on by the call that the program made */
            continue;
        }
        if (n != 0 || left_ns <= due_ns) {
            if (blocked)
                unblock(&before);
            return n;
        }
    }
}

bool tmo_wait_is_time(void)
{
    uint32_t now = tmo_clock_tick();
    tmo_wait_thread.waits = now - tmo_wait_thread.read <= 4 ? 7 : 0;
    tmo_wait_thread.read = now;
    return now - tmo_wait_thread.looked >= TMO_WAIT_LOOK_MS;
}

static void look(struct tmo_wait *w)
{
    uint32_t now = tmo_due_of_ns(tmo_clock_ns());
    tmo_wait_thread.looked = tmo_clock_tick();
    w->start = now + 1;
    (void)w->kind->look(w, now);
    tmo_watch_sweep(now, w->call);
}

int tmo_wait_rest(struct tmo_wait *w, int64_t left_ns, const sigset_t *mask)
{
    int e = errno, n = 0;
    bool borrowed = tmo_self_borrowed();
    w->end_ns = left_ns == INT64_MAX ? INT64_MAX : tmo_clock_ns() + left_ns;
    if (left_ns == 0 && !borrowed)
        look(w);
    else if (left_ns != 0)
        n = borrowed ? w->kind->make(w, left_ns, mask) : wait_long(w, mask);
    errno = n < 0 ? -n : e;
    return n < 0 ? -1 : n;
}

bool tmo_wait_can_read_slow(const void *address, size_t len)
{
    uintptr_t at = (uintptr_t)address, last = (at + len - 1) / TMO_WAIT_PAGE;
    for (uintptr_t page = at / TMO_WAIT_PAGE; page <= last; page++) {
        uintptr_t begin = page * TMO_WAIT_PAGE > at ? page * TMO_WAIT_PAGE : at;
        if (begin % TMO_WAIT_PAGE > TMO_WAIT_PAGE - 8) /* within the page */
            begin = (page + 1) * TMO_WAIT_PAGE - 8;
        if (page == 0 || !tmo_raw_can_read_8((const void *)begin))
            return false;
        tmo_wait_thread.pages[page % 4] = page;
    }
    return true;
}
