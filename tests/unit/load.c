/* SPDX-License-Identifier: MIT
 * config/load: an environment becomes one configuration, and each fault is told once.
 */
#include "config/load.h"
#include "config/duration.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define S TMO_NS_PER_S

static struct tmo_config cfg;

static struct {
    int count;
    char where[64], value[64], what[256]; /* of the last one */
} told;

static void tell(void *ctx, const struct tmo_problem *problem)
{
    CHECK(ctx == &told);
    told.count++;
    snprintf(told.where, sizeof(told.where), "%s", problem->where);
    snprintf(told.value, sizeof(told.value), "%s", problem->value);
    snprintf(told.what, sizeof(told.what), "%s", problem->what);
}

/* Loads up to four variables into a fresh cfg. Returns the number of faults. */
static int load(const char *a, const char *b, const char *c, const char *d)
{
    char *envp[] = {(char *)(size_t)a, (char *)(size_t)b, (char *)(size_t)c, (char *)(size_t)d,
                    NULL};
    memset(&told, 0, sizeof(told));
    tmo_config_init(&cfg);
    int faults = tmo_config_load_env(&cfg, envp, tell, &told);
    CHECK_EQ(told.count, faults);
    return faults;
}

static void check_defaults(void)
{
    static struct tmo_config fresh;
    tmo_config_init(&fresh);
    for (int id = 0; id < TMO_SETTINGS; id++) {
        check_row = tmo_setting_info[id].name;
        CHECK_EQ(cfg.source[id], TMO_FROM_DEFAULT);
        CHECK_EQ(cfg.through[id], id);
        CHECK_EQ(cfg.value[id], fresh.value[id]);
        CHECK_TEXT(cfg.text[id], fresh.text[id]);
    }
    check_row = NULL;
    CHECK(!tmo_config_active(&cfg));
    CHECK(tmo_config_wants(&cfg, "any"));
}

static void check_nothing_asked(void)
{
    tmo_config_init(&cfg);
    check_defaults();
    CHECK_EQ(tmo_config_load_env(&cfg, NULL, NULL, NULL), 0);
    check_defaults();
    CHECK_EQ(load(NULL, NULL, NULL, NULL), 0);
    check_defaults();
    /* Other people's variables, near as they may be. */
    CHECK_EQ(load("SOCKTMO=1", "socktmo_recv=1", "XSOCKTMO_RECV=1", "SOCKTMO_RECV"), 0);
    check_defaults();
    /* The reserved name. */
    CHECK_EQ(load("SOCKTMO_TOLD=12345", NULL, NULL, NULL), 0);
    check_defaults();
    CHECK_EQ(cfg.text[TMO_SET_MODE] == NULL, 1);
    CHECK_TEXT(cfg.text[TMO_SET_LOG], "");
}

static void check_values(void)
{
    CHECK_EQ(load("PATH=/bin", "SOCKTMO_RECV=2s", "SOCKTMO_LOG=/tmp/x=y", "SOCKTMO_MODE=cap"), 0);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 2 * S);
    CHECK_EQ(cfg.source[TMO_SET_RECV], TMO_FROM_ENVIRONMENT);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 0);
    CHECK_EQ(cfg.source[TMO_SET_SEND], TMO_FROM_DEFAULT);
    CHECK_EQ(cfg.value[TMO_SET_MODE], TMO_MODE_CAP);
    CHECK_TEXT(cfg.text[TMO_SET_LOG], "/tmp/x=y");
    CHECK(tmo_config_active(&cfg));

    /* The configuration keeps its own copy of texts. */
    char variable[] = "SOCKTMO_LOG=/tmp/a";
    CHECK_EQ(load(variable, NULL, NULL, NULL), 0);
    memset(variable, 'X', sizeof(variable) - 1);
    CHECK_TEXT(cfg.text[TMO_SET_LOG], "/tmp/a");
}

