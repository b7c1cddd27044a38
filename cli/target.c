/* SPDX-License-Identifier: MIT
 * Where a connection goes. See target.h.
 */
#include "cli/target.h"
#include "cli/ruletext.h"
#include "cli/say.h"
#include "config/services.h"
#include "config/word.h"
#include "shim/policy/readfile.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PATH_MOST 107 /* sun_path and its NUL, unix(7) */

#define EXPECTED "expected HOST:PORT, ADDRESS, ADDRESS:PORT, [V6]:PORT, unix:PATH or unix:@NAME"

/* --- ports ----------------------------------------------------------------------------------- */

/* The port that TEXT names, or -1: the name is looked up where rules look it up. */
static int port_of(const char *text)
{
    struct tmo_arena arena;
    const char *services;
    size_t size, digits = strspn(text, "0123456789");
    if (digits > 0 && text[digits] == '\0')
        return digits <= 5 && atoi(text) <= 65535 ? atoi(text) : -1;
    tmo_readfile_arena(&arena);
    if (text[0] == '\0' || tmo_readfile.read("/etc/services", false, &arena, &services, &size) < 0)
        return -1;
    int port = tmo_services_port(services, size, text, strlen(text));
    tmo_arena_free(&arena);
    return port;
}

static int take_port(const char *text, struct tmo_goal *goal)
{
    int port = port_of(text);
    if (port < 0) {
        tmo_cli_say("'%s' is no port, expected 0 to 65535 or the name of a service", text);
        return -1;
    }
    goal->target.port = (uint16_t)port;
    goal->has_port = true;
    return 0;
}

/* --- addresses ------------------------------------------------------------------------------- */

static int add_address(struct tmo_goal *goal, const uint8_t *addr, uint32_t scope)
{
    for (size_t i = 0; i < goal->count; i++) {
        if (memcmp(goal->addresses[i].addr, addr, 16) == 0 && goal->addresses[i].scope == scope)
            return 0;
    }
    struct tmo_goal_address *more =
        realloc(goal->addresses, (goal->count + 1) * sizeof(*goal->addresses));
    if (more == NULL) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return -1;
    }
    goal->addresses = more;
    memcpy(more[goal->count].addr, addr, 16);
    more[goal->count].scope = scope;
    goal->count++;
    return 0;
}

/* Whether TEXT is an address, which is then taken: 1; 0: no; -1: nearly, and told. */
static int take_address(const char *text, struct tmo_goal *goal)
{
    struct tmo_block block;
    const char *scope;
    size_t scope_len;
    char name[IF_NAMESIZE] = "";
    enum tmo_block_error r = tmo_block_parse(text, strlen(text), &block, &scope, &scope_len);
    if (r == TMO_BLOCK_NOT)
        return 0;
    if (r != TMO_BLOCK_OK || strchr(text, '/') != NULL) {
        tmo_cli_say("'%s' is no address, " EXPECTED, text);
        return -1;
    }
    if (scope_len > 0) {
        if (scope_len < sizeof(name))
            memcpy(name, scope, scope_len);
        bool digits = name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
        block.scope = digits ? (uint32_t)strtoul(name, NULL, 10) : if_nametoindex(name);
        if (block.scope == 0) {
            tmo_cli_say("'%s' names an interface that is not here", text);
            return -1;
        }
    }
    return add_address(goal, block.addr, block.scope) < 0 ? -1 : 1;
}

static int add_found(struct tmo_goal *goal, const struct sockaddr *addr)
{
    uint8_t bytes[16];
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof(in));
        tmo_block_map4(in.sin_addr.s_addr, bytes);
        return add_address(goal, bytes, 0);
    }
    if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof(in6));
        return add_address(goal, in6.sin6_addr.s6_addr, in6.sin6_scope_id);
    }
    return 0;
}

