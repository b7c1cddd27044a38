/* SPDX-License-Identifier: MIT
 * How the configuration reads files. Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_READFILE_H
#define TMO_POLICY_READFILE_H

#include "config/load.h"
#include "shim/sys/statx.h"

/* Reads by system calls of our own. A file is opened close-on-exec, and never waited for. */
extern const struct tmo_reader tmo_readfile;

/* The same for a program with other rights than its caller's (getauxval(3), AT_SECURE): a
 * configuration counts only when root owns it and nobody else can write it. */
extern const struct tmo_reader tmo_readfile_secure;

/* What is known of the reading of configurations, by one thread at a time. */
struct tmo_readfile_state {
    bool has_first;         /* to be cleared before */
    struct tmo_statx first; /* the first one that was read since */
    int fd;                 /* one is open there, for a child that is forked meanwhile; -1: none */
    struct tmo_statx open;  /* what it is */
};
extern struct tmo_readfile_state tmo_readfile_state __attribute__((visibility("hidden")));

/* After fork(2), in the child: closes what another thread had open. */
void tmo_readfile_forked(void);

/* Memory from the kernel, for which this is at hand. */
void tmo_readfile_arena(struct tmo_arena *ret);

#endif
