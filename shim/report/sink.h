/* SPDX-License-Identifier: MIT
 * Where lines go: stderr, syslog, a descriptor, a unix datagram socket, a file. Layer: report.
 * Signal-safe and thread-safe without a lock; errno is kept; never waits; never raises SIGPIPE or
 * SIGXFSZ in the program.
 */
#ifndef TMO_REPORT_SINK_H
#define TMO_REPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tmo_sink_kind { TMO_SINK_NONE, TMO_SINK_FD, TMO_SINK_FILE, TMO_SINK_UNIX, TMO_SINK_SYSLOG };

#define TMO_SINK_PATH 1280 /* TMO_LOGFILE_PATH */

struct tmo_sink {
    enum tmo_sink_kind kind;
    int fd; /* FD: the program's own descriptor; FILE: ours, -1 = not open */
    /* What FD was when it was opened: it may be closed and reused since. Aligned as 32-bit machines
     * need it to read them in one piece. */
    uint64_t dev __attribute__((aligned(8))), ino __attribute__((aligned(8)));
    uint32_t lost;     /* records that could not be written and were not told yet */
    uint32_t torn;     /* the last line that was written is not whole */
    int32_t keeper;    /* the process of which a thread is changing FD; 0 = none */
    uint32_t looked_s; /* FILE: when its name was last compared with what is open, monotonic */
    bool limited;      /* RLIMIT_FSIZE is set: SIGXFSZ must be held back */
    uint32_t full_ms;  /* its reader did not keep up: when it is tried again, monotonic; 0 = now */
    uint32_t full_for_ms;     /* how long it was left alone */
    char path[TMO_SINK_PATH]; /* FILE: with %p and %c filled in; UNIX: of the socket */
    char program[256];
};

/* Makes *SINK from the text of the setting LOG ("" = none), which tmo_setting_parse() accepted.
 * %p becomes PID, %c PROGRAM (a '/' in it '_'). A file is not opened yet, but whether it can be is
 * tried: its folder must be there and writable, a file that is there already must be regular (or a
 * FIFO or device) and writable. Returns 0; or -errno, *RET_WHAT then says why in words ("is a
 * directory"), and the sink stays as it is: later records try again. */
int tmo_sink_start(struct tmo_sink *sink, const char *text, pid_t pid, const char *program,
                   const char **ret_what);

/* Writes LEN bytes at LINE, ended by a newline, in one piece. Returns 0; or -errno and the record
 * counts as lost. */
int tmo_sink_write(struct tmo_sink *sink, const char *line, size_t len);

/* Whether a moment ago there was no room, since nobody reads: then a record need not be put
 * together to be lost. It is tried again 1 ms later, then 2, up to 64. */
bool tmo_sink_is_full(const struct tmo_sink *sink);

/* How many were lost and not told yet; they are then taken as told. */
uint64_t tmo_sink_take_lost(struct tmo_sink *sink);

/* Gives a number taken back, if the line that told it could not be written. */
void tmo_sink_give_lost(struct tmo_sink *sink, uint64_t lost);

/* Whether FD is a descriptor that we opened ourselves. */
bool tmo_sink_owns(const struct tmo_sink *sink, int fd);

/* Moves our own descriptor out of the way of the program that wants this number for itself. */
void tmo_sink_move(struct tmo_sink *sink);

#endif
