/* SPDX-License-Identifier: MIT
 * What /proc says of this process: its threads, the calls that they wait in, its descriptors. Each
 * function opens a file for a moment. Layer: sys. errno is kept.
 */
#ifndef TMO_SYS_PROCFS_H
#define TMO_SYS_PROCFS_H

#include "shim/sys/raw.h"

#include <stdint.h>

/* Calls VISIT with each thread of the process, or each descriptor of its first thread. Returns 0 or
 * -errno. Takes 2 KiB of stack. */
int tmo_proc_threads(void (*visit)(int tid, void *ctx), void *ctx);
int tmo_proc_descriptors(void (*visit)(int fd, void *ctx), void *ctx);

/* The system call that the thread TID waits in, by its number and arguments. Returns 0; -EAGAIN: it
 * waits in none; -EACCES: that is not told to a process that has changed its user (proc(5),
 * /proc/pid/syscall); -ENOENT, -ESRCH. */
struct tmo_proc_call {
    long nr;
    unsigned long args[6];
};
int tmo_proc_call(int tid, struct tmo_proc_call *ret);

/* Whether the first thread has ended, by pthread_exit(3): it is there yet, as a zombie, and its
 * descriptors are not to be had. False where /proc does not tell. */
bool tmo_proc_has_left(void);

enum tmo_proc_kind {
    TMO_PROC_OTHER,
    TMO_PROC_SOCKET,
    TMO_PROC_EPOLL,
    TMO_PROC_RING, /* io_uring(7) */
};

/* What FD is. *RET_INODE: of a socket, which no other has as long as that is open. */
enum tmo_proc_kind tmo_proc_kind(int fd, uint64_t *ret_inode);

/* Calls VISIT with each descriptor in the epoll set SET and what is asked for of it. 0 or -errno.
 * (fs/eventpoll.c, ep_show_fdinfo) */
int tmo_proc_epoll(int set, void (*visit)(int fd, uint32_t events, void *ctx), void *ctx);

/* Whether the io_uring RING waits until some descriptor is ready. (io_uring/fdinfo.c, PollList, a
 * line each; since Linux 5.7) */
bool tmo_proc_ring_waits(int ring);

#endif
