/* SPDX-License-Identifier: MIT
 * Places, faults and settings in a text. See parse.h.
 */
#include "config/parse.h"
#include "config/errnos.h"
#include "config/sockopts.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

#define VALUE_TEXT 128 /* of a value in a complaint */

struct tmo_span tmo_span_trim(struct tmo_span span)
{
    while (span.len > 0 && tmo_is_blank(span.at[0])) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && tmo_is_blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

void tmo_parse_fault(struct tmo_parse *p, struct tmo_span at, const char *what)
{
    struct tmo_message where = {.len = 0};
    char value[VALUE_TEXT];
    size_t file_len = strlen(p->file), column = (size_t)(at.at - p->line) + 1;

    p->faults++;
    if (p->tell == NULL)
        return;
    if (file_len > 200) { /* its end says more */
        tmo_message_adds(&where, "...");
        tmo_message_adds(&where, p->file + file_len - 197);
    } else {
        tmo_message_adds(&where, p->file);
    }
    tmo_message_adds(&where, ":");
    tmo_message_number(&where, p->number);
    tmo_message_adds(&where, ":");
    tmo_message_number(&where, column);
    size_t len = at.len < sizeof(value) - 4 ? at.len : sizeof(value) - 4;
    memcpy(value, at.at, len);
    memcpy(value + len, "...", len < at.len ? 4 : 0);
    if (len == at.len)
        value[len] = '\0';
    p->tell(p->ctx, &(struct tmo_problem){.where = where.text,
                                          .value = value,
                                          .what = what,
                                          .is_place = true,
                                          .line = p->line,
                                          .line_len = p->line_len,
                                          .number = p->number,
                                          .column = (unsigned)column,
                                          .width = (unsigned)at.len});
}

void tmo_parse_fault_near(struct tmo_parse *p, struct tmo_span at, const char *what,
                          const char *near, size_t near_len)
{
    struct tmo_message m = {.len = 0};
    tmo_message_adds(&m, what);
    if (near != NULL) {
        tmo_message_adds(&m, ", did you mean ");
        tmo_message_add(&m, near, near_len);
        tmo_message_adds(&m, "?");
    }
    tmo_parse_fault(p, at, m.text);
}

void tmo_parse_no_memory(struct tmo_parse *p)
{
    tmo_parse_fault(p, tmo_span(p->line, p->line), "no memory for more rules");
}

void tmo_parse_why(struct tmo_message *m, int error)
{
    static const struct {
        int error;
        const char *why;
    } known[] = {
        {ENOENT, "no such file"},
        {EACCES, "permission denied"},
        {EISDIR, "a directory, expected a file"},
        {EINVAL, "not a regular file"},
        {EFBIG, "larger than 1 MiB, which is the most"},
        {ELOOP, "too many links one after the other"},
        {EPERM, "others than root can write it, so that it does not count in a program with more "
                "rights than its caller's"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].error == error) {
            tmo_message_adds(m, known[i].why);
            return;
        }
    }
    const char *name = tmo_errno_name(error);
    tmo_message_adds(m, name != NULL ? name : "it cannot be read");
}

/* --- settings -------------------------------------------------------------------------------- */

/* The item of a list that the table does not know, for the suggestion. */
static struct tmo_span unknown_item(enum tmo_setting id, struct tmo_span text)
{
    struct tmo_span item;
    const char *at = tmo_setting_info[id].type == TMO_TYPE_LIST ? text.at : NULL;
    while ((item.at = tmo_word_item(&at, text.at + text.len, &item.len)) != NULL) {
        int64_t ignored;
        if (tmo_setting_parse(id, item.at, item.len, &ignored) < 0)
            return item;
    }
    return text;
}

void tmo_parse_expected(struct tmo_message *m, enum tmo_setting id, struct tmo_span text, int error)
{
    size_t len;
    if (error == -E2BIG) {
        tmo_message_adds(m, "too long, expected less than 4096 bytes in all texts together");
        return;
    }
    if (id == TMO_SET_SOCKOPT) {
        struct tmo_sockopt_fault fault;
        (void)tmo_sockopts_parse(text.at, text.len, NULL, &fault);
        m->len += tmo_sockopts_explain(&fault, m->text + m->len, sizeof(m->text) - m->len);
        return;
    }
    tmo_message_adds(m, error == -ERANGE ? "too long a time, expected " : "expected ");
    tmo_message_adds(m, tmo_setting_expected(id));
    struct tmo_span word = unknown_item(id, text);
    const char *near = tmo_setting_near_word(id, word.at, word.len, &len);
    if (near != NULL) {
        tmo_message_adds(m, "; did you mean ");
        tmo_message_add(m, near, len);
        tmo_message_adds(m, "?");
    }
}

/* Whether setting ID has a value in RULE or CFG from this same file. */
static bool is_given(const struct tmo_parse *p, unsigned id, const struct tmo_config *cfg,
                     const struct tmo_rule *rule)
{
    for (unsigned i = 0; rule != NULL && i < rule->values_count; i++) {
        if (rule->values[i].id == id)
            return true;
    }
    return rule == NULL && id < TMO_SETTINGS && cfg->source[id] == TMO_FROM_FILE &&
           cfg->file[id] == p->file;
}

