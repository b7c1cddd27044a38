/* SPDX-License-Identifier: MIT
 * Complaints. See complain.h. Layer: wrap.
 */
#include "shim/wrap/complain.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"

#include <string.h>

extern char **environ;

TMO_SPARSE TMO_HIDDEN struct tmo_sink tmo_complaints;

/* A line, at most so many bytes. Not on the stack, which may be small. */
#define COMPLAINT_TEXT 1024
struct complaint {
    char *text;
    size_t len;
};

/* Adds PIECE with its control bytes escaped: no value can look like another line, or play tricks on
 * a terminal. */
static void add(struct complaint *c, const char *piece)
{
    static const char hex[] = "0123456789abcdef";
    for (const char *p = piece; *p != '\0' && c->len < COMPLAINT_TEXT - 8; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte >= 0x20 && byte != 0x7f && byte != '\\') {
            c->text[c->len++] = *p;
            continue;
        }
        c->text[c->len++] = '\\';
        if (byte == '\\' || byte == '\n' || byte == '\t') {
            c->text[c->len++] = byte == '\n' ? 'n' : byte == '\t' ? 't' : '\\';
        } else {
            c->text[c->len++] = 'x';
            c->text[c->len++] = hex[byte >> 4];
            c->text[c->len++] = hex[byte & 15];
        }
    }
}

void tmo_complain_start(void)
{
    const char *ignored;
    if (tmo_complaints.kind == TMO_SINK_NONE)
        (void)tmo_sink_start(&tmo_complaints, "stderr", tmo_self.pid, tmo_self.program, &ignored);
}

/* On stderr as one line. */
static void tell_stderr(const struct tmo_problem *problem)
{
    int line = tmo_emit_hold();
    if (line < 0)
        return;
    struct complaint c = {.text = tmo_emit_lines[line]};
    bool has_value = problem->value[0] != '\0';
    add(&c, "socktmo: ");
    add(&c, problem->where);
    if (!problem->is_place || has_value) {
        add(&c, problem->is_place ? ": '" : "='");
        add(&c, problem->value);
        add(&c, "'");
    }
    add(&c, ": ");
    add(&c, problem->what);
    c.text[c.len++] = '\n';
    (void)tmo_sink_write(&tmo_complaints, c.text, c.len);
    tmo_emit_release(line);
}

void tmo_complain(void *ctx, const struct tmo_problem *problem)
{
    (void)ctx;
    const struct tmo_sink *sink = &tmo_current.sink;
    bool log_is_stderr = tmo_current.logs && sink->kind == TMO_SINK_FD && sink->fd == 2;
    if (tmo_current.logs) {
        struct tmo_event event;
        tmo_emit_begin(&event, TMO_RECORD_PROBLEM);
        event.where = problem->where;
        event.value = problem->value;
        event.what = problem->what;
        tmo_emit(&event);
    }
    if (!log_is_stderr)
        tell_stderr(problem);
}

void tmo_complain_count(void *ctx, const struct tmo_problem *problem)
{
    *(uint32_t *)ctx = tmo_problem_hash(*(uint32_t *)ctx, problem);
}

/* The variable that says which complaints were made, put into the environment that the program and
 * its children get. setenv(3) would allocate, so the list is copied into a page of our own. */
static char told[sizeof(TMO_TOLD_NAME) + 9];

void tmo_complain_note(void)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **list = tmo_raw_map((count + 2) * sizeof(*list));
    if (list == NULL)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], TMO_TOLD_NAME "=", sizeof(TMO_TOLD_NAME)) != 0)
            list[kept++] = environ[i];
    }
    list[kept] = told;
    environ = list;
}

bool tmo_complain_was_told(uint32_t hash)
{
    memcpy(told, TMO_TOLD_NAME "=", sizeof(TMO_TOLD_NAME));
    for (size_t i = 0; i < 8; i++)
        told[sizeof(TMO_TOLD_NAME) + i] = "0123456789abcdef"[hash >> (28 - 4 * i) & 15];
    for (char **env = environ; env != NULL && *env != NULL; env++) {
        if (strcmp(*env, told) == 0)
            return true;
    }
    return false;
}
