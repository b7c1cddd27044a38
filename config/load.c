/* SPDX-License-Identifier: MIT
 * An environment -> one configuration. See load.h.
 */
#include "config/load.h"
#include "config/word.h"

#include <errno.h>
#include <string.h>

#define PREFIX     "SOCKTMO_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* A message put together from pieces; what does not fit is cut. */
struct message {
    char text[256];
    size_t len;
};

static void add(struct message *m, const char *piece, size_t len)
{
    if (len > sizeof(m->text) - 1 - m->len)
        len = sizeof(m->text) - 1 - m->len;
    memcpy(m->text + m->len, piece, len);
    m->len += len;
    m->text[m->len] = '\0';
}

static void adds(struct message *m, const char *piece)
{
    add(m, piece, strlen(piece));
}

/* The last item of a list that the table does not know, for the suggestion. */
static void unknown_item(enum tmo_setting id, const char *text, const char **ret, size_t *ret_len)
{
    *ret = text;
    *ret_len = strlen(text);
    if (tmo_setting_info[id].type != TMO_TYPE_LIST)
        return;
    size_t len;
    for (const char *item; (item = tmo_word_next(&text, &len)) != NULL;) {
        int64_t ignored;
        if (tmo_setting_parse(id, item, len, &ignored) < 0) {
            *ret = item;
            *ret_len = len;
            return;
        }
    }
}

static void explain(struct message *m, enum tmo_setting id, const char *text, int error)
{
    const char *word;
    size_t len;

    adds(m, error == -ERANGE ? "too long a time, expected " : "expected ");
    adds(m, tmo_setting_expected(id));
    unknown_item(id, text, &word, &len);
    const char *near = tmo_setting_near_word(id, word, len, &len);
    if (near != NULL) {
        adds(m, "; did you mean ");
        add(m, near, len);
        adds(m, "?");
    }
}

static void explain_unknown(struct message *m, const char *name, size_t len)
{
    enum tmo_setting near = tmo_setting_near(name, len);
    adds(m, "unknown setting");
    if (near != TMO_SETTINGS) {
        adds(m, ", did you mean " PREFIX);
        adds(m, tmo_setting_info[near].name);
        adds(m, "?");
    } else {
        adds(m, ", expected one that libsocktmo(8) lists");
    }
}

/* Takes TEXT as the value of setting ID. 0, or a negative errno and CFG is as before. */
static int set(struct tmo_config *cfg, enum tmo_setting id, const char *text)
{
    size_t len = strlen(text);
    int64_t value;
    int r = tmo_setting_parse(id, text, len, &value);
    if (r < 0)
        return r;
    if (cfg->text[id] != NULL) {
        if (len >= TMO_CONFIG_TEXT - cfg->stored)
            return -E2BIG;
        memcpy(cfg->store + cfg->stored, text, len + 1);
        cfg->text[id] = cfg->store + cfg->stored;
        cfg->stored += len + 1;
    }
    cfg->value[id] = value;
    return 0;
}

void tmo_config_init(struct tmo_config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    for (int id = 0; id < TMO_SETTINGS; id++) {
        const struct tmo_setting_info *info = &tmo_setting_info[id];
        if (info->type == TMO_TYPE_GLOBS || info->type == TMO_TYPE_SINK)
            cfg->text[id] = "";
        else if (strcmp(info->deflt, "off") != 0 && /* which is 0 in every type */
                 (info->type != TMO_TYPE_WORD ||    /* as is the first word */
                  strncmp(info->words, info->deflt, strlen(info->deflt)) != 0))
            (void)tmo_setting_parse((enum tmo_setting)id, info->deflt, strlen(info->deflt),
                                    &cfg->value[id]); /* a unit test reads every default */
        cfg->through[id] = (uint8_t)id;
    }
}

static void spread_timeout(struct tmo_config *cfg)
{
    static const uint8_t parts[] = {TMO_SET_CONNECT, TMO_SET_RECV, TMO_SET_SEND};
    if (cfg->source[TMO_SET_TIMEOUT] == TMO_FROM_DEFAULT)
        return;
    for (size_t i = 0; i < sizeof(parts); i++) {
        if (cfg->source[parts[i]] != TMO_FROM_DEFAULT)
            continue;
        cfg->value[parts[i]] = cfg->value[TMO_SET_TIMEOUT];
        cfg->source[parts[i]] = cfg->source[TMO_SET_TIMEOUT];
        cfg->through[parts[i]] = TMO_SET_TIMEOUT;
    }
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

    struct message what = {.len = 0};
    enum tmo_setting id = TMO_SETTINGS;
    for (int i = 0; i < TMO_SETTINGS && id == TMO_SETTINGS; i++) { /* variables: as written */
        if (strncmp(tmo_setting_info[i].name, name, len) == 0 &&
            tmo_setting_info[i].name[len] == '\0')
            id = (enum tmo_setting)i;
    }
    if (id == TMO_SETTINGS) {
        explain_unknown(&what, name, len);
    } else {
        int r = set(cfg, id, equals + 1);
        if (r == 0) {
            cfg->source[id] = TMO_FROM_ENVIRONMENT;
            return true;
        }
        if (r == -E2BIG)
            adds(&what, "too long, expected less than 4096 bytes in all texts together");
        else
            explain(&what, id, equals + 1, r);
    }
    if (tell != NULL) {
        struct message where = {.len = 0};
        add(&where, variable, PREFIX_LEN + len);
        tell(ctx, &(struct tmo_problem){where.text, equals + 1, what.text});
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
    spread_timeout(cfg);
    return problems;
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
    return cfg->text[TMO_SET_LOG][0] != '\0';
}

uint32_t tmo_problem_hash(uint32_t hash, const struct tmo_problem *problem)
{
    const char *parts[] = {problem->where, problem->value};
    for (size_t i = 0; i < 2; i++) { /* FNV-1a */
        for (const char *p = parts[i]; *p != '\0'; p++)
            hash = (hash ^ (uint8_t)*p) * 16777619u;
        hash = (hash ^ '=') * 16777619u;
    }
    return hash;
}
