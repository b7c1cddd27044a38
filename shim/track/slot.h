/* SPDX-License-Identifier: MIT
 * What we know of one socket (one open file description, however many numbers it has).
 * Layer: track.
 *
 * 48 bytes: with 12 in the fd map and 1 in the hot table, 10,000 open sockets stay under 64 bytes
 * each. Fields are written by the thread that makes or ends the socket; FLAGS and the counters
 * also by threads in a slow path, atomically.
 */
#ifndef TMO_TRACK_SLOT_H
#define TMO_TRACK_SLOT_H

#include <stdint.h>

enum tmo_proto { /* 3 bits */
                 TMO_TCP,
                 TMO_MPTCP,
                 TMO_SMC,
                 TMO_UDP,
                 TMO_UNIX_STREAM,
                 TMO_UNIX_DGRAM,
                 TMO_OTHER, /* not ours: netlink, packet... */
                 TMO_UNIX_SEQPACKET,
};

enum tmo_dir { TMO_DIR_NONE, TMO_DIR_OUT, TMO_DIR_IN, TMO_DIR_LISTEN }; /* 2 bits */

enum tmo_family { TMO_FAMILY_NONE, TMO_FAMILY_4, TMO_FAMILY_6, TMO_FAMILY_UNIX }; /* 2 bits */

enum {
    TMO_SLOT_NONBLOCK = 1 << 0,   /* O_NONBLOCK, as far as we were told */
    TMO_SLOT_TIMED_RECV = 1 << 1, /* the kernel's SO_RCVTIMEO is ours */
    TMO_SLOT_TIMED_SEND = 1 << 2, /* the kernel's SO_SNDTIMEO is ours */
    TMO_SLOT_STUBBORN = 1 << 3,   /* ended at the second expiry in a row: ETIMEDOUT from then on */
    TMO_SLOT_ENDED = 1 << 5,      /* we ended the connection */
    TMO_SLOT_DRAIN = 1 << 6,      /* ... but what had arrived can still be read */
    TMO_SLOT_CONNECTING = 1 << 4, /* a non-blocking connect is under way, as far as we know */
    TMO_SLOT_CUT_RECV = 1 << 7,   /* reading stands at an unknown place of the stream */
    TMO_SLOT_CUT_SEND = 1 << 8,   /* writing ... */
    TMO_SLOT_EXPIRED = 1 << 9,    /* a limit expired and nothing went well since */
    TMO_SLOT_INHERITED = 1 << 10, /* from before a fork, and not used in this process so far */
    TMO_SLOT_RECORDED = 1 << 11,  /* its end is on record already */
    TMO_SLOT_SHARED = 1 << 12,    /* it came from another process, which may still hold it */
    TMO_SLOT_EPOLL = 1 << 13,     /* no socket, but a set of epoll(7) */
    TMO_SLOT_FASTOPEN = 1 << 14,  /* TCP_FASTOPEN_CONNECT: the first send does the handshake */
    TMO_SLOT_CONNECTED = 1 << 15, /* a connect went well or is under way; accepted; found so */
    TMO_SLOT_IN_EPOLL = 1 << 16,  /* it is in an epoll set */
    TMO_SLOT_WANTS_IN = 1 << 17,  /* ... and the program is to be told when it can be read */
    TMO_SLOT_ONESHOT = 1 << 18,   /* ... once (EPOLLONESHOT) */
    TMO_SLOT_STALLED = 1 << 19,   /* what is to be sent did not move at the last look */
    TMO_SLOT_ENDING = 1 << 21,    /* a look found it overdue; of several threads one sees to that */
    TMO_SLOT_CAME_SHORT = 1 << 20,  /* a send did: by the limit or by a signal, nobody can tell */
    TMO_SLOT_LOWAT = 1 << 22,       /* its SO_RCVLOWAT is above 1 */
    TMO_SLOT_NOTED = 31 << 23,      /* limits whose passing is on record: tmo_limit_noted() */
    TMO_SLOT_OWN_OPTIONS = 1 << 28, /* the program set socket options: own.h says which */
    TMO_SLOT_FOUND = 1 << 29,       /* libc was not told of it, or not how it went on */
};

