/* SPDX-License-Identifier: MIT
 * A look at a program before it is started. See preflight.h. Sources: ld.so(8), execve(2),
 * getauxval(3), capabilities(7); fs/exec.c and security/commoncap.c for AT_SECURE.
 */
#include "cli/preflight.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_LEVELS 4
#define SCRIPT_LINE   256 /* BINPRM_BUF_SIZE, Linux 5.1 */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Finds NAME as execvp(3) does. Writes its path into BUF (PATH_MAX bytes). */
static bool find_program(const char *name, char *buf)
{
    if (strchr(name, '/') != NULL)
        return snprintf(buf, PATH_MAX, "%s", name) < PATH_MAX && is_program(buf);
    if (name[0] == '\0')
        return false;

    const char *path = getenv("PATH");
    char standard[256];
    if (path == NULL) {
        size_t n = confstr(_CS_PATH, standard, sizeof(standard));
        path = n > 0 && n <= sizeof(standard) ? standard : "/bin:/usr/bin";
    }
    for (;;) {
        size_t len = strcspn(path, ":");
        int n = snprintf(buf, PATH_MAX, "%.*s%s%s", (int)len, path, len > 0 ? "/" : "./", name);
        if (n > 0 && n < PATH_MAX && is_program(buf))
            return true;
        if (path[len] == '\0')
            return false;
        path += len + 1;
    }
}

/* Takes the next word of *AT, ended by blanks; NULL at its end. The text is cut up. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t");
    if (*word == '\0')
        return NULL;
    char *end = word + strcspn(word, " \t");
    *at = end + (*end != '\0');
    *end = '\0';
    return word;
}

/* The program that env(1) would run for the words at TEXT of a "#!" line: the first that is no
 * option and sets no variable. "#!/usr/bin/env -S python3 -u" has options of its own. */
static const char *behind_env(char *text)
{
    for (char *word; (word = next_word(&text)) != NULL;) {
        if (strncmp(word, "-S", 2) == 0 && word[2] != '\0')
            word += 2;
        if (word[0] != '-' && strchr(word, '=') == NULL)
            return word;
    }
    return NULL;
}

/* Replaces the path of a script in PATH (PATH_MAX bytes), which is no ELF file, by that of the
 * program that runs it. */
static bool find_interpreter(char *path)
{
    char line[SCRIPT_LINE + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, line, SCRIPT_LINE, 0);
    close(fd);
    if (got < 0)
        return false;
    line[got] = '\0';
    if (strncmp(line, "#!", 2) != 0)
        return find_program("/bin/sh", path); /* execvp(3) hands such files to the shell */

    char *rest = line + 2;
    rest[strcspn(rest, "\n")] = '\0';
    const char *interpreter = next_word(&rest);
    if (interpreter == NULL)
        return false;
    const char *slash = strrchr(interpreter, '/');
    if (strcmp(slash != NULL ? slash + 1 : interpreter, "env") == 0) {
        const char *behind = behind_env(rest);
        if (behind != NULL && find_program(behind, path))
            return true;
    }
    return snprintf(path, PATH_MAX, "%s", interpreter) < PATH_MAX && is_program(path);
}

/* Whether the file PATH has capabilities that exec would give to a user other than root. The
 * attribute is struct vfs_cap_data or vfs_ns_cap_data of <linux/capability.h>: a word of flags,
 * then two pairs of words, permitted and inheritable; little-endian. */
static bool has_capabilities(const char *path)
{
    uint32_t words[6];
    ssize_t size = getxattr(path, "security.capability", words, sizeof(words));
    if (size < 5 * (ssize_t)sizeof(words[0]))
        return false;
    bool effective = (le32toh(words[0]) & 1) != 0; /* VFS_CAP_FLAGS_EFFECTIVE */
    return effective || words[1] != 0 || words[3] != 0;
}

/* Why the kernel would start the file PATH as AT_SECURE, where the loader takes no library from
 * LD_PRELOAD; NULL if it would not. */
static const char *secure_reason(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return NULL;

    if (geteuid() != getuid() || getegid() != getgid())
        return "would have another effective user or group than its real one";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) /* the bits then count for nothing */
        return NULL;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
        return "is set-uid to another user";
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
        return "is set-gid to another group";
    if (getuid() != 0 && has_capabilities(path))
        return "has file capabilities";
    return NULL;
}

static const char *libc_name(enum tmo_libc libc)
{
    return libc == TMO_LIBC_MUSL ? "musl" : "glibc";
}

/* Writes into REASON (SIZE bytes) what speaks against putting LIBRARY into PROGRAM. */
static bool find_reason(const struct tmo_elf *program, const struct tmo_elf *library, char *reason,
                        size_t size)
{
    static const char not_loaded[] = "the library cannot be loaded into it";

    if (program->byte_order != library->byte_order ||
        (program->bits_class == library->bits_class && program->machine != library->machine)) {
        snprintf(reason, size, "is built for another kind of machine than the library: %s",
                 not_loaded);
    } else if (program->bits_class != library->bits_class) {
        bool wide = program->bits_class == ELFCLASS64;
        snprintf(reason, size, "is a %d-bit program and the library is for %d bits: %s",
                 wide ? 64 : 32, wide ? 32 : 64, not_loaded);
    } else if (!program->has_loader && !program->has_soname) {
        /* With a name for other files to link with, it is the dynamic loader run as a program. */
        snprintf(reason, size, "is %s: %s",
                 program->is_go ? "a Go program, statically linked" : "statically linked",
                 not_loaded);
    } else if (program->loader != TMO_LIBC_UNKNOWN && library->needs != TMO_LIBC_UNKNOWN &&
               program->loader != library->needs) {
        snprintf(reason, size, "uses the C library %s and the library is for %s: %s",
                 libc_name(program->loader), libc_name(library->needs), not_loaded);
    } else if (program->is_go) {
        snprintf(reason, size, "is a Go program: it makes its system calls past the C library");
    } else {
        return false;
    }
    return true;
}

/* Judges the file RET->path. Returns -ENOEXEC if it is no ELF file, else 0. */
static int judge(const struct tmo_elf *library, struct tmo_preflight *ret)
{
    struct tmo_elf elf;
    int r = tmo_cli_elf_read_path(ret->path, &elf);
    if (r == -ENOEXEC)
        return r;

    const char *secure = secure_reason(ret->path); /* needs no right to read the file */
    if (r == 0 && find_reason(&elf, library, ret->reason, sizeof(ret->reason))) {
        ret->reach = TMO_REACH_NO;
    } else if (secure != NULL) {
        ret->reach = TMO_REACH_NO;
        snprintf(ret->reason, sizeof(ret->reason),
                 "%s: the dynamic loader ignores LD_PRELOAD there", secure);
    } else if (r < 0) {
        ret->reach = TMO_REACH_UNKNOWN;
        snprintf(ret->reason, sizeof(ret->reason),
                 "cannot be read (%s): whether the library gets into it is not known",
                 strerror(-r));
    }
    return 0;
}

void tmo_cli_preflight(const char *program, const struct tmo_elf *library,
                       struct tmo_preflight *ret)
{
    ret->reach = TMO_REACH_YES;
    ret->interpreter = false;
    ret->reason[0] = '\0';
    if (!find_program(program, ret->path))
        return;
    for (int level = 0; level <= SCRIPT_LEVELS; level++) {
        if (judge(library, ret) == 0 || !find_interpreter(ret->path))
            return;
        ret->interpreter = true;
    }
}
