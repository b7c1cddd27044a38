/* SPDX-License-Identifier: MIT
 * A running process. See process.h. Formats: proc_pid_stat(5), proc_pid_maps(5), getauxval(3).
 */
#include "cli/process.h"
#include "cli/library.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char deleted[] = " (deleted)";

/* Writes "/proc/PID/NAME" into BUF (PATH_MAX bytes). */
static void proc_path(const struct tmo_process *p, const char *name, char *buf)
{
    snprintf(buf, PATH_MAX, "/proc/%d/%s", (int)p->pid, name);
}

/* Reads a whole file of /proc. For free(3), with a NUL behind it; NULL and errno. */
static char *read_proc(const struct tmo_process *p, const char *name, size_t *ret_len)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 0, room = 0;
    proc_path(p, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    for (ssize_t got = 1; got > 0;) {
        if (room - len < 2) {
            room = room > 0 ? 2 * room : 4096;
            char *more = realloc(text, room);
            if (more == NULL)
                break;
            text = more;
        }
        got = read(fd, text + len, room - len - 1);
        if (got > 0)
            len += (size_t)got;
        if (got < 0) {
            int error = errno;
            free(text);
            close(fd);
            errno = error;
            return NULL;
        }
    }
    close(fd);
    if (text != NULL)
        text[len] = '\0';
    *ret_len = len;
    return text;
}

/* --- who it is ------------------------------------------------------------------------------- */

static int64_t ms_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* Its state, whether it is a thread of the kernel, and when it started: fields 3, 9 and 22 of the
 * line, behind a name that may hold anything. 0: it cannot be read. */
