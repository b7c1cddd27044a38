/* SPDX-License-Identifier: MIT
 * The program's own timeouts in few bits. See slot.h.
 */
#include "shim/track/slot.h"

/* 22 bits are a number, those above them its unit; a tick is 1/300 s. */
enum { APP_MS, APP_TICKS, APP_S, APP_NEVER };
#define UNIT_AT 22

static int64_t of_ticks(int64_t ticks)
{
    return ticks / 300 * 1000000 + ticks % 300 * 1000000 / 300;
}

uint32_t tmo_slot_pack_timeo(int64_t us)
{
    const int64_t most = (1 << UNIT_AT) - 1;
    int64_t ticks = (us / 1000000) * 300 + (us % 1000000 * 300 + 999999) / 1000000;
    int64_t ms = us / 1000 + (us % 1000 != 0), s = us / 1000000 + (us % 1000000 != 0);
    if (us < 0)
        return APP_NEVER << UNIT_AT;
    if (ms <= most && us % 1000 == 0)
        return (uint32_t)ms;
    if (ticks <= most && of_ticks(ticks) == us)
        return (uint32_t)(APP_TICKS << UNIT_AT | ticks);
    return ms <= most ? (uint32_t)ms : (uint32_t)(APP_S << UNIT_AT | (s < most ? s : most));
}

int64_t tmo_slot_unpack_timeo(uint32_t packed)
{
    int64_t number = packed & ((1 << UNIT_AT) - 1);
    switch (packed >> UNIT_AT) {
    case APP_MS:
        return number * 1000;
    case APP_TICKS:
        return of_ticks(number);
    case APP_S:
        return number * 1000000;
    default:
        return TMO_SLOT_NEVER_WAITS;
    }
}
