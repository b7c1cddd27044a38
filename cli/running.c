/* SPDX-License-Identifier: MIT
 * What a running process has of the library. See running.h.
 */
#include "cli/running.h"
#include "cli/say.h"
#include "shim/policy/readfile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Reads files where the process has them: in its own root. */
static const struct tmo_process *whose;

static int read_there(const char *path, bool is_config, struct tmo_arena *arena,
                      const char **ret_text, size_t *ret_len)
{
    char there[PATH_MAX];
    tmo_process_path(whose, path, there);
    return tmo_readfile.read(there, is_config, arena, ret_text, ret_len);
}

static int read_there_secure(const char *path, bool is_config, struct tmo_arena *arena,
                             const char **ret_text, size_t *ret_len)
{
    char there[PATH_MAX];
    tmo_process_path(whose, path, there);
    return tmo_readfile_secure.read(there, is_config, arena, ret_text, ret_len);
}

static void tell_library(const struct tmo_process *p, const char *ours, struct tmo_sheet *sheet)
{
    char reason[PATH_MAX + 128];
    switch (p->copy) {
    case TMO_COPY_OURS:
        snprintf(reason, sizeof(reason), "the one of this command");
        break;
    case TMO_COPY_DELETED:
        snprintf(reason, sizeof(reason),
                 "its file was deleted or replaced since: only when it is started again will it "
                 "have the new one");
        break;
    case TMO_COPY_WRITTEN:
        snprintf(reason, sizeof(reason),
                 "the file of this command, written to since the process started: it may have an "
                 "older one");
        break;
    case TMO_COPY_SAME:
        snprintf(reason, sizeof(reason), "the same as %s", ours);
        break;
    case TMO_COPY_ANOTHER:
        snprintf(reason, sizeof(reason), "another than %s", ours);
        break;
    default:
        snprintf(reason, sizeof(reason), "whether it is the same as %s cannot be seen", ours);
    }
    tmo_sheet_fact(sheet, "loaded", p->library, reason);
}

static void tell_variables(const struct tmo_process *p, struct tmo_sheet *sheet)
{
    const char **ours = NULL;
    size_t count = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        count = 0;
        for (char **v = p->envp; *v != NULL; v++) {
            if (strncmp(*v, "SOCKTMO_", strlen("SOCKTMO_")) != 0)
                continue;
            if (ours != NULL)
                ours[count] = *v;
            count++;
        }
        if (pass == 0 && (ours = calloc(count + 1, sizeof(*ours))) == NULL)
            return;
    }
    tmo_sheet_list(sheet, "environment", ours, count);
    free(ours);
}

static void tell_settings(const struct tmo_loaded *loaded, struct tmo_sheet *sheet)
{
    char buf[TMO_SETTING_TEXT], key[40];
    if (sheet->as_json)
        tmo_json_open(&sheet->json, "settings", '{');
    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        if (loaded->cfg.source[id] == TMO_FROM_DEFAULT)
            continue;
        const char *value = tmo_cli_value(id, loaded->cfg.value[id], loaded->cfg.text[id], buf);
        char *origin = tmo_cli_origin(&loaded->cfg, id);
        tmo_setting_key(id, key, sizeof(key));
        if (sheet->as_json) {
            tmo_json_open(&sheet->json, key, '{');
            tmo_json_text(&sheet->json, "value", value);
            tmo_json_text(&sheet->json, "origin", origin);
            tmo_json_close(&sheet->json, '}');
        } else {
            printf("setting: %s = ", key);
            tmo_cli_put(stdout, value);
            fputs(" (", stdout);
            tmo_cli_put(stdout, origin != NULL ? origin : "");
            fputs(")\n", stdout);
        }
        free(origin);
    }
    if (sheet->as_json)
        tmo_json_close(&sheet->json, '}');
}

static void tell_file(const struct tmo_process *p, const struct tmo_loaded *loaded,
                      struct tmo_sheet *sheet)
{
    const char *path = loaded->cfg.text[TMO_SET_CONFIG];
    char there[PATH_MAX];
    struct stat st;
    if (path == NULL || path[0] == '\0') {
        tmo_sheet_fact(sheet, "file", "none", "none is asked for");
        return;
    }
    tmo_process_path(p, path, there);
    if (!loaded->cfg.has_file || stat(there, &st) < 0)
        tmo_sheet_fact(sheet, "file", path, "not read: it is not there, or cannot be read");
    else if (!tmo_process_is_younger(p, &st.st_ctim))
        tmo_sheet_fact(sheet, "file", path, "as it was when the process started");
    else if (path[0] == '/')
        tmo_sheet_fact(
            sheet, "file", path,
            "changed since the process started: what is shown here is the new one, which "
            "holds for sockets made since then if the file was there before and is good");
    else
        tmo_sheet_fact(sheet, "file", path,
                       "changed since the process started, and read only at the start, as it has a "
                       "relative path");
}

static void tell_acts(const struct tmo_process *p, const struct tmo_loaded *loaded,
                      struct tmo_sheet *sheet)
{
    const struct tmo_config *cfg = &loaded->cfg;
    if (cfg->value[TMO_SET_DISABLE] != 0)
        tmo_sheet_fact(sheet, "acts", "no", "disable is on");
    else if (!tmo_config_wants(cfg, p->program))
        tmo_sheet_fact(sheet, "acts", "no", "by only or skip");
    else if (!tmo_config_active(cfg) && loaded->rules.count == 0)
        tmo_sheet_fact(sheet, "acts", "no", "no limit, option or log is set");
    else
        tmo_sheet_fact(sheet, "acts", "yes",
                       loaded->faults_count == 0
                           ? "all settings are good"
                           : "but there are faults in the settings, which are left out");
}

int tmo_cli_running_facts(const struct tmo_process *p, const char *ours, struct tmo_loaded *loaded,
                          struct tmo_sheet *sheet)
{
    static const struct tmo_reader reader = {read_there}, secure = {read_there_secure};
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)p->pid);
    tmo_sheet_fact(sheet, "process", pid, p->program);
    if (p->library == NULL)
        tmo_sheet_fact(sheet, "loaded", "no", "the library is not in its memory");
    else
        tell_library(p, ours, sheet);
    tell_variables(p, sheet);
    if (p->library == NULL)
        return 0;
    if (p->secure)
        tmo_sheet_fact(sheet, "ignored", "its environment",
                       "it was started with more rights than its caller's");
    whose = p;
    int r =
        tmo_cli_load_from(p->secure ? NULL : p->envp, p->secure ? &secure : &reader, NULL, loaded);
    if (r < 0)
        return r;
    tell_settings(loaded, sheet);
    tell_file(p, loaded, sheet);
    tell_acts(p, loaded, sheet);
    return 0;
}
