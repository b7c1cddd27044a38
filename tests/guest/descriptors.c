/* SPDX-License-Identifier: MIT
 *
 * descriptors CASE: which numbers sockets get, what becomes of them when they are closed, and of
 * what takes them next.
 */
#include "tests/guest/guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a number leads to, in a word. */
static const char *kind_of(int fd)
{
    char path[64], to[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    n = readlink(path, to, sizeof to - 1);
    if (n < 0)
        return "nothing";
    to[n] = '\0';
    return strncmp(to, "socket", 6) == 0 ? "socket" : strncmp(to, "pipe", 4) == 0 ? "pipe" : "file";
}

/* Writes to the file FD through every call there is, and reads it again: it is not taken for the
 * socket that had its number. */
static void use_as_file(int fd)
{
    char buf[17] = {0}; /* the last one ends it */
    struct iovec *none = NULL;
    int value = 0;
    socklen_t len = sizeof value;

    (void)none;
    SAY("write", write(fd, "text", 4));
    SAY("lseek", lseek(fd, 0, SEEK_SET));
    SAY("read", read(fd, buf, sizeof buf - 1));
    printf("'%s'\n", buf);
    SAY("read at the end", read(fd, buf, sizeof buf - 1));
    SAY("recv", recv(fd, buf, 1, MSG_WAITALL));
    SAY("send", send(fd, buf, 1, 0));
    SAY("shutdown", shutdown(fd, SHUT_RDWR));
    SAY("listen", listen(fd, 1));
    SAY("accept", accept(fd, NULL, NULL));
    SAY("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
    SAY("poll", poll(&(struct pollfd){fd, POLLIN | POLLOUT, 0}, 1, -1));
    SAY("ftruncate", ftruncate(fd, 0));
}

static int new_file(void)
{
    char name[] = "/tmp/guestXXXXXX";
    int fd = mkstemp(name);

    DO(fd);
    DO(unlink(name));
    return fd;
}

/* What comes to the pipe whose ends are at GOT is what was written, and a full one says so. */
static void use_as_pipe(int in, int out)
{
    char buf[8] = {0};
    static char much[1 << 17];

    SAY("write", write(out, "pipe", 4));
    SAY("read", read(in, buf, sizeof buf));
    DO(fcntl(out, F_SETFL, O_NONBLOCK));
    DO(fcntl(in, F_SETFL, O_NONBLOCK));
    SAY("read, empty", read(in, buf, sizeof buf));
    SAY("write much", write(out, much, sizeof much));
    SAY("write more", write(out, much, sizeof much));
    SAY("recv", recv(in, buf, 1, 0));
    SAY("FIONREAD", ioctl(in, FIONREAD, &(int){0}));
    SAY("shutdown", shutdown(out, SHUT_WR));
    DO(close(in));
    signal(SIGPIPE, SIG_IGN);
    SAY("write to nobody", write(out, "x", 1));
}

#include "tests/guest/descriptors-many.h"
#include "tests/guest/descriptors-beyond.h"
#include "tests/guest/descriptors-passed.h"
#include "tests/guest/descriptors-reuse.h"

static const struct guest_case cases[] = {
    {"lowest", case_lowest},   {"full", case_full},         {"dups", case_dups},
    {"ranges", case_ranges},   {"unshare", case_unshare},   {"many", case_many},
    {"high", case_high},       {"beyond", case_beyond},     {"beyond_limit", case_beyond_limit},
    {"reuse", case_reuse},     {"standard", case_standard}, {"inner", case_inner},
    {"exec", case_exec},       {"rights", case_rights},     {"rights_limits", case_rights_limits},
    {"servers", case_servers},
};
GUEST_MAIN(cases)
