/* SPDX-License-Identifier: MIT
 * The text of SOCKTMO_SOCKOPT ("TCP_NODELAY=1,SO_LINGER=on/5,6:18=30000") <-> what setsockopt(2)
 * takes. Layer: config (pure). Everything here is signal-safe and thread-safe.
 */
#ifndef TMO_CONFIG_SOCKOPTS_H
#define TMO_CONFIG_SOCKOPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tmo_sockopt_type { /* see sockopts.def */
                        TMO_OPT_INT,
                        TMO_OPT_UINT,
                        TMO_OPT_CODE,
                        TMO_OPT_BOOL,
                        TMO_OPT_S,
                        TMO_OPT_MS,
                        TMO_OPT_US,
                        TMO_OPT_LINGER,
                        TMO_OPT_PORTS,
                        TMO_OPT_INDEX,
                        TMO_OPT_TEXT,
};

enum tmo_sockopt_scope { /* which sockets have it, see sockopts.def */
                         TMO_FOR_ANY,
                         TMO_FOR_INET,
                         TMO_FOR_TCP,
                         TMO_FOR_TCP_NEW,
                         TMO_FOR_UDP,
                         TMO_FOR_IP6,
                         TMO_FOR_IP6_NEW,
                         TMO_FOR_UNIX,
};

#define TMO_SOCKOPTS     32  /* most in one setting */
#define TMO_SOCKOPT_ROWS 128 /* more than the table has */
#define TMO_SOCKOPT_NUMBERED                                                                       \
    127 /* the row of those that were given by numbers and are in no row                           \
         */

/* One option with its value, as setsockopt(2) takes it: LEN bytes at NUMBER or TEXT. */
struct tmo_sockopt {
    int level, name;
    uint8_t type, scope; /* of the enums above */
    uint8_t row;         /* its place in the table */
    uint8_t len;
    bool numbered; /* it was given by numbers */
    union {
        int number[2];
        char text[16]; /* TCP_CA_NAME_MAX, IFNAMSIZ; ends with a NUL, which does not count */
    };
};

/* What is wrong with a text, and where. */
struct tmo_sockopt_fault {
    const char *item; /* LEN bytes of the text */
    size_t len;
    bool alone;       /* it is all of the text */
    const char *what; /* "expected on or off" */
    const char *near; /* the name that was probably meant; NULL: none */
};

/* Reads LEN bytes at TEXT into RET (as many as there are; NULL: only counts them). Of an option
 * that is there twice the last value counts; it is counted twice without RET. Returns how many
 * there are; or -EINVAL, -ERANGE (a time too long), and *RET_FAULT (may be NULL) says what is
 * wrong. */
int tmo_sockopts_parse(const char *text, size_t len, struct tmo_sockopt *ret,
                       struct tmo_sockopt_fault *ret_fault);

/* Writes what FAULT says into BUF (SIZE bytes; cut if it is longer), with the item before it if
 * there are others. Returns the length. */
size_t tmo_sockopts_explain(const struct tmo_sockopt_fault *fault, char *buf, size_t size);

/* Longest text tmo_sockopt_print() makes, with its NUL. */
#define TMO_SOCKOPT_TEXT 64

/* Writes OPTION in its normal form, "TCP_KEEPIDLE=1m", into BUF (TMO_SOCKOPT_TEXT bytes). Returns
 * the length. */
size_t tmo_sockopt_print(const struct tmo_sockopt *option, char *buf);

/* The row of the option NAME of LEVEL, TMO_SOCKOPT_NUMBERED if there is none. */
unsigned tmo_sockopt_row(int level, int name);

/* Makes *RET the option of the row of NAME of LEVEL, which is there, with the number VALUE. */
void tmo_sockopt_make(int level, int name, int value, struct tmo_sockopt *ret);

/* Of ROW: the C name, or NULL behind the last; and what a value looks like, "on or off". */
const char *tmo_sockopt_name(unsigned row);
const char *tmo_sockopt_expected(unsigned row);

/* Whether the lesser of two values is the stricter one, so that `cap` has a meaning. */
static inline bool tmo_sockopt_is_amount(unsigned type)
{
    return type == TMO_OPT_INT || type == TMO_OPT_UINT || (type >= TMO_OPT_S && type <= TMO_OPT_US);
}

#endif
