/* SPDX-License-Identifier: MIT
 * config/conf, oneline, match, rule: files and rules become settings; each fault is told with its
 * place, and takes no more with it than its own section or setting.
 */
#include "config/rule.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* --- files that are none --------------------------------------------------------------------- */

static struct {
    const char *path, *text;
    size_t len;
    int error;
} files[8];

static int read_fake(const char *path, bool is_config, struct tmo_arena *arena,
                     const char **ret_text, size_t *ret_len)
{
    (void)is_config;
    (void)arena;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].path == NULL || strcmp(files[i].path, path) != 0)
            continue;
        *ret_text = files[i].text;
        *ret_len = files[i].len;
        return files[i].error;
    }
    return -ENOENT;
}

static const struct tmo_reader reader = {read_fake};

static void put_bytes(int i, const char *path, const char *text, size_t len)
{
    files[i].path = path;
    files[i].text = text;
    files[i].len = len;
    files[i].error = 0;
}

static void put_file(int i, const char *path, const char *text)
{
    put_bytes(i, path, text, strlen(text));
}

static void *take_memory(size_t size)
{
    return calloc(1, size);
}

static void give_memory(void *at, size_t size)
{
    (void)size;
    free(at);
}

/* --- loading --------------------------------------------------------------------------------- */

static struct tmo_config cfg;
static struct tmo_ruleset rules;
static struct tmo_arena arena = {.map = take_memory, .unmap = give_memory};

static char told[4096]; /* "WHERE 'VALUE' WHAT\n" for each */

static void tell(void *ctx, const struct tmo_problem *problem)
{
    size_t len = strlen(told);
    (void)ctx;
    snprintf(told + len, sizeof(told) - len, "%s '%s' %s\n", problem->where, problem->value,
             problem->what);
    if (problem->line != NULL) { /* the piece is in its line */
        CHECK(problem->column >= 1);
        CHECK(problem->column - 1 + problem->width <= problem->line_len);
    }
}

static int load(const char *file, const char *a, const char *b)
{
    char *envp[] = {(char *)(size_t)a, (char *)(size_t)b, NULL};
    struct tmo_sources from = {.envp = envp, .reader = &reader, .arena = &arena};
    if (file != NULL)
        put_file(0, "/etc/socktmo.conf", file);
    else
        files[0].path = NULL;
    tmo_arena_free(&arena);
    told[0] = '\0';
    return tmo_config_load(&cfg, &rules, &from, tell, NULL);
}

static int64_t in_force(const struct tmo_rule *rule, enum tmo_setting id)
{
    struct tmo_settled settled;
    tmo_rule_settle(rule, &cfg, &settled);
    return settled.value[id];
}

#define S TMO_NS_PER_S

/* --- layers ---------------------------------------------------------------------------------- */

static void check_layers(void)
{
    CHECK_EQ(load(NULL, NULL, NULL), -ENOENT);
    CHECK_EQ(rules.count, 0);
    CHECK(!cfg.has_file);
    CHECK_EQ(load("", NULL, NULL), 0);
    CHECK(cfg.has_file);

    CHECK_EQ(load("timeout = 30s\nrecv=5s\n", "SOCKTMO_SEND=7s", NULL), 0);
    CHECK_EQ(cfg.value[TMO_SET_CONNECT], 30 * S);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 5 * S);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 7 * S);
    CHECK_EQ(cfg.source[TMO_SET_RECV], TMO_FROM_FILE);
    CHECK_EQ(cfg.line[TMO_SET_RECV], 2);
    CHECK_EQ(cfg.line[TMO_SET_CONNECT], 1);
    CHECK_EQ(cfg.through[TMO_SET_CONNECT], TMO_SET_TIMEOUT);
    CHECK_TEXT(cfg.file[TMO_SET_RECV], "/etc/socktmo.conf");
    CHECK_EQ(cfg.source[TMO_SET_SEND], TMO_FROM_ENVIRONMENT);

    /* a layer's timeout goes over what is below it, and under what is beside it */
    CHECK_EQ(load("recv=5s\nmode=cap\n", "SOCKTMO_TIMEOUT=3s", "SOCKTMO_SEND=off"), 0);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 3 * S);
    CHECK_EQ(cfg.source[TMO_SET_RECV], TMO_FROM_ENVIRONMENT);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 0);
    CHECK_EQ(cfg.value[TMO_SET_MODE], TMO_MODE_CAP);

    /* another file, none, one that is not there */
    put_file(1, "/x.conf", "recv=9s\n");
    CHECK_EQ(load("recv=5s\n", "SOCKTMO_CONFIG=/x.conf", NULL), 0);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 9 * S);
    CHECK_EQ(load("recv=5s\n", "SOCKTMO_CONFIG=", NULL), 0);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 0);
    CHECK_EQ(load("recv=5s\n", "SOCKTMO_CONFIG=/y.conf", NULL), 1);
    CHECK_TEXT(told, "SOCKTMO_CONFIG '/y.conf' cannot be read: no such file\n");
    files[1].error = -EISDIR;
    CHECK_EQ(load("recv=5s\n", "SOCKTMO_CONFIG=/x.conf", NULL), 1);
    CHECK_TEXT(told, "SOCKTMO_CONFIG '/x.conf' cannot be read: a directory, expected a file\n");
    files[1].path = NULL;
}

