/* SPDX-License-Identifier: MIT
 * JSON. See json.h. Which bytes of a string are escaped, and how, is the log's (report/line).
 */
#include "cli/json.h"
#include "shim/report/line.h"

#include <string.h>

static void begin(struct tmo_json *json, const char *key)
{
    if (json->follows)
        fputc(',', json->out);
    json->follows = true;
    if (key != NULL)
        fprintf(json->out, "\"%s\":", key);
}

void tmo_json_open(struct tmo_json *json, const char *key, char bracket)
{
    begin(json, key);
    fputc(bracket, json->out);
    json->follows = false;
}

void tmo_json_close(struct tmo_json *json, char bracket)
{
    fputc(bracket, json->out);
    json->follows = true;
}

void tmo_json_text(struct tmo_json *json, const char *key, const char *text)
{
    begin(json, key);
    if (text == NULL) {
        fputs("null", json->out);
        return;
    }
    fputc('"', json->out);
    const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
    while (p < end) {
        char unit[8];
        size_t taken, n = tmo_line_escape(p, (size_t)(end - p), true, unit, &taken);
        fwrite(unit, 1, n, json->out);
        p += taken;
    }
    fputc('"', json->out);
}

void tmo_json_number(struct tmo_json *json, const char *key, unsigned long n)
{
    begin(json, key);
    fprintf(json->out, "%lu", n);
}
