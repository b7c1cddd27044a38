/* SPDX-License-Identifier: MIT
 * policy/deadline: what TCP_INFO says of a connection's stillness, and which limit that meets.
 */
#include "shim/policy/deadline.h"
#include "tests/unit/check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define MS INT64_C(1000000)

/* TCP_INFO of a connection, as far as it is looked at. */
struct given {
    unsigned state, retransmits, rto_ms, unacked, unsent;
    unsigned sent_ms, received_ms, acked_ms; /* since the last of these */
    unsigned long long bytes_received;
};

static struct tmo_quiet read_of(struct given g, size_t len)
{
    unsigned char bytes[sizeof(struct tcp_info) > 152 ? sizeof(struct tcp_info) : 152] = {0};
    struct tcp_info i = {
        .tcpi_state = (uint8_t)g.state,
        .tcpi_retransmits = (uint8_t)g.retransmits,
        .tcpi_rto = g.rto_ms * 1000,
        .tcpi_unacked = g.unacked,
        .tcpi_last_data_sent = g.sent_ms,
        .tcpi_last_data_recv = g.received_ms,
        .tcpi_last_ack_recv = g.acked_ms,
    };
    uint64_t received = g.bytes_received;
    uint32_t unsent = g.unsent;
    struct tmo_quiet q;
    memcpy(bytes, &i, sizeof(i));
    memcpy(bytes + 128, &received, sizeof(received));
    memcpy(bytes + 144, &unsent, sizeof(unsent));
    tmo_quiet_read(bytes, len, &q);
    return q;
}

static const struct {
    const char *name;
    struct given given;
    bool connecting, reads, owed, queued;
    int silent_ms, stuck_ms;
} rows[] = {
    {"in the handshake", {.state = TCP_SYN_SENT, .sent_ms = 900000}, 1, 0, 1, 0, 0, 0},
    {"a peer that never said a word",
     {.state = TCP_ESTABLISHED, .sent_ms = 500, .received_ms = 500, .acked_ms = 500},
     0,
     1,
     1,
     0,
     500,
     0},
    {"a question without an answer",
     {.state = TCP_ESTABLISHED,
      .sent_ms = 500,
      .received_ms = 800,
      .acked_ms = 500,
      .bytes_received = 9},
     0,
     1,
     1,
     0,
     500,
     0},
    {"an answer, then silence",
     {.state = TCP_ESTABLISHED,
      .sent_ms = 800,
      .received_ms = 500,
      .acked_ms = 500,
      .bytes_received = 9},
     0,
     1,
     0,
     0,
     500,
     0},
    {"question and answer within one tick",
     {.state = TCP_ESTABLISHED,
      .sent_ms = 500,
      .received_ms = 500,
      .acked_ms = 500,
      .bytes_received = 9},
     0,
     1,
     0,
     0,
     500,
     0},
    {"a window that is closed: what is unsent is stuck since something was last sent",
     {.state = TCP_ESTABLISHED, .unsent = 7, .sent_ms = 700, .received_ms = 900, .acked_ms = 100},
     0,
     1,
     1,
     1,
     700,
     700},
    {"just sent after a long silence: not stuck",
     {.state = TCP_ESTABLISHED,
      .unacked = 1,
      .sent_ms = 0,
      .received_ms = 9000,
      .acked_ms = 9000,
      .bytes_received = 9},
     0,
     1,
     1,
     1,
     0,
     0},
    {"a peer that is gone: two retransmissions, the timer at four times the first",
     {.state = TCP_ESTABLISHED,
      .retransmits = 2,
      .rto_ms = 800,
      .unacked = 1,
      .sent_ms = 100,
      .received_ms = 9000,
      .acked_ms = 9000,
      .bytes_received = 9},
     0,
     1,
     1,
     1,
     700,
     700},
    {"... and no longer than it last acknowledged something",
     {.state = TCP_ESTABLISHED,
      .retransmits = 2,
      .rto_ms = 800,
      .unacked = 1,
      .sent_ms = 100,
      .received_ms = 9000,
      .acked_ms = 300,
      .bytes_received = 9},
     0,
     1,
     1,
     1,
     300,
     300},
    {"we have sent our end: the answer is awaited yet",
     {.state = TCP_FIN_WAIT2,
      .sent_ms = 600,
      .received_ms = 900,
      .acked_ms = 600,
      .bytes_received = 9},
     0,
     1,
     1,
     0,
     600,
     0},
    {"the peer has sent its end: nothing is awaited",
     {.state = TCP_CLOSE_WAIT,
      .sent_ms = 900,
      .received_ms = 600,
      .acked_ms = 600,
      .bytes_received = 9},
     0,
     0,
     0,
     0,
     600,
     0},
};

