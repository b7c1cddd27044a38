/* SPDX-License-Identifier: MIT
 *
 * start: how long a program takes from its start to its end, in several variants by turns.
 *
 *     start ROUNDS -v NAME [VAR=VALUE...] -v ... -- PROGRAM [ARG...]
 *
 * Prints, tab-separated: variant, median us, median us more than the first variant in the same
 * round.
 */
#include "bench/variant.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_ROUNDS 4096

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double run_us(char **command, char **environment)
{
    double begun_us = now_us();
    pid_t pid;
    int status;

    if (posix_spawnp(&pid, command[0], NULL, NULL, command, environment) != 0 ||
        waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "start: %s failed\n", command[0]);
        exit(1);
    }
    return now_us() - begun_us;
}

int main(int argc, char **argv)
{
    static double us[MAX_VARIANTS][MAX_ROUNDS], more[MAX_ROUNDS];
    struct variant variants[MAX_VARIANTS];
    char **environments[MAX_VARIANTS], **command;
    int rounds = argc > 1 ? atoi(argv[1]) : 0, count;

    if (rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: start ROUNDS -v NAME [VAR=VALUE...]... -- PROGRAM [ARG...]\n");
        return 2;
    }
    count = variant_parse(argv + 2, variants, &command);
    for (int v = 0; v < count; v++)
        environments[v] = variant_environment(&variants[v]);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            int v = (round + i) % count;

            us[v][round] = run_us(command, environments[v]);
        }
    for (int v = count - 1; v >= 0; v--) {
        for (int round = 0; round < rounds; round++)
            more[round] = us[v][round] - us[0][round];
        printf("%s\t%.1f", variants[v].name, median(us[v], rounds));
        printf("\t%.1f\n", median(more, rounds));
    }
    return 0;
}
