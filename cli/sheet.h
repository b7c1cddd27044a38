/* SPDX-License-Identifier: MIT
 * What `socktmo doctor` finds, as lines for people or one JSON object for programs, from the same
 * words.
 * Layer: cli.
 */
#ifndef TMO_CLI_SHEET_H
#define TMO_CLI_SHEET_H

#include "cli/json.h"

#include <stddef.h>

struct tmo_sheet {
    bool as_json;
    struct tmo_json json;
};

/* Begins on stdout, and ends. */
void tmo_sheet_open(struct tmo_sheet *sheet, bool as_json);
void tmo_sheet_close(struct tmo_sheet *sheet);

/* "NAME: VALUE (REASON)", or "NAME":{"value":VALUE,"reason":REASON}. REASON may be NULL. */
void tmo_sheet_fact(struct tmo_sheet *sheet, const char *name, const char *value,
                    const char *reason);

/* "NAME: one, two", or "none"; or an array. */
void tmo_sheet_list(struct tmo_sheet *sheet, const char *name, const char *const *words,
                    size_t count);

/* Begins and ends an array NAME of what follows; nothing for people. */
void tmo_sheet_begin(struct tmo_sheet *sheet, const char *name);
void tmo_sheet_end(struct tmo_sheet *sheet);

#endif
