/* SPDX-License-Identifier: MIT
 * The watchdog's thread. See watchdog.h. Layer: wrap.
 */
#include "shim/wrap/watchdog.h"
#include "config/duration.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/futex.h"
#include "shim/sys/procfs.h"
#include "shim/sys/real.h"
#include "shim/track/self.h"
#include "shim/wrap/complain.h"
#include "shim/wrap/thread.h"
#include "shim/wrap/watch.h"

#include <limits.h>
#include <pthread.h>
#include <sys/prctl.h>

/* A look takes some 6 KiB; libc takes room for all thread-local data from it, too. It is memory
 * only where it is touched. */
#define STACK_BYTES ((size_t)256 << 10)

/* How long it may stay beyond a first thread that did not say that it ends. */
#define LAST_MS 100

/* How long it is waited for to begin, which takes it a tenth of a millisecond. */
#define BEGIN_MS  1000
#define BEGUN_NOT 2

/* How long the first thread waits for it to go. It is in the middle of a look at the worst, which
 * is a moment, but may be kept from the processor there. */
#define GO_MS 10000

static pid_t owner;  /* the process that has the thread, or could not get one; 0: none yet */
static bool started; /* it was made */
static pid_t tid;    /* it, once it runs */
static int begun;    /* a futex: it has got at the program's descriptors; BEGUN_NOT: it cannot */
static int going;    /* a futex: it is to end */
static bool missing; /* there is none, and will be none in this process */

/* There is no thread, for WHAT. Told once, not by each child. */
static void miss(const char *what)
{
    static bool told;
    __atomic_store_n(&missing, true, __ATOMIC_RELEASE);
    if (__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
        return;
    char value[TMO_SETTING_TEXT];
    (void)tmo_setting_print(TMO_SET_ENGINE, tmo_current.cfg.value[TMO_SET_ENGINE], value);
    tmo_complain(NULL,
                 &(struct tmo_problem){.where = "SOCKTMO_ENGINE", .value = value, .what = what});
}

static int64_t now_ms(void)
{
    return tmo_clock_ns() / TMO_NS_PER_MS;
}

/* Until the first connection in the schedule is due, or UNTIL_MS. */
static void rest(int64_t until_ms)
{
    int64_t at_ms = now_ms();
    uint32_t due = tmo_due_first();
    int64_t left_ms = until_ms - at_ms;
    if (due != 0) {
        int32_t due_in_ms = tmo_due_between((uint32_t)at_ms, due) + 1;
        if (due_in_ms < left_ms)
            left_ms = due_in_ms;
    }
    (void)tmo_futex_wait(&going, 0, (at_ms + (left_ms > 1 ? left_ms : 1)) * TMO_NS_PER_MS);
}

static void *run(void *arg)
{
    int64_t look_ms = now_ms();
    (void)arg;
    __atomic_store_n(&tid, tmo_raw_gettid(), __ATOMIC_RELEASE);
    (void)TMO_RAW2(SYS_prctl, PR_SET_NAME, "socktmo");
    bool can = tmo_borrow_start() == 0;
    __atomic_store_n(&begun, can ? 1 : BEGUN_NOT, __ATOMIC_RELEASE);
    tmo_futex_wake(&begun, INT_MAX);
    if (!can)
        return NULL;
    for (;;) {
        int64_t at_ms = now_ms();
        tmo_watch_sweep(tmo_due_of_ns(at_ms * TMO_NS_PER_MS), "watchdog");
        if (__atomic_load_n(&going, __ATOMIC_ACQUIRE) != 0 || tmo_proc_has_left())
            return NULL;
        if (at_ms >= look_ms)
            look_ms = tmo_hidden_look(at_ms);
        rest(look_ms < at_ms + LAST_MS ? look_ms : at_ms + LAST_MS);
    }
}

/* Whether it cannot get at the descriptors. It is not the one to tell: stderr is such a descriptor.
 */
static bool begins_not(void)
{
    int now = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
    int64_t deadline_ns = now == 0 ? tmo_clock_ns() + BEGIN_MS * TMO_NS_PER_MS : 0;
    while (now == 0 && tmo_clock_ns() < deadline_ns) {
        (void)tmo_futex_wait(&begun, 0, deadline_ns);
        now = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
    }
    return now == BEGUN_NOT;
}

void tmo_watchdog_start(void)
{
    pid_t nobody = 0;
    if (__atomic_load_n(&owner, __ATOMIC_RELAXED) != 0 || !tmo_thread_may_start() ||
        !__atomic_compare_exchange_n(&owner, &nobody, tmo_self.pid, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    int e = errno;
    int r = tmo_thread_start(run, NULL, STACK_BYTES);
    if (r != 0)
        miss(r == ENOSYS ? "the program has no threads; there is no watchdog"
                         : "no thread can be made; there is no watchdog");
    __atomic_store_n(&started, r == 0, __ATOMIC_RELEASE);
    if (r == 0 && begins_not())
        miss("needs Linux 5.9, or is forbidden here; there is no watchdog");
    errno = e;
}

static void await_gone(void)
{
    int64_t deadline_ns = tmo_clock_ns() + GO_MS * TMO_NS_PER_MS;
    do {
        pid_t it = __atomic_load_n(&tid, __ATOMIC_ACQUIRE);
        if (it != 0 && TMO_RAW3(SYS_tgkill, tmo_self.pid, it, 0) == -ESRCH)
            return;
        tmo_clock_sleep(TMO_NS_PER_MS / 10);
    } while (tmo_clock_ns() < deadline_ns);
}

void tmo_watchdog_first_ends(void)
{
    if (__atomic_load_n(&owner, __ATOMIC_RELAXED) != tmo_self.pid ||
        !__atomic_load_n(&started, __ATOMIC_ACQUIRE) || tmo_raw_gettid() != tmo_self.pid)
        return;
    __atomic_store_n(&missing, true, __ATOMIC_RELEASE);
    __atomic_store_n(&going, 1, __ATOMIC_RELEASE);
    tmo_futex_wake(&going, 1);
    await_gone();
}

static void at_first_end(void *ignored)
{
    (void)ignored;
    tmo_watchdog_first_ends();
}

void tmo_watchdog_of_first(void)
{
    int (*make)(pthread_key_t *, void (*)(void *));
    int (*set)(pthread_key_t, const void *);
    pthread_key_t key;
    *(void **)&make = tmo_real_late("pthread_key_create");
    *(void **)&set = tmo_real_late("pthread_setspecific");
    if (make != NULL && set != NULL && make(&key, at_first_end) == 0)
        (void)set(key, &owner);
}

void tmo_watchdog_never(void)
{
    owner = tmo_self.pid;
    missing = true;
}

bool tmo_watchdog_is_missing(void)
{
    return __atomic_load_n(&missing, __ATOMIC_ACQUIRE) ||
           (__atomic_load_n(&started, __ATOMIC_ACQUIRE) && begins_not());
}

void tmo_watchdog_forked(void)
{
    owner = 0;
    started = false;
    tid = 0;
    begun = 0;
    going = 0;
    missing = false;
    tmo_hidden_forked();
}
