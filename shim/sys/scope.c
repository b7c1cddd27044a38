/* SPDX-License-Identifier: MIT
 * Looking names up. See scope.h. The layout of DT_GNU_HASH: a header of four words, a Bloom filter,
 * buckets, and one word a symbol, the last of each chain with its lowest bit set (glibc,
 * elf/dl-lookup.c, do_lookup_x; binutils, bfd/elflink.c).
 */
#include "shim/sys/scope.h"

#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

/* The loader's list of what is loaded; musl has it under no name. (glibc, elf/link.h) */
extern struct r_debug _r_debug __attribute__((weak));

#define WORD_BITS (8 * sizeof(ElfW(Addr)))

/* An address of a dynamic section: glibc writes the base into most of them, musl into none. */
static uintptr_t absolute(const struct link_map *map, uintptr_t at)
{
    return at < map->l_addr ? map->l_addr + at : at;
}

/* Returns whether the library MAP has a table that we can read. */
static int read_part(const struct link_map *map, struct tmo_scope_part *ret)
{
    *ret = (struct tmo_scope_part){.base = map->l_addr};
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        uintptr_t at = absolute(map, d->d_un.d_ptr);
        if (d->d_tag == DT_GNU_HASH)
            ret->hash = (const uint32_t *)at;
        else if (d->d_tag == DT_SYMTAB)
            ret->symbols = (const ElfW(Sym) *)at;
        else if (d->d_tag == DT_STRTAB)
            ret->strings = (const char *)at;
        else if (d->d_tag == DT_VERSYM)
            ret->versions = (const uint16_t *)at;
    }
    return ret->hash != NULL && ret->symbols != NULL && ret->strings != NULL;
}

void tmo_scope_behind(const ElfW(Dyn) * own, struct tmo_scope *ret)
{
    ret->count = 0;
    const struct link_map *map = &_r_debug != NULL ? _r_debug.r_map : NULL;
    while (map != NULL && map->l_ld != own)
        map = map->l_next;
    for (map = map != NULL ? map->l_next : NULL; map != NULL && ret->count < TMO_SCOPE_MAX;
         map = map->l_next) {
        if (!read_part(map, &ret->parts[ret->count]))
            return;
        ret->count++;
    }
}

void tmo_scope_of_kernel(struct tmo_scope *ret)
{
    uintptr_t base = getauxval(AT_SYSINFO_EHDR); /* 0: there is none */
    const struct link_map *map = &_r_debug != NULL && base != 0 ? _r_debug.r_map : NULL;
    while (map != NULL && map->l_addr != base)
        map = map->l_next;
    ret->count = map != NULL && read_part(map, &ret->parts[0]);
}

/* The hash of a name (Bernstein's), as DT_GNU_HASH has it. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
        hash = hash * 33 + *p;
    return hash;
}

/* The symbol NAME of PART in its default version, or NULL. */
static const ElfW(Sym) * find_in(const struct tmo_scope_part *part, const char *name, uint32_t hash)
{
    uint32_t buckets = part->hash[0], first = part->hash[1];
    uint32_t filters = part->hash[2], shift = part->hash[3];
    const ElfW(Addr) *filter = (const ElfW(Addr) *)(const void *)(part->hash + 4);
    const uint32_t *bucket = (const uint32_t *)(const void *)(filter + filters);
    const uint32_t *chain = bucket + buckets;

    ElfW(Addr) word = filter[(hash / WORD_BITS) % filters];
    if ((word >> (hash % WORD_BITS) & word >> ((hash >> shift) % WORD_BITS) & 1) == 0)
        return NULL;
    uint32_t index = bucket[hash % buckets];
    if (index < first)
        return NULL;
    for (;; index++) {
        uint32_t there = chain[index - first];
        const ElfW(Sym) *symbol = &part->symbols[index];
        if ((there | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            strcmp(part->strings + symbol->st_name, name) == 0) {
            /* the top bit hides what is no default; 0 is local (elf.h, VERSYM_HIDDEN) */
            uint16_t version = part->versions != NULL ? part->versions[index] : 1;
            if ((version & 0x8000) == 0 && version != 0)
                return symbol;
        }
        if ((there & 1) != 0)
            return NULL;
    }
}

void *tmo_scope_find(const struct tmo_scope *scope, const char *name)
{
    uint32_t hash = hash_of(name);
    for (unsigned i = 0; i < scope->count; i++) {
        const ElfW(Sym) *symbol = find_in(&scope->parts[i], name, hash);
        if (symbol == NULL)
            continue;
        /* The fields lie alike in both classes: elf.h, ELF64_ST_TYPE. */
        unsigned type = symbol->st_info & 0xf, bind = symbol->st_info >> 4;
        if (type != STT_FUNC || (bind != STB_GLOBAL && bind != STB_WEAK))
            return NULL;
        return (void *)(scope->parts[i].base + symbol->st_value);
    }
    return NULL;
}
