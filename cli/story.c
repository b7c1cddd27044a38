/* SPDX-License-Identifier: MIT
 * What there is to tell of a connection, for people. See story.h.
 */
#include "cli/story.h"
#include "cli/outcome.h"
#include "cli/ruletext.h"
#include "cli/say.h"

#include <stdlib.h>
#include <string.h>

#define RULES_SHOWN 10 /* of those that do not match, without -v */

/* Writes TEXT, escaped, and blanks up to WIDTH. */
static void put_column(const char *text, size_t width)
{
    size_t is = tmo_cli_put(stdout, text != NULL ? text : "");
    printf("%*s", is < width ? (int)(width - is) : 0, "");
}

static void print_heading(const struct tmo_story *story)
{
    struct tmo_goal *goal = story->goal;
    const struct tmo_rule *rule = story->finding.rule;
    char text[TMO_GOAL_TEXT], proto[TMO_SETTING_TEXT];
    tmo_setting_print(TMO_SET_PROTO, goal->target.proto, proto);
    tmo_cli_goal_print(goal, true, text, sizeof(text));
    tmo_cli_put(stdout, text);
    if (goal->unresolved != NULL)
        printf(" (address not known: %s)", goal->unresolved);
    for (size_t i = story->first; goal->host != NULL && i < story->last; i++) {
        struct tmo_goal one = *goal;
        one.has_port = false;
        tmo_cli_goal_at(&one, i);
        tmo_cli_goal_print(&one, false, text, sizeof(text));
        printf("%s%s%s", i == story->first ? " (" : ", ", text, i + 1 == story->last ? ")" : "");
    }
    printf(", %s, %s: ", proto, tmo_cli_direction(story->goal));
    if (rule == NULL) {
        fputs("no rule matches, the general settings hold\n", stdout);
        return;
    }
    char *origin = tmo_cli_rule_origin(rule, rule->line);
    char *conditions = tmo_cli_conditions(rule, TMO_ALL_CONDITIONS);
    fputs("the rule ", stdout);
    tmo_cli_put_rule(stdout, rule);
    fputs(", ", stdout);
    put_column(origin, 0);
    fputs("\n    match = ", stdout);
    put_column(conditions, 0);
    fputc('\n', stdout);
    free(origin);
    free(conditions);
}

static void print_passed(const struct tmo_story *story)
{
    unsigned count = 0;
    for (const struct tmo_rule *rule = story->loaded->rules.first;
         rule != NULL && rule != story->finding.rule; rule = rule->next) {
        if (count++ == 0)
            fputs("\nRules that do not match:\n", stdout);
        if (count > RULES_SHOWN && !story->verbose)
            continue;
        char *why = tmo_cli_why_not(rule, story->goal, story->program);
        fputs("    ", stdout);
        tmo_cli_put_rule(stdout, rule);
        fputs(": ", stdout);
        put_column(why, 0);
        fputc('\n', stdout);
        free(why);
    }
    if (count > RULES_SHOWN && !story->verbose)
        printf("    and %u more, which -v shows\n", count - RULES_SHOWN);
}

static void print_settings(const struct tmo_story *story)
{
    const struct tmo_settled *settled = &story->finding.settled;
    char buf[TMO_SETTING_TEXT], key[40];
    size_t key_width = 0, width = 0;
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        if (!tmo_cli_is_of_connection(id))
            continue;
        size_t key_len = tmo_setting_key(id, key, sizeof(key));
        size_t len = strlen(tmo_cli_value(id, settled->value[id], settled->text[id], buf));
        key_width = key_len > key_width ? key_len : key_width;
        if (len <= 24 && len > width)
            width = len;
    }
    fputs("\nSettings:\n", stdout);
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        if (!tmo_cli_is_of_connection(id))
            continue;
        tmo_setting_key(id, key, sizeof(key));
        char *origin = tmo_cli_finding_origin(story->loaded, &story->finding, id);
        printf("    %-*s  ", (int)key_width, key);
        put_column(tmo_cli_value(id, settled->value[id], settled->text[id], buf), width);
        fputs("  ", stdout);
        put_column(origin, 0);
        fputc('\n', stdout);
        free(origin);
    }
}

static void print_step(void *ctx, const char *call, const char *when)
{
    (void)ctx;
    fputs("    ", stdout);
    put_column(call, 0);
    fputs(": ", stdout);
    put_column(when, 0);
    fputc('\n', stdout);
}

void tmo_cli_story_print(const struct tmo_story *story)
{
    const struct tmo_finding *finding = &story->finding;
    print_heading(story);
    print_passed(story);
    print_settings(story);
    fputs("\nWhat the library does:\n", stdout);
    if (finding->alone[0] != '\0') {
        fputs("    ", stdout);
        put_column(finding->alone, 0);
        fputc('\n', stdout);
    } else if (tmo_cli_outcome(&finding->plan, finding->accept_us, &story->goal->target, print_step,
                               NULL) == 0) {
        fputs("    nothing, as no limit is set\n", stdout);
    }
}
