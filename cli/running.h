/* SPDX-License-Identifier: MIT
 * What a running process has of the library and its settings, for `socktmo doctor PID`.
 * Layer: cli.
 */
#ifndef TMO_CLI_RUNNING_H
#define TMO_CLI_RUNNING_H

#include "cli/loaded.h"
#include "cli/process.h"
#include "cli/sheet.h"

/* Writes on SHEET what PROCESS has. Where the library is in it, its settings are read into LOADED
 * as the library reads them. Returns 0, or -ENOMEM, which was told. */
int tmo_cli_running_facts(const struct tmo_process *process, const char *ours,
                          struct tmo_loaded *loaded, struct tmo_sheet *sheet);

#endif
