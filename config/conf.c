/* SPDX-License-Identifier: MIT
 * The configuration file: lines "key = value", above the first [section] for the whole program, in
 * a section for what its `match` says. See parse.h.
 */
#include "config/parse.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_BYTES 4095
#define DEEPEST        8 /* files that include one another */
#define NAME_BITS      16384

struct conf {
    struct tmo_parse *p;
    struct tmo_config *cfg;
    struct tmo_ruleset *rules;
    struct tmo_draft *draft; /* of the section that is read */
    bool in_section;
    int depth;
    uint8_t names[NAME_BITS / 8]; /* one bit for each name that there may be: the rest is quick */
};

static void read_text(struct conf *c, const char *path, const char *text, size_t len);

/* --- sections -------------------------------------------------------------------------------- */

/* A place in a line that is gone by now. */
struct kept_line {
    const char *line;
    size_t len;
    unsigned number;
};

static void fault_at_heading(struct conf *c, const char *what)
{
    struct tmo_parse *p = c->p;
    struct kept_line now = {p->line, p->line_len, p->number};
    p->line = c->draft->line.at;
    p->line_len = c->draft->line.len;
    p->number = c->draft->rule.line;
    tmo_parse_fault(p, c->draft->heading, what);
    p->line = now.line;
    p->line_len = now.len;
    p->number = now.number;
}

static void end_section(struct conf *c)
{
    struct tmo_draft *draft = c->draft;
    if (!c->in_section)
        return;
    c->in_section = false;
    if (!draft->matched && !draft->faulty) {
        fault_at_heading(c, "a section without match, expected one such as match = to 10.0.0.0/8");
        draft->faulty = true;
    }
    if (!draft->faulty)
        (void)tmo_parse_keep(c->p, draft, c->rules);
}

static bool is_taken(struct conf *c, struct tmo_span name)
{
    uint32_t hash = tmo_word_hash(2166136261u, name.at, name.len);
    hash = (hash ^ hash >> 15) % NAME_BITS;
    uint8_t *byte = &c->names[hash / 8], bit = (uint8_t)(1 << hash % 8);
    bool may_be = (*byte & bit) != 0;
    *byte |= bit;
    if (!may_be)
        return false;
    for (const struct tmo_rule *rule = c->rules->first; rule != NULL; rule = rule->next) {
        if (strncmp(rule->name, name.at, name.len) == 0 && rule->name[name.len] == '\0')
            return true;
    }
    return false;
}

static void begin_section(struct conf *c, struct tmo_span line)
{
    struct tmo_parse *p = c->p;
    struct tmo_draft *draft = c->draft;
    end_section(c);
    memset(draft, 0, sizeof(*draft));
    c->in_section = true;
    const char *close = memchr(line.at, ']', line.len);
    struct tmo_span name =
        tmo_span_trim(tmo_span(line.at + 1, close != NULL ? close : line.at + line.len));
    draft->heading = line;
    draft->line = (struct tmo_span){p->line, p->line_len};
    draft->rule.line = p->number;
    draft->rule.file = p->file;
    if (close == NULL)
        tmo_parse_fault(p, line, "no end of the heading, expected ] as in [name]");
    else if (close != line.at + line.len - 1)
        tmo_parse_fault(p, tmo_span(close + 1, line.at + line.len),
                        "something behind the heading, expected nothing on this line");
    else if (name.len == 0)
        tmo_parse_fault(p, line, "a section without a name, expected one as in [postgres]");
    else if (is_taken(c, name))
        tmo_parse_fault(p, name, "there is a section of that name above, expected another name");
    else if ((draft->rule.name = tmo_arena_text(p->arena, name.at, name.len)) == NULL)
        tmo_parse_no_memory(p);
    else
        return;
    draft->faulty = true;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Reads another file in the place of the line. */
static void include(struct conf *c, struct tmo_span value)
{
    struct tmo_parse *p = c->p;
    if (c->in_section) {
        tmo_parse_fault(p, value, "include in a section, expected it above the first [section]");
        c->draft->faulty = true;
        return;
    }
    if (c->depth == DEEPEST) {
        tmo_parse_fault(p, value, "files include one another more than 8 deep, expected less");
        return;
    }
    /* What is no absolute path starts where this file is. */
    const char *slash = value.len > 0 && value.at[0] != '/' ? strrchr(p->file, '/') : NULL;
    size_t folder = slash != NULL ? (size_t)(slash - p->file) + 1 : 0;
    char *path = tmo_arena_take(p->arena, folder + value.len + 1);
    if (path == NULL) {
        tmo_parse_no_memory(p);
        return;
    }
    memcpy(path, p->file, folder);
    memcpy(path + folder, value.at, value.len);

    struct kept_line now = {p->line, p->line_len, p->number};
    const char *file = p->file;
    const char *text;
    size_t len;
    int r = value.len > 0 ? p->reader->read(path, true, p->arena, &text, &len) : -ENOENT;
    if (r == 0)
        read_text(c, path, text, len);
    p->file = file;
    p->line = now.line;
    p->line_len = now.len;
    p->number = now.number;
    if (r < 0) {
        struct tmo_message m = {.len = 0};
        tmo_parse_why(&m, -r);
        tmo_message_adds(&m, ", expected a configuration file");
        tmo_parse_fault(p, value, m.text);
    }
}

/* Without a comment, which begins the line or stands behind a blank. */
static struct tmo_span without_comment(struct tmo_span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '#' && (i == 0 || tmo_is_blank(line.at[i - 1])))
            line.len = i;
    }
    if (line.len > 0 && tmo_span_trim(line).len > 0 && *tmo_span_trim(line).at == ';')
        line.len = 0;
    return tmo_span_trim(line);
}

