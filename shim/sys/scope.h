/* SPDX-License-Identifier: MIT
 * Looking names up in the libraries behind us, as dlsym(3) with RTLD_NEXT does for a library that
 * was there at start, at a fifth of its price. Layer: sys. Signal-safe; errno is kept.
 */
#ifndef TMO_SYS_SCOPE_H
#define TMO_SYS_SCOPE_H

#include <elf.h>
#include <link.h>
#include <stdint.h>

/* Of the file that this is linked into; the linker makes it. musl's link.h does not have it. */
extern ElfW(Dyn) _DYNAMIC[];

enum { TMO_SCOPE_MAX = 64 };

/* What is needed of each library: its table of names (DT_GNU_HASH), by address. */
struct tmo_scope {
    unsigned count;
    struct tmo_scope_part {
        const uint32_t *hash;
        const ElfW(Sym) * symbols;
        const char *strings;
        const uint16_t *versions; /* NULL: it has none */
        uintptr_t base;
    } parts[TMO_SCOPE_MAX];
};

/* Finds the libraries behind the one that OWN, its _DYNAMIC, belongs to, in the order in which the
 * loader has them. Where anything is unusual (no list, not in it, a library without DT_GNU_HASH,
 * too many) what lies behind that is left out. */
void tmo_scope_behind(const ElfW(Dyn) * own, struct tmo_scope *ret);

/* The kernel's own library (vdso(7)), which stands before us in glibc's list. Empty where there is
 * none, or the loader does not list it. */
void tmo_scope_of_kernel(struct tmo_scope *ret);

/* The function NAME in its default version, or NULL: there is none, or it is not just a function,
 * or only what was left out could have it. Then dlsym(3) has to be asked. */
void *tmo_scope_find(const struct tmo_scope *scope, const char *name);

#endif
