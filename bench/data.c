/* SPDX-License-Identifier: MIT
 * Data calls, one byte each, on every kind of descriptor: the byte is there, or there is room for
 * it, before the measured loop begins. See ops.h.
 */
#include "bench/ops.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A loop over one call: how often its result was not what it should be. */
#define LOOP(name, call, expected)                                                                 \
    static int name(int fd, int count)                                                             \
    {                                                                                              \
        int bad = 0;                                                                               \
                                                                                                   \
        for (int i = 0; i < count; i++)                                                            \
            bad += (call) != (expected);                                                           \
        return bad;                                                                                \
    }

static char byte[1];
static struct iovec iov[1] = {{byte, 1}};
static struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1};
static struct mmsghdr msgs[1] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 1}}};
static int paired_out; /* the descriptor that a pair of calls writes to */

LOOP(run_read, read(fd, byte, 1), 1)
LOOP(run_recv, recv(fd, byte, 1, 0), 1)
LOOP(run_recvfrom, recvfrom(fd, byte, 1, 0, NULL, NULL), 1)
LOOP(run_readv, readv(fd, iov, 1), 1)
LOOP(run_recvmsg, recvmsg(fd, &msg, 0), 1)
LOOP(run_recvmmsg, recvmmsg(fd, msgs, 1, 0, NULL), 1)
LOOP(run_write, write(fd, byte, 1), 1)
LOOP(run_send, send(fd, byte, 1, 0), 1)
LOOP(run_sendto, sendto(fd, byte, 1, 0, NULL, 0), 1)
LOOP(run_writev, writev(fd, iov, 1), 1)
LOOP(run_sendmsg, sendmsg(fd, &msg, 0), 1)
LOOP(run_sendmmsg, sendmmsg(fd, msgs, 1, 0), 1)

LOOP(run_read_fails, read(fd, byte, 1), -1)
LOOP(run_recv_fails, recv(fd, byte, 1, 0), -1)
LOOP(run_recvfrom_fails, recvfrom(fd, byte, 1, 0, NULL, NULL), -1)
LOOP(run_recv_dontwait, recv(fd, byte, 1, MSG_DONTWAIT), -1)
LOOP(run_write_fails, write(fd, byte, 1), -1)
LOOP(run_send_fails, send(fd, byte, 1, MSG_NOSIGNAL), -1)
LOOP(run_sendto_fails, sendto(fd, byte, 1, MSG_NOSIGNAL, NULL, 0), -1)

LOOP(run_rw_pair, write(paired_out, byte, 1) + read(fd, byte, 1), 2)
LOOP(run_sr_pair, send(paired_out, byte, 1, 0) + recv(fd, byte, 1, 0), 2)

int prepare_in(const struct op *op, int count)
{
    const struct end *end = end_get(op->end);

    end_feed(end, count);
    return end->in;
}

int prepare_out(const struct op *op, int count)
{
    const struct end *end = end_get(op->end);

    (void)count;
    end_drain(end);
    return end->out;
}

/* Nothing to read. */
static int prepare_dry(const struct op *op, int count)
{
    (void)count;
    return prepare_in(op, 0);
}

/* No room to write: the end is like that from the start. */
static int prepare_none(const struct op *op, int count)
{
    (void)count;
    return end_get(op->end)->out;
}

static int prepare_pair(const struct op *op, int count)
{
    (void)count;
    paired_out = end_get(op->end)->feed;
    return prepare_in(op, 0);
}

/* Among 19,000 sockets, or as many as the limit allows. For the last operation of a process. */
static int prepare_crowded(const struct op *op, int count)
{
    static bool is_crowded;

    for (int left = is_crowded ? 0 : end_allow(19000); left > 0; left--)
        if (socket(AF_INET, SOCK_STREAM, 0) < 0)
            die("socket");
    is_crowded = true;
    return prepare_in(op, count);
}

/* Segments and datagrams on the way cost far more room than their one byte. */
#define FEW  200
#define MANY 4000

#define IN(end, name, class, max, run)  {name, class, max, prepare_in, run, end, NULL},
#define OUT(end, name, class, max, run) {name, class, max, prepare_out, run, end, NULL},
#define DRY(end, name, run)             {name, "fails", MANY, prepare_dry, run, end, NULL},
#define NONE(end, name, run)            {name, "fails", MANY, prepare_none, run, end, NULL},
#define PAIR(end, name, run)            {name, "time", MANY, prepare_pair, run, end, NULL},

#define PLAIN_OPS(end, name, class, in_max, out_max)                                               \
    IN(end, name " read", class, in_max, run_read)                                                 \
    OUT(end, name " write", class, out_max, run_write)                                             \
    IN(end, name " readv", "iov", in_max, run_readv)                                               \
    OUT(end, name " writev", "iov", out_max, run_writev)

#define SOCKET_OPS(end, name, class, in_max, out_max)                                              \
    PLAIN_OPS(end, name, class, in_max, out_max)                                                   \
    IN(end, name " recv", class, in_max, run_recv)                                                 \
    OUT(end, name " send", class, out_max, run_send)                                               \
    IN(end, name " recvfrom", class, in_max, run_recvfrom)                                         \
    OUT(end, name " sendto", class, out_max, run_sendto)                                           \
    IN(end, name " recvmsg", "iov", in_max, run_recvmsg)                                           \
    OUT(end, name " sendmsg", "iov", out_max, run_sendmsg)                                         \
    IN(end, name " recvmmsg", "mmsg", in_max, run_recvmmsg)                                        \
    OUT(end, name " sendmmsg", "mmsg", out_max, run_sendmmsg)

/* clang-format off */
const struct op data_ops[] = {
    PLAIN_OPS(END_FILE, "file", "foreign", MANY, MANY)
    PLAIN_OPS(END_PIPE, "pipe", "foreign", MANY, MANY)
    SOCKET_OPS(END_UNIX, "unix", "foreign", MANY, FEW)
    SOCKET_OPS(END_UDP, "udp", "foreign", FEW, FEW)
    SOCKET_OPS(END_TCP, "tcp", "ours", MANY, FEW)
    SOCKET_OPS(END_ACCEPTED, "tcp-accepted", "ours", MANY, FEW)
    SOCKET_OPS(END_TCP_NB, "tcp-nonblocking", "ours", MANY, FEW)
    DRY(END_TCP_NB, "tcp-nonblocking recv EAGAIN", run_recv_fails)
    DRY(END_TCP_NB, "tcp-nonblocking read EAGAIN", run_read_fails)
    DRY(END_TCP_NB, "tcp-nonblocking recvfrom EAGAIN", run_recvfrom_fails)
    DRY(END_TCP, "tcp recv MSG_DONTWAIT EAGAIN", run_recv_dontwait)
    DRY(END_ACCEPTED, "tcp-accepted recv MSG_DONTWAIT EAGAIN", run_recv_dontwait)
    NONE(END_FULL, "tcp-nonblocking send EAGAIN", run_send_fails)
    NONE(END_FULL, "tcp-nonblocking write EAGAIN", run_write_fails)
    NONE(END_RESET, "tcp send after reset", run_send_fails)
    NONE(END_RESET, "tcp sendto after reset", run_sendto_fails)
    PAIR(END_PIPE, "pipe write+read", run_rw_pair)
    PAIR(END_UNIX, "unix send+recv", run_sr_pair)
    PAIR(END_UDP, "udp send+recv", run_sr_pair)
    {"tcp recv, 19000 open", "time", MANY, prepare_crowded, run_recv, END_TCP, NULL},
};
/* clang-format on */
const size_t data_op_count = COUNT(data_ops);
