/* SPDX-License-Identifier: MIT
 * Words in settings. See word.h. <ctype.h> and fnmatch(3) follow the host's locale and may
 * allocate, so neither is used.
 */
#include "config/word.h"

#include <string.h>

#define NAME_MAX_BYTES 40

bool tmo_word_same(const char *a, size_t alen, const char *b, size_t blen)
{
    if (alen != blen)
        return false;
    for (size_t i = 0; i < alen; i++) {
        if (tmo_word_lower(a[i]) != tmo_word_lower(b[i]))
            return false;
    }
    return true;
}

bool tmo_word_is(const char *text, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\0' || tmo_word_lower(text[i]) != tmo_word_lower(word[i]))
            return false;
    }
    return word[len] == '\0';
}

const char *tmo_word_item(const char **at, const char *end, size_t *ret_len)
{
    const char *start = *at;
    if (start == NULL)
        return NULL;
    const char *comma = start < end ? memchr(start, ',', (size_t)(end - start)) : NULL;
    *at = comma != NULL ? comma + 1 : NULL;
    const char *stop = comma != NULL ? comma : end;
    while (start < stop && (*start == ' ' || *start == '\t'))
        start++;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    *ret_len = (size_t)(stop - start);
    return start;
}

const char *tmo_word_next(const char **at, size_t *ret_len)
{
    return *at != NULL ? tmo_word_item(at, *at + strlen(*at), ret_len) : NULL;
}

unsigned tmo_word_distance(const char *a, size_t alen, const char *b)
{
    size_t blen = strlen(b);
    if (alen > NAME_MAX_BYTES || blen > NAME_MAX_BYTES)
        return 99;
    /* Three rows of the edit matrix (Damerau's: a swap of neighbours is one step). */
    unsigned rows[3][NAME_MAX_BYTES + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= blen; j++)
        above[j] = (unsigned)j;
    memcpy(before, above, sizeof(rows[0]));
    for (size_t i = 1; i <= alen; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= blen; j++) {
            unsigned best = above[j - 1] + (tmo_word_lower(a[i - 1]) != tmo_word_lower(b[j - 1]));
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && tmo_word_lower(a[i - 1]) == tmo_word_lower(b[j - 2]) &&
                tmo_word_lower(a[i - 2]) == tmo_word_lower(b[j - 1]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[blen];
}

/* Matches one set "[...]" that starts at P against C. Returns the byte behind it, or NULL when the
 * set is not closed; *RET_HIT says whether C is in it. */
static const char *glob_set(const char *p, const char *end, char c, bool *ret_hit)
{
    bool negated = false, hit = false;
    p++;
    if (p < end && (*p == '!' || *p == '^')) {
        negated = true;
        p++;
    }
    for (bool first = true; p < end && (first || *p != ']'); first = false) {
        unsigned char from = (unsigned char)*p, to = from;
        if (p + 2 < end && p[1] == '-' && p[2] != ']') {
            to = (unsigned char)p[2];
            p += 2;
        }
        hit = hit || ((unsigned char)c >= from && (unsigned char)c <= to);
        p++;
    }
    if (p >= end)
        return NULL;
    *ret_hit = hit != negated;
    return p + 1;
}

bool tmo_word_glob(const char *pattern, size_t len, const char *name)
{
    const char *p = pattern, *end = pattern + len;
    const char *star = NULL, *star_name = NULL; /* where to go on when a longer * is needed */

    for (;;) {
        if (p < end && *p == '*') {
            star = ++p;
            star_name = name;
            continue;
        }
        bool hit = false;
        const char *next = p;
        if (*name == '\0') {
            if (p == end)
                return true;
            return false;
        }
        if (p < end) {
            const char *after_set = *p == '[' ? glob_set(p, end, *name, &hit) : NULL;
            if (after_set != NULL) {
                next = after_set;
            } else if (*p == '?') {
                hit = true;
                next = p + 1;
            } else {
                if (*p == '\\' && p + 1 < end)
                    p++;
                hit = *p == *name;
                next = p + 1;
            }
        }
        if (hit) {
            p = next;
            name++;
        } else if (star != NULL) {
            p = star;
            name = ++star_name;
        } else {
            return false;
        }
    }
}

bool tmo_word_glob_list(const char *list, const char *name)
{
    size_t len;
    for (const char *item; (item = tmo_word_next(&list, &len)) != NULL;) {
        if (tmo_word_glob(item, len, name))
            return true;
    }
    return false;
}
