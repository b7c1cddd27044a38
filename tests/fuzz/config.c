/* SPDX-License-Identifier: MIT
 * Fuzzing of config/load and all below it, for libFuzzer: the input becomes an environment, that
 * becomes a configuration, and what it prints, loaded again, must give the same one.
 *
 * The input is cut at NUL bytes. The first byte of a piece chooses a setting, and the rest is its
 * value; one more number than there are settings means that the rest is a whole variable.
 */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#define VARIABLES_MAX 32
#define PREFIX        "SOCKTMO_"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* NAME=VALUE in memory of its own, exactly as long as it is: a reader that goes on is seen. */
static char *variable(const char *name, const char *value, size_t len)
{
    size_t name_len = name != NULL ? strlen(PREFIX) + strlen(name) + 1 : 0;
    char *text = malloc(name_len + len + 1);
    require(text != NULL);
    if (name != NULL) {
        memcpy(text, PREFIX, strlen(PREFIX));
        memcpy(text + strlen(PREFIX), name, strlen(name));
        text[name_len - 1] = '=';
    }
    memcpy(text + name_len, value, len);
    text[name_len + len] = '\0';
    return text;
}

static void count_problem(void *ctx, const struct tmo_problem *problem)
{
    ++*(int *)ctx;
    require(strncmp(problem->where, PREFIX, strlen(PREFIX)) == 0);
    require(problem->what[0] != '\0' && strlen(problem->what) < 256);
    (void)tmo_problem_hash(0, problem);
}

static void free_all(char **envp)
{
    for (; *envp != NULL; envp++)
        free(*envp);
}

/* Loads what CFG prints and compares. */
static void check_again(const struct tmo_config *cfg)
{
    static struct tmo_config again;
    char *envp[TMO_SETTINGS + 1];
    int count = 0, problems = 0;

    for (int i = 0; i < TMO_SETTINGS; i++) {
        enum tmo_setting id = (enum tmo_setting)i;
        char buf[TMO_SETTING_TEXT];
        const char *text = cfg->text[i];
        if (text == NULL) {
            size_t len = tmo_setting_print(id, cfg->value[i], buf);
            require(len == strlen(buf) && len > 0);
            text = buf;
        }
        if (cfg->source[i] == TMO_FROM_ENVIRONMENT && cfg->through[i] == i)
            envp[count++] = variable(tmo_setting_info[i].name, text, strlen(text));
    }
    envp[count] = NULL;
    tmo_config_init(&again);
    require(tmo_config_load_env(&again, envp, count_problem, &problems) == 0 && problems == 0);
    for (int i = 0; i < TMO_SETTINGS; i++) {
        require(again.value[i] == cfg->value[i] && cfg->value[i] >= 0);
        require(again.source[i] == cfg->source[i] && again.through[i] == cfg->through[i]);
        require((again.text[i] == NULL) == (cfg->text[i] == NULL));
        require(again.text[i] == NULL || strcmp(again.text[i], cfg->text[i]) == 0);
    }
    free_all(envp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tmo_config cfg;
    char *envp[VARIABLES_MAX + 1];
    const char *at = (const char *)data, *end = at + size;
    int count = 0, problems = 0;

    while (at < end && count < VARIABLES_MAX) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (at < stop) {
            int id = (uint8_t)*at++ % (TMO_SETTINGS + 1);
            const char *name = id < TMO_SETTINGS ? tmo_setting_info[id].name : NULL;
            envp[count++] = variable(name, at, (size_t)(stop - at));
        }
        at = stop < end ? stop + 1 : end;
    }
    envp[count] = NULL;

    tmo_config_init(&cfg);
    require(tmo_config_load_env(&cfg, envp, count_problem, &problems) == problems);
    free_all(envp); /* the configuration must not need the environment any more */
    (void)tmo_config_active(&cfg);
    (void)tmo_config_wants(&cfg, "program[1]");
    check_again(&cfg);
    return 0;
}
