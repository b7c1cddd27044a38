/* SPDX-License-Identifier: MIT
 * Signals, stops and the exit status. See guardwait.h.
 */
#include "cli/guardwait.h"
#include "cli/guardproc.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

void tmo_guard_signals_hold(struct tmo_guard_before *ret)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t all;
    sigfillset(&all);
    sigemptyset(&by_default.sa_mask);
    sigprocmask(SIG_SETMASK, &all, &ret->mask);
    /* Where SIGCHLD is ignored children leave no status (wait(2)). A signal that is ignored still
     * comes while it is blocked (kernel/signal.c, sig_ignored). */
    sigaction(SIGCHLD, &by_default, &ret->child);
}

int tmo_guard_signals_open(void)
{
    sigset_t all;
    sigfillset(&all);
    int fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void tmo_guard_signals_restore(const struct tmo_guard_before *before)
{
    sigaction(SIGCHLD, &before->child, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* --- passing on ------------------------------------------------------------------------------ */

/* Whether the terminal sends SIG to a whole process group. */
static bool is_of_terminal(int sig)
{
    return sig == SIGINT || sig == SIGQUIT || sig == SIGHUP || sig == SIGTSTP || sig == SIGTTIN ||
           sig == SIGTTOU || sig == SIGCONT || sig == SIGWINCH;
}

static bool is_stopped(pid_t pid)
{
    char state;
    pid_t parent;
    return tmo_guard_stat(pid, &state, &parent) == 0 && state == 'T';
}

static void pass_on(pid_t program, const struct signalfd_siginfo *came,
                    const struct tmo_guard_tree *tree)
{
    int sig = (int)came->ssi_signo;
    if (sig == SIGCHLD || (came->ssi_code == SI_KERNEL && is_of_terminal(sig)) ||
        tmo_guard_tree_has(tree, (pid_t)came->ssi_pid))
        return;
    if (sig == SIGCONT && !is_stopped(program))
        return; /* fg(1) sends it to the group, and it has done its work */
    union sigval value = {.sival_ptr = (void *)(uintptr_t)came->ssi_ptr};
    if (came->ssi_code == SI_QUEUE)
        (void)sigqueue(program, sig, value);
    else
        (void)kill(program, sig);
}

/* --- stops ----------------------------------------------------------------------------------- */

/* Stops, as the program was by SIG, until somebody has us go on. */
static void stop_too(pid_t program, int sig)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL}, was;
    sigset_t one;
    if (!is_stopped(program))
        return; /* it goes on already */
    sigemptyset(&by_default.sa_mask);
    sigemptyset(&one);
    sigaddset(&one, sig);
    if (sig != SIGSTOP)
        sigaction(sig, &by_default, &was);
    (void)kill(getpid(), sig); /* one, together with what the terminal sent */
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    sigprocmask(SIG_BLOCK, &one, NULL);
    if (sig != SIGSTOP)
        sigaction(sig, &was, NULL);
    if (is_stopped(program))
        (void)kill(program, SIGCONT);
}

/* --- children -------------------------------------------------------------------------------- */

/* Follows all that befell our children. */
static enum tmo_guard_news follow(pid_t program, siginfo_t *ret_end)
{
    enum tmo_guard_news news = TMO_GUARD_GOES_ON;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) != 0 || info.si_pid == 0)
            return news;
        if (info.si_pid != program)
            continue; /* an orphan */
        if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
            info.si_code == CLD_DUMPED) {
            *ret_end = info;
            return TMO_GUARD_ENDED;
        }
        if (info.si_code == CLD_STOPPED) {
            stop_too(program, info.si_status);
            news = TMO_GUARD_WAS_STOPPED;
        }
    }
}

enum tmo_guard_news tmo_guard_signals_take(int fd, pid_t program, const struct tmo_guard_tree *tree,
                                           siginfo_t *ret_end)
{
    struct signalfd_siginfo came;
    while (read(fd, &came, sizeof(came)) == (ssize_t)sizeof(came))
        pass_on(program, &came, tree);
    return follow(program, ret_end);
}

int tmo_guard_end_as(const siginfo_t *end)
{
    const struct rlimit none = {0, 0};
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t one;
    if (end->si_code == CLD_EXITED)
        return end->si_status;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0); /* a core_pattern with a pipe minds no limit (core(5)) */
    sigemptyset(&by_default.sa_mask);
    sigemptyset(&one);
    sigaddset(&one, end->si_status);
    sigaction(end->si_status, &by_default, NULL);
    (void)kill(getpid(), end->si_status);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return 128 + end->si_status;
}
