/* SPDX-License-Identifier: MIT
 * What /proc says of this process. See procfs.h.
 */
#include "shim/sys/procfs.h"

#include <string.h>

#define PATH_TEXT 48

/* Writes BEFORE, NUMBER and BEHIND into BUF (PATH_TEXT bytes). */
static const char *path_of(char *buf, const char *before, int number, const char *behind)
{
    char digits[12];
    size_t count = 0, at = strlen(before);
    memcpy(buf, before, at);
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        buf[at++] = digits[--count];
    memcpy(buf + at, behind, strlen(behind) + 1);
    return buf;
}

static int open_to_read(const char *path, int more)
{
    return (int)TMO_RAW3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | more);
}

/* Reads what fits of the file PATH into BUF, with a NUL. Returns the length or -errno. */
static long read_file(const char *path, char *buf, size_t size)
{
    int fd = open_to_read(path, 0);
    if (fd < 0)
        return fd;
    long got = TMO_RAW3(SYS_read, fd, buf, size - 1);
    (void)tmo_raw_close(fd);
    buf[got > 0 ? got : 0] = '\0';
    return got;
}

/* --- folders of numbers ---------------------------------------------------------------------- */

/* As getdents64(2) writes them. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* -1: it is no number. */
static int number_of(const char *name)
{
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return *name == '\0' ? number : -1;
}

static int each(const char *path, void (*visit)(int number, void *ctx), void *ctx)
{
    _Alignas(8) char buf[2048] = {0}; /* or the analyzer takes it as never written */
    int folder = open_to_read(path, O_DIRECTORY);
    long got = folder;
    while (folder >= 0 && (got = TMO_RAW3(SYS_getdents64, folder, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < got;) {
            const struct entry *e = (const struct entry *)(const void *)(buf + at);
            int number = number_of(e->name);
            if (number >= 0)
                visit(number, ctx);
            at += e->size;
        }
    }
    if (folder >= 0)
        (void)tmo_raw_close(folder);
    return got < 0 ? (int)got : 0;
}

int tmo_proc_threads(void (*visit)(int tid, void *ctx), void *ctx)
{
    return each("/proc/self/task", visit, ctx);
}

int tmo_proc_descriptors(void (*visit)(int fd, void *ctx), void *ctx)
{
    return each("/proc/self/fd", visit, ctx);
}

/* --- threads --------------------------------------------------------------------------------- */

static const char *read_hex(const char *at, unsigned long *ret)
{
    *ret = 0;
    if (at[0] == '0' && at[1] == 'x')
        at += 2;
    for (;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a' + 10)
                                                    : 16;
        if (digit == 16)
            return at;
        *ret = *ret << 4 | digit;
    }
}

int tmo_proc_call(int tid, struct tmo_proc_call *ret)
{
    char path[PATH_TEXT], text[256];
    long got = read_file(path_of(path, "/proc/self/task/", tid, "/syscall"), text, sizeof(text));
    if (got < 0)
        return (int)got;
    const char *at = text; /* "running", "-1 SP PC", or "0 0x3 ... SP PC" (fs/proc/base.c) */
    if (*at < '0' || *at > '9')
        return -EAGAIN;
    for (ret->nr = 0; *at >= '0' && *at <= '9'; at++)
        ret->nr = ret->nr * 10 + (*at - '0');
    for (int i = 0; i < 6; i++) {
        if (*at != ' ')
            return -EAGAIN;
        at = read_hex(at + 1, &ret->args[i]);
    }
    return 0;
}

bool tmo_proc_has_left(void)
{
    char folder[8]; /* it is in none any more */
    return TMO_RAW4(SYS_readlinkat, AT_FDCWD, "/proc/self/cwd", folder, sizeof(folder)) == -ENOENT;
}

/* --- descriptors ----------------------------------------------------------------------------- */

enum tmo_proc_kind tmo_proc_kind(int fd, uint64_t *ret_inode)
{
    static const char socket[] = "socket:[";
    char path[PATH_TEXT], text[64];
    (void)path_of(path, "/proc/self/fd/", fd, "");
    long len = TMO_RAW4(SYS_readlinkat, AT_FDCWD, path, text, sizeof(text) - 1);
    if (len <= 0)
        return TMO_PROC_OTHER;
    text[len] = '\0';
    if (strcmp(text, "anon_inode:[eventpoll]") == 0)
        return TMO_PROC_EPOLL;
    if (strcmp(text, "anon_inode:[io_uring]") == 0)
        return TMO_PROC_RING;
    if (strncmp(text, socket, sizeof(socket) - 1) != 0)
        return TMO_PROC_OTHER;
    *ret_inode = 0;
    for (const char *at = text + sizeof(socket) - 1; *at >= '0' && *at <= '9'; at++)
        *ret_inode = *ret_inode * 10 + (uint64_t)(*at - '0');
    return TMO_PROC_SOCKET;
}

/* Reads the file of an epoll set word by word: "tfd: 5 events: 19 data: ...". Its other lines have
 * no blanks. */
struct reader {
    int word; /* of the line */
    uint32_t number;
    int fd; /* of the line, or -1 */
    void (*visit)(int fd, uint32_t events, void *ctx);
    void *ctx;
};

static void end_word(struct reader *r)
{
    if (r->word == 1)
        r->fd = (int)r->number;
    if (r->word == 3 && r->fd >= 0) {
        r->visit(r->fd, r->number, r->ctx);
        r->fd = -1;
    }
    r->word++;
    r->number = 0;
}

static void take(struct reader *r, char c)
{
    if (c == '\n') {
        r->word = 0;
        r->number = 0;
        r->fd = -1;
    } else if (c >= '0' && c <= '9') {
        r->number = r->number * (r->word == 1 ? 10 : 16) + (uint32_t)(c - '0');
    } else if (c >= 'a' && c <= 'f' && r->word == 3) {
        r->number = r->number * 16 + (uint32_t)(c - 'a' + 10);
    }
}

int tmo_proc_epoll(int set, void (*visit)(int fd, uint32_t events, void *ctx), void *ctx)
{
    char path[PATH_TEXT], text[256] = "";
    struct reader r = {.fd = -1, .visit = visit, .ctx = ctx};
    int file = open_to_read(path_of(path, "/proc/self/fdinfo/", set, ""), 0);
    if (file < 0)
        return file;
    char last = ' ';
    for (long got; (got = TMO_RAW3(SYS_read, file, text, sizeof(text))) > 0;) {
        for (long i = 0; i < got; i++) {
            if (text[i] == ' ' && last != ' ')
                end_word(&r);
            take(&r, text[i]);
            last = text[i];
        }
    }
    (void)tmo_raw_close(file);
    return 0;
}

bool tmo_proc_ring_waits(int ring)
{
    static const char wanted[] = "PollList:\n  op=";
    char path[PATH_TEXT], text[256] = "";
    size_t at = 0; /* so much of it is there */
    int file = open_to_read(path_of(path, "/proc/self/fdinfo/", ring, ""), 0);
    if (file < 0)
        return false;
    for (long got;
         wanted[at] != '\0' && (got = TMO_RAW3(SYS_read, file, text, sizeof(text))) > 0;) {
        for (long i = 0; i < got && wanted[at] != '\0'; i++)
            at = text[i] == wanted[at] ? at + 1 : text[i] == wanted[0] ? 1 : 0;
    }
    (void)tmo_raw_close(file);
    return wanted[at] == '\0';
}
