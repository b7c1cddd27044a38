/* SPDX-License-Identifier: MIT
 * Memory for what is read: taken bit by bit, given back all at once or never.
 * Layer: config (pure: where the memory comes from is handed in).
 */
#ifndef TMO_CONFIG_ARENA_H
#define TMO_CONFIG_ARENA_H

#include <stddef.h>

struct tmo_arena {
    /* SIZE bytes, all zero, aligned to 16; NULL: there is none. */
    void *(*map)(size_t size);
    void (*unmap)(void *at, size_t size);
    struct tmo_arena_piece *last; /* NULL at first */
    char *at;
    size_t left;
};

/* SIZE bytes, all zero, aligned to 8; NULL: no memory. */
void *tmo_arena_take(struct tmo_arena *arena, size_t size);

/* A copy of the LEN bytes at TEXT with a NUL behind; NULL: no memory. */
char *tmo_arena_text(struct tmo_arena *arena, const char *text, size_t len);

/* Gives all of it back. */
void tmo_arena_free(struct tmo_arena *arena);

#endif
