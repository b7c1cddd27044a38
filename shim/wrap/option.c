/* SPDX-License-Identifier: MIT
 * What a program sets and asks of a socket: setsockopt, getsockopt, fcntl, ioctl, shutdown.
 * Layer: wrap.
 *
 * Every call goes to the kernel first, which judges the program's pointers and values; ours follows
 * only where that went well.
 */
#include "shim/policy/apply.h"
#include "shim/policy/options.h"
#include "shim/sys/raw.h"
#include "shim/wrap/call.h"
#include "shim/wrap/close.h"
#include "shim/wrap/made.h"
#include "shim/wrap/sockopts.h"

#include <sys/ioctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30 /* linux/tcp.h, Linux 4.11 */
#endif

/* Which way NAME of SOL_SOCKET is the timeout of, or -1. Where time_t is 64 bits wide and long is
 * not there are two numbers each: with a struct of longs, and (66, 67; Linux 5.1) of 64 bits. */
static int timeo_way(int name)
{
#ifdef SO_RCVTIMEO_OLD
    if (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW)
        return TMO_RECV;
    if (name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW)
        return TMO_SEND;
#else
    if (name == SO_RCVTIMEO || name == 66)
        return TMO_RECV;
    if (name == SO_SNDTIMEO || name == 67)
        return TMO_SEND;
#endif
    return -1;
}

static bool is_wide(int name)
{
    return sizeof(long) == 8 || name == 66 || name == 67;
}

/* --- setsockopt ------------------------------------------------------------------------------ */

/* The program has set a timeout of its own: it is noted, and ours goes over it as MODE says. */
static void follow_timeo(int fd, struct tmo_slot *slot, enum tmo_way way, bool never_waits)
{
    int64_t us = tmo_apply_read_timeo(fd, way); /* as the kernel took it */
    tmo_slot_set_app_us(slot, way, never_waits ? TMO_SLOT_NEVER_WAITS : us > 0 ? us : 0);
    if (slot->dir == TMO_DIR_LISTEN) {
        if (way == TMO_RECV)
            tmo_made_listener(fd, slot);
        else
            tmo_apply_wait(fd, slot, tmo_plan_of(slot), way, false);
    } else if ((tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) != 0) {
        tmo_apply_wait(fd, slot, tmo_plan_of(slot), way, false);
    }
    tmo_state_rehot(fd, slot);
}

/* Whether the timeout VALUE, which the kernel accepted, has negative seconds: the socket then never
 * waits, and the kernel shows 0 (net/core/sock.c, sock_set_timeout). */
static bool is_negative(int name, const void *value)
{
    int64_t s64;
    int32_t s32;
    memcpy(&s32, value, sizeof(s32));
    if (!is_wide(name))
        return s32 < 0;
    memcpy(&s64, value, sizeof(s64));
    return s64 < 0;
}

/* Options of one int that change what we do. */
static bool is_noted(int level, int name)
{
    return (level == SOL_SOCKET && name == SO_RCVLOWAT) ||
           (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT);
}

int wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    int r = tmo_real.setsockopt(fd, level, name, value, len);
    struct tmo_slot *slot = r == 0 ? tmo_state_slot(fd) : NULL;
    if (slot == NULL)
        return r;
    if (level == SOL_SOCKET && timeo_way(name) >= 0) {
        follow_timeo(fd, slot, (enum tmo_way)timeo_way(name), is_negative(name, value));
        return r;
    }
    if (is_noted(level, name)) {
        int number;
        memcpy(&number, value, sizeof(number));
        tmo_options_note(slot, level, name, number);
    }
    tmo_sockopts_follow(fd, slot, level, name);
    if (level == SOL_SOCKET && name == SO_LINGER)
        tmo_apply_linger(fd, tmo_plan_of(slot));
    if (is_noted(level, name))
        tmo_state_rehot(fd, slot);
    return r;
}
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__setsockopt64, setsockopt); /* they differ in the number that NAME is */
#endif

/* --- getsockopt ------------------------------------------------------------------------------ */

/* Puts US in the place of the timeout that the kernel gave. */
static void put_timeo(void *value, const socklen_t *len, bool wide, int64_t us)
{
    int64_t of64[2] = {us / 1000000, us % 1000000};
    int32_t of32[2] = {(int32_t)of64[0], (int32_t)of64[1]};
    size_t size = wide ? sizeof(of64) : sizeof(of32);
    memcpy(value, wide ? (void *)of64 : (void *)of32, *len < size ? *len : size);
}

