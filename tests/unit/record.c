/* SPDX-License-Identifier: MIT
 * report/record, with line and address: whole lines in both formats, times, addresses, escapes that
 * let no record be forged, and the cut at 4,096 bytes.
 */
#include "config/load.h"
#include "config/version.h"
#include "shim/report/address.h"
#include "shim/report/line.h"
#include "shim/report/record.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/un.h>

static char buf[TMO_RECORD_MAX + 1];

/* EVENT as a line, whose newline is checked and taken off. */
static const char *written(const struct tmo_event *event, enum tmo_log_format format, uint64_t lost)
{
    memset(buf, '~', sizeof(buf));
    size_t len = tmo_record_write(event, format, lost, buf);
    CHECK(len > 1 && len <= TMO_RECORD_MAX);
    CHECK_EQ(buf[TMO_RECORD_MAX], '~');
    CHECK(memchr(buf, '\n', len) == buf + len - 1);
    buf[len - 1] = '\0';
    return buf;
}

static struct tmo_event blank(enum tmo_event_kind kind)
{
    return (struct tmo_event){
        .kind = kind,
        .wall_us = 1795568523000123, /* 2026-11-25T01:02:03.000123Z */
        .pid = 12,
        .tid = 34,
        .program = "p",
        .fd = TMO_UNKNOWN,
        .age_ms = TMO_UNKNOWN,
        .connect_ms = TMO_UNKNOWN,
        .timeouts = TMO_UNKNOWN,
        .took_ms = TMO_UNKNOWN,
        .accept_queue = TMO_UNKNOWN,
        .accept_queue_limit = TMO_UNKNOWN,
        .accept_queue_highest = TMO_UNKNOWN,
        .accepted = TMO_UNKNOWN,
    };
}

static struct tmo_address in4(const char *text, uint16_t port)
{
    struct tmo_address a = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a.any;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, text, &in->sin_addr);
    return a;
}

static struct tmo_address in6(const char *text, uint16_t port, uint32_t scope)
{
    struct tmo_address a = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&a.any;
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    in->sin6_scope_id = scope;
    inet_pton(AF_INET6, text, &in->sin6_addr);
    return a;
}

static struct tmo_address un(const char *path, size_t len)
{
    struct tmo_address a = {.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)};
    struct sockaddr_un *u = (struct sockaddr_un *)(void *)&a.any;
    u->sun_family = AF_UNIX;
    memcpy(u->sun_path, path, len);
    return a;
}

/* --- times ----------------------------------------------------------------------------------- */

static void check_times(void)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {86399999999, "1970-01-01T23:59:59.999999Z"},
        {86400000000, "1970-01-02T00:00:00.000000Z"},
        {951782399000000, "2000-02-28T23:59:59.000000Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {951868800000000, "2000-03-01T00:00:00.000000Z"},
        {1709164800000000, "2024-02-29T00:00:00.000000Z"},
        {1735689599999999, "2024-12-31T23:59:59.999999Z"},
        {1795568523000123, "2026-11-25T01:02:03.000123Z"},
        {2147483648000000, "2038-01-19T03:14:08.000000Z"},
        {4107542399000000, "2100-02-28T23:59:59.000000Z"},
        {4107542400000000, "2100-03-01T00:00:00.000000Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tmo_event e = blank(TMO_RECORD_PROBLEM);
        char wanted[64];
        e.wall_us = rows[i].us;
        snprintf(wanted, sizeof(wanted), "{\"ts\":\"%s\",", rows[i].text);
        check_row = rows[i].text;
        CHECK(strncmp(written(&e, TMO_FORMAT_JSON, 0), wanted, strlen(wanted)) == 0);
    }
    check_row = NULL;
}

/* --- addresses ------------------------------------------------------------------------------- */

static void check_address(const struct tmo_address *a, const char *wanted)
{
    char text[TMO_ADDRESS_TEXT + 1];
    size_t len = tmo_address_print(a, text);
    check_row = wanted;
    CHECK(len <= TMO_ADDRESS_TEXT);
    text[len] = '\0';
    CHECK_TEXT(text, wanted);
    check_row = NULL;
}