/* The setting called KEY, TMO_SETTINGS for `limits`; -1: none that may stand here, and told. */
static int setting_of(struct tmo_parse *p, struct tmo_span key, bool in_rule)
{
    static const char limits[] = "limits";
    char near[40];
    struct tmo_message m = {.len = 0};
    if (tmo_word_is(key.at, key.len, limits)) {
        if (in_rule)
            return TMO_SETTINGS;
        tmo_parse_fault(p, key, "only a rule can turn all limits off, expected it in a [section]");
        return -1;
    }
    enum tmo_setting id = tmo_setting_find(key.at, key.len);
    if (id == TMO_SETTINGS) {
        enum tmo_setting meant = tmo_setting_near(key.at, key.len);
        size_t len = 0;
        if (meant != TMO_SETTINGS)
            len = tmo_setting_key(meant, near, sizeof(near));
        else if (in_rule && tmo_word_distance(key.at, key.len, limits) <= 2)
            memcpy(near, limits, len = sizeof(limits) - 1);
        else if (in_rule && tmo_word_distance(key.at, key.len, "match") <= 2)
            memcpy(near, "match", len = 5);
        else if (!in_rule && tmo_word_distance(key.at, key.len, "include") <= 2)
            memcpy(near, "include", len = 7);
        tmo_parse_fault_near(p, key, "unknown setting, expected one that socktmo.conf(5) lists",
                             len > 0 ? near : NULL, len);
        return -1;
    }
    if (tmo_setting_info[id].stands == TMO_STANDS_ENV) {
        tmo_message_adds(&m, "cannot stand here, expected SOCKTMO_");
        tmo_message_adds(&m, tmo_setting_info[id].name);
        tmo_message_adds(&m, " in the environment");
        tmo_message_adds(&m, id == TMO_SET_RULES    ? ", or a [section] with match = ..."
                             : id == TMO_SET_CONFIG ? ", or include = FILE"
                                                    : "");
        tmo_parse_fault(p, key, m.text);
        return -1;
    }
    if (in_rule && tmo_setting_info[id].stands != TMO_STANDS_RULE) {
        tmo_parse_fault(p, key,
                        "holds for the whole program, expected it above the first [section]");
        return -1;
    }
    return (int)id;
}

static bool take_limits(struct tmo_parse *p, struct tmo_span value, struct tmo_rule *rule,
                        struct tmo_value *room)
{
    if (!tmo_word_is(value.at, value.len, "off")) {
        tmo_parse_fault(p, value, "expected off: limits = off turns all of a rule's limits off");
        return false;
    }
    room[rule->values_count++] = (struct tmo_value){.id = TMO_SETTINGS, .line = p->number};
    return true;
}

static bool take_in_rule(struct tmo_parse *p, enum tmo_setting id, struct tmo_span value,
                         struct tmo_rule *rule, struct tmo_value *room)
{
    struct tmo_value taken = {.id = (uint8_t)id, .line = p->number};
    int r = tmo_setting_parse(id, value.at, value.len, &taken.value);
    if (r < 0) {
        struct tmo_message m = {.len = 0};
        tmo_parse_expected(&m, id, value, r);
        tmo_parse_fault(p, value, m.text);
        return false;
    }
    if (tmo_setting_is_text(id)) {
        taken.text = tmo_arena_text(p->arena, value.at, value.len);
        if (taken.text == NULL) {
            tmo_parse_no_memory(p);
            return false;
        }
    }
    room[rule->values_count++] = taken;
    return true;
}

bool tmo_parse_setting(struct tmo_parse *p, struct tmo_span key, struct tmo_span value,
                       struct tmo_config *cfg, struct tmo_rule *rule, struct tmo_value *room)
{
    int id = setting_of(p, key, rule != NULL);
    if (id < 0)
        return false;
    if (rule != NULL)
        rule->values = room;
    if (is_given(p, (unsigned)id, cfg, rule)) {
        tmo_parse_fault(p, key, "given twice, expected once");
        return false;
    }
    if (id == TMO_SETTINGS)
        return take_limits(p, value, rule, room);
    if (rule != NULL)
        return take_in_rule(p, (enum tmo_setting)id, value, rule, room);
    int r = tmo_config_set(cfg, (enum tmo_setting)id, value.at, value.len);
    if (r < 0) {
        struct tmo_message m = {.len = 0};
        tmo_parse_expected(&m, (enum tmo_setting)id, value, r);
        tmo_parse_fault(p, value, m.text);
        return false;
    }
    cfg->source[id] = TMO_FROM_FILE;
    cfg->through[id] = (uint8_t)id;
    cfg->file[id] = p->file;
    cfg->line[id] = p->number;
    return true;
}

bool tmo_parse_keep(struct tmo_parse *p, const struct tmo_draft *draft, struct tmo_ruleset *rules)
{
    struct tmo_rule *rule = tmo_arena_take(p->arena, sizeof(*rule));
    struct tmo_value *values =
        tmo_arena_take(p->arena, (draft->rule.values_count + 1u) * sizeof(*values));
    if (rule == NULL || values == NULL) {
        tmo_parse_no_memory(p);
        return false;
    }
    *rule = draft->rule;
    memcpy(values, draft->values, rule->values_count * sizeof(*values));
    rule->values = values;
    tmo_rules_add(rules, rule);
    return true;
}
