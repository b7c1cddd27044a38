/* SPDX-License-Identifier: MIT
 * The watchdog's thread. See watchdog.h. Layer: wrap.
 */
#include "shim/wrap/watchdog.h"
#include "config/duration.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/procfs.h"
#include "shim/track/self.h"
#include "shim/wrap/complain.h"
#include "shim/wrap/thread.h"
#include "shim/wrap/watch.h"

#include <sys/prctl.h>

/* A look takes some 6 KiB; libc takes room for all thread-local data from it, too. It is memory
 * only where it is touched. */
#define STACK_BYTES ((size_t)256 << 10)

/* How long it may stay beyond the first thread. */
#define LAST_MS 100

static pid_t owner; /* the process that has the thread, or could not get one; 0: none yet */

static void tell(const char *what)
{
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
    tmo_clock_sleep((left_ms > 1 ? left_ms : 1) * TMO_NS_PER_MS);
}

/* The program goes on where its first thread has called pthread_exit(3), and ends with the last of
 * them, in which libc runs exit(3): that is not to be this one, so it goes when the first has gone.
 */
static void *run(void *arg)
{
    int64_t look_ms = now_ms();
    (void)arg;
    (void)TMO_RAW2(SYS_prctl, PR_SET_NAME, "socktmo");
    if (tmo_borrow_start() < 0) {
        tell("needs Linux 5.9, or is forbidden here; there is no watchdog");
        return NULL;
    }
    for (;;) {
        int64_t at_ms = now_ms();
        tmo_watch_sweep(tmo_due_of_ns(at_ms * TMO_NS_PER_MS), "watchdog");
        if (tmo_proc_has_left())
            return NULL;
        if (at_ms >= look_ms)
            look_ms = tmo_hidden_look(at_ms);
        rest(look_ms < at_ms + LAST_MS ? look_ms : at_ms + LAST_MS);
    }
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
        tell(r == ENOSYS ? "the program has no threads; there is no watchdog"
                         : "no thread can be made; there is no watchdog");
    errno = e;
}

void tmo_watchdog_never(void)
{
    owner = tmo_self.pid;
}

void tmo_watchdog_forked(void)
{
    owner = 0;
    tmo_hidden_forked();
}
