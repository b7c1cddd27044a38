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

/* --- lookup-calls.c, lookup-host.c: the calls ------------------------------------------------ */

/* As libc's functions of these names, within the limit: EAI_AGAIN, or TRY_AGAIN, when that has
 * passed. They are not ended by signals, as libc's; nor are they points of cancellation. */
int tmo_lookup_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                           struct addrinfo **ret);
int tmo_lookup_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                           socklen_t host_len, char *service, socklen_t service_len, int flags);

/* What gethostbyaddr(3), gethostbyname2(3), or with the family AF_UNSPEC gethostbyname(3) is asked.
 */
struct tmo_host_asked {
    bool by_addr;
    const char *name;
    const void *addr;
    socklen_t addr_len;
    int family;
};

struct hostent *tmo_lookup_gethost(const struct tmo_host_asked *by);
int tmo_lookup_gethost_r(const struct tmo_host_asked *by, struct hostent *host, char *buf,
                         size_t len, struct hostent **ret, int *ret_error);

/* --- resolve.c ------------------------------------------------------------------------------- */

/* Notes the addresses of LIST, which libc has found for NAME, if that is wanted. */
void tmo_lookup_note(const char *name, const struct addrinfo *list);

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
    pid_t tid; /* the thread, once it runs */
    size_t size;
    void (*make)(struct tmo_lookup *lookup); /* makes the call */
    int error, host_error;                   /* errno and h_errno, before and after */
    bool has_state;                          /* it brings a resolver's state along */
    bool counts;                             /* its end is counted: tmo_lookup_count() */
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

/* --- lookup-calls.c: what the calls have in common ------------------------------------------- */

/* ASKED begins now. NAME may be NULL. */
void tmo_lookup_begin(struct tmo_asked *asked, const char *call, const char *name);

/* Whether NAME is an address in its usual form, for which nobody is asked. */
bool tmo_lookup_is_literal(const char *name);

/* Whether libc refuses NAME for its length. */
bool tmo_lookup_is_refused(const char *name);

/* Whether getaddrinfo(3) may have to ask somebody. What is wrong is refused before the name is
 * read. */
bool tmo_lookup_asks(const char *name, const struct addrinfo *hints);

/* A look-up by getaddrinfo(3), to be started; NULL: as tmo_lookup_new(). */
struct tmo_lookup *tmo_lookup_new_getaddrinfo(const char *name, const char *service,
                                              const struct addrinfo *hints);

/* Copies SIZE bytes to AT, where *RET will lead. Returns what is behind them. */
char *tmo_lookup_put(char *at, const char *text, size_t size, const char **ret);

/* Names of netdb.h, of a result of getaddrinfo(3) and of an h_errno. NULL: none. */
const char *tmo_lookup_eai_name(int r);
const char *tmo_lookup_failure_name(int failure);

/* --- lookup.c: how it is made ---------------------------------------------------------------- */

/* Has LOOKUP made: starts it and waits for it, and if it is done for the end of its thread. */
enum tmo_lookup_end tmo_lookup_make(struct tmo_lookup *lookup, const struct tmo_asked *asked);

/* The two apart. False: as TMO_LOOKUP_NOT. */
bool tmo_lookup_start(struct tmo_lookup *lookup);
enum tmo_lookup_end tmo_lookup_await(struct tmo_lookup *lookup, const struct tmo_asked *asked);

/* Records, if that is wanted, that the limit of ASKED has passed. */
void tmo_lookup_tell_late(const struct tmo_asked *asked);

/* Starts LOOKUP, which then is its thread's. */
bool tmo_lookup_leave(struct tmo_lookup *lookup);

/* Whether the answer is there. */
bool tmo_lookup_is_done(const struct tmo_lookup *lookup);

/* When the limit of ASKED passes, ns (monotonic); INT64_MAX: never. */
int64_t tmo_lookup_deadline_ns(const struct tmo_asked *asked);

/* How many look-ups that count have ended; counts one more, for who waits; waits until that is no
 * longer SEEN, or for DEADLINE_NS (monotonic). 0, or -EINTR and the like: ask again. */
int tmo_lookup_count(void);
void tmo_lookup_count_one(void);
long tmo_lookup_count_await(int seen, int64_t deadline_ns);

/* libc's function NAME, or __NAME, as older versions have it, kept in *KEPT: for what is called
 * seldom, and not looked up at the start of each program. NULL: libc has none. */
void *tmo_lookup_libc(void **kept, const char *name);

/* Gives LOOKUP back, without what was found. */
void tmo_lookup_free(struct tmo_lookup *lookup);

/* Records, if that is wanted, that ASKED ended with FAILURE ("EAI_NONAME"; NULL: it went well), or
 * with OUTCOME where that is not NULL. errno is kept. */
void tmo_lookup_tell(const struct tmo_asked *asked, const char *failure, const char *outcome);

#endif