static void check_addresses(void)
{
    static const struct {
        const char *in, *out;
        uint32_t scope;
    } v6[] = {
        {"::", "[::]:80", 0},
        {"::1", "[::1]:80", 0},
        {"1::", "[1::]:80", 0},
        {"2001:DB8::a", "[2001:db8::a]:80", 0},
        {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80", 0},
        {"2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80", 0},
        {"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80", 0},
        {"0:0:1:2:3:4:5:6", "[::1:2:3:4:5:6]:80", 0},
        {"1:2:3:4:5:6:0:0", "[1:2:3:4:5:6::]:80", 0},
        {"1:2:3:4:5:6:7:0", "[1:2:3:4:5:6:7:0]:80", 0},
        {"fe80::1", "[fe80::1%3]:80", 3},
        {"fe80::1", "[fe80::1%4294967295]:80", UINT32_MAX},
        {"::ffff:1.2.3.4", "1.2.3.4:80", 0},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80",
         0},
    };
    for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
        struct tmo_address a = in6(v6[i].in, 80, v6[i].scope);
        check_address(&a, v6[i].out);
    }
    struct tmo_address a = in4("127.0.0.1", 80);
    check_address(&a, "127.0.0.1:80");
    a = in4("255.255.255.255", 65535);
    check_address(&a, "255.255.255.255:65535");
    a = in4("0.0.0.0", 0);
    check_address(&a, "0.0.0.0:0");
    a.len = sizeof(struct sockaddr_in) - 1;
    check_address(&a, "");
    a = un("/run/x.sock", 12);
    check_address(&a, "unix:/run/x.sock");
    a = un("/run/x.sock", 11); /* the NUL need not be counted, unix(7) */
    check_address(&a, "unix:/run/x.sock");
    a = un("\0name", 5);
    check_address(&a, "unix:@name");
    a = un("@name", 6);
    check_address(&a, "unix:./@name");
    a = un("", 0);
    check_address(&a, "unix:");
    a.any.ss_family = AF_NETLINK;
    check_address(&a, "");
    a = (struct tmo_address){.len = 0};
    check_address(&a, "");

    char path[108];
    memset(path, 'x', sizeof(path)); /* as long as it can be, without a NUL */
    a = un(path, sizeof(path));
    char text[TMO_ADDRESS_TEXT];
    CHECK_EQ(tmo_address_print(&a, text), 5 + 108);
}

/* --- escapes --------------------------------------------------------------------------------- */

static const struct {
    const char *value, *json, *text;
} strings[] = {
    {"plain", "plain", "plain"},
    {"", "", "\"\""},
    {"a b", "a b", "\"a b\""},
    {"a=b", "a=b", "\"a=b\""},
    {"\"", "\\\"", "\"\\\"\""},
    {"\\", "\\\\", "\"\\\\\""},
    {"/*,:{}[]", "/*,:{}[]", "/*,:{}[]"},
    {"a\nevent=close", "a\\nevent=close", "\"a\\nevent=close\""},
    {"\r\t\b\f", "\\r\\t\\b\\f", "\"\\r\\t\\b\\f\""},
    {"\x01\x1b[31m", "\\u0001\\u001b[31m", "\"\\u0001\\u001b[31m\""},
    {"\x7f", "\\u007f", "\"\\u007f\""},
    {"\xc2\x85", "\\u0085", "\"\\u0085\""},                               /* NEL, a C1 control */
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029", "\"\\u2028\\u2029\""}, /* line separators */
    {"\xe2\x80\xae", "\\u202e", "\"\\u202e\""},                           /* right to left */
    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
    {"\xff", "\\ufffd", "\"\\xff\""},
    {"\x80", "\\ufffd", "\"\\x80\""},
    {"\xc3", "\\ufffd", "\"\\xc3\""},
    {"\xc3\"", "\\ufffd\\\"", "\"\\xc3\\\"\""},       /* no lead byte swallows a quote */
    {"\xc0\xaf", "\\ufffd\\ufffd", "\"\\xc0\\xaf\""}, /* overlong '/' */
    {"\xc1\xbf", "\\ufffd\\ufffd", "\"\\xc1\\xbf\""},
    {"\xe0\x9f\xbf", "\\ufffd\\ufffd\\ufffd", "\"\\xe0\\x9f\\xbf\""},
    {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd", "\"\\xed\\xa0\\x80\""}, /* a surrogate */
    {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd", "\"\\xf4\\x90\\x80\\x80\""},
    {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""},
    {"\",\"pid\":1,\"x\":\"", "\\\",\\\"pid\\\":1,\\\"x\\\":\\\"",
     "\"\\\",\\\"pid\\\":1,\\\"x\\\":\\\"\""},
};

