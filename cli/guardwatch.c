/* SPDX-License-Identifier: MIT
 * Which sockets there are, and when each is looked at. See guardwatch.h.
 */
#include "cli/guardwatch.h"
#include "cli/guardlog.h"
#include "cli/guardproc.h"
#include "cli/guardsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define PORTS   65536

/* Between two walks lies a twentieth of the shortest limit, so that two thirds of what a limit may
 * be late by are left for a busy machine. */
#define TICK_LEAST_MS 50
#define TICK_MOST_MS  1000

int tmo_guard_watch_start(struct tmo_guard_watch *ret, const struct tmo_loaded *loaded)
{
    *ret = (struct tmo_guard_watch){.tick_ms = TICK_MOST_MS};
    ret->buckets = calloc(BUCKETS, sizeof(struct tmo_guard_sock *));
    ret->listened = calloc(PORTS / 8, 1);
    if (ret->buckets == NULL || ret->listened == NULL)
        return -ENOMEM;
    int r = tmo_guard_plans_make(loaded, &ret->plans);
    if (ret->plans.shortest_ns != 0 && ret->plans.shortest_ns / 20 / 1000000 < TICK_MOST_MS)
        ret->tick_ms = ret->plans.shortest_ns / 20 / 1000000;
    if (ret->tick_ms < TICK_LEAST_MS)
        ret->tick_ms = TICK_LEAST_MS;
    return r;
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
    if (proc->refs_count == proc->refs_room) {
        size_t room = proc->refs_room != 0 ? proc->refs_room * 2 : 16;
        struct tmo_guard_ref *refs = realloc(proc->refs, room * sizeof(*refs));
        if (refs == NULL)
            return;
        proc->refs = refs;
        proc->refs_room = room;
    }
    struct tmo_guard_sock *sock = find_or_make(reading->watch, inode);
    if (sock == NULL)
        return;
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
        proc->refs[i].library = true;
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

static void ran(void *ctx, struct tmo_guard_proc *proc)
{
    struct tmo_guard_watch *watch = ctx;
    struct reading reading = {watch, proc};
    struct tmo_guard_ref *before = proc->refs;
    size_t before_count = proc->refs_count;

    watch->walks++;
    proc->refs = NULL;
    proc->refs_count = proc->refs_room = 0;
    int r = tmo_guard_sockets(proc->pid, take, &reading);
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
        if (sock->kind == TMO_GUARD_NEW ||
            (sock->kind == TMO_GUARD_CONN && (!sock->begun || sock->closed || sock->unread)))
            sock->due_ms = 0;
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
}

/* --- looks ----------------------------------------------------------------------------------- */

/* Another process that has SOCK. */
static void find_holder(const struct tmo_guard_watch *watch, struct tmo_guard_sock *sock)
{
    for (size_t i = 0; i < watch->tree.count; i++) {
        struct tmo_guard_proc *proc = watch->tree.procs[i];
        for (size_t j = 0; j < proc->refs_count; j++) {
            if (proc->refs[j].sock == sock) {
                sock->holder = proc;
                sock->fd = proc->refs[j].fd;
                return;
            }
        }
    }
}

int64_t tmo_guard_watch_look(struct tmo_guard_watch *watch, int64_t now_ms)
{
    int64_t next_ms = TMO_GUARD_NEVER;
    watch->now_ms = now_ms;
    for (struct tmo_guard_sock *sock = watch->first; sock != NULL; sock = sock->next) {
        if (sock->due_ms <= now_ms) {
            if (sock->holder == NULL)
                find_holder(watch, sock);
            tmo_guard_sock_look(watch, sock);
        }
        if (sock->due_ms < next_ms)
            next_ms = sock->due_ms;
    }
    return next_ms;
}

void tmo_guard_watch_stopped(struct tmo_guard_watch *watch, int64_t now_ms)
{
    for (struct tmo_guard_sock *sock = watch->first; sock != NULL; sock = sock->next)
        sock->from_ms = now_ms;
}
