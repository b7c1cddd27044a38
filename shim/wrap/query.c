/* SPDX-License-Identifier: MIT
 * res_query(3), res_search(3), res_querydomain(3), res_send(3), and of glibc those that are given a
 * resolver's state. Layer: wrap.
 *
 * Under the limit `dns` the call is made in a thread (lookup.h) that has copies of all that it
 * reads and writes: the question, room for the answer, and of the state what it points to as well,
 * since who asked may give both up when the limit has passed. The plain functions are made as those
 * that are given a state, for the thread's own would be another.
 */
#include "shim/wrap/lookup.h"
#include "shim/wrap/wrap.h"

#include <resolv.h>
#include <string.h>

#define ANSWER_MAX 65536 /* what DNS can give; RFC 1035, 4.2.2 */

enum what { ASKS_QUERY, ASKS_SEARCH, ASKS_DOMAIN, ASKS_SEND };

struct question {
    enum what what;
    const char *call;
    const char *name, *domain; /* ASKS_DOMAIN alone has both, and DOMAIN may be NULL */
    int class, type;
    const unsigned char *msg; /* ASKS_SEND */
    int msg_len;
};

/* --- who stands behind us -------------------------------------------------------------------- */

typedef int query_fn(const char *name, int class, int type, unsigned char *answer, int len);
typedef int domain_fn(const char *name, const char *domain, int class, int type,
                      unsigned char *answer, int len);
typedef int send_fn(const unsigned char *msg, int msg_len, unsigned char *answer, int len);

static int absent(void)
{
    errno = ENOSYS;
    return -1;
}

static int ask_plain(const struct question *q, unsigned char *answer, int len)
{
    static const char *const names[] = {"res_query", "res_search", "res_querydomain", "res_send"};
    static void *kept[4];
    void *real = tmo_lookup_libc(&kept[q->what], names[q->what]);
    if (real == NULL)
        return absent();
    if (q->what == ASKS_SEND)
        return ((send_fn *)(uintptr_t)real)(q->msg, q->msg_len, answer, len);
    if (q->what == ASKS_DOMAIN)
        return ((domain_fn *)(uintptr_t)real)(q->name, q->domain, q->class, q->type, answer, len);
    return ((query_fn *)(uintptr_t)real)(q->name, q->class, q->type, answer, len);
}

#ifdef __GLIBC__
typedef struct __res_state state_type;
typedef int query_by_fn(state_type *state, const char *name, int class, int type,
                        unsigned char *answer, int len);
typedef int domain_by_fn(state_type *state, const char *name, const char *domain, int class,
                         int type, unsigned char *answer, int len);
typedef int send_by_fn(state_type *state, const unsigned char *msg, int msg_len,
                       unsigned char *answer, int len);
typedef int make_fn(int op, const char *name, int class, int type, const unsigned char *data,
                    int data_len, const unsigned char *unused, unsigned char *msg, int len);

static int ask_by(state_type *state, const struct question *q, unsigned char *answer, int len)
{
    static const char *const names[] = {"res_nquery", "res_nsearch", "res_nquerydomain",
                                        "res_nsend"};
    static void *kept[4];
    void *real = tmo_lookup_libc(&kept[q->what], names[q->what]);
    if (real == NULL)
        return absent();
    if (q->what == ASKS_SEND)
        return ((send_by_fn *)(uintptr_t)real)(state, q->msg, q->msg_len, answer, len);
    if (q->what == ASKS_DOMAIN)
        return ((domain_by_fn *)(uintptr_t)real)(state, q->name, q->domain, q->class, q->type,
                                                 answer, len);
    return ((query_by_fn *)(uintptr_t)real)(state, q->name, q->class, q->type, answer, len);
}

/* --- a copy of a state ----------------------------------------------------------------------- */

/* The state that the plain functions use: this thread's. */
static state_type *own_state(void)
{
    static void *kept;
    void *real = tmo_lookup_libc(&kept, "res_state");
    return real != NULL ? ((state_type * (*)(void))(uintptr_t)real)() : NULL;
}

