/* SPDX-License-Identifier: MIT
 * Settings -> plan. See plan.h.
 */
#include "shim/policy/plan.h"
#include "config/duration.h"

#include <limits.h>

static unsigned protos_of(int64_t list)
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

void tmo_plan_make(const struct tmo_config *cfg, struct tmo_plan *ret)
{
    const int64_t *value = cfg->value;
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
        .slice_ms = slice_ms(any),
        .slice_ns = slice_ms(any) * TMO_NS_PER_MS,
        .slice_us = (long)slice_ms(any) * 1000,
        .pause_ms = pause_ms(recv),
        .options = value[TMO_SET_KEEPALIVE] != 0 || user_ms != 0,
        .mode = (enum tmo_mode)value[TMO_SET_MODE],
        .action = (enum tmo_action)value[TMO_SET_ACTION],
        .error = (int)value[TMO_SET_ERRNO],
        .protos = protos_of(value[TMO_SET_PROTO]),
        .keepalive = tmo_keepalive_unpack(value[TMO_SET_KEEPALIVE]),
        .user_timeout_ms = user_ms < INT_MAX ? (unsigned)user_ms : INT_MAX,
    };
}
