/* SPDX-License-Identifier: MIT
 * A file and an environment -> one configuration. See load.h.
 */
#include "config/load.h"
#include "config/parse.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

#define PREFIX     "SOCKTMO_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static void explain_unknown(struct tmo_message *m, const char *name, size_t len)
{
    enum tmo_setting near = tmo_setting_near(name, len);
    tmo_message_adds(m, "unknown setting");
    if (near != TMO_SETTINGS) {
        tmo_message_adds(m, ", did you mean " PREFIX);
        tmo_message_adds(m, tmo_setting_info[near].name);
        tmo_message_adds(m, "?");
    } else {
        tmo_message_adds(m, ", expected one that libsocktmo(8) lists");
    }
}

int tmo_config_set(struct tmo_config *cfg, enum tmo_setting id, const char *text, size_t len)
{
    int64_t value;
    int r = tmo_setting_parse(id, text, len, &value);
    if (r < 0)
        return r;
    if (cfg->text[id] != NULL) {
        if (len >= TMO_CONFIG_TEXT - cfg->stored)
            return -E2BIG;
        memcpy(cfg->store + cfg->stored, text, len);
        cfg->store[cfg->stored + len] = '\0';
        cfg->text[id] = cfg->store + cfg->stored;
        cfg->stored += len + 1;
    }
    cfg->value[id] = value;
    return 0;
}

void tmo_config_init(struct tmo_config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    cfg->file_hash = 14695981039346656037u;
    for (int id = 0; id < TMO_SETTINGS; id++) {
        const struct tmo_setting_info *info = &tmo_setting_info[id];
        if (tmo_setting_is_text((enum tmo_setting)id))
            cfg->text[id] = info->deflt;
        else if (strcmp(info->deflt, "off") != 0 && /* which is 0 in every type */
                 (info->type != TMO_TYPE_WORD ||    /* as is the first word */
                  strncmp(info->words, info->deflt, strlen(info->deflt)) != 0))
            (void)tmo_setting_parse((enum tmo_setting)id, info->deflt, strlen(info->deflt),
                                    &cfg->value[id]); /* a unit test reads every default */
        cfg->through[id] = (uint8_t)id;
    }
}

/* TIMEOUT as given in LAYER holds for those that LAYER does not give by their own names. */
static void spread_timeout(struct tmo_config *cfg, enum tmo_source layer)
{
    static const uint8_t parts[] = {TMO_SET_CONNECT, TMO_SET_RECV, TMO_SET_SEND};
    if (cfg->source[TMO_SET_TIMEOUT] != layer)
        return;
    for (size_t i = 0; i < sizeof(parts); i++) {
        if (cfg->source[parts[i]] == layer)
            continue;
        cfg->value[parts[i]] = cfg->value[TMO_SET_TIMEOUT];
        cfg->source[parts[i]] = (uint8_t)layer;
        cfg->through[parts[i]] = TMO_SET_TIMEOUT;
        cfg->file[parts[i]] = cfg->file[TMO_SET_TIMEOUT];
        cfg->line[parts[i]] = cfg->line[TMO_SET_TIMEOUT];
    }
}

/* --- the environment ------------------------------------------------------------------------- */

/* The setting that VARIABLE ("SOCKTMO_RECV=...") is for, as written; TMO_SETTINGS: none. */
static enum tmo_setting setting_of(const char *name, size_t len)
{
    int id = 0;
    while (id < TMO_SETTINGS && (strncmp(tmo_setting_info[id].name, name, len) != 0 ||
                                 tmo_setting_info[id].name[len] != '\0'))
        id++;
    return (enum tmo_setting)id;
}

static bool load_one(struct tmo_config *cfg, const char *variable, tmo_problem_fn *tell, void *ctx)
{
    const char *name = variable + PREFIX_LEN;
    const char *equals = strchr(name, '=');
    if (equals == NULL)
        return true;
    size_t len = (size_t)(equals - name);
    if (tmo_word_is(variable, PREFIX_LEN + len, TMO_TOLD_NAME))
        return true;

    struct tmo_message what = {.len = 0};
    enum tmo_setting id = setting_of(name, len);
    if (id == TMO_SETTINGS) {
        explain_unknown(&what, name, len);
    } else {
        struct tmo_span value = {equals + 1, strlen(equals + 1)};
        int r = tmo_config_set(cfg, id, value.at, value.len);
        if (r == 0) {
            cfg->source[id] = TMO_FROM_ENVIRONMENT;
            cfg->through[id] = (uint8_t)id;
            return true;
        }
        tmo_parse_expected(&what, id, value, r);
    }
    if (tell != NULL) {
        struct tmo_message where = {.len = 0};
        tmo_message_add(&where, variable, PREFIX_LEN + len);
        tell(ctx,
             &(struct tmo_problem){.where = where.text, .value = equals + 1, .what = what.text});
    }
    return false;
}

