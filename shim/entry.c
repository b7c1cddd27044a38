/* SPDX-License-Identifier: MIT
 * Where it begins and ends: the constructor has the settings read, takes up the descriptors that
 * are there; the destructor says the last words. Layer: entry; called by nobody but the loader and
 * pthread_atfork(3).
 */
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/current.h"
#include "shim/wrap/fork.h"
#include "shim/wrap/last.h"
#include "shim/wrap/made.h"
#include "shim/wrap/reload.h"
#include "shim/wrap/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

/* What names this library to pthread_atfork(3), so that dlclose(3) could take its handlers back.
 * Mostly the compiler's start files have it, which are not linked in. */
#ifndef TMO_START_FILES
extern void *__dso_handle;
void *__dso_handle __attribute__((visibility("hidden"))) = &__dso_handle;
#endif

/* --- start ----------------------------------------------------------------------------------- */

/* Sockets that are there before us: inetd, systemd's socket activation, a shell's redirection, an
 * exec. Which numbers are open poll(2) says for many at once, without /proc; the first empty row of
 * numbers is the last that is looked at. */
static void adopt_open(void)
{
    enum { MANY = 64, FIRST = 2 * MANY };
    struct pollfd fds[MANY];
    uint64_t limit[2] = {TMO_TRACK_FDS, 0}; /* struct rlimit64 */
    struct timespec none = {0, 0};
    (void)TMO_RAW4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limit);
    int end = limit[0] < TMO_TRACK_FDS ? (int)limit[0] : TMO_TRACK_FDS;
    bool any = true;

    for (int i = 0; i < MANY; i++)
        fds[i] = (struct pollfd){i, 0, 0};
    for (int first = 0; first < end && (first < FIRST || any); first += MANY) {
        int count = end - first < MANY ? end - first : MANY;
        if (TMO_RAW5(SYS_ppoll, fds, count, &none, 0, 0) < 0)
            return;
        any = false;
        for (struct pollfd *p = fds; p < fds + count; p++) {
            if ((p->revents & POLLNVAL) == 0) {
                any = true;
                tmo_made_adopt(p->fd, true);
            }
            p->fd += MANY;
        }
    }
}

static void __attribute__((constructor(101))) start(void)
{
    int e = errno;

    tmo_real_bind();
    tmo_self_start();
    tmo_config_init(&tmo_current.cfg);
    /* In a program with other rights than its caller's the caller's environment counts for nothing
     * (getauxval(3), AT_SECURE). */
    bool secure = getauxval(AT_SECURE) != 0;
    if (tmo_reload_start(secure ? NULL : environ, secure)) {
        tmo_current.active = true;
        (void)pthread_atfork(NULL, tmo_fork_parent, tmo_fork_child);
        if (tmo_wants(TMO_EVENT_START)) {
            struct tmo_event event;
            tmo_emit_begin(&event, TMO_RECORD_START);
            event.cfg = &tmo_current.cfg;
            tmo_emit(&event);
        }
        adopt_open();
        if (tmo_current.wide.watchdog)
            tmo_watchdog_of_first();
        if (tmo_current.wide.watchdog && tmo_self_is_go()) /* libc is never told of its sockets */
            tmo_watchdog_start();
    }
    errno = e;
}

static void __attribute__((destructor(101))) finish(void)
{
    tmo_last_records("exit", false);
}
