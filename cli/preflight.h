/* SPDX-License-Identifier: MIT
 * A look at a program before it is started: will the dynamic loader put the library into it, and
 * will the library then see its network calls? A loader that cannot says nothing, or ends in the
 * middle of other output; so we look for ourselves. Both `run` and `doctor` go by this.
 * Layer: cli.
 */
#ifndef TMO_CLI_PREFLIGHT_H
#define TMO_CLI_PREFLIGHT_H

#include "cli/elf.h"

#include <limits.h>

enum tmo_reach {
    TMO_REACH_YES,     /* nothing speaks against it; or it cannot be started, see ERROR */
    TMO_REACH_UNKNOWN, /* it cannot be read, or is damaged */
    TMO_REACH_NO,
};

/* What the file itself has against it. */
enum tmo_obstacle {
    TMO_OBSTACLE_NONE,
    TMO_OBSTACLE_MACHINE, /* for another kind of machine */
    TMO_OBSTACLE_CLASS,   /* the other word size of this machine */
    TMO_OBSTACLE_STATIC,
    TMO_OBSTACLE_LIBC,
    TMO_OBSTACLE_GO,
    TMO_OBSTACLE_RINGS, /* what its sockets wait for goes through io_uring */
};

#define TMO_SCRIPTS_MAX 16

struct tmo_preflight {
    enum tmo_reach reach;
    enum tmo_obstacle obstacle;
    const char
        *secure; /* why it would be AT_SECURE, "is set-uid to another user"; NULL: it is not */
    int error;   /* why it cannot be started, as exec would say; 0 if nothing is known of that */
    bool lacks_loader;   /* ERROR is of the dynamic loader that PATH names */
    bool interpreter;    /* PATH is what runs the program, a script */
    char path[PATH_MAX]; /* the file that was judged; with ERROR: the one that is not to be had */
    char reason[192];    /* "is statically linked: ..."; "" for TMO_REACH_YES */
    struct tmo_elf elf;  /* of PATH; all zero if it is none or cannot be read */
    unsigned scripts_count; /* the scripts on the way to PATH; they stay */
    char *scripts[TMO_SCRIPTS_MAX];
};

/* Judges PROGRAM as execvp(3) would find it. A script is judged by its interpreter, through as many
 * levels of "#!" as the kernel follows, and one that goes by env(1) by what env would run. LIBRARY
 * is what the library's own file says. What the program may start later is not looked at. */
void tmo_cli_preflight(const char *program, const struct tmo_elf *library,
                       struct tmo_preflight *ret);

/* Judges the file PATH itself, be it to be executed or not. -ENOEXEC: it is no ELF file, and
 * RET->path is all that is set; else 0. */
int tmo_cli_preflight_file(const char *path, const struct tmo_elf *library,
                           struct tmo_preflight *ret);

#endif
