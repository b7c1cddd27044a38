/* SPDX-License-Identifier: MIT
 * Name look-ups: getaddrinfo, getnameinfo, gethostbyname and its kin. What they found is noted, so
 * that a connection's name is known by its address. Layer: wrap.
 *
 * They are points of cancellation and may take as long as a name server does: nothing of ours is
 * held meanwhile. Afterwards neither errno nor h_errno is touched. Under the limit `dns` they are
 * made as lookup.h says.
 */
#include "shim/track/hosts.h"
#include "shim/wrap/lookup.h"
#include "shim/wrap/wrap.h"

#include <string.h>

enum {
    MANY = 32,       /* addresses of one answer that are noted */
    MANY_ROWS = 128, /* rows of addrinfo(3) that are looked at: each address has up to three */
#ifdef __GLIBC__
    NAME_READ = 256, /* bytes of a name that are read: no more than libc does */
#else
    NAME_READ = 255, /* musl, lookup_name.c */
#endif
};

static inline bool is_wanted(void)
{
    return tmo_current.active &&
           (tmo_current.logs || __atomic_load_n(&tmo_current.hosts, __ATOMIC_RELAXED));
}

/* --- by name: getaddrinfo -------------------------------------------------------------------- */

/* An address comes once for each type of socket, in a row. */
void tmo_lookup_note(const char *name, const struct addrinfo *list)
{
    const struct addrinfo *last = NULL;
    if (name == NULL || !is_wanted())
        return;
    size_t len = strnlen(name, NAME_READ);
    int noted = 0;
    for (int i = 0; list != NULL && i < MANY_ROWS && noted < MANY; list = list->ai_next, i++) {
        if (last != NULL && list->ai_addrlen == last->ai_addrlen &&
            memcmp(list->ai_addr, last->ai_addr, last->ai_addrlen) == 0)
            continue;
        tmo_hosts_note(name, len, TMO_HOSTS_FORWARD, list->ai_addr, list->ai_addrlen);
        noted++;
        last = list;
    }
}

int wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                     struct addrinfo **ret)
{
    int r = tmo_lookup_matters() ? tmo_lookup_getaddrinfo(name, service, hints, ret)
                                 : tmo_real.getaddrinfo(name, service, hints, ret);
    /* Only what libc has read itself, with success, is read here. */
    if (r == 0)
        tmo_lookup_note(name, *ret);
    return r;
}

/* --- by name: gethostbyname ------------------------------------------------------------------ */

/* The name that the program gave. Copied before the call: it may lie in the answer of the last one,
 * which libc writes over, or frees. */
struct name {
    size_t len; /* 0: none, nothing is to be noted */
    char text[NAME_READ];
};

/* Other families are refused before the name is read. */
static void keep_name(struct name *kept, const char *name, int family)
{
    kept->len = 0;
    if (!is_wanted() || name == NULL || (family != AF_INET && family != AF_INET6))
        return;
    kept->len = strnlen(name, NAME_READ);
    memcpy(kept->text, name, kept->len);
}

static void note_host(const struct name *kept, const struct hostent *host)
{
    if (kept->len == 0 || host == NULL)
        return;
    for (size_t i = 0; i < MANY && host->h_addr_list[i] != NULL; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        const struct sockaddr *addr = (const struct sockaddr *)&in;
        socklen_t len = sizeof(in);
        if (host->h_addrtype == AF_INET6) {
            memcpy(&in6.sin6_addr, host->h_addr_list[i], sizeof(in6.sin6_addr));
            addr = (const struct sockaddr *)&in6;
            len = sizeof(in6);
        } else {
            memcpy(&in.sin_addr, host->h_addr_list[i], sizeof(in.sin_addr));
        }
        tmo_hosts_note(kept->text, kept->len, TMO_HOSTS_FORWARD, addr, len);
    }
}

/* Others are refused by libc; 0 means gethostbyname(3) in lookup.h. */
static bool matters_of(int family)
{
    return tmo_lookup_matters() && (family == AF_INET || family == AF_INET6);
}

