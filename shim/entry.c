/* SPDX-License-Identifier: MIT
 * Where it begins and ends: the constructor reads the settings, complains of bad ones, takes up the
 * descriptors that are there; the destructor says the last words. Layer: entry; called by nobody
 * but the loader and pthread_atfork(3).
 */
#include "config/load.h"
#include "config/version.h"
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/current.h"
#include "shim/wrap/fork.h"
#include "shim/wrap/last.h"
#include "shim/wrap/made.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

/* What names this library to pthread_atfork(3), so that dlclose(3) could take its handlers back.
 * Mostly the compiler's start files have it, which are not linked in. */
#ifndef TMO_START_FILES
extern void *__dso_handle;
void *__dso_handle __attribute__((visibility("hidden"))) = &__dso_handle;
#endif

#define STATUS_BAD_SETTING 78 /* EX_CONFIG, sysexits.h */

/* --- complaints ------------------------------------------------------------------------------ */

TMO_SPARSE TMO_HIDDEN struct tmo_sink tmo_complaints;

/* Writes PROBLEM on stderr as one line. Control bytes are escaped: no value can look like another
 * line, or play tricks on a terminal. */
static void tell_stderr(const struct tmo_problem *problem)
{
    static const char hex[] = "0123456789abcdef";
    const char *parts[] = {"socktmo: ", problem->where, "='", problem->value, "': ", problem->what};
    char line[1024];
    size_t at = 0;
    const char *ignored;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const char *p = parts[i]; *p != '\0' && at < sizeof(line) - 8; p++) {
            unsigned char c = (unsigned char)*p;
            if (c >= 0x20 && c != 0x7f && c != '\\') {
                line[at++] = *p;
                continue;
            }
            line[at++] = '\\';
            if (c == '\\' || c == '\n' || c == '\t') {
                line[at++] = c == '\n' ? 'n' : c == '\t' ? 't' : '\\';
            } else {
                line[at++] = 'x';
                line[at++] = hex[c >> 4];
                line[at++] = hex[c & 15];
            }
        }
    }
    line[at++] = '\n';
    if (tmo_sink_start(&tmo_complaints, "stderr", tmo_self.pid, tmo_self.program, &ignored) == 0)
        (void)tmo_sink_write(&tmo_complaints, line, at);
}

/* On stderr and in the log; once where those are the same (CTX: whether they are). */
static void tell(void *ctx, const struct tmo_problem *problem)
{
    if (tmo_current.logs) {
        struct tmo_event event;
        tmo_emit_begin(&event, TMO_RECORD_PROBLEM);
        event.where = problem->where;
        event.value = problem->value;
        event.what = problem->what;
        tmo_emit(&event);
    }
    if (!*(const bool *)ctx)
        tell_stderr(problem);
}

static void add_hash(void *ctx, const struct tmo_problem *problem)
{
    *(uint32_t *)ctx = tmo_problem_hash(*(uint32_t *)ctx, problem);
}

/* The variable that says which complaints were made, put into the environment that the program and
 * its children get. setenv(3) would allocate, so the list is copied into a page of our own. */
static char told[sizeof(TMO_TOLD_NAME) + 9];

static void note_told(void)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **list = tmo_raw_map((count + 2) * sizeof(*list));
    if (list == NULL)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], TMO_TOLD_NAME "=", sizeof(TMO_TOLD_NAME)) != 0)
            list[kept++] = environ[i];
    }
    list[kept] = told;
    environ = list;
}

/* Whether the faults that hash to HASH were told by a process above us. Writes TOLD. */
static bool was_told(uint32_t hash)
{
    memcpy(told, TMO_TOLD_NAME "=", sizeof(TMO_TOLD_NAME));
    for (size_t i = 0; i < 8; i++)
        told[sizeof(TMO_TOLD_NAME) + i] = "0123456789abcdef"[hash >> (28 - 4 * i) & 15];
    for (char **env = environ; env != NULL && *env != NULL; env++) {
        if (strcmp(*env, told) == 0)
            return true;
    }
    return false;
}

/* --- start ----------------------------------------------------------------------------------- */

/* Sockets that are there before us: inetd, systemd's socket activation, a shell's redirection, an
 * exec. Which numbers are open poll(2) says for many at once, without /proc; the first empty row of
 * numbers is the last that is looked at. */