static void check_strings(void)
{
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        struct tmo_event e = blank(TMO_RECORD_PROBLEM);
        char wanted[256];
        e.what = "w";
        e.where = strings[i].value;
        e.value = "v";
        check_row = strings[i].json;
        snprintf(wanted, sizeof(wanted), ",\"what\":\"w\",\"where\":\"%s\",\"value\":\"v\"}",
                 strings[i].json);
        CHECK(strstr(written(&e, TMO_FORMAT_JSON, 0), wanted) != NULL);
        snprintf(wanted, sizeof(wanted), " what=w where=%s value=v", strings[i].text);
        CHECK(strstr(written(&e, TMO_FORMAT_TEXT, 0), wanted) != NULL);
    }
    check_row = NULL;

    /* A name in the abstract name space may hold anything, NULs too. */
    struct tmo_event e = blank(TMO_RECORD_LISTEN);
    e.local = un("\0a\0\nb", 5);
    CHECK(strstr(written(&e, TMO_FORMAT_JSON, 0), "\"local\":\"unix:@a\\u0000\\nb\"}") != NULL);
}

/* --- whole lines ----------------------------------------------------------------------------- */

#define JSON_HEAD(event)                                                                           \
    "{\"ts\":\"2026-11-25T01:02:03.000123Z\",\"event\":\"" event                                   \
    "\",\"v\":1,\"pid\":12,\"tid\":34,\"program\":\"p\","
#define TEXT_HEAD(event)                                                                           \
    "ts=2026-11-25T01:02:03.000123Z event=" event " v=1 pid=12 tid=34 program=p "

static void check_connections(void)
{
    struct tmo_tcpinfo info = {.len = 12};
    info.bytes[0] = TMO_TCP_ESTABLISHED;
    info.bytes[5] = 3;
    struct tmo_event e = blank(TMO_RECORD_CLOSE);
    e.fd = 5;
    e.proto = "tcp";
    e.dir = "out";
    e.local = in4("127.0.0.1", 4000);
    e.peer = in6("::1", 80, 0);
    e.host = "a.test";
    e.age_ms = 1234567890123;
    e.reason = "close";
    e.shared = true;
    e.timeouts = 0;
    e.tcp = &info;
    CHECK_TEXT(
        written(&e, TMO_FORMAT_JSON, 7),
        JSON_HEAD(
            "close") "\"fd\":5,\"proto\":\"tcp\",\"dir\":\"out\","
                     "\"local\":\"127.0.0.1:4000\",\"peer\":\"[::1]:80\",\"host\":\"a.test\",\"age_ms\":1234567890123,"
                     "\"reason\":\"close\",\"shared\":true,\"timeouts\":0,\"lost\":7,"
                     "\"tcp\":{\"state\":\"ESTABLISHED\",\"ca_state\":0,\"retransmits\":0,\"probes\":0,"
                     "\"backoff\":0,\"options\":[\"TIMESTAMPS\",\"SACK\"],\"snd_wscale\":0,"
                     "\"rcv_wscale\":0,\"delivery_rate_app_limited\":0,\"fastopen_client_fail\":0,"
                     "\"rto_us\":0}}");
    CHECK_TEXT(
        written(&e, TMO_FORMAT_TEXT, 0),
        TEXT_HEAD(
            "close") "fd=5 proto=tcp dir=out local=127.0.0.1:4000 peer=[::1]:80 host=a.test "
                     "age_ms=1234567890123 reason=close shared=true timeouts=0 tcp.state=ESTABLISHED "
                     "tcp.ca_state=0 tcp.retransmits=0 tcp.probes=0 tcp.backoff=0 "
                     "tcp.options=TIMESTAMPS,SACK tcp.snd_wscale=0 tcp.rcv_wscale=0 "
                     "tcp.delivery_rate_app_limited=0 tcp.fastopen_client_fail=0 tcp.rto_us=0");

    e = blank(TMO_RECORD_LISTEN);
    e.dir = "listen";
    e.accept_queue = 1;
    e.accept_queue_limit = 128;
    e.accept_queue_highest = 3;
    e.accepted = 0;
    CHECK_TEXT(
        written(&e, TMO_FORMAT_JSON, 0),
        JSON_HEAD(
            "listen") "\"dir\":\"listen\",\"accept_queue\":1,"
                      "\"accept_queue_limit\":128,\"accept_queue_highest\":3,\"accepted\":0}");

    e = blank(TMO_RECORD_TIMEOUT);
    e.limit = "recv";
    e.limit_ms = 2000;
    e.call = "recvfrom";
    e.waited_ms = 2001;
    e.action = "error";
    e.fd = 0;
    e.timeouts = 1;
    CHECK_TEXT(written(&e, TMO_FORMAT_TEXT, 1),
               TEXT_HEAD("timeout") "limit=recv limit_ms=2000 call=recvfrom waited_ms=2001 "
                                    "action=error fd=0 timeouts=1 lost=1");

    e = blank(TMO_RECORD_CONNECT);
    e.outcome = "error";
    e.error = ECONNREFUSED;
    e.took_ms = 0;
    CHECK_TEXT(written(&e, TMO_FORMAT_JSON, 0),
               JSON_HEAD("connect") "\"outcome\":\"error\",\"errno\":\"ECONNREFUSED\","
                                    "\"took_ms\":0}");
    e.host = "a\",\"pid\":1\n";
    CHECK(strstr(written(&e, TMO_FORMAT_JSON, 0), "\"host\":\"a\\\",\\\"pid\\\":1\\n\"}") != NULL);
    e.host = NULL;
    e.error = 4095;
    CHECK(strstr(written(&e, TMO_FORMAT_JSON, 0), "\"errno\":4095,") != NULL);
    e.error = 0;
    CHECK(strstr(written(&e, TMO_FORMAT_JSON, 0), "errno") == NULL);
}

