/* SPDX-License-Identifier: MIT
 * config/sockopts: the table, values of each type, faults.
 */
#include "config/sockopts.h"
#include "config/sockopts-numbers.h"
#include "tests/unit/check.h"

#include <errno.h>

static int parse(const char *text, struct tmo_sockopt *ret, struct tmo_sockopt_fault *fault)
{
    return tmo_sockopts_parse(text, strlen(text), ret, fault);
}

/* --- every row ------------------------------------------------------------------------------- */

static const char *value_of[] = {
    [TMO_OPT_INT] = "7",   [TMO_OPT_UINT] = "4294967295", [TMO_OPT_CODE] = "-3",
    [TMO_OPT_BOOL] = "on", [TMO_OPT_S] = "90s",           [TMO_OPT_MS] = "1500ms",
    [TMO_OPT_US] = "50us", [TMO_OPT_LINGER] = "on/5",     [TMO_OPT_PORTS] = "40000-40999",
    [TMO_OPT_INDEX] = "2", [TMO_OPT_TEXT] = "cubic",
};

static void check_rows(void)
{
    struct tmo_sockopt list[TMO_SOCKOPTS], one;
    char text[128], printed[TMO_SOCKOPT_TEXT], small[64];
    unsigned rows = 0;

    for (const char *name; (name = tmo_sockopt_name(rows)) != NULL; rows++) {
        struct tmo_sockopt_fault fault;
        check_row = name;
        /* by a value that is none: which row it is says the fault */
        snprintf(text, sizeof(text), "%s=", name);
        CHECK_EQ(parse(text, list, &fault), -EINVAL);
        CHECK(strncmp(fault.what, "expected ", 9) == 0);
        CHECK_TEXT(fault.what + 9, tmo_sockopt_expected(rows));

        bool found = false;
        for (size_t type = 0; type < sizeof(value_of) / sizeof(value_of[0]) && !found; type++) {
            snprintf(text, sizeof(text), "%s=%s", name, value_of[type]);
            found = parse(text, list, NULL) == 1 && list[0].type == type;
        }
        CHECK(found);
        one = list[0];
        CHECK_EQ(one.row, rows);
        CHECK_EQ(tmo_sockopt_row(one.level, one.name), rows);
        size_t len = tmo_sockopt_print(&one, printed);
        CHECK_EQ(len, strlen(text));
        CHECK_TEXT(printed, text);

        for (size_t i = 0; i <= strlen(name); i++) /* in either case */
            small[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
        snprintf(text, sizeof(text), " %s = %s ", small, value_of[one.type]);
        CHECK_EQ(parse(text, list, NULL), 1);
        CHECK(memcmp(&list[0], &one, sizeof(one)) == 0);
    }
    CHECK(rows > 100 && rows <= TMO_SOCKOPT_NUMBERED);
    CHECK(tmo_sockopt_name(TMO_SOCKOPT_NUMBERED) == NULL);
    check_row = NULL;
}

/* --- values ---------------------------------------------------------------------------------- */

static const struct {
    const char *text, *printed;
} good[] = {
    {"TCP_NODELAY=1", "TCP_NODELAY=on"},
    {"tcp_nodelay=NO", "TCP_NODELAY=off"},
    {"TCP_NODELAY=true", "TCP_NODELAY=on"},
    {"SO_RCVBUF=262144", "SO_RCVBUF=262144"},
    {"SO_RCVBUF=-1", "SO_RCVBUF=-1"},
    {"SO_RCVBUF=2147483647", "SO_RCVBUF=2147483647"},
    {"IP_TOS=0x10", "IP_TOS=16"},
    {"SO_MARK=0xffffffff", "SO_MARK=-1"}, /* the same 32 bits */
    {"TCP_KEEPIDLE=60", "TCP_KEEPIDLE=1m"},
    {"TCP_KEEPIDLE=1ms", "TCP_KEEPIDLE=1s"}, /* never down, and never to 0 */
    {"TCP_KEEPINTVL=1.2s", "TCP_KEEPINTVL=2s"},
    {"TCP_USER_TIMEOUT=30s", "TCP_USER_TIMEOUT=30s"},
    {"TCP_USER_TIMEOUT=1us", "TCP_USER_TIMEOUT=1ms"},
    {"TCP_USER_TIMEOUT=off", "TCP_USER_TIMEOUT=off"},
    {"TCP_USER_TIMEOUT=0", "TCP_USER_TIMEOUT=off"},
    {"SO_BUSY_POLL=50us", "SO_BUSY_POLL=50us"},
    {"SO_BUSY_POLL=0.0001ms", "SO_BUSY_POLL=1us"},
    {"SO_BUSY_POLL=2000us", "SO_BUSY_POLL=2ms"},
    {"SO_LINGER=on/5", "SO_LINGER=on/5"},
    {"SO_LINGER=yes/1500ms", "SO_LINGER=on/2"},
    {"SO_LINGER=on/0", "SO_LINGER=on/0"}, /* a reset at close */
    {"SO_LINGER=off", "SO_LINGER=off"},
    {"IP_LOCAL_PORT_RANGE=1-65535", "IP_LOCAL_PORT_RANGE=1-65535"},
    {"IP_LOCAL_PORT_RANGE=off", "IP_LOCAL_PORT_RANGE=off"},
    {"TCP_CONGESTION=cubic", "TCP_CONGESTION=cubic"},
    {"SO_BINDTODEVICE=a23456789012345", "SO_BINDTODEVICE=a23456789012345"},
    {"6:18=30000", "6:18=30000"},
    {"284:5=-1", "284:5=-1"},
    {"65535:65535=1", "65535:65535=1"},
};

static const struct {
    const char *text, *what;
} bad[] = {
    {",", "expected NAME=VALUE, such as TCP_NODELAY=1"},
    {"TCP_NODELAY", "expected NAME=VALUE, such as TCP_NODELAY=1"},
    {"=1", "expected NAME=VALUE, such as TCP_NODELAY=1"},
    {"TCP_NODELAY=1,", "expected NAME=VALUE, such as TCP_NODELAY=1"},
    {"TCP_NODELAY=maybe", "expected on or off"},
    {"TCP_NODELAY=2", "expected on or off"},
    {"TCP_NODELAY=", "expected on or off"},
    {"SO_RCVBUF=", "expected an integer"},
    {"SO_RCVBUF=-", "expected an integer"},
    {"SO_RCVBUF=0x", "expected an integer"},
    {"SO_RCVBUF=256k", "expected an integer"},
    {"SO_RCVBUF=2147483648", "expected an integer"},
    {"SO_RCVBUF=99999999999999999999", "expected an integer"},
    {"SO_MAX_PACING_RATE=-1", "expected an integer, not negative"},
    {"SO_MARK=4294967296", "expected an integer, also in hexadecimal (0x10)"},
    {"TCP_KEEPIDLE=-1", "expected a duration such as 90s or 2m, a number of seconds, or off"},
    {"TCP_KEEPIDLE=3000000000",
     "expected a duration such as 90s or 2m, a number of seconds, or off"},
    {"TCP_KEEPIDLE=us", "expected a duration such as 90s or 2m, a number of seconds, or off"},
    /* milliseconds to the kernel, seconds to us */
    {"TCP_USER_TIMEOUT=30000", "expected a duration with its unit, such as 1500ms or 30s, or off"},
    {"TCP_USER_TIMEOUT=600h", "expected a duration with its unit, such as 1500ms or 30s, or off"},
    {"SO_BUSY_POLL=50", "expected a duration with its unit, such as 50us or 2ms, or off"},
    {"SO_BUSY_POLL=0x10us", "expected a duration with its unit, such as 50us or 2ms, or off"},
    {"SO_LINGER=on", "expected on/SECONDS, such as on/5, or off"},
    {"SO_LINGER=5", "expected on/SECONDS, such as on/5, or off"},
    {"SO_LINGER=off/5", "expected on/SECONDS, such as on/5, or off"},
    {"SO_LINGER=on/", "expected on/SECONDS, such as on/5, or off"},
    {"SO_LINGER=on/x", "expected on/SECONDS, such as on/5, or off"},
    {"IP_LOCAL_PORT_RANGE=2-1", "expected two ports, such as 40000-40999, or off"},
    {"IP_LOCAL_PORT_RANGE=0-1", "expected two ports, such as 40000-40999, or off"},
    {"IP_LOCAL_PORT_RANGE=1", "expected two ports, such as 40000-40999, or off"},
    {"IP_UNICAST_IF=eth0", "expected the number of an interface, such as 2"},
    {"TCP_CONGESTION=", "expected a name of 1 to 15 letters without blanks"},
    {"TCP_CONGESTION=a234567890123456", "expected a name of 1 to 15 letters without blanks"},
    {"TCP_CONGESTION=a b", "expected a name of 1 to 15 letters without blanks"},
    {"TCP_CONGESTION=\x7f", "expected a name of 1 to 15 letters without blanks"},
    {"6:18=30s", "expected an integer"},
    {"SO_RCVTIMEO=1s", "is a limit of ours, use SOCKTMO_RECV"},
    {"so_sndtimeo=1s", "is a limit of ours, use SOCKTMO_SEND"},
    {"TCP_NODELY=1", "unknown option, did you mean TCP_NODELAY?"},
    {"NODELAY=1", "unknown option, did you mean TCP_NODELAY?"},
    {"nodely=1", "unknown option, did you mean TCP_NODELAY?"},
    {"KEEPALIVE=1", "unknown option, did you mean SO_KEEPALIVE?"},
    {"SO_KEEPIDLE=1", "unknown option, did you mean TCP_KEEPIDLE?"},
    {"SO_KEEPALIV=1", "unknown option, did you mean SO_KEEPALIVE?"},
    {"IPV4_TTL=1", "unknown option, did you mean IP_TTL?"},
    {"SO_RCVBUF=1,TCP_NODELY=1", "'TCP_NODELY=1': unknown option, did you mean TCP_NODELAY?"},
    {"SO_RCVBUF=1, SO_SNDBUF = x ,a", "'SO_SNDBUF = x': expected an integer"},
#define UNKNOWN "unknown option, expected one that libsocktmo(8) lists, or LEVEL:NAME=INTEGER"
    {"SO_ERROR=1", "cannot be set, only asked"},
    {"SO_TYPE=1", "cannot be set, only asked"},
    {"SO_PROTOCOL=1", "cannot be set, only asked"},
    {"TCP_INFO=1", "cannot be set, only asked"},
    {"IP_ADD_MEMBERSHIP=1", UNKNOWN},
    {"6:=1", UNKNOWN},
    {":18=1", UNKNOWN},
    {"6:18:1=1", UNKNOWN},
    {"65536:1=1", UNKNOWN},
    {"ENTIRELY_ELSE=1", UNKNOWN},
};

static void check_values(void)
{
    struct tmo_sockopt list[TMO_SOCKOPTS], again[TMO_SOCKOPTS];
    char printed[TMO_SOCKOPT_TEXT], what[256];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check_row = good[i].text;
        CHECK_EQ(parse(good[i].text, list, NULL), 1);
        CHECK_EQ(parse(good[i].text, NULL, NULL), 1);
        tmo_sockopt_print(&list[0], printed);
        CHECK_TEXT(printed, good[i].printed);
        CHECK_EQ(parse(printed, again, NULL), 1);
        CHECK(memcmp(list, again, sizeof(list[0])) == 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tmo_sockopt_fault fault;
        check_row = bad[i].text;
        CHECK(parse(bad[i].text, list, &fault) < 0);
        CHECK(parse(bad[i].text, NULL, NULL) < 0);
        size_t len = tmo_sockopts_explain(&fault, what, sizeof(what));
        CHECK_EQ(len, strlen(what));
        CHECK_TEXT(what, bad[i].what);
    }
    check_row = NULL;
}

static void check_lists(void)
{
    struct tmo_sockopt list[TMO_SOCKOPTS];
    struct tmo_sockopt_fault fault;
    char text[1024] = "", tiny[8];
    size_t at = 0;

    CHECK_EQ(parse("", list, NULL), 0);
    CHECK_EQ(parse("TCP_NODELAY=1,SO_LINGER=on/5, SO_RCVBUF=9 ,TCP_CONGESTION=reno", list, NULL),
             4);
    CHECK(list[0].level == IPPROTO_TCP && list[0].name == TCP_NODELAY && list[0].number[0] == 1);
    CHECK(list[1].len == 8 && list[1].number[0] == 1 && list[1].number[1] == 5);
    CHECK(list[2].level == SOL_SOCKET && list[2].name == SO_RCVBUF && list[2].number[0] == 9);
    CHECK_EQ(list[3].len, 4);
    CHECK_TEXT(list[3].text, "reno");

    /* the last of two counts, whatever it is called */
    CHECK_EQ(parse("SO_RCVBUF=1,TCP_USER_TIMEOUT=1s,so_rcvbuf=3,6:18=5", list, NULL), 2);
    CHECK_EQ(list[0].number[0], 3);
    CHECK_EQ(list[1].number[0], 5);

    /* by numbers: for the sockets of the row, else of the level */
    CHECK_EQ(parse("6:18=1,6:999=1,17:999=1,41:999=1,0:999=1,999:1=1", list, NULL), 6);
    CHECK(list[0].scope == TMO_FOR_TCP && list[1].scope == TMO_FOR_TCP);
    CHECK(list[2].scope == TMO_FOR_UDP && list[3].scope == TMO_FOR_IP6);
    CHECK(list[4].scope == TMO_FOR_INET && list[5].scope == TMO_FOR_ANY);
    snprintf(text, sizeof(text), "%d:%d=1", SOL_SOCKET, SO_SNDTIMEO);
    CHECK_EQ(parse(text, list, &fault), -EINVAL);
    CHECK_TEXT(fault.what, "is a limit of ours, use SOCKTMO_SEND");

    for (int i = 0; i < TMO_SOCKOPTS; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s999:%d=1", i > 0 ? "," : "", i);
    CHECK_EQ(parse(text, list, &fault), TMO_SOCKOPTS);
    snprintf(text + at, sizeof(text) - at, ",SO_MARK=1");
    CHECK_EQ(parse(text, list, &fault), -EINVAL);
    CHECK_TEXT(fault.what, "too many options, expected 32 at most");
    CHECK_EQ(parse(text, NULL, &fault), -EINVAL);

    CHECK_EQ(parse("SO_MARK=x", list, &fault), -EINVAL);
    CHECK_EQ(tmo_sockopts_explain(&fault, tiny, sizeof(tiny)), 7);
    CHECK_TEXT(tiny, "expecte");

    tmo_sockopt_make(IPPROTO_TCP, TCP_KEEPCNT, 4, list);
    CHECK(list[0].name == TCP_KEEPCNT && list[0].number[0] == 4 && list[0].len == 4);
}

int main(void)
{
    check_rows();
    check_values();
    check_lists();
    return check_end();
}
