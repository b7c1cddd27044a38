/* SPDX-License-Identifier: MIT
 * What a name or a descriptor is. See statx.h.
 */
#include "shim/sys/statx.h"

#include <fcntl.h>
#include <string.h>

/* linux/stat.h and linux/fcntl.h */
#define WANTED      0x3cf /* STATX_TYPE, MODE, NLINK, UID, MTIME, CTIME, INO, SIZE */
#define DO_NOT_SYNC 0x4000
#define EMPTY_IS_FD 0x1000

static int look(int fd, const char *path, int flags, struct tmo_statx *ret)
{
    memset(ret, 0, sizeof(*ret)); /* whatever happens, no garbage */
    return (int)TMO_RAW5(SYS_statx, fd, path, DO_NOT_SYNC | flags, WANTED, ret);
}

int tmo_statx_path(const char *path, int flags, struct tmo_statx *ret)
{
    return look(AT_FDCWD, path, flags, ret);
}

int tmo_statx_fd(int fd, struct tmo_statx *ret)
{
    return look(fd, "", EMPTY_IS_FD, ret);
}
