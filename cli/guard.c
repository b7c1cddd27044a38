/* SPDX-License-Identifier: MIT
 * The guard: starts the program and goes round. See guard.h.
 */
#include "cli/guard.h"
#include "cli/actions.h"
#include "cli/guardlog.h"
#include "cli/guardwait.h"
#include "cli/guardwatch.h"
#include "cli/say.h"
#include "shim/sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Walks take no more of a processor than that part, however many descriptors busy programs have;
 * what they connect is then seen later. */
#define WALK_SHARE 20

/* --- start ----------------------------------------------------------------------------------- */

static void close_between(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit); /* before Linux 5.9 */
    for (unsigned fd = first; fd <= last && fd < limit.rlim_cur && fd < 65536; fd++)
        close((int)fd);
}

/* Gives up what we hold only because the program has it: a pipe's end, a file's lock, a listener.
 * Standard error stays, for what we have to say, and LOG, if that is a number. */
static void let_go_of_descriptors(int log)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 1; fd++) {
        if (null >= 0 && fd != log && null != fd)
            (void)dup2(null, fd);
    }
    if (log > 2) {
        close_between(3, (unsigned)log - 1);
        close_between((unsigned)log + 1, ~0u);
    } else {
        close_between(3, ~0u);
    }
}

static const char *basename_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int64_t now_ms(void)
{
    return tmo_clock_ns() / 1000000;
}

/* How long we ourselves have run, in ms. */
static int64_t spent_ms(void)
{
    struct timespec spent;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0)
        return 0;
    return (int64_t)spent.tv_sec * 1000 + spent.tv_nsec / 1000000;
}

/* --- going round ----------------------------------------------------------------------------- */

/* Waits for signals until MS (TMO_GUARD_NEVER: without end). */
static void wait_until(int signals, int64_t ms)
{
    struct pollfd poller = {.fd = signals, .events = POLLIN};
    int64_t left = ms == TMO_GUARD_NEVER ? -1 : ms - now_ms();
    if (left < 0 && ms != TMO_GUARD_NEVER)
        left = 0;
    int most_ms = signals >= 0 ? 60000 : 100;
    (void)poll(&poller, 1, left >= 0 && left < most_ms ? (int)left : most_ms);
}

static void go_round(struct tmo_guard_watch *watch, int signals, siginfo_t *ret_end)
{
    bool needed = tmo_guard_watch_needed(watch);
    int64_t walk_ms = 0;
    for (;;) {
        int64_t next_ms = TMO_GUARD_NEVER;
        if (needed) {
            int64_t now = now_ms();
            if (now >= walk_ms) {
                int64_t before = spent_ms();
                tmo_guard_watch_walk(watch, now);
                int64_t pause = (spent_ms() - before) * WALK_SHARE;
                walk_ms = now + (pause > watch->tick_ms ? pause : watch->tick_ms);
            }
            next_ms = tmo_guard_watch_look(watch, now_ms());
            if (next_ms > walk_ms)
                next_ms = walk_ms;
        }
        wait_until(signals, next_ms);
        enum tmo_guard_news news =
            tmo_guard_signals_take(signals, watch->main, &watch->tree, ret_end);
        if (news == TMO_GUARD_WAS_STOPPED)
            tmo_guard_watch_stopped(watch, now_ms());
        if (news == TMO_GUARD_ENDED) {
            if (needed) /* for the ends of its connections */
                tmo_guard_watch_walk(watch, now_ms());
            return;
        }
    }
}

int tmo_cli_guard(char **argv, const struct tmo_loaded *loaded)
{
    static struct tmo_guard_watch watch;
    struct tmo_guard_before before;
    siginfo_t end = {.si_pid = 0};
    struct rlimit limit;

    if (tmo_guard_watch_start(&watch, loaded) < 0) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return TMO_STATUS_USAGE;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans of the program come to us */
    tmo_guard_signals_hold(&before);
    pid_t program = fork();
    if (program < 0) {
        int error = errno;
        tmo_guard_signals_restore(&before);
        tmo_cli_say("guard: %s", strerror(error));
        return TMO_STATUS_USAGE;
    }
    if (program == 0) {
        tmo_guard_signals_restore(&before);
        _exit(tmo_cli_become(argv));
    }

    watch.main = program;
    tmo_guard_log_start(&loaded->cfg, program, basename_of(argv[0]));
    let_go_of_descriptors(tmo_guard_log_fd(&loaded->cfg));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* one for each process; the program has its own */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    int signals = tmo_guard_signals_open();
    tmo_guard_tree_add(&watch.tree, program);
    tmo_guard_tree_start(&watch.tree);
    go_round(&watch, signals, &end);
    if (watch.exits && end.si_code == CLD_KILLED && end.si_status == SIGKILL)
        return TMO_STATUS_TIMEOUT;
    return tmo_guard_end_as(&end);
}
