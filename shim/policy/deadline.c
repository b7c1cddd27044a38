/* SPDX-License-Identifier: MIT
 * How long a connection has been still. See deadline.h.
 */
#include "shim/policy/deadline.h"
#include "config/duration.h"
#include "shim/sys/raw.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

const char *tmo_limit_name(enum tmo_limit limit)
{
    static const char names[][8] = {"", "connect", "recv", "send", "idle", "total"};
    return names[limit];
}

int64_t tmo_limit_ns(const struct tmo_plan *plan, enum tmo_limit limit)
{
    switch (limit) {
    case TMO_LIMIT_CONNECT:
        return plan->connect_ns;
    case TMO_LIMIT_RECV:
        return plan->wait_ns[TMO_RECV];
    case TMO_LIMIT_SEND:
        return plan->wait_ns[TMO_SEND];
    case TMO_LIMIT_IDLE:
        return plan->idle_ns;
    case TMO_LIMIT_TOTAL:
        return plan->total_ns;
    default:
        return 0;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* For how long at least nothing of what is queued has moved. While more is unsent than fits, each
 * byte that the peer takes lets a segment out, so "last data sent" says it; probes of a closed
 * window do not move that. Retransmissions do: their timer has doubled N times since the first, so
 * that the wait is the sum of a series; and no longer than nothing was acknowledged.
 * (net/ipv4/tcp_output.c, tcp_event_data_sent; tcp_timer.c, tcp_retransmit_timer) */
static int64_t stuck(const struct tcp_info *i)
{
    int64_t sent_ms = i->tcpi_last_data_sent, acked_ms = i->tcpi_last_ack_recv;
    unsigned times = i->tcpi_retransmits < 31 ? i->tcpi_retransmits : 31;
    if (times == 0 || sent_ms >= acked_ms)
        return sent_ms;
    int64_t rto_ms = i->tcpi_rto / 1000;
    return least(acked_ms, sent_ms + rto_ms - (rto_ms >> times));
}

/* Whether something was sent after the last byte came in. Within one tick of the clock the order is
 * not known; then a bare acknowledgement that came a little later tells of something that was sent
 * then: the peer's kernel waits for 40 to 200 ms with it (net/ipv4/tcp_input.c, delayed ACK). One
 * that came much later tells of a keepalive probe. Else what was asked counts as answered. */
static bool is_owed(const struct tcp_info *i)
{
    enum { LEAST_MS = 8, MOST_MS = 250 };
    if (i->tcpi_last_data_sent != i->tcpi_last_data_recv)
        return i->tcpi_last_data_sent < i->tcpi_last_data_recv;
    uint32_t later_ms = i->tcpi_last_data_recv - i->tcpi_last_ack_recv;
    return i->tcpi_last_ack_recv < i->tcpi_last_data_recv && later_ms >= LEAST_MS &&
           later_ms <= MOST_MS;
}

/* Eight bits of two counters, so that hardly any two pairs have the same. Multiplied by odd numbers
 * without a pattern (Knuth, The Art of Computer Programming 3, 6.4: Fibonacci hashing). */
static uint8_t mixed(uint64_t a, uint64_t b)
{
    return (uint8_t)((a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xc2b2ae3d27d4eb4f)) >> 56);
}

void tmo_quiet_read(const unsigned char *info, size_t len, struct tmo_quiet *ret)
{
    /* Offsets in struct tcp_info behind what netinet/tcp.h has. include/uapi/linux/tcp.h */
    enum { BYTES_ACKED = 120, BYTES_RECEIVED = 128, NOTSENT_BYTES = 144 };
    struct tcp_info i = {.tcpi_state = 0};
    uint64_t received = 1; /* of a kernel that does not tell (before 4.1) */
    uint64_t acked = 0;
    uint32_t unsent = 0;
    memcpy(&i, info, sizeof(i) < len ? sizeof(i) : len);
    if (len >= BYTES_RECEIVED + sizeof(received)) {
        memcpy(&acked, info + BYTES_ACKED, sizeof(acked));
        memcpy(&received, info + BYTES_RECEIVED, sizeof(received));
    }
    if (len >= NOTSENT_BYTES + sizeof(unsent))
        memcpy(&unsent, info + NOTSENT_BYTES, sizeof(unsent));

    ret->connecting = i.tcpi_state == TCP_SYN_SENT;
    ret->reads = i.tcpi_state == TCP_ESTABLISHED || i.tcpi_state == TCP_FIN_WAIT1 ||
                 i.tcpi_state == TCP_FIN_WAIT2;
    ret->queued = (i.tcpi_unacked != 0 || unsent != 0) && i.tcpi_state != TCP_CLOSE &&
                  i.tcpi_state != TCP_SYN_SENT && i.tcpi_state != TCP_LISTEN;
    ret->stuck_ms = ret->queued ? stuck(&i) : 0;
    int64_t went_ms = ret->queued ? ret->stuck_ms : (int64_t)i.tcpi_last_data_sent;
    ret->silent_ms = least(i.tcpi_last_data_recv, went_ms);
    ret->moved = mixed(received, acked);
    ret->owed = received == 0 || ret->queued || is_owed(&i);
}

int tmo_quiet_get(int fd, struct tmo_quiet *ret)
{
    enum { ASKED = 152, LEAST = 104 };
    unsigned char info[ASKED];
    socklen_t len = sizeof(info);
    int r = tmo_raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len);
    if (r < 0)
        return r;
    if (len < LEAST)
        return -EOPNOTSUPP;
    tmo_quiet_read(info, len, ret);
    return 0;
}

/* LIMIT, which has lasted for WAITED_MS, is met earlier than what DEADLINE has so far, unless its
 * bit is in WITHOUT. */
static void consider(struct tmo_deadline *deadline, const struct tmo_plan *plan, unsigned without,
                     enum tmo_limit limit, int64_t waited_ms)
{
    int64_t limit_ns = tmo_limit_ns(plan, limit);
    if (limit_ns == 0 || (without & tmo_limit_noted(limit)) != 0)
        return;
    int64_t left_ms = tmo_ns_to_ms(limit_ns) - waited_ms;
    if (deadline->limit == TMO_LIMIT_NONE || left_ms < deadline->left_ms)
        *deadline = (struct tmo_deadline){limit, left_ms, waited_ms};
}

struct tmo_deadline tmo_deadline_of(const struct tmo_quiet *q, const struct tmo_plan *plan,
                                    unsigned waits, int64_t waited_ms, int64_t age_ms)
{
    struct tmo_deadline first = {TMO_LIMIT_NONE, 0, 0};
    if (q->connecting) {
        consider(&first, plan, waits, TMO_LIMIT_CONNECT, age_ms);
        return first;
    }
    consider(&first, plan, waits, TMO_LIMIT_TOTAL, age_ms);
    consider(&first, plan, waits, TMO_LIMIT_IDLE, least(q->silent_ms, age_ms));
    if ((waits & 1u << TMO_SEND) != 0 && q->queued)
        consider(&first, plan, waits, TMO_LIMIT_SEND, q->stuck_ms);
    if ((waits & 1u << TMO_RECV) != 0 && q->reads && (q->owed || !plan->answer))
        consider(&first, plan, waits, TMO_LIMIT_RECV, least(q->silent_ms, waited_ms));
    return first;
}
