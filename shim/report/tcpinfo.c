/* SPDX-License-Identifier: MIT
 * TCP_INFO: asking for it, reading and writing its fields by the table. See tcpinfo.h.
 * The kernel fills in as much as it knows and says how much: do_tcp_getsockopt(), net/ipv4/tcp.c.
 */
#include "shim/report/tcpinfo.h"
#include "shim/report/line.h"
#include "shim/sys/raw.h"

#include <netinet/in.h>
#include <string.h>

#define OPT_TCP_INFO                                                                               \
    11 /* TCP_INFO, linux/tcp.h; that header and netinet/tcp.h exclude each other */

enum kind { NUMBER, STATE, OPTIONS, OPEN, LAST };

/* Names are held in place: a table of pointers would have to be relocated at every start. */
struct field {
    char name[29];
    uint8_t name_len, offset, size, shift, bits, kind;
};

static const struct field fields[] = {
#define TCPINFO(name, offset, size, shift, bits, kind)                                             \
    {#name, sizeof(#name) - 1, offset, size, shift, bits, kind},
#include "shim/report/tcpinfo.def"
#undef TCPINFO
};

/* include/net/tcp_states.h */
static const char states[][13] = {
    "",      "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",    "TIME_WAIT",
    "CLOSE", "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV",
};

/* TCPI_OPT_* in include/uapi/linux/tcp.h; USEC_TS since 6.7, TFO_CHILD since 6.18 */
static const char options[][12] = {"TIMESTAMPS", "SACK",     "WSCALE",  "ECN",
                                   "ECN_SEEN",   "SYN_DATA", "USEC_TS", "TFO_CHILD"};

int tmo_tcpinfo_get(int fd, struct tmo_tcpinfo *ret)
{
    socklen_t len = sizeof(ret->bytes);
    int r = tmo_raw_getsockopt(fd, IPPROTO_TCP, OPT_TCP_INFO, ret->bytes, &len);
    ret->len = r == 0 ? len : 0;
    return r;
}

/* SIZE bytes at OFFSET; 0 where the kernel did not fill them in. */
static uint64_t read_at(const struct tmo_tcpinfo *info, size_t offset, size_t size)
{
    const unsigned char *at = info->bytes + offset;
    uint64_t n8;
    uint32_t n4;
    uint16_t n2;
    if (offset + size > info->len)
        return 0;
    switch (size) {
    case 8:
        memcpy(&n8, at, sizeof(n8));
        return n8;
    case 4:
        memcpy(&n4, at, sizeof(n4));
        return n4;
    case 2:
        memcpy(&n2, at, sizeof(n2));
        return n2;
    default:
        return *at;
    }
}

static uint64_t read_field(const struct tmo_tcpinfo *info, const struct field *f)
{
    uint64_t n = read_at(info, f->offset, f->size);
    if (f->bits == 0)
        return n;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    unsigned shift = 8u - f->shift - f->bits;
#else
    unsigned shift = f->shift;
#endif
    return n >> shift & ((1u << f->bits) - 1);
}

unsigned tmo_tcpinfo_state(const struct tmo_tcpinfo *info)
{
    return (unsigned)read_at(info, 0, 1);
}

uint32_t tmo_tcpinfo_unacked(const struct tmo_tcpinfo *info)
{
    return (uint32_t)read_at(info, 24, 4);
}

uint32_t tmo_tcpinfo_sacked(const struct tmo_tcpinfo *info)
{
    return (uint32_t)read_at(info, 28, 4);
}

int tmo_tcpinfo_was_established(const struct tmo_tcpinfo *info)
{
    unsigned state = tmo_tcpinfo_state(info);
    if (state == 0 || state == TMO_TCP_LISTEN)
        return 0;
    if (read_at(info, 120, 8) > 0 || read_at(info, 128, 8) > 0)
        return 1; /* bytes_acked counts our SYN, so every connect that went well has it */
    /* An accepted connection that was reset before any data has come has neither, but its SYN and
     * ACK are counted in segs_in. A refused one has seen a RST at most. (Linux 6.18, by trial.) */
    if (state == TMO_TCP_CLOSE)
        return read_at(info, 140, 4) >= 2;
    return state != TMO_TCP_SYN_SENT && states[state < 13 ? state : 0][0] != '\0' &&
           state != 3 /* SYN_RECV */ && state != 12 /* NEW_SYN_RECV */;
}

static void write_field(struct tmo_line *line, const struct tmo_tcpinfo *info,
                        const struct field *f, bool established)
{
    uint64_t n = read_field(info, f);
    switch (f->kind) {
    case STATE:
        if (n > 0 && n < sizeof(states) / sizeof(states[0]))
            tmo_line_word(line, f->name, f->name_len, states[n]);
        else
            tmo_line_unsigned(line, f->name, f->name_len, n);
        return;
    case OPTIONS:
        tmo_line_bits(line, f->name, f->name_len, options, sizeof(options) / sizeof(options[0]),
                      (unsigned)n);
        return;
    case OPEN:
        if (n == (f->size == 8 ? UINT64_MAX : UINT32_MAX))
            break;
        tmo_line_unsigned(line, f->name, f->name_len, n);
        return;
    case LAST:
        if (!established)
            break;
        tmo_line_unsigned(line, f->name, f->name_len, n);
        return;
    default:
        tmo_line_unsigned(line, f->name, f->name_len, n);
        return;
    }
    tmo_line_null(line, f->name, f->name_len);
}

void tmo_tcpinfo_write(const struct tmo_tcpinfo *info, struct tmo_line *line)
{
    bool established = tmo_tcpinfo_was_established(info) != 0;
    size_t len = info->len < TMO_TCPINFO_MAX ? info->len : TMO_TCPINFO_MAX;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct field *f = &fields[i];
        if ((size_t)f->offset + f->size <= len)
            write_field(line, info, f, established);
    }
    if (len > TMO_TCPINFO_KNOWN)
        tmo_line_hex(line, TMO_KEY("tail_hex"), info->bytes + TMO_TCPINFO_KNOWN,
                     len - TMO_TCPINFO_KNOWN);
}
