/* SPDX-License-Identifier: MIT
 * The dynamic section of an ELF file: which libraries it needs and which calls it takes from
 * others, of those that matter here. elf(5). Layer: cli.
 */
#ifndef TMO_CLI_IMPORTS_H
#define TMO_CLI_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>

enum tmo_calls {
    TMO_CALLS_NETWORK, /* sockets are made, read and written; names are looked up */
    TMO_CALLS_WAIT,    /* poll and its kin, which wait for other things, too */
    TMO_CALLS_PAST,    /* what may go past the library */
    TMO_CALLS_OPEN,    /* opens libraries as it runs */
    TMO_CALLS_START,   /* starts other programs */
    TMO_CALLS_KINDS,
};

#define TMO_CALLS_MAX 64 /* of one kind */

struct tmo_imports {
    bool incomplete; /* the table of symbols is damaged */
    char **needed;   /* names of libraries, needed_count of them */
    size_t needed_count;
    char *rpath, *runpath; /* NULL: none */
    const char *calls[TMO_CALLS_KINDS][TMO_CALLS_MAX];
    unsigned counts[TMO_CALLS_KINDS];
    bool makes_sockets, moves_data; /* by calls of the network */
    bool has_rings; /* it uses io_uring, by liburing or by the numbers of its calls */
};

/* Reads the file at PATH. What it fills in stays. Returns 0, also for a file without a dynamic
 * section, which imports nothing; or as tmo_cli_elf_read_path(), or -ENOMEM. */
int tmo_cli_imports_read(const char *path, struct tmo_imports *ret);

/* Whether all that it could wait for on its sockets goes through io_uring: it has that and sockets,
 * and imports nothing else that waits. Some such programs import more, and are not seen. */
bool tmo_cli_imports_rings_alone(const struct tmo_imports *imports);

#endif