static void check_rule_values(void)
{
    CHECK_EQ(load("timeout=30s\nidle=1m\naccept=4s\n"
                  "[a]\nmatch = to 10.0.0.0/8\ntimeout=1s\nrecv=2s\n"
                  "[b]\nmatch = unix /run/*\nlimits = off\n"
                  "[c]\nlimits = off\nmatch = from any\nconnect = 5s\nmode = fill\n",
                  "SOCKTMO_SEND=7s", "SOCKTMO_RULES=to 1.1.1.1: send=8s; port 53: recv=1,idle=2"),
             0);
    CHECK_EQ(rules.count, 5);
    const struct tmo_rule *rule = rules.first;
    CHECK_TEXT(rule->name, "to 1.1.1.1: send=8s");
    CHECK_EQ(in_force(rule, TMO_SET_SEND), 8 * S);
    CHECK_EQ(in_force(rule, TMO_SET_RECV), 30 * S);
    rule = rule->next;
    CHECK_EQ(in_force(rule, TMO_SET_RECV), 1 * S);
    CHECK_EQ(in_force(rule, TMO_SET_IDLE), 2 * S);
    rule = rule->next;
    CHECK_TEXT(rule->name, "a");
    CHECK_EQ(rule->line, 4);
    CHECK_EQ(in_force(rule, TMO_SET_CONNECT), 1 * S);
    CHECK_EQ(in_force(rule, TMO_SET_SEND), 1 * S); /* the rule over the environment */
    CHECK_EQ(in_force(rule, TMO_SET_RECV), 2 * S);
    CHECK_EQ(in_force(rule, TMO_SET_IDLE), 60 * S);
    rule = rule->next;
    CHECK_EQ(in_force(rule, TMO_SET_SEND) + in_force(rule, TMO_SET_IDLE) +
                 in_force(rule, TMO_SET_ACCEPT) + in_force(rule, TMO_SET_RECV),
             0);
    rule = rule->next;
    CHECK_EQ(in_force(rule, TMO_SET_CONNECT), 5 * S);
    CHECK_EQ(in_force(rule, TMO_SET_RECV), 0);
    CHECK_EQ(in_force(rule, TMO_SET_MODE), TMO_MODE_FILL);
    CHECK_EQ(in_force(NULL, TMO_SET_SEND), 7 * S);
}

/* --- what is read ---------------------------------------------------------------------------- */

