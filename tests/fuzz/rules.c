/* SPDX-License-Identifier: MIT
 * Fuzzing of config/conf, oneline and match, for libFuzzer: the input is a configuration file, a
 * list of rules behind its first NUL byte, and a file to include behind the next.
 */
#include "config/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct {
    char *text; /* exactly as long as it is: a reader that goes on is seen */
    size_t len;
} parts[3];

static int read_part(const char *path, bool is_config, struct tmo_arena *arena,
                     const char **ret_text, size_t *ret_len)
{
    (void)arena;
    int part = strcmp(path, "/etc/socktmo.conf") == 0 ? 0 : 2;
    if (!is_config && strcmp(path, "/etc/services") != 0)
        return -ENOENT;
    *ret_text = parts[part].text;
    *ret_len = parts[part].len;
    return 0;
}

static const struct tmo_reader reader = {read_part};

static void *take_memory(size_t size)
{
    return calloc(1, size);
}

static void give_memory(void *at, size_t size)
{
    (void)size;
    free(at);
}

static void count_problem(void *ctx, const struct tmo_problem *problem)
{
    ++*(int *)ctx;
    require(problem->where[0] != '\0' && strlen(problem->where) < 256);
    require(problem->what[0] != '\0' && strlen(problem->what) < 256);
    require(problem->line == NULL || problem->column - 1 + problem->width <= problem->line_len);
}

/* Tries RULE on what it may say something about. */
static void try_rule(const struct tmo_rule *rule, const struct tmo_config *cfg)
{
    static const char *const paths[] = {NULL, "/run/x", "@x"};
    struct tmo_settled settled;
    for (int i = 0; i < 24; i++) {
        struct tmo_target target = {.dir = (uint8_t)(i % 3),
                                    .proto = (uint8_t)(1 << i % 3),
                                    .has_addr = i % 2 == 0,
                                    .port = (uint16_t)(i * 2999),
                                    .host = i % 4 == 0 ? "a.b-c.example.com" : NULL,
                                    .path = paths[i % 3],
                                    .program = i % 5 == 0 ? "program" : NULL};
        memset(target.addr, i * 11, sizeof(target.addr));
        if (tmo_rule_matches(rule, &target))
            require(!rule->placed || (rule->dirs & target.dir) != 0);
    }
    tmo_rule_settle(rule, cfg, &settled);
    for (int id = 0; id < TMO_SETTINGS; id++)
        require(settled.value[id] >= 0);
    require(rule->name != NULL && rule->file != NULL && rule->line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tmo_config cfg;
    struct tmo_arena arena = {.map = take_memory, .unmap = give_memory};
    struct tmo_ruleset rules;
    const char *at = (const char *)data, *end = at + size;
    int told = 0;

    for (int i = 0; i < 3; i++) {
        const char *stop = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        if (stop == NULL || i == 2)
            stop = end;
        parts[i].len = (size_t)(stop - at);
        parts[i].text = malloc(parts[i].len + (i == 1));
        require(parts[i].text != NULL || parts[i].len == 0);
        memcpy(parts[i].text, at, parts[i].len);
        at = stop < end ? stop + 1 : end;
    }
    static const char name[] = "SOCKTMO_RULES=";
    char *variable = calloc(1, sizeof(name) + parts[1].len);
    require(variable != NULL);
    memcpy(variable, name, sizeof(name) - 1);
    memcpy(variable + sizeof(name) - 1, parts[1].text, parts[1].len);
    char *envp[] = {variable, NULL};
    struct tmo_sources from = {.envp = envp, .reader = &reader, .arena = &arena};
    int problems = tmo_config_load(&cfg, &rules, &from, count_problem, &told);
    require(problems == told);
    for (int i = 0; i < 3; i++)
        free(parts[i].text);
    free(variable); /* what was read must not need it any more */

    unsigned count = 0;
    for (const struct tmo_rule *rule = rules.first; rule != NULL; rule = rule->next) {
        try_rule(rule, &cfg);
        count++;
    }
    require(count == rules.count);
    tmo_arena_free(&arena);
    return 0;
}
