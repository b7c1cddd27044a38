/* SPDX-License-Identifier: MIT
 * getaddrinfo and getnameinfo under the limit `dns`: what is copied for the thread, what it calls,
 * and how its answer becomes the program's; and what those of all calls have in common. See
 * lookup.h. Layer: wrap.
 */
#include "config/address.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/sys/real.h"
#include "shim/wrap/lookup.h"

#include <string.h>

/* --- what is asked --------------------------------------------------------------------------- */

bool tmo_lookup_is_literal(const char *name)
{
    struct tmo_block block;
    const char *scope;
    size_t scope_len, len = strnlen(name, TMO_HOST_MAX);
    return memchr(name, '/', len) == NULL && memchr(name, '[', len) == NULL &&
           tmo_block_parse(name, len, &block, &scope, &scope_len) == TMO_BLOCK_OK;
}

/* Of a longer one musl reads no more (lookup_name.c). */
bool tmo_lookup_is_refused(const char *name)
{
#ifdef __GLIBC__
    (void)name;
    return false;
#else
    return strnlen(name, TMO_HOST_MAX) == TMO_HOST_MAX;
#endif
}

void tmo_lookup_begin(struct tmo_asked *asked, const char *call, const char *name)
{
    asked->call = call;
    size_t len = name != NULL ? strnlen(name, TMO_HOST_MAX) : 0;
    memcpy(asked->name, name != NULL ? name : "", len);
    asked->name[len] = '\0';
    asked->addr.len = 0;
    asked->start_ns = tmo_clock_ns();
}

char *tmo_lookup_put(char *at, const char *text, size_t size, const char **ret)
{
    memcpy(at, text, size);
    *ret = at;
    return at + size;
}

const char *tmo_lookup_eai_name(int r)
{
    switch (r) {
#define NAME(eai)                                                                                  \
    case eai:                                                                                      \
        return #eai
        NAME(EAI_AGAIN);
        NAME(EAI_BADFLAGS);
        NAME(EAI_FAIL);
        NAME(EAI_FAMILY);
        NAME(EAI_MEMORY);
        NAME(EAI_NONAME);
        NAME(EAI_OVERFLOW);
        NAME(EAI_SERVICE);
        NAME(EAI_SOCKTYPE);
        NAME(EAI_SYSTEM);
        NAME(EAI_NODATA);
#ifdef EAI_ADDRFAMILY
        NAME(EAI_ADDRFAMILY);
#endif
#undef NAME
    case 0:
        return NULL;
    default:
        return "unknown";
    }
}

const char *tmo_lookup_failure_name(int failure)
{
    switch (failure) {
    case HOST_NOT_FOUND:
        return "HOST_NOT_FOUND";
    case TRY_AGAIN:
        return "TRY_AGAIN";
    case NO_RECOVERY:
        return "NO_RECOVERY";
    case NO_DATA:
        return "NO_DATA";
    default:
        return "NETDB_INTERNAL";
    }
}

/* --- getaddrinfo ----------------------------------------------------------------------------- */

bool tmo_lookup_asks(const char *name, const struct addrinfo *hints)
{
    const int known = AI_PASSIVE | AI_CANONNAME | AI_V4MAPPED | AI_ADDRCONFIG | AI_ALL |
                      AI_NUMERICSERV
#ifdef AI_IDN
                      | AI_IDN | AI_CANONIDN
#endif
        ;
    if (name == NULL || (hints != NULL && (hints->ai_flags & ~known) != 0) ||
        (hints != NULL && hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET &&
         hints->ai_family != AF_INET6))
        return false;
    return !tmo_lookup_is_refused(name) && !tmo_lookup_is_literal(name);
}

static void make_getaddrinfo(struct tmo_lookup *l)
{
    l->r = tmo_real.getaddrinfo(l->name, l->service, l->hints, &l->list);
}

