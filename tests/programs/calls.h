/* SPDX-License-Identifier: MIT
 * Every call that moves data through a socket, under one shape, for steps.c: by its libc name, and
 * as sys_NAME by syscall(2).
 */
#ifndef TESTS_PROGRAMS_CALLS_H
#define TESTS_PROGRAMS_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum way { RECEIVES, SENDS };

struct transfer {
    int fd;
    char *buf;
    size_t len;
    int flags;              /* MSG_ */
    struct iovec *vector;   /* over buf, in three uneven parts; or a pointer that leads nowhere */
    struct msghdr *message; /* over the vector; or nowhere */
    struct mmsghdr *two;    /* two messages, each with a half of buf; or nowhere */
    int file;               /* holds buf's bytes at `offset`, for sendfile */
    long *offset;           /* or nowhere */
    int pipe[2];            /* for splice: holds buf's bytes, or is empty */
};

enum { VECTOR_PARTS = 3 };

/* The type of recvmmsg's and sendmmsg's flags. */
#ifdef __GLIBC__
typedef int many_flags;
#else
typedef unsigned many_flags;
#endif

struct call {
    const char *name;
    enum way way;
    ssize_t (*make)(struct transfer *t);
    bool counts_messages;
};

#define CALL(name_, expression)                                                                    \
    static ssize_t call_##name_(struct transfer *t)                                                \
    {                                                                                              \
        return (ssize_t)(expression);                                                              \
    }

CALL(read, read(t->fd, t->buf, t->len))
CALL(readv, readv(t->fd, t->vector, VECTOR_PARTS))
CALL(recv, recv(t->fd, t->buf, t->len, t->flags))
CALL(recvfrom, recvfrom(t->fd, t->buf, t->len, t->flags, NULL, NULL))
CALL(recvmsg, recvmsg(t->fd, t->message, t->flags))
CALL(recvmmsg, recvmmsg(t->fd, t->two, 2, (many_flags)(t->flags | MSG_WAITFORONE), NULL))
CALL(splice_in, splice(t->fd, NULL, t->pipe[1], NULL, t->len, 0))

/* with the peer's address asked for */
static ssize_t call_recvfrom_address(struct transfer *t)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;

    return recvfrom(t->fd, t->buf, t->len, t->flags, (struct sockaddr *)&from, &length);
}

CALL(write, write(t->fd, t->buf, t->len))
CALL(writev, writev(t->fd, t->vector, VECTOR_PARTS))
CALL(send, send(t->fd, t->buf, t->len, t->flags))
CALL(sendto, sendto(t->fd, t->buf, t->len, t->flags, NULL, 0))
CALL(sendmsg, sendmsg(t->fd, t->message, t->flags))
CALL(sendmmsg, sendmmsg(t->fd, t->two, 2, (many_flags)t->flags))
CALL(splice_out, splice(t->pipe[0], NULL, t->fd, NULL, t->len, 0))

CALL(sys_read, syscall(SYS_read, t->fd, t->buf, t->len))
CALL(sys_readv, syscall(SYS_readv, t->fd, t->vector, VECTOR_PARTS))
CALL(sys_write, syscall(SYS_write, t->fd, t->buf, t->len))
CALL(sys_writev, syscall(SYS_writev, t->fd, t->vector, VECTOR_PARTS))
CALL(sys_splice_in, syscall(SYS_splice, t->fd, NULL, t->pipe[1], NULL, t->len, 0))
CALL(sys_splice_out, syscall(SYS_splice, t->pipe[0], NULL, t->fd, NULL, t->len, 0))
CALL(sys_sendfile, syscall(SYS_sendfile, t->fd, t->file, t->offset, t->len))
#ifdef SYS_recvfrom
CALL(sys_recvfrom, syscall(SYS_recvfrom, t->fd, t->buf, t->len, t->flags, NULL, NULL))
CALL(sys_recvmsg, syscall(SYS_recvmsg, t->fd, t->message, t->flags))
CALL(sys_sendto, syscall(SYS_sendto, t->fd, t->buf, t->len, t->flags, NULL, 0))
CALL(sys_sendmsg, syscall(SYS_sendmsg, t->fd, t->message, t->flags))
CALL(sys_sendmmsg, syscall(SYS_sendmmsg, t->fd, t->two, 2, t->flags))
#endif
#ifdef SYS_recvmmsg
CALL(sys_recvmmsg, syscall(SYS_recvmmsg, t->fd, t->two, 2, t->flags | MSG_WAITFORONE, NULL))
#endif

#ifdef __GLIBC__
/* What <sys/sendfile.h> calls sendfile is sendfile64 where files may be large. */
extern ssize_t plain_sendfile(int out, int in, long *offset, size_t count) __asm__("sendfile");
extern ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
extern ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                              struct sockaddr *address, socklen_t *length);

CALL(sendfile, plain_sendfile(t->fd, t->file, t->offset, t->len))
CALL(__read_chk, __read_chk(t->fd, t->buf, t->len, t->len))
CALL(__recv_chk, __recv_chk(t->fd, t->buf, t->len, t->len, t->flags))
CALL(__recvfrom_chk, __recvfrom_chk(t->fd, t->buf, t->len, t->len, t->flags, NULL, NULL))

static ssize_t call_sendfile64(struct transfer *t)
{
    off64_t offset = *t->offset;
    ssize_t n = sendfile64(t->fd, t->file, &offset, t->len);

    *t->offset = (long)offset;
    return n;
}
#else
static ssize_t call_sendfile(struct transfer *t)
{
    return sendfile(t->fd, t->file, (off_t *)t->offset, t->len);
}
#endif

#define ROW(name, way)                                                                             \
    {                                                                                              \
#name, way, call_##name, false                                                             \
    }
#define MESSAGES(name, way)                                                                        \
    {                                                                                              \
#name, way, call_##name, true                                                              \
    }

static const struct call calls[] = {
    ROW(read, RECEIVES),
    ROW(readv, RECEIVES),
    ROW(recv, RECEIVES),
    ROW(recvfrom, RECEIVES),
    ROW(recvfrom_address, RECEIVES),
    ROW(recvmsg, RECEIVES),
    MESSAGES(recvmmsg, RECEIVES),
    ROW(splice_in, RECEIVES),
    ROW(write, SENDS),
    ROW(writev, SENDS),
    ROW(send, SENDS),
    ROW(sendto, SENDS),
    ROW(sendmsg, SENDS),
    MESSAGES(sendmmsg, SENDS),
    ROW(sendfile, SENDS),
    ROW(splice_out, SENDS),
    ROW(sys_read, RECEIVES),
    ROW(sys_readv, RECEIVES),
    ROW(sys_splice_in, RECEIVES),
    ROW(sys_write, SENDS),
    ROW(sys_writev, SENDS),
    ROW(sys_sendfile, SENDS),
    ROW(sys_splice_out, SENDS),
#ifdef SYS_recvfrom
    ROW(sys_recvfrom, RECEIVES),
    ROW(sys_recvmsg, RECEIVES),
    ROW(sys_sendto, SENDS),
    ROW(sys_sendmsg, SENDS),
    MESSAGES(sys_sendmmsg, SENDS),
#endif
#ifdef SYS_recvmmsg
    MESSAGES(sys_recvmmsg, RECEIVES),
#endif
#ifdef __GLIBC__
    ROW(__read_chk, RECEIVES),
    ROW(__recv_chk, RECEIVES),
    ROW(__recvfrom_chk, RECEIVES),
    ROW(sendfile64, SENDS),
#endif
};

static const struct call *find_call(const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, name) == 0)
            return &calls[i];
    return NULL;
}

#endif
