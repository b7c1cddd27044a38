/* SPDX-License-Identifier: MIT
 * The slow path of a data call: what comes before a call on a socket in a special state, and what
 * follows one that failed or came up short. One engine for all the families; they differ in how
 * the call is made again. Layer: wrap.
 */
#ifndef TMO_WRAP_CALL_H
#define TMO_WRAP_CALL_H

#include "shim/track/self.h"
#include "shim/wrap/wrap.h"

struct tmo_call;

/* One of the families. */
struct tmo_kind {
    const char *name; /* for the record */
    enum tmo_way way;
    /* Makes the call: DONE = 0 and MORE = 0 is the program's own call; else the rest of it behind
     * DONE bytes, with the MSG_ flags MORE where it can have some. Returns the count or -errno. */
    ssize_t (*make)(const struct tmo_call *call, size_t done, int more);
};

/* What the fast path keeps of a call with one buffer. */
struct tmo_args {
    int fd;
    int flags;
    const void *buf;
    size_t len;
};

struct tmo_call {
    const struct tmo_kind *kind;
    int fd;
    int flags;     /* MSG_ flags, 0 where the call has none */
    bool counts;   /* a count below `wanted` may be our limit's doing */
    size_t wanted; /* bytes asked for, if counts */

    /* the arguments, as far as the family needs them */
    const void *buf;
    size_t len;
    const struct msghdr *msg;
    const struct iovec *iov;
    size_t iov_count;
    struct sockaddr *addr;
    socklen_t *addr_len;
    socklen_t to_len;
    struct mmsghdr *msgs;
    void *timeout; /* of recvmmsg, whatever its time_t */
    int other_fd;  /* of sendfile and splice: the descriptor that is no socket */
    void *offset, *other_offset;
    bool wide_offset; /* sendfile: `offset` is of 64 bits */
    bool waits; /* it is made as it is: it knows no MSG_DONTWAIT, or would be another under it */
    bool uncancelled; /* libc does not make a point of cancellation of it */
    bool late;        /* how much it asks for is read when the kernel has read it, too */
    bool pipe;        /* the other descriptor can be the reason as well */
    unsigned splice_flags;
    uint16_t plan; /* of the socket as the call began: tmo_call_slow() */
    int accept_flags;
};

/* The whole call, for a descriptor whose hot byte is SLOW. Returns what the program gets; sets
 * errno if that is -1. */
ssize_t tmo_call_slow(struct tmo_call *call);

/* What follows when the real call gave N, and errno if that is -1. Returns as above. */
ssize_t tmo_call_after(const struct tmo_call *call, ssize_t n);

/* The most bytes that one call moves, whatever it is asked for (read(2)); with pages of 64 KB some
 * less. */
#define TMO_MOST_BYTES   0x7ffff000
#define TMO_MOST_BY_64KB 0x7fff0000

static inline size_t tmo_most_bytes(size_t len)
{
    return len < TMO_MOST_BYTES ? len : TMO_MOST_BYTES;
}

/* Whether N bytes are less than a call for WANTED moves when nothing stops it. */
static inline bool tmo_is_short(ssize_t n, size_t wanted)
{
    return n > 0 && (size_t)n < wanted && n < TMO_MOST_BY_64KB;
}

/* A real call's result as count or -errno. */
static inline ssize_t tmo_result(ssize_t n)
{
    return n < 0 ? -errno : n;
}

/* A call of KIND on FD with the MSG_ flags FLAGS. A send may come up short by our doing, a receive
 * only if it was to wait for all. */
