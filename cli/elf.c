/* SPDX-License-Identifier: MIT
 * Reading ELF files. See elf.h. Both classes are read, since the library and the command may be
 * built for the smaller one. Every offset comes from the file, so nothing is trusted: each piece is
 * fetched by pread(2), and tables have an upper bound.
 */
#include "cli/elf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX 4096 /* rows read of any one table; real programs have some tens */

struct file {
    int fd;
    bool wide; /* 64 bit */
    uint64_t segments, sections;
    unsigned segment_count, segment_size, section_count, section_size, section_names;
};

struct segment {
    uint32_t type;
    uint64_t offset, address, size;
};

struct section {
    uint32_t name;
    uint64_t offset;
};

/* Reads exactly LEN bytes at OFFSET. 0, -ENOEXEC (the file ends before) or -errno. */
static int fetch(const struct file *f, uint64_t offset, void *buf, size_t len)
{
    size_t have = 0;
    while (have < len) {
        if (offset > (uint64_t)INT64_MAX - len)
            return -ENOEXEC;
        ssize_t n = pread(f->fd, (char *)buf + have, len - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? -ENOEXEC : -errno;
        have += (size_t)n;
    }
    return 0;
}

/* Reads a text of less than SIZE bytes at OFFSET; a longer one is cut. */
static int fetch_text(const struct file *f, uint64_t offset, char *buf, size_t size)
{
    size_t at = 0;
    int r = 0;
    while (at < size - 1 && (r = fetch(f, offset + at, buf + at, 1)) == 0 && buf[at] != '\0')
        at++;
    buf[at] = '\0';
    return r;
}

static int fetch_segment(const struct file *f, unsigned i, struct segment *ret)
{
    uint64_t at = f->segments + (uint64_t)i * f->segment_size;
    int r;
    if (f->wide) {
        Elf64_Phdr p;
        if ((r = fetch(f, at, &p, sizeof(p))) == 0)
            *ret = (struct segment){p.p_type, p.p_offset, p.p_vaddr, p.p_filesz};
    } else {
        Elf32_Phdr p;
        if ((r = fetch(f, at, &p, sizeof(p))) == 0)
            *ret = (struct segment){p.p_type, p.p_offset, p.p_vaddr, p.p_filesz};
    }
    return r;
}

static int fetch_section(const struct file *f, unsigned i, struct section *ret)
{
    uint64_t at = f->sections + (uint64_t)i * f->section_size;
    int r;
    if (f->wide) {
        Elf64_Shdr s;
        if ((r = fetch(f, at, &s, sizeof(s))) == 0)
            *ret = (struct section){s.sh_name, s.sh_offset};
    } else {
        Elf32_Shdr s;
        if ((r = fetch(f, at, &s, sizeof(s))) == 0)
            *ret = (struct section){s.sh_name, s.sh_offset};
    }
    return r;
}

static int fetch_dynamic(const struct file *f, uint64_t at, uint64_t *ret_tag, uint64_t *ret_value)
{
    int r;
    if (f->wide) {
        Elf64_Dyn d;
        if ((r = fetch(f, at, &d, sizeof(d))) == 0) {
            *ret_tag = (uint64_t)d.d_tag;
            *ret_value = d.d_un.d_val;
        }
    } else {
        Elf32_Dyn d;
        if ((r = fetch(f, at, &d, sizeof(d))) == 0) {
            *ret_tag = (uint64_t)d.d_tag;
            *ret_value = d.d_un.d_val;
        }
    }
    return r;
}

/* Where in the file the byte is that is loaded at ADDRESS; 0 if nowhere. */
static uint64_t file_offset(const struct file *f, uint64_t address)
{
    for (unsigned i = 0; i < f->segment_count; i++) {
        struct segment s = {0};
        if (fetch_segment(f, i, &s) == 0 && s.type == PT_LOAD && address >= s.address &&
            address - s.address < s.size)
            return s.offset + (address - s.address);
    }
    return 0;
}

static bool begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

static int read_loader(const struct file *f, const struct segment *s, struct tmo_elf *elf)
{
    char path[PATH_MAX];
    int r = fetch_text(f, s->offset, path, sizeof(path));
    if (r < 0)
        return r;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    elf->has_loader = true;
    if (begins_with(name, "ld-musl"))
        elf->loader = TMO_LIBC_MUSL;
    else if (begins_with(name, "ld-linux") || begins_with(name, "ld64.so") ||
             begins_with(name, "ld.so"))
        elf->loader = TMO_LIBC_GLIBC;
    return 0;
}

static int read_dynamic(const struct file *f, const struct segment *s, struct tmo_elf *elf)
{
    uint64_t size = f->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
    uint64_t needed[64], tag, value, strings = 0;
    unsigned count = 0;

    for (uint64_t i = 0; i < TABLE_MAX && (i + 1) * size <= s->size; i++) {
        int r = fetch_dynamic(f, s->offset + i * size, &tag, &value);
        if (r != 0)
            return r;
        if (tag == DT_NULL)
            break;
        if (tag == DT_STRTAB)
            strings = file_offset(f, value);
        else if (tag == DT_SONAME)
            elf->has_soname = true;
        else if (tag == DT_NEEDED && count < sizeof(needed) / sizeof(needed[0]))
            needed[count++] = value;
    }
    for (unsigned i = 0; i < count && strings != 0; i++) {
        char name[64];
        if (fetch_text(f, strings + needed[i], name, sizeof(name)) < 0)
            continue;
        if (strcmp(name, "libc.so") == 0 || begins_with(name, "libc.musl-"))
            elf->needs = TMO_LIBC_MUSL;
        else if (begins_with(name, "libc.so.")) /* libc.so.6, libc.so.6.1 */
            elf->needs = TMO_LIBC_GLIBC;
    }
    return 0;
}

/* Best effort: stripped of its section table, a Go program goes unnoticed. */
static bool has_go_sections(const struct file *f)
{
    static const char *const known[] = {
        ".note.go.buildid", ".go.buildinfo", ".gopclntab",
        ".data.rel.ro.gopclntab", /* position-independent, before Go 1.26 */
    };
    struct section names = {0}, s = {0};

    if (f->section_names >= f->section_count || fetch_section(f, f->section_names, &names) < 0)
        return false;
    for (unsigned i = 0; i < f->section_count && i < TABLE_MAX; i++) {
        char name[32];
        if (fetch_section(f, i, &s) < 0 ||
            fetch_text(f, names.offset + s.name, name, sizeof(name)) < 0)
            continue;
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (strcmp(name, known[k]) == 0)
                return true;
        }
    }
    return false;
}

