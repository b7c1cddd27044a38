/* SPDX-License-Identifier: MIT
 * An environment -> one immutable configuration, and every fault in it.
 * Layer: config (pure: the environment is handed in, faults are handed out, no allocation).
 */
#ifndef TMO_CONFIG_LOAD_H
#define TMO_CONFIG_LOAD_H

#include "config/duration.h"
#include "config/settings.h"

#define TMO_CONFIG_TEXT 4096

/* Where a value came from. */
enum tmo_source { TMO_FROM_DEFAULT, TMO_FROM_ENVIRONMENT };

struct tmo_config {
    int64_t value[TMO_SETTINGS];    /* by type, see settings.def */
    const char *text[TMO_SETTINGS]; /* GLOBS and SINK: the text, "" if none; else NULL */
    uint8_t source[TMO_SETTINGS];   /* enum tmo_source */
    uint8_t through[TMO_SETTINGS];  /* the setting that gave the value: itself, or TIMEOUT */
    char store[TMO_CONFIG_TEXT];    /* the texts: a program may overwrite its environment */
    size_t stored;
};

/* One fault. All texts are NUL-terminated; VALUE is as it was found, control bytes and all. */
struct tmo_problem {
    const char *where; /* "SOCKTMO_RECV" */
    const char *value; /* "2x" */
    const char *what;  /* "not valid, expected ..." */
};
typedef void tmo_problem_fn(void *ctx, const struct tmo_problem *problem);

/* The built-in values. Signal-safe. */
void tmo_config_init(struct tmo_config *cfg);

/* Reads every SOCKTMO_ variable of ENVP (NULL: none) over CFG, which tmo_config_init() has made.
 * A fault is handed to TELL (NULL: nobody) and only that variable is left out. SOCKTMO_TIMEOUT is
 * spread over connect, recv and send where they have no valid value of their own. Variables in
 * the reserved name SOCKTMO_TOLD are passed over. Returns the number of faults. Signal-safe. */
int tmo_config_load_env(struct tmo_config *cfg, char *const *envp, tmo_problem_fn *tell, void *ctx);

/* Whether PROGRAM (a basename) is one to act in, by DISABLE, ONLY and SKIP. Signal-safe. */
bool tmo_config_wants(const struct tmo_config *cfg, const char *program);

/* Whether anything is asked for at all: a limit, an option or a log. Signal-safe. */
bool tmo_config_active(const struct tmo_config *cfg);

/* The name of the reserved variable that says what was told already. */
#define TMO_TOLD_NAME "SOCKTMO_TOLD"

/* Folds one problem into HASH (start with 0): the same faults give the same number. */
uint32_t tmo_problem_hash(uint32_t hash, const struct tmo_problem *problem);

#endif
