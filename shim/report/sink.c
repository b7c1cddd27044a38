/* SPDX-License-Identifier: MIT
 * Where lines go. See sink.h.
 *
 * A descriptor's number is no proof of what it is: programs close all they can name and open
 * others. So before each write the kernel is asked what the number is now (one statx(2) by number),
 * and nothing is ever written into anything else. In a thread with a table of its own (borrow.h)
 * the number is the program's yet, and what is opened is not kept.
 */
#include "shim/report/sink.h"
#include "shim/report/logfile.h"
#include "shim/report/put.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

/* The highest number that a file of ours is moved to, however high the limit is: the kernel's table
 * of descriptors, which fork(2) copies, grows to what is in use (8 bytes each). */
#define TOP_MAX 4096

/* With fewer descriptors than that the program needs each of them: none is held. */
#define TOP_MIN 64

#define FACILITY "<29>" /* daemon.notice, RFC 3164 */
#define TAG_MAX  48     /* of a program's name in front of a syslog message */

/* --- what is what ---------------------------------------------------------------------------- */

static bool is_same(const struct tmo_sink *sink, const struct tmo_statx *is)
{
    return __atomic_load_n(&sink->ino, __ATOMIC_RELAXED) == is->ino &&
           __atomic_load_n(&sink->dev, __ATOMIC_RELAXED) == tmo_statx_device(is);
}

/* Whether FD still is what the sink opened; *RET_IS then says what. */
static bool is_ours(const struct tmo_sink *sink, int fd, struct tmo_statx *ret_is)
{
    return fd >= 0 && tmo_statx_fd(fd, ret_is) == 0 && is_same(sink, ret_is);
}

static void publish(struct tmo_sink *sink, int fd, const struct tmo_statx *is)
{
    __atomic_store_n(&sink->dev, tmo_statx_device(is), __ATOMIC_RELAXED);
    __atomic_store_n(&sink->ino, is->ino, __ATOMIC_RELAXED);
    __atomic_store_n(&sink->fd, fd, __ATOMIC_RELEASE);
}

/* The line must be whole or not be there: one that could not be finished is ended before the next.
 */
static int put(struct tmo_sink *sink, int fd, const struct tmo_statx *is, const char *line,
               size_t len)
{
    struct iovec parts[2] = {{(char[]){'\n'}, 1}, {(char *)(uintptr_t)line, len}};
    bool torn = __atomic_exchange_n(&sink->torn, 0, __ATOMIC_RELAXED) != 0;
    struct tmo_put p = {.fd = fd,
                        .own = sink->kind == TMO_SINK_FILE,
                        .limited = sink->limited,
                        .parts = parts + !torn,
                        .count = 1 + torn};
    long r = tmo_put(&p, is);
    if (r == (long)len + torn)
        return 0;
    if (torn || r > 0) /* an empty line more than is needed does no harm */
        __atomic_store_n(&sink->torn, 1, __ATOMIC_RELAXED);
    return r < 0 ? (int)r : -EIO;
}

/* --- a file ---------------------------------------------------------------------------------- */

/* A copy of FD with the highest number that is free, or near it; -1 if there is none. */
static int copy_to_top(int fd)
{
    struct rlimit limit = {TOP_MAX, TOP_MAX};
    (void)TMO_RAW4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
    long top = limit.rlim_cur < TOP_MAX ? (long)limit.rlim_cur : TOP_MAX;
    if (top < TOP_MIN)
        return -1;
    for (long below = 1; below <= 32; below *= 2) {
        long copy = TMO_RAW3(TMO_SYS_fcntl, fd, F_DUPFD_CLOEXEC, top - below);
        if (copy >= 0)
            return (int)copy;
    }
    return -1;
}

/* Only one thread at a time changes what the sink holds open; who comes second does without, so
 * that nobody ever waits. A process that was forked meanwhile takes the place over. */
