/* SPDX-License-Identifier: MIT
 * Waiting before a call. See before.h. Layer: wrap.
 */
#include "shim/wrap/before.h"
#include "shim/policy/apply.h"
#include "shim/policy/judge.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/wrap/note.h"

#include <limits.h>
#include <poll.h>

#define SPLICE_KNOWN (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

int64_t tmo_before_app_us(int fd, const struct tmo_slot *slot, enum tmo_way way, bool *ret_alone)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    bool kept = tmo_keeps(slot, way);
    *ret_alone = false;
    if (kept && !plan->reports && plan->mode == TMO_MODE_FORCE)
        return 0;
    if (tmo_slot_app_us(slot, way) == TMO_SLOT_NEVER_WAITS)
        return TMO_SLOT_NEVER_WAITS;
    int64_t us = tmo_apply_read_timeo(fd, way);
    *ret_alone = us > 0 && !plan->reports && (!kept || plan->mode == TMO_MODE_FILL);
    return us > 0 ? us : 0;
}

/* --- the wait -------------------------------------------------------------------------------- */

/* The limit has passed. Returns 0: the call is to be made without it; or -errno. */
static int expired(int fd, struct tmo_slot *slot, enum tmo_way way, int64_t waited_ns,
                   const char *call)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    enum tmo_limit limit = way == TMO_RECV ? TMO_LIMIT_RECV : TMO_LIMIT_SEND;
    if (plan->reports) {
        tmo_note_now(fd, slot, limit, waited_ns, call);
        return 0;
    }
    return -tmo_state_expire(&(struct tmo_expiry){
        .fd = fd,
        .slot = slot,
        .limit = slot->dir == TMO_DIR_LISTEN ? "accept" : tmo_limit_name(limit),
        .limit_ns = tmo_rest_limit_ns(slot, way),
        .waited_ns = waited_ns,
        .call = call,
        .kernel_error = EAGAIN,
    });
}

int tmo_before_wait(int fd, struct tmo_slot *slot, enum tmo_way way, const char *call,
                    int (*wait)(int fd, short events, int64_t ns))
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    enum tmo_limit limit = way == TMO_RECV ? TMO_LIMIT_RECV : TMO_LIMIT_SEND;
    int64_t limit_ns = tmo_rest_limit_ns(slot, way);
    short events = way == TMO_RECV ? POLLIN : POLLOUT;
    if (limit_ns == 0 || (tmo_slot_flags(slot) & TMO_SLOT_NONBLOCK) != 0 ||
        tmo_raw_peek(fd, events) != 0 || tmo_raw_is_nonblocking(fd) != 0)
        return 0;
    bool alone;
    int64_t app_us = tmo_before_app_us(fd, slot, way, &alone);
    if (app_us < 0 || alone || (plan->reports && tmo_note_is_there(fd, slot, limit)))
        return 0;
    uint16_t generation = slot->generation;
    int64_t start_ns = tmo_clock_ns(), now_ns = start_ns;
    int64_t app_ns = app_us > 0 ? start_ns + app_us * 1000 : INT64_MAX;
    int64_t until_ns = start_ns + limit_ns;
    for (;;) {
        int64_t end_ns = app_ns < until_ns ? app_ns : until_ns;
        int r = wait(fd, events, end_ns > now_ns ? end_ns - now_ns : 0);
        now_ns = tmo_clock_ns();
        if (r == -EINTR && app_us <= 0 && tmo_judge_may_restart())
            continue;
        if (r != 0 || tmo_track_slot(fd) != slot || slot->generation != generation)
            return r == -EINTR ? r : 0;
        if (now_ns >= app_ns)
            return -EAGAIN;
        int64_t silent_ns = way == TMO_SEND ? tmo_judge_silent_ns(fd, TMO_SEND) : -1;
        if (silent_ns >= 0 && silent_ns < limit_ns) { /* slow, but it takes something */
            until_ns = now_ns + limit_ns - silent_ns;
            continue;
        }
        int error = expired(fd, slot, way, now_ns - start_ns, call);
        if (error != 0 || app_us <= 0)
            return error;
        until_ns = INT64_MAX;
    }
}

