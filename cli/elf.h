/* SPDX-License-Identifier: MIT
 * What an ELF file says about whether a library can be preloaded into it. elf(5).
 * Layer: cli.
 */
#ifndef TMO_CLI_ELF_H
#define TMO_CLI_ELF_H

#include <stdbool.h>
#include <stdint.h>

enum tmo_libc { TMO_LIBC_UNKNOWN, TMO_LIBC_GLIBC, TMO_LIBC_MUSL };

struct tmo_elf {
    unsigned char bits_class; /* ELFCLASS32, ELFCLASS64 */
    unsigned char byte_order; /* ELFDATA2LSB, ELFDATA2MSB; another than ours: no field below */
    uint16_t machine;         /* EM_X86_64 ... */
    bool shared;              /* ET_DYN */
    bool has_loader;          /* names a dynamic loader (PT_INTERP) */
    bool has_soname;          /* a library, or the dynamic loader itself */
    bool is_go;               /* has sections that only Go's linker makes */
    enum tmo_libc loader;     /* whose loader it names */
    enum tmo_libc needs;      /* which C library it is linked with */
    char loader_path[256];    /* a longer one is cut */
};

/* Reads the file FD. Returns 0; -ENOEXEC if it is no ELF file; -EBADMSG if it is a damaged one, or
 * neither program nor library; or what pread(2) gave. *RET is untouched on failure. */
int tmo_cli_elf_read(int fd, struct tmo_elf *ret);

/* The same for the file at PATH; also what open(2) gave. */
int tmo_cli_elf_read_path(const char *path, struct tmo_elf *ret);

/* Whether PROGRAM is for a machine that can also run what LIBRARY is for, in this word size or in
 * the other. */
bool tmo_cli_elf_same_machine(const struct tmo_elf *program, const struct tmo_elf *library);

/* "x86-64"; NULL for one without a name here. */
const char *tmo_cli_elf_machine(const struct tmo_elf *elf);

/* "glibc", "musl", "another C library". */
const char *tmo_cli_elf_libc(enum tmo_libc libc);

#endif
