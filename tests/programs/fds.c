/* SPDX-License-Identifier: MIT
 *
 * fds: makes the calls that open, double, hand on and close descriptors, in the order told, and
 * prints what each of them gave. Run with and without the shim, it must print the same.
 *
 *     fds [-o FILE] STEP...          prints on standard output, or appends to FILE
 *     STEP: [LETTER=]VERB[:WORD...]  LETTER keeps the result; a word of one letter is that result
 *
 * The second word goes to the end of the step, colons and all.
 *
 * A line is "VERB:WORDS = RESULT", or " = -1 MESSAGE" after a failure. errno is a number that no
 * call sets before each of them; if a call that went well changed it, the line says so.
 *
 * Addresses: 4/PORT and 6/PORT on loopback, u/PATH, @/NAME (abstract), =FD (that socket's own); the
 * names of unix sockets may have escapes as in C: \n \\ \xHH.
 * Blocks, each ended by "end":
 *     child, Fork  a fork(2), _Fork(3) child runs them and _exits 0; the parent waits
 *     vchild       the same with vfork(2)
 *     thread       another thread runs them; joined
 *     atexit       they are run when the program exits
 *     repeat:N     N times, without printing
 * See the table of verbs for the rest. What has no result worth comparing prints nothing.
 */
enum { UNUSED_ERRNO = 4000, MAX_WORDS = 3 };

#include "tests/programs/fds-process.h"
#include "tests/programs/fds-sockets.h"

#include <pthread.h>
#include <stdarg.h>

static char **steps;
static int step_count;
static const char *output;
static _Thread_local bool quiet;
static int at_exit_first, at_exit_last;

static void run(int first, int last);

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "fds: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* In one write, and on a descriptor that is open no longer than that. */
static void print(const char *format, ...)
{
    char line[1024];
    va_list ap;
    int fd = STDOUT_FILENO;

    if (quiet)
        return;
    va_start(ap, format);
    int length = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    if (output != NULL && (fd = open(output, O_WRONLY | O_APPEND | O_CREAT, 0600)) < 0)
        die(output);
    if (write(fd, line, (size_t)length) != length)
        exit(98);
    if (output != NULL)
        close(fd);
}

/* --- blocks --------------------------------------------------------------------------------- */

