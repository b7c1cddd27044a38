/* SPDX-License-Identifier: MIT
 * config/settings: the table itself, and the values of each type.
 */
#include "config/settings.h"
#include "config/duration.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
    enum tmo_setting id;
    const char *text;
    const char *printed; /* in normal form; NULL for settings that are texts */
} good[] = {
    {TMO_SET_RECV, "1.5s", "1500ms"},
    {TMO_SET_RECV, "off", "off"},
    {TMO_SET_MODE, "force", "force"},
    {TMO_SET_MODE, "Cap", "cap"},
    {TMO_SET_MODE, "fill", "fill"},
    {TMO_SET_ERRNO, "kernel", "kernel"},
    {TMO_SET_ERRNO, "ehostunreach", "EHOSTUNREACH"},
    {TMO_SET_ERRNO, "EWOULDBLOCK", "EAGAIN"},
    {TMO_SET_ACTION, "ABORT", "abort"},
    {TMO_SET_ACTION, "report", "report"},
    {TMO_SET_PROTO, "tcp", "tcp"},
    {TMO_SET_PROTO, "unix,tcp", "tcp,unix"},
    {TMO_SET_PROTO, " udp , tcp ", "tcp,udp"},
    {TMO_SET_PROTO, "tcp,tcp", "tcp"},
    {TMO_SET_KEEPALIVE, "off", "off"},
    {TMO_SET_KEEPALIVE, "0", "off"},
    {TMO_SET_KEEPALIVE, "60", "1m"},
    {TMO_SET_KEEPALIVE, "60s/10s/5", "1m/10s/5"},
    {TMO_SET_KEEPALIVE, "90s/10s", "90s/10s"},
    {TMO_SET_KEEPALIVE, "1ms/1ms/127", "1s/1s/127"}, /* whole seconds, up */
    {TMO_SET_KEEPALIVE, "32767/32767/127", "32767s/32767s/127"},
    {TMO_SET_STRICT, "on", "on"},
    {TMO_SET_STRICT, "YES", "on"},
    {TMO_SET_STRICT, "true", "on"},
    {TMO_SET_STRICT, "1", "on"},
    {TMO_SET_STRICT, "off", "off"},
    {TMO_SET_STRICT, "no", "off"},
    {TMO_SET_STRICT, "False", "off"},
    {TMO_SET_STRICT, "0", "off"},
    {TMO_SET_ONLY, "", NULL},
    {TMO_SET_ONLY, "curl,wget*", NULL},
    {TMO_SET_LOG, "", NULL},
    {TMO_SET_LOG, "stderr", NULL},
    {TMO_SET_LOG, "syslog", NULL},
    {TMO_SET_LOG, "fd:0", NULL},
    {TMO_SET_LOG, "fd:9", NULL},
    {TMO_SET_LOG, "fd:1073741824", NULL},
    {TMO_SET_LOG, "unix:/run/log.sock", NULL},
    {TMO_SET_LOG, "/var/log/%c.%p.log", NULL},
    {TMO_SET_LOG, "100%%.log", NULL},
    {TMO_SET_LOG, "a b", NULL},
    {TMO_SET_EVENTS, "all", "all"},
    {TMO_SET_EVENTS, "start,close", "close,start"},
};