struct hostent *wrap_gethostbyname(const char *name)
{
    struct name kept;
    keep_name(&kept, name, AF_INET);
    struct tmo_host_asked by = {.name = name, .family = AF_UNSPEC};
    struct hostent *host =
        tmo_lookup_matters() ? tmo_lookup_gethost(&by) : tmo_real.gethostbyname(name);
    note_host(&kept, host);
    return host;
}

struct hostent *wrap_gethostbyname2(const char *name, int family)
{
    struct name kept;
    keep_name(&kept, name, family);
    struct tmo_host_asked by = {.name = name, .family = family};
    struct hostent *host =
        matters_of(family) ? tmo_lookup_gethost(&by) : tmo_real.gethostbyname2(name, family);
    note_host(&kept, host);
    return host;
}

int wrap_gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t len,
                         struct hostent **ret, int *ret_error)
{
    struct name kept;
    keep_name(&kept, name, AF_INET);
    struct tmo_host_asked by = {.name = name, .family = AF_UNSPEC};
    int r = tmo_lookup_matters() ? tmo_lookup_gethost_r(&by, host, buf, len, ret, ret_error)
                                 : tmo_real.gethostbyname_r(name, host, buf, len, ret, ret_error);
    if (r == 0)
        note_host(&kept, *ret);
    return r;
}

int wrap_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf, size_t len,
                          struct hostent **ret, int *ret_error)
{
    struct name kept;
    keep_name(&kept, name, family);
    struct tmo_host_asked by = {.name = name, .family = family};
    int r = matters_of(family)
                ? tmo_lookup_gethost_r(&by, host, buf, len, ret, ret_error)
                : tmo_real.gethostbyname2_r(name, family, host, buf, len, ret, ret_error);
    if (r == 0)
        note_host(&kept, *ret);
    return r;
}

/* --- by address ------------------------------------------------------------------------------ */

/* The name that HOST has for the address that the program gave. */
static void note_addr(const void *given, socklen_t given_len, int family,
                      const struct hostent *host)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (host == NULL || !is_wanted())
        return;
    if (family == AF_INET && given_len == sizeof(in.sin_addr)) {
        memcpy(&in.sin_addr, given, sizeof(in.sin_addr));
        tmo_hosts_note(host->h_name, strlen(host->h_name), TMO_HOSTS_REVERSE,
                       (const struct sockaddr *)&in, sizeof(in));
    } else if (family == AF_INET6 && given_len == sizeof(in6.sin6_addr)) {
        memcpy(&in6.sin6_addr, given, sizeof(in6.sin6_addr));
        tmo_hosts_note(host->h_name, strlen(host->h_name), TMO_HOSTS_REVERSE,
                       (const struct sockaddr *)&in6, sizeof(in6));
    }
}

struct hostent *wrap_gethostbyaddr(const void *addr, socklen_t len, int family)
{
    struct tmo_host_asked by = {.by_addr = true, .addr = addr, .addr_len = len, .family = family};
    struct hostent *host =
        tmo_lookup_matters() ? tmo_lookup_gethost(&by) : tmo_real.gethostbyaddr(addr, len, family);
    note_addr(addr, len, family, host);
    return host;
}

int wrap_gethostbyaddr_r(const void *addr, socklen_t addr_len, int family, struct hostent *host,
                         char *buf, size_t len, struct hostent **ret, int *ret_error)
{
    struct tmo_host_asked by = {
        .by_addr = true, .addr = addr, .addr_len = addr_len, .family = family};
    int r = tmo_lookup_matters()
                ? tmo_lookup_gethost_r(&by, host, buf, len, ret, ret_error)
                : tmo_real.gethostbyaddr_r(addr, addr_len, family, host, buf, len, ret, ret_error);
    if (r == 0)
        note_addr(addr, addr_len, family, *ret);
    return r;
}

int wrap_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len,
                     char *service, socklen_t service_len, int flags)
{
    int r = tmo_lookup_matters()
                ? tmo_lookup_getnameinfo(addr, len, host, host_len, service, service_len, flags)
                : tmo_real.getnameinfo(addr, len, host, host_len, service, service_len, flags);
    if (r == 0 && host != NULL && host_len > 0 && (flags & NI_NUMERICHOST) == 0 && is_wanted())
        tmo_hosts_note(host, strnlen(host, host_len), TMO_HOSTS_REVERSE, addr, len);
    return r;
}
