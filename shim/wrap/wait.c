/* SPDX-License-Identifier: MIT
 * poll. Layer: wrap.
 *
 * Bounded is so far just what many otherwise blocking programs do (redis-cli, tnftp): a
 * non-blocking connect whose outcome is waited for by poll. As long as no such attempt can be under
 * way the call ends in a jump; else it is made with the time until the first of them is due, and
 * only when that has passed anything is looked at.
 */
#include "shim/wrap/wait.h"
#include "shim/report/tcpinfo.h"
#include "shim/sys/clock.h"
#include "shim/wrap/call.h"

#include <limits.h>

/* When the first of the attempts under way is due, monotonic; 0: there is none. */
static int64_t first_due_ns;

static int64_t due_ns(const struct tmo_slot *slot)
{
    return (int64_t)tmo_slot_born_us(slot) * 1000 + tmo_current.plan.connect_ns;
}

static void note_due(int64_t due)
{
    int64_t first = __atomic_load_n(&first_due_ns, __ATOMIC_RELAXED);
    while ((first == 0 || due < first) &&
           !__atomic_compare_exchange_n(&first_due_ns, &first, due, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        continue;
}

void tmo_wait_connecting(struct tmo_slot *slot)
{
    tmo_slot_raise(slot, TMO_SLOT_CONNECTING);
    note_due(due_ns(slot));
}

static bool is_connecting(int fd)
{
    struct tmo_tcpinfo info;
    return tmo_tcpinfo_get(fd, &info) == 0 && tmo_tcpinfo_state(&info) == TMO_TCP_SYN_SENT;
}

static bool is_waited_for(int fd, const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].fd == fd)
            return true;
    }
    return false;
}

/* Ends the attempts among FDS that are overdue, and finds out when the next one is due. */
static void look(const struct pollfd *fds, nfds_t count)
{
    int64_t now_ns = tmo_clock_ns();
    __atomic_store_n(&first_due_ns, 0, __ATOMIC_RELAXED);
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        struct tmo_slot *slot = tmo_track_slot(fd);
        if (slot == NULL || (tmo_slot_flags(slot) & TMO_SLOT_CONNECTING) == 0)
            continue;
        if (!is_connecting(fd))
            tmo_slot_lower(slot, TMO_SLOT_CONNECTING);
        else if (due_ns(slot) > now_ns)
            note_due(due_ns(slot));
        else if (is_waited_for(fd, fds, count))
            (void)tmo_connect_expired(fd, slot, now_ns - (int64_t)tmo_slot_born_us(slot) * 1000,
                                      "poll");
        else /* in another thread, which is about to look as well; or nowhere yet */
            note_due(now_ns + 100 * TMO_NS_PER_MS);
    }
}

/* Whole milliseconds until END_NS, rounded up; at most what poll takes. */
static int until_ms(int64_t end_ns, int64_t now_ns)
{
    int64_t ms = end_ns > now_ns ? tmo_ns_to_ms(end_ns - now_ns) : 0;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static __attribute__((noinline)) int poll_bounded(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int e = errno;
    int64_t now_ns = tmo_clock_ns(), end_ns = now_ns + (int64_t)timeout_ms * TMO_NS_PER_MS;
    for (;;) {
        int64_t due = __atomic_load_n(&first_due_ns, __ATOMIC_RELAXED);
        int left_ms = timeout_ms < 0 ? -1 : until_ms(end_ns, now_ns);
        int due_ms = due != 0 ? until_ms(due, now_ns) : -1;
        bool is_ours = due_ms >= 0 && (left_ms < 0 || due_ms < left_ms);
        int r = tmo_real.poll(fds, count, is_ours ? due_ms : left_ms);
        if (r != 0 || !is_ours)
            return r;
        look(fds, count); /* the kernel has read them, so we may */
        now_ns = tmo_clock_ns();
        errno = e;
    }
}

int wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (TMO_UNLIKELY(__atomic_load_n(&first_due_ns, __ATOMIC_RELAXED) != 0) && timeout_ms != 0 &&
        !tmo_self_borrowed())
        return poll_bounded(fds, count, timeout_ms);
    return tmo_real.poll(fds, count, timeout_ms);
}
TMO_ALIAS(__poll, poll);

#ifdef __GLIBC__
TMO_EXPORT int wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms,
                               size_t room) __asm__("__poll_chk");

/* The fortified form: libc says that the buffer is too small, and aborts. */
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
#endif
