/* SPDX-License-Identifier: MIT
 * select and pselect. See wait.h. Layer: wrap.
 *
 * The kernel writes its answer over the program's sets, so that each piece of a wait needs them
 * anew: they are kept on the stack.
 */
#include "shim/wrap/wait.h"

#include <string.h>
#include <sys/select.h>

#define WORD_BITS (8 * sizeof(unsigned long))
#define WORDS     (4096 / WORD_BITS) /* four times FD_SETSIZE; above that a wait is not bounded */

enum { READ, WRITE, EXCEPT, SETS };

struct select_args {
    int count;                 /* descriptors; all below that */
    size_t words;              /* of each set */
    unsigned long *sets[SETS]; /* the program's; NULL: none */
    unsigned long kept[SETS][WORDS];
};

/* Keeps the program's set SET as number I. False: it cannot be read. */
static inline __attribute__((always_inline)) bool keep_one(struct select_args *a, int i,
                                                           fd_set *set)
{
    a->sets[i] = (unsigned long *)(void *)set;
    if (set == NULL || a->words == 0)
        return true;
    if (TMO_UNLIKELY(!tmo_wait_can_read(set, a->words * sizeof(unsigned long))))
        return false;
    tmo_wait_could_read_word(set, i);
    size_t word = 0;
    do {
        a->kept[i][word] = a->sets[i][word];
        TMO_KEEP_IN_REGISTER(word); /* a loop, not a call of memcpy */
    } while (++word < a->words);
    return true;
}

/* Keeps the program's sets. False: they cannot be read, or are too large. */
static inline __attribute__((always_inline)) bool keep(struct select_args *a, int count,
                                                       fd_set *read, fd_set *write, fd_set *except)
{
    if ((size_t)count > WORDS * WORD_BITS) /* below 0, too */
        return false;
    a->count = count;
    a->words = ((size_t)count + WORD_BITS - 1) / WORD_BITS;
    return keep_one(a, READ, read) && keep_one(a, WRITE, write) && keep_one(a, EXCEPT, except);
}

static void restore(struct select_args *a)
{
    for (int i = 0; i < SETS; i++) {
        if (a->sets[i] != NULL)
            memcpy(a->sets[i], a->kept[i], a->words * sizeof(unsigned long));
    }
}

static fd_set *set_of(const struct select_args *a, int which)
{
    return (fd_set *)(void *)a->sets[which];
}

static int make_select(struct tmo_wait *w, int64_t ns, const sigset_t *mask)
{
    struct select_args *a = w->args;
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    restore(a);
    int n = tmo_real.pselect(a->count, set_of(a, READ), set_of(a, WRITE), set_of(a, EXCEPT),
                             ns == INT64_MAX ? NULL : &t, mask);
    if (n < 0 && mask == NULL && tmo_wait_is_refused(-errno)) { /* musl's select is another call */
        struct timeval us = {t.tv_sec, (t.tv_nsec + 999) / 1000};
        n = tmo_real.select(a->count, set_of(a, READ), set_of(a, WRITE), set_of(a, EXCEPT),
                            ns == INT64_MAX ? NULL : &us);
    }
    return n < 0 ? -errno : n;
}

static inline unsigned long kept(const struct select_args *a, int which, size_t word)
{
    return a->sets[which] != NULL ? a->kept[which][word] : 0;
}

static uint32_t look_select(struct tmo_wait *w, uint32_t now)
{
    const struct select_args *a = w->args;
    uint32_t first = 0;
    for (size_t word = 0; word < a->words; word++) {
        unsigned long in = kept(a, READ, word) | kept(a, EXCEPT, word);
        unsigned long out = kept(a, WRITE, word);
        for (unsigned long left = in | out; left != 0; left &= left - 1) {
            unsigned long bit = left & -left;
            int fd = (int)(word * WORD_BITS) + __builtin_ctzl(left);
            first = tmo_due_earlier(
                first, tmo_watch_named(fd, (in & bit) != 0, w->start, now, w->call, &w->fake));
        }
    }
    return first;
}

static void leave_select(struct tmo_wait *w, uint32_t now)
{
    const struct select_args *a = w->args;
    for (size_t word = 0; word < a->words; word++) {
        unsigned long left = kept(a, READ, word) | kept(a, WRITE, word) | kept(a, EXCEPT, word);
        for (; left != 0; left &= left - 1)
            tmo_watch_named_until((int)(word * WORD_BITS) + __builtin_ctzl(left), now);
    }
}

static int fake_select(struct tmo_wait *w)
{
    struct select_args *a = w->args;
    int count = 0;
    for (int i = 0; i < SETS; i++) {
        if (a->sets[i] != NULL)
            memset(a->sets[i], 0, a->words * sizeof(unsigned long));
    }
    for (int fd = 0; a->sets[READ] != NULL && fd < a->count; fd++) {
        size_t word = (size_t)fd / WORD_BITS;
        unsigned long bit = 1ul << ((size_t)fd % WORD_BITS);
        const struct tmo_slot *slot = tmo_track_slot(fd);
        if ((a->kept[READ][word] & bit) == 0 || slot == NULL || slot->pending == 0)
            continue;
        a->sets[READ][word] |= bit;
        count++;
    }
    return count;
}

