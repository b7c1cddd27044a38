/* SPDX-License-Identifier: MIT
 * Which socket options the program has set itself, a bit each by the row of config/sockopts.def.
 * In a table beside the slots, of which a page is made when such an option is first set: most
 * processes have none. Layer: track. Signal-safe, lock-free.
 */
#ifndef TMO_TRACK_OWN_H
#define TMO_TRACK_OWN_H

#include "shim/track/fdtable.h"

#define TMO_OWN_ROWS 128

/* Notes that the program has set the option of ROW. */
void tmo_own_note(struct tmo_slot *slot, unsigned row);

/* Whether it has. */
bool tmo_own_has(const struct tmo_slot *slot, unsigned row);

/* Notes for the new socket TO what is noted for FROM, which it inherits its options from. */
void tmo_own_inherit(const struct tmo_slot *from, struct tmo_slot *to);

#endif
