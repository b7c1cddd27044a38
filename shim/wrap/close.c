/* SPDX-License-Identifier: MIT
 * Every road by which a descriptor goes or doubles: close, close_range, closefrom, dup, dup2, dup3,
 * fclose. Layer: wrap.
 *
 * The record is made and the number forgotten before the real close: afterwards another thread may
 * own it. Our own descriptor, the log's, is not there for the program: to close it gives EBADF.
 */
#include "shim/wrap/close.h"
#include "shim/policy/judge.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/epollset.h"
#include "shim/wrap/made.h"

#include <limits.h>
#include <poll.h>
#include <stdio_ext.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* linux/close_range.h, Linux 5.11 */
#endif
#define CLOSE_RANGE_KNOWN (1U << 1 | CLOSE_RANGE_CLOEXEC) /* the first is CLOSE_RANGE_UNSHARE */

static inline void forget(int fd, const char *reason)
{
    if (!tmo_current.active || tmo_self_borrowed())
        return;
    struct tmo_slot *slot = tmo_track_leave(fd);
    if (slot != NULL) {
        if (tmo_wants(TMO_EVENT_CLOSE))
            tmo_emit_close(fd, slot, reason);
        if ((tmo_slot_flags(slot) & TMO_SLOT_EPOLL) != 0)
            tmo_set_gone(slot);
        tmo_track_free(slot);
    }
    tmo_track_closing(fd);
}

void tmo_close_forget(int fd, const char *reason)
{
    forget(fd, reason);
}

void tmo_close_duplicated(int fd, int copy)
{
    int e = errno;
    if (fd != copy) {
        if (tmo_hot(copy) != TMO_HOT_NONE)
            tmo_close_forget(copy, NULL); /* of a number that went unseen */
        if (tmo_state_slot(fd) != NULL)
            tmo_track_share(fd, copy);
    }
    errno = e;
}

static bool owns(int fd)
{
    return tmo_hot(fd) >= TMO_HOT_SLOW && tmo_sink_owns(&tmo_current.sink, fd);
}

/* tmo_close_mind() of one that is ours, in one way or the other. */
static inline bool mind(int fd)
{
    if (owns(fd)) {
        errno = EBADF;
        return false;
    }
    forget(fd, "close");
    return true;
}

bool tmo_close_mind(int fd)
{
    return tmo_hot(fd) == TMO_HOT_NONE || mind(fd);
}

static __attribute__((noinline)) int close_ours(int fd)
{
    return mind(fd) ? tmo_real.close(fd) : -1;
}

int wrap_close(int fd)
{
    return tmo_hot(fd) == TMO_HOT_NONE ? tmo_real.close(fd) : close_ours(fd);
}
TMO_ALIAS(__close, close);

/* --- ranges ---------------------------------------------------------------------------------- */

static int real_close_range(unsigned first, unsigned last, int flags)
{
#ifdef __GLIBC__
    return tmo_real.close_range(first, last, flags);
#else /* musl has it under no name: see syscall.c */
    return (int)tmo_real.syscall(SYS_close_range, first, last, flags, 0, 0, 0);
#endif
}

static void forget_range(unsigned first, unsigned last)
{
    for (int fd = tmo_track_next(first > INT_MAX ? INT_MAX : (int)first);
         fd >= 0 && (unsigned)fd <= last; fd = tmo_track_next(fd + 1))
        tmo_close_forget(fd, "close");
}

/* close_range, but for our own descriptor. */
static int range_but_ours(unsigned first, unsigned last, int flags)
{
    int log = __atomic_load_n(&tmo_current.sink.fd, __ATOMIC_ACQUIRE);
    if (tmo_current.sink.kind != TMO_SINK_FILE || log < 0 || (unsigned)log < first ||
        (unsigned)log > last || tmo_self_borrowed())
        return real_close_range(first, last, flags);
    int r = 0;
    if ((unsigned)log > first)
        r = real_close_range(first, (unsigned)log - 1, flags);
    if (r == 0 && (unsigned)log < last)
        r = real_close_range((unsigned)log + 1, last, flags);
    return r;
}

int tmo_close_range(unsigned first, unsigned last, int flags)
{
    if (!tmo_current.active || tmo_self_borrowed() || first > last ||
        ((unsigned)flags & ~CLOSE_RANGE_KNOWN) != 0 || ((unsigned)flags & CLOSE_RANGE_CLOEXEC) != 0)
        return real_close_range(first, last, flags);
    /* Is the call there at all (Linux 5.9)? No descriptor has the highest number. */
    if (real_close_range(UINT_MAX, UINT_MAX, 0) < 0)
        return -1;
    forget_range(first, last);
    return range_but_ours(first, last, flags);
}

#ifdef __GLIBC__
int wrap_close_range(unsigned first, unsigned last, int flags)
{
    return tmo_close_range(first, last, flags);
}

void wrap_closefrom(int first)
{
    if (!tmo_current.active || tmo_self_borrowed()) {
        tmo_real.closefrom(first);
        return;
    }
    unsigned from = first > 0 ? (unsigned)first : 0;
    int log = __atomic_load_n(&tmo_current.sink.fd, __ATOMIC_ACQUIRE);
    forget_range(from, UINT_MAX);
    if (tmo_current.sink.kind == TMO_SINK_FILE && log >= 0 && (unsigned)log >= from) {
        for (unsigned fd = from; fd < (unsigned)log; fd++) {
            if (range_but_ours(fd, (unsigned)log - 1, 0) == 0)
                break;
            (void)tmo_raw_close((int)fd); /* before Linux 5.9: one by one */
        }
        tmo_real.closefrom(log + 1);
    } else {
        tmo_real.closefrom(first);
    }
}
#endif