/* --- what a call waits for ------------------------------------------------------------------- */

/* poll(2) says that a socket cannot be written while a part is free yet; hence this.
 * (include/net/sock.h, sk_stream_memory_free; net/core/sock.c, sock_alloc_send_pskb) */
size_t tmo_before_room(int fd, const struct tmo_slot *slot)
{
    enum { WMEM_ALLOC = 2, SNDBUF = 3, WMEM_QUEUED = 5, COUNT = 9 }; /* linux/sock_diag.h */
    uint32_t memory[COUNT] = {0};
    socklen_t len = sizeof(memory);
    if (tmo_raw_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) < 0)
        return SIZE_MAX;
    uint32_t used = memory[tmo_proto_is_tcp(slot->proto) ? WMEM_QUEUED : WMEM_ALLOC];
    /* A datagram to a unix socket that is full waits in spite of room (unix_dgram_poll). */
    if (slot->family == TMO_FAMILY_UNIX && used < memory[SNDBUF] / 4 &&
        tmo_raw_peek(fd, POLLOUT) == 0)
        return 0;
    return used < memory[SNDBUF] ? memory[SNDBUF] - used : 0;
}

/* Whether a splice with a socket waits for that, and not for its pipe, nor fails before. */
static bool splices(const struct tmo_call *call)
{
    short events = call->kind->way == TMO_RECV ? POLLOUT : POLLIN;
    return call->len > 0 && (call->splice_flags & ~(unsigned)SPLICE_KNOWN) == 0 &&
           call->offset == NULL && call->other_offset == NULL &&
           TMO_RAW2(TMO_SYS_fcntl, call->other_fd, F_GETPIPE_SZ) >= 0 &&
           tmo_raw_peek(call->other_fd, events) != 0;
}

static bool can_read(const void *at, size_t len)
{
    return tmo_raw_can_read_8(at) && tmo_raw_can_read_8((const char *)at + len - 8);
}

/* Whether the kernel refuses the COUNT parts at IOV, or does nothing, before it would wait. */
static bool is_no_vector(const struct iovec *iov, size_t count)
{
    enum { PARTS_MAX = 1024 }; /* UIO_MAXIOV, include/uapi/linux/uio.h */
    if (count == 0 || count > PARTS_MAX || !can_read(iov, count * sizeof(*iov)))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > SSIZE_MAX)
            return true;
    }
    return false;
}

/* Whether what CALL points to is such that the kernel looks at it, and at nothing else. */
static bool is_refused(const struct tmo_call *call)
{
    if (call->pipe)
        return !splices(call);
    if (call->msgs != NULL)
        return !tmo_raw_can_read_8(call->msgs);
    if (call->iov != NULL || call->iov_count > 0)
        return is_no_vector(call->iov, call->iov_count);
    if (call->msg == NULL)
        return call->len == 0 && call->wanted == 0; /* nothing is asked for */
    if (!can_read(call->msg, sizeof(*call->msg)))
        return true;
    return call->msg->msg_iovlen != 0 &&
           is_no_vector(call->msg->msg_iov, (size_t)call->msg->msg_iovlen);
}

int tmo_before_call(const struct tmo_call *call, struct tmo_slot *slot)
{
    enum tmo_way way = call->kind->way;
    if ((call->flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) != 0 ||
        (tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) == 0)
        return 0;
    if (way == TMO_RECV && (tmo_slot_flags(slot) & TMO_SLOT_LOWAT) != 0)
        return 0; /* which poll(2) minds in another way */
    if (way == TMO_SEND && tmo_before_room(call->fd, slot) > 0)
        return 0;
    if (is_refused(call))
        return 0;
    return tmo_before_wait(call->fd, slot, way, call->kind->name,
                           call->uncancelled ? tmo_raw_wait_through : tmo_raw_wait);
}
