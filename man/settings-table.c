/* SPDX-License-Identifier: MIT
 * Prints the settings of config/settings.def, and the socket options of config/sockopts.def, for
 * the manual pages and the README. Run by the build; it takes one word: options      rows of an
 * mdoc list, as the launcher's options environment  rows of an mdoc list, as environment variables
 *   markdown     a whole table
 *   sockopts     rows of an mdoc list: what a value looks like, and the options that take such
 */
#include "cli/options.h"
#include "config/sockopts.h"

#include <stdio.h>
#include <string.h>

#define LINE_WIDTH 76

/* Prints TEXT for mdoc as lines of its own, broken at blanks. */
static void put_roff(const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > 0) {
            bool fits = column + 1 + word <= LINE_WIDTH;
            fputc(fits ? ' ' : '\n', stdout);
            column = fits ? column + 1 : 0;
        }
        if (column == 0 && (*text == '.' || *text == '\''))
            fputs("\\&", stdout); /* no request */
        column += word;
        for (; word > 0; word--, text++) {
            if (*text == '\\')
                fputs("\\e", stdout);
            else if (*text == '-')
                fputs("\\-", stdout);
            else
                fputc(*text, stdout);
        }
        text += *text == ' ';
    }
    fputc('\n', stdout);
}

static void put_markdown(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|*\\`<", *text) != NULL)
            fputc('\\', stdout);
        fputc(*text, stdout);
    }
}

static void put_option_name(const char *name)
{
    for (; *name != '\0'; name++)
        fputc(*name == '_'                   ? '-'
              : *name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a'
                                             : *name,
              stdout);
}

static const char *default_text(enum tmo_setting id)
{
    const char *text = tmo_setting_info[id].deflt;
    return text[0] != '\0' ? text : tmo_cli_empty(id);
}

static void print_option(enum tmo_setting id)
{
    fputs(".It Fl -", stdout);
    put_option_name(tmo_setting_info[id].name);
    if (tmo_setting_info[id].type == TMO_TYPE_SWITCH)
        fputs(" Ns Op = Ns Ar value", stdout);
    else
        fputs(" Ar value", stdout);
}

/* Behind the ".It" line. */
static void print_description(enum tmo_setting id)
{
    char note[256];
    snprintf(note, sizeof(note), "(%s; default: %s).", tmo_setting_info[id].values,
             default_text(id));
    fputc('\n', stdout);
    put_roff(tmo_setting_info[id].help);
    put_roff(note);
}

static void print_markdown(enum tmo_setting id)
{
    printf("| `SOCKTMO_%s` | ", tmo_setting_info[id].name);
    put_markdown(tmo_setting_info[id].help);
    fputs(" | ", stdout);
    put_markdown(tmo_setting_info[id].values);
    if (tmo_setting_info[id].deflt[0] != '\0')
        printf(" | `%s` |\n", tmo_setting_info[id].deflt);
    else
        printf(" | %s |\n", default_text(id));
}

/* The options that take the same values as ROW, as one sentence. */
static void print_sockopts_like(unsigned row)
{
    char text[8192];
    size_t at = 0;
    const char *like = tmo_sockopt_expected(row), *name;
    for (unsigned i = row; (name = tmo_sockopt_name(i)) != NULL; i++) {
        if (strcmp(tmo_sockopt_expected(i), like) == 0 && at < sizeof(text))
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at > 0 ? ", " : "", name);
    }
    fputs(".It ", stdout);
    put_roff(like);
    put_roff(text);
}

static void print_sockopts(void)
{
    for (unsigned row = 0; tmo_sockopt_name(row) != NULL; row++) {
        unsigned first = 0;
        while (strcmp(tmo_sockopt_expected(first), tmo_sockopt_expected(row)) != 0)
            first++;
        if (first == row)
            print_sockopts_like(row);
    }
}

int main(int argc, char **argv)
{
    const char *shape = argc == 2 ? argv[1] : "";
    bool markdown = strcmp(shape, "markdown") == 0;
    bool options = strcmp(shape, "options") == 0;

    if (!markdown && !options && strcmp(shape, "environment") != 0 &&
        strcmp(shape, "sockopts") != 0) {
        fputs("usage: settings-table options|environment|markdown|sockopts\n", stderr);
        return 1;
    }
    if (strcmp(shape, "sockopts") == 0) {
        print_sockopts();
        return fflush(stdout) != 0 || ferror(stdout);
    }
    if (markdown)
        fputs("| variable | meaning | values | default |\n|---|---|---|---|\n", stdout);
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        if (markdown) {
            print_markdown(id);
            continue;
        }
        if (options)
            print_option(id);
        else
            printf(".It Ev SOCKTMO_%s", tmo_setting_info[id].name);
        print_description(id);
    }
    return fflush(stdout) != 0 || ferror(stdout);
}
