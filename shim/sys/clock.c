/* SPDX-License-Identifier: MIT
 * Clocks. See clock.h.
 */
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"

#include <time.h>

int (*tmo_clock_get)(clockid_t id, struct timespec *ret) = clock_gettime;

void tmo_clock_bind(int (*get)(clockid_t, struct timespec *))
{
    tmo_clock_get = get;
}

static int64_t read_ns(clockid_t id)
{
    struct timespec t = {0, 0};
    (void)tmo_clock_get(id, &t); /* cannot fail with these clocks */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tmo_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t tmo_clock_coarse_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE);
}

int64_t tmo_clock_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

void tmo_clock_sleep(int64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    (void)TMO_RAW2(SYS_nanosleep, &t, 0);
}
