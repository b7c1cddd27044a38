/* SPDX-License-Identifier: MIT
 * `socktmo run`: check the settings, put the library into LD_PRELOAD, become the program; or
 * with --guard start it, and stay.
 */
#include "cli/actions.h"
#include "cli/guard.h"
#include "cli/library.h"
#include "cli/loaded.h"
#include "cli/options.h"
#include "cli/preflight.h"
#include "cli/say.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the library will read. */
static struct tmo_loaded loaded;

/* Whether all of that is good; what is not is told. */
static bool settings_are_good(void)
{
    if (tmo_cli_load(NULL, &loaded) < 0)
        return false;
    tmo_cli_tell_faults(&loaded);
    return loaded.faults_count == 0;
}

/* Finds the library and puts it into the environment. 0, or -1 and it was told why not. */
static int add_library(char *library, size_t size)
{
    if (tmo_cli_library_find(library, size) < 0)
        return -1;
    int r = tmo_cli_library_preload(library);
    if (r == -EINVAL) {
        tmo_cli_say("the path of the library, '%s', holds a blank, a colon or a dollar sign, which "
                    "LD_PRELOAD cannot take: move it to another folder",
                    library);
        return -1;
    }
    if (r < 0) {
        tmo_cli_say("LD_PRELOAD: %s", strerror(-r));
        return -1;
    }
    return 0;
}

/* Whether the watchdog sees what the library in the program does not. */
static bool is_watched(const struct tmo_preflight *found)
{
    return loaded.cfg.value[TMO_SET_ENGINE] != TMO_ENGINE_KERNEL && found->secure == NULL &&
           (found->obstacle == TMO_OBSTACLE_GO || found->obstacle == TMO_OBSTACLE_RINGS);
}

/* Tells what speaks against PROGRAM. Whether it may be started all the same; *GUARDING becomes on
 * or off. */
static bool may_start(const char *program, const struct tmo_elf *library, bool require_reach,
                      enum tmo_guarding *guarding)
{
    struct tmo_preflight found;
    const char *sequel =
        require_reach ? "so it is not started (--require-reach)" : "so no limit will hold";

    tmo_cli_preflight(program, library, &found);
    bool watched = is_watched(&found);
    if (*guarding == TMO_GUARDING_AUTO)
        *guarding = found.reach == TMO_REACH_NO && !watched ? TMO_GUARDING_ON : TMO_GUARDING_OFF;
    if (watched || found.reach == TMO_REACH_YES ||
        (found.reach == TMO_REACH_UNKNOWN && !require_reach))
        return true;
    if (*guarding == TMO_GUARDING_ON && !require_reach)
        return true; /* it is reached from outside */
    if (found.interpreter)
        tmo_cli_say("%s is run by %s, which %s, %s", program, found.path, found.reason, sequel);
    else
        tmo_cli_say("%s %s, %s", program, found.reason, sequel);
    return !require_reach;
}

int tmo_cli_become(char **argv)
{
    execvp(argv[0], argv);
    int error = errno;
    tmo_cli_say(argv[0][0] != '\0' ? "%s: %s" : "'%s': %s", argv[0], strerror(error));
    return error == ENOENT ? TMO_STATUS_NOT_FOUND : TMO_STATUS_CANNOT;
}

int tmo_cli_run(char **argv)
{
    struct tmo_options options;
    char library[PATH_MAX];

    if (tmo_cli_options_read(argv, &options) < 0)
        return TMO_STATUS_USAGE;
    if (options.wish == TMO_WISH_HELP)
        return tmo_cli_help();
    if (options.wish == TMO_WISH_VERSION)
        return tmo_cli_version();
    argv = options.rest;
    if (argv[0] == NULL) {
        tmo_cli_say("no program to run, see socktmo --help");
        return TMO_STATUS_USAGE;
    }
    if (!settings_are_good() || add_library(library, sizeof(library)) < 0)
        return TMO_STATUS_USAGE;

    struct tmo_elf elf;
    if (tmo_cli_library_read(library, &elf) < 0)
        return TMO_STATUS_USAGE;
    if (!may_start(argv[0], &elf, options.require_reach, &options.guarding))
        return TMO_STATUS_CANNOT;
    return options.guarding == TMO_GUARDING_ON ? tmo_cli_guard(argv, &loaded)
                                               : tmo_cli_become(argv);
}
