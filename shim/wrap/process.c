/* SPDX-License-Identifier: MIT
 * What ends the program, makes another one of it, doubles it, or changes its limits: exec*, _exit,
 * _Exit, quick_exit, pthread_exit, _Fork, setrlimit, prlimit. fork(2) itself needs no wrapper:
 * pthread_atfork(3) tells of it (entry.c). Layer: wrap.
 */
#include "shim/sys/raw.h"
#include "shim/track/self.h"
#include "shim/wrap/fork.h"
#include "shim/wrap/last.h"
#include "shim/wrap/watchdog.h"
#include "shim/wrap/wrap.h"

#include <alloca.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

/* --- exec ------------------------------------------------------------------------------------ */

/* Whether the interpreter that the first line of a script names is there. HEAD ends with a NUL. */
static bool has_interpreter(char *head)
{
    char *path = head + 2 + strspn(head + 2, " \t");
    path[strcspn(path, " \t\n")] = '\0';
    return TMO_RAW3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

/* Whether the file FD begins as a program or a script does, as far as can be seen. What
 * binfmt_misc would run besides is not known here: its exec goes without records. SHELL: any text
 * will do, since execvp(3) gives it to a shell. */
static bool is_program(int fd, bool shell)
{
    char head[256] = "";
    long got = TMO_RAW5(SYS_pread64, fd, head, sizeof(head) - 1, 0, 0);
    if (got == -EBADF) /* O_PATH: not to be read, but to be executed */
        return true;
    if (got < 0) /* a directory */
        return false;
    if (memcmp(head, "#!", 2) == 0)
        return has_interpreter(head);
    return shell || memcmp(head, "\177ELF", 4) == 0;
}

/* Whether the file that PATH names from DIRFD on can be executed, as far as that can be seen
 * without doing it. */
static bool can_execute(int dirfd, const char *path, bool shell)
{
    long fd = TMO_RAW3(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        bool can = is_program((int)fd, shell);
        (void)tmo_raw_close((int)fd);
        if (!can)
            return false;
    } else if (fd != -EACCES && fd != -EMFILE && fd != -ENFILE) { /* it need not be readable */
        return false;
    }
    return TMO_RAW3(SYS_faccessat, dirfd, path, X_OK) == 0;
}

/* Whether execvp(3) would find FILE in PATH. */
static bool can_find(const char *file)
{
    char path[PATH_MAX];
    const char *dirs = "/bin:/usr/bin"; /* confstr(3), _CS_PATH */
    size_t file_len = strlen(file);
    if (strchr(file, '/') != NULL)
        return can_execute(AT_FDCWD, file, true);
    for (char **env = environ; env != NULL && *env != NULL; env++) {
        if (strncmp(*env, "PATH=", 5) == 0) {
            dirs = *env + 5;
            break;
        }
    }
    for (;;) {
        size_t len = strcspn(dirs, ":");
        if (len + file_len + 2 <= sizeof(path)) {
            memcpy(path, dirs, len);
            path[len] = '/';
            memcpy(path + len + (len > 0), file, file_len + 1);
            if (can_execute(AT_FDCWD, path, true))
                return true;
        }
        if (dirs[len] == '\0')
            return false;
        dirs += len + 1;
    }
}

/* Whether there is anything to be said before an exec. A vfork(2) child says nothing. */
static bool speaks(void)
{
    return tmo_wants(TMO_EVENT_CLOSE) && !tmo_self_borrowed() && tmo_track_next(0) >= 0;
}

/* The exec failed after all: what was recorded is open. */
static int exec_failed(int r)
{
    if (speaks())
        tmo_last_taken_back();
    return r;
}

static void before_exec(const char *path)
{
    if (speaks() && path != NULL && can_execute(AT_FDCWD, path, false))
        tmo_last_records("exec", true);
}

static void before_exec_found(const char *file)
{
    if (speaks() && file != NULL && can_find(file))
        tmo_last_records("exec", true);
}

int wrap_execve(const char *path, char *const argv[], char *const envp[])
{
    before_exec(path);
    return exec_failed(tmo_real.execve(path, argv, envp));
}

int wrap_execv(const char *path, char *const argv[])
{
    before_exec(path);
    return exec_failed(tmo_real.execv(path, argv));
}

int wrap_execvp(const char *file, char *const argv[])
{
    before_exec_found(file);
    return exec_failed(tmo_real.execvp(file, argv));
}

int wrap_execvpe(const char *file, char *const argv[], char *const envp[])
{
    before_exec_found(file);
    return exec_failed(tmo_real.execvpe(file, argv, envp));
}

int wrap_fexecve(int fd, char *const argv[], char *const envp[])
{
    if (speaks() && is_program(fd, false))
        tmo_last_records("exec", true);
    return exec_failed(tmo_real.fexecve(fd, argv, envp));
}

static int real_execveat(int dirfd, const char *path, char *const argv[], char *const envp[],
                         int flags)
{
#ifdef __GLIBC__
    return tmo_real.execveat(dirfd, path, argv, envp, flags);
#else /* musl has it under no name: see syscall.c */
    return (int)tmo_real.syscall(SYS_execveat, dirfd, (long)path, (long)argv, (long)envp, flags, 0);
#endif
}

int tmo_execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
    bool by_fd = (flags & AT_EMPTY_PATH) != 0 && path != NULL && path[0] == '\0';
    if (speaks() && path != NULL &&
        (by_fd ? is_program(dirfd, false) : can_execute(dirfd, path, false)))
        tmo_last_records("exec", true);
    return exec_failed(real_execveat(dirfd, path, argv, envp, flags));
}

