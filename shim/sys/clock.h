/* SPDX-License-Identifier: MIT
 * Clocks. Layer: sys. No system call where the vDSO serves. Signal-safe.
 */
#ifndef TMO_SYS_CLOCK_H
#define TMO_SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic time in ns. */
int64_t tmo_clock_ns(void);

/* Reads a clock; libc's own until tmo_clock_bind(). */
extern int (*tmo_clock_get)(clockid_t id, struct timespec *ret)
    __attribute__((visibility("hidden")));

/* From now on clocks are read by GET, the kernel's own function (vdso(7)): at a third less, and not
 * those that another preload makes up. */
void tmo_clock_bind(int (*get)(clockid_t, struct timespec *));

/* A name for that in the kernel's library; NULL: none whose timespec is ours. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define TMO_CLOCK_VDSO "__vdso_clock_gettime"
#elif defined(__aarch64__)
#define TMO_CLOCK_VDSO "__kernel_clock_gettime"
#else
#define TMO_CLOCK_VDSO ((const char *)0)
#endif

/* Coarse monotonic time in steps of about 1/1000 s, for small differences only: what takes the
 * fewest instructions. */
static inline uint32_t tmo_clock_tick(void)
{
    struct timespec t;
    (void)tmo_clock_get(CLOCK_MONOTONIC_COARSE, &t);
    return (uint32_t)t.tv_sec << 10 | (uint32_t)t.tv_nsec >> 20;
}

/* Monotonic time in ns at the resolution of a timer tick (4 ms at HZ=250), at a tenth of the
 * price. */
int64_t tmo_clock_coarse_ns(void);

/* Wall-clock time in microseconds since 1970, UTC. */
int64_t tmo_clock_wall_us(void);

/* Sleeps NS, or less when a signal comes. No cancellation point. */
void tmo_clock_sleep(int64_t ns);

#endif
