/* SPDX-License-Identifier: MIT
 * The tables of an ELF file. See elffile.h.
 */
#include "cli/elffile.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int tmo_elffile_fetch(const struct tmo_elffile *f, uint64_t offset, void *buf, size_t len)
{
    size_t have = 0;
    while (have < len) {
        if (offset > (uint64_t)INT64_MAX - len)
            return -EBADMSG;
        ssize_t n = pread(f->fd, (char *)buf + have, len - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? -EBADMSG : -errno;
        have += (size_t)n;
    }
    return 0;
}

int tmo_elffile_text(const struct tmo_elffile *f, uint64_t offset, char *buf, size_t size)
{
    size_t at = 0;
    int r = 0;
    while (at < size - 1 && (r = tmo_elffile_fetch(f, offset + at, buf + at, 1)) == 0 &&
           buf[at] != '\0')
        at++;
    buf[at] = '\0';
    return r;
}

int tmo_elffile_segment(const struct tmo_elffile *f, unsigned i, struct tmo_segment *ret)
{
    uint64_t at = f->segments + (uint64_t)i * f->segment_size;
    int r;
    if (f->wide) {
        Elf64_Phdr p;
        if ((r = tmo_elffile_fetch(f, at, &p, sizeof(p))) == 0)
            *ret = (struct tmo_segment){p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz};
    } else {
        Elf32_Phdr p;
        if ((r = tmo_elffile_fetch(f, at, &p, sizeof(p))) == 0)
            *ret = (struct tmo_segment){p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz};
    }
    return r;
}

int tmo_elffile_section(const struct tmo_elffile *f, unsigned i, struct tmo_section *ret)
{
    uint64_t at = f->sections + (uint64_t)i * f->section_size;
    int r;
    if (f->wide) {
        Elf64_Shdr s;
        if ((r = tmo_elffile_fetch(f, at, &s, sizeof(s))) == 0)
            *ret = (struct tmo_section){s.sh_name, s.sh_type, s.sh_offset, s.sh_size};
    } else {
        Elf32_Shdr s;
        if ((r = tmo_elffile_fetch(f, at, &s, sizeof(s))) == 0)
            *ret = (struct tmo_section){s.sh_name, s.sh_type, s.sh_offset, s.sh_size};
    }
    return r;
}

int tmo_elffile_dynamic(const struct tmo_elffile *f, const struct tmo_segment *s, unsigned i,
                        uint64_t *ret_tag, uint64_t *ret_value)
{
    uint64_t size = f->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn), at = s->offset + i * size;
    int r;
    if (i >= TMO_ELF_TABLE_MAX || (i + 1) * size > s->size)
        return -ENODATA;
    if (f->wide) {
        Elf64_Dyn d;
        if ((r = tmo_elffile_fetch(f, at, &d, sizeof(d))) < 0)
            return r;
        *ret_tag = (uint64_t)d.d_tag;
        *ret_value = d.d_un.d_val;
    } else {
        Elf32_Dyn d;
        if ((r = tmo_elffile_fetch(f, at, &d, sizeof(d))) < 0)
            return r;
        *ret_tag = (uint64_t)d.d_tag;
        *ret_value = d.d_un.d_val;
    }
    return *ret_tag == DT_NULL ? -ENODATA : 0;
}

uint64_t tmo_elffile_offset(const struct tmo_elffile *f, uint64_t address)
{
    for (unsigned i = 0; i < f->segment_count && i < TMO_ELF_TABLE_MAX; i++) {
        struct tmo_segment s = {0};
        if (tmo_elffile_segment(f, i, &s) == 0 && s.type == PT_LOAD && address >= s.address &&
            address - s.address < s.size)
            return s.offset + (address - s.address);
    }
    return 0;
}

int tmo_elffile_open(int fd, struct tmo_elffile *ret)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } header = {{0}};
    struct tmo_elffile f = {.fd = fd};

    int r = tmo_elffile_fetch(&f, 0, &header, SELFMAG);
    if (r == -EBADMSG || (r == 0 && memcmp(header.ident, ELFMAG, SELFMAG) != 0))
        return -ENOEXEC;
    if (r < 0 || (r = tmo_elffile_fetch(&f, 0, &header, sizeof(header.narrow))) < 0)
        return r;
    f.bits_class = header.ident[EI_CLASS];
    f.byte_order = header.ident[EI_DATA];
    if (f.byte_order != (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB)) {
        *ret = f;
        return f.byte_order == ELFDATA2LSB || f.byte_order == ELFDATA2MSB ? 0 : -EBADMSG;
    }
    f.wide = f.bits_class == ELFCLASS64;
    if (!f.wide && f.bits_class != ELFCLASS32)
        return -EBADMSG;
    if (f.wide && (r = tmo_elffile_fetch(&f, 0, &header, sizeof(header.wide))) < 0)
        return r;
    /* The fields up to e_version are the same in both. */
    f.type = header.wide.e_type;
    f.machine = header.wide.e_machine;
#define FIELD(name) (f.wide ? header.wide.name : header.narrow.name)
    f.segments = FIELD(e_phoff);
    f.segment_count = FIELD(e_phnum);
    f.segment_size = FIELD(e_phentsize);
    f.sections = FIELD(e_shoff);
    f.section_count = FIELD(e_shnum);
    f.section_size = FIELD(e_shentsize);
    f.section_names = FIELD(e_shstrndx);
#undef FIELD
    *ret = f;
    /* What fs/binfmt_elf.c refuses. */
    bool program = f.type == ET_EXEC || f.type == ET_DYN;
    size_t row = f.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    return program && f.segment_size == row && f.segment_count > 0 ? 0 : -EBADMSG;
}
