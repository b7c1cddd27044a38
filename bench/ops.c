/* SPDX-License-Identifier: MIT
 *
 * ops: runs named operations, and nothing else, for others to count or to time.
 *
 *     ops list                      names and classes, a tab between
 *     ops exact N1 N2 [CLASS...]    each operation N1 times, then N2 times. What start-up and first
 *                                   calls cost falls out of the difference. Around each run stands
 *                                   a marker for strace, access("bench:NAME:N:begin") and ...:end,
 *                                   and the run is inside of measured(), for callgrind. Prints
 *                                   NAME, a tab, N.
 *     ops serve                     reads lines "COUNT NAME", answers "NANOSECONDS CALLS"
 *     ops active                    says what a connected and an accepted TCP socket have for
 *                                   SO_RCVTIMEO: is the library at work at all?
 *     ops syscall                   says how many ns a system call takes that does nothing
 */
#include "bench/ops.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 256

void measured(const struct op *op, int fd, int count);

static int bad_calls;

/* Never inlined: valgrind knows it by name. */
__attribute__((noinline)) void measured(const struct op *op, int fd, int count)
{
    bad_calls = op->run(fd, count);
}

static const struct {
    const struct op *ops;
    const size_t *count;
} tables[] = {
    {data_ops, &data_op_count},
    {wait_ops, &wait_op_count},
    {life_ops, &life_op_count},
    {thread_ops, &thread_op_count},
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

static void for_each(void (*visit)(const struct op *op, void *context), void *context)
{
    for (size_t t = 0; t < TABLES; t++)
        for (size_t i = 0; i < *tables[t].count; i++)
            visit(&tables[t].ops[i], context);
}

static void run_checked(const struct op *op, int fd, int count)
{
    if (op->ready)
        op->ready();
    measured(op, fd, count);
    if (bad_calls) {
        fprintf(stderr, "bench: %s: %d of %d calls did not do what they should (%s)\n", op->name,
                bad_calls, count, strerror(errno));
        exit(1);
    }
}

static void print_op(const struct op *op, void *context)
{
    (void)context;
    printf("%s\t%s\n", op->name, op->class);
}

static void mark(const struct op *op, int count, const char *what)
{
    char text[LINE_BYTES];

    snprintf(text, sizeof(text), "bench:%s:%d:%s", op->name, count, what);
    if (access(text, F_OK) == 0)
        die(text);
}

struct exact {
    int counts[2];
    char **classes; /* NULL-terminated; empty: all that can be counted */
};

static bool wanted(const struct op *op, char **classes)
{
    if (!*classes)
        return strcmp(op->class, "time") != 0 && strcmp(op->class, "threads") != 0;
    for (; *classes; classes++)
        if (strcmp(op->class, *classes) == 0)
            return true;
    return false;
}

static void count_op(const struct op *op, void *context)
{
    const struct exact *exact = context;

    if (!wanted(op, exact->classes))
        return;
    for (int i = 0; i < 2; i++) {
        int count = exact->counts[i] < op->max ? exact->counts[i] : op->max;
        int fd = op->prepare(op, count);

        mark(op, count, "begin");
        run_checked(op, fd, count);
        mark(op, count, "end");
        printf("%s\t%d\n", op->name, count);
    }
}

struct search {
    const char *name;
    const struct op *found;
};

static void compare(const struct op *op, void *context)
{
    struct search *search = context;

    if (strcmp(op->name, search->name) == 0)
        search->found = op;
}

static const struct op *find(const char *name)
{
    struct search search = {.name = name};

    for_each(compare, &search);
    if (!search.found) {
        fprintf(stderr, "bench: no operation '%s'\n", name);
        exit(1);
    }
    return search.found;
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Some calls run unmeasured before the others, since we have just been woken. */
static void serve_one(const struct op *op, int count)
{
    int most = op->max - op->max / 8 - 1, warm, fd;
    int64_t begun_ns;

    if (count > most)
        count = most;
    warm = count / 8 + 1;
    fd = op->prepare(op, count + warm);
    run_checked(op, fd, warm);
    if (op->ready)
        op->ready();
    begun_ns = now_ns();
    measured(op, fd, count);
    printf("%lld %d\n", (long long)(now_ns() - begun_ns), count);
    if (bad_calls)
        die(op->name);
}

static void serve(void)
{
    char line[LINE_BYTES];

    while (fgets(line, sizeof(line), stdin)) {
        char *name;
        long count = strtol(line, &name, 10);

        name[strcspn(name, "\n")] = '\0';
        serve_one(find(name + 1), (int)count);
        fflush(stdout);
    }
}

static void active(void)
{
    int pair[2];

    end_connect(end_listen(), 0, pair);
    for (int i = 0; i < 2; i++) {
        struct timeval t;
        socklen_t len = sizeof(t);

        if (getsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &t, &len) < 0)
            die("SO_RCVTIMEO");
        printf("%lld%s", (long long)t.tv_sec, i ? "\n" : " ");
    }
}

/* The fastest of many batches: what else the machine does counts for nothing. */
static void plain_call(void)
{
    const int calls = 1000;
    int64_t least_ns = INT64_MAX;

    for (int batch = 0; batch < 100; batch++) {
        int64_t begun_ns = now_ns(), ns;

        for (int i = 0; i < calls; i++)
            syscall(SYS_getppid);
        ns = now_ns() - begun_ns;
        if (ns < least_ns)
            least_ns = ns;
    }
    printf("%lld\n", (long long)least_ns / calls);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "list") == 0) {
        for_each(print_op, NULL);
    } else if (strcmp(mode, "exact") == 0 && argc >= 4) {
        struct exact exact = {{atoi(argv[2]), atoi(argv[3])}, argv + 4};

        for_each(count_op, &exact);
    } else if (strcmp(mode, "serve") == 0) {
        serve();
    } else if (strcmp(mode, "active") == 0) {
        active();
    } else if (strcmp(mode, "syscall") == 0) {
        plain_call();
    } else {
        fprintf(stderr, "usage: ops list | exact N1 N2 [CLASS...] | serve | active | syscall\n");
        return 2;
    }
    return 0;
}
