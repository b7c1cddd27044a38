/* SPDX-License-Identifier: MIT
 * The options of `socktmo run`. See options.h. getopt_long(3) is not used: it wants a table of its
 * own, takes any unambiguous beginning of a name, and gives no near-miss.
 */
#include "cli/options.h"
#include "cli/say.h"
#include "config/load.h"
#include "config/word.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE_TEXT 64 /* "SOCKTMO_" and the longest name */

static const char *const other_options[] = {"guard", "require-reach", "help", "version"};

void tmo_cli_option_name(enum tmo_setting id, char *buf)
{
    char *at = buf;
    *at++ = '-';
    *at++ = '-';
    for (const char *p = tmo_setting_info[id].name; *p && at < buf + TMO_OPTION_TEXT - 1; p++)
        *at++ = *p == '_' ? '-' : (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    *at = '\0';
}

static void tell_option(void *ctx, const struct tmo_problem *problem)
{
    tmo_cli_say("%s='%s': %s", (const char *)ctx, problem->value, problem->what);
}

/* Puts VALUE into the environment as setting ID, if it is good. */
static int take(enum tmo_setting id, const char *value)
{
    char variable[VARIABLE_TEXT], option[TMO_OPTION_TEXT];
    snprintf(variable, sizeof(variable), "SOCKTMO_%s", tmo_setting_info[id].name);
    tmo_cli_option_name(id, option);

    /* Judged by the loader itself, as an environment of one variable: the words of the complaint
     * are then those of a bad variable. */
    size_t size = strlen(variable) + strlen(value) + 2;
    char *pair = malloc(size);
    struct tmo_config *cfg = malloc(sizeof(*cfg));
    int r = -ENOMEM;
    if (pair != NULL && cfg != NULL) {
        snprintf(pair, size, "%s=%s", variable, value);
        tmo_config_init(cfg);
        char *envp[] = {pair, NULL};
        r = tmo_config_load_env(cfg, envp, tell_option, option) == 0 ? 0 : -EINVAL;
        /* First away with it: an environment may hold a name twice, setenv() changes only one. */
        if (r == 0 && (unsetenv(variable) != 0 || setenv(variable, value, 1) != 0))
            r = -errno;
    }
    if (r != 0 && r != -EINVAL)
        tmo_cli_say("%s: %s", option, strerror(-r));
    free(pair);
    free(cfg);
    return r;
}

/* Says that there is no option called NAME (LEN bytes of ARG), and which one was probably meant. */
static void tell_unknown(const char *arg, const char *name, size_t len)
{
    char meant[TMO_OPTION_TEXT] = "";
    char copy[TMO_OPTION_TEXT];

    if (len > 0 && len < sizeof(copy)) {
        unsigned best = len > 3 ? 3 : 2;
        for (size_t i = 0; i < len; i++)
            copy[i] = name[i] == '-' ? '_' : name[i];
        enum tmo_setting near = tmo_setting_near(copy, len);
        if (near != TMO_SETTINGS) {
            tmo_cli_option_name(near, meant);
            best = tmo_word_distance(copy, len, tmo_setting_info[near].name);
        }
        for (size_t i = 0; i < sizeof(other_options) / sizeof(other_options[0]); i++) {
            if (tmo_word_distance(name, len, other_options[i]) < best)
                snprintf(meant, sizeof(meant), "--%s", other_options[i]);
        }
    }
    if (meant[0] != '\0')
        tmo_cli_say("unknown option '%s', did you mean %s?", arg, meant);
    else
        tmo_cli_say("unknown option '%s', see socktmo --help", arg);
}

/* Takes the value of --guard; NULL: it stands alone. */
static int take_guard(const char *value, struct tmo_options *options)
{
    int64_t on = 1;
    if (value != NULL && tmo_word_is(value, strlen(value), "auto")) {
        options->guarding = TMO_GUARDING_AUTO;
        return 0;
    }
    if (value != NULL && tmo_setting_parse(TMO_SET_DISABLE, value, strlen(value), &on) < 0) {
        tmo_cli_say("--guard='%s': expected on, off or auto", value);
        return -EINVAL;
    }
    options->guarding = on != 0 ? TMO_GUARDING_ON : TMO_GUARDING_OFF;
    return 0;
}

/* Takes the option at *ARGV, which begins with "-"; *ARGV is moved to the last argument used. */
static int take_option(char ***argv, struct tmo_options *options)
{
    const char *arg = **argv;
    const char *name = arg + 1 + (arg[1] == '-');
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    enum tmo_setting id = arg[1] == '-' ? tmo_setting_find(name, len) : TMO_SETTINGS;

    if (id != TMO_SETTINGS) {
        if (equals != NULL)
            return take(id, equals + 1);
        if (tmo_setting_info[id].type == TMO_TYPE_SWITCH) /* never eats the next argument */
            return take(id, "on");
        if ((*argv)[1] == NULL) {
            tmo_cli_say("option '%s' needs a value: %s", arg, tmo_setting_expected(id));
            return -EINVAL;
        }
        return take(id, *++*argv);
    }

    bool known = false;
    for (size_t i = 0; i < sizeof(other_options) / sizeof(other_options[0]); i++)
        known = known || (arg[1] == '-' && tmo_word_is(name, len, other_options[i]));
    if (!known) {
        tell_unknown(arg, name, len);
        return -EINVAL;
    }
    if (tmo_word_is(name, len, "guard"))
        return take_guard(equals != NULL ? equals + 1 : NULL, options);
    if (equals != NULL) {
        tmo_cli_say("option '%s' takes no value", arg);
        return -EINVAL;
    }
    if (tmo_word_is(name, len, "require-reach"))
        options->require_reach = true;
    else
        options->wish = tmo_word_is(name, len, "help") ? TMO_WISH_HELP : TMO_WISH_VERSION;
    return 0;
}

int tmo_cli_options_read(char **argv, struct tmo_options *ret)
{
    struct tmo_options options = {.wish = TMO_WISH_RUN};

    for (; *argv != NULL && (*argv)[0] == '-' && (*argv)[1] != '\0'; argv++) {
        if (strcmp(*argv, "--") == 0) {
            argv++;
            break;
        }
        int r = take_option(&argv, &options);
        if (r < 0)
            return r;
        if (options.wish != TMO_WISH_RUN)
            break;
    }
    options.rest = argv;
    *ret = options;
    return 0;
}

int tmo_cli_arguments_read(char **argv, const char *action, const char *one,
                           struct tmo_arguments *ret)
{
    bool options = true;
    *ret = (struct tmo_arguments){.subject = NULL};
    for (; *argv != NULL; argv++) {
        const char *arg = *argv;
        if (!options || arg[0] != '-' || arg[1] == '\0') {
            if (ret->subject != NULL) {
                tmo_cli_say("%s takes %s, but was given '%s' too", action, one, arg);
                return -EINVAL;
            }
            ret->subject = arg;
        } else if (strcmp(arg, "--") == 0) {
            options = false;
        } else if (strcmp(arg, "--json") == 0) {
            ret->json = true;
        } else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
            ret->help = true;
        } else {
            tmo_cli_say("%s has no option '%s', see socktmo --help", action, arg);
            return -EINVAL;
        }
    }
    return 0;
}
