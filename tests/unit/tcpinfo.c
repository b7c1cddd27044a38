/* SPDX-License-Identifier: MIT
 * report/tcpinfo: the table against the kernel's own header as far as that goes, lengths as kernels
 * old and new return them, and what the kernel that we run on says of real sockets.
 */
#include "shim/report/line.h"
#include "shim/report/tcpinfo.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* The fields of linux/tcp.h as of Linux 5.4, which every build machine has: ours, theirs. */
/* clang-format off */
#define FIELDS(F)                                                                                  \
    F(rto_us, rto) F(ato_us, ato) F(snd_mss_bytes, snd_mss) F(rcv_mss_bytes, rcv_mss)              \
    F(unacked, unacked) F(sacked, sacked) F(lost, lost) F(retrans, retrans) F(fackets, fackets)    \
    F(last_data_sent_ms, last_data_sent) F(last_ack_sent_ms, last_ack_sent)                        \
    F(last_data_recv_ms, last_data_recv) F(last_ack_recv_ms, last_ack_recv) F(pmtu_bytes, pmtu)    \
    F(rcv_ssthresh_bytes, rcv_ssthresh) F(rtt_us, rtt) F(rttvar_us, rttvar)                        \
    F(snd_ssthresh, snd_ssthresh) F(snd_cwnd, snd_cwnd) F(advmss_bytes, advmss)                    \
    F(reordering, reordering) F(rcv_rtt_us, rcv_rtt) F(rcv_space_bytes, rcv_space)                 \
    F(total_retrans, total_retrans) F(pacing_rate_bytes_per_s, pacing_rate)                        \
    F(max_pacing_rate_bytes_per_s, max_pacing_rate) F(bytes_acked, bytes_acked)                    \
    F(bytes_received, bytes_received) F(segs_out, segs_out) F(segs_in, segs_in)                    \
    F(notsent_bytes, notsent_bytes) F(min_rtt_us, min_rtt) F(data_segs_in, data_segs_in)           \
    F(data_segs_out, data_segs_out) F(delivery_rate_bytes_per_s, delivery_rate)                    \
    F(busy_time_us, busy_time) F(rwnd_limited_us, rwnd_limited)                                    \
    F(sndbuf_limited_us, sndbuf_limited) F(delivered, delivered) F(delivered_ce, delivered_ce)     \
    F(bytes_sent, bytes_sent) F(bytes_retrans, bytes_retrans) F(dsack_dups, dsack_dups)            \
    F(reord_seen, reord_seen) F(rcv_ooopack, rcv_ooopack) F(snd_wnd_bytes, snd_wnd)                \
    F(state, state) F(ca_state, ca_state) F(retransmits, retransmits) F(probes, probes)            \
    F(backoff, backoff) F(options, options)
/* clang-format on */

enum {
#define TCPINFO(name, offset, size, shift, bits, kind) AT_##name = offset, SIZE_##name = size,
#include "shim/report/tcpinfo.def"
#undef TCPINFO
};

