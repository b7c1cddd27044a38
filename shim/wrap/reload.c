/* SPDX-License-Identifier: MIT
 * Reading of settings and rules, at start and later. See reload.h. Layer: wrap.
 *
 * What was read once stays for ever: sockets keep their plans, and other threads may be looking at
 * the rules. A file that is replaced costs the memory of its rules.
 */
#include "shim/wrap/reload.h"
#include "shim/policy/readfile.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/sys/statx.h"
#include "shim/track/self.h"
#include "shim/wrap/complain.h"
#include "shim/wrap/rules.h"

#include <signal.h>
#include <string.h>

#define STATUS_BAD_SETTING 78 /* EX_CONFIG, sysexits.h */

/* The file that is watched. */
static struct {
    const char *path;
    struct tmo_statx was;  /* as it was when it was last read */
    struct tmo_statx root; /* "/" at the start: in a jail the name is another file's */
    bool unread;           /* that it cannot be read was told */
    uint64_t hash;         /* of what was read */
    uint32_t looked_ms;
    pid_t keeper; /* who is reading it; 0 = nobody */
    bool secure;
} file;

/* The variables of the start that are ours, and an end: a file is read again under them. */
static char **kept_env;

static bool is_ours(const char *variable)
{
    return strncmp(variable, "SOCKTMO_", 8) == 0;
}

/* Copies what is ours of ENVP, which the program may change. */
static char **copy_env(char **envp, struct tmo_arena *arena)
{
    size_t count = 0, at = 0;
    for (char **e = envp; e != NULL && *e != NULL; e++)
        count += is_ours(*e);
    char **copy = tmo_arena_take(arena, (count + 1) * sizeof(*copy));
    for (char **e = envp; copy != NULL && e != NULL && *e != NULL; e++) {
        if (is_ours(*e))
            copy[at++] = tmo_arena_text(arena, *e, strlen(*e));
        if (at > 0 && copy[at - 1] == NULL)
            return NULL;
    }
    return copy;
}

static struct tmo_sources sources(char **envp, struct tmo_arena *arena)
{
    return (struct tmo_sources){
        .envp = envp, .reader = file.secure ? &tmo_readfile_secure : &tmo_readfile, .arena = arena};
}

/* Takes the rules for other programs out. */
static void keep_ours(struct tmo_ruleset *set)
{
    struct tmo_rule *rule = set->first;
    *set = (struct tmo_ruleset){.count = 0};
    for (struct tmo_rule *next; rule != NULL; rule = next) {
        next = rule->next;
        if (tmo_rule_is_for(rule, tmo_self.program))
            tmo_rules_add(set, rule);
    }
}

/* Puts RULES, read together with CFG, into force. */
static int put_in_force(struct tmo_rules *rules, const struct tmo_config *cfg,
                        struct tmo_arena *arena)
{
    int r = tmo_rules_make(rules, cfg, arena);
    if (r == 0)
        __atomic_store_n(&tmo_current.rules, rules, __ATOMIC_RELEASE);
    return r;
}

/* --- start ----------------------------------------------------------------------------------- */

/* Whether the log can be opened; else *RET_WHAT says why not. */
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
    if (tmo_complain_was_told(hash) && !strict)
        return;
    tmo_complain_start();
    if (log_fault != NULL)
        tmo_complain(NULL, log_fault);
    struct tmo_arena arena;
    tmo_readfile_arena(&arena);
    struct tmo_sources from = sources(envp, &arena);
    int problems = tmo_config_load(cfg, NULL, &from, tmo_complain, NULL); /* now to be told */
    tmo_complain_note();
    if (strict && problems > 0)
        (void)TMO_RAW1(SYS_exit_group, STATUS_BAD_SETTING);
}

/* From now on the file is looked at, if there was one. */
static void watch_file(char **envp, struct tmo_arena *arena)
{
    const struct tmo_config *cfg = &tmo_current.cfg;
    const char *path = cfg->text[TMO_SET_CONFIG];
    if (!cfg->has_file || path[0] != '/') /* which may be another file's name by then */
        return;
    kept_env = copy_env(envp, arena);
    file.path = tmo_arena_text(arena, path, strlen(path));
    if (kept_env == NULL || file.path == NULL)
        return;
    file.was = tmo_readfile_state.first;
    (void)tmo_statx_path("/", 0, &file.root);
    file.looked_ms = (uint32_t)(tmo_clock_coarse_ns() / TMO_NS_PER_MS);
    tmo_complain_start();
    file.hash = cfg->file_hash;
    tmo_current.watches_file = true;
}

