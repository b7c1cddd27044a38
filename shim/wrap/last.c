/* SPDX-License-Identifier: MIT
 * Last words, and what a fork means. See last.h, fork.h. Layer: wrap.
 */
#include "shim/wrap/last.h"
#include "shim/wrap/reload.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/fork.h"
#include "shim/wrap/watchdog.h"

void tmo_last_records(const char *reason, bool exec)
{
    if (!tmo_wants(TMO_EVENT_CLOSE) || tmo_self_borrowed())
        return;
    int e = errno;
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        struct tmo_slot *slot = tmo_track_slot(fd);
        if (slot == NULL)
            continue;
        if (exec) {
            long flags = TMO_RAW2(TMO_SYS_fcntl, fd, F_GETFD);
            if (flags < 0 || (flags & FD_CLOEXEC) == 0)
                continue;
        }
        tmo_emit_close(fd, slot, reason);
    }
    errno = e;
}

void tmo_last_taken_back(void)
{
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        struct tmo_slot *slot = tmo_track_slot(fd);
        if (slot != NULL && (tmo_slot_flags(slot) & TMO_SLOT_ENDED) == 0)
            tmo_slot_lower(slot, TMO_SLOT_RECORDED);
    }
}

void tmo_last_exit(int status)
{
    tmo_last_records("exit", false);
    for (;;)
        (void)TMO_RAW1(SYS_exit_group, status);
}

void tmo_fork_parent(void)
{
    tmo_self_forked();
}

void tmo_fork_child(void)
{
    tmo_self_is_child();
    tmo_emit_forked();
    tmo_reload_forked();
    tmo_watchdog_forked();
    for (int fd = tmo_track_next(0); fd >= 0; fd = tmo_track_next(fd + 1)) {
        struct tmo_slot *slot = tmo_track_slot(fd);
        if (slot == NULL)
            continue;
        tmo_slot_change(slot, TMO_SLOT_INHERITED | TMO_SLOT_ENDING, TMO_SLOT_INHERITED);
        /* The parent waits for it, not we. */
        if ((tmo_slot_flags(slot) & TMO_SLOT_EPOLL) != 0)
            slot->epoll.att_ms = 0;
        else if ((tmo_slot_flags(slot) & TMO_SLOT_IN_EPOLL) == 0)
            tmo_cell_attend(tmo_track_cell(fd), 0);
        tmo_track_guard(fd, true); /* a look before each call, until the first */
    }
}
