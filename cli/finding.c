/* SPDX-License-Identifier: MIT
 * Which rule decides. See finding.h.
 */
#include "cli/finding.h"
#include "cli/ruletext.h"
#include "shim/policy/readfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The conditions of RULE that do not hold; what is not known does not hold. */
static unsigned misses_of(const struct tmo_rule *rule, const struct tmo_target *target,
                          bool has_port, const char *program)
{
    unsigned misses = tmo_rule_misses(rule, target);
    if (rule->program != NULL && program == NULL)
        misses |= TMO_MISS_PROGRAM;
    if (rule->ports_count > 0 && !has_port)
        misses |= TMO_MISS_PORT;
    return misses;
}

static const struct tmo_rule *first_for(const struct tmo_loaded *loaded,
                                        const struct tmo_target *target, bool has_port,
                                        const char *program)
{
    const struct tmo_rule *rule = loaded->rules.first;
    while (rule != NULL && misses_of(rule, target, has_port, program) != 0)
        rule = rule->next;
    return rule;
}

static enum tmo_proto proto_of(uint8_t bit)
{
    return bit == TMO_PROTO_UDP ? TMO_UDP : bit == TMO_PROTO_UNIX ? TMO_UNIX_STREAM : TMO_TCP;
}

/* The plan of a connection of RULE (NULL: of none), as the library makes it. Its socket options
 * stay for ever. */
static void make_plan(const struct tmo_rule *rule, const struct tmo_config *cfg,
                      struct tmo_settled *settled, struct tmo_plan *ret)
{
    tmo_rule_settle(rule, cfg, settled);
    tmo_plan_make(settled->value, ret);
    if (rule != NULL)
        ret->protos |= tmo_plan_protos(tmo_rule_protos(rule));
    struct tmo_arena arena;
    tmo_readfile_arena(&arena);
    (void)tmo_plan_take_sockopts(ret, settled->text[TMO_SET_SOCKOPT], &arena);
}

/* The timeout of a socket that listens: rules that ask where a connection goes or comes from are
 * not for it. */
static int64_t accept_us_of(const struct tmo_loaded *loaded, const struct tmo_target *target,
                            const char *program)
{
    struct tmo_target listener = {.proto = target->proto, .program = program};
    struct tmo_settled settled;
    struct tmo_plan plan;
    make_plan(first_for(loaded, &listener, false, program), &loaded->cfg, &settled, &plan);
    return tmo_plan_covers(&plan, proto_of(target->proto)) ? plan.accept_us : 0;
}

void tmo_cli_find(const struct tmo_loaded *loaded, const struct tmo_goal *goal, const char *program,
                  struct tmo_finding *ret)
{
    const struct tmo_config *cfg = &loaded->cfg;
    struct tmo_target target = goal->target;
    char protos[TMO_SETTING_TEXT], proto[TMO_SETTING_TEXT];
    target.program = program;
    memset(ret, 0, sizeof(*ret));
    ret->rule = first_for(loaded, &target, goal->has_port, program);
    make_plan(ret->rule, cfg, &ret->settled, &ret->plan);
    ret->accept_us = accept_us_of(loaded, &target, program);
    if (cfg->value[TMO_SET_DISABLE] != 0) {
        snprintf(ret->alone, sizeof(ret->alone), "nothing is done, as disable is on");
    } else if (program != NULL && !tmo_config_wants(cfg, program)) {
        snprintf(ret->alone, sizeof(ret->alone),
                 "nothing is done in programs called %s, by only or skip", program);
    } else if (!tmo_plan_covers(&ret->plan, proto_of(target.proto))) {
        tmo_setting_print(TMO_SET_PROTO, ret->settled.value[TMO_SET_PROTO], protos);
        tmo_setting_print(TMO_SET_PROTO, target.proto, proto);
        snprintf(ret->alone, sizeof(ret->alone), "it is left alone, as proto is %s and this is %s",
                 protos, proto);
    }
}

/* --- words ----------------------------------------------------------------------------------- */

static bool has_place(const struct tmo_rule *rule, enum tmo_place_kind kind)
{
    for (unsigned i = 0; i < rule->places_count; i++) {
        if (rule->places[i].kind == kind)
            return true;
    }
    return false;
}

/* What else there is to say of a place that does not match. */
static const char *note_of(const struct tmo_rule *rule, const struct tmo_goal *goal)
{
    if (goal->target.path != NULL)
        return "";
    if (goal->host == NULL && has_place(rule, TMO_PLACE_HOST))
        return ", a name that the program looked up";
    if (goal->count == 0 && has_place(rule, TMO_PLACE_BLOCK))
        return ", and its address is not known";
    return "";
}

char *tmo_cli_why_not(const struct tmo_rule *rule, const struct tmo_goal *goal, const char *program)
{
    struct tmo_target target = goal->target;
    target.program = program;
    unsigned misses = misses_of(rule, &target, goal->has_port, program);
    bool asks_port = (misses & TMO_MISS_PORT) != 0 && !goal->has_port && target.path == NULL;
    if (misses == 0)
        return NULL;
    if (asks_port && misses != TMO_MISS_PORT) /* what is surely wrong says more */
        misses &= ~(unsigned)TMO_MISS_PORT;
    char *text = NULL, *conditions = tmo_cli_conditions(rule, misses);
    int r = -1;
    if (conditions == NULL)
        return NULL;
    if (misses == TMO_MISS_PORT && asks_port)
        r = asprintf(&text, "would need a port: only %s", conditions);
    else if (misses == TMO_MISS_PROGRAM)
        r = asprintf(&text, "only in programs called %s", conditions + strlen("program "));
    else if ((misses & TMO_MISS_DIR) != 0)
        r = asprintf(&text, "only for %s connections: %s",
                     rule->dirs == TMO_FROM ? "accepted" : "outgoing", conditions);
    else
        r = asprintf(&text, "only %s%s", conditions,
                     (misses & TMO_MISS_PLACE) != 0 ? note_of(rule, goal) : "");
    free(conditions);
    return r < 0 ? NULL : text;
}

char *tmo_cli_finding_origin(const struct tmo_loaded *loaded, const struct tmo_finding *finding,
                             enum tmo_setting id)
{
    const char *through;
    const struct tmo_value *by = tmo_rule_gives(finding->rule, id, &through);
    if (by == NULL)
        return tmo_cli_origin(&loaded->cfg, id);
    char *text = NULL, *place = tmo_cli_rule_origin(finding->rule, by->line);
    int r = place == NULL ? -1
                          : asprintf(&text, "rule, %s%s%s", place, through != NULL ? ", by " : "",
                                     through != NULL ? through : "");
    free(place);
    return r < 0 ? NULL : text;
}
