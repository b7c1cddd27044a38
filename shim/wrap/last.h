/* SPDX-License-Identifier: MIT
 * Last words: records of what is still open when the process ends or becomes another program.
 * Layer: wrap. Signal-safe.
 */
#ifndef TMO_WRAP_LAST_H
#define TMO_WRAP_LAST_H

#include <stdbool.h>

/* Records every socket of ours that is still open, with REASON; only those that exec will close,
 * if EXEC. */
void tmo_last_records(const char *reason, bool exec);

/* Of what tmo_last_records() put on record for an exec that failed the real end is to come. */
void tmo_last_taken_back(void);

/* execveat(2), whose number is followed also where libc has no such name. Sets errno. */
int tmo_execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags);

/* Records, then ends the process with STATUS, without running what atexit(3) registered. */
void tmo_last_exit(int status) __attribute__((noreturn));

#endif
