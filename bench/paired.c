/* SPDX-License-Identifier: MIT
 *
 * paired: times operations in several variants of one program, side by side.
 *
 *     paired [-g GENERATIONS] [-r ROUNDS] -v NAME [VAR=VALUE...] -v ... -- OPS OPERATION...
 *
 * One worker (OPS serve) per variant lives all the while, on the same CPU, and they are woken in
 * turn for a batch of 0.3 ms each, in another order each round. Whatever drifts (clock, cache,
 * other guests) then hits all of them alike and cancels in the ratio of two batches of one round.
 * What does not cancel is where each process happens to lie in memory: so all workers are started
 * anew for each generation, and the median over a generation's rounds is one value among those
 * of the others. The first variant is what the others are compared to.
 *
 * Prints, tab-separated: OPERATION, variant, ns per call, its ratio to the first variant, and the
 * difference in ns: medians over generations of medians over rounds of paired values.
 */
#include "bench/variant.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH_NS        300000.0
#define MAX_GENERATIONS 64
#define MAX_ROUNDS      4096
#define MAX_OPS         32

struct worker {
    pid_t pid;
    FILE *to, *from;
};

static int generations = 9, rounds = 60;
static struct variant variants[MAX_VARIANTS];
static int variant_count;
static struct worker workers[MAX_VARIANTS];

/* A value per generation. */
static double ns[MAX_OPS][MAX_VARIANTS][MAX_GENERATIONS];
static double ratio[MAX_OPS][MAX_VARIANTS][MAX_GENERATIONS];
static double difference[MAX_OPS][MAX_VARIANTS][MAX_GENERATIONS];

static void fail(const char *what)
{
    fprintf(stderr, "paired: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The last CPU that we may use: all workers share it with us, since only one runs at a time. */
static void stay_on_one_cpu(void)
{
    cpu_set_t allowed, one;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        fail("sched_getaffinity");
    CPU_ZERO(&one);
    for (unsigned cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        CPU_SET(cpu, &one);
        break;
    }
    if (sched_setaffinity(0, sizeof(one), &one) < 0)
        fail("sched_setaffinity");
}

static void start(struct worker *worker, const struct variant *variant, const char *program)
{
    int to[2], from[2];

    if (pipe2(to, 0) < 0 || pipe2(from, 0) < 0)
        fail("pipe");
    worker->pid = fork();
    if (worker->pid < 0)
        fail("fork");
    if (worker->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execle(program, program, "serve", (char *)NULL, variant_environment(variant));
        fail(program);
    }
    close(to[0]);
    close(from[1]);
    worker->to = fdopen(to[1], "w");
    worker->from = fdopen(from[0], "r");
}

static void stop(struct worker *worker)
{
    int status;

    fclose(worker->to);
    fclose(worker->from);
    waitpid(worker->pid, &status, 0);
}

/* ns per call of one batch. */
static double run(struct worker *worker, const char *op, int count)
{
    long long elapsed_ns;
    int calls;

    fprintf(worker->to, "%d %s\n", count, op);
    fflush(worker->to);
    if (fscanf(worker->from, "%lld %d", &elapsed_ns, &calls) != 2) {
        errno = EPIPE;
        fail(op);
    }
    return (double)elapsed_ns / calls;
}

/* Whoever measures has the same past as the others: each gets the same calls. */
static double run_all(const char *op, int count)
{
    double first_ns = run(&workers[0], op, count);

    for (int v = 1; v < variant_count; v++)
        run(&workers[v], op, count);
    return first_ns;
}

static int batch_size(const char *op)
{
    double each_ns;

    run_all(op, 8);
    each_ns = run_all(op, 16);
    each_ns = run_all(op, 1 + (int)(BATCH_NS / 4 / each_ns));
    return 1 + (int)(BATCH_NS / each_ns);
}

static void run_round(const char *op, int count, int round, double *ret_ns)
{
    for (int i = 0; i < variant_count; i++) {
        int turn = (round + (round / variant_count % 2 ? -i : i)) % variant_count;

        turn = (turn + variant_count) % variant_count;
        ret_ns[turn] = run(&workers[turn], op, count);
    }
}

static void run_op(const char *op, int index, int generation)
{
    static double each[MAX_VARIANTS][MAX_ROUNDS], by[MAX_ROUNDS], minus[MAX_ROUNDS];
    int count = batch_size(op);

    for (int round = 0; round < rounds; round++) {
        double now[MAX_VARIANTS];

        run_round(op, count, round, now);
        for (int v = 0; v < variant_count; v++)
            each[v][round] = now[v];
    }
    for (int v = variant_count - 1; v >= 0; v--) {
        for (int round = 0; round < rounds; round++) {
            by[round] = each[v][round] / each[0][round];
            minus[round] = each[v][round] - each[0][round];
        }
        ratio[index][v][generation] = median(by, rounds);
        difference[index][v][generation] = median(minus, rounds);
        ns[index][v][generation] = median(each[v], rounds); /* sorts: so the first comes last */
    }
}

static void run_generation(const char *program, char **ops, int generation)
{
    /* who is started first must not always be the same */
    for (int i = 0; i < variant_count; i++) {
        int v = (i + generation) % variant_count;

        start(&workers[v], &variants[v], program);
    }
    for (int i = 0; ops[i]; i++)
        run_op(ops[i], i, generation);
    for (int v = 0; v < variant_count; v++)
        stop(&workers[v]);
}

static void print(char **ops)
{
    for (int i = 0; ops[i]; i++)
        for (int v = 0; v < variant_count; v++)
            printf("%s\t%s\t%.2f\t%.4f\t%.2f\n", ops[i], variants[v].name,
                   median(ns[i][v], generations), median(ratio[i][v], generations),
                   median(difference[i][v], generations));
}

int main(int argc, char **argv)
{
    char **rest;
    int option, ops = 0;

    while ((option = getopt(argc, argv, "+g:r:v:")) != -1 && option != 'v') {
        if (option == 'g')
            generations = atoi(optarg);
        else if (option == 'r')
            rounds = atoi(optarg);
        else
            return 2;
    }
    optind -= option == 'v' ? 2 : 0;
    variant_count = variant_parse(argv + optind, variants, &rest);
    while (*rest && rest[ops + 1])
        ops++;
    if (ops < 1 || ops > MAX_OPS || generations < 1 || generations > MAX_GENERATIONS ||
        rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: paired [-g N] [-r N] -v NAME [VAR=VALUE...]... -- OPS OP...\n");
        return 2;
    }
    stay_on_one_cpu();
    for (int generation = 0; generation < generations; generation++)
        run_generation(rest[0], rest + 1, generation);
    print(rest + 1);
    return 0;
}