/* Has STATE, this thread's, begun, or brought up to date with a resolv.conf that was replaced, as
 * the plain functions do, and those that are given a state do not (glibc, resolv_context.c). */
static void refresh(state_type *state)
{
    static void *begin, *make;
    unsigned char msg[NS_PACKETSZ];
    void *real = (state->options & RES_INIT) == 0 ? tmo_lookup_libc(&begin, "res_ninit")
                                                  : tmo_lookup_libc(&make, "res_mkquery");
    if (real == NULL)
        return;
    if ((state->options & RES_INIT) == 0)
        (void)((int (*)(state_type *))(uintptr_t)real)(state);
    else /* which asks nobody */
        (void)((make_fn *)(uintptr_t)real)(0, "", C_IN, T_A, NULL, 0, NULL, msg, sizeof(msg));
}

struct copy {
    state_type state;
    struct sockaddr_in6 servers[MAXNS];
};

/* False: STATE cannot be copied, since it keeps its sockets, or leads to who knows where. */
static bool copy_state(const state_type *state, struct copy *to)
{
    if ((state->options & RES_STAYOPEN) != 0)
        return false;
    to->state = *state;
    for (int i = 0; i < MAXNS; i++) {
        if (state->_u._ext.nsaddrs[i] != NULL)
            to->servers[i] = *state->_u._ext.nsaddrs[i];
        else if (i >= state->nscount)
            continue; /* others without a place would get one from malloc: resolv/res_send.c */
        to->state._u._ext.nsaddrs[i] = &to->servers[i];
    }
    for (int i = 0; i < MAXDNSRCH && state->dnsrch[i] != NULL; i++) {
        size_t at = (size_t)((uintptr_t)state->dnsrch[i] - (uintptr_t)state->defdname);
        if (at >= sizeof(state->defdname))
            return false;
        to->state.dnsrch[i] = to->state.defdname + at;
    }
    return true;
}
#endif

/* --- in a thread ----------------------------------------------------------------------------- */

/* What a look-up has in its room. */
struct query {
    struct question q;
    unsigned char *answer;
    int len;
#ifdef __GLIBC__
    struct copy copy;
#endif
    char texts[];
};

static struct query *query_of(struct tmo_lookup *l)
{
    return (struct query *)(void *)l->room;
}

#ifdef __GLIBC__
/* A state leads to what libc read from resolv.conf, and the copy would lead there when the program
 * has closed its own, and that is gone: then libc crashes, or takes another's (resolv_conf.c: a
 * slot that is freed may be 0, which is taken for one in use). So the copy is given what a state of
 * the thread's own leads to, which libc uses if it says the same (resolv_conf_matches), or nothing.
 */
static void make_query(struct tmo_lookup *l)
{
    static void *begin, *end;
    void *ninit = tmo_lookup_libc(&begin, "res_ninit"),
         *nclose = tmo_lookup_libc(&end, "res_nclose");
    struct query *query = query_of(l);
    state_type own = {0}, *copy = &query->copy.state;
    int error = errno, host_error = h_errno;
    bool has =
        ninit != NULL && nclose != NULL && ((int (*)(state_type *))(uintptr_t)ninit)(&own) == 0;
    memcpy(copy->_u._ext.__glibc_reserved, own._u._ext.__glibc_reserved,
           sizeof(own._u._ext.__glibc_reserved));
    errno = error;
    h_errno = host_error;
    l->r = ask_by(copy, &query->q, query->answer, query->len);
    error = errno;
    if (has)
        ((void (*)(state_type *))(uintptr_t)nclose)(&own);
    errno = error;
}
#else
static void make_query(struct tmo_lookup *l)
{
    struct query *query = query_of(l);
    l->r = ask_plain(&query->q, query->answer, query->len);
}
#endif

