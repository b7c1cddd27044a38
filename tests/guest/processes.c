/* SPDX-License-Identifier: MIT
 *
 * processes CASE: children of every kind, other programs, and what a process is made of, while
 * there are connections.
 *
 * With an @ before it the first word is what it does as somebody's child.
 */
#include "tests/guest/processes.h"
#include "tests/guest/processes-children.h"
#include "tests/guest/processes-exec.h"
#include "tests/guest/processes-state.h"

static const struct guest_case cases[] = {
    {"fork_storm", case_fork_storm},
    {"forks", case_forks},
    {"vforks", case_vforks},
    {"clones", case_clones},
    {"clones_files", case_clones_files},
    {"unshare_files", case_unshare_files},
    {"spawns", case_spawns},
    {"pipes", case_pipes},
    {"exec_chain", case_exec_chain},
    {"exec_fails", case_exec_fails},
    {"daemon", case_daemon},
    {"ends", case_ends},
    {"killed", case_killed},
    {"what_there_is", case_what_there_is},
    {"clearenv", case_clearenv},
    {"traced", case_traced},
};

int main(int argc, char **argv)
{
    at_main_errno = errno;
    at_main_argc = argc;
    at_main_argv = argv;
    at_main_environ = environ;
    self_path = argv[0];
    if (argc > 1 && argv[1][0] == '@') {
        guest_name = argv[1];
        guest_guard();
        if (argc == 6 && strcmp(argv[1], "@chain") == 0)
            exec_step(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
        say_fds("descriptors of the other");
        say_signals("signals of the other");
        return 11;
    }
    return guest_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