static void check_reading(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row = rows[i].name;
        struct tmo_quiet q = read_of(rows[i].given, 152);
        CHECK_EQ(q.connecting, rows[i].connecting);
        if (q.connecting)
            continue;
        CHECK_EQ(q.reads, rows[i].reads);
        CHECK_EQ(q.owed, rows[i].owed);
        CHECK_EQ(q.queued, rows[i].queued);
        CHECK_EQ(q.silent_ms, rows[i].silent_ms);
        CHECK_EQ(q.stuck_ms, rows[i].stuck_ms);
    }
    check_row = "an old kernel, which does not count bytes";
    struct tmo_quiet q = read_of((struct given){.state = TCP_ESTABLISHED, .sent_ms = 9}, 104);
    CHECK_EQ(q.owed, 0);
    CHECK_EQ(q.queued, 0);
    check_row = NULL;
}

enum { IN = 1 << TMO_RECV, OUT = 1 << TMO_SEND };

static void check_deadline(const char *name, const struct tmo_plan *plan, struct given given,
                           unsigned waits, int64_t waited_ms, int64_t age_ms, enum tmo_limit limit,
                           int64_t left_ms)
{
    check_row = name;
    struct tmo_quiet q = read_of(given, 152);
    struct tmo_deadline d = tmo_deadline_of(&q, plan, waits, waited_ms, age_ms);
    CHECK_EQ(d.limit, limit);
    if (limit != TMO_LIMIT_NONE)
        CHECK_EQ(d.left_ms, left_ms);
    check_row = NULL;
}

static void check_deadlines(void)
{
    struct tmo_plan recv = {.wait_ns = {1000 * MS, 0}}, send = {.wait_ns = {0, 1000 * MS}};
    struct tmo_plan all = {.wait_ns = {2000 * MS, 2000 * MS},
                           .idle_ns = 1500 * MS,
                           .total_ns = 9000 * MS,
                           .connect_ns = 500 * MS};
    struct tmo_plan answer = recv;
    answer.answer = true;
    struct given silent = {.state = TCP_ESTABLISHED,
                           .sent_ms = 600,
                           .received_ms = 600,
                           .acked_ms = 600,
                           .bytes_received = 9};
    struct given asked = silent, closed = silent, connecting = {.state = TCP_SYN_SENT};
    asked.received_ms = 900;
    closed.state = TCP_CLOSE_WAIT;

    check_deadline("recv", &recv, silent, IN, 9999, 9999, TMO_LIMIT_RECV, 400);
    check_deadline("not before the program waited", &recv, silent, IN, 100, 9999, TMO_LIMIT_RECV,
                   900);
    check_deadline("nobody waits", &recv, silent, OUT, 9999, 9999, TMO_LIMIT_NONE, 0);
    check_deadline("the peer has ended", &recv, closed, IN, 9999, 9999, TMO_LIMIT_NONE, 0);
    check_deadline("no answer is owed", &answer, silent, IN, 9999, 9999, TMO_LIMIT_NONE, 0);
    check_deadline("an answer is owed", &answer, asked, IN, 9999, 9999, TMO_LIMIT_RECV, 400);
    check_deadline("nothing is queued", &send, silent, OUT, 9999, 9999, TMO_LIMIT_NONE, 0);
    silent.unsent = 1;
    check_deadline("send", &send, silent, OUT, 0, 9999, TMO_LIMIT_SEND, 400);
    check_deadline("idle is the first", &all, silent, IN | OUT, 9999, 3000, TMO_LIMIT_IDLE, 900);
    check_deadline("total is the first", &all, silent, IN | OUT, 9999, 8900, TMO_LIMIT_TOTAL, 100);
    check_deadline("total is passed", &all, silent, 0, 0, 9001, TMO_LIMIT_TOTAL, -1);
    check_deadline("what is on record is left out", &all, silent,
                   IN | OUT | tmo_limit_noted(TMO_LIMIT_IDLE), 9999, 3000, TMO_LIMIT_SEND, 1400);
    check_deadline("the only one is", &recv, silent, IN | tmo_limit_noted(TMO_LIMIT_RECV), 9999,
                   9999, TMO_LIMIT_NONE, 0);
    check_deadline("in the handshake only connect counts", &all, connecting, IN | OUT, 9999, 300,
                   TMO_LIMIT_CONNECT, 200);
}

/* Each byte that comes makes another one of `moved`, mostly; time does not. */
static void check_moved(void)
{
    struct given given = {.state = TCP_ESTABLISHED, .sent_ms = 9, .bytes_received = 1};
    uint8_t before = read_of(given, 152).moved;
    int same = 0;
    given.sent_ms = 900;
    CHECK_EQ(read_of(given, 152).moved, before);
    for (unsigned bytes = 2; bytes <= 1001; bytes++) {
        given.bytes_received = bytes;
        same += read_of(given, 152).moved == before;
    }
    CHECK_EQ(same < 20, 1);
    given.bytes_received = 257;
    CHECK_EQ(read_of(given, 152).moved != before, 1);
}

int main(void)
{
    check_reading();
    check_moved();
    check_deadlines();
    CHECK_TEXT(tmo_limit_name(TMO_LIMIT_IDLE), "idle");
    CHECK_TEXT(tmo_limit_name(TMO_LIMIT_CONNECT), "connect");
    return check_end();
}
