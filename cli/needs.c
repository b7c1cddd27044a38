/* SPDX-License-Identifier: MIT
 * The libraries that a program needs. See needs.h. The order of places is that of ld.so(8): RPATH
 * (of the library, and of those that need it), LD_LIBRARY_PATH, RUNPATH, the cache, the standard
 * folders. A file of another kind is passed over, as the loader does.
 */
#include "cli/needs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEEDS_MAX 512

/* --- places ---------------------------------------------------------------------------------- */

struct search {
    const struct tmo_elf *elf;
    const char *name;
    char path[PATH_MAX]; /* where it was found */
};

static bool fits(const char *path, const struct tmo_elf *elf)
{
    struct tmo_elf is;
    return tmo_cli_elf_read_path(path, &is) == 0 && is.byte_order == elf->byte_order &&
           is.bits_class == elf->bits_class && is.machine == elf->machine;
}

static const char *lib_token(const struct tmo_elf *elf)
{
    switch (elf->machine) {
    case EM_X86_64:
        return elf->loader == TMO_LIBC_MUSL ? "lib/x86_64-linux-musl" : "lib/x86_64-linux-gnu";
    case EM_386:
        return elf->loader == TMO_LIBC_MUSL ? "lib/i386-linux-musl" : "lib/i386-linux-gnu";
    case EM_AARCH64:
        return elf->loader == TMO_LIBC_MUSL ? "lib/aarch64-linux-musl" : "lib/aarch64-linux-gnu";
    case EM_ARM:
        return "lib/arm-linux-gnueabihf";
    default:
        return "lib";
    }
}

/* Adds LEN bytes to the path in BUF (PATH_MAX). */
static bool append(char *buf, const char *piece, size_t len)
{
    size_t at = strlen(buf);
    if (len >= PATH_MAX - at)
        return false;
    memcpy(buf + at, piece, len);
    buf[at + len] = '\0';
    return true;
}

/* Writes the folder of LEN bytes at DIR into BUF, with $ORIGIN and $LIB replaced; other tokens
 * stay, and nothing will be found there. */
static bool expand(const char *dir, size_t len, const char *origin, const struct tmo_elf *elf,
                   char *buf)
{
    const char *slash = strrchr(origin, '/');
    const char *end = dir + len;
    buf[0] = '\0';
    for (bool good = true; good;) {
        if (dir == end)
            return true;
        const char *dollar = memchr(dir, '$', (size_t)(end - dir));
        if (dollar != dir) {
            size_t plain = (size_t)((dollar != NULL ? dollar : end) - dir);
            good = append(buf, dir, plain);
            dir += plain;
            continue;
        }
        bool braces = end - dir > 1 && dir[1] == '{';
        const char *word = dir + 1 + braces;
        size_t left = (size_t)(end - word);
        bool is_origin = left >= 6 && strncmp(word, "ORIGIN", 6) == 0;
        bool is_lib = left >= 3 && strncmp(word, "LIB", 3) == 0;
        size_t taken = is_origin ? 6 : is_lib ? 3 : 0;
        if (taken == 0 || (braces && (left == taken || word[taken] != '}'))) {
            good = append(buf, dir++, 1);
            continue;
        }
        const char *text = is_origin ? origin : lib_token(elf);
        size_t text_len = !is_origin        ? strlen(text)
                          : slash == NULL   ? 0
                          : slash == origin ? 1
                                            : (size_t)(slash - origin);
        good = append(buf, text, text_len);
        dir = word + taken + braces;
    }
    return false;
}

/* Looks for the library in the folders of LIST, split at SEPARATORS. */
static bool in_list(struct search *search, const char *list, const char *separators,
                    const char *origin)
{
    char dir[PATH_MAX];
    while (list != NULL) {
        size_t len = strcspn(list, separators);
        if (expand(list, len, origin, search->elf, dir) &&
            snprintf(search->path, PATH_MAX, "%s%s%s", dir, len > 0 ? "/" : "", search->name) <
                PATH_MAX &&
            fits(search->path, search->elf))
            return true;
        list = list[len] != '\0' ? list + len + 1 : NULL;
    }
    return false;
}

/* --- the cache ------------------------------------------------------------------------------- */

/* The format of glibc since 2.2, which may stand behind an older one: sysdeps/generic/dl-cache.h.
 * Offsets count from its own beginning. */
#define CACHE_MAGIC "glibc-ld.so.cache1.1"
struct cache_head {
    char magic[sizeof(CACHE_MAGIC) - 1];
    uint32_t count, strings_size, unused[5];
};
struct cache_row {
    int32_t flags;
    uint32_t key, value, os_version;
    uint64_t hwcap;
};

/* The text at offset AT of the LEN bytes at TEXT; NULL if it does not end within. */
static const char *text_at(const char *text, size_t len, uint32_t at)
{
    return at < len && memchr(text + at, '\0', len - at) != NULL ? text + at : NULL;
}