static bool hold(struct tmo_sink *sink)
{
    int32_t holder = 0, me = tmo_raw_getpid();
    if (__atomic_compare_exchange_n(&sink->keeper, &holder, me, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return true;
    return holder != me && __atomic_compare_exchange_n(&sink->keeper, &holder, me, false,
                                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void let_go(struct tmo_sink *sink)
{
    __atomic_store_n(&sink->keeper, 0, __ATOMIC_RELEASE);
}

/* Keeps FD open for the records that come, under a number at the top, if one is free. An older one
 * is replaced under its number, which so is never free for others in between. */
static __attribute__((noinline)) void keep(struct tmo_sink *sink, int fd,
                                           const struct tmo_statx *is)
{
    if (hold(sink)) {
        struct tmo_statx was;
        int old = __atomic_load_n(&sink->fd, __ATOMIC_ACQUIRE);
        int kept = -1;
        bool replace = is_ours(sink, old, &was);
        __atomic_store_n(&sink->fd, -1, __ATOMIC_RELEASE);
        if (replace)
            kept = (int)TMO_RAW3(SYS_dup3, fd, old, O_CLOEXEC);
        if (kept < 0)
            kept = copy_to_top(fd);
        publish(sink, kept, is);
        let_go(sink);
    }
    (void)tmo_raw_close(fd);
}

static uint32_t now_s(void)
{
    return (uint32_t)(tmo_clock_coarse_ns() / 1000000000) + 1;
}

/* Whether the file IS, which is open, no longer has the sink's name: it was removed, or renamed as
 * log rotation does it. The name is looked at once a second at most. */
static __attribute__((noinline)) bool has_moved(struct tmo_sink *sink, const struct tmo_statx *is)
{
    uint32_t now = now_s();
    struct tmo_statx named;
    if (is->nlink == 0)
        return true;
    if (__atomic_exchange_n(&sink->looked_s, now, __ATOMIC_RELAXED) == now)
        return false;
    return tmo_statx_path(sink->path, 0, &named) < 0 || named.ino != is->ino ||
           tmo_statx_device(&named) != tmo_statx_device(is);
}

/* Opens the file and writes there, and keeps it open. Apart from write_file(), so that the common
 * way does not need its stack. */
static __attribute__((noinline)) int write_anew(struct tmo_sink *sink, const char *line, size_t len)
{
    struct tmo_statx fresh;
    int fd = tmo_logfile_open(sink->path, &fresh);
    if (fd < 0)
        return fd;
    __atomic_store_n(&sink->looked_s, now_s(), __ATOMIC_RELAXED);
    if (!is_same(sink, &fresh))
        __atomic_store_n(&sink->torn, 0, __ATOMIC_RELAXED);
    int r = put(sink, fd, &fresh, line, len);
    if (tmo_borrow_pidfd_1 == 0)
        keep(sink, fd, &fresh);
    else
        (void)tmo_raw_close(fd);
    return r;
}

/* Each kind apart, so that a write needs the stack of its own kind only: it may be made in a
 * handler, on a small one. */
static __attribute__((noinline)) int write_file(struct tmo_sink *sink, const char *line, size_t len)
{
    struct tmo_statx is;
    int kept = tmo_borrow(__atomic_load_n(&sink->fd, __ATOMIC_ACQUIRE)), r;
    if (!is_ours(sink, kept, &is)) {
        r = write_anew(sink, line, len);
    } else if (!has_moved(sink, &is)) {
        r = put(sink, kept, &is, line, len);
    } else {
        uint64_t ino = is.nlink > 0 ? is.ino : 0;
        r = write_anew(sink, line, len);
        if (r < 0 && is_ours(sink, kept, &is) && is.ino == ino)
            r = put(sink, kept, &is, line, len); /* better into what was renamed than nowhere */
    }
    tmo_borrow_end(kept);
    return r;
}

/* --- datagrams ------------------------------------------------------------------------------- */

static __attribute__((noinline)) int send_parts(const char *path, struct iovec *parts, size_t count)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = sizeof(to),
                       .msg_iov = parts,
                       .msg_iovlen = (__typeof__(m.msg_iovlen))count};
    memcpy(to.sun_path, path, strnlen(path, sizeof(to.sun_path) - 1));
    long fd = TMO_RAW3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return (int)fd;
    long r = TMO_RAW3(SYS_sendmsg, fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)tmo_raw_close((int)fd);
    return r < 0 ? (int)r : 0;
}

static __attribute__((noinline)) int write_syslog(const struct tmo_sink *sink, const char *line,
                                                  size_t len)
{
    char head[sizeof(FACILITY) + TAG_MAX + 16], digits[10];
    size_t at = sizeof(FACILITY) - 1, count = 0;
    pid_t pid = tmo_raw_getpid();
    memcpy(head, FACILITY, at);
    for (size_t i = 0; i < TAG_MAX && sink->program[i] != '\0'; i++) {
        char c = sink->program[i]; /* a tag ends at a blank, '[' or ':' */
        head[at++] = c > ' ' && c < 0x7f && c != '[' && c != ':' ? c : '_';
    }
    head[at++] = '[';
    do {
        digits[count++] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    while (count > 0)
        head[at++] = digits[--count];
    memcpy(head + at, "]: ", 3);
    struct iovec parts[2] = {{head, at + 3}, {(char *)(uintptr_t)line, len - 1}};
    return send_parts(sink->path, parts, 2);
}

/* --- all of them ----------------------------------------------------------------------------- */

static __attribute__((noinline)) int write_fd(struct tmo_sink *sink, const char *line, size_t len)
{
    struct tmo_statx is;
    int fd = tmo_borrow(sink->fd);
    int r = is_ours(sink, fd, &is) ? put(sink, fd, &is, line, len) : -EBADF;
    tmo_borrow_end(fd);
    return r;
}

static int write_any(struct tmo_sink *sink, const char *line, size_t len)
{
    switch (sink->kind) {
    case TMO_SINK_FD:
        return write_fd(sink, line, len);
    case TMO_SINK_FILE:
        return write_file(sink, line, len);
    case TMO_SINK_UNIX:
        return send_parts(sink->path, &(struct iovec){(char *)(uintptr_t)line, len}, 1);
    case TMO_SINK_SYSLOG:
        return write_syslog(sink, line, len);
    default:
        return 0;
    }
}

#define FULL_MAX_MS 64

static uint32_t now_ms(void)
{
    return (uint32_t)(tmo_clock_coarse_ns() / 1000000);
}

bool tmo_sink_is_full(const struct tmo_sink *sink)
{
    uint32_t until_ms = __atomic_load_n(&sink->full_ms, __ATOMIC_RELAXED);
    /* Not just a sign: a time of long ago is in the future again when 32 bits have gone round. */
    return until_ms != 0 && until_ms - now_ms() - 1 <= FULL_MAX_MS;
}

/* Two threads at once leave it alone for twice as long, or half. */
static void is_full(struct tmo_sink *sink)
{
    uint32_t for_ms = __atomic_load_n(&sink->full_for_ms, __ATOMIC_RELAXED) * 2;
    for_ms = for_ms == 0 ? 1 : for_ms < FULL_MAX_MS ? for_ms : FULL_MAX_MS;
    __atomic_store_n(&sink->full_for_ms, for_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&sink->full_ms, (now_ms() + for_ms) | 1, __ATOMIC_RELAXED);
}

int tmo_sink_write(struct tmo_sink *sink, const char *line, size_t len)
{
    int r = write_any(sink, line, len);
    if (r < 0)
        tmo_sink_give_lost(sink, 1);
    if (r == -EAGAIN)
        is_full(sink);
    else if (__atomic_load_n(&sink->full_for_ms, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&sink->full_for_ms, 0, __ATOMIC_RELAXED);
    return r;
}

uint64_t tmo_sink_take_lost(struct tmo_sink *sink)
{
    if (__atomic_load_n(&sink->lost, __ATOMIC_RELAXED) == 0)
        return 0;
    return __atomic_exchange_n(&sink->lost, 0, __ATOMIC_RELAXED);
}

void tmo_sink_give_lost(struct tmo_sink *sink, uint64_t lost)
{
    __atomic_fetch_add(&sink->lost, (uint32_t)lost, __ATOMIC_RELAXED);
}

bool tmo_sink_owns(const struct tmo_sink *sink, int fd)
{
    struct tmo_statx is;
    return sink->kind == TMO_SINK_FILE && fd >= 0 &&
           __atomic_load_n(&sink->fd, __ATOMIC_ACQUIRE) == fd && is_ours(sink, fd, &is);
}

void tmo_sink_move(struct tmo_sink *sink)
{
    struct tmo_statx is;
    if (sink->kind != TMO_SINK_FILE)
        return;
    bool held = hold(sink);
    int fd = __atomic_exchange_n(&sink->fd, -1, __ATOMIC_ACQ_REL);
    if (is_ours(sink, fd, &is)) {
        int moved = held ? copy_to_top(fd) : -1;
        (void)tmo_raw_close(fd);
        if (moved >= 0)
            publish(sink, moved, &is);
    }
    if (held)
        let_go(sink);
}

/* --- start ----------------------------------------------------------------------------------- */

/* The number that TEXT is, or -1. */
static int parse_number(const char *text)
{
    int n = 0;
    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || n > 100000000)
            return -1;
        n = n * 10 + (*text - '0');
    }
    return n;
}

/* The descriptor that TEXT names, or -1. As file names, too: opened anew, the program's output and
 * ours would have two positions in one file and overwrite each other; a socket cannot be opened. */
static int parse_fd(const char *text)
{
    static const struct {
        char name[12];
        int fd;
    } names[] = {{"stderr", 2}, {"/dev/stderr", 2}, {"/dev/stdout", 1}};
    static const char folders[][16] = {"fd:", "/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i].name) == 0)
            return names[i].fd;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        size_t len = strlen(folders[i]);
        if (strncmp(text, folders[i], len) == 0)
            return parse_number(text + len);
    }
    return -1;
}

static int start_fd(struct tmo_sink *sink, const char **ret_what)
{
    struct tmo_statx is;
    long flags = TMO_RAW2(TMO_SYS_fcntl, sink->fd, F_GETFL);
    if (flags < 0 || tmo_statx_fd(sink->fd, &is) < 0) {
        *ret_what = "is not open";
        return -EBADF;
    }
    if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0) {
        *ret_what = "is not open for writing";
        return -EBADF;
    }
    publish(sink, sink->fd, &is);
    return 0;
}

static int start_socket(const struct tmo_sink *sink, const char **ret_what)
{
    struct tmo_statx is;
    int r = tmo_statx_path(sink->path, 0, &is);
    if (r == 0 && !tmo_statx_is(&is, S_IFSOCK))
        r = -ENOTSOCK;
    if (r < 0)
        *ret_what = r == -ENOTSOCK ? "is not a socket" : "its socket is not there";
    return r;
}

/* Adds LEN bytes to the path, which has *AT; too much makes *AT more than there is room for. */
static void add(struct tmo_sink *sink, size_t *at, const char *text, size_t len)
{
    if (*at + len < sizeof(sink->path)) {
        memcpy(sink->path + *at, text, len);
        sink->path[*at + len] = '\0';
    }
    *at += len;
}

static void add_number(struct tmo_sink *sink, size_t *at, pid_t n)
{
    char digits[10];
    size_t i = sizeof(digits);
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(sink, at, digits + i, sizeof(digits) - i);
}

/* Makes the path of TEXT, absolute: the program may go elsewhere before the first record. EXPAND:
 * with % filled in. Returns 0 or -ENAMETOOLONG. */
static int make_path(struct tmo_sink *sink, const char *text, bool expand, pid_t pid)
{
    size_t at = 0;
    if (text[0] != '/') {
        long len = TMO_RAW2(SYS_getcwd, sink->path, sizeof(sink->path) - 1); /* with its NUL */
        at = len > 1 && sink->path[0] == '/' ? (size_t)len - 1 : 0;
        if (at > 1)
            add(sink, &at, "/", 1);
    }
    for (; *text != '\0'; text++) {
        if (!expand || *text != '%' || text[1] == '\0')
            add(sink, &at, text, 1);
        else if (*++text == 'p')
            add_number(sink, &at, pid);
        else if (*text == 'c')
            for (const char *c = sink->program; *c != '\0'; c++)
                add(sink, &at, *c == '/' ? "_" : c, 1);
        else
            add(sink, &at, text, 1);
    }
    return at < sizeof(sink->path) ? 0 : -ENAMETOOLONG;
}

static int start_path(struct tmo_sink *sink, const char *text, pid_t pid, const char **ret_what)
{
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    bool is_syslog = strcmp(text, "syslog") == 0;
    sink->kind = is_unix ? TMO_SINK_UNIX : is_syslog ? TMO_SINK_SYSLOG : TMO_SINK_FILE;
    int r = make_path(sink,
                      is_unix     ? text + 5
                      : is_syslog ? "/dev/log"
                                  : text,
                      sink->kind == TMO_SINK_FILE, pid);
    if (is_unix && (r < 0 || strlen(sink->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))) {
        size_t at = 0; /* absolute it is too long, relative it was not */
        add(sink, &at, text + 5, strlen(text + 5));
        r = 0;
    }
    if (r < 0) {
        sink->path[0] = '\0'; /* never a shortened one: it could be another file's */
        *ret_what = "is too long";
        return r;
    }
    return sink->kind == TMO_SINK_FILE ? tmo_logfile_try(sink->path, ret_what)
                                       : start_socket(sink, ret_what);
}

int tmo_sink_start(struct tmo_sink *sink, const char *text, pid_t pid, const char *program,
                   const char **ret_what)
{
    struct rlimit size = {RLIM_INFINITY, RLIM_INFINITY};
    size_t len = strnlen(program, sizeof(sink->program) - 1);
    memset(sink, 0, sizeof(*sink));
    sink->fd = -1;
    memcpy(sink->program, program, len);
    if (TMO_RAW4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size) == 0)
        sink->limited = size.rlim_cur != RLIM_INFINITY;
    if (text[0] == '\0')
        return 0;
    int fd = parse_fd(text);
    if (fd < 0)
        return start_path(sink, text, pid, ret_what);
    sink->kind = TMO_SINK_FD;
    sink->fd = fd;
    return start_fd(sink, ret_what);
}
