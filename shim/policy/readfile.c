/* SPDX-License-Identifier: MIT
 * How the configuration reads files. See readfile.h.
 */
#include "shim/policy/readfile.h"
#include "shim/sys/statx.h"

#include <errno.h>
#include <fcntl.h>

/* Reads FD to its end, which is SIZE bytes away as far as is known. */
static int read_all(int fd, uint64_t size, struct tmo_arena *arena, const char **ret_text,
                    size_t *ret_len)
{
    size_t room = (size_t)size + 1, len = 0; /* one more: it may grow, and be another by then */
    char *text = tmo_arena_take(arena, room);
    if (text == NULL)
        return -ENOMEM;
    while (len < room) {
        long n = TMO_RAW3(SYS_read, fd, text + len, room - len);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

static int judge(const struct tmo_statx *is, bool secure)
{
    if (tmo_statx_is(is, S_IFDIR))
        return -EISDIR;
    if (!tmo_statx_is(is, S_IFREG))
        return -EINVAL;
    if (secure && (is->uid != 0 || (is->mode & (S_IWGRP | S_IWOTH)) != 0))
        return -EPERM;
    return is->size > TMO_CONFIG_FILE_MAX ? -EFBIG : 0;
}

struct tmo_readfile_state tmo_readfile_state = {.fd = -1};

void tmo_readfile_forked(void)
{
    struct tmo_readfile_state *state = &tmo_readfile_state;
    struct tmo_statx is;
    int fd = __atomic_exchange_n(&state->fd, -1, __ATOMIC_ACQUIRE);
    if (fd >= 0 && tmo_statx_fd(fd, &is) == 0 && is.ino == state->open.ino &&
        tmo_statx_device(&is) == tmo_statx_device(&state->open))
        (void)tmo_raw_close(fd);
}

static int read_file(const char *path, bool is_config, bool secure, struct tmo_arena *arena,
                     const char **ret_text, size_t *ret_len)
{
    struct tmo_readfile_state *state = &tmo_readfile_state;
    struct tmo_statx is;
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = (int)TMO_RAW4(SYS_openat, AT_FDCWD, path, flags, 0);
    if (fd < 0)
        return fd;
    int r = tmo_statx_fd(fd, &is);
    if (r == 0)
        r = judge(&is, secure && is_config);
    if (is_config) {
        state->open = is;
        __atomic_store_n(&state->fd, fd, __ATOMIC_RELEASE);
    }
    if (r == 0)
        r = read_all(fd, is.size, arena, ret_text, ret_len);
    if (r == 0 && is_config && !state->has_first) {
        state->has_first = true;
        state->first = is;
    }
    (void)tmo_raw_close(fd);
    __atomic_store_n(&state->fd, -1, __ATOMIC_RELEASE);
    return r;
}

static int read_any(const char *path, bool is_config, struct tmo_arena *arena,
                    const char **ret_text, size_t *ret_len)
{
    return read_file(path, is_config, false, arena, ret_text, ret_len);
}

static int read_secure(const char *path, bool is_config, struct tmo_arena *arena,
                       const char **ret_text, size_t *ret_len)
{
    return read_file(path, is_config, true, arena, ret_text, ret_len);
}

const struct tmo_reader tmo_readfile = {read_any};
const struct tmo_reader tmo_readfile_secure = {read_secure};

void tmo_readfile_arena(struct tmo_arena *ret)
{
    *ret = (struct tmo_arena){.map = tmo_raw_map, .unmap = tmo_raw_unmap};
}
