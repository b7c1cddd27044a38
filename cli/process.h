/* SPDX-License-Identifier: MIT
 * What /proc says of a running process: proc(5). Its paths are seen from within its own root.
 * Layer: cli.
 */
#ifndef TMO_CLI_PROCESS_H
#define TMO_CLI_PROCESS_H

#include "cli/elf.h"

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

enum tmo_copy {
    TMO_COPY_OURS,    /* the very file that this command would preload */
    TMO_COPY_DELETED, /* the file was deleted or replaced since */
    TMO_COPY_WRITTEN, /* our file, but written to since the process started */
    TMO_COPY_SAME,    /* another file with the same content */
    TMO_COPY_ANOTHER, /* another file with another content */
    TMO_COPY_UNKNOWN, /* it cannot be read from here */
};

struct tmo_process {
    pid_t pid;
    char root[32];      /* what stands before its paths; "" where its root is ours */
    char exe[PATH_MAX]; /* as its root has it; with " (deleted)" behind it if it is */
    char exe_link[32];  /* "/proc/PID/exe", which can be opened even so */
    char program[256];  /* the name by which rules and only know it */
    bool secure;        /* AT_SECURE: the library ignores its environment */
    int64_t started_ms; /* since the epoch; 0: not known */
    char *environment;  /* all of it in one piece, and */
    char **envp;        /* its variables, as at its exec; ends with NULL */
    char **mapped;      /* libraries that it has loaded, MAPPED_COUNT paths */
    size_t mapped_count;
    char *library; /* the path of ours; NULL: not loaded */
    enum tmo_copy copy;
};

enum tmo_seen {
    TMO_SEEN,
    TMO_SEEN_GONE,   /* there is no such process, or it has ended and waits for its parent */
    TMO_SEEN_KERNEL, /* a thread of the kernel */
    TMO_SEEN_DENIED, /* *RET_ERROR says why it cannot be looked at */
};

/* Looks at PID. OURS is the path of the library that this command would preload. What is in RET
 * stays. */
enum tmo_seen tmo_process_look(pid_t pid, const char *ours, struct tmo_process *ret,
                               int *ret_error);

/* The path of PATH from here, in BUF (PATH_MAX bytes): a relative one is meant from the folder that
 * the process is in now. */
void tmo_process_path(const struct tmo_process *process, const char *path, char *buf);

/* Whether TIME of a file is later than the process's start. */
bool tmo_process_is_younger(const struct tmo_process *process, const struct timespec *time);

#endif
