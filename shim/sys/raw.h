/* SPDX-License-Identifier: MIT
 * System calls of our own, which must not be seen by the wrappers nor disturb errno.
 * Layer: sys. Everything here is signal-safe, and safe after fork and in a vfork child.
 */
#ifndef TMO_SYS_RAW_H
#define TMO_SYS_RAW_H

#include "shim/sys/libc.h"

#include <poll.h>
#include <sys/stat.h>
#include <time.h>

/* Makes system call NR with six arguments. Returns the kernel's result, or -errno. errno is kept.
 * Goes through libc's own syscall(3), so that no line of assembly is needed per architecture. */
long tmo_raw_call(long nr, long a, long b, long c, long d, long e, long f);

#define TMO_RAW1(nr, a)          tmo_raw_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define TMO_RAW2(nr, a, b)       tmo_raw_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define TMO_RAW3(nr, a, b, c)    tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define TMO_RAW4(nr, a, b, c, d) tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define TMO_RAW5(nr, a, b, c, d, e)                                                                \
    tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* As the calls of the same name, but 0/result or -errno. */
int tmo_raw_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int tmo_raw_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int tmo_raw_close(int fd);
pid_t tmo_raw_getpid(void);
pid_t tmo_raw_gettid(void);

/* SIZE bytes of zeroed private memory from the kernel, or NULL. */
void *tmo_raw_map(size_t size);
void tmo_raw_unmap(void *at, size_t size);

/* Whether FD has O_NONBLOCK set: 1, 0, or -errno. */
int tmo_raw_is_nonblocking(int fd);

/* poll(2) without waiting, of one FD for EVENTS: the revents (0 = nothing), or -errno. */
int tmo_raw_peek(int fd, short events);

/* Waits until FD is ready for EVENTS, at most NS (< 0: without end). Unlike all else here it is a
 * cancellation point, as the call that it stands in for. Returns the revents, 0 when the time is
 * over, or -errno (-EINTR: a handler ran). */
int tmo_raw_wait(int fd, short events, int64_t ns);

#endif