static void check_syntax(void)
{
    CHECK_EQ(load("\xef\xbb\xbf# a comment\r\n"
                  "; another\r\n"
                  "  Log-Format = text \t # behind a blank\r\n"
                  "\tlog=/a#b\r\n"
                  "\r\n"
                  "[ one two ] # heading\r\n"
                  "  match = TO any Port 80 , 443,8000-8010   program a*, b\r\n"
                  "RECV=1s",
                  NULL, NULL),
             0);
    CHECK_TEXT(told, "");
    CHECK_EQ(cfg.value[TMO_SET_LOG_FORMAT], TMO_FORMAT_TEXT);
    CHECK_TEXT(cfg.text[TMO_SET_LOG], "/a#b");
    CHECK_EQ(rules.count, 1);
    CHECK_TEXT(rules.first->name, "one two");
    CHECK_EQ(rules.first->ports_count, 3);
    CHECK_EQ(rules.first->ports[2].low, 8000);
    CHECK_EQ(rules.first->ports[2].high, 8010);
    CHECK_TEXT(rules.first->program, "a*, b");

    put_file(1, "/etc/more/a.conf", "send=2s\ninclude=b.conf\n[inner]\nmatch=to any\nrecv=1\n");
    put_file(2, "/etc/more/b.conf", "connect=3s\n");
    CHECK_EQ(load("include = more/a.conf\nrecv=4s\n[outer]\nmatch=to any\nrecv=2\n", NULL, NULL),
             0);
    CHECK_EQ(cfg.value[TMO_SET_SEND], 2 * S);
    CHECK_EQ(cfg.value[TMO_SET_CONNECT], 3 * S);
    CHECK_EQ(cfg.value[TMO_SET_RECV], 4 * S);
    CHECK_TEXT(cfg.file[TMO_SET_CONNECT], "/etc/more/b.conf");
    CHECK_EQ(rules.count, 2);
    CHECK_TEXT(rules.first->name, "inner");
    put_file(2, "/etc/more/b.conf", "recv = x\ninclude=/etc/more/b.conf\n");
    CHECK_EQ(load("include = more/b.conf\n", NULL, NULL), 8);
    CHECK(strstr(told, "/etc/more/b.conf:1:8 'x' expected a duration") != NULL);
    CHECK(strstr(told, "/etc/more/b.conf:2:9 '/etc/more/b.conf' files include one another more "
                       "than 8 deep") != NULL);
    files[1].path = files[2].path = NULL;
}

static void check_interfaces(void)
{
    put_file(1, "/sys/class/net/eth0/ifindex", "7\n");
    CHECK_EQ(
        load("[a]\nmatch=to fe80::%eth0/64\nrecv=1\n[b]\nmatch=to [fe80::1%3]\nrecv=1", NULL, NULL),
        0);
    CHECK_EQ(rules.first->places[0].block.scope, 7);
    CHECK_EQ(rules.first->next->places[0].block.scope, 3);
    CHECK_EQ(load("[a]\nmatch=to fe80::1%eth1\nrecv=1\n", NULL, NULL), 1);
    CHECK_TEXT(told, "/etc/socktmo.conf:2:18 'eth1' no such interface here, expected the name or "
                     "number of one\n");
    files[1].path = NULL;
}

