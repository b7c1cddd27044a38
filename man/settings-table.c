/* SPDX-License-Identifier: MIT
 * Prints the settings of config/settings.def, and the socket options of config/sockopts.def, for
 * the manual pages, the README and the completions of shells. Run by the build; it takes one word:
 *
 *     options      rows of an mdoc list, as the launcher's options
 *     environment  rows of an mdoc list, as environment variables
 *     file         rows of an mdoc list, as settings of a configuration file
 *     sockopts     rows of an mdoc list: what a value looks like, and the options that take such
 *     markdown     a whole table
 *     bash-options, bash-values, zsh   for the completions, see cli/completion/
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

static void print_options(enum tmo_setting id)
{
    print_option(id);
    print_description(id);
}

static void print_variable(enum tmo_setting id)
{
    printf(".It Ev SOCKTMO_%s", tmo_setting_info[id].name);
    print_description(id);
}

static void print_key(enum tmo_setting id)
{
    char key[40];
    if (tmo_setting_info[id].stands == TMO_STANDS_ENV)
        return;
    tmo_setting_key(id, key, sizeof(key));
    printf(".It Cm %s", key);
    print_description(id);
    if (tmo_setting_info[id].stands == TMO_STANDS_FILE)
        fputs("For the whole program.\n", stdout);
}

/* --- completions ----------------------------------------------------------------------------- */

static bool is_path(enum tmo_setting id)
{
    return tmo_setting_info[id].type == TMO_TYPE_FILE || tmo_setting_info[id].type == TMO_TYPE_SINK;
}

static void print_bash_option(enum tmo_setting id)
{
    char option[TMO_OPTION_TEXT];
    tmo_cli_option_name(id, option);
    printf("    %s\n", option);
}

/* An arm of a case. */
static void print_bash_value(enum tmo_setting id)
{
    char option[TMO_OPTION_TEXT];
    tmo_cli_option_name(id, option);
    printf("    %s)", option);
    if (tmo_setting_info[id].type == TMO_TYPE_SWITCH)
        fputs(" words='on off' bare=1", stdout);
    else if (is_path(id))
        fputs(" files=1", stdout);
    else if (tmo_setting_info[id].words[0] != '\0')
        printf(" words='%s'", tmo_setting_info[id].words);
    fputs(" ;;\n", stdout);
}

/* TEXT in a specification for _arguments, within single quotes. */
static void put_zsh(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\'", stdout);
        else if (strchr("[]:\\", *text) != NULL)
            fputc('\\', stdout);
        fputc(*text, stdout);
    }
}

static void print_zsh(enum tmo_setting id)
{
    const struct tmo_setting_info *info = &tmo_setting_info[id];
    char option[TMO_OPTION_TEXT];
    bool is_switch = info->type == TMO_TYPE_SWITCH;
    tmo_cli_option_name(id, option);
    printf("    '%s=%s[", option, is_switch ? "-" : "");
    put_zsh(info->help);
    fputs(is_switch ? "]::" : "]:", stdout);
    put_zsh(info->values);
    if (is_switch)
        fputs(":(on off)", stdout);
    else if (is_path(id))
        fputs(":_files", stdout);
    else if (info->words[0] != '\0')
        printf(":(%s)", info->words);
    else
        fputs(": ", stdout);
    fputs("'\n", stdout);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *shape;
        void (*print)(enum tmo_setting id);
    } shapes[] = {
        {"options", print_options},
        {"environment", print_variable},
        {"file", print_key},
        {"markdown", print_markdown},
        {"bash-options", print_bash_option},
        {"bash-values", print_bash_value},
        {"zsh", print_zsh},
    };
    if (argc == 2 && strcmp(argv[1], "sockopts") == 0) {
        print_sockopts();
        return fflush(stdout) != 0 || ferror(stdout);
    }
    size_t shape = 0, count = sizeof(shapes) / sizeof(shapes[0]);
    while (shape < count && (argc != 2 || strcmp(argv[1], shapes[shape].shape) != 0))
        shape++;
    if (shape == count) {
        fputs("usage: settings-table SHAPE, see man/settings-table.c\n", stderr);
        return 1;
    }
    if (shapes[shape].print == print_markdown)
        fputs("| variable | meaning | values | default |\n|---|---|---|---|\n", stdout);
    for (int i = 0; i < TMO_SETTINGS; i++)
        shapes[shape].print((enum tmo_setting)i);
    return fflush(stdout) != 0 || ferror(stdout);
}
