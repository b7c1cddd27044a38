/* SPDX-License-Identifier: MIT
 * The small string functions, of our own and only within the library: each that came from libc
 * would be looked up, and its variant for this CPU chosen, at the start of every program
 * (0.7k instructions a name on glibc 2.36, for what is used a few times). Not in the archive: the
 * command takes libc's. Layer: sys. ISO C 7.24, POSIX strnlen.
 */
#include <stddef.h>
#include <string.h>

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *p = a, *q = b;
    for (; len > 0 && *p == *q; len--, p++, q++)
        continue;
    return len > 0 ? *p - *q : 0;
}

void *memchr(const void *at, int byte, size_t len)
{
    const unsigned char *p = at;
    for (; len > 0; len--, p++) {
        if (*p == (unsigned char)byte)
            return (void *)(size_t)p;
    }
    return NULL;
}

size_t strnlen(const char *text, size_t max)
{
    size_t len = 0;
    while (len < max && text[len] != '\0')
        len++;
    return len;
}

char *strchr(const char *text, int byte)
{
    for (; *text != (char)byte; text++) {
        if (*text == '\0')
            return NULL;
    }
    return (char *)(size_t)text;
}

char *strrchr(const char *text, int byte)
{
    const char *found = NULL;
    do {
        if (*text == (char)byte)
            found = text;
    } while (*text++ != '\0');
    return (char *)(size_t)found;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max > 0; max--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, (size_t)-1);
}

size_t strspn(const char *text, const char *set)
{
    size_t len = 0;
    while (text[len] != '\0' && strchr(set, text[len]) != NULL)
        len++;
    return len;
}

size_t strcspn(const char *text, const char *set)
{
    size_t len = 0;
    while (text[len] != '\0' && strchr(set, text[len]) == NULL)
        len++;
    return len;
}
