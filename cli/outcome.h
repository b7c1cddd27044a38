/* SPDX-License-Identifier: MIT
 * What the library does with a connection that has a certain plan, in system calls.
 * Layer: cli.
 */
#ifndef TMO_CLI_OUTCOME_H
#define TMO_CLI_OUTCOME_H

#include "config/rule.h"
#include "shim/policy/plan.h"

/* One step: CALL is a system call such as "setsockopt(SOL_SOCKET, SO_RCVTIMEO, 30s)", WHEN says
 * when it is made, or what for. */
typedef void tmo_step_fn(void *ctx, const char *call, const char *when);

/* Hands the steps for a connection of PLAN to or from TARGET to STEP, in the order in which they
 * are made. ACCEPT_US is the timeout of the listening socket that it comes from, 0: none. Returns
 * how many there were. */
unsigned tmo_cli_outcome(const struct tmo_plan *plan, int64_t accept_us,
                         const struct tmo_target *target, tmo_step_fn *step, void *ctx);

#endif
