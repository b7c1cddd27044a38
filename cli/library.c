/* SPDX-License-Identifier: MIT
 * Where libsocktmo.so is, and how it gets into LD_PRELOAD. See library.h.
 */
#include "cli/library.h"
#include "cli/say.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TMO_LIBDIR
#define TMO_LIBDIR "/usr/local/lib"
#endif

/* Whether the library is in the folder of LEN bytes at DIR followed by SUB; BUF gets its path. */
static bool is_in(const char *dir, size_t len, const char *sub, char *buf, size_t size)
{
    struct stat st;
    int n = snprintf(buf, size, "%.*s%s/" TMO_LIBRARY_NAME, (int)len, dir, sub);
    return n > 0 && (size_t)n < size && stat(buf, &st) == 0 && S_ISREG(st.st_mode) &&
           access(buf, R_OK) == 0;
}

int tmo_cli_library_find(char *buf, size_t size)
{
    char self[PATH_MAX];
    ssize_t got = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (got > 0) {
        self[got] = '\0';
        char *slash = strrchr(self, '/');
        size_t len = slash != NULL ? (size_t)(slash - self) : 0;
        if (slash != NULL && is_in(self, len, "", buf, size))
            return 0;
        if (len >= 4 && memcmp(self + len - 4, "/bin", 4) == 0 &&
            is_in(self, len - 4, "/lib", buf, size))
            return 0;
    }
    if (is_in(TMO_LIBDIR, strlen(TMO_LIBDIR), "", buf, size))
        return 0;
    tmo_cli_say("cannot find " TMO_LIBRARY_NAME " beside this command or in the installed place");
    return -ENOENT;
}

int tmo_cli_library_read(const char *path, struct tmo_elf *ret)
{
    int r = tmo_cli_elf_read_path(path, ret);
    if (r == 0 && ret->shared)
        return 0;
    bool read = r == 0 || r == -ENOEXEC || r == -EBADMSG;
    tmo_cli_say("%s: %s", path, read ? "not a shared library" : strerror(-r));
    return read ? -ENOEXEC : r;
}

/* Whether the entry of LEN bytes at ENTRY of LD_PRELOAD is the library at PATH. */
static bool is_library(const char *entry, size_t len, const char *path)
{
    const char suffix[] = "/" TMO_LIBRARY_NAME;
    size_t suffix_len = sizeof(suffix) - 1;
    char copy[PATH_MAX];
    struct stat one, other;

    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, entry, len);
    copy[len] = '\0';
    if (strcmp(copy, path) == 0)
        return true;
    /* With tokens, as in /usr/$LIB/libsocktmo.so, only the loader knows which file it is. */
    if (strchr(copy, '$') != NULL)
        return len >= suffix_len && strcmp(copy + len - suffix_len, suffix) == 0;
    return strchr(copy, '/') != NULL && stat(copy, &one) == 0 && stat(path, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

int tmo_cli_library_preload(const char *path)
{
    if (strpbrk(path, " :$") != NULL)
        return -EINVAL;

    const char *before = getenv("LD_PRELOAD");
    if (before == NULL)
        before = "";
    for (const char *at = before; *at != '\0';) {
        size_t len = strcspn(at, " :");
        if (is_library(at, len, path))
            return 0;
        at += len + (at[len] != '\0');
    }

    size_t size = strlen(path) + strlen(before) + 2;
    char *list = malloc(size);
    if (list == NULL)
        return -ENOMEM;
    snprintf(list, size, "%s%s%s", path, before[0] != '\0' ? ":" : "", before);
    /* First away with it: the loader takes the last of two, setenv() changes the first. */
    int r = unsetenv("LD_PRELOAD") == 0 && setenv("LD_PRELOAD", list, 1) == 0 ? 0 : -ENOMEM;
    free(list);
    return r;
}