struct tmo_lookup *tmo_lookup_new_getaddrinfo(const char *name, const char *service,
                                              const struct addrinfo *hints)
{
    size_t name_size = strlen(name) + 1, service_size = service != NULL ? strlen(service) + 1 : 0;
    struct tmo_lookup *l = tmo_lookup_new(name_size + service_size);
    if (l == NULL)
        return NULL;
    char *at = tmo_lookup_put(l->room, name, name_size, &l->name);
    if (service != NULL)
        (void)tmo_lookup_put(at, service, service_size, &l->service);
    if (hints != NULL) {
        l->own_hints = (struct addrinfo){.ai_flags = hints->ai_flags,
                                         .ai_family = hints->ai_family,
                                         .ai_socktype = hints->ai_socktype,
                                         .ai_protocol = hints->ai_protocol};
        l->hints = &l->own_hints;
    }
    l->make = make_getaddrinfo;
    return l;
}

int tmo_lookup_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                           struct addrinfo **ret)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    int r;

    if (!tmo_lookup_asks(name, hints))
        return tmo_real.getaddrinfo(name, service, hints, ret);
    tmo_lookup_begin(&asked, "getaddrinfo", name);
    struct tmo_lookup *l = tmo_lookup_new_getaddrinfo(name, service, hints);
    if (l != NULL)
        end = tmo_lookup_make(l, &asked);
    if (end == TMO_LOOKUP_DONE) {
        r = l->r;
        if (r == 0)
            *ret = l->list;
        tmo_lookup_free(l);
    } else {
        r = end == TMO_LOOKUP_LATE ? EAI_AGAIN : tmo_real.getaddrinfo(name, service, hints, ret);
    }
    tmo_lookup_tell(&asked, tmo_lookup_eai_name(r), end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}

/* --- getnameinfo ----------------------------------------------------------------------------- */

static void make_getnameinfo(struct tmo_lookup *l)
{
    l->r = tmo_real.getnameinfo((struct sockaddr *)&l->addr, l->addr_len, l->host_text, l->host_len,
                                l->service_text, l->service_len, l->flags);
}

static bool asks_address(const struct sockaddr *addr, socklen_t len, const char *host,
                         socklen_t host_len, int flags)
{
    return addr != NULL && len >= sizeof(struct sockaddr_in) && host != NULL && host_len > 0 &&
           (flags & NI_NUMERICHOST) == 0 &&
           (addr->sa_family == AF_INET ||
            (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)));
}

static void give_text(char *to, const char *text)
{
    if (to != NULL && text != NULL)
        memcpy(to, text, strlen(text) + 1);
}

/* No more of a buffer than any name takes. */
static socklen_t room_of(const char *buf, socklen_t len)
{
    const socklen_t most = 1 << 16;
    return buf == NULL ? 0 : len < most ? len : most;
}

int tmo_lookup_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                           socklen_t host_len, char *service, socklen_t service_len, int flags)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    int r;

    if (!asks_address(addr, len, host, host_len, flags))
        return tmo_real.getnameinfo(addr, len, host, host_len, service, service_len, flags);
    tmo_lookup_begin(&asked, "getnameinfo", NULL);
    asked.addr.len =
        addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    memcpy(&asked.addr.any, addr, asked.addr.len);
    size_t host_room = room_of(host, host_len), service_room = room_of(service, service_len);
    struct tmo_lookup *l = tmo_lookup_new(host_room + service_room);
    if (l != NULL) {
        memcpy(&l->addr, addr, asked.addr.len);
        l->addr_len = asked.addr.len;
        l->host_text = l->room;
        l->host_len = (socklen_t)host_room;
        l->service_text = service_room > 0 ? l->room + host_room : NULL;
        l->service_len = (socklen_t)service_room;
        l->flags = flags;
        l->make = make_getnameinfo;
        end = tmo_lookup_make(l, &asked);
    }
    if (end == TMO_LOOKUP_DONE) {
        r = l->r;
        if (r == 0) {
            give_text(host, l->host_text);
            give_text(service_room > 0 ? service : NULL, l->service_text);
        }
        tmo_lookup_free(l);
    } else {
        r = end == TMO_LOOKUP_LATE
                ? EAI_AGAIN
                : tmo_real.getnameinfo(addr, len, host, host_len, service, service_len, flags);
    }
    tmo_lookup_tell(&asked, tmo_lookup_eai_name(r), end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}
