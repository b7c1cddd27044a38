/* SPDX-License-Identifier: MIT
 * The options of `socktmo run`. All but four (--guard, --require-reach, --help, --version) are
 * settings from config/settings.def. Layer: cli.
 */
#ifndef TMO_CLI_OPTIONS_H
#define TMO_CLI_OPTIONS_H

#include "config/settings.h"

#include <stdbool.h>

enum tmo_wish { TMO_WISH_RUN, TMO_WISH_HELP, TMO_WISH_VERSION };

enum tmo_guarding {
    TMO_GUARDING_OFF,
    TMO_GUARDING_ON,
    TMO_GUARDING_AUTO, /* where the library cannot reach the program */
};

struct tmo_options {
    enum tmo_wish wish;
    enum tmo_guarding guarding;
    bool require_reach;
    char **rest; /* the first argument that is no option, and all behind it; ends with NULL */
};

/* Reads the options at the head of ARGV (ended by NULL) and puts each setting into the environment
 * as SOCKTMO_X, over what is there. Returns 0; or -EINVAL for a fault, -ENOMEM, and it was told on
 * stderr. */
int tmo_cli_options_read(char **argv, struct tmo_options *ret);

/* Longest text tmo_cli_option_name() makes, with its NUL. */
#define TMO_OPTION_TEXT 48

/* Writes the option of setting ID, "--log-format", into BUF (TMO_OPTION_TEXT bytes). */
void tmo_cli_option_name(enum tmo_setting id, char *buf);

/* What a person reads where setting ID is an empty text: "all" for the list of programs to act
 * in, else "none". */
static inline const char *tmo_cli_empty(enum tmo_setting id)
{
    return id == TMO_SET_ONLY ? "all" : "none";
}

/* What an action is given that takes one thing, and may print JSON. */
struct tmo_arguments {
    const char *subject; /* NULL: nothing */
    bool json, help;
};

/* Reads ARGV for ACTION, which takes ONE ("one file"). Returns 0; or -EINVAL and it was told why.
 */
int tmo_cli_arguments_read(char **argv, const char *action, const char *one,
                           struct tmo_arguments *ret);

#endif