static size_t size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* A look-up of Q with the state STATE (musl: NULL); NULL: it is to be made without a limit. */
static struct tmo_lookup *new_query(void *state, const struct question *q, int len)
{
    size_t name = size_of(q->name), domain = size_of(q->domain);
    size_t msg = q->msg != NULL && q->msg_len > 0 ? (size_t)q->msg_len : 0;
    size_t room = (size_t)(len < ANSWER_MAX ? len : ANSWER_MAX);
    struct tmo_lookup *l = tmo_lookup_new(sizeof(struct query) + name + domain + msg + room);
    if (l == NULL)
        return NULL;
    struct query *query = query_of(l);
#ifdef __GLIBC__
    if (!copy_state(state, &query->copy)) {
        tmo_lookup_free(l);
        return NULL;
    }
#else
    (void)state;
#endif
    query->q = *q;
    char *at = query->texts;
    if (name > 0)
        at = tmo_lookup_put(at, q->name, name, &query->q.name);
    if (domain > 0)
        at = tmo_lookup_put(at, q->domain, domain, &query->q.domain);
    if (msg > 0) {
        const char *copied;
        at = tmo_lookup_put(at, (const char *)q->msg, msg, &copied);
        query->q.msg = (const unsigned char *)copied;
    }
    query->answer = (unsigned char *)at;
    query->len = (int)room;
    l->has_state = true;
    l->make = make_query;
    return l;
}

/* The answer of LOOKUP. Of one that is an error the head was written, too: it says which. */
static int hand_out(struct tmo_lookup *l, void *state, unsigned char *answer)
{
    const struct query *query = query_of(l);
    int used = l->r >= 0 ? l->r : NS_HFIXEDSZ;
    bool any = l->r >= 0;
    if (used > query->len)
        used = query->len;
    for (int i = 0; i < used && !any; i++)
        any = query->answer[i] != 0;
    if (any)
        memcpy(answer, query->answer, (size_t)used);
#ifdef __GLIBC__
    state_type *to = state;
    to->res_h_errno = query->copy.state.res_h_errno;
#else
    (void)state;
#endif
    return l->r;
}

/* As ask_by(), or with STATE NULL ask_plain(), within the limit. */
static int ask(void *state, const struct question *q, unsigned char *answer, int len)
{
    struct tmo_asked asked;
    enum tmo_lookup_end end = TMO_LOOKUP_NOT;
    struct tmo_lookup *l = NULL;
    void *used = state;
    int r, error = errno; /* as it is before the state is looked at */

    tmo_lookup_begin(&asked, q->call, q->name);
#ifdef __GLIBC__
    if (used == NULL && (used = own_state()) != NULL && tmo_current.cfg.value[TMO_SET_DNS] != 0)
        refresh(used);
    if (used != NULL && answer != NULL && len > 0)
        l = new_query(used, q, len);
#else
    if (answer != NULL && len > 0)
        l = new_query(NULL, q, len);
#endif
    errno = error;
    if (l != NULL)
        end = tmo_lookup_make(l, &asked);
    if (end == TMO_LOOKUP_DONE) {
        r = hand_out(l, used, answer);
        int kept = errno;
        tmo_lookup_free(l);
        errno = kept;
    } else if (end == TMO_LOOKUP_LATE) { /* resolv/res_send.c, res_query.c */
        r = -1;
        errno = ETIMEDOUT;
        if (q->what != ASKS_SEND) {
            h_errno = TRY_AGAIN;
#ifdef __GLIBC__
            ((state_type *)used)->res_h_errno = TRY_AGAIN;
#endif
        }
    } else {
#ifdef __GLIBC__
        r = state != NULL ? ask_by(state, q, answer, len) : ask_plain(q, answer, len);
#else
        r = ask_plain(q, answer, len);
#endif
    }
    tmo_lookup_tell(&asked,
                    r >= 0                 ? NULL
                    : q->what == ASKS_SEND ? "TRY_AGAIN"
                                           : tmo_lookup_failure_name(h_errno),
                    end == TMO_LOOKUP_LATE ? "timeout" : NULL);
    return r;
}