static const struct tmo_wait_kind kind_select = {make_select, look_select, leave_select,
                                                 fake_select};

static __attribute__((noinline)) int rest(struct select_args *args, int64_t left_ns,
                                          const sigset_t *mask, const char *call)
{
    struct tmo_wait w = {.kind = &kind_select, .call = call, .sliced = mask == NULL, .args = args};
    return tmo_wait_rest(&w, left_ns, mask);
}

/* Takes the NS that went by from the program's TIMEOUT, as Linux does (select(2)). */
static void pass_ns(struct timeval *timeout, int64_t ns)
{
    int64_t left_ns = (int64_t)timeout->tv_sec * 1000000000 + (int64_t)timeout->tv_usec * 1000 - ns;
    if (left_ns < 0)
        left_ns = 0;
    timeout->tv_sec = (time_t)(left_ns / 1000000000);
    timeout->tv_usec = (suseconds_t)(left_ns % 1000000000 / 1000);
}

/* --- sets of one word: nearly all ------------------------------------------------------------- */

/* What is to be known after the call. It is kept in memory: a register that outlives a call costs
 * more than it saves. */
struct word_args {
    int count;
    unsigned long *sets[SETS];
    unsigned long kept[SETS];
    void *timeout;
    struct timeval none; /* what it points to where the program has none */
    int n;               /* what the call gave */
};

#define FORGET_REGISTERS(a) __asm__("" : "+m"(a))

static inline __attribute__((always_inline)) bool keep_word(struct word_args *a, int i, fd_set *set)
{
    a->sets[i] = (unsigned long *)(void *)set;
    if (set == NULL)
        return true;
    if (!tmo_wait_can_read_word(set, i))
        return false;
    a->kept[i] = *a->sets[i];
    return true;
}

/* Keeps the program's sets. False: they cannot be, by that. */
static inline __attribute__((always_inline)) bool
keep_words(struct word_args *a, int count, fd_set *read, fd_set *write, fd_set *except)
{
    a->count = count;
    return TMO_LIKELY((unsigned)count - 1 < WORD_BITS) && keep_word(a, READ, read) &&
           keep_word(a, WRITE, write) && keep_word(a, EXCEPT, except);
}

static void widen(struct select_args *ret, const struct word_args *a)
{
    ret->count = a->count;
    ret->words = 1;
    for (int i = 0; i < SETS; i++) {
        ret->sets[i] = a->sets[i];
        ret->kept[i][0] = a->kept[i];
    }
}

static __attribute__((noinline)) int look_word(const struct word_args *a, const char *call)
{
    struct select_args wide;
    widen(&wide, a);
    (void)rest(&wide, 0, NULL, call);
    return a->n;
}

/* What follows CALL, which gave N and did not wait long. */
static inline int word_done(struct word_args *a, int n, const char *call)
{
    if (!tmo_wait_counts())
        return n;
    a->n = n;
    return tmo_wait_is_time() && a->n >= 0 ? look_word(a, call) : a->n;
}

/* --- select ----------------------------------------------------------------------------------- */

/* Whether TIMEOUT, which libc reads as well, is no longer than SLICE_US, or none that is valid. */
static inline bool is_short(const struct timeval *timeout, suseconds_t slice_us)
{
    if (TMO_UNLIKELY(timeout->tv_usec < 0))
        return true;
    if (TMO_LIKELY(timeout->tv_sec > 0))
        return false;
    return timeout->tv_sec < 0 || timeout->tv_usec <= slice_us;
}

static __attribute__((noinline)) int select_on(struct select_args *a, struct timeval *timeout)
{
    int64_t slice_ns = tmo_wait_slice_ns(), start_ns = tmo_clock_ns(), left_ns = INT64_MAX;
    if (timeout != NULL)
        left_ns = tmo_wait_ns(timeout->tv_sec, (int64_t)timeout->tv_usec * 1000);
    int n = rest(a, left_ns == INT64_MAX ? left_ns : left_ns - slice_ns, NULL, "select");
    if (timeout != NULL && n == 0)
        *timeout = (struct timeval){0, 0};
    else if (timeout != NULL)
        pass_ns(timeout, slice_ns + tmo_clock_ns() - start_ns);
    return n;
}

/* What the call says is left of TIMEOUT, of which it got the SLICE: that of the slice is LEFT_US.
 */
static inline void pass_slice(struct timeval *timeout, suseconds_t slice_us, suseconds_t left_us)
{
    timeout->tv_usec = timeout->tv_usec - slice_us + left_us;
    if (TMO_UNLIKELY(timeout->tv_usec < 0)) {
        timeout->tv_usec += 1000000;
        timeout->tv_sec--;
    }
}

