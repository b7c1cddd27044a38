/* SPDX-License-Identifier: MIT
 * Rules as text. See ruletext.h.
 */
#include "cli/ruletext.h"
#include "cli/say.h"
#include "config/word.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tmo_cli_block(const struct tmo_block *block, char *buf)
{
    char address[INET6_ADDRSTRLEN] = "", scope[16] = "", prefix[8] = "";
    unsigned first = block->is4 ? 96 : 0;
    inet_ntop(block->is4 ? AF_INET : AF_INET6, block->addr + (block->is4 ? 12 : 0), address,
              sizeof(address));
    if (block->scope != 0)
        snprintf(scope, sizeof(scope), "%%%u", block->scope);
    if (block->bits < 128)
        snprintf(prefix, sizeof(prefix), "/%u", block->bits - first);
    snprintf(buf, TMO_BLOCK_TEXT, "%s%s%s", address, scope, prefix);
}

static void put_places(FILE *out, const struct tmo_rule *rule)
{
    for (unsigned i = 0; i < rule->places_count; i++) {
        const struct tmo_place *place = &rule->places[i];
        char block[TMO_BLOCK_TEXT];
        fputs(i > 0 ? "," : " ", out);
        if (place->kind == TMO_PLACE_ANY) {
            fputs("any", out);
        } else if (place->kind == TMO_PLACE_BLOCK) {
            tmo_cli_block(&place->block, block);
            fputs(block, out);
        } else {
            fprintf(out, "%.*s", (int)place->glob_len, place->glob);
        }
    }
}

static void put_ports(FILE *out, const struct tmo_rule *rule)
{
    for (unsigned i = 0; i < rule->ports_count; i++) {
        const struct tmo_ports *ports = &rule->ports[i];
        fprintf(out, "%s%u", i > 0 ? "," : " ", ports->low);
        if (ports->high != ports->low)
            fprintf(out, "-%u", ports->high);
    }
}

/* The list without the blanks behind its commas. */
static void put_list(FILE *out, const char *list)
{
    size_t len;
    const char *item, *before = " ";
    while ((item = tmo_word_next(&list, &len)) != NULL) {
        fprintf(out, "%s%.*s", before, (int)len, item);
        before = ",";
    }
}

/* Writes the word of a condition, with a blank if one stands before it. */
static void put_word(FILE *out, const char *word)
{
    fprintf(out, "%s%s", ftell(out) > 0 ? " " : "", word);
}

char *tmo_cli_conditions(const struct tmo_rule *rule, unsigned which)
{
    char *text = NULL, protos[TMO_SETTING_TEXT];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    bool is_path = rule->places_count > 0 && rule->places[0].kind == TMO_PLACE_PATH;
    bool one_way = rule->dirs == TMO_TO || rule->dirs == TMO_FROM;
    if (rule->places_count > 0 && (which & (TMO_MISS_PLACE | (one_way ? TMO_MISS_DIR : 0))) != 0) {
        put_word(out, is_path ? "unix" : rule->dirs == TMO_FROM ? "from" : "to");
        put_places(out, rule);
    }
    if (rule->ports_count > 0 && (which & TMO_MISS_PORT) != 0) {
        put_word(out, "port");
        put_ports(out, rule);
    }
    if (rule->protos != 0 && (which & TMO_MISS_PROTO) != 0) {
        tmo_setting_print(TMO_SET_PROTO, rule->protos, protos);
        put_word(out, "proto ");
        fputs(protos, out);
    }
    if (rule->program != NULL && (which & TMO_MISS_PROGRAM) != 0) {
        put_word(out, "program");
        put_list(out, rule->program);
    }
    return fclose(out) == 0 ? text : NULL;
}

static bool is_inline(const struct tmo_rule *rule)
{
    return strcmp(rule->file, "SOCKTMO_RULES") == 0;
}

void tmo_cli_put_rule(FILE *out, const struct tmo_rule *rule)
{
    fputs(is_inline(rule) ? "'" : "[", out);
    tmo_cli_put(out, rule->name);
    fputs(is_inline(rule) ? "'" : "]", out);
}

char *tmo_cli_rule_origin(const struct tmo_rule *rule, unsigned line)
{
    char *text = NULL;
    if (is_inline(rule))
        return strdup(rule->file);
    return asprintf(&text, "%s:%u", rule->file, line) < 0 ? NULL : text;
}
