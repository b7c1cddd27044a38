/* SPDX-License-Identifier: MIT
 * A look at one socket. See guardsock.h.
 */
#include "cli/guardsock.h"
#include "cli/guardlog.h"
#include "cli/guardproc.h"
#include "shim/policy/end.h"
#include "shim/sys/raw.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- records --------------------------------------------------------------------------------- */

static void put_connection(struct tmo_event *event, const struct tmo_guard_watch *watch,
                           const struct tmo_guard_sock *sock)
{
    event->fd = sock->fd;
    event->proto = sock->mptcp ? "mptcp" : "tcp";
    event->dir = sock->dir == TMO_FROM ? "in" : "out";
    event->local = sock->local;
    event->peer = sock->peer;
    event->age_ms = watch->now_ms - sock->begun_ms;
    event->timeouts = sock->timeouts;
}

static void record_timeout(const struct tmo_guard_watch *watch, const struct tmo_guard_sock *sock,
                           const struct tmo_deadline *passed, const struct tmo_tcpinfo *info)
{
    static const char *const actions[] = {"error", "reset", "exit", "abort", "report"};
    struct tmo_event event;
    if (!tmo_guard_logs(TMO_EVENT_TIMEOUT))
        return;
    tmo_guard_event(&event, TMO_RECORD_TIMEOUT, sock->holder->pid, sock->holder->program);
    put_connection(&event, watch, sock);
    event.limit = tmo_limit_name(passed->limit);
    event.limit_ms = tmo_ns_to_ms(tmo_limit_ns(sock->plan, passed->limit));
    event.waited_ms = passed->waited_ms;
    event.call = "guard";
    event.action = actions[sock->plan->action];
    event.rule = sock->plan->rule;
    event.tcp = info;
    tmo_guard_write(&event);
}

void tmo_guard_sock_gone(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    struct tmo_event event;
    if (!sock->begun || sock->plan == NULL || sock->library > 0 || !tmo_guard_logs(TMO_EVENT_CLOSE))
        return;
    tmo_guard_event(&event, TMO_RECORD_CLOSE, sock->pid, sock->program);
    put_connection(&event, watch, sock);
    event.reason = sock->ended ? "timeout" : "unseen";
    tmo_guard_write(&event);
}

/* --- a connection begins --------------------------------------------------------------------- */

/* The peer, also while the handshake is under way, when getpeername(2) does not tell. The length
 * must not be more than the address has. (net/core/sock.c, SO_PEERNAME) */
static void ask_peer(int fd, const struct tmo_address *local, struct tmo_address *ret)
{
    ret->len =
        local->any.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (tmo_raw_getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &ret->any, &ret->len) == 0)
        return;
    ret->len = sizeof(ret->any);
    if (getpeername(fd, (struct sockaddr *)&ret->any, &ret->len) != 0)
        *ret = (struct tmo_address){.len = 0};
}

static void ask_local(int fd, struct tmo_address *ret)
{
    ret->len = sizeof(ret->any);
    if (getsockname(fd, (struct sockaddr *)&ret->any, &ret->len) != 0)
        *ret = (struct tmo_address){.len = 0};
}

static bool is_listened(const struct tmo_guard_watch *watch, uint16_t port)
{
    return (watch->listened[port / 8] >> (port % 8) & 1) != 0;
}

static void begin(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int fd,
                  unsigned state)
{
    const struct tmo_guard_proc *proc = sock->holder;
    memset(&sock->local, 0, sizeof(sock->local));
    memset(&sock->peer, 0, sizeof(sock->peer));
    ask_local(fd, &sock->local);
    ask_peer(fd, &sock->local, &sock->peer);
    uint16_t own_port = tmo_guard_port(&sock->local);
    sock->begun = true;
    sock->closed = sock->ended = sock->unread = false;
    sock->begun_ms = watch->now_ms;
    /* One that the program was started with may have been silent for long. */
    sock->from_ms = watch->under_way && !sock->was_library ? 0 : watch->now_ms;
    sock->noted = sock->timeouts = 0;
    sock->dir = state != TMO_TCP_SYN_SENT && is_listened(watch, own_port) ? TMO_FROM : TMO_TO;
    sock->pid = proc->pid;
    free(sock->program);
    sock->program = strdup(proc->program);
    sock->plan = sock->program == NULL
                     ? NULL
                     : tmo_guard_plan_of(&watch->plans, proc->program, sock->dir, &sock->peer,
                                         own_port, tmo_raw_is_nonblocking(fd) != 0);
}

