/* SPDX-License-Identifier: MIT
 * Where a connection goes or comes from, as a person writes it.
 * Layer: cli.
 */
#ifndef TMO_CLI_TARGET_H
#define TMO_CLI_TARGET_H

#include "config/rule.h"

struct tmo_goal {
    struct tmo_target target; /* its address is the first of ADDRESSES, if there is one */
    bool has_port;
    char *host; /* in small letters; NULL: it was an address or a path */
    struct tmo_goal_address {
        uint8_t addr[16]; /* as config/address.h has it */
        uint32_t scope;
    } * addresses;
    size_t count;           /* 0: a path, or a name that has none ... */
    const char *unresolved; /* ... for this reason */
};

/* Reads TEXT: HOST:PORT, HOST, ADDRESS, ADDRESS:PORT, [V6]:PORT, unix:PATH, unix:@NAME; a port may
 * be the name of a service. DIR is TMO_TO or TMO_FROM; PROTO a TMO_PROTO_ bit, 0: tcp, or unix for
 * a path. A name is looked up by getaddrinfo(3). Returns 0; or -1, and it was told why not. */
int tmo_cli_goal(const char *text, uint8_t dir, uint8_t proto, struct tmo_goal *ret);

/* Makes address number I of GOAL that of its target. */
void tmo_cli_goal_at(struct tmo_goal *goal, size_t i);

/* Longest text tmo_cli_goal_print() makes but for a path, with its NUL. */
#define TMO_GOAL_TEXT 400

/* Writes the target of GOAL into BUF (SIZE bytes): "10.1.2.3:5432", "unix:/run/x". BY_NAME: with
 * its host for its address. */
void tmo_cli_goal_print(const struct tmo_goal *goal, bool by_name, char *buf, size_t size);

#endif
