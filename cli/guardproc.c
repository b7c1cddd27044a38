/* SPDX-License-Identifier: MIT
 * What the kernel says of one process. See guardproc.h.
 */
#include "cli/guardproc.h"
#include "cli/elf.h"
#include "cli/library.h"
#include "shim/sys/libc.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Of older headers, the same on all machines; more are in libc.h. include/uapi/asm-generic/unistd.h
 */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define PATH_TEXT 64 /* "/proc/PID/task/TID/children" */

int tmo_guard_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int tmo_guard_pidfd_getfd(int pidfd, int fd)
{
    long copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    return copy < 0 ? -errno : (int)copy;
}

int tmo_guard_pidfd_kill(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

bool tmo_guard_pidfd_ended(int pidfd)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, 0) > 0 && (poller.revents & POLLIN) != 0;
}

int64_t tmo_guard_ran_ns(pid_t pid)
{
    /* clock_getcpuclockid(3) makes the same number, and a system call more to try it.
     * (include/linux/posix-timers.h, CPUCLOCK_SCHED) */
    enum { CPUCLOCK_SCHED = 2 };
    clockid_t clock = (clockid_t)(~(unsigned)pid << 3 | CPUCLOCK_SCHED);
    struct timespec ran;
    if (clock_gettime(clock, &ran) != 0)
        return -1;
    return (int64_t)ran.tv_sec * 1000000000 + ran.tv_nsec;
}

/* --- files of /proc -------------------------------------------------------------------------- */

static int open_of(pid_t pid, const char *name)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Reads as much of FD as goes into BUF, and closes it. */
static ssize_t read_and_close(int fd, void *buf, size_t size)
{
    size_t len = 0;
    ssize_t n = fd;
    while (fd >= 0 && len < size && (n = read(fd, (char *)buf + len, size - len)) > 0)
        len += (size_t)n;
    if (fd >= 0)
        close(fd);
    return fd < 0 || (n < 0 && len == 0) ? -1 : (ssize_t)len;
}

int tmo_guard_stat(pid_t pid, char *ret_state, pid_t *ret_parent)
{
    char text[512];
    int fd = open_of(pid, "stat");
    if (fd < 0)
        return fd;
    ssize_t len = read_and_close(fd, text, sizeof(text) - 1);
    if (len <= 0)
        return -ESRCH;
    text[len] = '\0';
    const char *behind = strrchr(text, ')'); /* a name may hold anything */
    if (behind == NULL || behind[1] != ' ' || behind[2] == '\0')
        return -EINVAL;
    *ret_state = behind[2];
    *ret_parent = (pid_t)strtol(behind + 3, NULL, 10);
    return 0;
}

/* --- program --------------------------------------------------------------------------------- */

static void take_basename(const char *path, char *program, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(program, size, "%s", slash != NULL ? slash + 1 : path);
}

/* The text at ADDRESS in PID. */
static bool read_text(pid_t pid, uint64_t address, char *buf, size_t size)
{
    struct iovec here = {buf, size - 1};
    ssize_t len = -1;
    if (address == (uintptr_t)address) {
        struct iovec there = {(void *)(uintptr_t)address, size - 1};
        len = process_vm_readv(pid, &here, 1, &there, 1, 0);
        size_t to_page = 4096 - (address & 4095);
        if (len < 0 && to_page < size) { /* all or nothing: what follows may not be there */
            there.iov_len = here.iov_len = to_page;
            len = process_vm_readv(pid, &here, 1, &there, 1, 0);
        }
    }
    if (len <= 0)
        return false;
    buf[len] = '\0';
    return buf[0] != '\0';
}

/* Where AT_EXECFN of an auxiliary vector leads; 0: it has none. WORD: bytes of a number in it. */
static uint64_t execfn_of(const unsigned char *auxv, size_t len, size_t word)
{
    for (size_t at = 0; at + 2 * word <= len; at += 2 * word) {
        uint64_t key = 0, value = 0;
        uint32_t half[2];
        if (word == 8) {
            memcpy(&key, auxv + at, 8);
            memcpy(&value, auxv + at + 8, 8);
        } else {
            memcpy(half, auxv + at, sizeof(half));
            key = half[0];
            value = half[1];
        }
        if (key == AT_NULL)
            break;
        if (key == AT_EXECFN)
            return value;
    }
    return 0;
}

