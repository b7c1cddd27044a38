/* SPDX-License-Identifier: MIT
 * Fuzzing of report/record and all below it, for libFuzzer: whatever a peer, a path or a program's
 * name has in it, a record is one line, and what is in it stays in its quotes.
 *
 * The input: a byte for the kind of event and the format, a length, a program's name, then the
 * local and the peer's address, and TCP_INFO is what is left. A text ends at its length, not at a
 * NUL.
 */
#include "config/load.h"
#include "shim/report/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* Takes up to MAX bytes. Returns how many. */
static size_t bytes(struct input *in, void *ret, size_t max)
{
    size_t len = byte(in);
    len = len < max ? len : max;
    len = len < in->left ? len : in->left;
    memcpy(ret, in->at, len);
    in->at += len;
    in->left -= len;
    return len;
}

static int64_t number(struct input *in)
{
    int64_t n = TMO_UNKNOWN;
    size_t len = bytes(in, &n, sizeof(n));
    return len > 0 && n >= 0 ? n : TMO_UNKNOWN;
}

static void address(struct input *in, struct tmo_address *ret)
{
    static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC};
    memset(ret, 0, sizeof(*ret));
    sa_family_t family = families[byte(in) % 4];
    size_t room = sizeof(struct sockaddr_un) - sizeof(family);
    ret->any.ss_family = family;
    size_t len = bytes(in, (char *)&ret->any + sizeof(family), room);
    ret->len = len > 0 ? (socklen_t)(len + sizeof(family)) : 0;
}

/* One line of JSON: within quotes nothing but what may be there, outside no letter but of numbers,
 * true, false and null; brackets in pairs. */
static void check_json(const char *line, size_t len)
{
    int depth = 0;
    bool quoted = false;
    require(len > 2 && line[0] == '{' && line[len - 2] == '}');
    for (size_t i = 0; i < len - 1; i++) {
        unsigned char c = (unsigned char)line[i];
        require(c >= 0x20 && c != 0x7f);
        if (quoted && c == '\\') {
            c = (unsigned char)line[++i];
            require(strchr("\"\\/bfnrtu", c) != NULL && c != '\0');
            for (int k = 0; c == 'u' && k < 4; k++)
                require(strchr("0123456789abcdefABCDEF", line[++i]) != NULL);
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            require(strchr("{}[]:,-0123456789.truefalsn", c) != NULL);
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            require(depth > 0 || i == len - 2);
        }
    }
    require(!quoted && depth == 0);
}

static void check_text(const char *line, size_t len)
{
    for (size_t i = 0; i < len - 1; i++)
        require((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tmo_config cfg;
    struct input in = {data, size};
    char line[TMO_RECORD_MAX + 1], program[64] = "", where[64] = "", value[256] = "";
    struct tmo_tcpinfo info = {.len = 0};
    uint8_t how = byte(&in);
    struct tmo_event event = {
        .kind = (enum tmo_event_kind)(how % 6),
        .program = program,
        .proto = "tcp",
        .dir = "out",
        .reason = "close",
        .limit = "recv",
        .call = "recv",
        .action = "error",
        .outcome = "ok",
        .where = where,
        .host = where,
        .value = value,
        .what = "expected a duration",
        .cfg = &cfg,
    };

    tmo_config_init(&cfg);
    program[bytes(&in, program, sizeof(program) - 1)] = '\0';
    address(&in, &event.local);
    address(&in, &event.peer);
    where[bytes(&in, where, sizeof(where) - 1)] = '\0';
    value[bytes(&in, value, sizeof(value) - 1)] = '\0';
    event.wall_us = number(&in);
    if (event.wall_us < 0 || event.wall_us > 253402300799999999) /* the year 9999 */
        event.wall_us = 0;
    event.fd = (int)(number(&in) & 0xffffff);
    event.age_ms = number(&in);
    event.connect_ms = number(&in);
    event.timeouts = number(&in);
    event.accept_queue = number(&in);
    event.took_ms = number(&in);
    event.limit_ms = event.waited_ms = 1;
    event.error = byte(&in);
    uint64_t lost = (uint64_t)number(&in) + 1;
    info.len = (uint32_t)(in.left < sizeof(info.bytes) ? in.left : sizeof(info.bytes));
    memcpy(info.bytes, in.at, info.len);
    if (info.len > 0)
        event.tcp = &info;

    memset(line, '~', sizeof(line));
    enum tmo_log_format format = (how & 0x80) != 0 ? TMO_FORMAT_TEXT : TMO_FORMAT_JSON;
    size_t len = tmo_record_write(&event, format, lost, line);
    require(len > 1 && len <= TMO_RECORD_MAX && line[TMO_RECORD_MAX] == '~');
    require(memchr(line, '\n', len) == line + len - 1);
    if (format == TMO_FORMAT_JSON)
        check_json(line, len);
    else
        check_text(line, len);
    return 0;
}
