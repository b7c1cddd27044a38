/* SPDX-License-Identifier: MIT
 * sys/scope: names are found where dlsym(3) finds them. This program stands before libc as the
 * library does.
 */
#include "shim/sys/scope.h"
#include "tests/unit/check.h"

#include <dlfcn.h>
#include <stdio.h>

static const char *const names[] = {
#define SYM(ret, name, params, args, nr) #name,
#define OWN(name)                        #name,
#define ALIAS(name, target)              #name,
#include "shim/symbols.def"
#undef SYM
#undef OWN
#undef ALIAS
};

int main(void)
{
    struct tmo_scope scope;
    unsigned found = 0;
    tmo_scope_behind(_DYNAMIC, &scope);
#ifdef __GLIBC__ /* musl does not show its list: there all is asked of dlsym(3) */
    CHECK(scope.count >= 1);
#endif
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *there = tmo_scope_find(&scope, names[i]);
        CHECK(there == NULL || there == dlsym(RTLD_NEXT, names[i]));
        found += there != NULL;
    }
    /* nearly all: what is left is asked of dlsym(3), at its price */
#ifdef __GLIBC__
    CHECK(found * 10 >= sizeof(names) / sizeof(names[0]) * 9);
#endif

    CHECK(tmo_scope_find(&scope, "no_such_name_anywhere") == NULL);
    CHECK(tmo_scope_find(&scope, "") == NULL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they have one of their own  \
                                                                     */
    CHECK(tmo_scope_find(&scope, "memcpy") == NULL); /* chosen at run time: not just a function */
#endif
    CHECK(tmo_scope_find(&scope, "environ") == NULL); /* no function */

    tmo_scope_behind(NULL, &scope); /* not in the list */
    CHECK_EQ(scope.count, 0);
    CHECK(tmo_scope_find(&scope, "read") == NULL);
    return check_end();
}
