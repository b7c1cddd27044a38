/* SPDX-License-Identifier: MIT
 * What an ELF file imports. See imports.h.
 */
#include "cli/imports.h"
#include "cli/elffile.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of a table of symbols or strings; Chromium's have some MiB. */
#define PIECE_MAX (64u << 20)

/* --- which names matter ---------------------------------------------------------------------- */

/* All names of the table, also those of another word size than ours, and before them the name of
 * their family. */
#define TMO_TWO_TIMES       1
#define TMO_HAVE_VFORK_JUMP 1
static const struct {
    const char *family, *name; /* one of them */
} wrapped[] = {
#define FAMILY(name)                     {#name, NULL},
#define SYM(ret, name, params, args, nr) {NULL, #name},
#define OWN(name)                        {NULL, #name},
#define ALIAS(name, target)              {NULL, #name},
#include "shim/symbols.def"
};

static const struct {
    const char *name;
    enum tmo_calls kind;
} others[] = {
    {"dlmopen", TMO_CALLS_PAST}, /* a set of libraries without us in it */
    {"syscall", TMO_CALLS_PAST}, /* wrapped, but only as far as it stands for wrapped calls */
    {"dlopen", TMO_CALLS_OPEN},        {"posix_spawn", TMO_CALLS_START},
    {"posix_spawnp", TMO_CALLS_START}, {"system", TMO_CALLS_START},
    {"popen", TMO_CALLS_START},
};

static bool begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* Of what kind the rows of FAMILY are; TMO_CALLS_KINDS: of none that matters. */
static enum tmo_calls kind_of(const char *family, const char *name)
{
    static const char *const network[] = {"make", "recv", "send", "resolve"};
    for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++) {
        if (strcmp(family, network[i]) == 0)
            return TMO_CALLS_NETWORK;
    }
    if (strcmp(family, "wait") == 0)
        return TMO_CALLS_WAIT;
    return begins_with(name, "exec") || begins_with(name, "fexec") ? TMO_CALLS_START
                                                                   : TMO_CALLS_KINDS;
}

static void add(struct tmo_imports *imports, enum tmo_calls kind, const char *name)
{
    unsigned *count = &imports->counts[kind];
    for (unsigned i = 0; i < *count; i++) {
        if (strcmp(imports->calls[kind][i], name) == 0)
            return;
    }
    if (*count < TMO_CALLS_MAX)
        imports->calls[kind][(*count)++] = name;
}

static void take_name(struct tmo_imports *imports, const char *name)
{
    if (begins_with(name, "io_uring_"))
        imports->has_rings = true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(name, others[i].name) == 0) {
            add(imports, others[i].kind, others[i].name);
            return;
        }
    }
    const char *family = "";
    for (size_t i = 0; i < sizeof(wrapped) / sizeof(wrapped[0]); i++) {
        if (wrapped[i].family != NULL) {
            family = wrapped[i].family;
        } else if (strcmp(name, wrapped[i].name) == 0) {
            enum tmo_calls kind = kind_of(family, name);
            imports->makes_sockets = imports->makes_sockets || strcmp(family, "make") == 0;
            imports->moves_data =
                imports->moves_data || strcmp(family, "recv") == 0 || strcmp(family, "send") == 0;
            if (kind != TMO_CALLS_KINDS)
                add(imports, kind, wrapped[i].name);
            return;
        }
    }
}

/* --- the tables ------------------------------------------------------------------------------ */

/* Where the tables are in the file, and how long. */
struct places {
    uint64_t strings, strings_size, symbols, symbols_count, hash;
    uint64_t rpath, runpath; /* in the strings; 0: none */
};

/* Reads LEN bytes at OFFSET, or as many of them as there are, and a NUL behind them. NULL: no
 * memory. For free(3). */
