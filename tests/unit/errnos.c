/* SPDX-License-Identifier: MIT
 * config/errnos: names and numbers belong together, both ways.
 */
#include "config/errnos.h"
#include "tests/unit/check.h"

#include <errno.h>

static const struct {
    int number;
    const char *name;
} table[] = {
#define E(name) {name, #name},
#include "config/errnos.def"
#undef E
};

int main(void)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        check_row = table[i].name;
        CHECK(table[i].number > 0);
        CHECK_EQ(tmo_errno_number(table[i].name, strlen(table[i].name)), table[i].number);
        CHECK_TEXT(tmo_errno_name(table[i].number), table[i].name);
    }
    check_row = NULL;

    CHECK_EQ(tmo_errno_number("etimedout", 9), ETIMEDOUT);
    CHECK_EQ(tmo_errno_number("EWOULDBLOCK", 11), EWOULDBLOCK);
    CHECK_TEXT(tmo_errno_name(EWOULDBLOCK), "EAGAIN");      /* one number on Linux, one name */
    CHECK_EQ(tmo_errno_number("ETIMEDOUT=", 9), ETIMEDOUT); /* the length counts */
    CHECK_EQ(tmo_errno_number("ETIMEDOU", 8), 0);
    CHECK_EQ(tmo_errno_number("ETIMEDOUTX", 10), 0);
    CHECK_EQ(tmo_errno_number("TIMEDOUT", 8), 0);
    CHECK_EQ(tmo_errno_number("110", 3), 0);
    CHECK_EQ(tmo_errno_number("", 0), 0);
    CHECK_TEXT(tmo_errno_name(0), NULL);
    CHECK_TEXT(tmo_errno_name(-1), NULL);
    CHECK_TEXT(tmo_errno_name(99999), NULL);
    return check_end();
}