/* --- a limit passes -------------------------------------------------------------------------- */

int64_t tmo_guard_least_ms(const struct tmo_plan *plan)
{
    int64_t least_ms = TMO_GUARD_NEVER;
    for (enum tmo_limit limit = TMO_LIMIT_RECV; limit <= TMO_LIMIT_TOTAL; limit++) {
        int64_t limit_ns = tmo_limit_ns(plan, limit);
        if (limit_ns != 0 && tmo_ns_to_ms(limit_ns) < least_ms)
            least_ms = tmo_ns_to_ms(limit_ns);
    }
    return least_ms;
}

static int64_t after(const struct tmo_guard_watch *watch, int64_t ms)
{
    return ms < TMO_GUARD_NEVER - watch->now_ms ? watch->now_ms + ms : TMO_GUARD_NEVER;
}

static void kill_holder(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int sig)
{
    (void)tmo_guard_pidfd_kill(sock->holder->pidfd, sig);
    if (sig == SIGKILL && sock->holder->pid == watch->main)
        watch->exits = true;
    sock->ended = true;
}

static void expire(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int fd,
                   const struct tmo_quiet *q, const struct tmo_deadline *passed,
                   const struct tmo_tcpinfo *info)
{
    const struct tmo_slot slot = {.proto = TMO_TCP}; /* without a peer: it is the same socket */
    sock->timeouts += sock->timeouts < 255;
    sock->due_ms = TMO_GUARD_NEVER;
    record_timeout(watch, sock, passed, info);
    switch (sock->plan->action) {
    case TMO_ACTION_REPORT:
        sock->noted |= tmo_limit_noted(passed->limit);
        sock->moved = q->moved;
        sock->due_ms = after(watch, tmo_guard_least_ms(sock->plan));
        break;
    case TMO_ACTION_EXIT:
        kill_holder(watch, sock, SIGKILL);
        break;
    case TMO_ACTION_ABORT:
        kill_holder(watch, sock, SIGABRT);
        break;
    default:
        sock->ended = tmo_end_connection(fd, &slot) != TMO_END_NOT;
        if (!sock->ended)
            sock->due_ms = after(watch, tmo_guard_least_ms(sock->plan));
        sock->closed = sock->ended; /* it may be connected anew */
    }
}

/* Whether the program has bytes to read. It is then not waiting for its peer. */
static bool has_unread(int fd)
{
    int queued = 0;
    return ioctl(fd, FIONREAD, &queued) == 0 && queued > 0;
}

static void judge(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int fd,
                  const struct tmo_tcpinfo *info)
{
    struct tmo_quiet q;
    unsigned waits = 1u << TMO_SEND;
    tmo_quiet_read(info->bytes, info->len, &q);
    if (sock->noted != 0 && q.moved != sock->moved)
        sock->noted &= tmo_limit_noted(TMO_LIMIT_TOTAL) | tmo_limit_noted(TMO_LIMIT_CONNECT);

    bool was_unread = sock->unread;
    sock->unread = sock->plan->wait_ns[TMO_RECV] != 0 && has_unread(fd);
    if (was_unread && !sock->unread)
        sock->from_ms = watch->now_ms;
    if (!sock->unread)
        waits |= 1u << TMO_RECV;

    int64_t waited_ms = watch->now_ms - sock->from_ms, age_ms = watch->now_ms - sock->begun_ms;
    struct tmo_deadline passed =
        tmo_deadline_of(&q, sock->plan, waits | sock->noted, waited_ms, age_ms);
    int64_t left_ms = passed.limit == TMO_LIMIT_NONE ? TMO_GUARD_NEVER : passed.left_ms;
    if (left_ms <= 0 && !tmo_guard_is_library(watch, sock->holder, true)) {
        expire(watch, sock, fd, &q, &passed, info);
        return;
    }
    /* An answer is owed only once something was sent: see ran() in guardwatch.c. */
    sock->settled = sock->plan->answer && !q.connecting && !q.owed && !q.queued && !sock->unread;
    if (sock->settled) {
        sock->due_ms = after(watch, left_ms > 0 ? left_ms : 0);
        return;
    }
    /* What begins to be waited for after now cannot be overdue before that. */
    int64_t least = tmo_guard_least_ms(sock->plan);
    sock->due_ms = after(watch, left_ms > 0 && left_ms < least ? left_ms : least);
}

