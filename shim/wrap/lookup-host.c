/* SPDX-License-Identifier: MIT
 * gethostbyname, gethostbyaddr and their kin under the limit `dns`: what is copied for the thread,
 * and how its answer gets into the program's buffers. See lookup.h. Layer: wrap.
 */
#include "shim/sys/raw.h"
#include "shim/sys/real.h"
#include "shim/wrap/lookup.h"

#include <errno.h>
#include <string.h>

/* Room for the largest answer of gethostbyname(3): one of a name server has 64 KiB at most, in
 * which an address takes 16 bytes and more. What is longer, as /etc/hosts may have it, goes
 * without. */
#define HOST_ROOM ((size_t)256 << 10)

/* --- what is asked --------------------------------------------------------------------------- */

static int real_r(const struct tmo_host_asked *by, struct hostent *host, char *buf, size_t len,
                  struct hostent **ret, int *ret_error)
{
    if (by->by_addr)
        return tmo_real.gethostbyaddr_r(by->addr, by->addr_len, by->family, host, buf, len, ret,
                                        ret_error);
    if (by->family == AF_UNSPEC)
        return tmo_real.gethostbyname_r(by->name, host, buf, len, ret, ret_error);
    return tmo_real.gethostbyname2_r(by->name, by->family, host, buf, len, ret, ret_error);
}

static struct hostent *real_gethost(const struct tmo_host_asked *by)
{
    if (by->by_addr)
        return tmo_real.gethostbyaddr(by->addr, by->addr_len, by->family);
    return by->family == AF_UNSPEC ? tmo_real.gethostbyname(by->name)
                                   : tmo_real.gethostbyname2(by->name, by->family);
}

static const char *name_of_call(const struct tmo_host_asked *by, bool r)
{
    if (by->by_addr)
        return r ? "gethostbyaddr_r" : "gethostbyaddr";
    if (by->family == AF_UNSPEC)
        return r ? "gethostbyname_r" : "gethostbyname";
    return r ? "gethostbyname2_r" : "gethostbyname2";
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

/* Whether somebody may have to be asked. */
static bool asks(const struct tmo_host_asked *by)
{
    if (by->by_addr)
        return by->addr != NULL &&
               ((by->family == AF_INET && by->addr_len == sizeof(struct in_addr)) ||
                (by->family == AF_INET6 && by->addr_len == sizeof(struct in6_addr)));
    return by->name != NULL && !tmo_lookup_is_refused(by->name) && !is_numeric(by->name) &&
           !tmo_lookup_is_literal(by->name);
}

static void begin(struct tmo_asked *asked, const struct tmo_host_asked *by, bool r)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    tmo_lookup_begin(asked, name_of_call(by, r), by->by_addr ? NULL : by->name);
    if (!by->by_addr)
        return;
    if (by->family == AF_INET) {
        memcpy(&in.sin_addr, by->addr, sizeof(in.sin_addr));
        memcpy(&asked->addr.any, &in, asked->addr.len = sizeof(in));
    } else {
        memcpy(&in6.sin6_addr, by->addr, sizeof(in6.sin6_addr));
        memcpy(&asked->addr.any, &in6, asked->addr.len = sizeof(in6));
    }
}

static void make_gethost(struct tmo_lookup *l)
{
    struct tmo_host_asked by = {.by_addr = l->name == NULL,
                                .name = l->name,
                                .addr = &l->addr,
                                .addr_len = l->addr_len,
                                .family = l->family};
    l->r = real_r(&by, &l->host, l->buf, l->len, &l->found, &l->failure);
}

/* A look-up with an answer of LEN bytes, aligned as BUF is, or NULL. */
static struct tmo_lookup *new_gethost(const struct tmo_host_asked *by, const char *buf, size_t len)
{
    size_t name_size = by->by_addr ? 0 : strlen(by->name) + 1, before = (uintptr_t)buf & 15;
    struct tmo_lookup *l = len < SIZE_MAX / 2 ? tmo_lookup_new(before + len + name_size) : NULL;
    if (l == NULL)
        return NULL;
    l->buf = l->room + before;
    l->len = len;
    l->family = by->family;
    if (by->by_addr)
        memcpy(&l->addr, by->addr, l->addr_len = by->addr_len);
    else
        (void)tmo_lookup_put(l->buf + len, by->name, name_size, &l->name);
    l->make = make_gethost;
    return l;
}

/* --- the answer ------------------------------------------------------------------------------ */

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

int tmo_lookup_gethost_r(const struct tmo_host_asked *by, struct hostent *host, char *buf,
                         size_t len, struct hostent **ret, int *ret_error)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    int r;

    /* without a place for the error musl gives an answer, if there is one; glibc does not */
    if (!asks(by) || ret_error == NULL)
        return real_r(by, host, buf, len, ret, ret_error);
    begin(&asked, by, true);
    struct tmo_lookup *l = new_gethost(by, buf, len);
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
        r = real_r(by, host, buf, len, ret, ret_error);
    }
    tmo_lookup_tell(&asked, r == 0 && *ret != NULL ? NULL : tmo_lookup_failure_name(*ret_error),
                    end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}

/* Where gethostbyname(3), gethostbyname2(3) and gethostbyaddr(3) leave their answers: one place
 * each, as in libc. */
struct place {
    struct hostent host;
    _Alignas(16) char buf[];
};

static struct place *place_of(const struct tmo_host_asked *by)
{
    static struct place *places[3];
    struct place **kept = &places[by->by_addr ? 2 : by->family != AF_UNSPEC], *there = NULL;
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

struct hostent *tmo_lookup_gethost(const struct tmo_host_asked *by)
{
    struct tmo_asked asked;
    struct hostent *host = NULL;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;

    if (!asks(by))
        return real_gethost(by);
    begin(&asked, by, false);
    struct place *place = place_of(by);
    struct tmo_lookup *l = place != NULL ? new_gethost(by, place->buf, HOST_ROOM) : NULL;
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
        host = real_gethost(by);
    }
    tmo_lookup_tell(&asked, host != NULL ? NULL : tmo_lookup_failure_name(h_errno),
                    end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return host;
}