static bool in_cache(struct search *search)
{
    static char *text;
    static size_t len;
    if (text == NULL) { /* read once; an empty one stays empty */
        struct stat st;
        int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        size_t size =
            fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < (64 << 20)
                ? (size_t)st.st_size
                : 0;
        text = malloc(size + 1);
        ssize_t got = text != NULL && size > 0 ? pread(fd, text, size, 0) : 0;
        len = got > 0 ? (size_t)got : 0;
        if (fd >= 0)
            close(fd);
    }
    const char *base = text != NULL ? memmem(text, len, CACHE_MAGIC, strlen(CACHE_MAGIC)) : NULL;
    struct cache_head head;
    struct cache_row row;
    size_t left = base != NULL ? len - (size_t)(base - text) : 0;
    if (left < sizeof(head))
        return false;
    memcpy(&head, base, sizeof(head));
    for (size_t i = 0; i < head.count && sizeof(head) + (i + 1) * sizeof(row) <= left; i++) {
        memcpy(&row, base + sizeof(head) + i * sizeof(row), sizeof(row));
        const char *key = text_at(base, left, row.key), *value = text_at(base, left, row.value);
        if (key != NULL && value != NULL && strcmp(key, search->name) == 0 &&
            snprintf(search->path, PATH_MAX, "%s", value) < PATH_MAX &&
            fits(search->path, search->elf))
            return true;
    }
    return false;
}

static bool in_standard(struct search *search)
{
    char list[256];
    const char *lib = lib_token(search->elf);
    snprintf(list, sizeof(list), "/%s:/usr/%s:%s", lib, lib,
             search->elf->bits_class == ELFCLASS64 ? "/lib64:/usr/lib64:/lib:/usr/lib"
                                                   : "/lib:/usr/lib:/lib32:/usr/lib32");
    if (search->elf->loader == TMO_LIBC_MUSL && in_list(search, "/usr/local/lib", ":", ""))
        return true;
    return in_list(search, list, ":", "");
}

/* --- the libraries --------------------------------------------------------------------------- */

/* Finds what PARENT needs under the name of SEARCH. */
static bool find(struct search *search, const struct tmo_needs *needs, size_t parent, bool secure)
{
    const struct tmo_needed *by = &needs->all[parent];
    if (strchr(search->name, '/') != NULL)
        return snprintf(search->path, PATH_MAX, "%s", search->name) < PATH_MAX &&
               fits(search->path, search->elf);
    for (size_t i = parent; by->imports.runpath == NULL;) {
        const struct tmo_needed *one = &needs->all[i];
        if (one->imports.runpath == NULL && one->imports.rpath != NULL &&
            in_list(search, one->imports.rpath, ":", one->path))
            return true;
        if (i == one->parent)
            break;
        i = one->parent;
    }
    const char *folders = secure ? NULL : getenv("LD_LIBRARY_PATH");
    if (folders != NULL && folders[0] != '\0' && in_list(search, folders, ":;", by->path))
        return true;
    if (by->imports.runpath != NULL && in_list(search, by->imports.runpath, ":", by->path))
        return true;
    return (search->elf->loader != TMO_LIBC_MUSL && in_cache(search)) || in_standard(search);
}

/* The C library itself: whoever calls it is what counts. */
static bool is_libc(const char *name)
{
    static const char *const known[] = {"libc.so", "libc.musl-", "ld-linux", "ld-musl", "ld64.so"};
    const char *slash = strrchr(name, '/');
    name = slash != NULL ? slash + 1 : name;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(name, known[i], strlen(known[i])) == 0)
            return true;
    }
    return false;
}

static bool is_there(const struct tmo_needs *needs, const char *name)
{
    for (size_t i = 1; i < needs->count; i++) {
        if (strcmp(needs->all[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Adds one; PATH may be NULL. */
static int add(struct tmo_needs *needs, const char *name, const char *path, size_t parent)
{
    struct tmo_needed *all = realloc(needs->all, (needs->count + 1) * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    needs->all = all;
    struct tmo_needed *new = &all[needs->count];
    memset(new, 0, sizeof(*new));
    new->parent = parent;
    new->name = strdup(name);
    new->path = path != NULL ? strdup(path) : NULL;
    if (new->name == NULL || (path != NULL && new->path == NULL))
        return -ENOMEM;
    needs->count++;
    return 0;
}

int tmo_cli_needs_start(const char *path, const char *origin, struct tmo_needs *ret)
{
    memset(ret, 0, sizeof(*ret));
    int r = add(ret, path, origin, 0);
    return r < 0 ? r : tmo_cli_imports_read(path, &ret->all[0].imports);
}

int tmo_cli_needs_add(const char *name, const char *path, struct tmo_needs *needs)
{
    if (is_libc(name) || is_there(needs, name))
        return 0;
    if (needs->count >= NEEDS_MAX) {
        needs->cut = true;
        return 0;
    }
    int r = add(needs, name, path, 0);
    struct tmo_imports *imports = &needs->all[needs->count - 1].imports;
    if (r == 0 && tmo_cli_imports_read(path, imports) < 0)
        imports->incomplete = true;
    return r;
}

int tmo_cli_needs_follow(const struct tmo_elf *elf, bool secure, struct tmo_needs *needs)
{
    struct search search = {.elf = elf};
    for (size_t i = 0; i < needs->count; i++) {
        for (size_t k = 0; k < needs->all[i].imports.needed_count; k++) {
            search.name = needs->all[i].imports.needed[k];
            if (is_libc(search.name) || is_there(needs, search.name))
                continue;
            if (needs->count >= NEEDS_MAX) {
                needs->cut = true;
                return 0;
            }
            bool found = find(&search, needs, i, secure);
            int r = add(needs, search.name, found ? search.path : NULL, i);
            if (r < 0)
                return r;
            struct tmo_imports *imports = &needs->all[needs->count - 1].imports;
            if (found && tmo_cli_imports_read(search.path, imports) < 0)
                imports->incomplete = true;
        }
    }
    return 0;
}
