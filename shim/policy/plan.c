/* SPDX-License-Identifier: MIT
 * Settings -> plan. See plan.h.
 */
#include "shim/policy/plan.h"
#include "config/duration.h"
#include "shim/sys/raw.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

unsigned tmo_plan_protos(int64_t list)
{
    unsigned protos = 0;
    if ((list & (TMO_PROTO_TCP | TMO_PROTO_ALL)) != 0)
        protos |= 1u << TMO_TCP | 1u << TMO_MPTCP | 1u << TMO_SMC;
    if ((list & (TMO_PROTO_UDP | TMO_PROTO_ALL)) != 0)
        protos |= 1u << TMO_UDP;
    if ((list & (TMO_PROTO_UNIX | TMO_PROTO_ALL)) != 0)
        protos |= 1u << TMO_UNIX_STREAM | 1u << TMO_UNIX_DGRAM | 1u << TMO_UNIX_SEQPACKET;
    return protos;
}

/* The earlier of two limits, of which 0 is none. */
static int64_t first_of(int64_t a_ns, int64_t b_ns)
{
    return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

/* Half a limit is no pause yet, nor what a look can be late by. */
static uint32_t pause_ms(int64_t recv_ns)
{
    int64_t ms = recv_ns / TMO_NS_PER_MS / 2;
    return ms < 100 ? 100 : ms < INT_MAX / 2 ? (uint32_t)ms : INT_MAX / 2;
}

/* A wait that ends within that costs no system call more. Of eight such, one upon the other, seven
 * are not looked at, and a look is TMO_WAIT_LOOK_MS after the last one (wrap/wait.h): so a limit of
 * 200 ms or more is late by no more than the tenth of it and 50 ms that are promised. */
static uint32_t slice_ms(int64_t shortest_ns)
{
    int64_t ms = tmo_ns_to_ms(shortest_ns) / 64;
    return ms < 1 ? 1 : ms < 6 ? (uint32_t)ms : 6;
}

void tmo_plan_make(const int64_t *value, struct tmo_plan *ret)
{
    int64_t user_ms = tmo_ns_to_ms(value[TMO_SET_USER_TIMEOUT]);
    int64_t recv = value[TMO_SET_RECV], send = value[TMO_SET_SEND];
    int64_t deadline = first_of(value[TMO_SET_IDLE], value[TMO_SET_TOTAL]);
    int64_t any = first_of(first_of(value[TMO_SET_CONNECT], deadline), first_of(recv, send));
    *ret = (struct tmo_plan){
        .connect_ns = value[TMO_SET_CONNECT],
        .accept_ns = value[TMO_SET_ACCEPT],
        .linger_ns = value[TMO_SET_LINGER],
        .idle_ns = value[TMO_SET_IDLE],
        .total_ns = value[TMO_SET_TOTAL],
        .wait_ns = {recv, send},
        .connect_us = tmo_ns_to_us(value[TMO_SET_CONNECT]),
        .accept_us = tmo_ns_to_us(value[TMO_SET_ACCEPT]),
        .wait_us = {tmo_ns_to_us(first_of(recv, deadline)), tmo_ns_to_us(first_of(send, deadline))},
        .deadlines = deadline != 0,
        .watches = any != 0 && value[TMO_SET_NONBLOCK] != 0,
        .answer = value[TMO_SET_AWAIT] == TMO_AWAIT_ANSWER,
        .shortest_ns = any,
        .pause_ms = pause_ms(recv),
        .options = value[TMO_SET_KEEPALIVE] != 0 || user_ms != 0,
        .mode = (enum tmo_mode)value[TMO_SET_MODE],
        .action = (enum tmo_action)value[TMO_SET_ACTION],
        .error = (int)value[TMO_SET_ERRNO],
        .protos = tmo_plan_protos(value[TMO_SET_PROTO]),
        .reports = value[TMO_SET_ACTION] == TMO_ACTION_REPORT,
        .watchdog = any != 0 && value[TMO_SET_ENGINE] != TMO_ENGINE_KERNEL,
        .keepalive = tmo_keepalive_unpack(value[TMO_SET_KEEPALIVE]),
        .user_timeout_ms = user_ms < INT_MAX ? (unsigned)user_ms : INT_MAX,
    };
    bool alone = value[TMO_SET_ENGINE] == TMO_ENGINE_WATCHDOG;
    ret->keeps = ret->reports || alone;
    if (ret->keeps)
        ret->accept_us = ret->wait_us[TMO_RECV] = ret->wait_us[TMO_SEND] = 0;
    if (ret->reports)
        ret->linger_ns = 0;
    if (alone) /* else it has one for its own time: also under report, where it can be gone on with
                */
        ret->connect_us = 0;
}

int tmo_plan_take_sockopts(struct tmo_plan *plan, const char *text, struct tmo_arena *arena)
{
    size_t len = strlen(text);
    int count = tmo_sockopts_parse(text, len, NULL, NULL);
    if (count <= 0)
        return 0;
    struct tmo_sockopt *list = tmo_arena_take(arena, (size_t)count * sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    plan->sockopts_count = (unsigned)tmo_sockopts_parse(text, len, list, NULL);
    plan->sockopts = list;
    return 0;
}

void tmo_wide_add(struct tmo_wide *wide, const struct tmo_plan *plan)
{
    int64_t shortest = first_of(wide->shortest_ns, plan->shortest_ns);
    uint32_t ms = slice_ms(shortest);
    __atomic_store_n(&wide->slice_ms, ms, __ATOMIC_RELAXED);
    __atomic_store_n(&wide->slice_ns, ms * TMO_NS_PER_MS, __ATOMIC_RELAXED);
    __atomic_store_n(&wide->slice_us, (long)ms * 1000, __ATOMIC_RELAXED);
    __atomic_store_n(&wide->shortest_ns, shortest, __ATOMIC_RELAXED);
    if (plan->pause_ms > wide->pause_ms)
        __atomic_store_n(&wide->pause_ms, plan->pause_ms, __ATOMIC_RELAXED);
    if (plan->options || plan->sockopts != NULL)
        __atomic_store_n(&wide->options, true, __ATOMIC_RELAXED);
    if (plan->watchdog)
        __atomic_store_n(&wide->watchdog, true, __ATOMIC_RELAXED);
    if (plan->watches)
        __atomic_store_n(&wide->watches, true, __ATOMIC_RELAXED);
}

TMO_SPARSE struct tmo_plan *tmo_plan_blocks[TMO_PLANS / TMO_PLAN_BLOCK];

int tmo_plan_keep(const struct tmo_plan *plan)
{
    static unsigned kept = 1; /* number 0 is the start's */
    if (kept == TMO_PLANS)
        return -ENOSPC;
    struct tmo_plan **block = &tmo_plan_blocks[kept / TMO_PLAN_BLOCK];
    if (*block == NULL)
        *block = tmo_raw_map(TMO_PLAN_BLOCK * sizeof(**block));
    if (*block == NULL)
        return -ENOMEM;
    (*block)[kept % TMO_PLAN_BLOCK] = *plan;
    return (int)kept++;
}
