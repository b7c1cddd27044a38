/* SPDX-License-Identifier: MIT
 * Waits for several descriptors at once. Layer: wrap. Signal-safe.
 */
#ifndef TMO_WRAP_WAIT_H
#define TMO_WRAP_WAIT_H

#include "shim/track/slot.h"

/* A non-blocking connect on SLOT is under way as of its birth: a wait is to end at the limit. */
void tmo_wait_connecting(struct tmo_slot *slot);

#endif
