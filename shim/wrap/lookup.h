/* SPDX-License-Identifier: MIT
 * Look-ups of names under the limit `dns`: each is made in a thread of its own, which is left alone
 * when the limit has passed. Layer: wrap. None of this is signal-safe, as the look-ups are not.
 */
#ifndef TMO_WRAP_LOOKUP_H
#define TMO_WRAP_LOOKUP_H

#include "shim/track/hosts.h"
#include "shim/wrap/current.h"

#include <netdb.h>

/* Whether look-ups are bounded, or recorded. */
static inline bool tmo_lookup_matters(void)
{
    return tmo_current.active &&
           (tmo_current.cfg.value[TMO_SET_DNS] != 0 || tmo_wants(TMO_EVENT_DNS));
}

/* --- lookup-calls.c: the calls -------------------------------------------------------------- */

/* As libc's functions of these names, within the limit: EAI_AGAIN, or TRY_AGAIN, when that has
 * passed. They are not ended by signals, as libc's; nor are they points of cancellation. */
int tmo_lookup_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                           struct addrinfo **ret);
int tmo_lookup_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                           socklen_t host_len, char *service, socklen_t service_len, int flags);

/* gethostbyname2(3); FAMILY AF_UNSPEC: gethostbyname(3). */
struct hostent *tmo_lookup_gethost(const char *name, int family);
int tmo_lookup_gethost_r(const char *name, int family, struct hostent *host, char *buf, size_t len,
                         struct hostent **ret, int *ret_error);

/* --- lookup.c: the thread -------------------------------------------------------------------- */

/* What is looked up, for the records. */
struct tmo_asked {
    const char *call;            /* "getaddrinfo" */
    char name[TMO_HOST_MAX + 1]; /* "": by address */
    struct tmo_address addr;     /* LEN 0: by name */
    int64_t start_ns;            /* monotonic */
};

/* A look-up as the thread has it: what the program gave is copied, since who asked may be gone. It
 * has a mapping of its own, which whoever is the last to need it gives back. */
struct tmo_lookup {
    int state; /* LOOKUP_; a futex */
    size_t size;
    void (*make)(struct tmo_lookup *lookup); /* makes the call */
    int error, host_error;                   /* errno and h_errno, before and after */
    unsigned long resolver[3];               /* of the resolver's state: lookup.c */

    int r; /* what the call gave */
    const char *name, *service;
    const struct addrinfo *hints; /* NULL, or &own_hints */
    struct addrinfo own_hints, *list;
    int family;
    struct hostent host, *found;
    char *buf; /* of the answer */
    size_t len;
    int failure; /* of the h_errno that is handed out */
    struct sockaddr_storage addr;
    socklen_t addr_len, host_len, service_len;
    char *host_text, *service_text;
    int flags;

    _Alignas(16) char room[];
};

/* A look-up with ROOM bytes behind it, all zero. NULL: it is to be made without a limit. There is
 * none, no memory, or no thread may be started: in a vfork(2) child, in a handler on a signal stack
 * of its own. */
struct tmo_lookup *tmo_lookup_new(size_t room);

enum tmo_lookup_end {
    TMO_LOOKUP_NOT,  /* no thread could be made, and one line says so; LOOKUP is gone */
    TMO_LOOKUP_DONE, /* the answer is in LOOKUP; errno and h_errno are as the call left them */
    TMO_LOOKUP_LATE, /* the limit has passed, and is on record; LOOKUP is the thread's */
};

/* Has LOOKUP made. */
enum tmo_lookup_end tmo_lookup_make(struct tmo_lookup *lookup, const struct tmo_asked *asked);

/* Gives LOOKUP back, without what was found. */
void tmo_lookup_free(struct tmo_lookup *lookup);

/* Records, if that is wanted, that ASKED ended with FAILURE ("EAI_NONAME"; NULL: it went well), or
 * with OUTCOME where that is not NULL. errno is kept. */
void tmo_lookup_tell(const struct tmo_asked *asked, const char *failure, const char *outcome);

#endif
