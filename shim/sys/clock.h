/* SPDX-License-Identifier: MIT
 * Clocks. Layer: sys. No system call where the vDSO serves. Signal-safe.
 */
#ifndef TMO_SYS_CLOCK_H
#define TMO_SYS_CLOCK_H

#include <stdint.h>

/* Monotonic time in ns. */
int64_t tmo_clock_ns(void);

/* Monotonic time in ns at the resolution of a timer tick (4 ms at HZ=250), at a tenth of the
 * price. */
int64_t tmo_clock_coarse_ns(void);

/* Wall-clock time in microseconds since 1970, UTC. */
int64_t tmo_clock_wall_us(void);

/* Sleeps NS, or less when a signal comes. No cancellation point. */
void tmo_clock_sleep(int64_t ns);

#endif
