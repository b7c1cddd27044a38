/* SPDX-License-Identifier: MIT
 * A text that is being read: places in it, faults, settings. For the readers of this folder: conf.c
 * (the file), oneline.c (SOCKTMO_RULES), match.c (their conditions).
 * Layer: config (pure). Signal-safe.
 */
#ifndef TMO_CONFIG_PARSE_H
#define TMO_CONFIG_PARSE_H

#include "config/message.h"
#include "config/rule.h"

/* A piece of a text. */
struct tmo_span {
    const char *at;
    size_t len;
};

/* A piece up to the byte END. */
static inline struct tmo_span tmo_span(const char *at, const char *end)
{
    return (struct tmo_span){at, (size_t)(end - at)};
}

struct tmo_parse {
    struct tmo_arena *arena;
    const struct tmo_reader *reader; /* NULL: there are no files */
    tmo_problem_fn *tell;            /* NULL: nobody */
    void *ctx;
    int faults;
    const char *file; /* path of the file, or "SOCKTMO_RULES" */
    const char *line; /* the line that is read, without its end */
    size_t line_len;
    unsigned number;      /* its number, from 1 */
    const char *services; /* /etc/services, when it was read; NULL: not yet */
    size_t services_len;
};

/* Tells that the piece AT of the line is not as it should be: WHAT. */
void tmo_parse_fault(struct tmo_parse *p, struct tmo_span at, const char *what);

/* The same, with WHAT followed by ", did you mean X?" where NEAR is not NULL. */
void tmo_parse_fault_near(struct tmo_parse *p, struct tmo_span at, const char *what,
                          const char *near, size_t near_len);

/* Tells that there is no memory for more. */
void tmo_parse_no_memory(struct tmo_parse *p);

/* A blank of any kind but the end of the line. */
static inline bool tmo_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Without the blanks at both ends. */
struct tmo_span tmo_span_trim(struct tmo_span span);

/* Takes KEY = VALUE into RULE, or, if that is NULL, into CFG. False: it is faulty, and told. A rule
 * has its values in ROOM, for TMO_SETTINGS + 1 of them. */
bool tmo_parse_setting(struct tmo_parse *p, struct tmo_span key, struct tmo_span value,
                       struct tmo_config *cfg, struct tmo_rule *rule, struct tmo_value *room);

/* Reads the conditions TEXT into RULE. False: faulty, and told. */
bool tmo_parse_match(struct tmo_parse *p, struct tmo_span text, struct tmo_rule *rule);

/* A rule that is put together. */
struct tmo_draft {
    struct tmo_rule rule;
    struct tmo_value values[TMO_SETTINGS + 1];
    bool matched, faulty;
    struct tmo_span heading, line; /* what names it, and its line */
};

/* Puts a copy of DRAFT behind RULES. False: no memory, and told. */
bool tmo_parse_keep(struct tmo_parse *p, const struct tmo_draft *draft, struct tmo_ruleset *rules);

/* Reads the text of SOCKTMO_RULES into RULES. */
void tmo_parse_oneline(struct tmo_parse *p, const char *text, struct tmo_ruleset *rules);

/* Reads the file PATH: its general part into CFG, its sections into RULES. Returns 0, or -errno if
 * it cannot be read, which is not told. */
int tmo_parse_file(struct tmo_parse *p, const char *path, struct tmo_config *cfg,
                   struct tmo_ruleset *rules);

/* Why a file cannot be read, in words. */
void tmo_parse_why(struct tmo_message *m, int error);

/* What is expected of setting ID, with a near-miss of TEXT. ERROR as of tmo_config_set(). */
void tmo_parse_expected(struct tmo_message *m, enum tmo_setting id, struct tmo_span text,
                        int error);

#endif
