/* SPDX-License-Identifier: MIT
 * What there is to tell of a connection, for programs. See story.h.
 */
#include "cli/outcome.h"
#include "cli/ruletext.h"
#include "cli/story.h"

#include <stdlib.h>

static void json_rule(const struct tmo_rule *rule, struct tmo_json *json)
{
    char *origin = tmo_cli_rule_origin(rule, rule->line);
    char *conditions = tmo_cli_conditions(rule, TMO_ALL_CONDITIONS);
    tmo_json_text(json, "name", rule->name);
    tmo_json_text(json, "origin", origin);
    tmo_json_text(json, "match", conditions);
    free(origin);
    free(conditions);
}

static void json_rules(const struct tmo_story *story, struct tmo_json *json)
{
    const struct tmo_rule *decides = story->finding.rule;
    if (decides != NULL) {
        tmo_json_open(json, "rule", '{');
        json_rule(decides, json);
        tmo_json_close(json, '}');
    } else {
        tmo_json_text(json, "rule", NULL);
    }
    tmo_json_open(json, "passed", '[');
    for (const struct tmo_rule *rule = story->loaded->rules.first; rule != NULL && rule != decides;
         rule = rule->next) {
        char *why = tmo_cli_why_not(rule, story->goal, story->program);
        tmo_json_open(json, NULL, '{');
        json_rule(rule, json);
        tmo_json_text(json, "why", why);
        tmo_json_close(json, '}');
        free(why);
    }
    tmo_json_close(json, ']');
}

static void json_step(void *ctx, const char *call, const char *when)
{
    struct tmo_json *json = ctx;
    tmo_json_open(json, NULL, '{');
    tmo_json_text(json, "call", call);
    tmo_json_text(json, "when", when);
    tmo_json_close(json, '}');
}

static void json_settings(const struct tmo_story *story, struct tmo_json *json)
{
    const struct tmo_settled *settled = &story->finding.settled;
    char buf[TMO_SETTING_TEXT], key[40];
    tmo_json_open(json, "settings", '{');
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        if (!tmo_cli_is_of_connection(id))
            continue;
        char *origin = tmo_cli_finding_origin(story->loaded, &story->finding, id);
        const char *text = settled->text[id];
        tmo_setting_key(id, key, sizeof(key));
        tmo_json_open(json, key, '{');
        tmo_json_text(json, "value",
                      text != NULL && text[0] == '\0'
                          ? ""
                          : tmo_cli_value(id, settled->value[id], text, buf));
        tmo_json_text(json, "origin", origin);
        tmo_json_close(json, '}');
        free(origin);
    }
    tmo_json_close(json, '}');
}

void tmo_cli_story_json(const struct tmo_story *story, struct tmo_json *json)
{
    struct tmo_goal *goal = story->goal;
    const struct tmo_finding *finding = &story->finding;
    char text[TMO_GOAL_TEXT], proto[TMO_SETTING_TEXT];
    tmo_setting_print(TMO_SET_PROTO, goal->target.proto, proto);
    tmo_json_open(json, NULL, '{');
    tmo_cli_goal_print(goal, true, text, sizeof(text));
    tmo_json_text(json, "target", text);
    tmo_json_open(json, "addresses", '[');
    for (size_t i = story->first; i < story->last; i++) {
        struct tmo_goal one = *goal;
        one.has_port = false;
        tmo_cli_goal_at(&one, i);
        tmo_cli_goal_print(&one, false, text, sizeof(text));
        tmo_json_text(json, NULL, text);
    }
    tmo_json_close(json, ']');
    tmo_json_text(json, "proto", proto);
    tmo_json_text(json, "direction", tmo_cli_direction(story->goal));
    json_rules(story, json);
    json_settings(story, json);
    tmo_json_text(json, "left_alone", finding->alone[0] != '\0' ? finding->alone : NULL);
    tmo_json_open(json, "steps", '[');
    if (finding->alone[0] == '\0')
        (void)tmo_cli_outcome(&finding->plan, finding->accept_us, &goal->target, json_step, json);
    tmo_json_close(json, ']');
    tmo_json_close(json, '}');
}