static void read_setting(struct conf *c, struct tmo_span line)
{
    struct tmo_parse *p = c->p;
    struct tmo_draft *draft = c->draft;
    const char *end = line.at + line.len, *equals = memchr(line.at, '=', line.len);
    if (equals == NULL || equals == line.at) {
        tmo_parse_fault(p, line, "expected a setting such as recv = 30s, or a [section]");
        draft->faulty = true;
        return;
    }
    struct tmo_span key = tmo_span_trim(tmo_span(line.at, equals));
    struct tmo_span value = tmo_span_trim(tmo_span(equals + 1, end));
    if (tmo_word_is(key.at, key.len, "include")) {
        include(c, value);
    } else if (tmo_word_is(key.at, key.len, "match")) {
        if (!c->in_section) {
            tmo_parse_fault(p, key, "match outside of a section, expected it below a [section]");
        } else if (draft->matched) {
            tmo_parse_fault(p, key, "given twice, expected once");
            draft->faulty = true;
        } else {
            draft->matched = true;
            draft->faulty |= !tmo_parse_match(p, value, &draft->rule);
        }
    } else if (!tmo_parse_setting(p, key, value, c->cfg, c->in_section ? &draft->rule : NULL,
                                  draft->values)) {
        draft->faulty = true;
    }
}

static void read_line(struct conf *c)
{
    struct tmo_parse *p = c->p;
    struct tmo_span line = {p->line, p->line_len};
    const char *nul = line.len > 0 ? memchr(line.at, '\0', line.len) : NULL;
    if (nul != NULL || line.len > LINE_MAX_BYTES) {
        if (nul != NULL)
            tmo_parse_fault(p, tmo_span(nul, nul), "a NUL byte in the line, expected a text file");
        else
            tmo_parse_fault(p, tmo_span(line.at, line.at), "a line of more than 4095 bytes");
        c->draft->faulty = true;
        return;
    }
    line = without_comment(line);
    if (line.len == 0)
        return;
    if (line.at[0] == '[')
        begin_section(c, line);
    else
        read_setting(c, line);
}

/* Whether the text is in an encoding that we do not read; told. */
static bool is_foreign(struct tmo_parse *p, const char *text, size_t len)
{
    if (len < 2 ||
        !((text[0] == '\xff' && text[1] == '\xfe') || (text[0] == '\xfe' && text[1] == '\xff')))
        return false;
    p->line = text;
    p->line_len = 0;
    p->number = 1;
    tmo_parse_fault(p, tmo_span(text, text), "UTF-16, expected UTF-8");
    return true;
}

static void read_text(struct conf *c, const char *path, const char *text, size_t len)
{
    struct tmo_parse *p = c->p;
    for (size_t i = 0; i < len; i++) /* FNV-1a */
        c->cfg->file_hash = (c->cfg->file_hash ^ (uint8_t)text[i]) * 1099511628211u;
    p->file = path;
    if (is_foreign(p, text, len))
        return;
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a mark of UTF-8, as some editors put */
        text += 3;
    c->depth++;
    p->number = 0;
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        p->number++;
        p->line = at;
        p->line_len = (size_t)(stop - at);
        if (p->line_len > 0 && stop[-1] == '\r')
            p->line_len--;
        read_line(c);
        at = stop + (stop < end);
    }
    end_section(c);
    c->depth--;
}

int tmo_parse_file(struct tmo_parse *p, const char *path, struct tmo_config *cfg,
                   struct tmo_ruleset *rules)
{
    const char *text;
    size_t len;
    int r = p->reader->read(path, true, p->arena, &text, &len);
    if (r < 0) /* mostly there is none: nothing was taken for it */
        return r;
    struct conf *c = tmo_arena_take(p->arena, sizeof(*c)); /* too much for a small stack */
    struct tmo_draft *draft = tmo_arena_take(p->arena, sizeof(*draft));
    path = tmo_arena_text(p->arena, path, strlen(path));
    if (c == NULL || draft == NULL || path == NULL)
        return -ENOMEM;
    c->p = p;
    c->cfg = cfg;
    c->rules = rules;
    c->draft = draft;
    read_text(c, path, text, len);
    return 0;
}
