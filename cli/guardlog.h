/* SPDX-License-Identifier: MIT
 * What the guard writes: records in the log, as the library's, and complaints.
 * Layer: cli.
 */
#ifndef TMO_CLI_GUARDLOG_H
#define TMO_CLI_GUARDLOG_H

#include "config/load.h"
#include "shim/report/event.h"

/* Opens the log of CFG, in the name of PROGRAM in process PID. A log that cannot be opened is told;
 * later records try again. */
void tmo_guard_log_start(const struct tmo_config *cfg, pid_t pid, const char *program);

/* The descriptor that the setting LOG names, or -1. */
int tmo_guard_log_fd(const struct tmo_config *cfg);

/* Whether records of those kinds (TMO_EVENT_ bits) are asked for. */
bool tmo_guard_logs(unsigned events);

/* Begins the record of a connection of PROGRAM, process PID: all that is not known is left out. */
void tmo_guard_event(struct tmo_event *event, enum tmo_event_kind kind, pid_t pid,
                     const char *program);

/* Writes it. */
void tmo_guard_write(const struct tmo_event *event);

/* Complains of PROGRAM, process PID: one line on stderr, or if that is the log, a record alone. */
void tmo_guard_problem(pid_t pid, const char *program, const char *what);

#endif
