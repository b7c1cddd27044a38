/* SPDX-License-Identifier: MIT
 * How descriptors go and double. Layer: wrap. Signal-safe.
 */
#ifndef TMO_WRAP_CLOSE_H
#define TMO_WRAP_CLOSE_H

#include <stdbool.h>

/* FD now has a second number, COPY. */
void tmo_close_duplicated(int fd, int copy);

/* FD is about to be closed by a call with REASON for its record: the record is made, if it was the
 * last to lead to its socket, and the number is ours no longer. */
void tmo_close_forget(int fd, const char *reason);

/* All that close(FD) does before the real call. Returns false, and errno is EBADF, if FD is our own
 * descriptor, which is not there for the program. */
bool tmo_close_mind(int fd);

/* close_range(2), whose number is followed also where libc has no such name. Sets errno. */
int tmo_close_range(unsigned first, unsigned last, int flags);

#endif
