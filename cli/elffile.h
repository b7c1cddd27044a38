/* SPDX-License-Identifier: MIT
 * The tables of an ELF file: header, segments, sections, the dynamic section. elf(5). Every offset
 * comes from the file, so nothing is trusted: each piece is fetched by pread(2), and tables have an
 * upper bound. Both classes are read, in the byte order of this machine.
 * Layer: cli.
 */
#ifndef TMO_CLI_ELFFILE_H
#define TMO_CLI_ELFFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMO_ELF_TABLE_MAX 4096 /* rows read of any one table; real programs have some tens */

struct tmo_elffile {
    int fd;
    unsigned char bits_class, byte_order; /* another order than ours: no field below */
    bool wide;                            /* 64 bit */
    uint16_t type, machine;
    uint64_t segments, sections;
    unsigned segment_count, segment_size, section_count, section_size, section_names;
};

struct tmo_segment {
    uint32_t type, flags;
    uint64_t offset, address, size;
};

struct tmo_section {
    uint32_t name, type;
    uint64_t offset, size;
};

/* Each returns 0; -ENOEXEC if it is no ELF file; -EBADMSG if the file ends before what is to be
 * read, or its header is none that a kernel would take; or what pread(2) gave. */

/* Reads the header of the file FD, which stays the caller's. */
int tmo_elffile_open(int fd, struct tmo_elffile *ret);

/* Reads exactly LEN bytes at OFFSET. */
int tmo_elffile_fetch(const struct tmo_elffile *f, uint64_t offset, void *buf, size_t len);

/* Reads a text of less than SIZE bytes at OFFSET; a longer one is cut. */
int tmo_elffile_text(const struct tmo_elffile *f, uint64_t offset, char *buf, size_t size);

int tmo_elffile_segment(const struct tmo_elffile *f, unsigned i, struct tmo_segment *ret);
int tmo_elffile_section(const struct tmo_elffile *f, unsigned i, struct tmo_section *ret);

/* Row I of the dynamic section S. -ENODATA: behind its last row. */
int tmo_elffile_dynamic(const struct tmo_elffile *f, const struct tmo_segment *s, unsigned i,
                        uint64_t *ret_tag, uint64_t *ret_value);

/* Where in the file the byte is that is loaded at ADDRESS; 0 if nowhere. */
uint64_t tmo_elffile_offset(const struct tmo_elffile *f, uint64_t address);

#endif
