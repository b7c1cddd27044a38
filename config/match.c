/* SPDX-License-Identifier: MIT
 * The conditions of a rule: "to 10.0.0.0/8 port 5432-5439 program backup*". Pairs of a word and a
 * list; all of them must hold, and of each list one item. See parse.h.
 */
#include "config/parse.h"
#include "config/services.h"
#include "config/word.h"

#include <string.h>

enum word { TO, FROM, PORT, UNIX, PROTO, PROGRAM, WORDS };
static const char *const words[WORDS] = {"to", "from", "port", "unix", "proto", "program"};

#define EXPECTED_WORD "expected to, from, port, unix, proto or program"

/* The next word of *REST, which is moved behind it; LEN 0: no more. */
static struct tmo_span next_word(struct tmo_span *rest)
{
    *rest = tmo_span_trim(*rest);
    size_t len = 0;
    for (;;) {
        while (len < rest->len && !tmo_is_blank(rest->at[len]))
            len++;
        /* a list may have blanks on both sides of its commas */
        size_t more = len;
        while (more < rest->len && tmo_is_blank(rest->at[more]))
            more++;
        if (len == 0 || more == rest->len || (rest->at[len - 1] != ',' && rest->at[more] != ','))
            break;
        len = more;
    }
    struct tmo_span word = {rest->at, len};
    rest->at += len;
    rest->len -= len;
    return word;
}

/* The next item of LIST, from *AT on, which is its beginning at first. False: no more. */
static bool next_item(struct tmo_span list, const char **at, struct tmo_span *ret)
{
    ret->at = tmo_word_item(at, list.at + list.len, &ret->len);
    return ret->at != NULL;
}

static unsigned count_items(struct tmo_span list)
{
    unsigned count = 0;
    struct tmo_span ignored;
    for (const char *at = list.at; next_item(list, &at, &ignored);)
        count++;
    return count;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* A whole number up to MOST, or -1. */
static long number(struct tmo_span text, long most)
{
    long n = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.at[i] - '0';
        if (digit < 0 || digit > 9 || n > (most - digit) / 10)
            return -1;
        n = n * 10 + digit;
    }
    return text.len > 0 && n <= most ? n : -1;
}

static bool is_digits(struct tmo_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.len > 0;
}

/* The index of the interface NAME, or 0. */
static uint32_t interface(struct tmo_parse *p, struct tmo_span name)
{
    static const char folder[] = "/sys/class/net/", file[] = "/ifindex";
    char path[sizeof(folder) + 16 + sizeof(file)];
    const char *text;
    size_t len;
    long index = number(name, 0x7fffffff);
    if (index >= 0)
        return (uint32_t)index;
    /* IFNAMSIZ is 16, linux/if.h */
    if (name.len > 15 || memchr(name.at, '/', name.len) != NULL || p->reader == NULL)
        return 0;
    memcpy(path, folder, sizeof(folder) - 1);
    memcpy(path + sizeof(folder) - 1, name.at, name.len);
    memcpy(path + sizeof(folder) - 1 + name.len, file, sizeof(file));
    if (p->reader->read(path, false, p->arena, &text, &len) < 0)
        return 0;
    while (len > 0 && text[len - 1] == '\n')
        len--;
    index = number((struct tmo_span){text, len}, 0x7fffffff);
    return index > 0 ? (uint32_t)index : 0;
}

static int service(struct tmo_parse *p, struct tmo_span name)
{
    if (p->services == NULL) {
        if (p->reader == NULL ||
            p->reader->read("/etc/services", false, p->arena, &p->services, &p->services_len) < 0) {
            p->services = "";
            p->services_len = 0;
        }
    }
    return tmo_services_port(p->services, p->services_len, name.at, name.len);
}

/* --- the conditions -------------------------------------------------------------------------- */

/* Copies a glob and sees what kind it is. LOWER: names of hosts. */
static bool take_glob(struct tmo_parse *p, struct tmo_span text, bool lower,
                      struct tmo_place *place)
{
    char *glob = tmo_arena_text(p->arena, text.at, text.len);
    if (glob == NULL || text.len > UINT16_MAX) {
        tmo_parse_no_memory(p);
        return false;
    }
    bool special = false;
    for (size_t i = 0; i < text.len; i++) {
        if (lower)
            glob[i] = tmo_word_lower(glob[i]);
        special = special || (i > 0 && glob[i] == '*') || strchr("?[\\", glob[i]) != NULL;
    }
    place->glob = glob;
    place->glob_len = (uint16_t)text.len;
    place->glob_kind = special ? TMO_GLOB_ANY : glob[0] == '*' ? TMO_GLOB_SUFFIX : TMO_GLOB_EXACT;
    return true;
}