static void check_start(void)
{
    static struct tmo_config cfg;
    static const char *const env[] = {"SOCKTMO_RECV=1.5s",
                                      "SOCKTMO_KEEPALIVE=60s/10s/5",
                                      "SOCKTMO_ONLY=a b,c",
                                      "SOCKTMO_MODE=force",
                                      "SOCKTMO_ERRNO=kernel",
                                      "SOCKTMO_EVENTS=all",
                                      NULL};
    struct tmo_event e = blank(TMO_RECORD_START);
    tmo_config_init(&cfg);
    e.cfg = &cfg;
    CHECK_EQ(tmo_config_load_env(&cfg, (char *const *)(uintptr_t)env, NULL, NULL), 0);
    const char *json = written(&e, TMO_FORMAT_JSON, 2);
    CHECK(strncmp(json, JSON_HEAD("start"), strlen(JSON_HEAD("start"))) == 0);
    CHECK(strstr(json, "\"version\":\"" TMO_VERSION
                       "\",\"lost\":2,\"settings\":{\"connect\":\"off\",") != NULL);
    CHECK(strstr(json, "\"recv\":\"1500ms\"") != NULL);
    CHECK(strstr(json, "\"errno\":\"kernel\"") != NULL);
    CHECK(strstr(json, "\"keepalive\":\"1m/10s/5\"") != NULL);
    CHECK(strstr(json, "\"only\":\"a b,c\",\"skip\":\"\"") != NULL);
    const char *text = written(&e, TMO_FORMAT_TEXT, 0);
    CHECK(strstr(text, " settings.recv=1500ms ") != NULL);
    CHECK(strstr(text, " settings.only=\"a b,c\" ") != NULL);
    for (int id = 0; id < TMO_SETTINGS; id++) { /* each of them, by its name in small letters */
        char key[64];
        size_t at = (size_t)sprintf(key, " settings.%s=", tmo_setting_info[id].name);
        for (size_t i = sizeof(" settings.") - 1; i < at; i++)
            key[i] = key[i] >= 'A' && key[i] <= 'Z' ? (char)(key[i] - 'A' + 'a') : key[i];
        check_row = key;
        CHECK(strstr(text, key) != NULL);
        check_row = NULL;
    }
}

/* --- the cut --------------------------------------------------------------------------------- */

