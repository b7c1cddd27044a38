/* SPDX-License-Identifier: MIT
 * What the kernel says of one process: by /proc, its pidfd and its clock.
 * Layer: cli. Nothing here waits, or stops the process.
 */
#ifndef TMO_CLI_GUARDPROC_H
#define TMO_CLI_GUARDPROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* pidfd_open(2), Linux 5.3; pidfd_getfd(2), 5.6; pidfd_send_signal(2), 5.1. The descriptor, or 0;
 * or -errno. */
int tmo_guard_pidfd_open(pid_t pid);
int tmo_guard_pidfd_getfd(int pidfd, int fd);
int tmo_guard_pidfd_kill(int pidfd, int sig);

/* Whether the process behind PIDFD has ended. */
bool tmo_guard_pidfd_ended(int pidfd);

/* How long PID has run on a processor, in ns, all threads together; -1: it cannot be told. As long
 * as that is the same no thread of it has made a system call. One system call.
 * (kernel/time/posix-cpu-timers.c: the clock of any process may be read) */
int64_t tmo_guard_ran_ns(pid_t pid);

/* State ("R", "S", "T" ...) and parent of PID. 0 or -errno. */
int tmo_guard_stat(pid_t pid, char *ret_state, pid_t *ret_parent);

/* Names what PID executes, as of its last exec: never 0, and another one after each exec, since the
 * places in its auxiliary vector are (proc(5), auxv; they are chosen at random). 0: not told. The
 * name that was executed (of a script its own) goes to PROGRAM, SIZE bytes. */
uint64_t tmo_guard_executed(pid_t pid, char *program, size_t size);

/* Whether the library keeps the limits in PID itself: it is mapped there, settings are in the
 * environment that the program was started with or in a FILE, and its calls can be seen. */
bool tmo_guard_has_library(pid_t pid, bool file);

/* Calls VISIT for each descriptor of PID that is a socket, with the inode that names it.
 * *RET_RINGS: an io_uring of it waits until some descriptor is ready, which is no call that the
 * library could stand before. Returns 0; or -errno: -EACCES where the kernel refuses. */
int tmo_guard_sockets(pid_t pid, void (*visit)(void *ctx, int fd, uint64_t inode), void *ctx,
                      bool *ret_rings);

/* Calls VISIT for each child of PID, by any of its threads. Returns 0; -ENOENT: the kernel does not
 * tell (CONFIG_PROC_CHILDREN), or PID is gone. */
int tmo_guard_children(pid_t pid, void (*visit)(void *ctx, pid_t child), void *ctx);

/* The same of PID's first thread, again and again: a descriptor, or -errno; and what it says. */
int tmo_guard_children_open(pid_t pid);
void tmo_guard_children_read(int fd, void (*visit)(void *ctx, pid_t child), void *ctx);

#endif
