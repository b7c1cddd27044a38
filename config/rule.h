/* SPDX-License-Identifier: MIT
 * Rules: which connections one is for, and what holds for those.
 * Layer: config (pure). Signal-safe; a rule never changes once it is read.
 */
#ifndef TMO_CONFIG_RULE_H
#define TMO_CONFIG_RULE_H

#include "config/address.h"
#include "config/load.h"

/* Which way a connection goes. */
enum { TMO_TO = 1, TMO_FROM = 2 };

enum tmo_place_kind {
    TMO_PLACE_ANY,
    TMO_PLACE_BLOCK,
    TMO_PLACE_HOST, /* a glob of host names */
    TMO_PLACE_PATH, /* a glob of paths of unix sockets; @ stands for the NUL of an abstract one */
};

/* A glob, or what is quicker to try: most are a name, or *.name. */
enum tmo_glob_kind { TMO_GLOB_ANY, TMO_GLOB_EXACT, TMO_GLOB_SUFFIX };

struct tmo_place {
    const char *glob;
    uint16_t glob_len;
    uint8_t glob_kind; /* enum tmo_glob_kind */
    uint8_t kind;      /* enum tmo_place_kind */
    struct tmo_block block;
};

struct tmo_ports {
    uint16_t low, high;
};

/* A setting in a rule. */
struct tmo_value {
    uint8_t id; /* enum tmo_setting; TMO_SETTINGS: limits = off */
    int64_t value;
    const char *text; /* of textual settings */
    unsigned line;
};

struct tmo_rule {
    uint8_t dirs;   /* TMO_TO, TMO_FROM, or both */
    uint8_t protos; /* TMO_PROTO_ bits; 0: any */
    bool placed;    /* holds for a known destination only: by to, from, port or unix */
    uint16_t places_count, ports_count, values_count;
    uint16_t plan;                  /* room for whoever uses it */
    const struct tmo_place *places; /* one of them; none: anywhere */
    const struct tmo_ports *ports;  /* one of them; none: any */
    const char *program;            /* a list of globs; NULL: any */
    const struct tmo_value *values;
    const char *name; /* its section, or its text */
    const char *file; /* where it stands: a path, or SOCKTMO_RULES */
    unsigned line;
    struct tmo_rule *next;
};

/* In the order in which they are tried. */
struct tmo_ruleset {
    struct tmo_rule *first, *last;
    unsigned count;
    bool asks_host; /* one of them wants to know a host name */
    bool asks_path; /* ... the path of a unix socket */
};

/* What is known of a socket. */
struct tmo_target {
    uint8_t dir;         /* TMO_TO or TMO_FROM; 0: not connected yet */
    uint8_t proto;       /* TMO_PROTO_TCP, _UDP or _UNIX */
    bool has_addr;       /* an IP address is known, below */
    bool has_port;       /* only a port is: of a listener */
    uint8_t addr[16];    /* IPv4 as config/address.h has it */
    uint32_t scope;      /* 0: none */
    uint16_t port;       /* the peer's for TMO_TO, our own for TMO_FROM */
    const char *host;    /* small letters; NULL: not known */
    const char *path;    /* of a unix socket, NUL-terminated; NULL: none */
    const char *program; /* NULL: rules were chosen by program before */
};

/* Whether RULE is for TARGET. */
bool tmo_rule_matches(const struct tmo_rule *rule, const struct tmo_target *target);

/* The conditions of a rule that do not hold, one bit each. */
enum {
    TMO_MISS_DIR = 1, /* the other way */
    TMO_MISS_PROTO = 2,
    TMO_MISS_PORT = 4,
    TMO_MISS_PLACE = 8, /* another address, name or path */
    TMO_MISS_PROGRAM = 16,
};

/* Which conditions of RULE TARGET does not meet; 0: tmo_rule_matches(). */
unsigned tmo_rule_misses(const struct tmo_rule *rule, const struct tmo_target *target);

/* Puts RULE, which is in no other, behind those of RULES. */
void tmo_rules_add(struct tmo_ruleset *rules, struct tmo_rule *rule);

/* Whether RULE is for programs called PROGRAM. */
bool tmo_rule_is_for(const struct tmo_rule *rule, const char *program);

/* The first of RULES that is for TARGET, or NULL. */
const struct tmo_rule *tmo_rules_find(const struct tmo_ruleset *rules,
                                      const struct tmo_target *target);

/* What holds for a connection of RULE (NULL: of none): the general values of CFG, with the rule's
 * over them. TMO_SETTINGS each; text: of textual settings. */
struct tmo_settled {
    int64_t value[TMO_SETTINGS];
    const char *text[TMO_SETTINGS];
};
void tmo_rule_settle(const struct tmo_rule *rule, const struct tmo_config *cfg,
                     struct tmo_settled *ret);

/* The protocols (TMO_PROTO_ bits) that RULE means beside those of the setting `proto`: what it is
 * for by name or by path, where it asks for a limit there. */
unsigned tmo_rule_protos(const struct tmo_rule *rule);

/* What RULE itself (NULL: none) gives setting ID by: its own value, or that of `timeout` or
 * `limits`, of which *RET_THROUGH is then the name; else that is NULL. NULL: the rule does not give
 * it. */
const struct tmo_value *tmo_rule_gives(const struct tmo_rule *rule, enum tmo_setting id,
                                       const char **ret_through);

#endif