#ifdef __GLIBC__
int wrap_execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
    return tmo_execveat(dirfd, path, argv, envp, flags);
}
#endif

/* The words behind FIRST up to the NULL, counted, then gathered on the stack as exec(3) has it. */
#define GATHER(first, last)                                                                        \
    size_t count = 1;                                                                              \
    va_list ap;                                                                                    \
    va_start(ap, first);                                                                           \
    while (va_arg(ap, char *) != NULL)                                                             \
        count++;                                                                                   \
    va_end(ap);                                                                                    \
    char **argv = alloca((count + 1) * sizeof(char *));                                            \
    argv[0] = (char *)(uintptr_t)(first);                                                          \
    va_start(ap, first);                                                                           \
    for (size_t i = 1; i <= count; i++)                                                            \
        argv[i] = va_arg(ap, char *);                                                              \
    last;                                                                                          \
    va_end(ap)

TMO_EXPORT int wrap_execl(const char *path, const char *arg, ...) __asm__("execl");
TMO_EXPORT int wrap_execlp(const char *file, const char *arg, ...) __asm__("execlp");
TMO_EXPORT int wrap_execle(const char *path, const char *arg, ...) __asm__("execle");

int wrap_execl(const char *path, const char *arg, ...)
{
    GATHER(arg, (void)0);
    return wrap_execv(path, argv);
}

int wrap_execlp(const char *file, const char *arg, ...)
{
    GATHER(arg, (void)0);
    return wrap_execvp(file, argv);
}

int wrap_execle(const char *path, const char *arg, ...)
{
    char *const *envp;
    GATHER(arg, envp = va_arg(ap, char *const *));
    return wrap_execve(path, argv, envp);
}

/* --- exit ------------------------------------------------------------------------------------ */

void wrap__exit(int status)
{
    tmo_last_records("exit", false);
    tmo_real._exit(status);
}
TMO_ALIAS(_Exit, _exit);

void wrap_quick_exit(int status)
{
    tmo_last_records("exit", false);
    tmo_real.quick_exit(status);
}

void wrap_pthread_exit(void *value)
{
    tmo_watchdog_first_ends();
    tmo_real.pthread_exit(value);
}

void wrap_thrd_exit(int value)
{
    tmo_watchdog_first_ends();
    tmo_real.thrd_exit(value);
}

/* --- fork ------------------------------------------------------------------------------------ */

pid_t wrap__Fork(void)
{
    pid_t pid = tmo_real._Fork();
    if (pid == 0) {
        tmo_fork_child();
        tmo_watchdog_never();
    } else if (pid > 0)
        tmo_fork_parent();
    return pid;
}

/* --- limits ---------------------------------------------------------------------------------- */

/* Under RLIMIT_FSIZE a write may raise SIGXFSZ. Below a higher RLIMIT_NOFILE the log's descriptor
 * would stand in the way; above a lower one it stands in nobody's. */
static void after_limit(int resource)
{
    struct tmo_sink *sink = &tmo_current.sink;
    uint64_t now[2] = {0, 0}; /* struct rlimit64, whatever the program's is */
    if (!tmo_current.active || tmo_self_borrowed() ||
        TMO_RAW4(SYS_prlimit64, 0, resource, 0, now) < 0)
        return;
    if (resource == RLIMIT_FSIZE) {
        sink->limited = now[0] != UINT64_MAX;
    } else if (resource == RLIMIT_NOFILE && sink->kind == TMO_SINK_FILE && sink->fd >= 0 &&
               now[0] > (uint64_t)sink->fd + 1) {
        tmo_track_guard(sink->fd, false);
        tmo_sink_move(sink);
        tmo_emit_guard_log();
    }
}

static bool is_self(pid_t pid)
{
    return pid == 0 || pid == tmo_self.pid;
}

int wrap_setrlimit(int resource, const struct rlimit *limit)
{
    int r = tmo_real.setrlimit(resource, limit);
    if (r == 0)
        after_limit(resource);
    return r;
}

int wrap_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *get)
{
    int r = tmo_real.prlimit(pid, resource, set, get);
    if (r == 0 && set != NULL && is_self(pid))
        after_limit(resource);
    return r;
}

#if defined(__GLIBC__) && defined(__LP64__)
TMO_ALIAS(setrlimit64, setrlimit);
TMO_ALIAS(prlimit64, prlimit);
#elif defined(__GLIBC__)
int wrap_setrlimit64(int resource, const struct rlimit64 *limit)
{
    int r = tmo_real.setrlimit64(resource, limit);
    if (r == 0)
        after_limit(resource);
    return r;
}

int wrap_prlimit64(pid_t pid, int resource, const struct rlimit64 *set, struct rlimit64 *get)
{
    int r = tmo_real.prlimit64(pid, resource, set, get);
    if (r == 0 && set != NULL && is_self(pid))
        after_limit(resource);
    return r;
}
#endif
