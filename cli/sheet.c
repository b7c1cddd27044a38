/* SPDX-License-Identifier: MIT
 * Findings as lines or as JSON. See sheet.h.
 */
#include "cli/sheet.h"
#include "cli/say.h"

void tmo_sheet_open(struct tmo_sheet *sheet, bool as_json)
{
    *sheet = (struct tmo_sheet){.as_json = as_json, .json = {.out = stdout}};
    if (as_json)
        tmo_json_open(&sheet->json, NULL, '{');
}

void tmo_sheet_close(struct tmo_sheet *sheet)
{
    if (!sheet->as_json)
        return;
    tmo_json_close(&sheet->json, '}');
    fputc('\n', stdout);
}

void tmo_sheet_fact(struct tmo_sheet *sheet, const char *name, const char *value,
                    const char *reason)
{
    if (sheet->as_json) {
        tmo_json_open(&sheet->json, name, '{');
        tmo_json_text(&sheet->json, "value", value);
        tmo_json_text(&sheet->json, "reason", reason);
        tmo_json_close(&sheet->json, '}');
        return;
    }
    printf("%s: ", name);
    tmo_cli_put(stdout, value);
    if (reason != NULL) {
        fputs(" (", stdout);
        tmo_cli_put(stdout, reason);
        fputc(')', stdout);
    }
    fputc('\n', stdout);
}

void tmo_sheet_list(struct tmo_sheet *sheet, const char *name, const char *const *words,
                    size_t count)
{
    if (sheet->as_json) {
        tmo_json_open(&sheet->json, name, '[');
        for (size_t i = 0; i < count; i++)
            tmo_json_text(&sheet->json, NULL, words[i]);
        tmo_json_close(&sheet->json, ']');
        return;
    }
    printf("%s: %s", name, count == 0 ? "none" : "");
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        tmo_cli_put(stdout, words[i]);
    }
    fputc('\n', stdout);
}

void tmo_sheet_begin(struct tmo_sheet *sheet, const char *name)
{
    if (sheet->as_json)
        tmo_json_open(&sheet->json, name, '[');
}

void tmo_sheet_end(struct tmo_sheet *sheet)
{
    if (sheet->as_json)
        tmo_json_close(&sheet->json, ']');
}
