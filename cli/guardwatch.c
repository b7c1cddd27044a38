/* SPDX-License-Identifier: MIT
 * Which sockets there are, and when each is looked at. See guardwatch.h.
 */
#include "cli/guardwatch.h"
#include "cli/guardlog.h"
#include "cli/guardproc.h"
#include "cli/guardsock.h"
#include "shim/policy/deadline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define PORTS   65536

#define TICK_LEAST_MS 50
#define TICK_MOST_MS  1000

/* How late a new connection may be seen for the sake of PLAN. The clocks of connect, idle and total
 * begin when it is seen, and may be late by a tenth; the kernel keeps those of recv and send. */
static int64_t tick_ms(const struct tmo_plan *plan)
{
    int64_t least_ms = TICK_MOST_MS;
    for (enum tmo_limit limit = TMO_LIMIT_CONNECT; limit <= TMO_LIMIT_TOTAL; limit++) {
        bool by_kernel = limit == TMO_LIMIT_RECV || limit == TMO_LIMIT_SEND;
        int64_t ms = tmo_limit_ns(plan, limit) / 1000000 / (by_kernel ? 4 : 10);
        if (tmo_limit_ns(plan, limit) != 0 && ms < least_ms)
            least_ms = ms;
    }
    return least_ms > TICK_LEAST_MS ? least_ms : TICK_LEAST_MS;
}

int tmo_guard_watch_start(struct tmo_guard_watch *ret, const struct tmo_loaded *loaded)
{
    *ret = (struct tmo_guard_watch){.next_ms = TMO_GUARD_NEVER};
    ret->buckets = calloc(BUCKETS, sizeof(struct tmo_guard_sock *));
    ret->listened = calloc(PORTS / 8, 1);
    if (ret->buckets == NULL || ret->listened == NULL)
        return -ENOMEM;
    int r = tmo_guard_plans_make(loaded, &ret->plans);
    if (r < 0)
        return r;
    ret->tick_ms = tick_ms(&ret->plans.general);
    for (unsigned i = 0; i < loaded->rules.count; i++) {
        int64_t ms = tick_ms(&ret->plans.of_rules[i]);
        ret->tick_ms = ms < ret->tick_ms ? ms : ret->tick_ms;
    }
    return 0;
}

bool tmo_guard_watch_needed(const struct tmo_guard_watch *watch)
{
    return watch->plans.loaded->cfg.value[TMO_SET_DISABLE] == 0 &&
           (watch->plans.shortest_ns != 0 || tmo_guard_logs(TMO_EVENT_CLOSE));
}

/* --- which there are ------------------------------------------------------------------------- */

static struct tmo_guard_sock **bucket_of(struct tmo_guard_watch *watch, uint64_t inode)
{
    return &watch->buckets[inode % BUCKETS];
}

static struct tmo_guard_sock *find_or_make(struct tmo_guard_watch *watch, uint64_t inode)
{
    struct tmo_guard_sock **bucket = bucket_of(watch, inode), *sock = *bucket;
    while (sock != NULL && sock->inode != inode)
        sock = sock->same;
    if (sock != NULL)
        return sock;
    sock = calloc(1, sizeof(*sock));
    if (sock == NULL)
        return NULL;
    sock->inode = inode;
    sock->due_ms = TMO_GUARD_NEVER;
    sock->same = *bucket;
    *bucket = sock;
    sock->pointed = &watch->first;
    sock->next = watch->first;
    if (watch->first != NULL)
        watch->first->pointed = &sock->next;
    watch->first = sock;
    return sock;
}

static void drop(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    struct tmo_guard_sock **at = bucket_of(watch, sock->inode);
    tmo_guard_sock_gone(watch, sock);
    while (*at != sock)
        at = &(*at)->same;
    *at = sock->same;
    *sock->pointed = sock->next;
    if (sock->next != NULL)
        sock->next->pointed = sock->pointed;
    free(sock->program);
    free(sock);
}

/* REF, of PROC, is no more. */
static void let_go(struct tmo_guard_watch *watch, struct tmo_guard_proc *proc,
                   const struct tmo_guard_ref *ref)
{
    struct tmo_guard_sock *sock = ref->sock;
    sock->library -= ref->library;
    if (--sock->refs == 0)
        drop(watch, sock);
    else if (sock->holder == proc && sock->walk != watch->walks)
        sock->holder = NULL;
}

/* --- who has them ---------------------------------------------------------------------------- */

struct reading {
    struct tmo_guard_watch *watch;
    struct tmo_guard_proc *proc;
};

static void take(void *ctx, int fd, uint64_t inode)
{
    struct reading *reading = ctx;
    struct tmo_guard_proc *proc = reading->proc;
    struct tmo_guard_sock *sock = find_or_make(reading->watch, inode);
    if (sock == NULL)
        return;
    if (proc->refs_count == proc->refs_room) {
        size_t room = proc->refs_room != 0 ? proc->refs_room * 2 : 16;
        struct tmo_guard_ref *refs = realloc(proc->refs, room * sizeof(*refs));
        if (refs == NULL)
            return;
        proc->refs = refs;
        proc->refs_room = room;
    }
    sock->refs++;
    if (sock->holder == NULL || sock->holder == proc) {
        sock->holder = proc;
        sock->fd = fd;
    }
    sock->walk = reading->watch->walks;
    proc->refs[proc->refs_count++] = (struct tmo_guard_ref){.fd = fd, .sock = sock};
}

