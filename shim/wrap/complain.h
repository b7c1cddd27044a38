/* SPDX-License-Identifier: MIT
 * What we have to complain of: told once, on stderr and in the log. Layer: wrap. Signal-safe, but
 * for what notes it in the environment.
 */
#ifndef TMO_WRAP_COMPLAIN_H
#define TMO_WRAP_COMPLAIN_H

#include "shim/wrap/current.h"

/* Takes standard error as it is now for complaints: if it is something else later, they are only in
 * the log. At start. */
void tmo_complain_start(void);

/* Tells PROBLEM as one line on stderr, and as a record `problem` in the log; once where those are
 * the same. A tmo_problem_fn. */
void tmo_complain(void *ctx, const struct tmo_problem *problem);

/* Tells nothing, but folds PROBLEM into the uint32_t at CTX. A tmo_problem_fn. */
void tmo_complain_count(void *ctx, const struct tmo_problem *problem);

/* Whether the faults that fold to HASH were told by a process above us. To be called before
 * tmo_complain_note(). */
bool tmo_complain_was_told(uint32_t hash);

/* Notes in the environment, which the program and its children get, that they were told. */
void tmo_complain_note(void);

#endif
