/* SPDX-License-Identifier: MIT
 *
 * waits CASE: what the calls that wait for descriptors do, one case a time.
 *
 * A case prints what must be the same whoever stands between it and libc, and checks itself what
 * differs from run to run: times, numbers of threads. Its last line is `CASE: ok`, or what went
 * wrong, with status 1. Its waits are shorter than any limit that it is run with.
 */
#include "tests/programs/waits.h"

#include "tests/programs/waits-values.h"

#include "tests/programs/waits-signals.h"

#include "tests/programs/waits-epoll.h"

#include "tests/programs/waits-peers.h"

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"times", case_times},
    {"for_ever", case_for_ever},
    {"ticks", case_ticks},
    {"poll", case_poll},
    {"select", case_select},
    {"handed_over", case_handed_over},
    {"let_in", case_let_in},
    {"kept_out", case_kept_out},
    {"interrupted", case_interrupted},
    {"within", case_within},
    {"stopped", case_stopped},
    {"jumped", case_jumped},
    {"cancelled", case_cancelled},
    {"triggered", case_triggered},
    {"registered", case_registered},
    {"pwait2", case_pwait2},
    {"closed_meanwhile", case_closed_meanwhile},
    {"connecting", case_connecting},
    {"ended", case_ended},
    {"own_timeout", case_own_timeout},
    {"two_threads", case_two_threads},
    {"forked", case_forked},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc != 2 || strcmp(cases[i].name, argv[1]) != 0)
            continue;
        name = cases[i].name;
        cases[i].run();
        printf("%s: ok\n", cases[i].name);
        return 0;
    }
    fprintf(stderr, "usage: waits CASE, one of those at the end of waits.c\n");
    return 2;
}