static bool is_block(const char *step)
{
    static const char *const names[] = {"child", "Fork", "vchild", "thread", "atexit", "repeat"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(step, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The place of the "end" that belongs to the block that begins at `at`. */
static int end_of(int at)
{
    int depth = 0;

    for (; at < step_count; at++) {
        if (is_block(steps[at]))
            depth++;
        else if (strcmp(steps[at], "end") == 0 && --depth == 0)
            return at;
    }
    errno = EINVAL;
    die("a block without its end");
}

static void wait_for(const char *what, pid_t pid)
{
    int status = 0;

    if (pid < 0)
        die(what);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    print("%s = %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void *run_thread(void *argument)
{
    const int *range = argument;

    run(range[0], range[1]);
    return NULL;
}

static void run_at_exit(void)
{
    run(at_exit_first, at_exit_last);
}

static void run_in_thread(int first, int last)
{
    int range[2] = {first, last};
    pthread_t thread;

    errno = pthread_create(&thread, NULL, run_thread, range);
    if (errno != 0)
        die("pthread_create");
    pthread_join(thread, NULL);
}

extern pid_t _Fork(void) __attribute__((weak)); /* glibc 2.34, musl 1.2.2 */

static void run_in_child(const char *how, int first, int last)
{
    pid_t pid;

    if (strcmp(how, "Fork") == 0 && _Fork != NULL)
        pid = _Fork();
    else
        pid = fork();
    if (pid == 0) {
        run(first, last);
        _exit(0);
    }
    wait_for(how, pid);
}

static void run_in_vfork_child(int first, int last)
{
    pid_t pid = vfork();

    if (pid == 0) {
        run(first, last);
        _exit(0);
    }
    wait_for("vchild", pid);
}

static void run_block(int at, int end)
{
    const char *name = steps[at];

    if (strncmp(name, "repeat:", 7) == 0) {
        quiet = true;
        for (int times = atoi(name + 7); times > 0; times--)
            run(at + 1, end);
        quiet = false;
    } else if (strcmp(name, "thread") == 0) {
        run_in_thread(at + 1, end);
    } else if (strcmp(name, "vchild") == 0) {
        run_in_vfork_child(at + 1, end);
    } else if (strcmp(name, "atexit") == 0) {
        at_exit_first = at + 1;
        at_exit_last = end;
        atexit(run_at_exit);
    } else {
        run_in_child(name, at + 1, end);
    }
}

/* --- single steps --------------------------------------------------------------------------- */

static long kept[128];

static int number(const char *word)
{
    if (word == NULL) {
        errno = EINVAL;
        die("a verb lacks a word");
    }
    if (word[0] != '\0' && word[1] == '\0' && (word[0] < '0' || word[0] > '9'))
        return (int)kept[(unsigned char)word[0] & 127];
    return (int)strtol(word, NULL, 0);
}

static void keep(char letter, long value)
{
    kept[(unsigned char)letter & 127] = value;
}

static const struct verb verbs[] = {
    {"socket", do_socket, ALL},
    {"socketpair", do_socketpair, ALL},
    {"pipe", do_pipe, ALL},
    {"bind", do_bind, SHORT},
    {"connect", do_connect, SHORT},
    {"listen", do_listen, ALL},
    {"accept", do_accept, ALL},
    {"accept4", do_accept4, ALL},
    {"shutdown", do_shutdown, ALL},
    {"send", do_send, ALL},
    {"recv", do_recv, ALL},
    {"take", do_take, NOTHING},
    {"tcpinfo", do_tcpinfo, ALL},
    {"close", do_close, ALL},
    {"dup", do_dup, ALL},
    {"dup2", do_dup2, ALL},
    {"dup3", do_dup3, ALL},
    {"dupfd", do_dupfd, ALL},
    {"cloexec", do_cloexec, ALL},
    {"flags", do_flags, ALL},
    {"close_range", do_close_range, ALL},
    {"closefrom", do_closefrom, ALL},
    {"closeall", do_closeall, ALL},
    {"open", do_open, ALL},
    {"openall", do_openall, ALL},
    {"find", do_find, ALL},
    {"leads", do_leads, ALL},
    {"fill", do_fill, NOTHING},
    {"drain", do_drain, NOTHING},
    {"fdopen", do_fdopen, ALL},
    {"fputs", do_fputs, ALL},
    {"getc", do_getc, ALL},
    {"fclose", do_fclose, ALL},
    {"freopen", do_freopen, ALL},
    {"exec", do_exec, ALL},
    {"spawn", do_spawn, ALL},
    {"system", do_system, ALL},
    {"popen", do_popen, ALL},
    {"exit", do_exit, NOTHING},
    {"_exit", do__exit, NOTHING},
    {"_Exit", do__Exit, NOTHING},
    {"quick_exit", do_quick_exit, NOTHING},
    {"pid", do_pid, NOTHING},
    {"ignore", do_ignore, ALL},
    {"rlimit", do_rlimit, ALL},
    {"signals", do_signals, NOTHING},
    {"clearenv", do_clearenv, ALL},
    {"await", do_await, NOTHING},
    {"rest", do_rest, NOTHING},
    {"say", do_say, NOTHING},
    {"rename", do_rename, ALL},
    {"unlink", do_unlink, ALL},
};

static const struct verb *find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void run_step(char *step)
{
    char text[2048], *word[MAX_WORDS + 1] = {NULL};
    char letter = '\0';
    const char *name = step;

    if (step[0] != '\0' && step[1] == '=') {
        letter = step[0];
        name = step + 2;
    }
    snprintf(text, sizeof text, "%s", name);
    for (int i = 0; i < MAX_WORDS; i++) {
        word[i] = i == 0 ? text : strchr(word[i - 1], ':');
        if (word[i] == NULL)
            break;
        if (i > 0)
            *word[i]++ = '\0';
    }

    const struct verb *verb = find(word[0]);
    if (verb == NULL) {
        errno = EINVAL;
        die(step);
    }
    errno = UNUSED_ERRNO;
    long result = verb->call(word + 1, letter);
    int error = errno;
    if (letter != '\0')
        keep(letter, result);
    if (verb->show == NOTHING)
        return;
    if (verb->show == SHORT)
        name = verb->name;
    if (result == -1)
        print("%s = -1 %s\n", name, strerror(error));
    else if (error != UNUSED_ERRNO)
        print("%s = %ld errno %d\n", name, result, error);
    else
        print("%s = %ld\n", name, result);
}

static void run(int first, int last)
{
    for (int at = first; at < last; at++) {
        if (is_block(steps[at])) {
            int end = end_of(at);

            run_block(at, end);
            at = end;
        } else {
            run_step(steps[at]);
        }
    }
}

int main(int argc, char **argv)
{
    steps = argv + 1;
    step_count = argc - 1;
    if (step_count >= 2 && strcmp(steps[0], "-o") == 0) {
        output = steps[1];
        steps += 2;
        step_count -= 2;
    }
    run(0, step_count);
    return 0;
}
