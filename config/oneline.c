/* SPDX-License-Identifier: MIT
 * Rules on one line: "to 10.0.0.0/8 port 5432: recv=10m; to 169.254.169.254: timeout=1s". See
 * parse.h.
 */
#include "config/parse.h"
#include "config/word.h"

#include <string.h>

static bool is_name(char c)
{
    return (tmo_word_lower(c) >= 'a' && tmo_word_lower(c) <= 'z') || c == '_' || c == '-';
}

/* Whether "NAME =" stands at the beginning of TEXT, NAME being a setting, or that is close. */
static bool begins_setting(struct tmo_span text, bool known)
{
    size_t len = 0;
    while (len < text.len && is_name(text.at[len]))
        len++;
    size_t name = len;
    while (len < text.len && tmo_is_blank(text.at[len]))
        len++;
    if (name == 0 || len == text.len || text.at[len] != '=')
        return false;
    return !known || tmo_setting_find(text.at, name) != TMO_SETTINGS ||
           tmo_word_is(text.at, name, "limits");
}

/* The colon between the conditions and the settings of a rule: behind it a blank, the end, or a
 * setting; others belong to IPv6 addresses. NULL: there is none. */
static const char *find_colon(struct tmo_span rule)
{
    const char *end = rule.at + rule.len;
    int brackets = 0;
    for (const char *c = rule.at; c < end; c++) {
        brackets += *c == '[' ? 1 : *c == ']' && brackets > 0 ? -1 : 0;
        if (*c == ':' && brackets == 0 &&
            (c + 1 == end || tmo_is_blank(c[1]) || begins_setting(tmo_span(c + 1, end), false)))
            return c;
    }
    return NULL;
}

/* Where the setting that begins at AT ends: at a blank or comma that another one follows. */
static const char *setting_end(const char *at, const char *end)
{
    for (const char *c = at; c < end; c++) {
        if (*c != ',' && !tmo_is_blank(*c))
            continue;
        const char *next = c + 1;
        while (next < end && (*next == ',' || tmo_is_blank(*next)))
            next++;
        if (next == end || begins_setting(tmo_span(next, end), !tmo_is_blank(next[-1])))
            return c;
    }
    return end;
}

static void read_settings(struct tmo_parse *p, struct tmo_span text, struct tmo_draft *draft)
{
    const char *at = text.at, *end = text.at + text.len;
    unsigned before = draft->rule.values_count;
    for (;;) {
        while (at < end && (*at == ',' || tmo_is_blank(*at)))
            at++;
        if (at == end)
            break;
        const char *stop = setting_end(at, end);
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        if (equals == NULL) {
            tmo_parse_fault(p, tmo_span(at, stop), "no setting, expected one such as recv=10s");
            draft->faulty = true;
        } else if (!tmo_parse_setting(p, tmo_span_trim(tmo_span(at, equals)),
                                      tmo_span_trim(tmo_span(equals + 1, stop)), NULL, &draft->rule,
                                      draft->values)) {
            draft->faulty = true;
        }
        at = stop;
    }
    if (draft->rule.values_count == before && !draft->faulty) {
        tmo_parse_fault(p, draft->heading,
                        "a rule without a setting, expected one behind a colon, such as recv=10s");
        draft->faulty = true;
    }
}

static void read_rule(struct tmo_parse *p, struct tmo_span text, struct tmo_ruleset *rules,
                      struct tmo_draft *draft)
{
    memset(draft, 0, sizeof(*draft));
    draft->heading = text;
    const char *colon = find_colon(text);
    const char *end = text.at + text.len;
    draft->faulty = !tmo_parse_match(
        p, tmo_span_trim(tmo_span(text.at, colon != NULL ? colon : end)), &draft->rule);
    if (colon != NULL || !draft->faulty)
        read_settings(p, colon != NULL ? tmo_span(colon + 1, end) : tmo_span(end, end), draft);
    if (draft->faulty)
        return;
    draft->rule.name = tmo_arena_text(p->arena, text.at, text.len);
    draft->rule.file = p->file;
    draft->rule.line = p->number;
    if (draft->rule.name == NULL)
        tmo_parse_no_memory(p);
    else
        (void)tmo_parse_keep(p, draft, rules);
}

void tmo_parse_oneline(struct tmo_parse *p, const char *text, struct tmo_ruleset *rules)
{
    struct tmo_draft *draft = tmo_arena_take(p->arena, sizeof(*draft));
    p->number = 0;
    for (const char *next; *text != '\0'; text = next) {
        size_t len = strcspn(text, "\n");
        next = text + len + (text[len] != '\0');
        p->number++;
        p->line = text;
        p->line_len = len;
        if (draft == NULL) {
            tmo_parse_no_memory(p);
            return;
        }
        for (const char *at = text, *end = text + len; at < end;) {
            const char *stop = memchr(at, ';', (size_t)(end - at));
            struct tmo_span rule = tmo_span_trim(tmo_span(at, stop != NULL ? stop : end));
            if (rule.len > 0)
                read_rule(p, rule, rules, draft);
            at = stop != NULL ? stop + 1 : end;
        }
    }
}