int tmo_cli_elf_read(int fd, struct tmo_elf *ret)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } header = {{0}};
    struct file f = {.fd = fd};
    struct tmo_elf elf = {.loader = TMO_LIBC_UNKNOWN};

    int r = fetch(&f, 0, &header, sizeof(header.narrow));
    if (r < 0)
        return r;
    if (memcmp(header.ident, ELFMAG, SELFMAG) != 0)
        return -ENOEXEC;
    elf.bits_class = header.ident[EI_CLASS];
    elf.byte_order = header.ident[EI_DATA];
    if (elf.byte_order != (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB)) {
        *ret = elf;
        return 0;
    }
    f.wide = elf.bits_class == ELFCLASS64;
    if (f.wide && (r = fetch(&f, 0, &header, sizeof(header.wide))) < 0)
        return r;
    /* The fields up to e_version are the same in both. */
    elf.machine = header.wide.e_machine;
    elf.shared = header.wide.e_type == ET_DYN;
#define FIELD(name) (f.wide ? header.wide.name : header.narrow.name)
    f.segments = FIELD(e_phoff);
    f.segment_count = FIELD(e_phnum);
    f.segment_size = FIELD(e_phentsize);
    f.sections = FIELD(e_shoff);
    f.section_count = FIELD(e_shnum);
    f.section_size = FIELD(e_shentsize);
    f.section_names = FIELD(e_shstrndx);
#undef FIELD

    for (unsigned i = 0; i < f.segment_count && i < TABLE_MAX; i++) {
        struct segment s = {0};
        if ((r = fetch_segment(&f, i, &s)) < 0)
            return r;
        if (s.type == PT_INTERP)
            r = read_loader(&f, &s, &elf);
        else if (s.type == PT_DYNAMIC)
            r = read_dynamic(&f, &s, &elf);
        if (r < 0)
            return r;
    }
    elf.is_go = has_go_sections(&f);
    *ret = elf;
    return 0;
}

int tmo_cli_elf_read_path(const char *path, struct tmo_elf *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int r = tmo_cli_elf_read(fd, ret);
    close(fd);
    return r;
}
