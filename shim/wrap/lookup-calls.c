/* SPDX-License-Identifier: MIT
 * The look-ups under the limit `dns`, one by one: what is copied for the thread, what it calls, and
 * how its answer becomes the program's. See lookup.h. Layer: wrap.
 */
#include "config/address.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/sys/real.h"
#include "shim/wrap/lookup.h"

#include <string.h>

/* Room for the largest answer of gethostbyname(3): one of a name server has 64 KiB at most, in
 * which an address takes 16 bytes and more. What is longer, as /etc/hosts may have it, goes
 * without. */
#define HOST_ROOM ((size_t)256 << 10)

/* --- what is asked --------------------------------------------------------------------------- */

/* Whether NAME is an address in its usual form, for which nobody is asked. */
static bool is_literal(const char *name)
{
    struct tmo_block block;
    const char *scope;
    size_t scope_len, len = strnlen(name, TMO_HOST_MAX);
    return memchr(name, '/', len) == NULL && memchr(name, '[', len) == NULL &&
           tmo_block_parse(name, len, &block, &scope, &scope_len) == TMO_BLOCK_OK;
}

static void begin(struct tmo_asked *asked, const char *call, const char *name)
{
    asked->call = call;
    size_t len = name != NULL ? strnlen(name, TMO_HOST_MAX) : 0;
    memcpy(asked->name, name != NULL ? name : "", len);
    asked->name[len] = '\0';
    asked->addr.len = 0;
    asked->start_ns = tmo_clock_ns();
}

static char *put(char *at, const char *text, size_t size, const char **ret)
{
    memcpy(at, text, size);
    *ret = at;
    return at + size;
}

/* Names of netdb.h; NULL: another, or none. */
static const char *name_of_eai(int r)
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

static const char *name_of_failure(int failure)
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

/* Whether somebody may have to be asked. What is wrong is refused before the name is read. */
static bool asks(const char *name, const struct addrinfo *hints)
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
    return !is_literal(name);
}

static void make_getaddrinfo(struct tmo_lookup *l)
{
    l->r = tmo_real.getaddrinfo(l->name, l->service, l->hints, &l->list);
}

int tmo_lookup_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                           struct addrinfo **ret)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    int r;

    if (!asks(name, hints))
        return tmo_real.getaddrinfo(name, service, hints, ret);
    begin(&asked, "getaddrinfo", name);
    size_t name_size = strlen(name) + 1, service_size = service != NULL ? strlen(service) + 1 : 0;
    struct tmo_lookup *l = tmo_lookup_new(name_size + service_size);
    if (l != NULL) {
        char *at = put(l->room, name, name_size, &l->name);
        if (service != NULL)
            (void)put(at, service, service_size, &l->service);
        if (hints != NULL) {
            l->own_hints = (struct addrinfo){.ai_flags = hints->ai_flags,
                                             .ai_family = hints->ai_family,
                                             .ai_socktype = hints->ai_socktype,
                                             .ai_protocol = hints->ai_protocol};
            l->hints = &l->own_hints;
        }
        l->make = make_getaddrinfo;
        end = tmo_lookup_make(l, &asked);
    }
    if (end == TMO_LOOKUP_DONE) {
        r = l->r;
        if (r == 0)
            *ret = l->list;
        tmo_lookup_free(l);
    } else {
        r = end == TMO_LOOKUP_LATE ? EAI_AGAIN : tmo_real.getaddrinfo(name, service, hints, ret);
    }
    tmo_lookup_tell(&asked, name_of_eai(r), end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}

/* --- gethostbyname --------------------------------------------------------------------------- */

static int real_r(const char *name, int family, struct hostent *host, char *buf, size_t len,
                  struct hostent **ret, int *ret_error)
{
    if (family == AF_UNSPEC)
        return tmo_real.gethostbyname_r(name, host, buf, len, ret, ret_error);
    return tmo_real.gethostbyname2_r(name, family, host, buf, len, ret, ret_error);
}

static void make_gethost(struct tmo_lookup *l)
{
    l->r = real_r(l->name, l->family, &l->host, l->buf, l->len, &l->found, &l->failure);
}

/* Whether NAME is digits and dots, which glibc's gethostbyname(3) takes for an address, if for a
 * wrong one (nss/digits_dots.c); getaddrinfo(3) asks for those that are none. */
static bool is_numeric(const char *name)
{
#ifdef __GLIBC__
    size_t len = strspn(name, "0123456789.");
    return len > 0 && name[0] != '.' && name[len] == '\0' && name[len - 1] != '.';
#else
    (void)name;
    return false;
#endif
}

static bool asks_host(const char *name)
{
    return name != NULL && !is_numeric(name) && !is_literal(name);
}

/* A look-up of NAME with an answer of LEN bytes, aligned as BUF is, or NULL. */
static struct tmo_lookup *new_gethost(const char *name, int family, const char *buf, size_t len)
{
    size_t name_size = strlen(name) + 1, before = (uintptr_t)buf & 15;
    struct tmo_lookup *l = len < SIZE_MAX / 2 ? tmo_lookup_new(before + len + name_size) : NULL;
    if (l == NULL)
        return NULL;
    l->buf = l->room + before;
    l->len = len;
    l->family = family;
    (void)put(l->buf + len, name, name_size, &l->name);
    l->make = make_gethost;
    return l;
}

/* An answer on its way from one buffer to another. */
struct move {
    const char *from;
    size_t len, used;
    char *to;
};