static void check_timeout(void)
{
    CHECK_EQ(load("SOCKTMO_TIMEOUT=5s", "SOCKTMO_RECV=2s", NULL, NULL), 0);
    CHECK_EQ(cfg.value[TMO_SET_CONNECT], 5 * S);
    CHECK_EQ(cfg.through[TMO_SET_CONNECT], TMO_SET_TIMEOUT);
    CHECK_EQ(cfg.source[TMO_SET_CONNECT], TMO_FROM_ENVIRONMENT);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 5 * S);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 2 * S);
    CHECK_EQ(cfg.through[TMO_SET_RECV], TMO_SET_RECV);
    CHECK_EQ(cfg.value[TMO_SET_ACCEPT], 0);
    CHECK_EQ(cfg.source[TMO_SET_ACCEPT], TMO_FROM_DEFAULT);

    /* In either order, and "off" is a value of its own. */
    CHECK_EQ(load("SOCKTMO_RECV=off", "SOCKTMO_TIMEOUT=5s", NULL, NULL), 0);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 0);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 5 * S);

    /* What is bad is left out, as if it were not there. */
    CHECK_EQ(load("SOCKTMO_RECV=2x", "SOCKTMO_TIMEOUT=5s", NULL, NULL), 1);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 5 * S);
    CHECK_EQ(cfg.through[TMO_SET_RECV], TMO_SET_TIMEOUT);
    CHECK_EQ(load("SOCKTMO_RECV=2s", "SOCKTMO_TIMEOUT=-1", NULL, NULL), 1);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 2 * S);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 0);
}

static void check_faults(void)
{
    CHECK_EQ(load("SOCKTMO_RECV=2x", "SOCKTMO_SEND=1s", NULL, NULL), 1);
    CHECK_TEXT(told.where, "SOCKTMO_RECV");
    CHECK_TEXT(told.value, "2x");
    CHECK(strstr(told.what, "expected a duration") != NULL);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 0);
    CHECK_EQ(cfg.source[TMO_SET_RECV], TMO_FROM_DEFAULT);
    CHECK_EQ(cfg.value[TMO_SET_SEND], S);

    CHECK_EQ(load("SOCKTMO_RECV=3000000h", NULL, NULL, NULL), 1);
    CHECK(strstr(told.what, "too long") != NULL);

    CHECK_EQ(load("SOCKTMO_MODE=forse", NULL, NULL, NULL), 1);
    CHECK(strstr(told.what, "did you mean force?") != NULL);
    CHECK_EQ(load("SOCKTMO_PROTO=tcp,upd", NULL, NULL, NULL), 1);
    CHECK(strstr(told.what, "did you mean udp?") != NULL);
    CHECK_EQ(cfg.value[TMO_SET_PROTO], TMO_PROTO_TCP);

    CHECK_EQ(load("SOCKTMO_REVC=2s", NULL, NULL, NULL), 1);
    CHECK_TEXT(told.where, "SOCKTMO_REVC");
    CHECK_TEXT(told.value, "2s");
    CHECK(strstr(told.what, "did you mean SOCKTMO_RECV?") != NULL);
    CHECK_EQ(load("SOCKTMO_WHATEVER=2s", NULL, NULL, NULL), 1);
    CHECK(strstr(told.what, "unknown setting") != NULL);
    CHECK(strstr(told.what, "did you mean") == NULL);
    CHECK_EQ(load("SOCKTMO_=", NULL, NULL, NULL), 1);
    CHECK_EQ(load("SOCKTMO_recv=2s", NULL, NULL, NULL), 1); /* variables have a case */
    CHECK(strstr(told.what, "did you mean SOCKTMO_RECV?") != NULL);

    CHECK_EQ(load("SOCKTMO_RECV=", "SOCKTMO_SEND=-1", "SOCKTMO_ERRNO=5", "SOCKTMO_NO=1"), 4);

    /* Nobody to tell: counted all the same. */
    char variable[] = "SOCKTMO_RECV=2x";
    char *envp[] = {variable, NULL};
    tmo_config_init(&cfg);
    CHECK_EQ(tmo_config_load_env(&cfg, envp, NULL, NULL), 1);

    /* A name of any length. */
    static char long_name[3000];
    memset(long_name, 'A', sizeof(long_name) - 3);
    memcpy(long_name, "SOCKTMO_", 8);
    memcpy(long_name + sizeof(long_name) - 3, "=1", 3);
    CHECK_EQ(load(long_name, NULL, NULL, NULL), 1);
    CHECK(strncmp(told.where, "SOCKTMO_AAAA", 12) == 0);
}

