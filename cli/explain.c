/* SPDX-License-Identifier: MIT
 * `socktmo explain TARGET`: which rule decides over a connection, the limits that result, and what
 * the library then does.
 */
#include "cli/actions.h"
#include "cli/say.h"
#include "cli/story.h"

#include <string.h>

struct wish {
    const char *what, *program, *config;
    uint8_t dir, proto;
    bool json, verbose, help;
};

/* Tells of all addresses, those of the same rule together. */
static void tell(struct tmo_story *story, struct tmo_json *json)
{
    struct tmo_goal *goal = story->goal;
    bool begun = false;
    size_t i = 0;
    do {
        if (goal->count > 0)
            tmo_cli_goal_at(goal, i);
        tmo_cli_find(story->loaded, goal, story->program, &story->finding);
        story->first = i;
        for (i += goal->count > 0; i < goal->count; i++) {
            struct tmo_goal next = *goal;
            struct tmo_finding other;
            tmo_cli_goal_at(&next, i);
            tmo_cli_find(story->loaded, &next, story->program, &other);
            if (other.rule != story->finding.rule)
                break;
        }
        story->last = i;
        if (json != NULL) {
            tmo_cli_story_json(story, json);
        } else {
            fputs(begun ? "\n" : "", stdout);
            tmo_cli_story_print(story);
        }
        begun = true;
    } while (i < goal->count);
}

/* What an option with a value has for it: behind "=", or the next argument. NULL: ARG is another
 * option. *RET_FAULT: the value is missing, and told. */
static const char *value_of(const char *name, char ***argv, bool *ret_fault)
{
    const char *arg = **argv;
    size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '='))
        return NULL;
    if (arg[len] == '=')
        return arg + len + 1;
    if ((*argv)[1] != NULL)
        return *++*argv;
    tmo_cli_say("option '%s' needs a value", name);
    *ret_fault = true;
    return NULL;
}

static int take_proto(const char *text, struct wish *ret)
{
    int64_t bits = 0;
    if (tmo_setting_parse(TMO_SET_PROTO, text, strlen(text), &bits) < 0 ||
        (bits & (bits - 1)) != 0 || (bits & TMO_PROTO_ALL) != 0) {
        tmo_cli_say("--proto='%s': expected tcp, udp or unix", text);
        return -1;
    }
    ret->proto = (uint8_t)bits;
    return 0;
}

static int take_option(char ***argv, struct wish *ret)
{
    const char *arg = **argv, *value;
    bool fault = false;
    if (strcmp(arg, "--from") == 0)
        ret->dir = TMO_FROM;
    else if (strcmp(arg, "--json") == 0)
        ret->json = true;
    else if (strcmp(arg, "-v") == 0 || strcmp(arg, "--verbose") == 0)
        ret->verbose = true;
    else if (strcmp(arg, "--help") == 0)
        ret->help = true;
    else if ((value = value_of("--program", argv, &fault)) != NULL)
        ret->program = strrchr(value, '/') != NULL ? strrchr(value, '/') + 1 : value;
    else if ((value = value_of("--config", argv, &fault)) != NULL)
        ret->config = value;
    else if ((value = value_of("--proto", argv, &fault)) != NULL)
        return take_proto(value, ret);
    else if (!fault) {
        tmo_cli_say("explain has no option '%s', see socktmo --help", arg);
        fault = true;
    }
    return fault ? -1 : 0;
}

static int read_arguments(char **argv, struct wish *ret)
{
    bool options = true;
    for (; *argv != NULL; argv++) {
        if (options && strcmp(*argv, "--") == 0) {
            options = false;
        } else if (options && (*argv)[0] == '-') {
            if (take_option(&argv, ret) < 0)
                return -1;
        } else if (ret->what != NULL) {
            tmo_cli_say("explain takes one connection, but was given '%s' too", *argv);
            return -1;
        } else {
            ret->what = *argv;
        }
    }
    if (ret->what == NULL && !ret->help) {
        tmo_cli_say("explain needs HOST:PORT, an address, unix:PATH or unix:@NAME");
        return -1;
    }
    return 0;
}

int tmo_cli_explain(char **argv)
{
    static struct tmo_loaded loaded; /* large, and texts within point to others */
    struct wish wish = {.dir = TMO_TO};
    struct tmo_goal goal;
    struct tmo_story story = {.loaded = &loaded, .goal = &goal};
    struct tmo_json json = {.out = stdout};

    if (read_arguments(argv, &wish) < 0)
        return TMO_STATUS_USAGE;
    if (wish.help)
        return tmo_cli_help();
    story.program = wish.program;
    story.verbose = wish.verbose;
    if (tmo_cli_goal(wish.what, wish.dir, wish.proto, &goal) < 0)
        return TMO_STATUS_USAGE;
    if (tmo_cli_load(wish.config, &loaded) < 0)
        return 1;
    if (wish.json) {
        tmo_json_open(&json, NULL, '{');
        tmo_json_open(&json, "results", '[');
        if (!loaded.unread)
            tell(&story, &json);
        tmo_json_close(&json, ']');
        tmo_json_text(&json, "unresolved", goal.unresolved);
        tmo_cli_json_faults(&loaded, &json);
        tmo_json_close(&json, '}');
        fputc('\n', stdout);
    } else if (!loaded.unread) {
        tell(&story, NULL);
    }
    int status = tmo_cli_finish(loaded.faults_count > 0 ? 1 : 0, 1);
    if (!wish.json)
        tmo_cli_tell_faults(&loaded);
    return status;
}
