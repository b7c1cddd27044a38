/* SPDX-License-Identifier: MIT
 * The settings and rules as the library would have them, and what is wrong with them.
 * Layer: cli.
 */
#ifndef TMO_CLI_LOADED_H
#define TMO_CLI_LOADED_H

#include "cli/json.h"
#include "config/rule.h"

struct tmo_loaded {
    struct tmo_config cfg;
    struct tmo_ruleset rules;
    struct tmo_arena arena; /* holds the rules and the lines of faults; it is never given back */
    struct tmo_problem *faults;
    size_t faults_count;
    bool unread; /* FILE cannot be read; the fault that says so is the only one */
};

/* Reads the environment and a configuration file: FILE, or if that is NULL the one that the
 * environment names, or the system's. Returns 0, or -ENOMEM, which was told. */
int tmo_cli_load(const char *file, struct tmo_loaded *ret);

/* The same from the environment ENVP (NULL: none), with files read by READER. */
int tmo_cli_load_from(char *const *envp, const struct tmo_reader *reader, const char *file,
                      struct tmo_loaded *ret);

/* Tells all faults on stderr, each in a line, and for one in a text that text with a mark below. */
void tmo_cli_tell_faults(const struct tmo_loaded *loaded);

/* The same as an array "problems". */
void tmo_cli_json_faults(const struct tmo_loaded *loaded, struct tmo_json *json);

/* The value of setting ID as a person reads it: TEXT if it is a textual setting, else VALUE, for
 * which BUF (TMO_SETTING_TEXT bytes) is room. Good until the next call. */
const char *tmo_cli_value(enum tmo_setting id, int64_t value, const char *text, char *buf);

/* Where the general value of setting ID came from: "default", "environment, by SOCKTMO_TIMEOUT",
 * "/etc/socktmo.conf:3". For free(3); NULL: no memory. */
char *tmo_cli_origin(const struct tmo_config *cfg, enum tmo_setting id);

#endif
