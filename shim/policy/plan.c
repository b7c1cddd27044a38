/* SPDX-License-Identifier: MIT
 * Settings -> plan. See plan.h.
 */
#include "shim/policy/plan.h"

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

void tmo_plan_make(const struct tmo_config *cfg, struct tmo_plan *ret)
{
    const int64_t *value = cfg->value;
    int64_t user_ms = tmo_ns_to_ms(value[TMO_SET_USER_TIMEOUT]);
    *ret = (struct tmo_plan){
        .connect_ns = value[TMO_SET_CONNECT],
        .accept_ns = value[TMO_SET_ACCEPT],
        .linger_ns = value[TMO_SET_LINGER],
        .wait_ns = {value[TMO_SET_RECV], value[TMO_SET_SEND]},
        .connect_us = tmo_ns_to_us(value[TMO_SET_CONNECT]),
        .accept_us = tmo_ns_to_us(value[TMO_SET_ACCEPT]),
        .wait_us = {tmo_ns_to_us(value[TMO_SET_RECV]), tmo_ns_to_us(value[TMO_SET_SEND])},
        .options = value[TMO_SET_KEEPALIVE] != 0 || user_ms != 0,
        .mode = (enum tmo_mode)value[TMO_SET_MODE],
        .action = (enum tmo_action)value[TMO_SET_ACTION],
        .error = (int)value[TMO_SET_ERRNO],
        .protos = protos_of(value[TMO_SET_PROTO]),
        .keepalive = tmo_keepalive_unpack(value[TMO_SET_KEEPALIVE]),
        .user_timeout_ms = user_ms < INT_MAX ? (unsigned)user_ms : INT_MAX,
    };
}