/* --- dup ------------------------------------------------------------------------------------- */

int wrap_dup(int fd)
{
    if (!tmo_current.active)
        return tmo_real.dup(fd);
    int copy = tmo_real.dup(fd);
    if (copy >= 0)
        tmo_close_duplicated(fd, copy);
    return copy;
}

/* Before TO is closed by dup2 from FROM: as close, if that will go well. */
static void before_dup2(int from, int to)
{
    if (from == to || tmo_hot(to) == TMO_HOT_NONE || tmo_self_borrowed() ||
        TMO_RAW2(TMO_SYS_fcntl, from, F_GETFD) < 0)
        return;
    if (owns(to))
        tmo_sink_move(&tmo_current.sink); /* the program wants this number */
    tmo_track_guard(to, false);
    tmo_emit_guard_log();
    tmo_close_forget(to, "dup");
}

static int after_dup2(int from, int to, int r)
{
    if (r >= 0 && tmo_hot(from) != TMO_HOT_NONE)
        tmo_close_duplicated(from, to);
    return r;
}

int wrap_dup2(int from, int to)
{
    if ((tmo_hot(from) | tmo_hot(to)) == TMO_HOT_NONE)
        return tmo_real.dup2(from, to);
    if (owns(from)) {
        errno = EBADF;
        return -1;
    }
    before_dup2(from, to);
    return after_dup2(from, to, tmo_real.dup2(from, to));
}
TMO_ALIAS(__dup2, dup2);

int wrap_dup3(int from, int to, int flags)
{
    if ((tmo_hot(from) | tmo_hot(to)) == TMO_HOT_NONE)
        return tmo_real.dup3(from, to, flags);
    if (owns(from)) {
        errno = EBADF;
        return -1;
    }
    if ((flags & ~O_CLOEXEC) == 0)
        before_dup2(from, to);
    return after_dup2(from, to, tmo_real.dup3(from, to, flags));
}

/* --- fclose ---------------------------------------------------------------------------------- */

/* The number behind FILE, or -1; without the EBADF that fileno(3) leaves for one that has none. */
static int number_of(FILE *file)
{
    int e = errno;
    int fd = file != NULL ? fileno(file) : -1;
    errno = e;
    return fd;
}

/* A wait inside stdio has no wrapper around it: the kernel's timeout ended it, and the stream has
 * its error flag. The kernel knows how long the peer has been silent. */
static void record_stdio(int fd, FILE *file, struct tmo_slot *slot)
{
    if (!ferror_unlocked(file) || (tmo_slot_flags(slot) & TMO_SLOT_EXPIRED) != 0)
        return;
    const struct tmo_plan *plan = tmo_plan_of(slot);
    for (int way = TMO_RECV; way <= TMO_SEND; way++) {
        int64_t limit_ns = plan->wait_ns[way];
        bool ready = tmo_raw_peek(fd, way == TMO_RECV ? POLLIN : POLLOUT) != 0;
        int64_t silent_ns = ready ? -1 : tmo_judge_silent_ns(fd, (enum tmo_way)way);
        if (silent_ns < 0 || silent_ns + TMO_TICK_SLACK_NS < limit_ns ||
            !tmo_judge_timed(fd, slot, plan, (enum tmo_way)way, 0))
            continue;
        (void)tmo_state_expire(&(struct tmo_expiry){
            .fd = fd,
            .slot = slot,
            .limit = way == TMO_RECV ? "recv" : "send",
            .limit_ns = limit_ns,
            .waited_ns = limit_ns,
            .call = "stdio",
            .kernel_error = EAGAIN,
        });
        return;
    }
}

/* fclose(3) may have bytes to write yet, which belong into the record: the socket is asked by a
 * copy afterwards, which lives for that long only. */
static int fclose_pending(int fd, FILE *file, const struct tmo_slot *slot)
{
    struct tmo_slot old = *slot;
    int copy = (int)TMO_RAW3(TMO_SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);
    if (copy < 0) {
        tmo_close_forget(fd, "close");
        return tmo_real.fclose(file);
    }
    tmo_track_drop(fd);
    int r = tmo_real.fclose(file);
    int e = errno;
    tmo_emit_close_by(copy, fd, &old, "close");
    (void)tmo_raw_close(copy);
    errno = e;
    return r;
}

int wrap_fclose(FILE *file)
{
    if (!tmo_current.active)
        return tmo_real.fclose(file);
    int fd = number_of(file);
    if (fd < 0 || tmo_hot(fd) == TMO_HOT_NONE)
        return tmo_real.fclose(file);
    struct tmo_slot *slot = tmo_state_slot(fd);
    if (slot != NULL && slot->dir != TMO_DIR_LISTEN)
        record_stdio(fd, file, slot);
    if (slot != NULL && tmo_wants(TMO_EVENT_CLOSE) && __fpending(file) > 0 &&
        slot->family != TMO_FAMILY_UNIX && __atomic_load_n(&slot->refs, __ATOMIC_RELAXED) == 1)
        return fclose_pending(fd, file, slot);
    tmo_close_forget(fd, "close");
    return tmo_real.fclose(file);
}
