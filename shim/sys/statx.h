/* SPDX-License-Identifier: MIT
 * What a name or a descriptor is. Layer: sys. Signal-safe; errno is kept.
 */
#ifndef TMO_SYS_STATX_H
#define TMO_SYS_STATX_H

#include "shim/sys/raw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* What the kernel says of a file: struct statx, include/uapi/linux/stat.h (Linux 4.11), which musl
 * before 1.2.5 does not have. */
struct tmo_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t times[8]; /* pairs, seconds in the lower half, then nanoseconds: read, made, changed,
                          written; the first word of a pair is the seconds */
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t rest[14];
};

/* What PATH or FD is. FLAGS: AT_SYMLINK_NOFOLLOW or 0. 0, or -errno. Never waits for a file
 * server. */
int tmo_statx_path(const char *path, int flags, struct tmo_statx *ret);
int tmo_statx_fd(int fd, struct tmo_statx *ret);

static inline uint64_t tmo_statx_device(const struct tmo_statx *is)
{
    return (uint64_t)is->dev_major << 32 | is->dev_minor;
}

static inline bool tmo_statx_is(const struct tmo_statx *is, unsigned type)
{
    return (is->mode & S_IFMT) == type;
}

#endif
