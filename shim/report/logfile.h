/* SPDX-License-Identifier: MIT
 * Opening a log file by its name, where others may have laid something in the way; and asking the
 * kernel what a name or a descriptor is. Layer: report. Signal-safe; errno is kept.
 */
#ifndef TMO_REPORT_LOGFILE_H
#define TMO_REPORT_LOGFILE_H

#include "shim/sys/raw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMO_LOGFILE_PATH 1280 /* bytes of a path with its NUL */

/* What the kernel says of a file: struct statx, include/uapi/linux/stat.h (Linux 4.11), which musl
 * before 1.2.5 does not have. */
struct tmo_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t times[8];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t rest[14];
};

/* What PATH or FD is. FLAGS: AT_SYMLINK_NOFOLLOW or 0. 0, or -errno. Never waits for a file
 * server. */
int tmo_logfile_look(const char *path, int flags, struct tmo_statx *ret);
int tmo_logfile_look_fd(int fd, struct tmo_statx *ret);

static inline uint64_t tmo_logfile_device(const struct tmo_statx *is)
{
    return (uint64_t)is->dev_major << 32 | is->dev_minor;
}

static inline bool tmo_logfile_is(const struct tmo_statx *is, unsigned type)
{
    return (is->mode & S_IFMT) == type;
}

/* Opens PATH for appending, close-on-exec and non-blocking; makes it with mode 0600. Returns the
 * descriptor and what it is; or -errno: -ELOOP for a link in a folder that others can write,
 * -EACCES for a file there that is not ours, -EISDIR, -ENOTSUP for a socket or a disk, -ENXIO for a
 * FIFO that nobody reads. */
int tmo_logfile_open(const char *path, struct tmo_statx *ret_is);

/* Whether that will go well, without making the file. 0; or -errno, and *RET_WHAT says why. */
int tmo_logfile_try(const char *path, const char **ret_what);

#endif
