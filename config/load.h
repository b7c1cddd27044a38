/* SPDX-License-Identifier: MIT
 * A configuration file and an environment -> one immutable configuration, its rules, and every
 * fault in them.
 * Layer: config (pure: the environment, what reads files and what gives memory are handed in,
 * faults are handed out).
 */
#ifndef TMO_CONFIG_LOAD_H
#define TMO_CONFIG_LOAD_H

#include "config/arena.h"
#include "config/duration.h"
#include "config/settings.h"

#define TMO_CONFIG_TEXT 4096

/* Where a value came from. */
enum tmo_source { TMO_FROM_DEFAULT, TMO_FROM_FILE, TMO_FROM_ENVIRONMENT };

struct tmo_config {
    int64_t value[TMO_SETTINGS];    /* by type, see settings.def */
    const char *text[TMO_SETTINGS]; /* textual settings: the text, "" if none; else NULL */
    uint8_t source[TMO_SETTINGS];   /* enum tmo_source */
    uint8_t through[TMO_SETTINGS];  /* the setting that gave the value: itself, or TIMEOUT */
    const char *file[TMO_SETTINGS]; /* TMO_FROM_FILE: which one, and where in it */
    unsigned line[TMO_SETTINGS];
    bool has_file;               /* a configuration file was read */
    uint64_t file_hash;          /* of its text, and of those that it includes */
    char store[TMO_CONFIG_TEXT]; /* the texts: a program may overwrite its environment */
    size_t stored;
};

/* One fault. All texts are NUL-terminated; VALUE is as it was found, control bytes and all. */
struct tmo_problem {
    const char *where; /* "SOCKTMO_RECV", "/etc/socktmo.conf:3:8" */
    const char *value; /* "2x" */
    const char *what;  /* "expected ..." */
    bool is_place;     /* WHERE is a place in a text, not the name of a variable */
    const char *line;  /* then: the whole line, LINE_LEN bytes, ... */
    size_t line_len;
    unsigned number;        /* ... its number, from 1, ... */
    unsigned column, width; /* ... and what of it is meant: from 1, in bytes */
};
typedef void tmo_problem_fn(void *ctx, const struct tmo_problem *problem);

/* The built-in values. Signal-safe. */
void tmo_config_init(struct tmo_config *cfg);

/* Reads every SOCKTMO_ variable of ENVP (NULL: none) over CFG, which tmo_config_init() has made.
 * A fault is handed to TELL (NULL: nobody) and only that variable is left out. SOCKTMO_TIMEOUT is
 * spread over connect, recv and send where they have no valid value of their own. Variables in
 * the reserved name SOCKTMO_TOLD are passed over. Returns the number of faults. Signal-safe. */
int tmo_config_load_env(struct tmo_config *cfg, char *const *envp, tmo_problem_fn *tell, void *ctx);

/* How files are read: the kernel is not this layer's. */
struct tmo_reader {
    /* Reads the whole of PATH, into memory of ARENA. IS_CONFIG: it is to be trusted as far as
     * settings go. Returns 0 or -errno: -EFBIG (above TMO_CONFIG_FILE_MAX), -EISDIR, -EINVAL (no
     * regular file), -EPERM (in a program with more rights than its caller's, where the file is
     * not root's alone). */
    int (*read)(const char *path, bool is_config, struct tmo_arena *arena, const char **ret_text,
                size_t *ret_len);
};
#define TMO_CONFIG_FILE_MAX (1 << 20)

struct tmo_ruleset;

/* What the configuration is made from. */
struct tmo_sources {
    char *const *envp;               /* NULL: none */
    const char *file;                /* NULL: the one that ENVP names, or the system's */
    const struct tmo_reader *reader; /* NULL: no file is read */
    struct tmo_arena *arena;         /* for rules */
};

/* Makes CFG and RULES (may be NULL) from all of FROM: the built-in values, over them the file's,
 * over them the environment's. Rules: those of SOCKTMO_RULES, then the file's. Faults are handed to
 * TELL (NULL: nobody). In a section with a fault nothing is used, else only the faulty setting is
 * left out. Returns the number of faults; -ENOENT: FROM->file is not there, or none of the
 * system's, and nothing else is wrong. Signal-safe. */
int tmo_config_load(struct tmo_config *cfg, struct tmo_ruleset *rules,
                    const struct tmo_sources *from, tmo_problem_fn *tell, void *ctx);

/* Takes the LEN bytes at TEXT as the value of setting ID in CFG. 0; -EINVAL, -ERANGE, or -E2BIG (no
 * room for more text), and CFG is as before. Signal-safe. */
int tmo_config_set(struct tmo_config *cfg, enum tmo_setting id, const char *text, size_t len);

/* Whether PROGRAM (a basename) is one to act in, by DISABLE, ONLY and SKIP. Signal-safe. */
bool tmo_config_wants(const struct tmo_config *cfg, const char *program);

/* Whether anything is asked for at all: a limit, an option or a log. Signal-safe. */
bool tmo_config_active(const struct tmo_config *cfg);

/* The name of the reserved variable that says what was told already. */
#define TMO_TOLD_NAME "SOCKTMO_TOLD"

/* Folds one problem into HASH (start with 0): the same faults give the same number. */
uint32_t tmo_problem_hash(uint32_t hash, const struct tmo_problem *problem);

#endif