static int take_host(const char *text, struct tmo_goal *goal)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char c = tmo_word_lower(text[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
              strchr("-._", c) != NULL))
            len = 0;
    }
    if (len == 0 || len > 255) {
        tmo_cli_say("'%s' is neither a host name nor an address, " EXPECTED, text);
        return -1;
    }
    goal->host = strdup(text);
    if (goal->host == NULL) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return -1;
    }
    for (char *c = goal->host; *c != '\0'; c++)
        *c = tmo_word_lower(*c);
    if (len > 1 && goal->host[len - 1] == '.')
        goal->host[len - 1] = '\0';
    goal->target.host = goal->host;

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int r = getaddrinfo(goal->host, NULL, &hints, &found);
    if (r != 0) {
        goal->unresolved = r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r);
        return 0;
    }
    for (struct addrinfo *a = found; a != NULL && r == 0; a = a->ai_next)
        r = add_found(goal, a->ai_addr);
    freeaddrinfo(found);
    if (r == 0 && goal->count == 0)
        goal->unresolved = "it has no address";
    return r;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int take_path(const char *path, uint8_t proto, struct tmo_goal *goal)
{
    if (proto != 0 && proto != TMO_PROTO_UNIX) {
        tmo_cli_say("'%s' is a path, which goes with --proto unix only", path);
        return -1;
    }
    if (path[0] == '\0' || strlen(path) > PATH_MOST) {
        tmo_cli_say("'%s' is no path of a socket, expected 1 to 107 bytes", path);
        return -1;
    }
    goal->target.proto = TMO_PROTO_UNIX;
    goal->target.path = path;
    return 0;
}

/* Takes the copy TEXT apart. */
static int take_text(char *text, struct tmo_goal *goal)
{
    char *close = text[0] == '[' ? strchr(text, ']') : NULL;
    char *colon = strchr(text, ':'), *port = NULL;
    if (close != NULL && close[1] == ':') {
        port = close + 2;
        close[1] = '\0';
    } else if (close == NULL && colon != NULL && strchr(colon + 1, ':') == NULL) {
        port = colon + 1;
        *colon = '\0';
    }
    int r = take_address(text, goal);
    if (r == 0)
        r = take_host(text, goal);
    return r < 0 ? -1 : port != NULL ? take_port(port, goal) : 0;
}

int tmo_cli_goal(const char *text, uint8_t dir, uint8_t proto, struct tmo_goal *ret)
{
    *ret = (struct tmo_goal){.target = {.dir = dir, .proto = proto != 0 ? proto : TMO_PROTO_TCP}};
    if (strncmp(text, "unix:", 5) == 0)
        return take_path(text + 5, proto, ret);
    if (proto == TMO_PROTO_UNIX) {
        tmo_cli_say("'%s' is no path, expected unix:PATH or unix:@NAME with --proto unix", text);
        return -1;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return -1;
    }
    int r = take_text(copy, ret);
    free(copy);
    if (r == 0 && ret->count > 0)
        tmo_cli_goal_at(ret, 0);
    return r;
}

void tmo_cli_goal_at(struct tmo_goal *goal, size_t i)
{
    goal->target.has_addr = true;
    memcpy(goal->target.addr, goal->addresses[i].addr, sizeof(goal->target.addr));
    goal->target.scope = goal->addresses[i].scope;
}

void tmo_cli_goal_print(const struct tmo_goal *goal, bool by_name, char *buf, size_t size)
{
    const struct tmo_target *target = &goal->target;
    char address[TMO_BLOCK_TEXT] = "", port[8] = "";
    struct tmo_block block = {.bits = 128, .is4 = tmo_block_is4(target->addr)};
    if (target->path != NULL) {
        snprintf(buf, size, "unix:%s", target->path);
        return;
    }
    if (goal->has_port)
        snprintf(port, sizeof(port), ":%u", target->port);
    if (by_name && goal->host != NULL) {
        snprintf(buf, size, "%s%s", goal->host, port);
        return;
    }
    memcpy(block.addr, target->addr, sizeof(block.addr));
    block.scope = target->scope;
    tmo_cli_block(&block, address);
    bool brackets = !block.is4 && goal->has_port;
    snprintf(buf, size, "%s%s%s%s", brackets ? "[" : "", address, brackets ? "]" : "", port);
}
