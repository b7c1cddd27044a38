/* SPDX-License-Identifier: MIT
 * Options -> setsockopt. See options.h.
 */
#include "shim/policy/options.h"
#include "shim/policy/apply.h"
#include "shim/sys/raw.h"
#include "shim/track/own.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30 /* linux/tcp.h, Linux 4.11 */
#endif

/* Makes *RET the option number I of keepalive and user_timeout. Whether there is one. */
static bool connection_option(const struct tmo_plan *plan, unsigned i, struct tmo_sockopt *ret)
{
    const struct tmo_keepalive *k = &plan->keepalive;
    const struct {
        int level, name, value;
    } all[] = {
        {SOL_SOCKET, SO_KEEPALIVE, k->idle_s != 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, k->idle_s},
        {IPPROTO_TCP, TCP_KEEPINTVL, k->interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, k->count},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, (int)plan->user_timeout_ms},
    };
    if (all[i].value == 0)
        return false;
    tmo_sockopt_make(all[i].level, all[i].name, all[i].value, ret);
    return true;
}

#define CONNECTION_OPTIONS 5

/* Whether such a socket has OPTION. */
static bool applies(const struct tmo_sockopt *option, const struct tmo_slot *slot, bool late)
{
    switch (option->scope) {
    case TMO_FOR_INET:
        return slot->family != TMO_FAMILY_UNIX;
    case TMO_FOR_TCP:
        return tmo_proto_is_tcp(slot->proto);
    case TMO_FOR_TCP_NEW:
        return tmo_proto_is_tcp(slot->proto) && !late;
    case TMO_FOR_UDP:
        return slot->proto == TMO_UDP;
    case TMO_FOR_IP6:
        return slot->family == TMO_FAMILY_6;
    case TMO_FOR_IP6_NEW:
        return slot->family == TMO_FAMILY_6 && !late;
    case TMO_FOR_UNIX:
        return slot->family == TMO_FAMILY_UNIX;
    default:
        return true;
    }
}

/* The number that the kernel has for OPTION, or 0. Of the sizes of the buffers it shows twice what
 * was set (socket(7)). */
static int number_now(int fd, const struct tmo_sockopt *option)
{
    int value[2] = {0, 0};
    socklen_t len = option->type == TMO_OPT_LINGER ? sizeof(value) : sizeof(value[0]);
    if (tmo_raw_getsockopt(fd, option->level, option->name, value, &len) < 0)
        return 0;
    bool doubled =
        option->level == SOL_SOCKET && (option->name == SO_RCVBUF || option->name == SO_SNDBUF);
    return doubled ? value[0] / 2 : value[0];
}

static bool is_time(const struct tmo_sockopt *option)
{
    return option->type == TMO_OPT_S || option->type == TMO_OPT_MS || option->type == TMO_OPT_US;
}

/* Whether the program has set OPTION; a time of 0 is none. Of what another process did with a
 * socket that was taken up we know only what it left there, where 0 is what a new socket has. */
static bool is_own(int fd, const struct tmo_slot *slot, const struct tmo_sockopt *option)
{
    if (tmo_own_has(slot, option->row))
        return !is_time(option) || number_now(fd, option) != 0;
    bool tells = option->type == TMO_OPT_BOOL || option->type == TMO_OPT_LINGER ||
                 (option->level == IPPROTO_TCP && option->name == TCP_USER_TIMEOUT);
    return tells && (tmo_slot_flags(slot) & TMO_SLOT_SHARED) != 0 && number_now(fd, option) != 0;
}

/* Whether ours is the smaller of the two numbers; a time of 0 is none. */
static bool is_smaller(const struct tmo_sockopt *option, int own)
{
    int ours = option->number[0];
    if (option->type == TMO_OPT_UINT)
        return (unsigned)ours < (unsigned)own;
    if (option->type == TMO_OPT_INT)
        return ours < own;
    return ours != 0 && (own == 0 || ours < own);
}

static void set_one(int fd, struct tmo_slot *slot, const struct tmo_plan *plan,
                    const struct tmo_sockopt *option, tmo_refused_fn *refused)
{
    enum tmo_mode mode = plan->mode;
    if (mode != TMO_MODE_FORCE && is_own(fd, slot, option)) {
        if (mode == TMO_MODE_FILL || !tmo_sockopt_is_amount(option->type) ||
            !is_smaller(option, number_now(fd, option)))
            return;
    }
    int r = tmo_raw_setsockopt(fd, option->level, option->name, option->number, option->len);
    if (r < 0)
        refused(option, -r);
    else if (option->type == TMO_OPT_LINGER)
        tmo_apply_linger(fd, plan);
    else
        tmo_options_note(slot, option->level, option->name, option->number[0]);
}

/* Keepalive and user_timeout: who refuses them, as MPTCP of older kernels does, goes without. */
static void ignore_refused(const struct tmo_sockopt *option, int error)
{
    (void)option;
    (void)error;
}

void tmo_options_set(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, unsigned which,
                     tmo_refused_fn *refused)
{
    struct tmo_sockopt option;
    if ((which & TMO_OPTIONS_CONNECTION) != 0 && plan->options && tmo_proto_is_tcp(slot->proto)) {
        for (unsigned i = 0; i < CONNECTION_OPTIONS; i++) {
            if (connection_option(plan, i, &option))
                set_one(fd, slot, plan, &option, ignore_refused);
        }
    }
    for (unsigned i = 0; (which & TMO_OPTIONS_LISTED) != 0 && i < plan->sockopts_count; i++) {
        if (applies(&plan->sockopts[i], slot, (which & TMO_OPTIONS_LATE) != 0))
            set_one(fd, slot, plan, &plan->sockopts[i], refused);
    }
}

void tmo_options_follow(int fd, struct tmo_slot *slot, const struct tmo_plan *plan, int level,
                        int name, tmo_refused_fn *refused)
{
    struct tmo_sockopt option;
    unsigned row = tmo_sockopt_row(level, name);
    const struct tmo_sockopt *listed = plan->sockopts, *end = listed + plan->sockopts_count;
    while (listed < end && (listed->level != level || listed->name != name))
        listed++;
    /* Those that are in no row share a bit. */
    if (row != TMO_SOCKOPT_NUMBERED || listed < end)
        tmo_own_note(slot, row);
    if (listed < end) {
        if (applies(listed, slot, false))
            set_one(fd, slot, plan, listed, refused);
        return;
    }
    bool counts = plan->options && tmo_proto_is_tcp(slot->proto) &&
                  (tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) != 0; /* else when it connects */
    for (unsigned i = 0; counts && i < CONNECTION_OPTIONS; i++) {
        if (connection_option(plan, i, &option) && option.level == level && option.name == name)
            set_one(fd, slot, plan, &option, ignore_refused);
    }
}

void tmo_options_note(struct tmo_slot *slot, int level, int name, int value)
{
    unsigned flag = level == SOL_SOCKET && name == SO_RCVLOWAT             ? TMO_SLOT_LOWAT
                    : level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT ? TMO_SLOT_FASTOPEN
                                                                           : 0u;
    /* SO_RCVLOWAT: 0 is 1, and below 0 the most (net/core/sock.c) */
    bool on = flag == TMO_SLOT_LOWAT ? value != 0 && value != 1 : value != 0;
    if (flag != 0)
        tmo_slot_change(slot, flag, on ? flag : 0);
}
