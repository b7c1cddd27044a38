/* SPDX-License-Identifier: MIT
 * Which rule a socket has. See rules.h.
 */
#include "shim/wrap/rules.h"
#include "shim/sys/raw.h"
#include "shim/track/hosts.h"

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#define PATH_TEXT 110 /* sun_path, unix(7), and two more */

static uint8_t proto_bit(enum tmo_proto proto)
{
    return tmo_proto_is_tcp(proto) ? TMO_PROTO_TCP
           : proto == TMO_UDP      ? TMO_PROTO_UDP
           : proto == TMO_OTHER    ? 0
                                   : TMO_PROTO_UNIX;
}

/* --- making ---------------------------------------------------------------------------------- */

static int keep_plan(const struct tmo_plan *plan)
{
    int number = tmo_plan_keep(plan);
    if (number >= 0)
        tmo_wide_add(&tmo_current.wide, plan);
    return number;
}

/* Number of the plan for RULE (NULL: none), or -errno. SETTLED is room. */
static int plan_of(const struct tmo_rule *rule, const struct tmo_config *cfg,
                   struct tmo_settled *settled, struct tmo_arena *arena)
{
    struct tmo_plan plan;
    tmo_rule_settle(rule, cfg, settled);
    tmo_plan_make(settled->value, &plan);
    plan.rule = rule != NULL ? rule->name : NULL;
    if (rule != NULL)
        plan.protos |= tmo_plan_protos(tmo_rule_protos(rule));
    int r = tmo_plan_take_sockopts(&plan, settled->text[TMO_SET_SOCKOPT], arena);
    return r < 0 ? r : keep_plan(&plan);
}

static int left_alone(void)
{
    static const int64_t nothing[TMO_SETTINGS];
    struct tmo_plan plan;
    tmo_plan_make(nothing, &plan);
    return keep_plan(&plan);
}

int tmo_rules_make(struct tmo_rules *rules, const struct tmo_config *cfg, struct tmo_arena *arena)
{
    struct tmo_settled *settled = tmo_arena_take(arena, sizeof(*settled));
    if (settled == NULL)
        return -ENOMEM;
    int general = plan_of(NULL, cfg, settled, arena), alone = general < 0 ? general : left_alone();
    if (alone < 0)
        return alone;
    rules->general = (uint16_t)general;
    rules->left_alone = (uint16_t)alone;
    rules->protos = tmo_plan_at(rules->general)->protos;
    if (rules->set.asks_host) /* for good: these names may serve rules that come later */
        __atomic_store_n(&tmo_current.hosts, true, __ATOMIC_RELAXED);
    for (struct tmo_rule *rule = rules->set.first; rule != NULL; rule = rule->next) {
        int number = plan_of(rule, cfg, settled, arena);
        if (number < 0)
            return number;
        rule->plan = (uint16_t)number;
        rules->protos |= tmo_plan_at(rule->plan)->protos;
    }
    for (unsigned proto = 0; proto < 8; proto++) {
        struct tmo_target target = {.proto = proto_bit((enum tmo_proto)proto)};
        const struct tmo_rule *rule = tmo_rules_find(&rules->set, &target);
        uint16_t plan = rule != NULL ? rule->plan : rules->general;
        rules->birth[proto] =
            tmo_plan_covers(tmo_plan_at(plan), (enum tmo_proto)proto) ? plan : rules->left_alone;
    }
    return 0;
}

/* --- choosing -------------------------------------------------------------------------------- */

static void choose(const struct tmo_rules *rules, struct tmo_slot *slot, struct tmo_target *target)
{
    target->proto = proto_bit((enum tmo_proto)slot->proto);
    const struct tmo_rule *rule = tmo_rules_find(&rules->set, target);
    uint16_t plan = rule != NULL ? rule->plan : rules->general;
    if (!tmo_plan_covers(tmo_plan_at(plan), (enum tmo_proto)slot->proto))
        plan = rules->left_alone;
    __atomic_store_n(&slot->plan, plan, __ATOMIC_RELEASE); /* behind what it says */
}

/* LEN bytes of a sun_path as rules have them: @ for the NUL of an abstract name. */
static void put_path(const char *path, size_t len, char *ret)
{
    if (len > PATH_TEXT - 2)
        len = PATH_TEXT - 2;
    memcpy(ret, path, len);
    ret[len] = '\0';
    if (len > 0 && path[0] == '\0') {
        ret[0] = '@';
        for (size_t i = 1; i < len; i++) { /* a NUL within is one that no glob can say */
            if (ret[i] == '\0')
                ret[i] = '@';
        }
    }
}

/* Puts ADDR (LEN bytes, which can be read) into TARGET; a path into PATH. False: it is of no family
 * that rules know. */