static void mark_library(struct tmo_guard_proc *proc)
{
    for (size_t i = 0; i < proc->refs_count; i++) {
        proc->refs[i].sock->library += !proc->refs[i].library;
        proc->refs[i].library = proc->refs[i].sock->was_library = true;
    }
}

bool tmo_guard_is_library(struct tmo_guard_watch *watch, struct tmo_guard_proc *proc, bool again)
{
    if (proc->reach == TMO_GUARD_UNASKED || (again && proc->reach == TMO_GUARD_OURS))
        proc->reach = tmo_guard_has_library(proc->pid, watch->plans.loaded->cfg.has_file)
                          ? TMO_GUARD_LIBRARY
                          : TMO_GUARD_OURS;
    if (proc->reach == TMO_GUARD_LIBRARY)
        mark_library(proc);
    return proc->reach == TMO_GUARD_LIBRARY;
}

/* The next look at SOCK is no later than MS. */
static void look_by(struct tmo_guard_watch *watch, struct tmo_guard_sock *sock, int64_t ms)
{
    if (ms < sock->due_ms)
        sock->due_ms = ms;
    if (ms < watch->next_ms)
        watch->next_ms = ms;
}

static void ran(void *ctx, struct tmo_guard_proc *proc)
{
    struct tmo_guard_watch *watch = ctx;
    struct reading reading = {watch, proc};
    struct tmo_guard_ref *before = proc->refs;
    size_t before_count = proc->refs_count;

    watch->walks++;
    proc->refs = NULL;
    proc->refs_count = proc->refs_room = 0;
    bool rings = false;
    int r = tmo_guard_sockets(proc->pid, take, &reading, &rings);
    if (rings)
        proc->reach = TMO_GUARD_RINGS;
    if ((r == -EACCES || r == -EPERM) && !proc->refused) {
        proc->refused = true;
        tmo_guard_problem(proc->pid, proc->program,
                          "the kernel does not let its descriptors be seen: no limit will hold");
    }
    if (proc->refs_count > 0)
        (void)tmo_guard_is_library(watch, proc, false);
    for (size_t i = 0; i < before_count; i++) /* now: what is in both stays */
        let_go(watch, proc, &before[i]);
    free(before);
    for (size_t i = 0; i < proc->refs_count; i++) {
        struct tmo_guard_sock *sock = proc->refs[i].sock;
        if (sock->left && sock->library == 0) { /* who had it has executed another program */
            sock->left = false;
            sock->from_ms = watch->now_ms;
            look_by(watch, sock, 0);
        }
        if (sock->kind == TMO_GUARD_NEW ||
            (sock->kind == TMO_GUARD_CONN && (!sock->begun || sock->closed || sock->unread)))
            look_by(watch, sock, 0);
        else if (sock->settled) /* it may have sent something since the walk before, no earlier */
            look_by(watch, sock, watch->before_ms + tmo_guard_least_ms(sock->plan));
    }
}

static void gone(void *ctx, struct tmo_guard_proc *proc)
{
    struct tmo_guard_watch *watch = ctx;
    watch->walks++;
    for (size_t i = 0; i < proc->refs_count; i++)
        let_go(watch, proc, &proc->refs[i]);
    proc->refs_count = 0;
}

void tmo_guard_watch_walk(struct tmo_guard_watch *watch, int64_t now_ms)
{
    watch->now_ms = now_ms;
    watch->tree.ran = ran;
    watch->tree.gone = gone;
    watch->tree.ctx = watch;
    tmo_guard_tree_walk(&watch->tree);
    watch->before_ms = now_ms;
}

/* --- looks ----------------------------------------------------------------------------------- */

/* Another process that has SOCK. */
static void find_holder(const struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    for (struct tmo_guard_proc *proc = watch->tree.first; proc != NULL; proc = proc->next) {
        for (size_t j = 0; j < proc->refs_count; j++) {
            if (proc->refs[j].sock == sock) {
                sock->holder = proc;
                sock->fd = proc->refs[j].fd;
                return;
            }
        }
    }
}

/* Looks at what is due. Returns when the next look is. */
static int64_t look_at_all(struct tmo_guard_watch *watch)
{
    int64_t next_ms = TMO_GUARD_NEVER;
    for (struct tmo_guard_sock *sock = watch->first; sock != NULL; sock = sock->next) {
        if (sock->due_ms <= watch->now_ms) {
            if (sock->holder == NULL)
                find_holder(watch, sock);
            tmo_guard_sock_look(watch, sock);
        }
        if (sock->due_ms < next_ms)
            next_ms = sock->due_ms;
    }
    return next_ms;
}

int64_t tmo_guard_watch_look(struct tmo_guard_watch *watch, int64_t now_ms)
{
    int64_t next_ms;
    watch->now_ms = now_ms;
    if (now_ms < watch->next_ms)
        next_ms = watch->next_ms;
    else
        next_ms = look_at_all(watch);
    watch->under_way = true;
    watch->next_ms = next_ms;
    return next_ms;
}

void tmo_guard_watch_stopped(struct tmo_guard_watch *watch, int64_t now_ms)
{
    for (struct tmo_guard_sock *sock = watch->first; sock != NULL; sock = sock->next)
        sock->from_ms = now_ms;
}
