/* SPDX-License-Identifier: MIT
 * track/slot: the program's own timeouts in 24 bits are those that the kernel showed.
 */
#include "shim/track/slot.h"
#include "tests/unit/check.h"

/* As the kernel shows a timeout of TICKS timer ticks (net/core/sock.c, sock_get_timeout). */
static int64_t shown_us(int64_t ticks, int64_t hz)
{
    return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

static void check_exact(void)
{
    static const int64_t rates[] = {100, 250, 300, 1000};
    struct tmo_slot slot = {.refs = 1};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        /* to 69 minutes, in steps that come by every remainder */
        for (int64_t ticks = 1; ticks < 4190 * rates[i]; ticks += ticks < 10000 ? 1 : 997) {
            int64_t us = shown_us(ticks, rates[i]);
            tmo_slot_set_app_us(&slot, 1, us);
            CHECK_EQ(tmo_slot_app_us(&slot, 1), us);
            CHECK_EQ(tmo_slot_app_us(&slot, 0), 0);
        }
        for (int64_t s = 4194; s < 4000000; s += 7919) { /* to 46 days, in whole seconds */
            tmo_slot_set_app_us(&slot, 1, s * 1000000);
            CHECK_EQ(tmo_slot_app_us(&slot, 1), s * 1000000);
        }
    }
}

static void check_others(void)
{
    struct tmo_slot slot = {.refs = 1};

    CHECK_EQ(tmo_slot_has_app(&slot, 0), 0);
    tmo_slot_set_app_us(&slot, 0, TMO_SLOT_NEVER_WAITS);
    CHECK_EQ(tmo_slot_has_app(&slot, 0), 1);
    CHECK_EQ(tmo_slot_app_us(&slot, 0), TMO_SLOT_NEVER_WAITS);
    CHECK_EQ(tmo_slot_has_app(&slot, 1), 0);
    tmo_slot_set_app_us(&slot, 0, 1); /* never rounded to none */
    CHECK_EQ(tmo_slot_app_us(&slot, 0), 1000);
    tmo_slot_set_app_us(&slot, 0, INT64_MAX);
    CHECK(tmo_slot_app_us(&slot, 0) > INT64_C(40) * 86400 * 1000000);
    tmo_slot_set_app_us(&slot, 0, 0);
    CHECK_EQ(tmo_slot_has_app(&slot, 0), 0);
}

int main(void)
{
    check_exact();
    check_others();
    return check_end();
}
