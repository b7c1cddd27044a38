/* SPDX-License-Identifier: MIT
 * The libraries that a program needs, those that these need, and so on, where the dynamic loader
 * would find them, with what each imports. ld.so(8).
 * Layer: cli.
 */
#ifndef TMO_CLI_NEEDS_H
#define TMO_CLI_NEEDS_H

#include "cli/elf.h"
#include "cli/imports.h"

struct tmo_needed {
    char *name;
    char *path;    /* NULL: not found */
    size_t parent; /* which of the others needs it; the first, which is the program, itself */
    struct tmo_imports imports;
};

struct tmo_needs {
    struct tmo_needed *all; /* the program first */
    size_t count;
    bool cut; /* there are more than are looked at */
};

/* Starts RET with the program at PATH, of which ELF was read; ORIGIN is its path where PATH is
 * another name of it (/proc/PID/exe). All stays. Returns 0 or -errno. */
int tmo_cli_needs_start(const char *path, const char *origin, struct tmo_needs *ret);

/* Adds the libraries that are needed by what is there, for a program of the kind of ELF. The C
 * library itself is left out. SECURE: as for a program that the loader does not trust the
 * environment in. Returns 0 or -ENOMEM. */
int tmo_cli_needs_follow(const struct tmo_elf *elf, bool secure, struct tmo_needs *needs);

/* Adds the library at PATH, called NAME, if it is not there yet. Returns 0 or -ENOMEM. */
int tmo_cli_needs_add(const char *name, const char *path, struct tmo_needs *needs);

#endif