#if __has_include(<linux/tcp.h>) /* not where musl stands beside glibc */
#include <linux/tcp.h>
#define SAME(ours, theirs)                                                                         \
    _Static_assert(AT_##ours == offsetof(struct tcp_info, tcpi_##theirs) &&                        \
                       SIZE_##ours == sizeof(((struct tcp_info *)0)->tcpi_##theirs),               \
                   #ours);
FIELDS(SAME)
#endif

/* Linux 6.2 and 6.7: each where the one before ends, and the last at the end. */
_Static_assert(AT_rcv_wnd_bytes == 232 && AT_rehash == 236, "6.2");
_Static_assert(AT_total_rto == 240 && AT_total_rto_recoveries == 242, "6.7");
_Static_assert(AT_total_rto_time_ms + SIZE_total_rto_time_ms == TMO_TCPINFO_KNOWN, "6.7");

static char text[4096];

/* INFO as JSON, with a NUL instead of the newline. */
static const char *written(const struct tmo_tcpinfo *info)
{
    struct tmo_line line;
    tmo_line_begin(&line, TMO_FORMAT_JSON, text, sizeof(text));
    tmo_tcpinfo_write(info, &line);
    text[tmo_line_end(&line) - 1] = '\0';
    return text;
}

static bool has(const struct tmo_tcpinfo *info, const char *part)
{
    return strstr(written(info), part) != NULL;
}

/* Byte I of a made-up answer is I, so that each field's value tells where it was read. */
static void check_places(void)
{
    struct tmo_tcpinfo info = {.len = 280};
    for (size_t i = 0; i < sizeof(info.bytes); i++)
        info.bytes[i] = (unsigned char)i;
    CHECK(has(&info, "{\"state\":0,\"ca_state\":1,\"retransmits\":2,\"probes\":3,\"backoff\":4,"
                     "\"options\":[\"TIMESTAMPS\",\"WSCALE\"],\"snd_wscale\":6,\"rcv_wscale\":0,"
                     "\"delivery_rate_app_limited\":1,\"fastopen_client_fail\":3,\"rto_us\":"));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    CHECK(has(&info, "\"rto_us\":185207048,")); /* 0x0b0a0908 */
    CHECK(has(&info, "\"snd_wnd_bytes\":3890669028,\"rcv_wnd_bytes\":3958041064,"));
    CHECK(has(&info, "\"total_rto\":61936,\"total_rto_recoveries\":62450,"
                     "\"total_rto_time_ms\":4160157172,\"tail_hex\":\"f8f9fafbfcfdfeff0001"));
    CHECK(has(&info, "\"busy_time_us\":12659246559711111592,")); /* more than an int64_t holds */
#endif
    info.bytes[6] = 0x7a;
    CHECK(has(&info, "\"snd_wscale\":10,\"rcv_wscale\":7,"));
}

static void check_lengths(void)
{
    static const struct {
        uint32_t len;
        const char *has, *lacks;
    } rows[] = {
        {0, "{}", "state"},
        {1, "{\"state\":\"ESTABLISHED\"}", "ca_state"},
        {11, "\"fastopen_client_fail\":0}", "rto_us"},
        {12, "\"rto_us\":0}", "ato_us"},
        {104, "\"total_retrans\":0}", "pacing"},
        {111, "\"total_retrans\":0}", "pacing"},
        {112, "\"pacing_rate_bytes_per_s\":0}", "max_pacing"},
        {192, "\"sndbuf_limited_us\":0}", "delivered"},
        {232, "\"snd_wnd_bytes\":0}", "rcv_wnd"},
        {240, "\"rehash\":0}", "total_rto\""},
        {248, "\"total_rto_time_ms\":0}", "tail_hex"},
        {250, "\"total_rto_time_ms\":0,\"tail_hex\":\"0000\"}", "00000"},
        {280, "\"tail_hex\":\"", "cut"},
        {512, "\"tail_hex\":\"", "cut"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tmo_tcpinfo info = {.len = rows[i].len};
        info.bytes[0] = TMO_TCP_ESTABLISHED;
        check_row = rows[i].has;
        CHECK(has(&info, rows[i].has));
        CHECK(!has(&info, rows[i].lacks));
    }
    check_row = NULL;

    struct tmo_tcpinfo old = {.len = 104};
    memset(old.bytes, 0xff, sizeof(old.bytes));
    CHECK_EQ(tmo_tcpinfo_sacked(&old), UINT32_MAX);
    old.len = 31;
    CHECK_EQ(tmo_tcpinfo_sacked(&old), 0);
    CHECK_EQ(tmo_tcpinfo_unacked(&old), UINT32_MAX);
}

static void check_values(void)
{
    static const char *const states[] = {
        "0",
        "\"ESTABLISHED\"",
        "\"SYN_SENT\"",
        "\"SYN_RECV\"",
        "\"FIN_WAIT1\"",
        "\"FIN_WAIT2\"",
        "\"TIME_WAIT\"",
        "\"CLOSE\"",
        "\"CLOSE_WAIT\"",
        "\"LAST_ACK\"",
        "\"LISTEN\"",
        "\"CLOSING\"",
        "\"NEW_SYN_RECV\"",
        "13",
        "14",
    };
    struct tmo_tcpinfo info = {.len = 248};
    for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "{\"state\":%s,", states[i]);
        info.bytes[0] = (unsigned char)i;
        check_row = states[i];
        CHECK(has(&info, wanted));
    }
    check_row = NULL;
    CHECK(has(&info, "\"options\":[],"));
    info.bytes[5] = 0xff;
    CHECK(has(&info, "\"options\":[\"TIMESTAMPS\",\"SACK\",\"WSCALE\",\"ECN\",\"ECN_SEEN\","
                     "\"SYN_DATA\",\"USEC_TS\",\"TFO_CHILD\"],"));
    memset(info.bytes, 0xff, sizeof(info.bytes));
    CHECK(has(&info, "\"pacing_rate_bytes_per_s\":null,\"max_pacing_rate_bytes_per_s\":null,"
                     "\"bytes_acked\":18446744073709551615,"));
    CHECK(has(&info, "\"min_rtt_us\":null,"));
    CHECK(has(&info, "\"snd_ssthresh\":4294967295,"));
}

