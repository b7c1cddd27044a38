/* SPDX-License-Identifier: MIT
 * Variants: the same program with other variables in its environment.
 */
#ifndef BENCH_VARIANT_H
#define BENCH_VARIANT_H

#define MAX_VARIANTS 8

struct variant {
    const char *name;
    char **added; /* VAR=VALUE strings */
    int added_count;
};

/* Reads "-v NAME [VAR=VALUE...]" from ARGV on, several of them, up to "--". Returns the count;
 * *ret_rest is what follows the "--". Ends the program when they make no sense. */
int variant_parse(char **argv, struct variant *ret_variants, char ***ret_rest);

/* An environment for the variant: ours and what it adds. Never freed. */
char **variant_environment(const struct variant *variant);

int compare_doubles(const void *a, const void *b);

/* Sorts the values. */
double median(double *values, int count);

#endif