static char *fetch_piece(const struct tmo_elffile *f, uint64_t offset, uint64_t len,
                         size_t *ret_len)
{
    struct stat st;
    uint64_t there = fstat(f->fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    there = offset < there ? there - offset : 0;
    len = len < there ? len : there;
    len = len < PIECE_MAX ? len : PIECE_MAX;
    char *piece = malloc((size_t)len + 1);
    if (piece == NULL)
        return NULL;
    if (tmo_elffile_fetch(f, offset, piece, (size_t)len) < 0)
        len = 0;
    piece[len] = '\0';
    *ret_len = (size_t)len;
    return piece;
}

static int keep_text(const char *strings, size_t size, uint64_t at, char **ret)
{
    *ret = at > 0 && at < size ? strdup(strings + at) : NULL;
    return at > 0 && at < size && *ret == NULL ? -ENOMEM : 0;
}

/* How many symbols there are is written in none of the tables that a loader needs, but in the
 * sections (stripped of some files) and in the older table of hashes. Without either: linkers put
 * the strings behind the symbols. */
static uint64_t count_symbols(const struct tmo_elffile *f, const struct places *at, size_t row)
{
    struct tmo_section s = {0};
    uint32_t head[2];
    for (unsigned i = 0; i < f->section_count && i < TMO_ELF_TABLE_MAX; i++) {
        if (tmo_elffile_section(f, i, &s) == 0 && s.type == SHT_DYNSYM && s.offset == at->symbols)
            return s.size / row;
    }
    if (at->hash != 0 && tmo_elffile_fetch(f, at->hash, head, sizeof(head)) == 0)
        return head[1];
    return at->strings > at->symbols ? (at->strings - at->symbols) / row : 0;
}

static int read_symbols(const struct tmo_elffile *f, const struct places *at, const char *strings,
                        size_t strings_size, struct tmo_imports *ret)
{
    size_t row = f->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), have;
    uint64_t count = count_symbols(f, at, row);
    if (count > PIECE_MAX / row) {
        ret->incomplete = true;
        count = PIECE_MAX / row;
    }
    char *table = fetch_piece(f, at->symbols, count * row, &have);
    if (table == NULL)
        return -ENOMEM;
    ret->incomplete = ret->incomplete || have < count * row;
    for (size_t i = 0; i < have / row; i++) {
        Elf64_Sym wide;
        Elf32_Sym narrow;
        memcpy(f->wide ? (void *)&wide : (void *)&narrow, table + i * row, row);
        uint32_t name = f->wide ? wide.st_name : narrow.st_name;
        uint16_t section = f->wide ? wide.st_shndx : narrow.st_shndx;
        if (section != SHN_UNDEF || name == 0)
            continue;
        if (name < strings_size)
            take_name(ret, strings + name);
        else
            ret->incomplete = true;
    }
    free(table);
    return 0;
}

static int read_tables(const struct tmo_elffile *f, const struct places *at, const uint64_t *needed,
                       size_t needed_count, struct tmo_imports *ret)
{
    size_t size;
    char *strings = fetch_piece(f, at->strings, at->strings_size, &size);
    int r = strings != NULL ? 0 : -ENOMEM;
    if (r == 0 && needed_count > 0) {
        ret->needed = calloc(needed_count, sizeof(*ret->needed));
        r = ret->needed != NULL ? 0 : -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < needed_count; i++) {
        r = keep_text(strings, size, needed[i], &ret->needed[ret->needed_count]);
        if (ret->needed[ret->needed_count] != NULL)
            ret->needed_count++;
        else
            ret->incomplete = true;
    }
    if (r == 0)
        r = keep_text(strings, size, at->rpath, &ret->rpath);
    if (r == 0)
        r = keep_text(strings, size, at->runpath, &ret->runpath);
    if (r == 0 && at->symbols != 0)
        r = read_symbols(f, at, strings, size, ret);
    free(strings);
    return r;
}

static int read_dynamic(const struct tmo_elffile *f, const struct tmo_segment *s,
                        struct tmo_imports *ret)
{
    static uint64_t needed[TMO_ELF_TABLE_MAX];
    struct places at = {0};
    size_t count = 0;
    uint64_t tag, value;
    int r;

    for (unsigned i = 0; (r = tmo_elffile_dynamic(f, s, i, &tag, &value)) == 0; i++) {
        if (tag == DT_NEEDED)
            needed[count++] = value;
        else if (tag == DT_STRTAB)
            at.strings = tmo_elffile_offset(f, value);
        else if (tag == DT_STRSZ)
            at.strings_size = value;
        else if (tag == DT_SYMTAB)
            at.symbols = tmo_elffile_offset(f, value);
        else if (tag == DT_HASH)
            at.hash = tmo_elffile_offset(f, value);
        else if (tag == DT_RPATH)
            at.rpath = value;
        else if (tag == DT_RUNPATH)
            at.runpath = value;
    }
    if (r != -ENODATA)
        return r;
    if (at.strings == 0) {
        ret->incomplete = count > 0 || at.symbols != 0;
        return 0;
    }
    return read_tables(f, &at, needed, count, ret);
}

