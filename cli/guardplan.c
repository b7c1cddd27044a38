/* SPDX-License-Identifier: MIT
 * Which limits a connection has. See guardplan.h.
 */
#include "cli/guardplan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void count_in(struct tmo_guard_plans *plans, const struct tmo_plan *plan)
{
    if (plan->shortest_ns != 0 &&
        (plans->shortest_ns == 0 || plan->shortest_ns < plans->shortest_ns))
        plans->shortest_ns = plan->shortest_ns;
}

int tmo_guard_plans_make(const struct tmo_loaded *loaded, struct tmo_guard_plans *ret)
{
    size_t count = loaded->rules.count, i = 0;
    struct tmo_settled *settled = malloc(sizeof(*settled));
    *ret = (struct tmo_guard_plans){.loaded = loaded};
    ret->of_rules = calloc(count + 1, sizeof(*ret->of_rules));
    ret->nonblock = calloc(count + 1, sizeof(*ret->nonblock));
    if (settled == NULL || ret->of_rules == NULL || ret->nonblock == NULL) {
        free(settled);
        return -ENOMEM;
    }
    tmo_plan_make(loaded->cfg.value, &ret->general);
    count_in(ret, &ret->general);
    for (const struct tmo_rule *rule = loaded->rules.first; rule != NULL; rule = rule->next, i++) {
        struct tmo_plan *plan = &ret->of_rules[i];
        tmo_rule_settle(rule, &loaded->cfg, settled);
        tmo_plan_make(settled->value, plan);
        plan->rule = rule->name;
        plan->protos |= tmo_plan_protos(tmo_rule_protos(rule));
        ret->nonblock[i] = settled->value[TMO_SET_NONBLOCK] != 0;
        count_in(ret, plan);
    }
    free(settled);
    return 0;
}

uint16_t tmo_guard_port(const struct tmo_address *address)
{
    struct sockaddr_in in; /* the port stands in the same place in both families */
    memcpy(&in, &address->any, sizeof(in));
    return in.sin_family == AF_INET || in.sin_family == AF_INET6 ? ntohs(in.sin_port) : 0;
}

const struct tmo_plan *tmo_guard_plan_of(const struct tmo_guard_plans *plans, const char *program,
                                         unsigned dir, const struct tmo_address *peer,
                                         uint16_t own_port, bool nonblock)
{
    const struct tmo_loaded *loaded = plans->loaded;
    struct tmo_target target = {.dir = dir & 3, .proto = TMO_PROTO_TCP, .program = program};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (!tmo_config_wants(&loaded->cfg, program))
        return NULL;
    if (peer->any.ss_family == AF_INET) {
        memcpy(&in, &peer->any, sizeof(in));
        tmo_block_map4(in.sin_addr.s_addr, target.addr);
        target.has_addr = true;
    } else if (peer->any.ss_family == AF_INET6) {
        memcpy(&in6, &peer->any, sizeof(in6));
        memcpy(target.addr, &in6.sin6_addr, sizeof(target.addr));
        target.scope = in6.sin6_scope_id;
        target.has_addr = true;
    }
    target.port = dir == TMO_FROM ? own_port : tmo_guard_port(peer);

    const struct tmo_rule *rule = tmo_rules_find(&loaded->rules, &target);
    const struct tmo_plan *plan = &plans->general;
    bool bounds = loaded->cfg.value[TMO_SET_NONBLOCK] != 0;
    if (rule != NULL) {
        size_t i = 0;
        for (const struct tmo_rule *r = loaded->rules.first; r != rule; r = r->next)
            i++;
        plan = &plans->of_rules[i];
        bounds = plans->nonblock[i];
    }
    return tmo_plan_covers(plan, TMO_TCP) && (bounds || !nonblock) ? plan : NULL;
}