/* --- real sockets ---------------------------------------------------------------------------- */

static struct sockaddr_in at;

static int listener(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(at);
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return fd;
}

static int dial(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    (void)connect(fd, (struct sockaddr *)&at, sizeof(at));
    return fd;
}

static void abort_connection(int fd)
{
    struct linger hard = {1, 0};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(fd);
}

static void await(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    CHECK_EQ(poll(&p, 1, 1000), 1);
}

/* What is known of FD, and whether its "last" times are told: only if it was ever established. */
static void check_socket(const char *row, int fd, unsigned state, bool established)
{
    struct tmo_tcpinfo info = {.len = 0};
    check_row = row;
    CHECK_EQ(tmo_tcpinfo_get(fd, &info), 0);
    CHECK(info.len >= 192);
    CHECK_EQ(tmo_tcpinfo_state(&info), state);
    CHECK_EQ(tmo_tcpinfo_was_established(&info) != 0, established);
    CHECK_EQ(!has(&info, "\"last_data_sent_ms\":null,\"last_ack_sent_ms\":null,"
                         "\"last_data_recv_ms\":null,\"last_ack_recv_ms\":null,"),
             established);
    check_row = NULL;
}

static void check_sockets(void)
{
    int server = listener();
    check_socket("bound", server, TMO_TCP_CLOSE, false);
    int refused = dial(0);
    check_socket("refused", refused, TMO_TCP_CLOSE, false);
    close(refused);
    refused = dial(SOCK_NONBLOCK);
    check_socket("refused, not asked yet", refused, TMO_TCP_CLOSE, false);
    close(refused);

    CHECK_EQ(listen(server, 4), 0);
    check_socket("listening", server, TMO_TCP_LISTEN, false);
    int out = dial(0), in = accept(server, NULL, NULL);
    check_socket("connected", out, TMO_TCP_ESTABLISHED, true);
    check_socket("accepted", in, TMO_TCP_ESTABLISHED, true);
    abort_connection(out);
    await(in, POLLIN);
    check_socket("accepted, reset before any data", in, TMO_TCP_CLOSE, true);
    close(in);

    out = dial(0);
    in = accept(server, NULL, NULL);
    CHECK_EQ(send(out, "hello", 5, 0), 5);
    await(in, POLLIN);
    abort_connection(in);
    await(out, POLLERR);
    check_socket("connected, reset", out, TMO_TCP_CLOSE, true);
    struct tmo_tcpinfo info;
    CHECK_EQ(tmo_tcpinfo_get(out, &info), 0);
    CHECK(has(&info, "\"bytes_acked\":6,") && has(&info, "\"bytes_sent\":5,"));
    close(out);

    out = dial(0);
    CHECK_EQ(tmo_tcpinfo_get(server, &info), 0);
    CHECK_EQ(tmo_tcpinfo_unacked(&info), 1);
    CHECK_EQ(tmo_tcpinfo_sacked(&info), 4);
    close(out);
    close(server);
}

static void check_others(void)
{
    struct tmo_tcpinfo info = {.len = 77};
    int udp = socket(AF_INET, SOCK_DGRAM, 0), ends[2];
    errno = EDOM;
    CHECK_EQ(tmo_tcpinfo_get(udp, &info), -EOPNOTSUPP);
    CHECK_EQ(info.len, 0);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(tmo_tcpinfo_get(ends[0], &info), -ENOTSOCK);
    close(udp);
    CHECK_EQ(tmo_tcpinfo_get(udp, &info), -EBADF);
    CHECK_EQ(errno, EDOM);
    CHECK_EQ(tmo_tcpinfo_was_established(&info), 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    check_places();
    check_lengths();
    check_values();
    check_sockets();
    check_others();
    return check_end();
}
