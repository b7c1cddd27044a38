/* SPDX-License-Identifier: MIT
 * From what we know of a socket to a line in the log. See current.h. Layer: wrap.
 */
#include "shim/report/record.h"
#include "shim/sys/borrow.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/track/hosts.h"
#include "shim/track/self.h"
#include "shim/wrap/call.h"
#include "shim/wrap/made.h"

#include <netinet/in.h>
#include <string.h>
#include <stddef.h>
#include <sys/un.h>

struct tmo_current tmo_current;

/* A line needs 4 KiB, more than a small signal stack has (MINSIGSTKSZ is 2 KiB): it is put together
 * in one of these, which a thread holds without waiting, or the record counts as lost. */
#define LINES TMO_EMIT_LINES
TMO_SPARSE TMO_HIDDEN char tmo_emit_lines[LINES][TMO_RECORD_MAX];
TMO_SPARSE TMO_HIDDEN char tmo_emit_hosts[LINES][TMO_HOST_MAX + 1];
static uint32_t lines_held;

int tmo_emit_hold(void)
{
    uint32_t held = __atomic_load_n(&lines_held, __ATOMIC_RELAXED);
    while (held != (1u << LINES) - 1) {
        int free_one = __builtin_ctz(~held);
        if (__atomic_compare_exchange_n(&lines_held, &held, held | 1u << free_one, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return free_one;
    }
    return -1;
}

void tmo_emit_release(int line)
{
    __atomic_fetch_and(&lines_held, ~(1u << line), __ATOMIC_RELEASE);
}

void tmo_emit_forked(void)
{
    lines_held = 0;
}

void tmo_emit_guard_log(void)
{
    if (tmo_current.sink.kind == TMO_SINK_FILE)
        tmo_track_guard(__atomic_load_n(&tmo_current.sink.fd, __ATOMIC_ACQUIRE), true);
}

void tmo_emit(struct tmo_event *event)
{
    struct tmo_sink *sink = &tmo_current.sink;
    int e = errno;
    int line = tmo_emit_hold();
    if (line < 0) {
        tmo_sink_give_lost(sink, 1);
        return;
    }
    if (tmo_hosts_find((struct sockaddr *)&event->peer.any, event->peer.len, tmo_emit_hosts[line]) >
        0)
        event->host = tmo_emit_hosts[line];
    uint64_t lost = tmo_sink_take_lost(sink);
    size_t len =
        tmo_record_write(event, (enum tmo_log_format)tmo_current.cfg.value[TMO_SET_LOG_FORMAT],
                         lost, tmo_emit_lines[line]);
    int before = __atomic_load_n(&sink->fd, __ATOMIC_RELAXED); /* another thread may open it too */
    if (tmo_sink_write(sink, tmo_emit_lines[line], len) < 0 && lost > 0)
        tmo_sink_give_lost(sink, lost);
    if (__atomic_load_n(&sink->fd, __ATOMIC_RELAXED) != before)
        tmo_emit_guard_log();
    tmo_emit_release(line);
    errno = e;
}

void tmo_emit_begin(struct tmo_event *event, enum tmo_event_kind kind)
{
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->wall_us = tmo_clock_wall_us();
    event->pid = tmo_self.pid;
    event->tid = tmo_self_tid();
    event->program = tmo_self.program;
    event->fd = TMO_UNKNOWN;
    event->age_ms = event->connect_ms = event->timeouts = event->took_ms = TMO_UNKNOWN;
    event->accept_queue = event->accept_queue_limit = TMO_UNKNOWN;
    event->accept_queue_highest = event->accepted = TMO_UNKNOWN;
}

static const char *proto_name(unsigned proto)
{
    static const char *const names[] = {"tcp", "mptcp", "smc", "udp", "unix", "unix", NULL, "unix"};
    return names[proto & 7];
}

static const char *dir_name(unsigned dir)
{
    static const char *const names[] = {NULL, "out", "in", "listen"};
    return names[dir & 3];
}

bool tmo_emit_peer(const struct tmo_slot *slot, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    if (slot->family == TMO_FAMILY_4 && slot->peer_port != 0) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = slot->peer4;
        in->sin_port = htons(slot->peer_port);
        *ret_len = sizeof(*in);
    } else if (slot->family == TMO_FAMILY_6 && slot->peer_port != 0) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;
        in6->sin6_family = AF_INET6;
        memcpy(&in6->sin6_addr, slot->peer6, sizeof(slot->peer6));
        if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr)) { /* as tmo_made_peer() has it */
            memcpy(&in6->sin6_scope_id, slot->peer6 + 2, sizeof(in6->sin6_scope_id));
            memset(in6->sin6_addr.s6_addr + 2, 0, sizeof(in6->sin6_scope_id));
        }
        in6->sin6_port = htons(slot->peer_port);
        *ret_len = sizeof(*in6);
    } else if (slot->family == TMO_FAMILY_UNIX && slot->peer_path != 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)(void *)ret;
        char path[108];
        size_t len = tmo_track_kept_text(slot->peer_path, path);
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, len < sizeof(un->sun_path) ? len : sizeof(un->sun_path));
        *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    } else {
        return false;
    }
    return true;
}

