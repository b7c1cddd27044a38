/* SPDX-License-Identifier: MIT
 * /etc/services. See services.h.
 */
#include "config/services.h"
#include "config/word.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line from *AT to END; NULL: no more, or a comment. */
static const char *next(const char **at, const char *end, size_t *ret_len)
{
    const char *p = *at;
    while (p < end && is_blank(*p))
        p++;
    const char *word = p;
    while (p < end && !is_blank(*p) && *p != '#')
        p++;
    *at = p;
    *ret_len = (size_t)(p - word);
    return p > word ? word : NULL;
}

/* "5432/tcp" -> 5432, or -1. */
static int port_of(const char *text, size_t len)
{
    int port = 0;
    size_t i = 0;
    for (; i < len && text[i] >= '0' && text[i] <= '9' && port <= 65535; i++)
        port = port * 10 + (text[i] - '0');
    return i > 0 && i < len && text[i] == '/' && port <= 65535 ? port : -1;
}

int tmo_services_port(const char *text, size_t size, const char *name, size_t len)
{
    const char *end = text + size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL)
            line_end = end;
        size_t first_len, port_len, word_len;
        const char *first = next(&text, line_end, &first_len);
        const char *port = first != NULL ? next(&text, line_end, &port_len) : NULL;
        int number = port != NULL ? port_of(port, port_len) : -1;
        bool hit = number >= 0 && tmo_word_same(first, first_len, name, len);
        for (const char *word; number >= 0 && !hit && (word = next(&text, line_end, &word_len));)
            hit = tmo_word_same(word, word_len, name, len);
        if (hit)
            return number;
        text = line_end < end ? line_end + 1 : end;
    }
    return -1;
}