/* --- code ------------------------------------------------------------------------------------ */

/* Whether the LEN bytes at CODE make the system call NR, or call syscall(2) with it: as compilers
 * for x86-64 (mov to edi, to eax), i386 (push, mov to the stack) and arm64 (mov to w0, w8) write
 * it. */
static bool has_number(const unsigned char *code, size_t len, unsigned nr)
{
    const unsigned char text[4] = {(unsigned char)nr, (unsigned char)(nr >> 8)};
    for (const unsigned char *at = code; at + 5 <= code + len; at++) {
        if (memcmp(at + 1, text, 4) == 0 &&
            (*at == 0xbf || *at == 0xb8 || *at == 0x68 || *at == 0x24))
            return true;
    }
    for (size_t i = 0; i + 4 <= len; i += 4) {
        uint32_t word;
        memcpy(&word, code + i, 4);
        if ((word & 0x7ffffff7) == (0x52800000 | nr << 5))
            return true;
    }
    return false;
}

/* Whether the code of F makes rings and enters them without liburing. Large programs have both
 * numbers for other reasons. */
static bool rings_by_number(const struct tmo_elffile *f)
{
    enum { SETUP = 425, ENTER = 426 }; /* include/uapi/asm-generic/unistd.h; on all machines */
    bool setup = false, enter = false;
    for (unsigned i = 0; i < f->segment_count && i < TMO_ELF_TABLE_MAX; i++) {
        struct tmo_segment s = {0};
        size_t len;
        if (tmo_elffile_segment(f, i, &s) < 0 || s.type != PT_LOAD || (s.flags & PF_X) == 0)
            continue;
        char *code = fetch_piece(f, s.offset, s.size, &len);
        if (code == NULL)
            return false;
        setup = setup || has_number((unsigned char *)code, len, SETUP);
        enter = enter || has_number((unsigned char *)code, len, ENTER);
        free(code);
    }
    return setup && enter;
}

static bool has_call(const struct tmo_imports *imports, enum tmo_calls kind, const char *name)
{
    for (unsigned i = 0; i < imports->counts[kind]; i++) {
        if (strcmp(imports->calls[kind][i], name) == 0)
            return true;
    }
    return false;
}

/* It makes sockets, and imports nothing else that could wait for them. */
static bool has_nothing_else(const struct tmo_imports *imports)
{
    return imports->makes_sockets && !imports->moves_data && imports->counts[TMO_CALLS_WAIT] == 0 &&
           !imports->incomplete;
}

static void look_for_rings(const struct tmo_elffile *f, struct tmo_imports *ret)
{
    for (size_t i = 0; i < ret->needed_count; i++)
        ret->has_rings = ret->has_rings || begins_with(ret->needed[i], "liburing.so");
    if (!ret->has_rings && has_nothing_else(ret) && has_call(ret, TMO_CALLS_PAST, "syscall"))
        ret->has_rings = rings_by_number(f);
    if (ret->has_rings)
        add(ret, TMO_CALLS_PAST, "io_uring");
}

bool tmo_cli_imports_rings_alone(const struct tmo_imports *imports)
{
    return imports->has_rings && has_nothing_else(imports);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int tmo_cli_imports_read(const char *path, struct tmo_imports *ret)
{
    struct tmo_elffile f;
    memset(ret, 0, sizeof(*ret));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int r = tmo_elffile_open(fd, &f);
    bool found = false;
    for (unsigned i = 0; r == 0 && !found && i < f.segment_count && i < TMO_ELF_TABLE_MAX; i++) {
        struct tmo_segment s = {0};
        r = tmo_elffile_segment(&f, i, &s);
        found = r == 0 && s.type == PT_DYNAMIC;
        if (found)
            r = read_dynamic(&f, &s, ret);
    }
    if (r == 0)
        look_for_rings(&f, ret);
    close(fd);
    for (size_t kind = 0; kind < TMO_CALLS_KINDS; kind++)
        qsort(ret->calls[kind], ret->counts[kind], sizeof(ret->calls[kind][0]), by_name);
    return r;
}