/* Where AT will be. SIZE bytes there belong to the answer. */
static void *moved(struct move *m, const void *at, size_t size)
{
    size_t offset = (size_t)((const char *)at - m->from);
    if ((const char *)at < m->from || offset >= m->len)
        return (void *)(uintptr_t)at; /* libc's own */
    if (offset + size > m->used)
        m->used = offset + size;
    return m->to + offset;
}

/* Changes the pointers in LIST, each to SIZE bytes (0: a text). Returns where the list will be. */
static char **moved_list(struct move *m, char **list, size_t size)
{
    size_t count = 0;
    for (; list[count] != NULL; count++)
        list[count] = moved(m, list[count], size != 0 ? size : strlen(list[count]) + 1);
    return moved(m, list, (count + 1) * sizeof(*list));
}

/* Puts the answer of LOOKUP into HOST and BUF. */
static void hand_out(struct tmo_lookup *l, struct hostent *host, char *buf)
{
    struct move m = {.from = l->buf, .len = l->len, .to = buf};
    struct hostent *found = l->found;
    *host = (struct hostent){.h_addrtype = found->h_addrtype, .h_length = found->h_length};
    host->h_name = moved(&m, found->h_name, strlen(found->h_name) + 1);
    host->h_aliases = moved_list(&m, found->h_aliases, 0);
    host->h_addr_list = moved_list(&m, found->h_addr_list, (size_t)found->h_length);
    memcpy(buf, l->buf, m.used);
}

int tmo_lookup_gethost_r(const char *name, int family, struct hostent *host, char *buf, size_t len,
                         struct hostent **ret, int *ret_error)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    int r;

    if (!asks_host(name))
        return real_r(name, family, host, buf, len, ret, ret_error);
    begin(&asked, family == AF_UNSPEC ? "gethostbyname_r" : "gethostbyname2_r", name);
    struct tmo_lookup *l = new_gethost(name, family, buf, len);
    if (l != NULL) {
        l->found = *ret;
        l->failure = *ret_error;
        end = tmo_lookup_make(l, &asked);
    }
    if (end == TMO_LOOKUP_DONE) {
        r = l->r;
        *ret = l->found;
        *ret_error = l->failure;
        if (l->found == &l->host) {
            hand_out(l, host, buf);
            *ret = host;
        }
        tmo_lookup_free(l);
    } else if (end == TMO_LOOKUP_LATE) { /* as glibc has it, nss/getXXbyYY_r.c */
        *ret = NULL;
        *ret_error = TRY_AGAIN;
        errno = r = EAGAIN;
    } else {
        r = real_r(name, family, host, buf, len, ret, ret_error);
    }
    tmo_lookup_tell(&asked, r == 0 && *ret != NULL ? NULL : name_of_failure(*ret_error),
                    end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}

/* Where gethostbyname(3) and gethostbyname2(3) leave their answers: one place each, as in libc. */
struct place {
    struct hostent host;
    _Alignas(16) char buf[];
};

static struct place *place_of(int family)
{
    static struct place *places[2];
    struct place **kept = &places[family != AF_UNSPEC], *there = NULL;
    struct place *place = __atomic_load_n(kept, __ATOMIC_ACQUIRE);
    if (place != NULL)
        return place;
    place = tmo_raw_map(sizeof(*place) + HOST_ROOM);
    if (place != NULL && !__atomic_compare_exchange_n(kept, &there, place, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_ACQUIRE)) {
        tmo_raw_unmap(place, sizeof(*place) + HOST_ROOM);
        place = there;
    }
    return place;
}

static struct hostent *real_gethost(const char *name, int family)
{
    return family == AF_UNSPEC ? tmo_real.gethostbyname(name)
                               : tmo_real.gethostbyname2(name, family);
}

/* The answer of LOOKUP, which is done, in its place; h_errno as libc has it. */
static struct hostent *take_host(struct tmo_lookup *l, struct place *place)
{
    struct hostent *host = NULL;
    if (l->r == 0 && l->found == &l->host) {
        hand_out(l, &place->host, place->buf);
        host = &place->host;
    }
    if (l->failure != 0) /* nss/getXXbyYY.c */
        h_errno = l->failure;
    return host;
}

struct hostent *tmo_lookup_gethost(const char *name, int family)
{
    struct tmo_asked asked;
    struct hostent *host = NULL;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;

    if (!asks_host(name))
        return real_gethost(name, family);
    begin(&asked, family == AF_UNSPEC ? "gethostbyname" : "gethostbyname2", name);
    struct place *place = place_of(family);
    struct tmo_lookup *l = place != NULL ? new_gethost(name, family, place->buf, HOST_ROOM) : NULL;
    if (l != NULL)
        end = tmo_lookup_make(l, &asked);
    if (end == TMO_LOOKUP_DONE && l->r == ERANGE) {
        tmo_lookup_free(l);
        end = TMO_LOOKUP_NOT;
    }
    if (end == TMO_LOOKUP_DONE) {
        host = take_host(l, place);
        tmo_lookup_free(l);
    } else if (end == TMO_LOOKUP_LATE) {
        h_errno = TRY_AGAIN;
        errno = EAGAIN;
    } else {
        host = real_gethost(name, family);
    }
    tmo_lookup_tell(&asked, host != NULL ? NULL : name_of_failure(h_errno),
                    end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return host;
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
    begin(&asked, "getnameinfo", NULL);
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
    tmo_lookup_tell(&asked, name_of_eai(r), end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}
