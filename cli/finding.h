/* SPDX-License-Identifier: MIT
 * Which rule decides over a connection, and what holds for it then.
 * Layer: cli.
 */
#ifndef TMO_CLI_FINDING_H
#define TMO_CLI_FINDING_H

#include "cli/loaded.h"
#include "cli/target.h"
#include "shim/policy/plan.h"

struct tmo_finding {
    const struct tmo_rule *rule; /* NULL: none, the general settings hold */
    char alone[300];             /* why the library does nothing with it; "" if it does */
    struct tmo_settled settled;
    struct tmo_plan plan;
    int64_t accept_us; /* the timeout of the listening socket that it comes from */
};

/* Finds out about GOAL in a program called PROGRAM (NULL: not known, rules for certain programs do
 * not match). */
void tmo_cli_find(const struct tmo_loaded *loaded, const struct tmo_goal *goal, const char *program,
                  struct tmo_finding *ret);

/* Why RULE does not match: "only to 10.0.0.0/8". NULL if it does, or without memory. For free(3).
 */
char *tmo_cli_why_not(const struct tmo_rule *rule, const struct tmo_goal *goal,
                      const char *program);

/* Where the value of setting ID comes from: "rule, /etc/socktmo.conf:12, by timeout", or what
 * tmo_cli_origin() says. For free(3); NULL: no memory. */
char *tmo_cli_finding_origin(const struct tmo_loaded *loaded, const struct tmo_finding *finding,
                             enum tmo_setting id);

/* Whether setting ID is one that holds for a connection, and no abbreviation of others. */
static inline bool tmo_cli_is_of_connection(enum tmo_setting id)
{
    return tmo_setting_info[id].stands == TMO_STANDS_RULE && id != TMO_SET_TIMEOUT;
}

#endif
