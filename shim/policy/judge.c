/* SPDX-License-Identifier: MIT
 * Whose doing it was. See judge.h.
 */
#include "shim/policy/judge.h"
#include "config/duration.h"
#include "shim/policy/apply.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <signal.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

bool tmo_judge_timed(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, enum tmo_way way,
                     int flags)
{
    unsigned timed = way == TMO_RECV ? TMO_SLOT_TIMED_RECV : TMO_SLOT_TIMED_SEND;
    if ((tmo_slot_flags(slot) & timed) == 0 ||
        (flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) != 0)
        return false;
    int nonblocking = tmo_raw_is_nonblocking(fd);
    if (nonblocking > 0)
        tmo_slot_raise(slot, TMO_SLOT_NONBLOCK);
    if (nonblocking != 0)
        return false;

    int64_t limit_ns = (slot->dir == TMO_DIR_LISTEN ? plan->accept_us : plan->wait_us[way]) * 1000;
    int64_t there_us = tmo_apply_read_timeo(fd, way);
    /* Rounded up to a tick, or somebody else's: another holder of the socket may have set it. */
    return there_us > 0 && there_us * 1000 >= limit_ns &&
           there_us * 1000 <= limit_ns + TMO_TICK_SLACK_NS;
}

/* The first 104 bytes of TCP_INFO, which every kernel fills in. */
static bool get_info(int fd, struct tcp_info *ret)
{
    socklen_t len = sizeof(*ret);
    return tmo_raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) == 0 && len >= 104 &&
           ret->tcpi_state != TCP_SYN_SENT && ret->tcpi_state != TCP_CLOSE;
}

int64_t tmo_judge_silent_ns(int fd, enum tmo_way way)
{
    struct tcp_info info = {.tcpi_state = 0};
    if (!get_info(fd, &info))
        return -1;
    if (way == TMO_RECV)
        return (int64_t)info.tcpi_last_data_recv * TMO_NS_PER_MS;
    /* While a send waits there is always unsent data behind a full buffer, so each byte that the
     * peer takes makes room for a segment to go out: "last data sent" is when it last took any.
     * Probes of a closed window do not move it, but retransmissions to a peer that is gone do; that
     * one acknowledges nothing. Linux 6.18, measured; net/ipv4/tcp_output.c, tcp_event_data_sent */
    uint32_t ms = info.tcpi_last_data_sent > info.tcpi_last_ack_recv ? info.tcpi_last_data_sent
                                                                     : info.tcpi_last_ack_recv;
    return (int64_t)ms * TMO_NS_PER_MS;
}

int tmo_judge_moved(int fd, enum tmo_way way, uint64_t bytes)
{
    /* Offsets in struct tcp_info; netinet/tcp.h ends before. include/uapi/linux/tcp.h */
    enum { BYTES_RECEIVED = 128, NOTSENT_BYTES = 144, BYTES_SENT = 200, END = 208 };
    unsigned char info[END] = {0};
    socklen_t len = sizeof(info);
    uint64_t moved;
    uint32_t notsent;
    if (tmo_raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) < 0 || len < sizeof(info))
        return -1;
    memcpy(&moved, info + (way == TMO_RECV ? BYTES_RECEIVED : BYTES_SENT), sizeof(moved));
    memcpy(&notsent, info + NOTSENT_BYTES, sizeof(notsent));
    return moved + (way == TMO_SEND ? notsent : 0) >= bytes;
}

/* POLLERR alone may be an error queue's. */
bool tmo_judge_failed(int fd, int revents, enum tmo_way way)
{
    int queued = 0;
    if ((revents & POLLERR) == 0 || (revents & POLLHUP) == 0)
        return false;
    return way == TMO_SEND || TMO_RAW3(SYS_ioctl, fd, FIONREAD, &queued) < 0 || queued == 0;
}

/* The kernel's struct sigaction: handler, flags, then what we do not look at; its size is that of
 * the largest. (MIPS and Alpha have another order.) */
struct kernel_sigaction {
    unsigned long handler, flags, rest[18];
};

/* Signals of what a thread itself does wrong, which it does not while it waits. Runtimes have
 * handlers for them (Java, AddressSanitizer), often without SA_RESTART. */
static bool is_of_a_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
           signal == SIGTRAP || signal == SIGSYS;
}

bool tmo_judge_may_restart(void)
{
    for (int signal = 1; signal <= 64; signal++) {
        struct kernel_sigaction action = {.handler = 0};
        if (signal >= 32 && signal <= 34) /* of the C library itself, for threads */
            continue;
        if (is_of_a_fault(signal))
            continue;
        if (TMO_RAW4(SYS_rt_sigaction, signal, 0, &action, 8) < 0 || action.handler <= 1)
            continue; /* SIG_DFL, SIG_IGN */
        if ((action.flags & SA_RESTART) == 0)
            return false;
    }
    return true;
}

bool tmo_judge_is_given_again(int error)
{
    return error == EPIPE || error == EFAULT || error == EINVAL || error == ENOMEM ||
           error == EMSGSIZE;
}