/* Whether TEXT may be a glob of host names: with a letter, or * alone. What has digits only is
 * meant to be addresses, which no name is. */
static bool is_host(struct tmo_span text)
{
    bool letters = text.len == 1 && text.at[0] == '*';
    for (size_t i = 0; i < text.len; i++) {
        char c = tmo_word_lower(text.at[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
              strchr("-._*?[]!^", c) != NULL))
            return false;
        letters = letters || (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
    }
    return letters;
}

static bool take_address(struct tmo_parse *p, struct tmo_span item, struct tmo_place *place)
{
    struct tmo_span scope;
    if (tmo_word_is(item.at, item.len, "any")) {
        place->kind = TMO_PLACE_ANY;
        return true;
    }
    switch (tmo_block_parse(item.at, item.len, &place->block, &scope.at, &scope.len)) {
    case TMO_BLOCK_OK:
        place->kind = TMO_PLACE_BLOCK;
        place->block.scope = scope.len > 0 ? interface(p, scope) : 0;
        if (scope.len == 0 || place->block.scope != 0)
            return true;
        tmo_parse_fault(p, scope, "no such interface here, expected the name or number of one");
        return false;
    case TMO_BLOCK_PREFIX:
        tmo_parse_fault(p, item,
                        "not the length of a prefix, expected 0 to 32 for IPv4, 0 to 128 for IPv6");
        return false;
    case TMO_BLOCK_NOT:
        if (is_host(item)) {
            place->kind = TMO_PLACE_HOST;
            if (item.at[item.len - 1] == '.' && item.len > 1)
                item.len--;
            return take_glob(p, item, true, place);
        }
        break;
    default:
        break;
    }
    tmo_parse_fault(p, item,
                    "no address, expected one such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32, any, "
                    "or a host name such as *.example.com");
    return false;
}

static bool take_path(struct tmo_parse *p, struct tmo_span item, struct tmo_place *place)
{
    place->kind = TMO_PLACE_PATH;
    if (item.len == 0 || strchr("/@*?[", item.at[0]) == NULL) {
        tmo_parse_fault(p, item, "no path of a socket, expected one such as /run/dbus/* or @name");
        return false;
    }
    return take_glob(p, item, false, place);
}

static bool take_places(struct tmo_parse *p, enum word word, struct tmo_span list,
                        struct tmo_rule *rule)
{
    unsigned count = count_items(list);
    struct tmo_place *places = tmo_arena_take(p->arena, count * sizeof(*places));
    struct tmo_span item;
    if (places == NULL || count > UINT16_MAX) {
        tmo_parse_no_memory(p);
        return false;
    }
    rule->places = places;
    rule->placed = true;
    if (word != UNIX)
        rule->dirs = word == TO ? TMO_TO : TMO_FROM;
    for (const char *at = list.at; next_item(list, &at, &item); places++) {
        if (!(word == UNIX ? take_path(p, item, places) : take_address(p, item, places)))
            return false;
        rule->places_count++;
    }
    return true;
}

/* 80, 5432-5439, https */
static bool take_port(struct tmo_parse *p, struct tmo_span item, struct tmo_ports *ret)
{
    const char *dash = item.len > 0 ? memchr(item.at, '-', item.len) : NULL;
    struct tmo_span low = item, high = item;
    if (dash != NULL) {
        low = tmo_span_trim(tmo_span(item.at, dash));
        high = tmo_span_trim(tmo_span(dash + 1, item.at + item.len));
    }
    if (!is_digits(low) || !is_digits(high)) { /* names have dashes, too */
        int port = is_digits(low) ? -1 : service(p, item);
        *ret = (struct tmo_ports){(uint16_t)port, (uint16_t)port};
        if (port >= 0)
            return true;
        bool named = item.len > 0 && !is_digits((struct tmo_span){item.at, 1}) && item.at[0] != '-';
        tmo_parse_fault(p, item,
                        named ? "no service in /etc/services, expected the name of one, or a port "
                                "such as 5432 or 5432-5439"
                              : "no port, expected one such as 5432, a range such as 5432-5439, or "
                                "the name of a service");
        return false;
    }
    long from = number(low, 65535), to = number(high, 65535);
    if (from < 0 || to < 0) {
        tmo_parse_fault(p, from < 0 ? low : high, "no port, expected 0 to 65535");
        return false;
    }
    if (from > to) {
        tmo_parse_fault(p, item, "a range from high to low, expected the lower port first");
        return false;
    }
    *ret = (struct tmo_ports){(uint16_t)from, (uint16_t)to};
    return true;
}

static bool take_ports(struct tmo_parse *p, struct tmo_span list, struct tmo_rule *rule)
{
    unsigned count = count_items(list);
    struct tmo_ports *ports = tmo_arena_take(p->arena, count * sizeof(*ports));
    struct tmo_span item;
    if (ports == NULL || count > UINT16_MAX) {
        tmo_parse_no_memory(p);
        return false;
    }
    rule->ports = ports;
    rule->placed = true;
    for (const char *at = list.at; next_item(list, &at, &item); ports++) {
        if (!take_port(p, item, ports))
            return false;
        rule->ports_count++;
    }
    return true;
}

static bool take_protos(struct tmo_parse *p, struct tmo_span list, struct tmo_rule *rule)
{
    int64_t bits;
    if (tmo_setting_parse(TMO_SET_PROTO, list.at, list.len, &bits) < 0) {
        struct tmo_message m = {.len = 0};
        tmo_parse_expected(&m, TMO_SET_PROTO, list, -1);
        tmo_parse_fault(p, list, m.text);
        return false;
    }
    rule->protos = (bits & TMO_PROTO_ALL) != 0 ? 0 : (uint8_t)bits;
    return true;
}

static bool take_program(struct tmo_parse *p, struct tmo_span list, struct tmo_rule *rule)
{
    rule->program = tmo_arena_text(p->arena, list.at, list.len);
    if (rule->program == NULL)
        tmo_parse_no_memory(p);
    return rule->program != NULL;
}

static bool take(struct tmo_parse *p, enum word word, struct tmo_span value, struct tmo_rule *rule)
{
    switch (word) {
    case PORT:
        return take_ports(p, value, rule);
    case PROTO:
        return take_protos(p, value, rule);
    case PROGRAM:
        return take_program(p, value, rule);
    default:
        return take_places(p, word, value, rule);
    }
}

/* The word that was probably meant by TEXT, or NULL. */
static const char *near_word(struct tmo_span text)
{
    const char *found = NULL;
    unsigned best = text.len <= 3 ? 2 : 3;
    for (int i = 0; i < WORDS; i++) {
        unsigned far = tmo_word_distance(text.at, text.len, words[i]);
        if (far < best && far < text.len) {
            best = far;
            found = words[i];
        }
    }
    return found;
}

/* Whether WORD goes with those of GIVEN, one bit each; else it is told. */
static bool goes_with(struct tmo_parse *p, unsigned given, enum word word, struct tmo_span at)
{
    const unsigned ip = 1u << PORT;
    unsigned either = 1u << TO | 1u << FROM;
    if ((given & 1u << word) != 0)
        tmo_parse_fault(p, at, "given twice, expected once: a list has commas, as in port 80,443");
    else if ((either & 1u << word) != 0 && (given & either) != 0)
        tmo_parse_fault(p, at, "to and from in one rule, expected one of them");
    else if ((word == UNIX && (given & (ip | either)) != 0) ||
             ((given & 1u << UNIX) != 0 && ((ip | either) & 1u << word) != 0))
        tmo_parse_fault(p, at, "a path and an address or port in one rule, expected one of them");
    else
        return true;
    return false;
}

bool tmo_parse_match(struct tmo_parse *p, struct tmo_span text, struct tmo_rule *rule)
{
    struct tmo_span rest = text;
    unsigned given = 0;
    rule->dirs = TMO_TO | TMO_FROM;
    for (;;) {
        struct tmo_span at = next_word(&rest);
        if (at.len == 0)
            break;
        int word = 0;
        while (word < WORDS && !tmo_word_is(at.at, at.len, words[word]))
            word++;
        if (word == WORDS) {
            const char *near = near_word(at);
            if (memchr(at.at, '=', at.len) != NULL) {
                tmo_parse_fault(p, at,
                                "a setting among the conditions, expected it behind a colon "
                                "or on a line of its own");
                return false;
            }
            tmo_parse_fault_near(p, at, EXPECTED_WORD, near, near != NULL ? strlen(near) : 0);
            return false;
        }
        if (!goes_with(p, given, (enum word)word, at))
            return false;
        given |= 1u << word;
        struct tmo_span value = next_word(&rest);
        if (value.len == 0) {
            tmo_parse_fault(p, at, "nothing behind it, expected what it is to match");
            return false;
        }
        if (!take(p, (enum word)word, value, rule))
            return false;
    }
    if (given == 0) {
        tmo_parse_fault(p, text, "no condition, " EXPECTED_WORD " and what it is to match");
        return false;
    }
    return true;
}
