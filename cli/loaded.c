/* SPDX-License-Identifier: MIT
 * Settings and rules. See loaded.h.
 */
#include "cli/loaded.h"
#include "cli/options.h"
#include "cli/say.h"
#include "config/parse.h"
#include "config/sockopts.h"
#include "shim/policy/readfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- loading --------------------------------------------------------------------------------- */

struct keeping {
    struct tmo_loaded *loaded;
    bool no_memory;
};

static void keep_fault(void *ctx, const struct tmo_problem *problem)
{
    struct keeping *keeping = ctx;
    struct tmo_loaded *loaded = keeping->loaded;
    size_t count = loaded->faults_count;
    struct tmo_problem *faults = realloc(loaded->faults, (count + 1) * sizeof(*faults));
    if (faults == NULL) {
        keeping->no_memory = true;
        return;
    }
    loaded->faults = faults;
    faults[count] = *problem; /* its line stays: it is in the arena, or in the environment */
    faults[count].where = strdup(problem->where);
    faults[count].value = strdup(problem->value);
    faults[count].what = strdup(problem->what);
    if (faults[count].where == NULL || faults[count].value == NULL || faults[count].what == NULL)
        keeping->no_memory = true;
    else
        loaded->faults_count++;
}

int tmo_cli_load(const char *file, struct tmo_loaded *ret)
{
    return tmo_cli_load_from(environ, &tmo_readfile, file, ret);
}

int tmo_cli_load_from(char *const *envp, const struct tmo_reader *reader, const char *file,
                      struct tmo_loaded *ret)
{
    struct keeping keeping = {.loaded = ret};
    memset(ret, 0, sizeof(*ret));
    tmo_readfile_arena(&ret->arena);
    struct tmo_sources from = {.envp = envp, .file = file, .reader = reader, .arena = &ret->arena};
    const char *text;
    size_t len;
    int r =
        file != NULL && file[0] != '\0' ? reader->read(file, true, &ret->arena, &text, &len) : 0;
    if (r < 0) {
        struct tmo_message why = {.len = 0};
        tmo_parse_why(&why, -r);
        tmo_config_init(&ret->cfg);
        ret->unread = true;
        keep_fault(&keeping, &(struct tmo_problem){
                                 .where = file, .value = "", .what = why.text, .is_place = true});
    } else {
        (void)tmo_config_load(&ret->cfg, &ret->rules, &from, keep_fault, &keeping);
    }
    if (keeping.no_memory) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    return 0;
}

/* --- faults ---------------------------------------------------------------------------------- */

#define SHOWN_BEFORE 40 /* bytes of a long line, before what is meant ... */
#define SHOWN_BEHIND 60 /* ... and from there on */

static bool is_inside(char c) /* a letter of several bytes, but not its first */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The part of a line that is shown. */
struct view {
    const char *text;
    size_t from, to;
};

static struct view view_of(const struct tmo_problem *fault)
{
    size_t at = fault->column - 1;
    struct view view = {fault->line, 0, fault->line_len};
    if (at > fault->line_len)
        at = fault->line_len;
    if (view.to <= SHOWN_BEFORE + SHOWN_BEHIND)
        return view;
    if (at > SHOWN_BEFORE)
        view.from = at - SHOWN_BEFORE;
    if (view.to - at > SHOWN_BEHIND)
        view.to = at + SHOWN_BEHIND;
    while (view.from > 0 && is_inside(view.text[view.from]))
        view.from--;
    while (view.to < fault->line_len && is_inside(view.text[view.to]))
        view.to++;
    return view;
}

/* Prints the letter at P, of which LEFT bytes are there. Returns how many bytes it has, and how
 * many columns it takes in *RET_WIDTH. */
static size_t put_letter(const char *p, size_t left, size_t *ret_width)
{
    char letter[8];
    size_t len = 1;
    while (len < left && len < 4 && is_inside(p[len]))
        len++;
    memcpy(letter, p, len);
    letter[len] = '\0';
    *ret_width = 1;
    if (*p == '\t' || *p == '\\')
        fputc(*p, stderr);
    else if (*p == '\0')
        *ret_width = (size_t)fprintf(stderr, "\\x00");
    else
        *ret_width = tmo_cli_put(stderr, letter);
    if (len > 1 && *ret_width == len) /* printed as it is */
        *ret_width = 1;
    return len;
}

