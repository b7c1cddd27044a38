/* SPDX-License-Identifier: MIT
 * What the command can be asked to do, and with which status it ends.
 * Layer: cli (may use config; stdio and allocation are allowed here, unlike in the library).
 */
#ifndef TMO_CLI_ACTIONS_H
#define TMO_CLI_ACTIONS_H

/* Exit statuses of our own, those of env(1) and timeout(1). */
enum {
    TMO_STATUS_TIMEOUT = 124,   /* --guard: a limit passed, and action is exit */
    TMO_STATUS_USAGE = 125,     /* bad usage or settings, or no library: nothing was started */
    TMO_STATUS_CANNOT = 126,    /* the program is there and cannot be started */
    TMO_STATUS_NOT_FOUND = 127, /* there is no such program */
};

/* Each takes the arguments behind its own name, ended by NULL, and returns the exit status. */

/* Starts a program under the library; comes back only when it cannot. */
int tmo_cli_run(char **argv);

/* Prints every setting in force, the rules, and every fault in them. 0, or 1 for faults. */
int tmo_cli_check(char **argv);

/* Prints which rule decides over a connection and what follows. 0, or 1 for faults in the settings.
 */
int tmo_cli_explain(char **argv);

/* Prints whether and how a program or process can be reached: 0 by preload, 1 only from outside, 2
 * not at all; 126 it cannot be executed or read, 127 it is not there. */
int tmo_cli_doctor(char **argv);

/* Prints the help, or name and version, on stdout. 0, or 125 when that cannot be written. */
int tmo_cli_help(void);
int tmo_cli_version(void);

#endif
