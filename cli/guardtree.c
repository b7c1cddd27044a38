/* SPDX-License-Identifier: MIT
 * The processes below us. See guardtree.h.
 */
#include "cli/guardtree.h"
#include "cli/guardlog.h"
#include "cli/guardproc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER_RAN (-2) /* unlike whatever the clock says */

static struct tmo_guard_proc *find(const struct tmo_guard_tree *tree, pid_t pid)
{
    struct tmo_guard_proc *proc = tree->first;
    while (proc != NULL && proc->pid != pid)
        proc = proc->next;
    return proc;
}

bool tmo_guard_tree_has(const struct tmo_guard_tree *tree, pid_t pid)
{
    const struct tmo_guard_proc *proc = find(tree, pid);
    return proc != NULL && !proc->stranger;
}

static void be_blind(struct tmo_guard_tree *tree, pid_t pid, const char *what)
{
    if (!tree->blind)
        tmo_guard_problem(pid, "socktmo", what);
    tree->blind = true;
}

/* Whether PID, which was named as a child of ours or of a process of the tree, still is one: the
 * number may have been given away before it was opened. */
static bool is_ours(const struct tmo_guard_tree *tree, pid_t pid)
{
    char state;
    pid_t parent;
    return tmo_guard_stat(pid, &state, &parent) == 0 &&
           (parent == getpid() || tmo_guard_tree_has(tree, parent));
}

static void put(struct tmo_guard_tree *tree, struct tmo_guard_proc *proc, pid_t pid, bool stranger)
{
    int pidfd = tmo_guard_pidfd_open(pid);
    if (pidfd == -ENOSYS)
        be_blind(tree, pid, "this kernel has no pidfd_open (Linux 5.3): nothing is guarded");
    if (pidfd < 0 || (!stranger && !is_ours(tree, pid))) {
        if (pidfd >= 0)
            close(pidfd);
        pidfd = -1; /* it goes at the next look */
    }
    *proc = (struct tmo_guard_proc){
        .next = proc->next, .pid = pid, .pidfd = pidfd, .ran_ns = NEVER_RAN, .stranger = stranger};
}

/* Says that PROC has gone, and takes back what it has; not itself. */
static void clear(struct tmo_guard_tree *tree, struct tmo_guard_proc *proc)
{
    if (!proc->stranger && tree->gone != NULL)
        tree->gone(tree->ctx, proc);
    if (proc->pidfd >= 0)
        close(proc->pidfd);
    free(proc->refs);
}

static void add(struct tmo_guard_tree *tree, pid_t pid, bool stranger)
{
    struct tmo_guard_proc *proc = find(tree, pid);
    if (proc != NULL && proc->pidfd >= 0 && !tmo_guard_pidfd_ended(proc->pidfd))
        return;
    if (proc != NULL) { /* another one has its number now */
        clear(tree, proc);
        put(tree, proc, pid, stranger);
        return;
    }
    proc = calloc(1, sizeof(*proc));
    if (proc == NULL)
        return;
    if (tree->end == NULL)
        tree->end = &tree->first;
    *tree->end = proc;
    tree->end = &proc->next;
    put(tree, proc, pid, stranger);
}

static void add_stranger(void *ctx, pid_t pid)
{
    add(ctx, pid, true);
}

static void add_child(void *ctx, pid_t pid)
{
    add(ctx, pid, false);
}

void tmo_guard_tree_start(struct tmo_guard_tree *tree)
{
    tree->own = tmo_guard_children_open(getpid());
    tmo_guard_children_read(tree->own, add_stranger, tree);
}

void tmo_guard_tree_add(struct tmo_guard_tree *tree, pid_t pid)
{
    add(tree, pid, false);
}

/* Looks at PROC. False: it has ended. */
static bool look(struct tmo_guard_tree *tree, struct tmo_guard_proc *proc)
{
    if (proc->pidfd < 0)
        return false;
    int64_t ran_ns = tmo_guard_ran_ns(proc->pid);
    if (ran_ns >= 0 && ran_ns == proc->ran_ns)
        return true;
    if (tmo_guard_pidfd_ended(proc->pidfd))
        return false;
    proc->ran_ns = ran_ns; /* as of before its descriptors are read */
    if (proc->stranger)
        return true;

    char program[sizeof(proc->program)];
    uint64_t executed = tmo_guard_executed(proc->pid, program, sizeof(program));
    if (executed != proc->executed || proc->program[0] == '\0') {
        proc->executed = executed;
        proc->refused = false;
        proc->reach = TMO_GUARD_UNASKED;
        memcpy(proc->program, program, sizeof(program));
    }
    tree->ran(tree->ctx, proc);
    (void)tmo_guard_children(proc->pid, add_child, tree);
    return true;
}

void tmo_guard_tree_walk(struct tmo_guard_tree *tree)
{
    /* Orphans come to us; one that was born and orphaned between two walks is known from here. */
    if (tree->own < 0)
        be_blind(tree, getpid(),
                 "this kernel does not name children in /proc: only the program itself is guarded");
    tmo_guard_children_read(tree->own, add_child, tree);
    struct tmo_guard_proc **at = &tree->first;
    while (*at != NULL) { /* more are added meanwhile, at the end */
        struct tmo_guard_proc *proc = *at;
        if (look(tree, proc)) {
            at = &proc->next;
            continue;
        }
        clear(tree, proc);
        *at = proc->next;
        if (tree->end == &proc->next)
            tree->end = at;
        free(proc);
    }
}
