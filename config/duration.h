/* SPDX-License-Identifier: MIT
 * Durations as operators write them ("250ms", "1.5s", "2m", "1h", "90", "off") <-> nanoseconds.
 * Layer: config (pure: no system call, no locale, no allocation, no errno).
 */
#ifndef TMO_CONFIG_DURATION_H
#define TMO_CONFIG_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define TMO_NS_PER_S  1000000000LL
#define TMO_NS_PER_MS 1000000LL
#define TMO_NS_PER_US 1000LL

/* Longest text tmo_duration_print() makes, with its NUL. */
#define TMO_DURATION_TEXT 32

/* Reads the LEN bytes at TEXT as a duration and stores it in *RET_NS (0 = no limit).
 * Units are ms, s, m and h; a bare number is seconds, as in timeout(1). The decimal point is a
 * point in every locale. What is finer than a nanosecond is rounded up, so that no positive
 * duration ever becomes 0, which the kernel reads as "for ever".
 * Returns 0, or -EINVAL (not a duration) or -ERANGE (more than INT64_MAX ns, some 292 years);
 * *RET_NS is untouched on failure. Signal-safe, thread-safe. */
int tmo_duration_parse(const char *text, size_t len, int64_t *ret_ns);

/* Writes NS (>= 0) into BUF (at least TMO_DURATION_TEXT bytes) in the largest unit that is exact:
 * 2s, 1500ms, 0.5ms; 0 is "off". Returns the length without the NUL. Signal-safe, thread-safe. */
size_t tmo_duration_print(int64_t ns, char *buf);

#endif