/* The longest record that can be: every number at its longest, every string of the worst bytes. */
static void check_longest(enum tmo_log_format format)
{
    struct tmo_tcpinfo info = {.len = TMO_TCPINFO_MAX};
    static char worst[5000];
    char name[108];
    memset(info.bytes, 0xfe, sizeof(info.bytes));
    memset(worst, '\x01', sizeof(worst) - 1);
    memset(name, '\0', sizeof(name));
    struct tmo_event e = blank(TMO_RECORD_CLOSE);
    e.program = worst;
    e.local = e.peer = un(name, sizeof(name));
    e.host = worst;
    e.pid = e.tid = INT32_MAX;
    e.age_ms = e.connect_ms = e.timeouts = e.accepted = INT64_MIN;
    e.reason = "timeout";
    e.tcp = &info;
    const char *line = written(&e, format, UINT64_MAX);
    const char *end = format == TMO_FORMAT_JSON ? ",\"cut\":true}" : " cut=true";
    CHECK(strlen(line) > TMO_RECORD_MAX - 200);
    CHECK_TEXT(line + strlen(line) - strlen(end), end);
    CHECK(strstr(line, "18446744073709551615") != NULL);
}

/* However long a string is, the line is whole: quotes and braces closed, no escape split. */
static void check_every_length(void)
{
    static char value[4200];
    struct tmo_event e = blank(TMO_RECORD_PROBLEM);
    struct tmo_tcpinfo info = {.len = 248};
    e.where = "";
    for (size_t len = 0; len < sizeof(value); len += 1 + len / 40) {
        memset(value, len % 2 != 0 ? '"' : 'x', len);
        value[len] = '\0';
        e.kind = TMO_RECORD_PROBLEM;
        e.what = e.value = value;
        const char *line = written(&e, TMO_FORMAT_JSON, 0);
        size_t end = strlen(line);
        CHECK(line[end - 1] == '}' && (line[end - 2] == '"' || line[end - 2] == 'e'));
        CHECK_EQ(strstr(line, "\"cut\":true") != NULL, len * (1 + len % 2) > 1022);
    }
    /* The same at the end of the line, key by key. */
    for (size_t size = 128; size < 2200; size++) {
        struct tmo_line line;
        memset(buf, '~', sizeof(buf));
        tmo_line_begin(&line, TMO_FORMAT_JSON, buf, size);
        tmo_line_string(&line, TMO_KEY("s"), "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01");
        tmo_line_open(&line, TMO_KEY("tcp"));
        tmo_tcpinfo_write(&info, &line);
        size_t len = tmo_line_end(&line);
        CHECK(len <= size && buf[size] == '~' && buf[len - 1] == '\n');
        CHECK(line.cut ? memcmp(buf + len - 14, "},\"cut\":true}\n", 14) == 0 ||
                             memcmp(buf + len - 14, "\",\"cut\":true}\n", 14) == 0
                       : memcmp(buf + len - 3, "}}\n", 3) == 0);
    }
}

static void check_inner(void)
{
    struct tmo_line line;
    char small[128];
    tmo_line_begin(&line, TMO_FORMAT_JSON, small, sizeof(small));
    tmo_line_word(&line, TMO_KEY("a"),
                  "123456789012345678901234567890123456789012345678901234567890"
                  "123456789012345678901234567890");
    tmo_line_open(&line, TMO_KEY("inner"));
    tmo_line_number(&line, TMO_KEY("x"), 1); /* would fit, but its object does not */
    tmo_line_close(&line);
    tmo_line_null(&line, TMO_KEY("n")); /* nor does this */
    size_t len = tmo_line_end(&line);
    CHECK(memcmp(small + len - 16, "90\",\"cut\":true}\n", 16) == 0);

    tmo_line_begin(&line, TMO_FORMAT_JSON, small, sizeof(small));
    CHECK_EQ(tmo_line_end(&line), 3);
    CHECK(memcmp(small, "{}\n", 3) == 0);
    tmo_line_begin(&line, TMO_FORMAT_JSON, small, sizeof(small));
    tmo_line_number(&line, TMO_KEY("a"), INT64_MIN);
    tmo_line_number(&line, TMO_KEY("b"), -7);
    tmo_line_number(&line, TMO_KEY("c"), 99);
    tmo_line_number(&line, TMO_KEY("d"), 100);
    small[tmo_line_end(&line)] = '\0';
    CHECK_TEXT(small, "{\"a\":-9223372036854775808,\"b\":-7,\"c\":99,\"d\":100}\n");
}

int main(void)
{
    check_times();
    check_addresses();
    check_strings();
    check_connections();
    check_start();
    check_longest(TMO_FORMAT_JSON);
    check_longest(TMO_FORMAT_TEXT);
    check_every_length();
    check_inner();
    return check_end();
}
