/* SPDX-License-Identifier: MIT
 * The system headers that the table of symbols needs, and what they lack on some libc or
 * architecture. Layer: sys.
 */
#ifndef TMO_SYS_LIBC_H
#define TMO_SYS_LIBC_H

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* What is the library's own, and so is reached without a detour by the GOT: -fvisibility=hidden
 * speaks of definitions only. */
#define TMO_HIDDEN __attribute__((visibility("hidden")))

/* For what is large and hardly touched, if at all: linkers put such behind all other data, which so
 * fills fewer pages. Global, and without a value. */
#define TMO_SPARSE __attribute__((common))

#ifndef __GLIBC__
typedef off_t off64_t; /* musl: always 64 bits */
#endif

/* Where time_t may be 32 bits or 64, as a program is compiled, glibc has two names for what takes
 * times (features.h, 2.34). The library itself is compiled with 32. */
#if defined(__GLIBC__) && !defined(__LP64__) && (!defined(__TIMESIZE) || __TIMESIZE == 32)
#define TMO_TWO_TIMES 1
struct tmo_timeval64 {
    int64_t tv_sec, tv_usec;
};
struct tmo_timespec64 {
    int64_t tv_sec;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    int32_t unused, tv_nsec;
#else
    int32_t tv_nsec, unused;
#endif
};
#endif

/* vfork(2), clone(2) and dlopen(3) may only be passed on by a jump (wrap/vfork.c, dlopen.c), which
 * is written per architecture. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm__)
#define TMO_HAVE_VFORK_JUMP 1
#ifdef __GLIBC__ /* musl has no RTLD_DEEPBIND */
#define TMO_HAVE_DLOPEN_JUMP 1
#endif
#endif

/* No system call stands in for what gives a pointer: it is NULL then. */
#define TMO_SYS_NULL (-2)

/* System calls that not every architecture has: -1 = none, the call then fails with ENOSYS. */
#ifdef SYS_accept
#define TMO_SYS_accept SYS_accept
#else
#define TMO_SYS_accept (-1)
#endif
#ifdef SYS_dup2
#define TMO_SYS_dup2 SYS_dup2
#else
#define TMO_SYS_dup2 (-1)
#endif
#ifdef SYS_poll
#define TMO_SYS_poll SYS_poll
#else
#define TMO_SYS_poll (-1)
#endif
#ifdef SYS_fork
#define TMO_SYS_fork SYS_fork
#else
#define TMO_SYS_fork (-1)
#endif
#ifdef SYS_setrlimit
#define TMO_SYS_setrlimit SYS_setrlimit
#else
#define TMO_SYS_setrlimit (-1)
#endif
#ifdef SYS_fcntl64
#define TMO_SYS_fcntl SYS_fcntl64
#else
#define TMO_SYS_fcntl SYS_fcntl
#endif
#ifdef SYS_sendfile64
#define TMO_SYS_sendfile64 SYS_sendfile64
#else
#define TMO_SYS_sendfile64 SYS_sendfile
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* one number on all architectures, Linux 5.9 */
#endif
#define TMO_SYS_close_range SYS_close_range
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same, Linux 5.3 */
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438 /* Linux 5.6 */
#endif

/* The kernel's numbers for what older headers do not name. */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef AF_SMC
#define AF_SMC 43
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57 /* asm-generic/socket.h, Linux 4.12 */
#endif

#endif