/* --- a look ---------------------------------------------------------------------------------- */

/* A copy of the socket's descriptor, or -1. */
static int copy(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    struct tmo_guard_proc *proc = sock->holder;
    sock->due_ms = TMO_GUARD_NEVER;
    sock->left = sock->library > 0;
    if (proc == NULL || sock->library > 0 || proc->refused || watch->unable)
        return -1;
    int fd = tmo_guard_pidfd_getfd(proc->pidfd, sock->fd);
    if (fd >= 0)
        return fd;
    if (fd == -EPERM) {
        proc->refused = true;
        tmo_guard_problem(proc->pid, proc->program,
                          "the kernel does not let its sockets be looked at: no limit will hold");
    } else if (fd == -ENOSYS) {
        watch->unable = true;
        tmo_guard_problem(proc->pid, proc->program,
                          "this kernel has no pidfd_getfd (Linux 5.6): nothing is guarded");
    } else { /* it was closed, which the next walk sees; or there is no room for a copy */
        sock->due_ms = after(watch, watch->tick_ms);
    }
    return -1;
}

/* Whether FD is the socket that was looked at before, by its cookie. */
static bool is_same(struct tmo_guard_sock *sock, int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    if (tmo_raw_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
        return false;
    if (sock->kind == TMO_GUARD_NEW)
        sock->cookie = cookie;
    return sock->cookie == cookie;
}

/* What a socket is that was not looked at before. */
static void classify(struct tmo_guard_sock *sock, int fd)
{
    int proto = 0, domain = 0;
    socklen_t len = sizeof(proto);
    (void)tmo_raw_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &len);
    len = sizeof(domain);
    (void)tmo_raw_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    bool ip = domain == AF_INET || domain == AF_INET6;
    sock->mptcp = proto == 262; /* IPPROTO_MPTCP */
    sock->kind = ip && (proto == IPPROTO_TCP || sock->mptcp) ? TMO_GUARD_CONN : TMO_GUARD_OTHER;
}

static void look(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int fd)
{
    struct tmo_tcpinfo info;
    if (!is_same(sock, fd)) { /* the number is another's: its holder is to be read anew */
        sock->holder->ran_ns = -2;
        sock->due_ms = after(watch, watch->tick_ms);
        return;
    }
    if (sock->kind == TMO_GUARD_NEW)
        classify(sock, fd);
    if (sock->kind != TMO_GUARD_CONN || tmo_tcpinfo_get(fd, &info) < 0)
        return;
    unsigned state = tmo_tcpinfo_state(&info);
    if (state == TMO_TCP_LISTEN) {
        ask_local(fd, &sock->local);
        uint16_t port = tmo_guard_port(&sock->local);
        watch->listened[port / 8] |= (uint8_t)(1u << (port % 8));
        sock->kind = TMO_GUARD_LISTEN;
        return;
    }
    if (state == TMO_TCP_CLOSE) {
        sock->closed = sock->begun;
        return;
    }
    if (sock->ended && state != TMO_TCP_SYN_SENT && state != TMO_TCP_ESTABLISHED)
        return; /* it is being shut down */
    if (sock->closed)
        tmo_guard_sock_gone(watch, sock); /* another connection by the same socket */
    if (!sock->begun || sock->closed)
        begin(watch, sock, fd, state);
    if (sock->plan != NULL)
        judge(watch, sock, fd, &info);
}

void tmo_guard_sock_look(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    int fd = copy(watch, sock);
    if (fd < 0)
        return;
    look(watch, sock, fd);
    close(fd);
}
