/* SPDX-License-Identifier: MIT
 * `socktmo check`: every setting in force, where it came from, and every fault.
 */
#include "cli/actions.h"
#include "cli/options.h"
#include "cli/say.h"
#include "config/load.h"
#include "config/sockopts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* The value of setting ID as a person reads it; BUF (TMO_SETTING_TEXT bytes) may hold it. */
static const char *value_text(const struct tmo_config *cfg, enum tmo_setting id, char *buf)
{
    if (id == TMO_SET_SOCKOPT && cfg->text[id][0] != '\0')
        return sockopts_text(cfg->text[id]);
    if (cfg->text[id] != NULL)
        return cfg->text[id][0] != '\0' ? cfg->text[id] : tmo_cli_empty(id);
    tmo_setting_print(id, cfg->value[id], buf);
    return buf;
}

static void print_source(const struct tmo_config *cfg, enum tmo_setting id)
{
    if (cfg->source[id] == TMO_FROM_DEFAULT)
        fputs("default\n", stdout);
    else if (cfg->through[id] == id)
        fputs("environment\n", stdout);
    else
        printf("environment, by SOCKTMO_%s\n", tmo_setting_info[cfg->through[id]].name);
}

int tmo_cli_check(char **argv)
{
    static struct tmo_config cfg;
    char buf[TMO_SETTING_TEXT];
    size_t name_width = 0, value_width = 0;

    if (argv[0] != NULL && strcmp(argv[0], "--help") == 0)
        return tmo_cli_help();
    if (argv[0] != NULL) {
        tmo_cli_say("check takes no argument, but was given '%s'", argv[0]);
        return TMO_STATUS_USAGE;
    }

    tmo_config_init(&cfg);
    (void)tmo_config_load_env(&cfg, environ, NULL, NULL);
    for (int id = 0; id < TMO_SETTINGS; id++) {
        size_t name = strlen(tmo_setting_info[id].name);
        size_t value = strlen(value_text(&cfg, (enum tmo_setting)id, buf));
        name_width = name > name_width ? name : name_width;
        if (value <= 24 && value > value_width) /* one long path must not push all the rest away */
            value_width = value;
    }
    for (int id = 0; id < TMO_SETTINGS; id++) {
        printf("SOCKTMO_%-*s  ", (int)name_width, tmo_setting_info[id].name);
        size_t width = tmo_cli_put(stdout, value_text(&cfg, (enum tmo_setting)id, buf));
        printf("%*s  ", width < value_width ? (int)(value_width - width) : 0, "");
        print_source(&cfg, (enum tmo_setting)id);
    }
    int status = tmo_cli_finish(0, 1);

    /* Read once more for the faults, so that they come behind the table. */
    tmo_config_init(&cfg);
    return tmo_config_load_env(&cfg, environ, tmo_cli_tell, NULL) > 0 ? 1 : status;
}
