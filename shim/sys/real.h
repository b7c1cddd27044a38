/* SPDX-License-Identifier: MIT
 * The functions that we stand in front of: one pointer a row of symbols.def.
 * Layer: sys. With sys/raw the only way to the kernel.
 *
 * A pointer is never NULL and may be called at any time, also before our constructor has run
 * (other libraries' constructors do that; and on musl ours comes late): until tmo_real_bind() it
 * leads to a stub that binds first.
 */
#ifndef TMO_SYS_REAL_H
#define TMO_SYS_REAL_H

#include "shim/sys/libc.h"

struct tmo_real {
#define SYM(ret, name, params, args, nr) ret(*name) params;
#define OWN(name)
#define ALIAS(name, target)
#include "shim/symbols.def"
#undef SYM
#undef OWN
#undef ALIAS
};

extern struct tmo_real tmo_real TMO_HIDDEN;

/* Looks up every name behind us (RTLD_NEXT, so that other preloads keep their turn). Idempotent
 * and safe to run in two threads at once; not signal-safe (dlsym takes the loader's lock), which
 * is why the constructor calls it. errno is kept. */
void tmo_real_bind(void);

/* The function NAME behind us, looked up now, so also in libraries that came after us; NULL if
 * there is none. Not signal-safe. For what is called seldom, or only ends the program. */
void *tmo_real_late(const char *name);

/* Whether that is done. */
bool tmo_real_is_bound(void);

#endif
