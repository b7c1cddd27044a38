/* SPDX-License-Identifier: MIT
 * How the configuration reads files. Layer: policy. Signal-safe; errno is kept.
 */
#ifndef TMO_POLICY_READFILE_H
#define TMO_POLICY_READFILE_H

#include "config/load.h"

/* Reads by system calls of our own. A file is opened close-on-exec, and never waited for. */
extern const struct tmo_reader tmo_readfile;

/* The same for a program with other rights than its caller's (getauxval(3), AT_SECURE): a
 * configuration counts only when root owns it and nobody else can write it. */
extern const struct tmo_reader tmo_readfile_secure;

/* Memory from the kernel, for which this is at hand. */
void tmo_readfile_arena(struct tmo_arena *ret);

#endif
