/* SPDX-License-Identifier: MIT
 * What an ELF file says. See elf.h.
 */
#include "cli/elf.h"
#include "cli/elffile.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

static int read_loader(const struct tmo_elffile *f, const struct tmo_segment *s,
                       struct tmo_elf *elf)
{
    char path[PATH_MAX];
    int r = tmo_elffile_text(f, s->offset, path, sizeof(path));
    if (r < 0)
        return r;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    elf->has_loader = true;
    snprintf(elf->loader_path, sizeof(elf->loader_path), "%.*s", (int)sizeof(elf->loader_path) - 1,
             path);
    if (begins_with(name, "ld-musl"))
        elf->loader = TMO_LIBC_MUSL;
    else if (begins_with(name, "ld-linux") || begins_with(name, "ld64.so") ||
             begins_with(name, "ld.so"))
        elf->loader = TMO_LIBC_GLIBC;
    return 0;
}

static int read_dynamic(const struct tmo_elffile *f, const struct tmo_segment *s,
                        struct tmo_elf *elf)
{
    uint64_t needed[64], tag, value, strings = 0;
    unsigned count = 0;
    int r;

    for (unsigned i = 0; (r = tmo_elffile_dynamic(f, s, i, &tag, &value)) == 0; i++) {
        if (tag == DT_STRTAB)
            strings = tmo_elffile_offset(f, value);
        else if (tag == DT_SONAME)
            elf->has_soname = true;
        else if (tag == DT_NEEDED && count < sizeof(needed) / sizeof(needed[0]))
            needed[count++] = value;
    }
    if (r != -ENODATA)
        return r;
    for (unsigned i = 0; i < count && strings != 0; i++) {
        char name[64];
        if (tmo_elffile_text(f, strings + needed[i], name, sizeof(name)) < 0)
            continue;
        if (strcmp(name, "libc.so") == 0 || begins_with(name, "libc.musl-"))
            elf->needs = TMO_LIBC_MUSL;
        else if (begins_with(name, "libc.so.")) /* libc.so.6, libc.so.6.1 */
            elf->needs = TMO_LIBC_GLIBC;
    }
    return 0;
}

/* Best effort: stripped of its section table, a Go program goes unnoticed. */
static bool has_go_sections(const struct tmo_elffile *f)
{
    static const char *const known[] = {
        ".note.go.buildid", ".go.buildinfo", ".gopclntab",
        ".data.rel.ro.gopclntab", /* position-independent, before Go 1.26 */
    };
    struct tmo_section names = {0}, s = {0};

    if (f->section_names >= f->section_count ||
        tmo_elffile_section(f, f->section_names, &names) < 0)
        return false;
    for (unsigned i = 0; i < f->section_count && i < TMO_ELF_TABLE_MAX; i++) {
        char name[32];
        if (tmo_elffile_section(f, i, &s) < 0 ||
            tmo_elffile_text(f, names.offset + s.name, name, sizeof(name)) < 0)
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
    struct tmo_elffile f;
    struct tmo_elf elf = {.loader = TMO_LIBC_UNKNOWN};

    int r = tmo_elffile_open(fd, &f);
    if (r < 0)
        return r;
    elf.bits_class = f.bits_class;
    elf.byte_order = f.byte_order;
    elf.machine = f.machine;
    elf.shared = f.type == ET_DYN;
    for (unsigned i = 0; i < f.segment_count && i < TMO_ELF_TABLE_MAX; i++) {
        struct tmo_segment s = {0};
        if ((r = tmo_elffile_segment(&f, i, &s)) < 0)
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

/* Two numbers of machines of which one kernel runs both. */
static bool is_pair(uint16_t a, uint16_t b)
{
    return a == b || (a == EM_X86_64 && b == EM_386) || (a == EM_AARCH64 && b == EM_ARM);
}

bool tmo_cli_elf_same_machine(const struct tmo_elf *program, const struct tmo_elf *library)
{
    if (program->byte_order != library->byte_order)
        return false;
    if (program->bits_class == library->bits_class)
        return program->machine == library->machine;
    return is_pair(program->machine, library->machine) ||
           is_pair(library->machine, program->machine);
}

const char *tmo_cli_elf_machine(const struct tmo_elf *elf)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } known[] = {{EM_X86_64, "x86-64"}, {EM_386, "i386"},    {EM_AARCH64, "arm64"},
                 {EM_ARM, "arm"},       {EM_RISCV, "riscv"}, {EM_PPC64, "ppc64"},
                 {EM_PPC, "ppc"},       {EM_S390, "s390"},   {EM_MIPS, "mips"},
                 {EM_SPARCV9, "sparc"}};
    bool native = elf->byte_order == (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB);
    for (size_t i = 0; native && i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].machine == elf->machine)
            return known[i].name;
    }
    return NULL;
}

const char *tmo_cli_elf_libc(enum tmo_libc libc)
{
    return libc == TMO_LIBC_MUSL ? "musl" : libc == TMO_LIBC_GLIBC ? "glibc" : "another C library";
}