static void put_peer(struct tmo_address *ret, const struct tmo_slot *slot)
{
    if (slot->dir != TMO_DIR_LISTEN)
        (void)tmo_emit_peer(slot, &ret->any, &ret->len);
}

static void put_local(struct tmo_address *ret, int fd)
{
    socklen_t len = sizeof(ret->any);
    if (fd >= 0 && TMO_RAW3(SYS_getsockname, fd, &ret->any, &len) == 0)
        ret->len = len < sizeof(ret->any) ? len : sizeof(ret->any);
}

/* A listener's queue as it is now, and the highest that was seen. */
static void put_queue(struct tmo_event *event, struct tmo_slot *slot,
                      const struct tmo_tcpinfo *info)
{
    if (info != NULL && info->len > 0) {
        event->accept_queue = tmo_tcpinfo_unacked(info);
        event->accept_queue_limit = tmo_tcpinfo_sacked(info);
        if (event->accept_queue > slot->listener.queue_highest)
            slot->listener.queue_highest = (uint32_t)event->accept_queue;
        event->accept_queue_highest = slot->listener.queue_highest;
    }
    event->accepted = slot->listener.accepted;
}

void tmo_emit_connection(struct tmo_event *event, int fd, const struct tmo_slot *slot,
                         const struct tmo_tcpinfo *info)
{
    event->fd = fd;
    event->proto = proto_name(slot->proto);
    event->dir = dir_name(slot->dir);
    put_local(&event->local, fd);
    put_peer(&event->peer, slot);
    event->age_ms = (int64_t)((tmo_self_now_us() - tmo_slot_born_us(slot)) / 1000);
    if (slot->connect_us != 0 && (tmo_slot_flags(slot) & TMO_SLOT_ENDED) == 0)
        event->connect_ms = slot->connect_us / 1000;
    event->timeouts = slot->timeouts;
    /* From before a fork, in the parent as in the child; or handed to us. */
    event->shared = (tmo_slot_flags(slot) & TMO_SLOT_SHARED) != 0 ||
                    tmo_slot_born_us(slot) < tmo_self.forked_us;
    if (info != NULL && info->len > 0)
        event->tcp = info;
    if (slot->dir == TMO_DIR_LISTEN)
        put_queue(event, (struct tmo_slot *)(uintptr_t)slot, info);
}

void tmo_emit_close(int fd, struct tmo_slot *slot, const char *reason)
{
    if (!tmo_wants(TMO_EVENT_CLOSE))
        return;
    int by = tmo_borrow(fd);
    tmo_emit_close_by(by, fd, slot, reason);
    tmo_borrow_end(by);
}

void tmo_emit_close_by(int fd, int number, struct tmo_slot *slot, const char *reason)
{
    struct tmo_tcpinfo info = {.len = 0};
    struct tmo_event event;
    unsigned flags = tmo_slot_flags(slot);
    if (!tmo_wants(TMO_EVENT_CLOSE) || slot->dir == TMO_DIR_NONE || !tmo_is_covered(slot) ||
        (flags & (TMO_SLOT_INHERITED | TMO_SLOT_RECORDED)) != 0)
        return;
    if ((__atomic_fetch_or(&slot->flags, TMO_SLOT_RECORDED, __ATOMIC_RELAXED) &
         TMO_SLOT_RECORDED) != 0)
        return; /* another thread is at it */
    if (tmo_sink_is_full(&tmo_current.sink)) {
        tmo_sink_give_lost(&tmo_current.sink, 1);
        return;
    }

    int r = reason != NULL ? tmo_tcpinfo_get(fd, &info) : -EBADF;
    bool gone = r == -EBADF || r == -ENOTSOCK || (r < 0 && tmo_proto_is_tcp(slot->proto));
    tmo_emit_begin(&event, TMO_RECORD_CLOSE);
    tmo_emit_connection(&event, gone ? -1 : fd, slot, &info);
    event.fd = number;
    event.reason = gone ? "unseen" : reason;
    tmo_emit(&event);
}