static inline struct tmo_call tmo_call_of(const struct tmo_kind *kind, int fd, int flags)
{
    return (struct tmo_call){
        .kind = kind,
        .fd = fd,
        .flags = flags,
        .counts = kind->way == TMO_SEND || (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL,
    };
}

/* tmo_call_slow() and tmo_call_after() of a call with one buffer. */
ssize_t tmo_args_slow(int fd, const void *buf, size_t len, int flags, const struct tmo_kind *kind);
ssize_t tmo_args_after(const struct tmo_args *args, ssize_t n, const struct tmo_kind *kind);

/* Whether a call on FD with the MSG_ flags FLAGS that gave -1 may have been ended by a limit of
 * ours, or its wait interrupted: by its errno. */
bool tmo_may_be_ours(int fd, int flags);

/* Ends a wrapper whose call gave N, no success, with what the program gets. In few instructions
 * where nothing follows, which is how nearly every failed call goes. */
#define TMO_RETURN_AFTER(args, n, kind)                                                            \
    do {                                                                                           \
        if (n < 0) {                                                                               \
            if (!tmo_may_be_ours((args).fd, (args).flags))                                         \
                return -1;                                                                         \
            n = -1;                                                                                \
        }                                                                                          \
        return tmo_args_after(&(args), n, kind);                                                   \
    } while (0)

/* Whether ERROR is what a call gets that waits on a connection while that is ended (end.h), or that
 * is made a moment later. */
static inline bool tmo_is_of_end(int error)
{
    return error == EPIPE || error == ECONNRESET || error == ECONNABORTED || error == ENOTCONN;
}

/* Whether CALL asks for anything: one that does not gets 0 anywhere. */
static inline bool tmo_call_asks(const struct tmo_call *call)
{
    return call->len > 0 || call->iov_count > 0 || call->msg != NULL || call->msgs != NULL;
}

/* Whether nothing follows a receive on FD that gave 0: the peer has ended the stream, or nothing
 * was asked for. Another thread of ours that ended the connection meanwhile makes it special. */
static inline bool tmo_is_end(int fd)
{
    return tmo_hot(fd) == TMO_HOT_CHECK;
}

/* The bytes that one call moves of COUNT buffers at IOV. Only for vectors that the kernel accepted.
 */
static inline size_t tmo_iov_bytes(const struct iovec *iov, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return tmo_most_bytes(bytes);
}

/* CALL gave N, or -errno. If the kernel has read its vectors so may we: a bad pointer is the
 * kernel's to find. */
static inline void tmo_call_measure(struct tmo_call *call, ssize_t n)
{
    if (!call->late || (n < 0 && n != -EAGAIN && n != -EINTR))
        return;
    call->late = false;
    call->counts = true;
    call->wanted = call->msg != NULL
                       ? tmo_iov_bytes(call->msg->msg_iov, (size_t)call->msg->msg_iovlen)
                       : tmo_iov_bytes(call->iov, call->iov_count);
}

/* A send that does the handshake as well (TCP Fast Open): CALL's own send on the unconnected SLOT,
 * under the limit `connect`. Returns a count or -errno. In connect.c. */
ssize_t tmo_connect_by_send(struct tmo_call *call, struct tmo_slot *slot);

/* The limit of connect has passed on FD, which is BY for this thread, after WAITED_NS: the attempt
 * is ended, in the kernel too. CALL is what waited. Returns the errno that the program gets. In
 * connect.c. */
int tmo_connect_expired(int fd, int by, struct tmo_slot *slot, int64_t waited_ns, const char *call);

/* --- state.c --------------------------------------------------------------------------------- */

/* Sets the hot bytes of FD by what SLOT says now. */
void tmo_state_rehot(int fd, const struct tmo_slot *slot);

/* A limit expired on FD. Does what `action` says, writes the records, counts; may not return
 * (exit, abort). Under `report` that is the record alone, see note.h. DONE: bytes of the call that
 * went through before. Returns the errno (> 0) that the program gets if none did; KERNEL_ERROR is
 * what the kernel gave. */
struct tmo_expiry {
    int fd;
    struct tmo_slot *slot;
    const char *limit; /* "recv" */
    int64_t limit_ns, waited_ns;
    const char *call;
    int kernel_error;
    unsigned cut;        /* TMO_SLOT_CUT_ flag to raise, if the call stopped half-way */
    bool end;            /* no call on it waits that could fail: the connection is ended */
    uint16_t generation; /* if `end`: of the slot when that was decided */
    uint32_t cookie;     /* tmo_state_cookie() of what was looked at then; 0: it was not asked */
};
int tmo_state_expire(const struct tmo_expiry *expiry);

/* ACTION as it is written. */
const char *tmo_state_action_name(enum tmo_action action);

/* Ends the process with its last records, where ACTION is exit or abort. */
void tmo_state_end_program(enum tmo_action action);

/* Whether a call on FD is to be answered without being made, because we ended the connection or cut
 * this way of it: the errno (> 0), or 0; -1 if FD is another file by now, which is then ours no
 * longer. Slows down who asks for ever. */
int tmo_state_answer(int fd, struct tmo_slot *slot, enum tmo_way way);

/* The low half of FD's SO_COOKIE (Linux 4.12), never 0; or 0 if it is no socket. */
uint32_t tmo_state_cookie(int fd);

/* From now on SLOT, of FD, is a connection that we ended. FLAGS are raised with that. */
void tmo_state_ended(int fd, struct tmo_slot *slot, unsigned flags);

/* Whether we have ended the connection of SLOT. If another thread is about to, its word is waited
 * for: who slept in the kernel is awake before that is said. */
bool tmo_state_has_ended(const struct tmo_slot *slot);

/* What a program is told on a connection that we ended. */
int tmo_state_error(const struct tmo_slot *slot);

/* The slot of FD, or NULL if FD is not ours or this is a vfork(2) child, which must touch nothing.
 */
static inline struct tmo_slot *tmo_state_slot(int fd)
{
    if (!tmo_current.active || tmo_self_borrowed())
        return NULL;
    return tmo_track_slot(fd);
}

#endif
