/* SPDX-License-Identifier: MIT
 * Opening a log file. See logfile.h.
 *
 * Whoever can write a folder can put a link there that leads our records, written perhaps by root,
 * into another file; or a file of his own, to read them. Linux has protected_symlinks and
 * protected_regular against it (sysctl fs.*), but only for sticky folders, and not switched on
 * everywhere.
 */
#include "shim/report/logfile.h"

#include <errno.h>
#include <string.h>

#ifdef SYS_geteuid32
#define TMO_SYS_geteuid SYS_geteuid32
#else
#define TMO_SYS_geteuid SYS_geteuid
#endif

#define OPEN_FLAGS (O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE)

/* The folder that holds a file, as far as trust goes. */
struct folder {
    bool open_to_others; /* others than root and us can make and rename things in it */
    bool open_to_all;    /* anybody can */
    uint32_t owner;
    bool link; /* the file is a link, in a folder that is not open to others */
};

static void judge_folder(struct folder *folder, const struct tmo_statx *is, uint32_t euid)
{
    folder->owner = is->uid;
    folder->open_to_all = (is->mode & S_IWOTH) != 0;
    folder->open_to_others =
        (is->mode & (S_IWOTH | S_IWGRP)) != 0 || (is->uid != 0 && is->uid != euid);
}

/* Goes along PATH, and refuses links in folders that others can write: -ELOOP. PREFIX is room for a
 * copy. A file that is not there yet is no fault. As fs.protected_symlinks, which may be off. */
static int walk(const char *path, char *prefix, struct folder *folder)
{
    uint32_t euid = (uint32_t)TMO_RAW1(TMO_SYS_geteuid, 0);
    struct tmo_statx is;
    size_t i = strspn(path, "/");
    int r = tmo_statx_path(i > 0 ? "/" : ".", 0, &is);
    while (r == 0) {
        judge_folder(folder, &is, euid);
        i += strcspn(path + i, "/");
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        i += strspn(path + i, "/");
        bool last = path[i] == '\0';
        r = tmo_statx_path(prefix, AT_SYMLINK_NOFOLLOW, &is);
        folder->link = r == 0 && tmo_statx_is(&is, S_IFLNK);
        if (folder->link && folder->open_to_others)
            return -ELOOP;
        if (last)
            return r == -ENOENT ? 0 : r;
        if (folder->link)
            r = tmo_statx_path(prefix, 0, &is);
        if (r == 0 && !tmo_statx_is(&is, S_IFDIR))
            r = -ENOTDIR;
    }
    return r;
}

static int find_folder(const char *path, struct folder *folder)
{
    char *prefix = tmo_raw_map(TMO_LOGFILE_PATH); /* too much for a signal stack */
    if (prefix == NULL)
        return -ENOMEM;
    int r = walk(path, prefix, folder);
    tmo_raw_unmap(prefix, TMO_LOGFILE_PATH);
    return r;
}

/* Whether a file that is there may be written. In a folder like /tmp somebody else may have put it
 * there for us to find, or be its second name. As fs.protected_regular, which may be off. */
static int judge_file(const struct tmo_statx *is, const struct folder *folder)
{
    if (tmo_statx_is(is, S_IFDIR))
        return -EISDIR;
    if (tmo_statx_is(is, S_IFSOCK) || tmo_statx_is(is, S_IFBLK))
        return -ENOTSUP;
    if (!folder->open_to_all || tmo_statx_is(is, S_IFCHR))
        return 0;
    uint32_t euid = (uint32_t)TMO_RAW1(TMO_SYS_geteuid, 0);
    if (is->uid != euid && is->uid != folder->owner)
        return -EACCES;
    return tmo_statx_is(is, S_IFREG) && is->nlink > 1 ? -EACCES : 0;
}

int tmo_logfile_open(const char *path, struct tmo_statx *ret_is)
{
    struct folder folder = {.link = false};
    int r = find_folder(path, &folder);
    if (r < 0)
        return r;
    int flags = OPEN_FLAGS | (folder.link ? 0 : O_NOFOLLOW);
    int fd = (int)TMO_RAW4(SYS_openat, AT_FDCWD, path, flags, 0600);
    if (fd < 0)
        return fd;
    r = tmo_statx_fd(fd, ret_is);
    if (r == 0)
        r = judge_file(ret_is, &folder);
    if (r == 0)
        return fd;
    (void)tmo_raw_close(fd);
    return r;
}

static const char *explain(int r)
{
    switch (r) {
    case -EISDIR:
        return "is a directory";
    case -ENOTSUP:
        return "is neither a file nor a FIFO nor a character device";
    case -ENOENT:
        return "its folder is not there";
    case -ENOTDIR:
        return "a part of its path is no folder";
    case -ELOOP:
        return "goes through a link in a folder that others can write";
    case -EROFS:
        return "is on a read-only file system";
    case -EACCES:
    case -EPERM:
        return "may not be written";
    default:
        return "cannot be opened";
    }
}

/* Whether a file can be made in the folder of PATH, which is there. COPY is room for its name. */
static int try_folder(const char *path, char *copy)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    memcpy(copy, path, len);
    memcpy(copy + len, ".", 2);
    return (int)TMO_RAW3(SYS_faccessat, AT_FDCWD, copy, W_OK | X_OK);
}

static int try(const char *path, char *scratch)
{
    struct folder folder = {.link = false};
    struct tmo_statx is;
    int r = walk(path, scratch, &folder);
    if (r < 0)
        return r;
    r = tmo_statx_path(path, 0, &is);
    if (r == -ENOENT)
        return folder.link ? 0
                           : try_folder(path, scratch); /* a link's end is seen when it is made */
    if (r == 0)
        r = judge_file(&is, &folder);
    return r < 0 ? r : (int)TMO_RAW3(SYS_faccessat, AT_FDCWD, path, W_OK);
}

int tmo_logfile_try(const char *path, const char **ret_what)
{
    char *scratch = tmo_raw_map(TMO_LOGFILE_PATH);
    if (scratch == NULL)
        return 0; /* no fault of the file's */
    int r = try(path, scratch);
    tmo_raw_unmap(scratch, TMO_LOGFILE_PATH);
    if (r < 0)
        *ret_what = explain(r);
    return r;
}
