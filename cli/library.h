/* SPDX-License-Identifier: MIT
 * Where libsocktmo.so is, and how it gets into LD_PRELOAD.
 * Layer: cli.
 */
#ifndef TMO_CLI_LIBRARY_H
#define TMO_CLI_LIBRARY_H

#include "cli/elf.h"

#include <stddef.h>

#define TMO_LIBRARY_NAME "libsocktmo.so"

/* Finds the library: beside this command, in ../lib from a bin folder, then in TMO_LIBDIR (set by
 * the build). Symbolic links to the command are followed. Writes its absolute path into BUF (SIZE
 * bytes). Returns 0; or -ENOENT, which was told, and BUF is then spoilt. */
int tmo_cli_library_find(char *buf, size_t size);

/* Reads what the library's file at PATH says. Returns 0; or -errno, which was told. */
int tmo_cli_library_read(const char *path, struct tmo_elf *ret);

/* Puts PATH at the head of LD_PRELOAD in the environment, before what is there. Where the library
 * is listed already, nothing is changed: its place may have been chosen with care.
 * Returns 0; -EINVAL when the loader could not read PATH (it splits the list at blanks and colons
 * without any way to escape them, and replaces $ tokens; ld.so(8)); or -ENOMEM. */
int tmo_cli_library_preload(const char *path);

#endif
