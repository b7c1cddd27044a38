/* SPDX-License-Identifier: MIT
 * Who we are: process, thread, program; and what fork, vfork and exec made of that.
 * Layer: track. Signal-safe.
 */
#ifndef TMO_TRACK_SELF_H
#define TMO_TRACK_SELF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Longest name of a program that we keep (NAME_MAX), without its NUL. */
#define TMO_PROGRAM_MAX 255

struct tmo_self {
    pid_t pid;          /* as of the start or the last fork */
    bool vforked;       /* vfork(2), clone(2) or a bare fork was called: pid may be the parent's */
    uint64_t start_us;  /* monotonic; when the process began: connections born earlier are the
                           parent's to record */
    uint64_t forked_us; /* when the process last forked; 0 = never */
    char program[TMO_PROGRAM_MAX + 1];
};
extern struct tmo_self tmo_self __attribute__((visibility("hidden")));

/* Whether the program is one of Go's, which makes its system calls itself: it says so in a note
 * (cmd/link, ELF_NOTE_GOBUILDID). */
bool tmo_self_is_go(void);

/* Fills tmo_self at start, in the main thread. */
void tmo_self_start(void);

/* The calling thread's id; asked of the kernel once a thread. */
pid_t tmo_self_tid(void);

/* Whether the calling process is not the one that tmo_self describes. One system call. */
bool tmo_self_is_other(void);

/* Whether we run in the memory of a process that is not the one we belong to: a vfork(2) child
 * before its exec. Nothing of ours may be touched then. Costs a system call only after a vfork. */
static inline bool tmo_self_borrowed(void)
{
    return tmo_self.vforked && tmo_self_is_other();
}

/* After fork(2): in the parent, in the child. */
void tmo_self_forked(void);
void tmo_self_is_child(void);

/* Monotonic time in microseconds. */
uint64_t tmo_self_now_us(void);

#endif