static void adopt_open(void)
{
    enum { MANY = 64, FIRST = 2 * MANY };
    struct pollfd fds[MANY];
    uint64_t limit[2] = {TMO_TRACK_FDS, 0}; /* struct rlimit64 */
    struct timespec none = {0, 0};
    (void)TMO_RAW4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limit);
    int end = limit[0] < TMO_TRACK_FDS ? (int)limit[0] : TMO_TRACK_FDS;
    bool any = true;

    for (int i = 0; i < MANY; i++)
        fds[i] = (struct pollfd){i, 0, 0};
    for (int first = 0; first < end && (first < FIRST || any); first += MANY) {
        int count = end - first < MANY ? end - first : MANY;
        if (TMO_RAW5(SYS_ppoll, fds, count, &none, 0, 0) < 0)
            return;
        any = false;
        for (struct pollfd *p = fds; p < fds + count; p++) {
            if ((p->revents & POLLNVAL) == 0) {
                any = true;
                tmo_made_adopt(p->fd, true);
            }
            p->fd += MANY;
        }
    }
}

/* Returns whether the log can be opened; else *RET_WHAT says why not. */
static bool start_log(const char **ret_what)
{
    struct tmo_current *now = &tmo_current;
    const char *text = now->cfg.text[TMO_SET_LOG];
    if (text[0] == '\0')
        return true;
    now->events = (unsigned)now->cfg.value[TMO_SET_EVENTS];
    if ((now->events & TMO_EVENT_ALL) != 0)
        now->events = ~0u;
    now->logs = true; /* also if it cannot be opened now: it may be there later */
    return tmo_sink_start(&now->sink, text, tmo_self.pid, tmo_self.program, ret_what) == 0;
}

/* Tells all that is wrong, unless a process above us has. */
static void complain(char **envp, uint32_t hash, const struct tmo_problem *log_fault)
{
    struct tmo_config *cfg = &tmo_current.cfg;
    bool strict = cfg->value[TMO_SET_STRICT] != 0;
    if (log_fault != NULL)
        hash = tmo_problem_hash(hash, log_fault);
    if (was_told(hash) && !strict)
        return;
    bool log_is_stderr = strcmp(cfg->text[TMO_SET_LOG], "stderr") == 0;
    if (log_fault != NULL)
        tell(&log_is_stderr, log_fault);
    tmo_config_init(cfg); /* once more, now to be told */
    int problems = tmo_config_load_env(cfg, envp, tell, &log_is_stderr);
    note_told();
    if (strict && problems > 0)
        (void)TMO_RAW1(SYS_exit_group, STATUS_BAD_SETTING);
}

static void __attribute__((constructor(101))) start(void)
{
    struct tmo_current *now = &tmo_current;
    int e = errno;

    tmo_real_bind();
    tmo_self_start();
    tmo_config_init(&now->cfg);
    /* In a program with other rights than its caller's the caller's environment counts for nothing
     * (getauxval(3), AT_SECURE). */
    char **envp = getauxval(AT_SECURE) == 0 ? environ : NULL;
    uint32_t hash = 0;
    int problems = tmo_config_load_env(&now->cfg, envp, add_hash, &hash);
    if (!tmo_config_wants(&now->cfg, tmo_self.program)) {
        errno = e;
        return;
    }
    struct tmo_problem log_fault = {"SOCKTMO_LOG", now->cfg.text[TMO_SET_LOG], ""};
    bool log_is_good = start_log(&log_fault.what);
    if (problems > 0 || !log_is_good)
        complain(envp, hash, log_is_good ? NULL : &log_fault);
    if (tmo_config_active(&now->cfg)) {
        tmo_plan_make(now->cfg.value, &now->plan);
        tmo_wide_add(&now->wide, &now->plan);
        now->active = true;
        (void)pthread_atfork(NULL, tmo_fork_parent, tmo_fork_child);
        if (tmo_wants(TMO_EVENT_START)) {
            struct tmo_event event;
            tmo_emit_begin(&event, TMO_RECORD_START);
            event.cfg = &now->cfg;
            tmo_emit(&event);
        }
        adopt_open();
    }
    errno = e;
}

static void __attribute__((destructor(101))) finish(void)
{
    tmo_last_records("exit", false);
}
