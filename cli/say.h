/* SPDX-License-Identifier: MIT
 * Messages of the command. What comes from outside (names, values) is escaped, so that no file name
 * or variable can play tricks on a terminal or make one line look like two.
 * Layer: cli.
 */
#ifndef TMO_CLI_SAY_H
#define TMO_CLI_SAY_H

#include "config/load.h"

#include <stdio.h>

/* Writes TEXT to OUT; control characters (C0, DEL, and C1 in UTF-8) and backslashes as \n, \t,
 * \xNN and \\. Returns how many bytes that made. */
size_t tmo_cli_put(FILE *out, const char *text);

/* Writes "socktmo: ", FORMAT and a newline to stderr in one piece. FORMAT knows only %s, whose
 * argument is escaped as by tmo_cli_put(). */
void tmo_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells one fault in a configuration: socktmo: SOCKTMO_RECV='2x': expected ... */
tmo_problem_fn tmo_cli_tell;

/* Flushes stdout. Returns STATUS, or FAILED with a message if it could not all be written. */
int tmo_cli_finish(int status, int failed);

#endif
