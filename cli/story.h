/* SPDX-License-Identifier: MIT
 * What `socktmo explain` has to tell of a connection, for people and for programs.
 * Layer: cli.
 */
#ifndef TMO_CLI_STORY_H
#define TMO_CLI_STORY_H

#include "cli/finding.h"

struct tmo_story {
    const struct tmo_loaded *loaded;
    struct tmo_goal *goal;
    const char *program; /* NULL: not known */
    bool verbose;        /* all rules that do not match */
    struct tmo_finding finding;
    size_t first,
        last; /* of the addresses for which all of this is the same; LAST is behind them */
};

/* Prints STORY on stdout. */
void tmo_cli_story_print(const struct tmo_story *story);

/* The same as an object. */
void tmo_cli_story_json(const struct tmo_story *story, struct tmo_json *json);

/* "outgoing" or "accepted". */
static inline const char *tmo_cli_direction(const struct tmo_goal *goal)
{
    return goal->target.dir == TMO_TO ? "outgoing" : "accepted";
}

#endif