static void check_store(void)
{
    static char only[3000], skip[3000], whole[4300];

    memset(only, 'a', sizeof(only) - 1);
    memcpy(only, "SOCKTMO_ONLY=", 13);
    memset(skip, 'b', sizeof(skip) - 1);
    memcpy(skip, "SOCKTMO_SKIP=", 13);
    CHECK_EQ(load(only, skip, "SOCKTMO_LOG=/tmp/x", NULL), 1);
    CHECK_TEXT(told.where, "SOCKTMO_SKIP");
    CHECK(strstr(told.what, "4096") != NULL);
    CHECK_TEXT(cfg.text[TMO_SET_ONLY], only + 13);
    CHECK_TEXT(cfg.text[TMO_SET_SKIP], "");
    CHECK_EQ(cfg.value[TMO_SET_SKIP], 0);
    CHECK_EQ(cfg.source[TMO_SET_SKIP], TMO_FROM_DEFAULT);
    CHECK_TEXT(cfg.text[TMO_SET_LOG], "/tmp/x");

    /* Exactly what fits, and one byte more. */
    memset(whole, 'c', sizeof(whole));
    memcpy(whole, "SOCKTMO_ONLY=", 13);
    whole[13 + TMO_CONFIG_TEXT - 1] = '\0';
    CHECK_EQ(load(whole, NULL, NULL, NULL), 0);
    CHECK_EQ(strlen(cfg.text[TMO_SET_ONLY]), TMO_CONFIG_TEXT - 1);
    whole[13 + TMO_CONFIG_TEXT - 1] = 'c';
    whole[13 + TMO_CONFIG_TEXT] = '\0';
    CHECK_EQ(load(whole, NULL, NULL, NULL), 1);
    CHECK_TEXT(cfg.text[TMO_SET_ONLY], "");
}

static void check_wants(void)
{
    CHECK_EQ(load("SOCKTMO_ONLY=curl,wget*", NULL, NULL, NULL), 0);
    CHECK(tmo_config_wants(&cfg, "curl"));
    CHECK(tmo_config_wants(&cfg, "wget2"));
    CHECK(!tmo_config_wants(&cfg, "ssh"));
    CHECK_EQ(load("SOCKTMO_SKIP=ssh*", NULL, NULL, NULL), 0);
    CHECK(tmo_config_wants(&cfg, "curl"));
    CHECK(!tmo_config_wants(&cfg, "sshd"));
    CHECK_EQ(load("SOCKTMO_ONLY=*", "SOCKTMO_SKIP=ssh", NULL, NULL), 0);
    CHECK(tmo_config_wants(&cfg, "curl"));
    CHECK(!tmo_config_wants(&cfg, "ssh"));
    CHECK_EQ(load("SOCKTMO_DISABLE=on", NULL, NULL, NULL), 0);
    CHECK(!tmo_config_wants(&cfg, "curl"));

    CHECK_EQ(load("SOCKTMO_KEEPALIVE=60s", NULL, NULL, NULL), 0);
    CHECK(tmo_config_active(&cfg));
    CHECK_EQ(load("SOCKTMO_LOG=stderr", NULL, NULL, NULL), 0);
    CHECK(tmo_config_active(&cfg));
    CHECK_EQ(load("SOCKTMO_MODE=cap", "SOCKTMO_RECV=0", NULL, NULL), 0);
    CHECK(!tmo_config_active(&cfg));
}

static void check_hash(void)
{
    struct tmo_problem a = {.where = "SOCKTMO_RECV", .value = "2x", .what = "one text"};
    struct tmo_problem same = {.where = "SOCKTMO_RECV", .value = "2x", .what = "another"};
    struct tmo_problem b = {.where = "SOCKTMO_RECV", .value = "2y", .what = "one text"};
    struct tmo_problem moved = {.where = "SOCKTMO_REC", .value = "V2x", .what = "one text"};
    CHECK_EQ(tmo_problem_hash(0, &a), tmo_problem_hash(0, &same));
    CHECK(tmo_problem_hash(0, &a) != tmo_problem_hash(0, &b));
    CHECK(tmo_problem_hash(0, &a) != tmo_problem_hash(0, &moved));
    CHECK(tmo_problem_hash(tmo_problem_hash(0, &a), &b) != tmo_problem_hash(0, &b));
}

int main(void)
{
    check_nothing_asked();
    check_values();
    check_timeout();
    check_faults();
    check_store();
    check_wants();
    check_hash();
    return check_end();
}