static const struct {
    enum tmo_setting id;
    const char *text;
    int error;
} bad[] = {
    {TMO_SET_RECV, "2x", -EINVAL},
    {TMO_SET_RECV, "", -EINVAL},
    {TMO_SET_RECV, "3000000h", -ERANGE},
    {TMO_SET_MODE, "", -EINVAL},
    {TMO_SET_MODE, "forced", -EINVAL},
    {TMO_SET_MODE, "force cap", -EINVAL},
    {TMO_SET_ERRNO, "", -EINVAL},
    {TMO_SET_ERRNO, "110", -EINVAL},
    {TMO_SET_ERRNO, "ENOSUCH", -EINVAL},
    {TMO_SET_PROTO, "", -EINVAL},
    {TMO_SET_PROTO, "tcp,", -EINVAL},
    {TMO_SET_PROTO, "tcp udp", -EINVAL},
    {TMO_SET_PROTO, "sctp", -EINVAL},
    {TMO_SET_KEEPALIVE, "", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/0", -EINVAL},
    {TMO_SET_KEEPALIVE, "0/10s", -EINVAL},
    {TMO_SET_KEEPALIVE, "off/10s", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/10s/0", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/10s/128", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/10s/5s", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/10s/5/", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s//5", -EINVAL},
    {TMO_SET_KEEPALIVE, "32768", -EINVAL},
    {TMO_SET_KEEPALIVE, "60s/32768", -EINVAL},
    {TMO_SET_KEEPALIVE, "9223372036.854775807s", -EINVAL}, /* rounding up would overflow */
    {TMO_SET_KEEPALIVE, "60s/10s/99999999999999999999", -EINVAL},
    {TMO_SET_STRICT, "", -EINVAL},
    {TMO_SET_STRICT, "2", -EINVAL},
    {TMO_SET_STRICT, "maybe", -EINVAL},
    {TMO_SET_STRICT, "\x11", -EINVAL}, /* one bit from "1" */
    {TMO_SET_LOG, "fd:", -EINVAL},
    {TMO_SET_LOG, "fd:-1", -EINVAL},
    {TMO_SET_LOG, "fd:2x", -EINVAL},
    {TMO_SET_LOG, "fd:2147483650", -EINVAL},
    {TMO_SET_LOG, "fd:99999999999999999999", -EINVAL},
    {TMO_SET_LOG, "unix:", -EINVAL},
    {TMO_SET_LOG, "/tmp/", -EINVAL},
    {TMO_SET_LOG, "/tmp/%", -EINVAL},
    {TMO_SET_LOG, "/tmp/%d", -EINVAL},
};

static void check_table(void)
{
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        const struct tmo_setting_info *info = &tmo_setting_info[i];
        int64_t value = -1;
        size_t len = strlen(info->name);

        check_row = info->name;
        CHECK_EQ(strspn(info->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), len);
        CHECK(len > 0 && len <= 40); /* what tmo_word_distance() takes */
        CHECK(info->help[0] != '\0');
        CHECK(info->values[0] != '\0');
        CHECK(tmo_setting_expected(id)[0] != '\0');
        CHECK_EQ(tmo_setting_find(info->name, len), id);
        CHECK_EQ(tmo_setting_near(info->name, len), id);

        /* The default is good, and written in its normal form. */
        CHECK_EQ(tmo_setting_parse(id, info->deflt, strlen(info->deflt), &value), 0);
        CHECK(value >= 0);
        if (tmo_setting_is_text(id))
            continue;
        char buf[TMO_SETTING_TEXT];
        len = tmo_setting_print(id, value, buf);
        CHECK_EQ(len, strlen(buf));
        CHECK_TEXT(buf, info->deflt);

        if (info->type != TMO_TYPE_LIST) /* all at once must fit into the buffer, too */
            continue;
        char all[256];
        size_t n = strlen(info->words);
        CHECK(n > 0 && n < sizeof(all) && n < TMO_SETTING_TEXT);
        for (size_t k = 0; k <= n && n < sizeof(all); k++)
            all[k] = (char)(info->words[k] == ' ' ? ',' : info->words[k]);
        CHECK_EQ(tmo_setting_parse(id, all, n, &value), 0);
        tmo_setting_print(id, value, buf);
        CHECK_TEXT(buf, all);
    }
    check_row = NULL;
}

static void check_values(void)
{
    char buf[TMO_SETTING_TEXT];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t value = -1, again = -1;
        check_row = good[i].text;
        CHECK_EQ(tmo_setting_parse(good[i].id, good[i].text, strlen(good[i].text), &value), 0);
        if (good[i].printed == NULL) {
            CHECK_EQ(value, good[i].text[0] != '\0');
            continue;
        }
        CHECK_EQ(tmo_setting_print(good[i].id, value, buf), strlen(good[i].printed));
        CHECK_TEXT(buf, good[i].printed);
        CHECK_EQ(tmo_setting_parse(good[i].id, buf, strlen(buf), &again), 0);
        CHECK_EQ(again, value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t value = -77;
        check_row = bad[i].text;
        CHECK_EQ(tmo_setting_parse(bad[i].id, bad[i].text, strlen(bad[i].text), &value),
                 bad[i].error);
        CHECK_EQ(value, -77);
    }
    check_row = NULL;
}

static void check_long_sinks(void)
{
    char text[2048];
    int64_t value;

    memset(text, 'a', sizeof(text));
    CHECK_EQ(tmo_setting_parse(TMO_SET_LOG, text, 1023, &value), 0);
    CHECK_EQ(tmo_setting_parse(TMO_SET_LOG, text, 1024, &value), -EINVAL);
    memcpy(text, "unix:", 5);
    CHECK_EQ(tmo_setting_parse(TMO_SET_LOG, text, 5 + 107, &value), 0); /* sun_path with a NUL */
    CHECK_EQ(tmo_setting_parse(TMO_SET_LOG, text, 5 + 108, &value), -EINVAL);
}

static void check_near_word(enum tmo_setting id, const char *text, const char *wanted)
{
    size_t len = 0;
    const char *found = tmo_setting_near_word(id, text, strlen(text), &len);
    char copy[32] = "";
    if (found != NULL)
        memcpy(copy, found, len);
    check_row = text;
    CHECK_TEXT(found != NULL ? copy : NULL, wanted);
    check_row = NULL;
}

int main(void)
{
    check_table();
    check_values();
    check_long_sinks();

    int64_t value = 0;
    CHECK_EQ(tmo_setting_parse(TMO_SET_MODE, "fill", 4, &value), 0);
    CHECK_EQ(value, TMO_MODE_FILL);
    CHECK_EQ(tmo_setting_parse(TMO_SET_ACTION, "abort", 5, &value), 0);
    CHECK_EQ(value, TMO_ACTION_ABORT);
    CHECK_EQ(tmo_setting_parse(TMO_SET_LOG_FORMAT, "text", 4, &value), 0);
    CHECK_EQ(value, TMO_FORMAT_TEXT);
    CHECK_EQ(tmo_setting_parse(TMO_SET_PROTO, "all", 3, &value), 0);
    CHECK_EQ(value, TMO_PROTO_ALL);
    CHECK_EQ(tmo_setting_parse(TMO_SET_PROTO, "udp,unix", 8, &value), 0);
    CHECK_EQ(value, TMO_PROTO_UDP | TMO_PROTO_UNIX);
    CHECK_EQ(tmo_setting_parse(TMO_SET_EVENTS, "close,all", 9, &value), 0);
    CHECK_EQ(value, TMO_EVENT_CLOSE | TMO_EVENT_ALL);
    CHECK_EQ(tmo_setting_parse(TMO_SET_KEEPALIVE, "2m/10s/5", 8, &value), 0);
    struct tmo_keepalive k = tmo_keepalive_unpack(value);
    CHECK_EQ(k.idle_s, 120);
    CHECK_EQ(k.interval_s, 10);
    CHECK_EQ(k.count, 5);

    CHECK_EQ(tmo_setting_find("recv", 4), TMO_SET_RECV);
    CHECK_EQ(tmo_setting_find("log-format", 10), TMO_SET_LOG_FORMAT);
    CHECK_EQ(tmo_setting_find("log_format", 10), TMO_SET_LOG_FORMAT);
    CHECK_EQ(tmo_setting_find("log", 3), TMO_SET_LOG);
    CHECK_EQ(tmo_setting_find("log_", 4), TMO_SETTINGS);
    CHECK_EQ(tmo_setting_find("log\x7f"
                              "format",
                              10),
             TMO_SETTINGS);
    CHECK_EQ(tmo_setting_find("", 0), TMO_SETTINGS);

    CHECK_EQ(tmo_setting_near("REVC", 4), TMO_SET_RECV);
    CHECK_EQ(tmo_setting_near("conect", 6), TMO_SET_CONNECT);
    CHECK_EQ(tmo_setting_near("LOG_FROMAT", 10), TMO_SET_LOG_FORMAT);
    CHECK_EQ(tmo_setting_near("USERTIMEOUT", 11), TMO_SET_USER_TIMEOUT);
    CHECK_EQ(tmo_setting_near("LO", 2), TMO_SET_LOG);
    CHECK_EQ(tmo_setting_near("X", 1), TMO_SETTINGS);
    CHECK_EQ(tmo_setting_near("", 0), TMO_SETTINGS);
    CHECK_EQ(tmo_setting_near("ENTIRELY_OTHER", 14), TMO_SETTINGS);

    check_near_word(TMO_SET_MODE, "forse", "force");
    check_near_word(TMO_SET_ACTION, "erorr", "error");
    check_near_word(TMO_SET_PROTO, "tpc", "tcp");
    check_near_word(TMO_SET_PROTO, "quic", NULL);
    check_near_word(TMO_SET_RECV, "2x", NULL);
    return check_end();
}