int tmo_config_load_env(struct tmo_config *cfg, char *const *envp, tmo_problem_fn *tell, void *ctx)
{
    int problems = 0;
    for (; envp != NULL && *envp != NULL; envp++) {
        if ((*envp)[0] == 'S' && strncmp(*envp, PREFIX, PREFIX_LEN) == 0)
            problems += !load_one(cfg, *envp, tell, ctx);
    }
    spread_timeout(cfg, TMO_FROM_ENVIRONMENT);
    return problems;
}

/* The value of the variable NAME, the last one of that name; NULL: there is none. */
static const char *last_of(char *const *envp, const char *name)
{
    const char *found = NULL;
    size_t len = strlen(name);
    for (; envp != NULL && *envp != NULL; envp++) {
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            found = *envp + len + 1;
    }
    return found;
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Tells that the file that VARIABLE names cannot be read. */
static void tell_unread(struct tmo_parse *p, const char *variable, const char *path, int error)
{
    struct tmo_message m = {.len = 0};
    p->faults++;
    tmo_message_adds(&m, "cannot be read: ");
    tmo_parse_why(&m, error);
    if (p->tell != NULL)
        p->tell(p->ctx,
                &(struct tmo_problem){
                    .where = variable, .value = path, .what = m.text, .is_place = path[0] == '\0'});
}

static void append(struct tmo_ruleset *rules, const struct tmo_ruleset *more)
{
    if (more->count == 0)
        return;
    if (rules->last != NULL)
        rules->last->next = more->first;
    else
        rules->first = more->first;
    rules->last = more->last;
    rules->count += more->count;
    rules->asks_host = rules->asks_host || more->asks_host;
    rules->asks_path = rules->asks_path || more->asks_path;
}

int tmo_config_load(struct tmo_config *cfg, struct tmo_ruleset *rules,
                    const struct tmo_sources *from, tmo_problem_fn *tell, void *ctx)
{
    struct tmo_ruleset of_file = {.count = 0}, of_env = {.count = 0};
    struct tmo_parse p = {.arena = from->arena, .reader = from->reader, .tell = tell, .ctx = ctx};
    const char *named = from->file != NULL ? from->file : last_of(from->envp, PREFIX "CONFIG");
    const char *path = named != NULL ? named : tmo_setting_info[TMO_SET_CONFIG].deflt;
    int missing = 0;

    tmo_config_init(cfg);
    if (from->reader != NULL && path[0] != '\0') {
        missing = tmo_parse_file(&p, path, cfg, &of_file);
        cfg->has_file = missing == 0;
        spread_timeout(cfg, TMO_FROM_FILE);
        if (missing < 0 && from->file == NULL && (named != NULL || missing != -ENOENT))
            tell_unread(&p, named != NULL ? PREFIX "CONFIG" : path, named != NULL ? path : "",
                        -missing);
        else if (missing < 0 && missing != -ENOENT)
            tell_unread(&p, path, "", -missing);
    }
    p.faults += tmo_config_load_env(cfg, from->envp, tell, ctx);
    if (cfg->source[TMO_SET_RULES] == TMO_FROM_ENVIRONMENT && from->arena != NULL) {
        p.file = PREFIX "RULES";
        tmo_parse_oneline(&p, cfg->text[TMO_SET_RULES], &of_env);
    }
    append(&of_env, &of_file);
    if (rules != NULL)
        *rules = of_env;
    return p.faults > 0 ? p.faults : missing == -ENOENT ? -ENOENT : 0;
}

bool tmo_config_wants(const struct tmo_config *cfg, const char *program)
{
    if (cfg->value[TMO_SET_DISABLE])
        return false;
    const char *only = cfg->text[TMO_SET_ONLY], *skip = cfg->text[TMO_SET_SKIP];
    return (only[0] == '\0' || tmo_word_glob_list(only, program)) &&
           (skip[0] == '\0' || !tmo_word_glob_list(skip, program));
}

bool tmo_config_active(const struct tmo_config *cfg)
{
    for (int id = 0; id < TMO_SETTINGS; id++) {
        enum tmo_setting_type type = tmo_setting_info[id].type;
        if ((type == TMO_TYPE_DURATION || type == TMO_TYPE_KEEPALIVE) && cfg->value[id] != 0)
            return true;
    }
    return cfg->text[TMO_SET_LOG][0] != '\0' || cfg->text[TMO_SET_SOCKOPT][0] != '\0';
}

uint32_t tmo_problem_hash(uint32_t hash, const struct tmo_problem *problem)
{
    const char *parts[] = {problem->where, problem->value};
    for (size_t i = 0; i < 2; i++) {
        hash = tmo_word_hash(hash, parts[i], strlen(parts[i]));
        hash = tmo_word_hash(hash, "=", 1);
    }
    return hash;
}