static __attribute__((noinline)) int select_wide(int count, fd_set *read, fd_set *write,
                                                 fd_set *except, struct timeval *timeout)
{
    struct select_args a;
    suseconds_t slice_us = tmo_current.wide.slice_us;
    int n;
    if (!keep(&a, count, read, write, except))
        return tmo_real.select(count, read, write, except, timeout);
    if (timeout != NULL && is_short(timeout, slice_us)) {
        n = tmo_real.select(count, read, write, except, timeout);
    } else {
        struct timeval slice = {0, slice_us};
        n = tmo_real.select(count, read, write, except, &slice);
        if (n == 0)
            return select_on(&a, timeout);
        if (timeout != NULL)
            pass_slice(timeout, slice_us, slice.tv_usec);
    }
    if (n >= 0 && TMO_UNLIKELY(tmo_wait_looks()))
        (void)rest(&a, 0, NULL, "select");
    return n;
}

static __attribute__((noinline)) int select_word_on(const struct word_args *a)
{
    struct select_args wide;
    widen(&wide, a);
    return select_on(&wide, a->timeout != &a->none ? a->timeout : NULL);
}

static __attribute__((noinline)) int select_watched(int count, fd_set *read, fd_set *write,
                                                    fd_set *except, struct timeval *timeout)
{
    struct word_args a;
    int n;
    if (!keep_words(&a, count, read, write, except))
        return select_wide(count, read, write, except, timeout);
    struct timeval slice = {0, tmo_current.wide.slice_us};
    a.timeout = TMO_LIKELY(timeout != NULL) ? timeout : &a.none;
    if (timeout != NULL && is_short(timeout, slice.tv_usec)) {
        n = tmo_real.select(count, read, write, except, timeout);
    } else {
        n = tmo_real.select(count, read, write, except, &slice);
        FORGET_REGISTERS(a);
        if (TMO_UNLIKELY(n == 0))
            return select_word_on(&a);
        pass_slice(a.timeout, tmo_current.wide.slice_us, slice.tv_usec);
    }
    FORGET_REGISTERS(a);
    return word_done(&a, n, "select");
}

int wrap_select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout)
{
    if (TMO_UNLIKELY(TMO_TSAN_BYTE(tmo_watch_on)))
        return select_watched(count, read, write, except, timeout);
    return tmo_real.select(count, read, write, except, timeout);
}
TMO_ALIAS(__select, select);

/* --- pselect ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) int pselect_wide(int count, fd_set *read, fd_set *write,
                                                  fd_set *except, const struct timespec *timeout,
                                                  const sigset_t *mask)
{
    struct select_args a;
    int n;
    if (!keep(&a, count, read, write, except))
        return tmo_real.pselect(count, read, write, except, timeout, mask);
    if (timeout != NULL && tmo_wait_is_short(timeout)) {
        n = tmo_real.pselect(count, read, write, except, timeout, mask);
    } else {
        struct timespec slice = {0, (long)tmo_wait_first_ns(mask)};
        n = tmo_real.pselect(count, read, write, except, &slice, mask);
        if (n == 0)
            return rest(&a, tmo_wait_left(timeout, slice.tv_nsec), mask, "pselect");
    }
    if (n >= 0 && TMO_UNLIKELY(tmo_wait_looks()))
        (void)rest(&a, 0, NULL, "pselect");
    return n;
}

static __attribute__((noinline)) int pselect_word_on(const struct word_args *a)
{
    struct select_args wide;
    widen(&wide, a);
    return rest(&wide, tmo_wait_left(a->timeout, tmo_wait_slice_ns()), NULL, "pselect");
}

static __attribute__((noinline)) int pselect_watched(int count, fd_set *read, fd_set *write,
                                                     fd_set *except, const struct timespec *timeout,
                                                     const sigset_t *mask)
{
    struct word_args a;
    int n;
    if (mask != NULL || !keep_words(&a, count, read, write, except))
        return pselect_wide(count, read, write, except, timeout, mask);
    a.timeout = (void *)(uintptr_t)timeout;
    if (timeout != NULL && tmo_wait_is_short(timeout)) {
        n = tmo_real.pselect(count, read, write, except, timeout, NULL);
    } else {
        struct timespec slice = {0, (long)tmo_wait_slice_ns()};
        n = tmo_real.pselect(count, read, write, except, &slice, NULL);
        FORGET_REGISTERS(a);
        if (TMO_UNLIKELY(n == 0))
            return pselect_word_on(&a);
    }
    FORGET_REGISTERS(a);
    return word_done(&a, n, "pselect");
}

int wrap_pselect(int count, fd_set *read, fd_set *write, fd_set *except,
                 const struct timespec *timeout, const sigset_t *mask)
{
    if (TMO_UNLIKELY(TMO_TSAN_BYTE(tmo_watch_on)))
        return pselect_watched(count, read, write, except, timeout, mask);
    return tmo_real.pselect(count, read, write, except, timeout, mask);
}