static bool put_address(const struct sockaddr *addr, size_t len, struct tmo_target *target,
                        char *path)
{
    if (addr->sa_family == AF_INET && len >= offsetof(struct sockaddr_in, sin_zero)) {
        struct sockaddr_in in;
        memcpy(&in, addr, offsetof(struct sockaddr_in, sin_zero));
        target->has_addr = true;
        tmo_block_map4(in.sin_addr.s_addr, target->addr);
        target->port = ntohs(in.sin_port);
        return true;
    }
    if (addr->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        struct sockaddr_in6 in6 = {.sin6_scope_id = 0};
        memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
        target->has_addr = true;
        memcpy(target->addr, &in6.sin6_addr, sizeof(target->addr));
        target->scope = in6.sin6_scope_id;
        target->port = ntohs(in6.sin6_port);
        return true;
    }
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    if (addr->sa_family != AF_UNIX || len <= path_at)
        return false;
    put_path((const char *)addr + path_at, len - path_at, path);
    target->path = path;
    return true;
}

/* The name that the program looked up for the address, if a rule wants to know. */
static void put_host(const struct tmo_rules *rules, struct tmo_target *target, char *host)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (!rules->set.asks_host || !target->has_addr)
        return;
    memcpy(&in6.sin6_addr, target->addr, sizeof(in6.sin6_addr));
    if (tmo_hosts_find((const struct sockaddr *)&in6, sizeof(in6), host) > 0)
        target->host = host;
}

static void choose_by(const struct tmo_rules *rules, struct tmo_slot *slot,
                      const struct sockaddr *addr, size_t len, unsigned dir, int own_port)
{
    struct tmo_target target = {.dir = dir & 3};
    char path[PATH_TEXT], host[TMO_HOST_MAX + 1];
    if (!put_address(addr, len, &target, path) && dir == TMO_TO)
        return;
    if (own_port >= 0) { /* that is known, even if the peer is gone */
        target.port = (uint16_t)own_port;
        target.has_port = own_port > 0;
    }
    put_host(rules, &target, host);
    choose(rules, slot, &target);
}

/* Whether the LEN bytes at ADDR, at most a few hundred, can be read. Eight are asked for at a time:
 * of fewer, those behind them or those before. */
static bool can_read(const void *addr, size_t len)
{
    const char *first = addr, *last = first + len - 8;
    if (len < 8)
        return tmo_raw_can_read_8(first) || tmo_raw_can_read_8(last);
    return tmo_raw_can_read_8(first) &&
           (((uintptr_t)first ^ (uintptr_t)last) < 4096 || tmo_raw_can_read_8(last));
}

void tmo_rules_connect_by(const struct tmo_rules *rules, struct tmo_slot *slot,
                          const struct sockaddr *addr, socklen_t len, bool read)
{
    struct sockaddr_storage copy;
    if (addr == NULL || len <= sizeof(sa_family_t) || len > sizeof(copy) ||
        (!read && !can_read(addr, len)))
        return;
    memcpy(&copy, addr, len); /* another thread may change it meanwhile: one look */
    if (copy.ss_family != AF_UNSPEC)
        choose_by(rules, slot, (const struct sockaddr *)&copy, len, TMO_TO, -1);
}

/* Asks the kernel for an address of FD. Returns its length, or 0. */
static socklen_t ask(long which, int fd, struct sockaddr_storage *ret)
{
    socklen_t len = sizeof(*ret);
    ret->ss_family = AF_UNSPEC;
    return TMO_RAW3(which, fd, ret, &len) == 0 ? len : 0;
}

uint16_t tmo_rules_own_port(int fd)
{
    struct sockaddr_storage local;
    struct tmo_target target = {.port = 0};
    char path[PATH_TEXT];
    socklen_t len = ask(SYS_getsockname, fd, &local);
    if (len > 0)
        (void)put_address((struct sockaddr *)&local, len, &target, path);
    return target.port;
}

void tmo_rules_listen_by(const struct tmo_rules *rules, int fd, struct tmo_slot *slot)
{
    struct tmo_target target = {.dir = TMO_FROM};
    struct sockaddr_storage own;
    char path[PATH_TEXT];
    socklen_t len = ask(SYS_getsockname, fd, &own);
    if (len > 0 && put_address((struct sockaddr *)&own, len, &target, path))
        target.has_port = target.has_addr;
    target.has_addr = false; /* that is ours, not the peer's */
    choose(rules, slot, &target);
}

void tmo_rules_peer_by(const struct tmo_rules *rules, int fd, struct tmo_slot *slot, unsigned dir,
                       const struct tmo_slot *listener)
{
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    /* Who connects by a path has none: it is known by ours. */
    bool by_own = slot->family == TMO_FAMILY_UNIX && dir == TMO_FROM;
    socklen_t len = 0;
    if (by_own ? rules->set.asks_path : !tmo_emit_peer(slot, &addr, &len))
        len = ask(by_own ? SYS_getsockname : SYS_getpeername, fd, &addr);
    int own_port = -1;
    if (dir == TMO_FROM && !by_own)
        own_port = listener != NULL && listener->peer_port != 0 ? listener->peer_port
                                                                : tmo_rules_own_port(fd);
    choose_by(rules, slot, (struct sockaddr *)&addr, len, dir, own_port);
}
