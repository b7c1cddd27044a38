/* SPDX-License-Identifier: MIT
 * A wait for several descriptors that lasts: made in pieces, each until the first look is due. The
 * families (poll.c, select.c, epoll.c) differ in how a piece is made and in what it waits for.
 * Layer: wrap.
 *
 * Each family first makes its call as it is, but for no longer than a slice: what is ready at once,
 * or soon, costs no system call more, and what the kernel has read can be read by us. Only a wait
 * that outlasts the slice comes here.
 */
#ifndef TMO_WRAP_WAIT_H
#define TMO_WRAP_WAIT_H

#include "shim/sys/clock.h"
#include "shim/wrap/watch.h"

#include <limits.h>
#include <signal.h>

struct tmo_wait;

/* One of the families. */
struct tmo_wait_kind {
    /* Waits for NS at most (INT64_MAX: without end), under the signal mask MASK, or the thread's
     * own if that is NULL. Returns the count or -errno. A point of cancellation. */
    int (*make)(struct tmo_wait *wait, int64_t ns, const sigset_t *mask);
    /* Looks at all that is waited for: it is NOW. Returns when to look again; 0: not. */
    uint32_t (*look)(struct tmo_wait *wait, uint32_t now);
    /* It was waited for until NOW. */
    void (*leave)(struct tmo_wait *wait, uint32_t now);
    /* Says that what cannot be made ready (tmo_watch_named) is. Returns the count. */
    int (*fake)(struct tmo_wait *wait);
};

struct tmo_wait {
    const struct tmo_wait_kind *kind;
    const char *call; /* for the record */
    int64_t end_ns;   /* monotonic: when the program's own time is over; INT64_MAX: never */
    uint32_t start;   /* when the program began to wait */
    bool sliced;      /* a slice of it is over */
    bool fake;        /* something is to be said to be ready */
    void *args;       /* the family's own */
};

/* All that follows the first piece of a wait, which found nothing: LEFT_NS more (INT64_MAX: without
 * end), under MASK. Or, if LEFT_NS is 0, a look only. Returns what the program gets; sets errno. */
int tmo_wait_rest(struct tmo_wait *wait, int64_t left_ns, const sigset_t *mask);

/* Whether N says that the form of the call that takes a mask is not to be had: a filter of the
 * program's forbids it (seccomp(2)), for the program does not use it. */
static inline bool tmo_wait_is_refused(int n)
{
    return n == -EPERM || n == -ENOSYS;
}

#define TMO_KERNEL_MASK 8 /* bytes of a signal mask, as the kernel has it */

/* epoll_pwait2(2) by its number, which is followed also where libc has no such name. Sets errno. */
int tmo_epoll_pwait2(int set, struct epoll_event *events, int max, const struct timespec *timeout,
                     const sigset_t *mask);

/* What a thread keeps of its waits. */
struct tmo_wait_thread {
    uint32_t looked;              /* when it last looked, as tmo_clock_tick() has it */
    uint32_t read;                /* when it last read the clock */
    int32_t waits;                /* short ones until it does so again */
    unsigned leave_out, left_out; /* see tmo_wait_tries() */
    uintptr_t pages[4];           /* of the program's that could be read: their numbers */
    uintptr_t word_pages[3];      /* the same by their addresses: see tmo_wait_can_read_word() */
};
extern __thread struct tmo_wait_thread tmo_wait_thread TMO_HIDDEN
    __attribute__((tls_model("initial-exec")));

/* Whether the clock is to be read after a wait that was short: many come one upon the other. It is
 * at every eighth one where they do, else at each. */
static inline bool tmo_wait_counts(void)
{
    return TMO_UNLIKELY(--tmo_wait_thread.waits < 0);
}

/* Then: whether it is time for a look. */
#define TMO_WAIT_LOOK_MS 25
bool tmo_wait_is_time(void);

static inline bool tmo_wait_looks(void)
{
    return tmo_wait_counts() && TMO_UNLIKELY(tmo_wait_is_time());
}

/* Whether a wait without end is first to be tried without waiting at all: to the kernel a time, be
 * it that of a slice, costs more than the rest of a wait that is ready at once. A try that finds
 * nothing costs a system call: the next 1, 3, 7... 63 are left out, so that who finds nothing
 * hardly pays. */
