/* SPDX-License-Identifier: MIT
 * Memory for what is read. See arena.h.
 */
#include "config/arena.h"

#include <string.h>

#define PIECE 16384

struct tmo_arena_piece {
    struct tmo_arena_piece *before;
    size_t size;
};

void *tmo_arena_take(struct tmo_arena *arena, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > arena->left) {
        size_t whole = size + sizeof(*arena->last);
        whole = whole > PIECE / 2 ? whole : PIECE;
        struct tmo_arena_piece *piece = arena->map(whole);
        if (piece == NULL)
            return NULL;
        *piece = (struct tmo_arena_piece){arena->last, whole};
        arena->last = piece;
        if (whole - sizeof(*piece) - size < arena->left) /* more is left of the one before */
            return piece + 1;
        arena->at = (char *)(piece + 1);
        arena->left = whole - sizeof(*piece);
    }
    void *taken = arena->at;
    arena->at += size;
    arena->left -= size;
    return taken;
}

char *tmo_arena_text(struct tmo_arena *arena, const char *text, size_t len)
{
    char *copy = tmo_arena_take(arena, len + 1);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

void tmo_arena_free(struct tmo_arena *arena)
{
    struct tmo_arena_piece *piece = arena->last;
    while (piece != NULL) {
        struct tmo_arena_piece *before = piece->before;
        arena->unmap(piece, piece->size);
        piece = before;
    }
    arena->last = NULL;
    arena->at = NULL;
    arena->left = 0;
}
