/* SPDX-License-Identifier: MIT
 * Messages of the command. See say.h.
 */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

size_t tmo_cli_put(FILE *out, const char *text)
{
    size_t count = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        int n = 2;
        if (*p == '\n') {
            fputs("\\n", out);
        } else if (*p == '\t') {
            fputs("\\t", out);
        } else if (*p == '\\') {
            fputs("\\\\", out);
        } else if (*p < 0x20 || *p == 0x7f) {
            n = fprintf(out, "\\x%02x", *p);
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) { /* C1, some terminals obey it */
            n = fprintf(out, "\\x%02x\\x%02x", *p, p[1]);
            p++;
        } else {
            fputc(*p, out);
            n = 1;
        }
        count += n > 0 ? (size_t)n : 0;
    }
    return count;
}

void tmo_cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("socktmo: ", stderr);
    for (const char *p = format; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 's') {
            tmo_cli_put(stderr, va_arg(args, const char *));
            p++;
        } else {
            fputc(*p, stderr);
        }
    }
    fputc('\n', stderr); /* line-buffered by main(): goes out here, before any exec */
    va_end(args);
}

void tmo_cli_tell(void *ctx, const struct tmo_problem *problem)
{
    (void)ctx;
    tmo_cli_say("%s='%s': %s", problem->where, problem->value, problem->what);
}

int tmo_cli_finish(int status, int failed)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    tmo_cli_say("standard output: %s", strerror(errno != 0 ? errno : EIO));
    return failed;
}
