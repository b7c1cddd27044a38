/* SPDX-License-Identifier: MIT
 * Waits of one thread for another of this process, futex(2). Layer: sys. Signal-safe.
 */
#ifndef TMO_SYS_FUTEX_H
#define TMO_SYS_FUTEX_H

#include <stdint.h>

/* One wait while *AT is VALUE, until DEADLINE_NS (monotonic; INT64_MAX: without end); a handler of
 * a signal ends it too. No cancellation point: to be unwound from here the library would need
 * libgcc. Where a filter forbids the call, it sleeps a millisecond instead. Returns 0 or -errno. */
long tmo_futex_wait(const int *at, int value, int64_t deadline_ns);

/* Wakes up to COUNT threads that wait at AT. That may be gone by now: then nobody is waked, or one
 * who looks again. */
void tmo_futex_wake(const int *at, int count);

#endif
