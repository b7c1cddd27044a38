/* SPDX-License-Identifier: MIT
 * A look at a program before it is started: will the dynamic loader put the library into it, and
 * will the library then see its network calls? A loader that cannot says nothing, or ends in the
 * middle of other output; so we look for ourselves.
 * Layer: cli.
 */
#ifndef TMO_CLI_PREFLIGHT_H
#define TMO_CLI_PREFLIGHT_H

#include "cli/elf.h"

#include <limits.h>

enum tmo_reach {
    TMO_REACH_YES,     /* nothing speaks against it; or it is not there, as exec will say */
    TMO_REACH_UNKNOWN, /* it cannot be read */
    TMO_REACH_NO,
};

struct tmo_preflight {
    enum tmo_reach reach;
    bool interpreter;    /* PATH is what runs the program, a script */
    char path[PATH_MAX]; /* the file that was judged; only valid with REASON */
    char reason[192];    /* "is statically linked: ..."; "" for TMO_REACH_YES */
};

/* Judges PROGRAM as execvp(3) would find it. A script is judged by its interpreter, through up to
 * four levels of "#!", and one that goes by env(1) by what env would run. LIBRARY is what the
 * library's own file says. What the program may start later is not looked at. */
void tmo_cli_preflight(const char *program, const struct tmo_elf *library,
                       struct tmo_preflight *ret);

#endif
