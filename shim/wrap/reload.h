/* SPDX-License-Identifier: MIT
 * The settings and rules of this process: read at start, and anew when the file was replaced.
 * Layer: wrap. errno is kept.
 */
#ifndef TMO_WRAP_RELOAD_H
#define TMO_WRAP_RELOAD_H

#include "shim/wrap/current.h"

/* At start: reads all of it into tmo_current.cfg, tells what is wrong unless a process above has,
 * opens the log, and makes plans. Ends the process with status 78 if something is wrong under
 * `strict`. Returns whether there is anything to do here. Not signal-safe: it may change environ.
 */
bool tmo_reload_start(char **envp, bool secure);

void tmo_reload_now(void); /* for tmo_reload_look() only */

/* At a new socket, now and then: takes up the file if another one has its name. One look at its
 * name a second at most. Signal-safe. */
static inline void tmo_reload_look(void)
{
    if (__builtin_expect(tmo_current.watches_file, 0))
        tmo_reload_now();
}

/* After fork(2), in the child: whoever was reading is not here. */
void tmo_reload_forked(void);

#endif
