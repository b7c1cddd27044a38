/* SPDX-License-Identifier: MIT
 * A look at a program before it is started. See preflight.h. Sources: ld.so(8), execve(2),
 * getauxval(3), capabilities(7); fs/exec.c and security/commoncap.c for AT_SECURE.
 */
#include "cli/preflight.h"
#include "cli/imports.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_LEVELS 5   /* fs/exec.c, exec_binprm(): five "#!" lines are followed */
#define SCRIPT_LINE   256 /* BINPRM_BUF_SIZE, Linux 5.1 */

/* 0, or why exec would refuse the file PATH: -ENOENT, -EACCES ... */
static int is_program(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

/* Finds NAME as execvp(3) does. Writes its path into BUF (PATH_MAX bytes). 0, or the error that
 * execvp(3) would give; BUF is then NAME. */
static int find_program(const char *name, char *buf)
{
    bool is_path = strchr(name, '/') != NULL;
    int error = -ENOENT;
    char found[PATH_MAX];
    int n = snprintf(buf, PATH_MAX, "%s", name);
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    if (is_path || n == 0)
        return is_path ? is_program(buf) : error;

    const char *path = getenv("PATH");
    char standard[256];
    if (path == NULL) {
        size_t len = confstr(_CS_PATH, standard, sizeof(standard));
        path = len > 0 && len <= sizeof(standard) ? standard : "/bin:/usr/bin";
    }
    for (;;) {
        size_t len = strcspn(path, ":");
        n = snprintf(found, PATH_MAX, "%.*s%s%s", (int)len, path, len > 0 ? "/" : "./", name);
        int r = n > 0 && n < PATH_MAX ? is_program(found) : -ENAMETOOLONG;
        if (r == 0) {
            memcpy(buf, found, (size_t)n + 1);
            return 0;
        }
        if (r == -EACCES) /* is told if no other is found */
            error = r;
        if (path[len] == '\0')
            return error;
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
 * program that runs it. 0, or why that cannot be; *RET_IS_EXEC: env(1) executes it anew. */
static int find_interpreter(char *path, bool *ret_is_exec)
{
    char line[SCRIPT_LINE + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t got = pread(fd, line, SCRIPT_LINE, 0);
    close(fd);
    if (got < 0)
        return -errno;
    line[got] = '\0';
    *ret_is_exec = true;
    if (strncmp(line, "#!", 2) != 0)
        return find_program("/bin/sh", path); /* execvp(3) hands such files to the shell */

    char *rest = line + 2;
    rest[strcspn(rest, "\n")] = '\0';
    const char *interpreter = next_word(&rest);
    if (interpreter == NULL)
        return -ENOEXEC;
    const char *slash = strrchr(interpreter, '/');
    if (strcmp(slash != NULL ? slash + 1 : interpreter, "env") == 0) {
        const char *behind = behind_env(rest);
        if (behind != NULL && is_program(interpreter) == 0)
            return find_program(behind, path);
    }
    *ret_is_exec = false;
    (void)snprintf(path, PATH_MAX, "%s", interpreter);
    return is_program(path);
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
    struct statvfs fs;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || /* the bits then count for nothing */
        (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0))
        return NULL;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
        return "is set-uid to another user";
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
        return "is set-gid to another group";
    if (getuid() != 0 && has_capabilities(path))
        return "has file capabilities";
    return NULL;
}

/* What speaks against putting LIBRARY into PROGRAM; REASON (SIZE bytes) gets it in words. */
static enum tmo_obstacle find_obstacle(const struct tmo_elf *program, const struct tmo_elf *library,
                                       char *reason, size_t size)
{
    static const char not_loaded[] = "the library cannot be loaded into it";

    if (!tmo_cli_elf_same_machine(program, library)) {
        snprintf(reason, size, "is built for another kind of machine than the library: %s",
                 not_loaded);
        return TMO_OBSTACLE_MACHINE;
    }
    if (program->bits_class != library->bits_class) {
        bool wide = program->bits_class == ELFCLASS64;
        snprintf(reason, size, "is a %d-bit program and the library is for %d bits: %s",
                 wide ? 64 : 32, wide ? 32 : 64, not_loaded);
        return TMO_OBSTACLE_CLASS;
    }
    /* With a name for other files to link with, it is the dynamic loader run as a program. */
    if (!program->has_loader && !program->has_soname) {
        snprintf(reason, size, "is %s: %s",
                 program->is_go ? "a Go program, statically linked" : "statically linked",
                 not_loaded);
        return TMO_OBSTACLE_STATIC;
    }
    if (program->loader != TMO_LIBC_UNKNOWN && library->needs != TMO_LIBC_UNKNOWN &&
        program->loader != library->needs) {
        snprintf(reason, size, "uses the C library %s and the library is for %s: %s",
                 tmo_cli_elf_libc(program->loader), tmo_cli_elf_libc(library->needs), not_loaded);
        return TMO_OBSTACLE_LIBC;
    }
    if (program->is_go) {
        snprintf(reason, size, "is a Go program: it makes its system calls past the C library");
        return TMO_OBSTACLE_GO;
    }
    return TMO_OBSTACLE_NONE;
}

/* The same of what PROGRAM, in the file PATH, imports. */
static enum tmo_obstacle find_passage(const char *path, char *reason, size_t size)
{
    static struct tmo_imports imports;
    if (tmo_cli_imports_read(path, &imports) < 0 || !tmo_cli_imports_rings_alone(&imports))
        return TMO_OBSTACLE_NONE;
    snprintf(reason, size, "does by io_uring all that its sockets could wait for: that is no call");
    return TMO_OBSTACLE_RINGS;
}

/* Judges the file RET->path. Returns -ENOEXEC if it is no ELF file, else 0. */
static int judge(const struct tmo_elf *library, struct tmo_preflight *ret)
{
    int r = tmo_cli_elf_read_path(ret->path, &ret->elf);
    if (r == -ENOEXEC)
        return r;

    ret->secure = secure_reason(ret->path); /* needs no right to read the file */
    if (r == 0)
        ret->obstacle = find_obstacle(&ret->elf, library, ret->reason, sizeof(ret->reason));
    if (r == 0 && ret->obstacle == TMO_OBSTACLE_NONE)
        ret->obstacle = find_passage(ret->path, ret->reason, sizeof(ret->reason));
    if (ret->obstacle != TMO_OBSTACLE_NONE) {
        ret->reach = TMO_REACH_NO;
    } else if (ret->secure != NULL) {
        ret->reach = TMO_REACH_NO;
        snprintf(ret->reason, sizeof(ret->reason),
                 "%s: the dynamic loader ignores LD_PRELOAD there", ret->secure);
    } else if (r == -EBADMSG) {
        ret->reach = TMO_REACH_UNKNOWN;
        snprintf(ret->reason, sizeof(ret->reason), "is an ELF file that is damaged or no program");
    } else if (r < 0) {
        ret->reach = TMO_REACH_UNKNOWN;
        snprintf(ret->reason, sizeof(ret->reason),
                 "cannot be read (%s): whether the library gets into it is not known",
                 strerror(-r));
    }
    if (r == -EBADMSG)
        ret->error = -ENOEXEC;
    return 0;
}

int tmo_cli_preflight_file(const char *path, const struct tmo_elf *library,
                           struct tmo_preflight *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (snprintf(ret->path, sizeof(ret->path), "%s", path) >= PATH_MAX)
        return -ENOEXEC;
    return judge(library, ret);
}

void tmo_cli_preflight(const char *program, const struct tmo_elf *library,
                       struct tmo_preflight *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->error = find_program(program, ret->path);
    for (unsigned level = 0; ret->error == 0 && judge(library, ret) == -ENOEXEC;) {
        char *script = strdup(ret->path);
        bool is_exec = false;
        if (script == NULL || ret->scripts_count == TMO_SCRIPTS_MAX || level == SCRIPT_LEVELS) {
            free(script);
            ret->error = script != NULL ? -ELOOP : -ENOMEM;
            return;
        }
        ret->scripts[ret->scripts_count++] = script;
        ret->interpreter = true;
        ret->error = find_interpreter(ret->path, &is_exec);
        level = is_exec ? 0 : level + 1;
    }
    if (ret->error == 0 && ret->elf.has_loader &&
        strlen(ret->elf.loader_path) < sizeof(ret->elf.loader_path) - 1 &&
        access(ret->elf.loader_path, F_OK) < 0) {
        ret->error = -errno;
        ret->lacks_loader = true;
    }
}
