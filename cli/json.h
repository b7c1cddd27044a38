/* SPDX-License-Identifier: MIT
 * Output for programs: one JSON value (RFC 8259), piece by piece.
 * Layer: cli.
 */
#ifndef TMO_CLI_JSON_H
#define TMO_CLI_JSON_H

#include <stdbool.h>
#include <stdio.h>

/* Start with {OUT}. KEY is NULL in arrays and for the outermost value. */
struct tmo_json {
    FILE *out;
    bool follows; /* a value stands before, in the same object or array */
};

/* Begins an object ('{') or array ('['), and ends one with the bracket that closes it. */
void tmo_json_open(struct tmo_json *json, const char *key, char bracket);
void tmo_json_close(struct tmo_json *json, char bracket);

/* A string from outside; what is no UTF-8 in it becomes U+FFFD. NULL: null. */
void tmo_json_text(struct tmo_json *json, const char *key, const char *text);

void tmo_json_number(struct tmo_json *json, const char *key, unsigned long n);

#endif
