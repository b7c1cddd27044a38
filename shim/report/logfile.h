/* SPDX-License-Identifier: MIT
 * Opening a log file by its name, where others may have laid something in the way. Layer: report.
 * Signal-safe; errno is kept.
 */
#ifndef TMO_REPORT_LOGFILE_H
#define TMO_REPORT_LOGFILE_H

#include "shim/sys/statx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMO_LOGFILE_PATH 1280 /* bytes of a path with its NUL */

/* Opens PATH for appending, close-on-exec and non-blocking; makes it with mode 0600. Returns the
 * descriptor and what it is; or -errno: -ELOOP for a link in a folder that others can write,
 * -EACCES for a file there that is not ours, -EISDIR, -ENOTSUP for a socket or a disk, -ENXIO for a
 * FIFO that nobody reads. */
int tmo_logfile_open(const char *path, struct tmo_statx *ret_is);

/* Whether that will go well, without making the file. 0; or -errno, and *RET_WHAT says why. */
int tmo_logfile_try(const char *path, const char **ret_what);

#endif
