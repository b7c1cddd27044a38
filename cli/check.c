/* SPDX-License-Identifier: MIT
 * `socktmo check [FILE]`: every setting in force, where it came from, the rules in the order in
 * which they are tried, and every fault.
 */
#include "cli/actions.h"
#include "cli/loaded.h"
#include "cli/options.h"
#include "cli/ruletext.h"
#include "cli/say.h"

#include <stdlib.h>
#include <string.h>

/* Where the value of ID comes from; for free(3). FILE as given on the command line. */
static char *origin_of(const struct tmo_loaded *loaded, const char *file, enum tmo_setting id)
{
    if (id == TMO_SET_CONFIG && file != NULL)
        return strdup("argument");
    return tmo_cli_origin(&loaded->cfg, id);
}

static const char *value_of(const struct tmo_loaded *loaded, const char *file, enum tmo_setting id,
                            char *buf)
{
    if (id == TMO_SET_CONFIG && file != NULL)
        return file;
    return tmo_cli_value(id, loaded->cfg.value[id], loaded->cfg.text[id], buf);
}

/* --- for people ------------------------------------------------------------------------------ */

static void print_settings(const struct tmo_loaded *loaded, const char *file)
{
    char buf[TMO_SETTING_TEXT];
    size_t name_width = 0, value_width = 0;
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        size_t name = strlen(tmo_setting_info[id].name);
        size_t value = strlen(value_of(loaded, file, id, buf));
        name_width = name > name_width ? name : name_width;
        if (value <= 24 && value > value_width) /* one long path must not push all the rest away */
            value_width = value;
    }
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        char *origin = origin_of(loaded, file, id);
        printf("SOCKTMO_%-*s  ", (int)name_width, tmo_setting_info[id].name);
        size_t width = tmo_cli_put(stdout, value_of(loaded, file, id, buf));
        printf("%*s  ", width < value_width ? (int)(value_width - width) : 0, "");
        tmo_cli_put(stdout, origin != NULL ? origin : "");
        fputc('\n', stdout);
        free(origin);
    }
}

static void print_rule(const struct tmo_rule *rule)
{
    char buf[TMO_SETTING_TEXT], key[40];
    char *origin = tmo_cli_rule_origin(rule, rule->line);
    char *conditions = tmo_cli_conditions(rule, TMO_ALL_CONDITIONS);
    tmo_cli_put_rule(stdout, rule);
    fputs("  ", stdout);
    tmo_cli_put(stdout, origin != NULL ? origin : "");
    fputs("\n    match = ", stdout);
    tmo_cli_put(stdout, conditions != NULL ? conditions : "");
    fputc('\n', stdout);
    for (unsigned i = 0; i < rule->values_count; i++) {
        const struct tmo_value *v = &rule->values[i];
        enum tmo_setting id = (enum tmo_setting)v->id;
        if (id == TMO_SETTINGS) {
            fputs("    limits = off\n", stdout);
            continue;
        }
        tmo_setting_key(id, key, sizeof(key));
        printf("    %s = ", key);
        tmo_cli_put(stdout, tmo_cli_value(id, v->value, v->text, buf));
        fputc('\n', stdout);
    }
    free(origin);
    free(conditions);
}

static void print_all(const struct tmo_loaded *loaded, const char *file)
{
    print_settings(loaded, file);
    if (loaded->rules.count > 0)
        fputs("\nRules, of which the first that matches holds:\n", stdout);
    for (const struct tmo_rule *rule = loaded->rules.first; rule != NULL; rule = rule->next)
        print_rule(rule);
}

/* --- for programs ---------------------------------------------------------------------------- */

static void json_rule(const struct tmo_rule *rule, struct tmo_json *json)
{
    char buf[TMO_SETTING_TEXT], key[40];
    char *origin = tmo_cli_rule_origin(rule, rule->line);
    char *conditions = tmo_cli_conditions(rule, TMO_ALL_CONDITIONS);
    tmo_json_open(json, NULL, '{');
    tmo_json_text(json, "name", rule->name);
    tmo_json_text(json, "origin", origin);
    tmo_json_text(json, "match", conditions);
    tmo_json_open(json, "settings", '{');
    for (unsigned i = 0; i < rule->values_count; i++) {
        const struct tmo_value *v = &rule->values[i];
        enum tmo_setting id = (enum tmo_setting)v->id;
        if (id == TMO_SETTINGS) {
            tmo_json_text(json, "limits", "off");
            continue;
        }
        tmo_setting_key(id, key, sizeof(key));
        tmo_json_text(
            json, key,
            v->text != NULL && v->text[0] == '\0' ? "" : tmo_cli_value(id, v->value, v->text, buf));
    }
    tmo_json_close(json, '}');
    tmo_json_close(json, '}');
    free(origin);
    free(conditions);
}

static void json_all(const struct tmo_loaded *loaded, const char *file)
{
    struct tmo_json json = {.out = stdout};
    char buf[TMO_SETTING_TEXT], key[40];
    tmo_json_open(&json, NULL, '{');
    tmo_json_open(&json, "settings", '{');
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        const char *text = loaded->cfg.text[id];
        char *origin = origin_of(loaded, file, id);
        tmo_setting_key(id, key, sizeof(key));
        tmo_json_open(&json, key, '{');
        tmo_json_text(&json, "value",
                      text != NULL && text[0] == '\0' ? "" : value_of(loaded, file, id, buf));
        tmo_json_text(&json, "origin", origin);
        tmo_json_close(&json, '}');
        free(origin);
    }
    tmo_json_close(&json, '}');
    tmo_json_open(&json, "rules", '[');
    for (const struct tmo_rule *rule = loaded->rules.first; rule != NULL; rule = rule->next)
        json_rule(rule, &json);
    tmo_json_close(&json, ']');
    tmo_cli_json_faults(loaded, &json);
    tmo_json_close(&json, '}');
    fputc('\n', stdout);
}

/* --- the action ------------------------------------------------------------------------------ */

int tmo_cli_check(char **argv)
{
    static struct tmo_loaded loaded; /* large, and texts within point to others */
    struct tmo_arguments given;
    if (tmo_cli_arguments_read(argv, "check", "one file", &given) < 0)
        return TMO_STATUS_USAGE;
    if (given.help)
        return tmo_cli_help();
    const char *file = given.subject;
    if (file != NULL && file[0] == '\0') {
        tmo_cli_say("check was given '' as a file, expected a path");
        return TMO_STATUS_USAGE;
    }
    if (tmo_cli_load(file, &loaded) < 0)
        return 1;
    if (given.json)
        json_all(&loaded, file);
    else if (!loaded.unread)
        print_all(&loaded, file);
    int status = tmo_cli_finish(loaded.faults_count > 0 ? 1 : 0, 1);
    if (!given.json) /* behind the table */
        tmo_cli_tell_faults(&loaded);
    return status;
}