static void put_error(void *value, const socklen_t *len, int error)
{
    memcpy(value, &error, *len < sizeof(error) ? *len : sizeof(error));
}

int wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct tmo_slot *slot = level == SOL_SOCKET ? tmo_state_slot(fd) : NULL;
    if (slot == NULL)
        return tmo_real.getsockopt(fd, level, name, value, len);
    bool ended = name == SO_ERROR && (tmo_slot_flags(slot) & TMO_SLOT_ENDED) != 0;
    /* The kernel's own error stays where pollers see it; SO_TYPE judges the pointers as well. */
    int r = tmo_real.getsockopt(fd, level, ended ? SO_TYPE : name, value, len);
    if (r != 0)
        return r;
    int way = timeo_way(name);
    if (way >= 0 && tmo_plan_of(slot)->mode != TMO_MODE_FORCE && !tmo_plan_of(slot)->keeps) {
        int64_t us = tmo_slot_app_us(slot, (unsigned)way);
        put_timeo(value, len, is_wide(name), us > 0 ? us : 0); /* as the kernel shows them */
    } else if (ended) {
        put_error(value, len, tmo_state_error(slot));
    } else if (name == SO_ERROR && slot->pending != 0) {
        put_error(value, len, slot->pending);
        slot->pending = 0;
        tmo_state_rehot(fd, slot);
    }
    return r;
}
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__getsockopt64, getsockopt);
#endif

/* --- fcntl, ioctl ---------------------------------------------------------------------------- */

static void set_nonblocking(int fd, struct tmo_slot *slot, bool on)
{
    if (on)
        tmo_slot_raise(slot, TMO_SLOT_NONBLOCK);
    else
        tmo_slot_lower(slot, TMO_SLOT_NONBLOCK);
    tmo_state_rehot(fd, slot);
}

static int after_fcntl(int fd, int cmd, long arg, int r)
{
    if (r < 0)
        return r;
    struct tmo_slot *slot = tmo_state_slot(fd);
    if (cmd != F_SETFL)
        tmo_close_duplicated(fd, r);
    else if (slot != NULL)
        set_nonblocking(fd, slot, (arg & O_NONBLOCK) != 0);
    return r;
}

static bool is_followed(int cmd)
{
    return cmd == F_SETFL || cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
}

int wrap_fcntl(int fd, int cmd, long arg)
{
    if (!is_followed(cmd) || (tmo_hot(fd) == TMO_HOT_NONE && cmd == F_SETFL) || !tmo_current.active)
        return tmo_real.fcntl(fd, cmd, arg);
    return after_fcntl(fd, cmd, arg, tmo_real.fcntl(fd, cmd, arg));
}
TMO_ALIAS(__fcntl, fcntl);

#if defined(__GLIBC__) && defined(__LP64__)
TMO_ALIAS(fcntl64, fcntl);
#elif defined(__GLIBC__)
int wrap_fcntl64(int fd, int cmd, long arg)
{
    if (!is_followed(cmd) || (tmo_hot(fd) == TMO_HOT_NONE && cmd == F_SETFL) || !tmo_current.active)
        return tmo_real.fcntl64(fd, cmd, arg);
    return after_fcntl(fd, cmd, arg, tmo_real.fcntl64(fd, cmd, arg));
}
#endif
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__fcntl_time64, fcntl64);
#endif

int wrap_ioctl(int fd, unsigned long request, long arg)
{
    if (tmo_hot(fd) == TMO_HOT_NONE || request != FIONBIO)
        return tmo_real.ioctl(fd, request, arg);
    int r = tmo_real.ioctl(fd, request, arg);
    struct tmo_slot *slot = r == 0 ? tmo_state_slot(fd) : NULL;
    if (slot != NULL) /* the kernel has read it, so we may */
        set_nonblocking(fd, slot, *(const int *)arg != 0);
    return r;
}
#ifdef TMO_TWO_TIMES
TMO_ALIAS(__ioctl_time64, ioctl);
#endif

/* --- shutdown -------------------------------------------------------------------------------- */

int wrap_shutdown(int fd, int how)
{
    struct tmo_slot *slot = tmo_hot(fd) >= TMO_HOT_SLOW ? tmo_state_slot(fd) : NULL;
    if (slot != NULL && (tmo_slot_flags(slot) & TMO_SLOT_ENDED) != 0) {
        errno = tmo_state_error(slot);
        return -1;
    }
    return tmo_real.shutdown(fd, how);
}