/* --- the calls ------------------------------------------------------------------------------- */

#define CALL(name, params)                                                                         \
    TMO_EXPORT int wrap_##name params __asm__(#name);                                              \
    int wrap_##name params

CALL(res_query, (const char *name, int class, int type, unsigned char *answer, int len))
{
    struct question q = {
        .what = ASKS_QUERY, .call = "res_query", .name = name, .class = class, .type = type};
    return tmo_lookup_matters() ? ask(NULL, &q, answer, len) : ask_plain(&q, answer, len);
}

CALL(res_search, (const char *name, int class, int type, unsigned char *answer, int len))
{
    struct question q = {
        .what = ASKS_SEARCH, .call = "res_search", .name = name, .class = class, .type = type};
    return tmo_lookup_matters() ? ask(NULL, &q, answer, len) : ask_plain(&q, answer, len);
}

CALL(res_querydomain,
     (const char *name, const char *domain, int class, int type, unsigned char *answer, int len))
{
    struct question q = {.what = ASKS_DOMAIN,
                         .call = "res_querydomain",
                         .name = name,
                         .domain = domain,
                         .class = class,
                         .type = type};
    return tmo_lookup_matters() ? ask(NULL, &q, answer, len) : ask_plain(&q, answer, len);
}

CALL(res_send, (const unsigned char *msg, int msg_len, unsigned char *answer, int len))
{
    struct question q = {.what = ASKS_SEND, .call = "res_send", .msg = msg, .msg_len = msg_len};
    return tmo_lookup_matters() ? ask(NULL, &q, answer, len) : ask_plain(&q, answer, len);
}

#ifdef __GLIBC__
CALL(res_nquery,
     (state_type * state, const char *name, int class, int type, unsigned char *answer, int len))
{
    struct question q = {
        .what = ASKS_QUERY, .call = "res_nquery", .name = name, .class = class, .type = type};
    return tmo_lookup_matters() ? ask(state, &q, answer, len) : ask_by(state, &q, answer, len);
}

CALL(res_nsearch,
     (state_type * state, const char *name, int class, int type, unsigned char *answer, int len))
{
    struct question q = {
        .what = ASKS_SEARCH, .call = "res_nsearch", .name = name, .class = class, .type = type};
    return tmo_lookup_matters() ? ask(state, &q, answer, len) : ask_by(state, &q, answer, len);
}

CALL(res_nquerydomain, (state_type * state, const char *name, const char *domain, int class,
                        int type, unsigned char *answer, int len))
{
    struct question q = {.what = ASKS_DOMAIN,
                         .call = "res_nquerydomain",
                         .name = name,
                         .domain = domain,
                         .class = class,
                         .type = type};
    return tmo_lookup_matters() ? ask(state, &q, answer, len) : ask_by(state, &q, answer, len);
}

CALL(res_nsend,
     (state_type * state, const unsigned char *msg, int msg_len, unsigned char *answer, int len))
{
    struct question q = {.what = ASKS_SEND, .call = "res_nsend", .msg = msg, .msg_len = msg_len};
    return tmo_lookup_matters() ? ask(state, &q, answer, len) : ask_by(state, &q, answer, len);
}

/* Under which programs have them that were linked before glibc 2.34. */
TMO_ALIAS(__res_query, res_query);
TMO_ALIAS(__res_search, res_search);
TMO_ALIAS(__res_querydomain, res_querydomain);
TMO_ALIAS(__res_send, res_send);
TMO_ALIAS(__res_nquery, res_nquery);
TMO_ALIAS(__res_nsearch, res_nsearch);
TMO_ALIAS(__res_nquerydomain, res_nquerydomain);
TMO_ALIAS(__res_nsend, res_nsend);
#endif
