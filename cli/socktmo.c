/* SPDX-License-Identifier: MIT
 * The command socktmo: which action is asked for, and the help.
 * Layer: cli.
 */
#include "cli/actions.h"
#include "cli/options.h"
#include "cli/say.h"
#include "config/version.h"

#include <stdio.h>
#include <string.h>

#define LINE_WIDTH   79
#define INDENT       26
#define NAME_COLUMN  2
#define COLUMN_WIDTH (INDENT - NAME_COLUMN - 1)

static const char usage[] = "usage: socktmo [run] [OPTION]... [--] PROGRAM [ARG]...\n"
                            "       socktmo check [--json] [FILE]\n"
                            "       socktmo explain [OPTION]... HOST:PORT|ADDRESS|unix:PATH\n"
                            "       socktmo doctor [--json] PROGRAM|PID\n"
                            "       socktmo --help | --version\n";

/* Prints TEXT from column INDENT on, broken at blanks. */
static void print_wrapped(const char *text)
{
    size_t column = INDENT;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > INDENT && column + 1 + word > LINE_WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            fputc(' ', stdout);
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word + (text[word] != '\0');
    }
    fputc('\n', stdout);
}

static void print_option(const char *name, const char *first, const char *second)
{
    printf("%*s%-*s ", NAME_COLUMN, "", COLUMN_WIDTH, name);
    print_wrapped(first);
    if (second != NULL) {
        printf("%*s", INDENT, "");
        print_wrapped(second);
    }
}

static void print_setting(enum tmo_setting id)
{
    const struct tmo_setting_info *info = &tmo_setting_info[id];
    char name[TMO_OPTION_TEXT + 16], values[256];

    tmo_cli_option_name(id, name);
    strcat(name, info->type == TMO_TYPE_SWITCH ? "[=VALUE]" : " VALUE");
    snprintf(values, sizeof(values), "[%s; default: %s]", info->values,
             info->deflt[0] != '\0' ? info->deflt : tmo_cli_empty(id));
    print_option(name, info->help, values);
}

int tmo_cli_help(void)
{
    fputs(usage, stdout);
    fputs("\n"
          "run      starts PROGRAM with libsocktmo.so preloaded, which gives its waits on\n"
          "         the network a time limit; the word may be left out\n"
          "check    prints every setting in force, where it came from, the rules, and\n"
          "         every fault; with FILE in place of the library's configuration file\n"
          "explain  prints which rule decides over a connection, the limits that result,\n"
          "         and what the library then does\n"
          "doctor   prints whether and how a program or a running process can be reached,\n"
          "         and why not\n"
          "\n"
          "Options of run:\n",
          stdout);
    for (int id = 0; id < TMO_SETTINGS; id++)
        print_setting((enum tmo_setting)id);
    print_option("--guard[=VALUE]",
                 "stay as the parent of PROGRAM and end overdue TCP connections of it and its "
                 "children from outside, where the library does not reach",
                 "[on, off, or auto: if the library cannot get into PROGRAM; default: off]");
    print_option("--require-reach", "do not start a PROGRAM that the library cannot get into",
                 NULL);
    print_option("--help", "print this and end", NULL);
    print_option("--version", "print name and version and end", NULL);
    fputs("\nOptions of check, explain and doctor:\n", stdout);
    print_option("--json", "print one JSON object", NULL);
    fputs("\nOptions of explain:\n", stdout);
    print_option("--from", "a connection that is accepted: its peer's address, our own port", NULL);
    print_option("--proto VALUE", "tcp, udp or unix", "[default: tcp, or unix for a path]");
    print_option("--program NAME",
                 "in programs called so; without it rules for certain programs do "
                 "not match",
                 NULL);
    print_option("--config FILE", "the configuration file", NULL);
    print_option("-v, --verbose", "all rules that do not match, not only ten", NULL);
    fputs("\n"
          "Durations: 250ms, 1.5s, 2m, 1h; a bare number is seconds; 0 and off: no limit.\n"
          "Each option that is a setting can also be given in the environment:\n"
          "--log-format text, or --log-format=text, is SOCKTMO_LOG_FORMAT=text there.\n"
          "The option wins.\n"
          "\n"
          "Exit status of run: that of PROGRAM; 124 with --guard, where action is exit;\n"
          "125 bad usage or a bad setting;\n"
          "126 PROGRAM cannot be started, or, with --require-reach, not be reached;\n"
          "127 there is no such PROGRAM.\n"
          "Exit status of check and explain: 0; 1 if anything is wrong with the settings;\n"
          "125 bad usage.\n"
          "Exit status of doctor: 0 reached by preload; 1 only from outside, as by\n"
          "run --guard; 2 not at all; 125 bad usage; 126 it cannot be started\n"
          "or read; 127 it is not there.\n",
          stdout);
    return tmo_cli_finish(0, TMO_STATUS_USAGE);
}

int tmo_cli_version(void)
{
    fputs("socktmo " TMO_VERSION "\n", stdout);
    return tmo_cli_finish(0, TMO_STATUS_USAGE);
}

int main(int argc, char **argv)
{
    static char out[65536];
    /* Lines in one piece, also among those of other processes; nothing is left to flush at exec. */
    setvbuf(stderr, NULL, _IOLBF, 0);
    /* What is printed goes out at the end, where a failure is told with its reason. */
    setvbuf(stdout, out, _IOFBF, sizeof(out));

    argv += argc > 0; /* execve(2) allows an empty argv, before Linux 5.18 */
    if (argv[0] != NULL && strcmp(argv[0], "check") == 0)
        return tmo_cli_check(argv + 1);
    if (argv[0] != NULL && strcmp(argv[0], "explain") == 0)
        return tmo_cli_explain(argv + 1);
    if (argv[0] != NULL && strcmp(argv[0], "doctor") == 0)
        return tmo_cli_doctor(argv + 1);
    if (argv[0] != NULL && strcmp(argv[0], "run") == 0)
        argv++;
    if (argv[0] == NULL) {
        fputs(usage, stderr);
        return TMO_STATUS_USAGE;
    }
    return tmo_cli_run(argv);
}
