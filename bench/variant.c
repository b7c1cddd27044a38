/* SPDX-License-Identifier: MIT
 * Variants and medians, for the programs that time. See variant.h.
 */
#include "bench/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int variant_parse(char **argv, struct variant *ret_variants, char ***ret_rest)
{
    int count = 0;

    while (*argv && strcmp(*argv, "-v") == 0 && argv[1] && count < MAX_VARIANTS) {
        struct variant *variant = &ret_variants[count++];

        *variant = (struct variant){.name = argv[1], .added = argv + 2};
        for (argv += 2; *argv && strchr(*argv, '='); argv++)
            variant->added_count++;
    }
    if (!*argv || strcmp(*argv, "--") != 0 || count < 2) {
        fprintf(stderr, "bench: want -v NAME [VAR=VALUE...], two or more of them, then --\n");
        exit(2);
    }
    *ret_rest = argv + 1;
    return count;
}

char **variant_environment(const struct variant *variant)
{
    size_t ours = 0, added = (size_t)variant->added_count;
    char **all;

    while (environ[ours])
        ours++;
    all = malloc((ours + added + 1) * sizeof(*all));
    if (!all)
        abort();
    memcpy(all, environ, ours * sizeof(*all));
    memcpy(all + ours, variant->added, added * sizeof(*all));
    all[ours + added] = NULL;
    return all;
}

int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
