/* SPDX-License-Identifier: MIT
 * Writing into a descriptor of any kind so that the program does not notice: never waits, never
 * lets SIGPIPE, SIGXFSZ or SIGTTOU through. Layer: report. Signal-safe; errno is kept.
 */
#ifndef TMO_REPORT_PUT_H
#define TMO_REPORT_PUT_H

#include "shim/report/logfile.h"

#include <sys/uio.h>

struct tmo_put {
    int fd;
    bool own;     /* opened by ourselves, O_NONBLOCK */
    bool limited; /* there is an RLIMIT_FSIZE */
    bool nowait;  /* set by tmo_put() */
    const struct iovec *parts;
    int count;
};

/* Writes the parts of P in one piece into P->fd, which is IS. Returns the bytes written, perhaps
 * not all; or -errno: -EAGAIN where it would have to wait, -EPIPE where nobody reads. */
long tmo_put(struct tmo_put *p, const struct tmo_statx *is);

#endif
