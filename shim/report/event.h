/* SPDX-License-Identifier: MIT
 * What is put on record: the facts of one event, ready to be written. Filled by wrap/, turned into
 * a line by record.[ch]. Layer: report.
 */
#ifndef TMO_REPORT_EVENT_H
#define TMO_REPORT_EVENT_H

#include "shim/report/tcpinfo.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum tmo_event_kind {
    TMO_RECORD_CLOSE,
    TMO_RECORD_TIMEOUT,
    TMO_RECORD_CONNECT,
    TMO_RECORD_LISTEN,
    TMO_RECORD_DNS,
    TMO_RECORD_START,
    TMO_RECORD_PROBLEM,
};

#define TMO_UNKNOWN (-1) /* of a number that is not known: the key is then left out */

/* An address as the kernel gives it. LEN 0: not known. */
struct tmo_address {
    socklen_t len;
    struct sockaddr_storage any;
};

struct tmo_event {
    enum tmo_event_kind kind;
    int64_t wall_us; /* when, microseconds since 1970 UTC */
    pid_t pid, tid;
    const char *program;

    /* The connection: of close, timeout, connect, listen. */
    int fd;
    const char *proto; /* "tcp", "mptcp", "smc", "udp", "unix" */
    const char *dir;   /* "out", "in", "listen"; NULL: left out */
    struct tmo_address local, peer;
    const char *host;           /* the name by which the program knows the peer; NULL: none */
    int64_t age_ms, connect_ms; /* or TMO_UNKNOWN */
    const char *reason;         /* of close: "close", "dup", "exec", "exit", "timeout", "unseen" */
    bool shared;                /* another process may still hold it */
    int64_t timeouts;           /* limits of ours that expired on it; or TMO_UNKNOWN */
    const struct tmo_tcpinfo *tcp; /* NULL: none */

    /* A listener: of close and listen. */
    int64_t accept_queue, accept_queue_limit, accept_queue_highest, accepted; /* or TMO_UNKNOWN */

    /* A limit that expired: of timeout. */
    const char *limit; /* "recv" */
    int64_t limit_ms, waited_ms;
    const char *call;   /* "recvfrom" */
    const char *action; /* "error" */
    const char *rule;   /* that decided; NULL: none */

    /* How a call ended: of connect and dns. */
    const char *outcome; /* "ok", "error", "in_progress", "timeout" */
    int error;           /* errno; 0 = none, the key is then left out */
    const char *failure; /* of dns: "EAI_NONAME", "HOST_NOT_FOUND"; NULL: none */
    int64_t took_ms;     /* or TMO_UNKNOWN */

    /* The settings in force: of start. */
    const struct tmo_config *cfg;

    /* Something to complain of: of problem. */
    const char *where, *value, *what;
};

#endif
