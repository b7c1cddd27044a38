/* SPDX-License-Identifier: MIT
 * System calls of our own, which must not be seen by the wrappers nor disturb errno.
 * Layer: sys. Everything here is signal-safe, and safe after fork and in a vfork child.
 */
#ifndef TMO_SYS_RAW_H
#define TMO_SYS_RAW_H

#include "shim/sys/libc.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>

/* Makes system call NR with six arguments. Returns the kernel's result, or -errno. errno is kept.
 * Straight into the kernel where that is one line (each function more above a system call costs
 * some nanoseconds on CPUs whose return predictor does not survive it); else by libc's syscall(3).
 * No cancellation point. */
#if defined(__x86_64__) && !defined(__ILP32__)
static inline long tmo_raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long r;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}
#elif defined(__aarch64__)
static inline long tmo_raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#define TMO_RAW_BY_LIBC 1
long tmo_raw_call(long nr, long a, long b, long c, long d, long e, long f);
#endif

#define TMO_RAW1(nr, a)          tmo_raw_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define TMO_RAW2(nr, a, b)       tmo_raw_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define TMO_RAW3(nr, a, b, c)    tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define TMO_RAW4(nr, a, b, c, d) tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define TMO_RAW5(nr, a, b, c, d, e)                                                                \
    tmo_raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* As the calls of the same name, but 0/result or -errno. */
static inline int tmo_raw_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return (int)TMO_RAW5(SYS_getsockopt, fd, level, name, value, len);
}

static inline int tmo_raw_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)TMO_RAW5(SYS_setsockopt, fd, level, name, value, len);
}

int tmo_raw_close(int fd);
pid_t tmo_raw_getpid(void);
pid_t tmo_raw_gettid(void);

/* Whether the 8 bytes at ADDRESS, which may be a bad pointer of the program's, can be read. By a
 * call that reads them and then refuses: rt_sigprocmask with an unknown HOW (kernel/signal.c). */
static inline bool tmo_raw_can_read_8(const void *address)
{
    return address != NULL && TMO_RAW4(SYS_rt_sigprocmask, 99, address, 0, 8) == -EINVAL;
}

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

/* The same, without being a point of cancellation. */
int tmo_raw_wait_through(int fd, short events, int64_t ns);

#endif