/* The line, and below it a mark. */
static void show(const struct tmo_problem *fault)
{
    struct view view = view_of(fault);
    char mark[16 * (SHOWN_BEFORE + SHOWN_BEHIND)];
    size_t at = 0, first = fault->column - 1, last = first + fault->width;
    if (view.from > 0) {
        fputs("...", stderr);
        memcpy(mark, "   ", at = 3);
    }
    for (size_t i = view.from; i < view.to;) {
        size_t width, len = put_letter(view.text + i, view.to - i, &width);
        for (size_t n = 0; n < width; n++) {
            bool meant = i >= first && i < last;
            mark[at++] = i == first && n == 0   ? '^'
                         : meant                ? '~'
                         : view.text[i] == '\t' ? '\t'
                                                : ' ';
        }
        i += len;
    }
    if (first >= view.to)
        mark[at++] = '^';
    while (at > 0 && (mark[at - 1] == ' ' || mark[at - 1] == '\t'))
        at--;
    fprintf(stderr, "%s\n%.*s\n", view.to < fault->line_len ? "..." : "", (int)at, mark);
}

void tmo_cli_tell_faults(const struct tmo_loaded *loaded)
{
    for (size_t i = 0; i < loaded->faults_count; i++) {
        const struct tmo_problem *fault = &loaded->faults[i];
        if (!fault->is_place) {
            tmo_cli_tell(NULL, fault);
            continue;
        }
        if (fault->line == NULL)
            fputs("socktmo: ", stderr);
        tmo_cli_put(stderr, fault->where);
        if (fault->value[0] != '\0') {
            fputs(": '", stderr);
            tmo_cli_put(stderr, fault->value);
            fputc('\'', stderr);
        }
        fputs(": ", stderr);
        tmo_cli_put(stderr, fault->what);
        fputc('\n', stderr);
        if (fault->line != NULL && fault->line_len > 0)
            show(fault);
    }
}

void tmo_cli_json_faults(const struct tmo_loaded *loaded, struct tmo_json *json)
{
    tmo_json_open(json, "problems", '[');
    for (size_t i = 0; i < loaded->faults_count; i++) {
        const struct tmo_problem *fault = &loaded->faults[i];
        tmo_json_open(json, NULL, '{');
        tmo_json_text(json, "where", fault->where);
        if (fault->line != NULL) {
            tmo_json_number(json, "line", fault->number);
            tmo_json_number(json, "column", fault->column);
        }
        tmo_json_text(json, "value", fault->value);
        tmo_json_text(json, "what", fault->what);
        tmo_json_close(json, '}');
    }
    tmo_json_close(json, ']');
}

/* --- values ---------------------------------------------------------------------------------- */

/* The list of socket options in its normal form. */
static const char *sockopts_text(const char *text)
{
    static char all[TMO_SOCKOPTS * TMO_SOCKOPT_TEXT];
    struct tmo_sockopt options[TMO_SOCKOPTS];
    int count = tmo_sockopts_parse(text, strlen(text), options, NULL);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0)
            all[at++] = ',';
        at += tmo_sockopt_print(&options[i], all + at);
    }
    return all;
}

const char *tmo_cli_value(enum tmo_setting id, int64_t value, const char *text, char *buf)
{
    if (text != NULL && text[0] != '\0' && tmo_setting_info[id].type == TMO_TYPE_SOCKOPT)
        return sockopts_text(text);
    if (text != NULL)
        return text[0] != '\0' ? text : tmo_cli_empty(id);
    tmo_setting_print(id, value, buf);
    return buf;
}

char *tmo_cli_origin(const struct tmo_config *cfg, enum tmo_setting id)
{
    char *text = NULL, key[40] = "";
    enum tmo_setting by = (enum tmo_setting)cfg->through[id];
    int r;
    if (by != id)
        tmo_setting_key(by, key, sizeof(key));
    switch (cfg->source[id]) {
    case TMO_FROM_FILE:
        r = asprintf(&text, "%s:%u%s%s", cfg->file[id], cfg->line[id], by != id ? ", by " : "",
                     key);
        break;
    case TMO_FROM_ENVIRONMENT:
        r = asprintf(&text, "environment%s%s", by != id ? ", by SOCKTMO_" : "",
                     by != id ? tmo_setting_info[by].name : "");
        break;
    default:
        r = asprintf(&text, "default");
    }
    return r < 0 ? NULL : text;
}