static void check_services(void)
{
    put_file(1, "/etc/services",
             "# comment\nhttps\t443/tcp   http-s # secure\ndomain 53/udp\nodd\nbad x/tcp bad2\n"
             "big 65536/tcp\nlast 9/tcp");
    CHECK_EQ(load("[a]\nmatch=port HTTPS,http-s,domain,last\nrecv=1", NULL, NULL), 0);
    CHECK_EQ(rules.first->ports[0].low, 443);
    CHECK_EQ(rules.first->ports[1].high, 443);
    CHECK_EQ(rules.first->ports[2].low, 53);
    CHECK_EQ(rules.first->ports[3].low, 9);
    static const char *const none[] = {"odd", "bad", "bad2", "big", "secure", "comment", "443"};
    for (size_t i = 0; i + 1 < sizeof(none) / sizeof(none[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "[a]\nmatch=port %s\nrecv=1", none[i]);
        check_row = none[i];
        CHECK_EQ(load(text, NULL, NULL), 1);
    }
    check_row = NULL;
    files[1].path = NULL;
}

/* --- faults ---------------------------------------------------------------------------------- */

/* A file, and what is told of it: "LINE:COLUMN 'VALUE' WHAT", WHAT being the beginning. RULES: how
 * many are left. */
static const struct {
    const char *text;
    const char *told;
    unsigned rules;
} faulty_files[] = {
    {"recv = 2x\n[r]\nmatch=to any\nsend=1\n", "1:8 '2x' expected a duration", 1},
    {"recv =\n", "1:7 '' expected a duration", 0},
    {"recv = -1s\n", "1:8 '-1s' expected a duration", 0},
    {"recv = 1s 2s\n", "1:8 '1s 2s' expected a duration", 0},
    {"recv = 99999999999h\n", "1:8 '99999999999h' too long a time", 0},
    {"rec = 1s\n",
     "1:1 'rec' unknown setting, expected one that socktmo.conf(5) lists, did you "
     "mean recv?",
     0},
    {"SOCKTMO_RECV = 1s\n", "1:1 'SOCKTMO_RECV' unknown setting", 0},
    {"nothing_like_it = 1s\n", "1:1 'nothing_like_it' unknown setting", 0},
    {"recv 1s\n", "1:1 'recv 1s' expected a setting such as recv = 30s, or a [section]", 0},
    {"= 1s\n", "1:1 '= 1s' expected a setting", 0},
    {"recv = 1s\nrecv = 2s\n", "2:1 'recv' given twice", 0},
    {"recv = 1s\nRECV = 2s\n", "2:1 'RECV' given twice", 0},
    {"mode = forse\n", "1:8 'forse' expected force, cap or fill; did you mean force?", 0},
    {"mode = 1\n", "1:8 '1' expected force, cap or fill", 0},
    {"errno = ENOPE\n", "1:9 'ENOPE' expected an errno name", 0},
    {"nonblock = perhaps\n", "1:12 'perhaps' expected on or off", 0},
    {"proto = tcp,udb\n", "1:9 'tcp,udb' expected list of tcp, udp, unix, all; did you mean udp?",
     0},
    {"keepalive = 60s/x\n", "1:13 '60s/x' expected idle", 0},
    {"log = fd:x\n", "1:7 'fd:x' expected stderr, syslog", 0},
    {"events = close,timeot\n", "1:10 'close,timeot' expected list of", 0},
    {"limits = off\n", "1:1 'limits' only a rule can turn all limits off", 0},
    {"match = to any\n", "1:1 'match' match outside of a section", 0},
    {"rules = to any: recv=1\n",
     "1:1 'rules' cannot stand here, expected SOCKTMO_RULES in the "
     "environment, or a [section]",
     0},
    {"config = /x\n",
     "1:1 'config' cannot stand here, expected SOCKTMO_CONFIG in the environment, "
     "or include = FILE",
     0},
    {"include =\n", "1:10 '' no such file, expected a configuration file", 0},
    {"include = nope.conf\n", "1:11 'nope.conf' no such file", 0},
    {"[a]\nmatch=to any\ninclude = x\n", "3:11 'x' include in a section", 0},
    {"incldue = x\n",
     "1:1 'incldue' unknown setting, expected one that socktmo.conf(5) lists, did "
     "you mean include?",
     0},
    {"[a\nmatch = to any\nrecv=1\n", "1:1 '[a' no end of the heading", 0},
    {"[]\nmatch = to any\nrecv=1\n", "1:1 '[]' a section without a name", 0},
    {"[ ]\nmatch = to any\n", "1:1 '[ ]' a section without a name", 0},
    {"[a] b\nmatch = to any\n", "1:4 ' b' something behind the heading", 0},
    {"[a]\nmatch=to any\nrecv=1\n[a]\nmatch=to any\nrecv=1\n",
     "4:2 'a' there is a section of that "
     "name above",
     1},
    {"[a]\nrecv=1\n", "1:1 '[a]' a section without match", 0},
    {"recv=1\n  [a]\n[b]\nmatch=to any\nrecv=1", "2:3 '[a]' a section without match", 1},
    {"[a]\nmatch=to any\nmatch=to any\nrecv=1\n", "3:1 'match' given twice", 0},
    {"[a]\nmatch=to any\nrecv=1\nrecv=2\n", "4:1 'recv' given twice", 0},
    {"[a]\nmatch=to any\nlimits=off\nlimits=off\n", "4:1 'limits' given twice", 0},
    {"[a]\nmatch=to any\nlimits=on\n", "3:8 'on' expected off", 0},
    {"[a]\nmatch=to any\nlimit=off\n",
     "3:1 'limit' unknown setting, expected one that "
     "socktmo.conf(5) lists, did you mean limits?",
     0},
    {"[a]\nmacth=to any\n",
     "2:1 'macth' unknown setting, expected one that socktmo.conf(5) lists, "
     "did you mean match?",
     0},
    {"[a]\nmatch=to any\nlog=/x\n", "3:1 'log' holds for the whole program", 0},
    {"[a]\nmatch=to any\ndisable=on\n", "3:1 'disable' holds for the whole program", 0},
    {"[a]\nmatch=to any\nrecv=1x\n[b]\nmatch=to any\nrecv=1\n", "3:6 '1x' expected a duration", 1},
    {"[a]\nmatch=\nrecv=1\n", "2:7 '' no condition", 0},
    {"[a]\nmatch=10.0.0.1\nrecv=1\n", "2:7 '10.0.0.1' expected to, from, port", 0},
    {"[a]\nmatch=to\nrecv=1\n", "2:7 'to' nothing behind it", 0},
    {"[a]\nmatch=ot any\n",
     "2:7 'ot' expected to, from, port, unix, proto or program, did you mean "
     "to?",
     0},
    {"[a]\nmatch=to any prot tcp\n",
     "2:14 'prot' expected to, from, port, unix, proto or program, "
     "did you mean port?",
     0},
    {"[a]\nmatch=to any to any\n", "2:14 'to' given twice", 0},
    {"[a]\nmatch=to any from any\n", "2:14 'from' to and from in one rule", 0},
    {"[a]\nmatch=unix /x port 1\n", "2:15 'port' a path and an address or port", 0},
    {"[a]\nmatch=to any unix /x\n", "2:14 'unix' a path and an address or port", 0},
    {"[a]\nmatch=to 10.0.0\n", "2:10 '10.0.0' no address", 0},
    {"[a]\nmatch=to 10.0.0.256\n", "2:10 '10.0.0.256' no address", 0},
    {"[a]\nmatch=to 10.0.0.01\n", "2:10 '10.0.0.01' no address", 0},
    {"[a]\nmatch=to 10.0.0.0/33\n", "2:10 '10.0.0.0/33' not the length of a prefix", 0},
    {"[a]\nmatch=to 10.0.0.0/\n", "2:10 '10.0.0.0/' not the length of a prefix", 0},
    {"[a]\nmatch=to 10.0.0.0/8x\n", "2:10 '10.0.0.0/8x' no address", 0},
    {"[a]\nmatch=to ::1::\n", "2:10 '::1::' no address", 0},
    {"[a]\nmatch=to :::\n", "2:10 ':::' no address", 0},
    {"[a]\nmatch=to 1:2:3:4:5:6:7\n", "2:10 '1:2:3:4:5:6:7' no address", 0},
    {"[a]\nmatch=to 1:2:3:4:5:6:7:8:9\n", "2:10 '1:2:3:4:5:6:7:8:9' no address", 0},
    {"[a]\nmatch=to 12345::\n", "2:10 '12345::' no address", 0},
    {"[a]\nmatch=to [::1\n", "2:10 '[::1' no address", 0},
    {"[a]\nmatch=to ::/129\n", "2:10 '::/129' not the length of a prefix", 0},
    {"[a]\nmatch=to fe80::1%\n", "2:10 'fe80::1%' no address", 0},
    {"[a]\nmatch=to 10.0.0.1,\n", "2:19 '' no address", 0},
    {"[a]\nmatch=to 192.168.1.*\n", "2:10 '192.168.1.*' no address", 0},
    {"[a]\nmatch=to 10.0.0.1-9\n", "2:10 '10.0.0.1-9' no address", 0},
    {"[a]\nmatch=to *.\n", "2:10 '*.' no address", 0},
    {"[a]\nmatch=to a/b\n", "2:10 'a/b' no address", 0},
    {"[a]\nmatch=port 0x50\n", "2:12 '0x50' no port", 0},
    {"[a]\nmatch=port 65536\n", "2:12 '65536' no port, expected 0 to 65535", 0},
    {"[a]\nmatch=port 90-80\n", "2:12 '90-80' a range from high to low", 0},
    {"[a]\nmatch=port 80-\n", "2:12 '80-' no port", 0},
    {"[a]\nmatch=port -80\n", "2:12 '-80' no port", 0},
    {"[a]\nmatch=port nosuch\n", "2:12 'nosuch' no service in /etc/services", 0},
    {"[a]\nmatch=port 80,99999\n", "2:15 '99999' no port", 0},
    {"[a]\nmatch=unix run/x\n", "2:12 'run/x' no path of a socket", 0},
    {"[a]\nmatch=proto icmp\n", "2:13 'icmp' expected list of tcp, udp", 0},
    {"[a]\nmatch=to any: recv=1\n", "2:10 'any:' no address", 0},
    {"[a]\nmatch=to any recv=1\n", "2:14 'recv=1' a setting among the conditions", 0},
};

static const struct {
    const char *text;
    const char *told; /* NULL: nothing */
    unsigned rules;
} oneliners[] = {
    {"to 10.0.0.0/8 port 5432: recv=10m; to 169.254.169.254: timeout=1s", NULL, 2},
    {" ;; to any:recv=1 ; ", NULL, 1},
    {"to any: recv=1\nto ::1: recv=2", NULL, 2},
    {"to [::1]:recv=1; to [2001:db8::]/32 port 1: send=1; to ::1: recv=1; to fe80::1:recv=2", NULL,
     4},
    {"to any: recv=1,send=2 connect = 3s , mode=cap", NULL, 1},
    {"from any: keepalive=60s/10s/5,idle=2m", NULL, 1},
    {"unix @x,/run/*: limits=off", NULL, 1},
    {"to any", "1:1 'to any' a rule without a setting", 0},
    {"to any:", "1:1 'to any:' a rule without a setting", 0},
    {"to any: recv", "1:9 'recv' no setting", 0},
    {"to any: recv=1; to any: recv=x; to any: recv=2", "1:30 'x' expected a duration", 2},
    {"to any: recv=1 recv=2", "1:16 'recv' given twice", 0},
    {"to any recv=1", "1:8 'recv=1' a setting among the conditions", 0},
    {": recv=1", "1:1 '' no condition", 0},
    {"recv=1", "1:1 'recv=1' a setting among the conditions", 0},
    {"to any: log=/x", "1:9 'log' holds for the whole program", 0},
    {"to any: rcv=1", "1:9 'rcv' unknown setting", 0},
    {"to any: recv=1,send", "1:14 '1,send' expected a duration", 0},
    {"to any: recv=1\nto: send=1", "2:1 'to' nothing behind it", 1},
    {"port 70000: recv=1", "1:6 '70000' no port", 0},
};

/* Whether TOLD begins with PLACE's text behind FILE:, and is one line. */
static void check_told(const char *file, const char *wanted)
{
    char line[512];
    snprintf(line, sizeof(line), "%s:%s", file, wanted);
    CHECK(strncmp(told, line, strlen(line)) == 0);
    if (strncmp(told, line, strlen(line)) != 0)
        fprintf(stderr, "    is %s    not %s\n", told, line);
    CHECK(strchr(told, '\n') == told + strlen(told) - 1);
}

static void check_faults(void)
{
    for (size_t i = 0; i < sizeof(faulty_files) / sizeof(faulty_files[0]); i++) {
        check_row = faulty_files[i].text;
        CHECK_EQ(load(faulty_files[i].text, NULL, NULL), 1);
        check_told("/etc/socktmo.conf", faulty_files[i].told);
        CHECK_EQ(rules.count, faulty_files[i].rules);
    }
    for (size_t i = 0; i < sizeof(oneliners) / sizeof(oneliners[0]); i++) {
        char variable[256];
        check_row = oneliners[i].text;
        snprintf(variable, sizeof(variable), "SOCKTMO_RULES=%s", oneliners[i].text);
        int faults = load(NULL, variable, NULL);
        CHECK_EQ(faults, oneliners[i].told != NULL ? 1 : -ENOENT);
        if (oneliners[i].told != NULL)
            check_told("SOCKTMO_RULES", oneliners[i].told);
        CHECK_EQ(rules.count, oneliners[i].rules);
    }
    check_row = NULL;
}

static void check_bytes(void)
{
    static char line[5000];
    load(NULL, NULL, NULL);
    put_bytes(0, "/etc/socktmo.conf", "recv=1\nsend=\0 2\nconnect=3\n", 26);
    char *envp[] = {NULL};
    struct tmo_sources from = {.envp = envp, .reader = &reader, .arena = &arena};
    told[0] = '\0';
    CHECK_EQ(tmo_config_load(&cfg, &rules, &from, tell, NULL), 1);
    CHECK_TEXT(told, "/etc/socktmo.conf:2:6 '' a NUL byte in the line, expected a text file\n");
    CHECK_EQ(cfg.value[TMO_SET_CONNECT], 3 * S);
    put_bytes(0, "/etc/socktmo.conf", "\xff\xfer\0e\0", 6);
    told[0] = '\0';
    CHECK_EQ(tmo_config_load(&cfg, &rules, &from, tell, NULL), 1);
    CHECK_TEXT(told, "/etc/socktmo.conf:1:1 '' UTF-16, expected UTF-8\n");
    memset(line, 'x', sizeof(line) - 1);
    CHECK_EQ(load(line, NULL, NULL), 1);
    CHECK(strstr(told, ":1:1 '' a line of more than 4095 bytes") != NULL);
}

/* --- matching -------------------------------------------------------------------------------- */

static struct tmo_target target_of(unsigned dir, const char *addr, uint16_t port)
{
    struct tmo_target target = {.dir = dir & 3, .proto = TMO_PROTO_TCP, .port = port};
    struct tmo_block block;
    const char *scope;
    size_t scope_len;
    if (addr[0] == '/' || addr[0] == '@') {
        target.path = addr;
        target.proto = TMO_PROTO_UNIX;
        return target;
    }
    CHECK_EQ(tmo_block_parse(addr, strlen(addr), &block, &scope, &scope_len), TMO_BLOCK_OK);
    memcpy(target.addr, block.addr, sizeof(target.addr));
    if (scope_len > 0)
        target.scope = (uint32_t)atoi(scope);
    target.has_addr = true;
    return target;
}

static const struct {
    const char *match;
    unsigned dir;
    const char *addr;
    uint16_t port;
    const char *host;
    int hit;
} matches[] = {
    {"to any", TMO_TO, "1.2.3.4", 1, NULL, 1},
    {"to any", TMO_FROM, "1.2.3.4", 1, NULL, 0},
    {"from any", TMO_FROM, "::1", 1, NULL, 1},
    {"to 10.0.0.0/8", TMO_TO, "10.255.0.1", 1, NULL, 1},
    {"to 10.0.0.0/8", TMO_TO, "11.0.0.1", 1, NULL, 0},
    {"to 10.1.2.3/8", TMO_TO, "10.9.9.9", 1, NULL, 1},
    {"to 10.0.0.0/8", TMO_TO, "::ffff:10.1.1.1", 1, NULL, 1},
    {"to ::ffff:10.0.0.0/104", TMO_TO, "10.1.1.1", 1, NULL, 1},
    {"to 0.0.0.0/0", TMO_TO, "1.1.1.1", 1, NULL, 1},
    {"to 0.0.0.0/0", TMO_TO, "::1", 1, NULL, 0},
    {"to ::/0", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"to ::/0", TMO_TO, "2001:db8::1", 1, NULL, 1},
    {"to 192.168.1.128/25", TMO_TO, "192.168.1.127", 1, NULL, 0},
    {"to 192.168.1.128/25", TMO_TO, "192.168.1.200", 1, NULL, 1},
    {"to 2001:db8::/33", TMO_TO, "2001:db8:7fff::1", 1, NULL, 1},
    {"to 2001:db8::/33", TMO_TO, "2001:db8:8000::1", 1, NULL, 0},
    {"to fe80::1%2", TMO_TO, "fe80::1%2", 1, NULL, 1},
    {"to fe80::1%2", TMO_TO, "fe80::1%3", 1, NULL, 0},
    {"to fe80::1", TMO_TO, "fe80::1%3", 1, NULL, 1},
    {"to 1.1.1.1,2.2.2.2", TMO_TO, "2.2.2.2", 1, NULL, 1},
    {"port 80", TMO_TO, "1.1.1.1", 80, NULL, 1},
    {"port 80", TMO_FROM, "1.1.1.1", 80, NULL, 1},
    {"port 80", TMO_TO, "1.1.1.1", 81, NULL, 0},
    {"port 80", TMO_TO, "/run/x", 80, NULL, 0},
    {"port 1-3,9", TMO_TO, "1.1.1.1", 2, NULL, 1},
    {"port 1-3,9", TMO_TO, "1.1.1.1", 9, NULL, 1},
    {"port 1-3,9", TMO_TO, "1.1.1.1", 4, NULL, 0},
    {"to any port 80", TMO_FROM, "1.1.1.1", 80, NULL, 0},
    {"unix /run/*", TMO_TO, "/run/a/b", 0, NULL, 1},
    {"unix /run/*", TMO_FROM, "/run/a", 0, NULL, 1},
    {"unix /run/*", TMO_TO, "@/run/a", 0, NULL, 0},
    {"unix @*", TMO_TO, "@x", 0, NULL, 1},
    {"unix /run/*", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"to any", TMO_TO, "/run/a", 0, NULL, 1},
    {"to 1.1.1.1", TMO_TO, "/run/a", 0, NULL, 0},
    {"to db.example.com", TMO_TO, "1.1.1.1", 1, "db.example.com", 1},
    {"to DB.Example.COM.", TMO_TO, "1.1.1.1", 1, "db.example.com", 1},
    {"to db.example.com", TMO_TO, "1.1.1.1", 1, "db.example.co", 0},
    {"to db.example.com", TMO_TO, "1.1.1.1", 1, "db.example.com.x", 0},
    {"to db.example.com", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"to *.example.com", TMO_TO, "1.1.1.1", 1, "a.b.example.com", 1},
    {"to *.example.com", TMO_TO, "1.1.1.1", 1, "example.com", 0},
    {"to db-[0-9]*.x", TMO_TO, "1.1.1.1", 1, "db-7a.x", 1},
    {"to db-[0-9]*.x", TMO_TO, "1.1.1.1", 1, "db-a.x", 0},
    {"to *", TMO_TO, "1.1.1.1", 1, "x", 1},
    {"proto tcp", TMO_TO, "1.1.1.1", 1, NULL, 1},
    {"proto udp", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"proto udp,tcp", 0, "1.1.1.1", 1, NULL, 1},
    {"proto all", TMO_TO, "/x", 1, NULL, 1},
    {"program me", 0, "1.1.1.1", 1, NULL, 1},
    {"program m*, x", TMO_FROM, "1.1.1.1", 1, NULL, 1},
    {"program you", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"to any program you", TMO_TO, "1.1.1.1", 1, NULL, 0},
    {"to any", 0, "1.1.1.1", 1, NULL, 0},
    {"port 1", 0, "1.1.1.1", 1, NULL, 0},
};

static void check_matches(void)
{
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "[r]\nmatch = %s\nrecv = 1\n", matches[i].match);
        check_row = matches[i].match;
        CHECK_EQ(load(text, NULL, NULL), 0);
        struct tmo_target target = target_of(matches[i].dir, matches[i].addr, matches[i].port);
        target.host = matches[i].host;
        target.program = "me";
        CHECK_EQ(tmo_rules_find(&rules, &target) != NULL, matches[i].hit);
        CHECK_EQ(rules.asks_host, strstr(matches[i].match, "to d") != NULL ||
                                      strstr(matches[i].match, "to D") != NULL ||
                                      strstr(matches[i].match, "to *") != NULL);
        CHECK_EQ(rules.asks_path, strstr(matches[i].match, "unix") != NULL);
    }
    check_row = NULL;
    /* the first one wins */
    CHECK_EQ(load("[a]\nmatch=to 10.0.0.0/8\nrecv=1\n[b]\nmatch=to any\nrecv=2\n", NULL, NULL), 0);
    struct tmo_target target = target_of(TMO_TO, "10.0.0.1", 1);
    CHECK_TEXT(tmo_rules_find(&rules, &target)->name, "a");
    target = target_of(TMO_TO, "11.0.0.1", 1);
    CHECK_TEXT(tmo_rules_find(&rules, &target)->name, "b");
}

int main(void)
{
    check_layers();
    check_rule_values();
    check_syntax();
    check_interfaces();
    check_services();
    check_faults();
    check_bytes();
    check_matches();
    tmo_arena_free(&arena);
    return check_end();
}