static inline bool tmo_wait_tries(void)
{
    if (TMO_LIKELY(tmo_wait_thread.left_out == 0))
        return true;
    tmo_wait_thread.left_out--;
    return false;
}

/* A try gave N. Returns whether that is what the program gets. */
static inline bool tmo_wait_tried(int n)
{
    if (TMO_LIKELY(n != 0)) {
        tmo_wait_thread.leave_out = 0;
        return true;
    }
    tmo_wait_thread.leave_out = (tmo_wait_thread.leave_out << 1 | 1) & 63;
    tmo_wait_thread.left_out = tmo_wait_thread.leave_out;
    return false;
}

/* The first piece of a wait of TIMEOUT_MS (negative: without end). */
static inline int tmo_wait_slice(int timeout_ms)
{
    unsigned slice = tmo_current.wide.slice_ms;
    return (unsigned)timeout_ms > slice ? (int)slice : timeout_ms;
}

/* What is left of TIMEOUT_MS behind such a piece, in ns. */
static inline int64_t tmo_wait_left_ms(int timeout_ms, int slice_ms)
{
    return timeout_ms < 0 ? INT64_MAX : (int64_t)(timeout_ms - slice_ms) * 1000000;
}

/* How long that is in ns, at most. */
static inline int64_t tmo_wait_slice_ns(void)
{
    return tmo_current.wide.slice_ns;
}

/* S seconds and NS in ns; INT64_MAX from 292 years on. */
static inline int64_t tmo_wait_ns(int64_t s, int64_t ns)
{
    return s > INT64_MAX / 1000000000 - 1 ? INT64_MAX : s * 1000000000 + ns;
}

/* How long it is under MASK: not at all where the program has one. When a piece is over its own
 * mask is back, and a signal that was to be kept out until the whole is over would be handled. */
static inline int64_t tmo_wait_first_ns(const sigset_t *mask)
{
    return mask == NULL ? tmo_wait_slice_ns() : 0;
}

/* What is left of TIMEOUT (NULL: without end), which is longer, behind FIRST_NS. */
static inline int64_t tmo_wait_left(const struct timespec *timeout, int64_t first_ns)
{
    int64_t ns = timeout != NULL ? tmo_wait_ns(timeout->tv_sec, timeout->tv_nsec) : INT64_MAX;
    return ns == INT64_MAX ? ns : ns - first_ns;
}

/* Whether TIMEOUT is no longer than a slice, or no time at all: then it is the kernel's to judge.
 */
static inline bool tmo_wait_is_short(const struct timespec *timeout)
{
    if (timeout->tv_sec == 0)
        return timeout->tv_nsec <= tmo_wait_slice_ns() || timeout->tv_nsec >= 1000000000;
    return timeout->tv_sec < 0 || (unsigned long)timeout->tv_nsec >= 1000000000;
}

/* Whether the LEN bytes at ADDRESS, which may be a bad pointer of the program's, can be read. A
 * page is asked for once a thread, mostly: by a system call. */
bool tmo_wait_can_read_slow(const void *address, size_t len);

#define TMO_WAIT_PAGE 4096 /* or more: then some are asked for again */

static inline bool tmo_wait_can_read(const void *address, size_t len)
{
    uintptr_t page = (uintptr_t)address / TMO_WAIT_PAGE;
    uintptr_t last = ((uintptr_t)address + len - 1) / TMO_WAIT_PAGE;
    return (page == last && tmo_wait_thread.pages[page % 4] == page) ||
           tmo_wait_can_read_slow(address, len);
}

/* Whether the unsigned long at ADDRESS can surely be read: it is in the page that was last said to
 * be with the same INDEX. In fewer instructions. */
static inline bool tmo_wait_can_read_word(const void *address, int index)
{
    return TMO_LIKELY((uintptr_t)address - tmo_wait_thread.word_pages[index] <=
                      TMO_WAIT_PAGE - sizeof(unsigned long));
}

static inline void tmo_wait_could_read_word(const void *address, int index)
{
    tmo_wait_thread.word_pages[index] = (uintptr_t)address & ~(uintptr_t)(TMO_WAIT_PAGE - 1);
}

/* NS in whole ms, rounded up, for calls that count so; -1 without end. */
static inline int tmo_wait_ms(int64_t ns)
{
    if (ns == INT64_MAX)
        return -1;
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

#endif