bool tmo_reload_start(char **envp, bool secure)
{
    struct tmo_current *now = &tmo_current;
    struct tmo_arena arena;
    uint32_t hash = 0;

    tmo_readfile_arena(&arena);
    file.secure = secure;
    struct tmo_rules read = {.general = 0};
    struct tmo_sources from = sources(envp, &arena);
    tmo_readfile_state.has_first = false;
    int problems = tmo_config_load(&now->cfg, &read.set, &from, tmo_complain_count, &hash);
    bool off_by_file =
        now->cfg.source[TMO_SET_DISABLE] == TMO_FROM_FILE && now->cfg.value[TMO_SET_DISABLE] != 0;
    if (off_by_file) /* which it may take back */
        now->cfg.value[TMO_SET_DISABLE] = 0;
    now->off = off_by_file;
    if (!tmo_config_wants(&now->cfg, tmo_self.program)) {
        tmo_arena_free(&arena);
        return false;
    }
    struct tmo_problem log_fault = {
        .where = "SOCKTMO_LOG", .value = now->cfg.text[TMO_SET_LOG], .what = ""};
    bool log_is_good = start_log(&log_fault.what);
    if (problems > 0 || !log_is_good)
        complain(envp, hash, log_is_good ? NULL : &log_fault);
    keep_ours(&read.set);
    watch_file(envp, &arena);
    tmo_plan_make(now->cfg.value, &now->plan);
    (void)tmo_plan_take_sockopts(&now->plan, now->cfg.text[TMO_SET_SOCKOPT], &arena);
    tmo_wide_add(&now->wide, &now->plan);
    if (read.set.count > 0) {
        struct tmo_rules *rules = tmo_arena_take(&arena, sizeof(*rules));
        if (rules != NULL) {
            *rules = read;
            (void)put_in_force(rules, &now->cfg, &arena);
        }
    }
    if (now->wide.options || now->wide.watchdog || now->cfg.value[TMO_SET_DNS] != 0) /* which may
                                                                                    fail later */
        tmo_complain_start();
    return tmo_config_active(&now->cfg) || now->rules != NULL || now->watches_file;
}

/* --- later ----------------------------------------------------------------------------------- */

static bool is_same_file(const struct tmo_statx *a, const struct tmo_statx *b)
{
    return a->ino == b->ino && tmo_statx_device(a) == tmo_statx_device(b) && a->size == b->size &&
           memcmp(a->times + 4, b->times + 4, 4 * sizeof(a->times[0])) == 0;
}

static void tell_place(const char *what)
{
    tmo_complain(NULL, &(struct tmo_problem){
                           .where = file.path, .value = "", .what = what, .is_place = true});
}

/* Reads the file again, which is now IS. Its settings stay as they are where anything is wrong. */
static void read_again(const struct tmo_statx *is)
{
    struct tmo_arena arena;
    tmo_readfile_arena(&arena);
    struct tmo_rules *rules = tmo_arena_take(&arena, sizeof(*rules));
    struct tmo_config *cfg = tmo_arena_take(&arena, sizeof(*cfg));
    if (rules == NULL || cfg == NULL) {
        tmo_arena_free(&arena);
        return;
    }
    struct tmo_sources from = sources(kept_env, &arena);
    int problems = tmo_config_load(cfg, &rules->set, &from, NULL, NULL);
    if (!cfg->has_file) { /* no descriptor, no memory: it may be better in a second */
        if (!file.unread)
            tell_place("cannot be read now, what held before still holds");
        file.unread = true;
        tmo_arena_free(&arena);
        return;
    }
    file.unread = false;
    file.was = *is;
    if (cfg->file_hash == file.hash) { /* the same text under another date */
        tmo_arena_free(&arena);
        return;
    }
    file.hash = cfg->file_hash;
    if (problems > 0) {
        (void)tmo_config_load(cfg, NULL, &from, tmo_complain, NULL); /* now to be told */
        tell_place("not taken up, what held before still holds");
        tmo_arena_free(&arena);
        return;
    }
    keep_ours(&rules->set);
    if (put_in_force(rules, cfg, &arena) < 0)
        tell_place("not taken up: there is no room for more rules until the program is started "
                   "again");
    else
        __atomic_store_n(&tmo_current.off, cfg->value[TMO_SET_DISABLE] != 0, __ATOMIC_RELEASE);
}

/* Whether IS may take the place of what was there: nobody else owns or writes it now, and this
 * process has not gone into a jail, where somebody else may rule. */
static bool is_trusted(const struct tmo_statx *is)
{
    struct tmo_statx root;
    if (tmo_statx_path("/", 0, &root) < 0 || root.ino != file.root.ino ||
        tmo_statx_device(&root) != tmo_statx_device(&file.root)) {
        tmo_current.watches_file = false;
        return false;
    }
    unsigned others = S_IWGRP | S_IWOTH;
    bool trusted =
        (is->uid == file.was.uid || is->uid == 0) && (is->mode & others & ~file.was.mode) == 0;
    if (!trusted && !file.unread)
        tell_place("not taken up: it belongs to somebody else now, or others can write it");
    file.unread = file.unread || !trusted;
    return trusted;
}

static bool hold(void)
{
    pid_t holder = 0, me = tmo_self.pid;
    return __atomic_compare_exchange_n(&file.keeper, &holder, me, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Whether this is a signal handler on a stack of its own, which may be too small for that. */
static bool on_small_stack(void)
{
    stack_t now = {.ss_flags = 0};
    return TMO_RAW2(SYS_sigaltstack, 0, &now) == 0 && (now.ss_flags & SS_ONSTACK) != 0;
}

void tmo_reload_now(void)
{
    struct tmo_statx is;
    uint32_t now_ms = (uint32_t)(tmo_clock_coarse_ns() / TMO_NS_PER_MS);
    if (now_ms - __atomic_load_n(&file.looked_ms, __ATOMIC_RELAXED) < 1000 || tmo_self_borrowed() ||
        on_small_stack())
        return;
    if (!hold())
        return;
    __atomic_store_n(&file.looked_ms, now_ms, __ATOMIC_RELAXED);
    int r = tmo_statx_path(file.path, 0, &is);
    if (r == 0 && !is_same_file(&is, &file.was)) {
        int e = errno;
        if (is_trusted(&is))
            read_again(&is);
        errno = e;
    }
    __atomic_store_n(&file.keeper, 0, __ATOMIC_RELEASE);
}

void tmo_reload_forked(void)
{
    file.keeper = 0;
    tmo_readfile_forked();
}
