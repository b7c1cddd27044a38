/* SPDX-License-Identifier: MIT
 * What a fork means for us. Layer: wrap. Signal-safe.
 */
#ifndef TMO_WRAP_FORK_H
#define TMO_WRAP_FORK_H

/* In the parent: what is open now is shared from now on. */
void tmo_fork_parent(void);

/* In the child: what is open now is on record only if it is used here. */
void tmo_fork_child(void);

#endif
