/* SPDX-License-Identifier: MIT
 * `socktmo run --guard`: the launcher stays as the parent of the program and keeps the limits from
 * outside, for programs that no preload reaches.
 *
 *     guard.c       starts the program, goes round between signals, walks and looks
 *     guardwait.c   signals, terminal, stops, exit status
 *     guardtree.c   the processes below us, and which of them have run
 *     guardproc.c   what /proc says of one
 *     guardwatch.c  their sockets, and what a look at one finds
 *     guardplan.c   which limits a connection has
 *     guardlog.c    records and complaints
 *
 * Layer: cli.
 */
#ifndef TMO_CLI_GUARD_H
#define TMO_CLI_GUARD_H

#include "cli/loaded.h"

/* Starts ARGV (ended by NULL) as a child and guards it and all below it, under the settings of
 * LOADED, until it ends. Returns its exit status, those of execvp(3) failing included, or
 * TMO_STATUS_TIMEOUT; or ends by the signal by which the program ended. */
int tmo_cli_guard(char **argv, const struct tmo_loaded *loaded);

/* Becomes ARGV. If that fails, tells why and returns the exit status that says so. */
int tmo_cli_become(char **argv);

#endif