static char read_stat(struct tmo_process *p, bool *ret_kernel)
{
    size_t len;
    char *text = read_proc(p, "stat", &len), state = 0;
    const char *at = text != NULL ? strrchr(text, ')') : NULL;
    unsigned long long ticks = 0;
    unsigned flags = 0;
    struct timespec now, boot;
    if (at != NULL && sscanf(at + 1, " %c", &state) == 1) {
        at++;
        for (int field = 3; field < 22 && at != NULL; field++) {
            if (field == 9 && sscanf(at, " %u", &flags) == 1)
                *ret_kernel = (flags & 0x200000) != 0; /* PF_KTHREAD of linux/sched.h */
            at = strchr(at + 1, ' ');
        }
        if (at != NULL && sscanf(at, " %llu", &ticks) == 1 &&
            clock_gettime(CLOCK_REALTIME, &now) == 0 && clock_gettime(CLOCK_BOOTTIME, &boot) == 0)
            p->started_ms = ms_of(&now) - ms_of(&boot) +
                            (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    }
    free(text);
    return state;
}

static bool is_same_link(const struct tmo_process *p, const char *name)
{
    char path[PATH_MAX], own[PATH_MAX];
    struct stat one, other;
    proc_path(p, name, path);
    snprintf(own, sizeof(own), "/proc/self/%s", name);
    return stat(path, &one) == 0 && stat(own, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

bool tmo_process_is_younger(const struct tmo_process *p, const struct timespec *time)
{
    /* Both clocks are coarse. */
    return p->started_ms != 0 && ms_of(time) > p->started_ms + 20;
}

void tmo_process_path(const struct tmo_process *p, const char *path, char *buf)
{
    if (path[0] == '/')
        snprintf(buf, PATH_MAX, "%s%s", p->root, path);
    else
        snprintf(buf, PATH_MAX, "/proc/%d/cwd/%s", (int)p->pid, path);
}

/* The vector that the kernel gave it: AT_SECURE, and by AT_EXECFN, from its memory, the name. */
static void read_auxv(struct tmo_process *p, const struct tmo_elf *elf)
{
    char path[PATH_MAX], name[PATH_MAX] = "";
    size_t len, size = elf->bits_class == ELFCLASS32 ? 4 : 8;
    char *auxv = read_proc(p, "auxv", &len);
    uint64_t name_at = 0;
    for (size_t at = 0; auxv != NULL && at + 2 * size <= len; at += 2 * size) {
        uint64_t pair[2] = {0};
        if (size == 8) {
            memcpy(pair, auxv + at, sizeof(pair));
        } else {
            uint32_t narrow[2];
            memcpy(narrow, auxv + at, sizeof(narrow));
            pair[0] = narrow[0];
            pair[1] = narrow[1];
        }
        if (pair[0] == AT_SECURE)
            p->secure = pair[1] != 0;
        else if (pair[0] == AT_EXECFN)
            name_at = pair[1];
    }
    free(auxv);
    proc_path(p, "mem", path);
    int fd = name_at != 0 && name_at <= INT64_MAX ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        /* It stands at the end of the stack: what is behind it may not be there. */
        ssize_t got = pread(fd, name, sizeof(name) - 1, (off_t)name_at);
        name[got > 0 ? got : 0] = '\0';
        close(fd);
    }
    if (name[0] == '\0')
        snprintf(name, sizeof(name), "%s", p->exe);
    const char *slash = strrchr(name, '/');
    snprintf(p->program, sizeof(p->program), "%.*s", (int)sizeof(p->program) - 1,
             slash != NULL ? slash + 1 : name);
}

/* --- what it has ----------------------------------------------------------------------------- */

static bool read_environ(struct tmo_process *p)
{
    size_t len, count = 0;
    char *text = read_proc(p, "environ", &len);
    if (text == NULL)
        return false;
    for (size_t i = 0; i < len; i++)
        count += text[i] == '\0';
    p->environment = text;
    p->envp = calloc(count + 2, sizeof(*p->envp));
    if (p->envp == NULL)
        return false;
    count = 0;
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        if (text[at] != '\0')
            p->envp[count++] = text + at;
    }
    return true;
}

static bool ends_with(const char *text, size_t len, const char *tail)
{
    size_t tail_len = strlen(tail);
    return len >= tail_len && memcmp(text + len - tail_len, tail, tail_len) == 0;
}

static bool same_content(const char *one, const char *other)
{
    FILE *a = fopen(one, "re"), *b = fopen(other, "re");
    bool same = a != NULL && b != NULL;
    while (same) {
        char left[8192], right[8192];
        size_t n = fread(left, 1, sizeof(left), a), m = fread(right, 1, sizeof(right), b);
        same = n == m && memcmp(left, right, n) == 0;
        if (n == 0)
            break;
    }
    if (a != NULL)
        fclose(a);
    if (b != NULL)
        fclose(b);
    return same;
}

static enum tmo_copy compare(const struct tmo_process *p, const char *ours, bool is_deleted)
{
    char path[PATH_MAX];
    struct stat theirs, own;
    if (is_deleted)
        return TMO_COPY_DELETED;
    tmo_process_path(p, p->library, path);
    if (stat(path, &theirs) < 0 || access(path, R_OK) < 0 || stat(ours, &own) < 0)
        return TMO_COPY_UNKNOWN;
    if (theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino)
        return tmo_process_is_younger(p, &own.st_mtim) ? TMO_COPY_WRITTEN : TMO_COPY_OURS;
    return same_content(path, ours) ? TMO_COPY_SAME : TMO_COPY_ANOTHER;
}

/* Takes the path of LEN bytes at PATH: a library? ours? */
static void take_mapped(struct tmo_process *p, const char *path, size_t len, const char *ours)
{
    bool is_deleted = ends_with(path, len, deleted);
    if (is_deleted)
        len -= strlen(deleted);
    if (p->library == NULL && ends_with(path, len, "/" TMO_LIBRARY_NAME)) {
        p->library = strndup(path, len);
        if (p->library != NULL)
            p->copy = compare(p, ours, is_deleted);
        return;
    }
    const char *name = memrchr(path, '/', len);
    if (is_deleted || memmem(name, len - (size_t)(name - path), ".so", 3) == NULL)
        return;
    if (p->mapped_count > 0 && strlen(p->mapped[p->mapped_count - 1]) == len &&
        memcmp(p->mapped[p->mapped_count - 1], path, len) == 0)
        return; /* the next piece of the same */
    char **more = realloc(p->mapped, (p->mapped_count + 1) * sizeof(*more));
    if (more == NULL)
        return;
    p->mapped = more;
    p->mapped[p->mapped_count] = strndup(path, len);
    p->mapped_count += p->mapped[p->mapped_count] != NULL;
}

static bool read_maps(struct tmo_process *p, const char *ours)
{
    size_t len;
    char *text = read_proc(p, "maps", &len);
    if (text == NULL)
        return false;
    for (char *line = text; *line != '\0';) {
        size_t line_len = strcspn(line, "\n");
        const char *path = memchr(line, '/', line_len); /* no slash stands in the numbers */
        if (path != NULL)
            take_mapped(p, path, line_len - (size_t)(path - line), ours);
        line += line_len + (line[line_len] != '\0');
    }
    free(text);
    return true;
}

enum tmo_seen tmo_process_look(pid_t pid, const char *ours, struct tmo_process *ret, int *ret_error)
{
    struct tmo_process *p = ret;
    struct tmo_elf elf = {.bits_class = 0};
    char path[PATH_MAX];
    memset(p, 0, sizeof(*p));
    p->pid = pid;
    bool is_kernel = false;
    char state = read_stat(p, &is_kernel);
    if (state == 0) {
        *ret_error = errno;
        /* /proc may be mounted so that others' processes are not shown */
        bool hidden = kill(pid, 0) == 0 || errno == EPERM;
        return hidden ? TMO_SEEN_DENIED : TMO_SEEN_GONE;
    }
    if (state == 'Z' || state == 'X' || state == 'x')
        return TMO_SEEN_GONE;
    if (is_kernel)
        return TMO_SEEN_KERNEL;
    snprintf(p->exe_link, sizeof(p->exe_link), "/proc/%d/exe", (int)pid);
    ssize_t got = readlink(p->exe_link, p->exe, sizeof(p->exe) - 1);
    *ret_error = errno;
    if (got < 0)
        return *ret_error == ENOENT ? TMO_SEEN_GONE : TMO_SEEN_DENIED;
    p->exe[got] = '\0';
    if (!is_same_link(p, "root") || !is_same_link(p, "ns/mnt"))
        snprintf(p->root, sizeof(p->root), "/proc/%d/root", (int)pid);
    proc_path(p, "exe", path);
    (void)tmo_cli_elf_read_path(path, &elf);
    if (!read_environ(p) || !read_maps(p, ours)) {
        *ret_error = errno;
        return TMO_SEEN_DENIED;
    }
    read_auxv(p, &elf);
    return TMO_SEEN;
}