uint64_t tmo_guard_executed(pid_t pid, char *program, size_t size)
{
    unsigned char auxv[1024];
    char path[1024];
    program[0] = '\0';
    ssize_t len = read_and_close(open_of(pid, "auxv"), auxv, sizeof(auxv));
    if (len > 0) {
        uint64_t at = execfn_of(auxv, (size_t)len, 8);
        if (at == 0)
            at = execfn_of(auxv, (size_t)len, 4);
        if (at != 0 && read_text(pid, at, path, sizeof(path)))
            take_basename(path, program, size);
    }
    if (program[0] == '\0') { /* cut at 15 letters, and the program may have changed it */
        ssize_t n = read_and_close(open_of(pid, "comm"), program, size - 1);
        program[n > 0 ? n - (program[n - 1] == '\n') : 0] = '\0';
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, by its authors' numbers */
    for (ssize_t i = 0; i < len; i++)
        hash = (hash ^ auxv[i]) * UINT64_C(0x100000001b3);
    return len <= 0 ? 0 : hash | 1;
}

/* --- the library ----------------------------------------------------------------------------- */

/* Whether one of the NEEDLES (ended by NULL) is in the file NAME of PID. */
static bool file_has(pid_t pid, const char *name, const char *needle)
{
    char text[8192];
    size_t kept = 0, len = strlen(needle);
    bool found = false;
    int fd = open_of(pid, name);
    if (fd < 0)
        return false;
    for (ssize_t n; !found && (n = read(fd, text + kept, sizeof(text) - kept)) > 0;) {
        size_t have = kept + (size_t)n;
        found = memmem(text, have, needle, len) != NULL;
        kept = have < len ? have : len - 1; /* it may lie across two pieces */
        memmove(text, text + have - kept, kept);
    }
    close(fd);
    return found;
}

bool tmo_guard_has_library(pid_t pid, bool file)
{
    struct tmo_elf elf;
    char path[PATH_TEXT];
    if (!file_has(pid, "maps", "/" TMO_LIBRARY_NAME))
        return false;
    if (!file && !file_has(pid, "environ", "SOCKTMO_"))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    return tmo_cli_elf_read_path(path, &elf) != 0 || !elf.is_go;
}

/* --- lists ----------------------------------------------------------------------------------- */

static DIR *open_list(pid_t pid, const char *name)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return opendir(path);
}

/* Whether the io_uring that PID has as the descriptor FD has polled requests under way. Those for
 * files are none. (io_uring/fdinfo.c, PollList, one line each; since Linux 5.7) */
static bool ring_waits(pid_t pid, const char *fd)
{
    char name[32];
    snprintf(name, sizeof(name), "fdinfo/%.12s", fd);
    return file_has(pid, name, "PollList:\n  op=");
}

int tmo_guard_sockets(pid_t pid, void (*visit)(void *ctx, int fd, uint64_t inode), void *ctx,
                      bool *ret_rings)
{
    static const char is_socket[] = "socket:[", is_ring[] = "anon_inode:[io_uring]";
    DIR *list = open_list(pid, "fd");
    if (list == NULL)
        return -errno;
    int r = 0;
    *ret_rings = false;
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char link[48];
        if (entry->d_name[0] == '.')
            continue;
        ssize_t len = readlinkat(dirfd(list), entry->d_name, link, sizeof(link) - 1);
        if (len < 0 && (errno == EACCES || errno == EPERM))
            r = -errno;
        if (len <= (ssize_t)sizeof(is_socket))
            continue;
        link[len] = '\0';
        if (strcmp(link, is_ring) == 0 && !*ret_rings)
            *ret_rings = ring_waits(pid, entry->d_name);
        if (strncmp(link, is_socket, sizeof(is_socket) - 1) == 0)
            visit(ctx, (int)strtol(entry->d_name, NULL, 10),
                  strtoull(link + sizeof(is_socket) - 1, NULL, 10));
    }
    closedir(list);
    return r;
}

void tmo_guard_children_read(int fd, void (*visit)(void *ctx, pid_t child), void *ctx)
{
    char text[4096];
    size_t kept = 0;
    off_t from = 0;
    for (ssize_t n; (n = pread(fd, text + kept, sizeof(text) - 1 - kept, from)) > 0; from += n) {
        char *at = text, *end;
        text[kept + (size_t)n] = '\0';
        for (; (end = strchr(at, ' ')) != NULL; at = end + 1)
            visit(ctx, (pid_t)strtol(at, NULL, 10));
        kept = strlen(at);
        memmove(text, at, kept);
    }
}

static int open_children(pid_t pid, const char *tid)
{
    char name[40];
    snprintf(name, sizeof(name), "task/%.20s/children", tid);
    return open_of(pid, name);
}

int tmo_guard_children_open(pid_t pid)
{
    char tid[16];
    snprintf(tid, sizeof(tid), "%d", (int)pid);
    return open_children(pid, tid);
}

int tmo_guard_children(pid_t pid, void (*visit)(void *ctx, pid_t child), void *ctx)
{
    DIR *threads = open_list(pid, "task");
    int r = -ENOENT;
    if (threads == NULL)
        return r;
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        int fd = entry->d_name[0] != '.' ? open_children(pid, entry->d_name) : -1;
        if (fd < 0)
            continue;
        tmo_guard_children_read(fd, visit, ctx);
        close(fd);
        r = 0;
    }
    closedir(threads);
    return r;
}
