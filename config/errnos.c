/* SPDX-License-Identifier: MIT
 * errno numbers <-> names. See errnos.h.
 */
#include "config/errnos.h"
#include "config/word.h"

#include <errno.h>

static const struct {
    int number;
    char name[16];
} errnos[] = {
#define E(name) {name, #name},
#include "config/errnos.def"
#undef E
};

#define ERRNOS (sizeof(errnos) / sizeof(errnos[0]))

const char *tmo_errno_name(int e)
{
    for (size_t i = 0; i < ERRNOS; i++) {
        if (errnos[i].number == e)
            return errnos[i].name;
    }
    return NULL;
}

int tmo_errno_number(const char *name, size_t len)
{
    if (tmo_word_is(name, len, "EWOULDBLOCK"))
        return EWOULDBLOCK;
    for (size_t i = 0; i < ERRNOS; i++) {
        if (tmo_word_is(name, len, errnos[i].name))
            return errnos[i].number;
    }
    return 0;
}
