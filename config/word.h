/* SPDX-License-Identifier: MIT
 * Words in settings: comparing without regard to case, lists, near-misses, globs.
 * Layer: config (pure; ASCII only, whatever the locale). Everything here is signal-safe.
 */
#ifndef TMO_CONFIG_WORD_H
#define TMO_CONFIG_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* C as a small letter, if it is one of A to Z. */
static inline char tmo_word_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Folds the LEN bytes at TEXT into HASH: FNV-1a. */
static inline uint32_t tmo_word_hash(uint32_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash;
}

/* Whether A (ALEN bytes) and B (BLEN bytes) are the same word in either case. */
bool tmo_word_same(const char *a, size_t alen, const char *b, size_t blen);

/* Whether the LEN bytes at TEXT are WORD (NUL-terminated), upper and lower case being the same. */
bool tmo_word_is(const char *text, size_t len, const char *word);

/* Takes the next item of the comma list from *AT to END: as tmo_word_next(). */
const char *tmo_word_item(const char **at, const char *end, size_t *ret_len);

/* Takes the next item of a comma list: *AT is moved behind it (and its comma), *RET_LEN is its
 * length. Returns the item, or NULL when the list has ended. Blanks around an item do not count.
 * Start with *AT = the text; an empty item is returned with length 0. */
const char *tmo_word_next(const char **at, size_t *ret_len);

/* How many letters must be added, dropped, changed or swapped to turn A (ALEN bytes) into B;
 * upper and lower case being the same. Names longer than 40 bytes count as 99 apart. */
unsigned tmo_word_distance(const char *a, size_t alen, const char *b);

/* Whether NAME matches the glob PATTERN (LEN bytes): * any run, ? one byte, [a-z] [!a-z] a set,
 * \ takes the next byte as it is. No byte is special in NAME, not even '/'. */
bool tmo_word_glob(const char *pattern, size_t len, const char *name);

/* Whether NAME matches any glob of the comma list LIST. */
bool tmo_word_glob_list(const char *list, const char *name);

#endif