struct tmo_slot {
    uint32_t born_low_us; /* monotonic, in 48 bits: when it was opened or taken up */
    uint16_t born_high_us;
    uint16_t generation; /* how often the slot has been given out: who waits sees a new owner */
    uint32_t connect_us; /* how long connect took; 0 = unknown */
    uint16_t app_low[2]; /* the program's own SO_RCVTIMEO, SO_SNDTIMEO: tmo_slot_app_us() */
    uint8_t app_high[2];
    uint16_t plan; /* number of the plan that holds for it: policy/plan.h */
    union {
        uint8_t peer6[16]; /* a scope stands in bytes 2 to 5 of a link-local one: tmo_made_peer() */
        uint32_t peer4;    /* network order */
        uint32_t peer_path; /* unix: where the path is kept, see fdtable.h */
        struct {
            uint32_t accepted;
            uint32_t queue_highest;
            uint32_t queue_limit;
            uint32_t sampled_ms; /* when the queue was last looked at */
        } listener;
        struct {                /* of an epoll set, TMO_SLOT_EPOLL; times as in due.h */
            uint32_t att_ms;    /* until when somebody waits on it, or last did */
            uint32_t since_ms;  /* as of when that is so without a pause */
            uint32_t parent;    /* slot number + 1 of the epoll set that it is in; 0 = none */
            uint32_t has_conns; /* a connection is or was in it */
        } epoll;
    };
    uint16_t peer_port; /* host order */
    uint16_t refs;      /* descriptors of this process that lead here */
    uint8_t proto : 3, dir : 2, family : 2;
    uint8_t timeouts; /* limits of ours that expired; stays at 255 */
    union {
        uint8_t spins; /* calls answered without the kernel since the end */
        uint8_t moved; /* action = report: what had moved at the last record, see deadline.h */
    };
    uint8_t pending; /* errno kept for the program's next call; 0 = none */
    uint32_t flags;
};

_Static_assert(sizeof(struct tmo_slot) == 48, "a slot is 48 bytes");

static inline uint64_t tmo_slot_born_us(const struct tmo_slot *slot)
{
    uint64_t high = __atomic_load_n(&slot->born_high_us, __ATOMIC_RELAXED);
    return high << 32 | __atomic_load_n(&slot->born_low_us, __ATOMIC_RELAXED);
}

static inline void tmo_slot_set_born_us(struct tmo_slot *slot, uint64_t us)
{
    __atomic_store_n(&slot->born_low_us, (uint32_t)us, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->born_high_us, (uint16_t)(us >> 32), __ATOMIC_RELAXED);
}

static inline unsigned tmo_slot_flags(const struct tmo_slot *slot)
{
    return __atomic_load_n(&slot->flags, __ATOMIC_RELAXED);
}

/* Of the flags in MASK, just those in FLAGS are set from now on. A locked instruction only where
 * that is a change. */
static inline void tmo_slot_change(struct tmo_slot *slot, unsigned mask, unsigned flags)
{
    uint32_t now = __atomic_load_n(&slot->flags, __ATOMIC_RELAXED), wanted;
    do {
        wanted = (now & ~mask) | flags;
        if (wanted == now)
            return;
    } while (!__atomic_compare_exchange_n(&slot->flags, &now, wanted, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
}

static inline void tmo_slot_raise(struct tmo_slot *slot, unsigned flags)
{
    tmo_slot_change(slot, flags, flags);
}

static inline void tmo_slot_lower(struct tmo_slot *slot, unsigned flags)
{
    tmo_slot_change(slot, flags, 0);
}

#define TMO_SLOT_NEVER_WAITS (-1) /* it set negative seconds: the socket never waits */

/* The program's own timeout of US microseconds, or TMO_SLOT_NEVER_WAITS, in 24 bits; 0 = none. And
 * what such bits stand for. Exact for what kernels show at HZ 100, 250, 300 and 1000
 * (net/core/sock.c, sock_get_timeout). */
uint32_t tmo_slot_pack_timeo(int64_t us);
int64_t tmo_slot_unpack_timeo(uint32_t packed);

/* Whether the program set a timeout of its own for WAY: 0 is recv, 1 send. */
static inline int tmo_slot_has_app(const struct tmo_slot *slot, unsigned way)
{
    return (slot->app_low[way] | slot->app_high[way]) != 0;
}

/* That timeout in us, or TMO_SLOT_NEVER_WAITS; 0 = none. */
static inline int64_t tmo_slot_app_us(const struct tmo_slot *slot, unsigned way)
{
    if (__builtin_expect(!tmo_slot_has_app(slot, way), 1))
        return 0;
    return tmo_slot_unpack_timeo((uint32_t)slot->app_high[way] << 16 | slot->app_low[way]);
}

static inline void tmo_slot_set_app_us(struct tmo_slot *slot, unsigned way, int64_t us)
{
    uint32_t packed = us != 0 ? tmo_slot_pack_timeo(us) : 0;
    slot->app_low[way] = (uint16_t)packed;
    slot->app_high[way] = (uint8_t)(packed >> 16);
}

/* Whether PROTO delivers a stream, whose place matters. */
static inline int tmo_proto_is_stream(unsigned proto)
{
    return proto <= TMO_SMC || proto == TMO_UNIX_STREAM;
}

/* Whether PROTO has connections, which can be ended. */
static inline int tmo_proto_is_connected(unsigned proto)
{
    return tmo_proto_is_stream(proto) || proto == TMO_UNIX_SEQPACKET;
}

/* Whether PROTO is TCP to its user. */
static inline int tmo_proto_is_tcp(unsigned proto)
{
    return proto <= TMO_SMC;
}

#endif
