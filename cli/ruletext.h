/* SPDX-License-Identifier: MIT
 * Rules as text, in their normal form.
 * Layer: cli.
 */
#ifndef TMO_CLI_RULETEXT_H
#define TMO_CLI_RULETEXT_H

#include "config/rule.h"

#include <stdio.h>

/* Longest text tmo_cli_block() makes, with its NUL: an address, a scope and a prefix. */
#define TMO_BLOCK_TEXT 80

/* Writes BLOCK into BUF (TMO_BLOCK_TEXT bytes): 10.0.0.1, 10.0.0.0/8, 2001:db8::/32, fe80::1%2. */
void tmo_cli_block(const struct tmo_block *block, char *buf);

/* The conditions among WHICH (bits TMO_MISS_) of RULE: "to 10.0.0.0/8 port 5432-5439". Those that
 * hold for everything are left out. For free(3); NULL: no memory. */
char *tmo_cli_conditions(const struct tmo_rule *rule, unsigned which);
#define TMO_ALL_CONDITIONS ~0u

/* Where RULE was read: "/etc/socktmo.conf:12" or SOCKTMO_RULES. For free(3); NULL: no memory. */
char *tmo_cli_rule_origin(const struct tmo_rule *rule, unsigned line);

/* Writes what names RULE to OUT: its section, "[postgres]", or in quotes its text, 'to ...'. */
void tmo_cli_put_rule(FILE *out, const struct tmo_rule *rule);

#endif
