/* SPDX-License-Identifier: MIT
 * Rules. See rule.h.
 */
#include "config/rule.h"
#include "config/word.h"

#include <string.h>

static const uint8_t limits[] = {TMO_SET_CONNECT, TMO_SET_RECV,        TMO_SET_SEND,
                                 TMO_SET_ACCEPT,  TMO_SET_IDLE,        TMO_SET_TOTAL,
                                 TMO_SET_LINGER,  TMO_SET_USER_TIMEOUT};
static const uint8_t timeouts[] = {TMO_SET_CONNECT, TMO_SET_RECV, TMO_SET_SEND};

static bool is_in(const uint8_t *ids, size_t count, enum tmo_setting id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

static bool glob_matches(const struct tmo_place *place, const char *name)
{
    size_t len;
    switch (place->glob_kind) {
    case TMO_GLOB_EXACT:
        return strncmp(name, place->glob, place->glob_len) == 0 && name[place->glob_len] == '\0';
    case TMO_GLOB_SUFFIX: /* of a glob "*..." */
        len = strlen(name);
        return len >= place->glob_len - 1u && memcmp(name + len - (place->glob_len - 1u),
                                                     place->glob + 1, place->glob_len - 1u) == 0;
    default:
        return tmo_word_glob(place->glob, place->glob_len, name);
    }
}

static bool place_matches(const struct tmo_place *place, const struct tmo_target *target)
{
    switch (place->kind) {
    case TMO_PLACE_BLOCK:
        return target->has_addr && tmo_block_has(&place->block, target->addr, target->scope);
    case TMO_PLACE_HOST:
        return target->host != NULL && glob_matches(place, target->host);
    case TMO_PLACE_PATH:
        return target->path != NULL && glob_matches(place, target->path);
    default:
        return true;
    }
}

bool tmo_rule_is_for(const struct tmo_rule *rule, const char *program)
{
    return rule->program == NULL || tmo_word_glob_list(rule->program, program);
}

static bool dir_hits(const struct tmo_rule *rule, const struct tmo_target *target)
{
    return !rule->placed || (rule->dirs & target->dir) != 0;
}

static bool proto_hits(const struct tmo_rule *rule, const struct tmo_target *target)
{
    return rule->protos == 0 || (rule->protos & target->proto) != 0;
}

static bool port_hits(const struct tmo_rule *rule, const struct tmo_target *target)
{
    bool has_port = target->has_addr || target->has_port || target->host != NULL;
    bool hit = rule->ports_count == 0;
    for (unsigned i = 0; i < rule->ports_count && !hit; i++)
        hit = has_port && target->port >= rule->ports[i].low && target->port <= rule->ports[i].high;
    return hit;
}

static bool place_hits(const struct tmo_rule *rule, const struct tmo_target *target)
{
    bool hit = rule->places_count == 0;
    for (unsigned i = 0; i < rule->places_count && !hit; i++)
        hit = place_matches(&rule->places[i], target);
    return hit;
}

static bool program_hits(const struct tmo_rule *rule, const struct tmo_target *target)
{
    return target->program == NULL || tmo_rule_is_for(rule, target->program);
}

bool tmo_rule_matches(const struct tmo_rule *rule, const struct tmo_target *target)
{
    return dir_hits(rule, target) && proto_hits(rule, target) && port_hits(rule, target) &&
           place_hits(rule, target) && program_hits(rule, target);
}

unsigned tmo_rule_misses(const struct tmo_rule *rule, const struct tmo_target *target)
{
    unsigned misses = 0;
    misses |= dir_hits(rule, target) ? 0 : TMO_MISS_DIR;
    misses |= proto_hits(rule, target) ? 0 : TMO_MISS_PROTO;
    misses |= port_hits(rule, target) ? 0 : TMO_MISS_PORT;
    misses |= place_hits(rule, target) ? 0 : TMO_MISS_PLACE;
    misses |= program_hits(rule, target) ? 0 : TMO_MISS_PROGRAM;
    return misses;
}

void tmo_rules_add(struct tmo_ruleset *rules, struct tmo_rule *rule)
{
    rule->next = NULL;
    if (rules->last != NULL)
        rules->last->next = rule;
    else
        rules->first = rule;
    rules->last = rule;
    rules->count++;
    for (unsigned i = 0; i < rule->places_count; i++) {
        rules->asks_host = rules->asks_host || rule->places[i].kind == TMO_PLACE_HOST;
        rules->asks_path = rules->asks_path || rule->places[i].kind == TMO_PLACE_PATH;
    }
}

const struct tmo_rule *tmo_rules_find(const struct tmo_ruleset *rules,
                                      const struct tmo_target *target)
{
    const struct tmo_rule *rule = rules->first;
    while (rule != NULL && !tmo_rule_matches(rule, target))
        rule = rule->next;
    return rule;
}

/* The value that RULE has of ID by that name, or NULL. */
static const struct tmo_value *value_of(const struct tmo_rule *rule, unsigned id)
{
    for (unsigned i = 0; i < rule->values_count; i++) {
        if (rule->values[i].id == id)
            return &rule->values[i];
    }
    return NULL;
}

void tmo_rule_settle(const struct tmo_rule *rule, const struct tmo_config *cfg,
                     struct tmo_settled *ret)
{
    memcpy(ret->value, cfg->value, sizeof(ret->value));
    memcpy(ret->text, cfg->text, sizeof(ret->text));
    if (rule == NULL)
        return;
    if (value_of(rule, TMO_SETTINGS) != NULL) {
        ret->value[TMO_SET_TIMEOUT] = 0;
        for (size_t i = 0; i < sizeof(limits); i++)
            ret->value[limits[i]] = 0;
    }
    const struct tmo_value *timeout = value_of(rule, TMO_SET_TIMEOUT);
    for (size_t i = 0; timeout != NULL && i < sizeof(timeouts); i++)
        ret->value[timeouts[i]] = timeout->value;
    for (unsigned i = 0; i < rule->values_count; i++) {
        const struct tmo_value *v = &rule->values[i];
        if (v->id < TMO_SETTINGS) {
            ret->value[v->id] = v->value;
            if (v->text != NULL)
                ret->text[v->id] = v->text;
        }
    }
}

const struct tmo_value *tmo_rule_gives(const struct tmo_rule *rule, enum tmo_setting id,
                                       const char **ret_through)
{
    *ret_through = NULL;
    if (rule == NULL)
        return NULL;
    const struct tmo_value *by = value_of(rule, id);
    if (by == NULL && is_in(timeouts, sizeof(timeouts), id)) {
        by = value_of(rule, TMO_SET_TIMEOUT);
        *ret_through = by != NULL ? "timeout" : NULL;
    }
    if (by == NULL && is_in(limits, sizeof(limits), id)) {
        by = value_of(rule, TMO_SETTINGS);
        *ret_through = by != NULL ? "limits" : NULL;
    }
    return by;
}

unsigned tmo_rule_protos(const struct tmo_rule *rule)
{
    unsigned protos = rule->protos;
    bool asks = false;
    for (unsigned i = 0; i < rule->places_count; i++)
        protos |= rule->places[i].kind == TMO_PLACE_PATH ? TMO_PROTO_UNIX : 0;
    for (unsigned i = 0; i < rule->values_count; i++) {
        const struct tmo_value *v = &rule->values[i];
        asks = asks || (v->id < TMO_SETTINGS && v->value > 0 &&
                        tmo_setting_info[v->id].type == TMO_TYPE_DURATION);
    }
    return asks ? protos : 0;
}
