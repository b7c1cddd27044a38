/* SPDX-License-Identifier: MIT
 * What the files of a program say. See diagnosis.h.
 */
#include "cli/diagnosis.h"
#include "cli/actions.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the program's own file ------------------------------------------------------------------ */

/* "64-bit x86-64" */
static void kind_text(const struct tmo_elf *elf, char *buf, size_t size)
{
    const char *machine = tmo_cli_elf_machine(elf);
    snprintf(buf, size, "%d-bit ", elf->bits_class == ELFCLASS64 ? 64 : 32);
    size_t len = strlen(buf);
    if (machine != NULL)
        snprintf(buf + len, size - len, "%s", machine);
    else if (elf->machine != 0)
        snprintf(buf + len, size - len, "machine %u", elf->machine);
    else
        snprintf(buf + len, size - len, "of another byte order");
}

static void tell_class(const struct tmo_diagnosis *d, struct tmo_sheet *sheet)
{
    char own[64], library[64], reason[96];
    kind_text(&d->found->elf, own, sizeof(own));
    kind_text(d->library, library, sizeof(library));
    snprintf(reason, sizeof(reason), "the library is %s", library);
    tmo_sheet_fact(sheet, "class", own,
                   strcmp(own, library) == 0 ? "the same as the library" : reason);
}

static void tell_linking(const struct tmo_elf *elf, struct tmo_sheet *sheet)
{
    char reason[96];
    if (elf->has_loader)
        tmo_sheet_fact(sheet, "linking", "dynamic", "it names a dynamic loader");
    else if (elf->has_soname)
        tmo_sheet_fact(sheet, "linking", "dynamic",
                       "it names itself for others: a library, or the dynamic loader itself");
    else
        tmo_sheet_fact(sheet, "linking", elf->shared ? "static-pie" : "static",
                       "it names no dynamic loader, so nothing is preloaded");
    if (!elf->has_loader)
        return;
    snprintf(reason, sizeof(reason), "that of %s", tmo_cli_elf_libc(elf->loader));
    tmo_sheet_fact(sheet, "loader", elf->loader_path, reason);
}

static void tell_libc(const struct tmo_diagnosis *d, struct tmo_sheet *sheet)
{
    const struct tmo_elf *elf = &d->found->elf;
    char reason[64];
    enum tmo_libc own = elf->loader != TMO_LIBC_UNKNOWN ? elf->loader : elf->needs;
    if (!elf->has_loader && !elf->has_soname)
        return;
    snprintf(reason, sizeof(reason), "the library is for %s", tmo_cli_elf_libc(d->library->needs));
    tmo_sheet_fact(sheet, "libc", own != TMO_LIBC_UNKNOWN ? tmo_cli_elf_libc(own) : "unknown",
                   own == d->library->needs && own != TMO_LIBC_UNKNOWN ? "the same as the library"
                                                                       : reason);
}

static void tell_privileges(const struct tmo_preflight *found, struct tmo_sheet *sheet)
{
    struct stat st = {0};
    bool known = stat(found->path, &st) == 0;
    const char *value = found->secure != NULL ? "more than its caller's"
                        : known               ? "those of its caller"
                                              : "unknown";
    char reason[128];
    if (found->secure != NULL)
        snprintf(reason, sizeof(reason), "it %s", found->secure);
    else if ((st.st_mode & (S_ISUID | S_ISGID)) != 0)
        snprintf(reason, sizeof(reason), "it is set-uid or set-gid, which adds nothing here");
    else
        snprintf(reason, sizeof(reason), "neither set-uid, set-gid nor file capabilities count");
    tmo_sheet_fact(sheet, "privileges", value, reason);
}

static void tell_go(const struct tmo_elf *elf, struct tmo_sheet *sheet)
{
    tmo_sheet_fact(sheet, "go", elf->is_go ? "yes" : "no",
                   !elf->is_go       ? "it has no section of Go's linker"
                   : elf->has_loader ? "with cgo, but Go's network makes its own system calls"
                                     : "it makes its own system calls");
}

/* --- what it imports ------------------------------------------------------------------------- */

/* The calls of IMPORTS that are of the network or wait; WORDS has room for all. */
static size_t calls_of(const struct tmo_imports *imports, const char **words)
{
    size_t count = 0;
    for (unsigned i = 0; i < imports->counts[TMO_CALLS_NETWORK]; i++)
        words[count++] = imports->calls[TMO_CALLS_NETWORK][i];
    for (unsigned i = 0; i < imports->counts[TMO_CALLS_WAIT]; i++)
        words[count++] = imports->calls[TMO_CALLS_WAIT][i];
    return count;
}

static void join(const char *const *words, size_t count, char *buf, size_t size)
{
    buf[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(buf);
        snprintf(buf + at, size - at, "%s%s", i > 0 ? ", " : "", words[i]);
    }
}

/* The libraries with calls of the network, and those that are not there. */
static void tell_libraries(const struct tmo_needs *needs, struct tmo_sheet *sheet)
{
    const char *words[2 * TMO_CALLS_MAX];
    char text[2048];
    size_t network = 0;
    for (size_t i = 1; i < needs->count; i++)
        network += needs->all[i].imports.counts[TMO_CALLS_NETWORK] > 0;
    size_t count = needs->count - 1;
    snprintf(text, sizeof(text), "%zu librar%s%s", count, count == 1 ? "y" : "ies",
             needs->cut ? " and more" : "");
    char reason[64];
    snprintf(reason, sizeof(reason), "besides the C library; %zu with calls of the network",
             network);
    tmo_sheet_fact(sheet, "needs", text, reason);

    tmo_sheet_begin(sheet, "libraries");
    for (size_t i = 1; i < needs->count; i++) {
        const struct tmo_needed *one = &needs->all[i];
        if (one->path != NULL && one->imports.counts[TMO_CALLS_NETWORK] == 0)
            continue;
        count = calls_of(&one->imports, words);
        if (sheet->as_json) {
            tmo_json_open(&sheet->json, NULL, '{');
            tmo_json_text(&sheet->json, "name", one->name);
            tmo_json_text(&sheet->json, "path", one->path);
            tmo_sheet_list(sheet, "imports", words, count);
            tmo_json_close(&sheet->json, '}');
        } else if (one->path == NULL) {
            tmo_sheet_fact(sheet, "library", one->name, "not found");
        } else {
            join(words, count, text, sizeof(text));
            tmo_sheet_fact(sheet, "library", one->path, text);
        }
    }
    tmo_sheet_end(sheet);
}

static const char *past_reason(const char *call)
{
    if (strcmp(call, "dlmopen") == 0)
        return "libraries opened by it stand in a set of their own, without the library";
    if (strcmp(call, "syscall") == 0)
        return "followed where it stands for a call that is wrapped, not for others";
    return "what goes through its rings is no call";
}

static void tell_past_one(struct tmo_sheet *sheet, const char *call, const char *by)
{
    char value[256];
    if (sheet->as_json) {
        tmo_json_open(&sheet->json, NULL, '{');
        tmo_json_text(&sheet->json, "call", call);
        tmo_json_text(&sheet->json, "by", by);
        tmo_json_text(&sheet->json, "reason", past_reason(call));
        tmo_json_close(&sheet->json, '}');
        return;
    }
    const char *how = strcmp(call, "io_uring") == 0 ? "used" : "imported";
    snprintf(value, sizeof(value), "%s, %s by %.180s", call, how, by);
    tmo_sheet_fact(sheet, "may pass", value, past_reason(call));
}

/* What may go past the library. */
static void tell_past(const struct tmo_needs *needs, struct tmo_sheet *sheet)
{
    tmo_sheet_begin(sheet, "may_pass");
    for (size_t i = 0; i < needs->count; i++) {
        const struct tmo_needed *one = &needs->all[i];
        const char *by = i == 0 ? "the program" : one->name;
        for (unsigned k = 0; k < one->imports.counts[TMO_CALLS_PAST]; k++)
            tell_past_one(sheet, one->imports.calls[TMO_CALLS_PAST][k], by);
    }
    tmo_sheet_end(sheet);
}

static bool any_imports(const struct tmo_needs *needs, enum tmo_calls kind)
{
    for (size_t i = 0; i < needs->count; i++) {
        if (needs->all[i].imports.counts[kind] > 0)
            return true;
    }
    return false;
}

static bool any_incomplete(const struct tmo_needs *needs)
{
    for (size_t i = 0; i < needs->count; i++) {
        if (needs->all[i].imports.incomplete)
            return true;
    }
    return false;
}

static void tell_network(const struct tmo_diagnosis *d, struct tmo_sheet *sheet)
{
    const struct tmo_needs *needs = &d->needs;
    const char *own = needs->all[0].imports.counts[TMO_CALLS_NETWORK] > 0
                          ? "imported by the program itself"
                          : "imported by libraries that it needs";
    bool opens = any_imports(needs, TMO_CALLS_OPEN), starts = any_imports(needs, TMO_CALLS_START);
    if (!d->found->elf.has_loader && !d->found->elf.has_soname)
        tmo_sheet_fact(sheet, "network", "unknown", "a static program imports nothing");
    else if (any_imports(needs, TMO_CALLS_NETWORK))
        tmo_sheet_fact(sheet, "network", "yes", own);
    else if (any_incomplete(needs))
        tmo_sheet_fact(sheet, "network", "unknown", "a table of symbols is damaged or very large");
    else
        tmo_sheet_fact(sheet, "network", "none",
                       "nothing of the network is imported, by it or by what it needs");
    if (opens)
        tmo_sheet_fact(sheet, "opens", "libraries as it runs",
                       "by dlopen: which ones, and whether they have calls of the network, no "
                       "file says");
    if (starts)
        tmo_sheet_fact(sheet, "starts", "other programs",
                       "each is reached or not by itself, and not looked at here");
}

void tmo_cli_diagnosis_facts(const struct tmo_diagnosis *d, struct tmo_sheet *sheet)
{
    const char *words[2 * TMO_CALLS_MAX];
    const struct tmo_elf *elf = &d->found->elf;
    if (elf->bits_class == 0) { /* it cannot be read */
        tell_privileges(d->found, sheet);
        return;
    }
    tell_class(d, sheet);
    if (d->found->obstacle != TMO_OBSTACLE_MACHINE) {
        tell_linking(elf, sheet);
        tell_libc(d, sheet);
    }
    tell_privileges(d->found, sheet);
    tell_go(elf, sheet);
    if (d->found->obstacle == TMO_OBSTACLE_MACHINE || d->needs.count == 0)
        return;
    if (elf->has_loader || elf->has_soname) {
        size_t count = calls_of(&d->needs.all[0].imports, words);
        tmo_sheet_list(sheet, "imports", words, count);
        tell_libraries(&d->needs, sheet);
    }
    tell_past(&d->needs, sheet);
    tell_network(d, sheet);
}

/* --- the verdict ----------------------------------------------------------------------------- */

int tmo_cli_diagnosis_status(const struct tmo_preflight *found)
{
    if (found->obstacle == TMO_OBSTACLE_MACHINE)
        return TMO_REACHED_NOT_AT_ALL;
    /* ptrace(2) and its kin are for those who have all rights that the other has. */
    if (found->secure != NULL)
        return geteuid() == 0 ? TMO_REACHED_FROM_OUTSIDE : TMO_REACHED_NOT_AT_ALL;
    if (found->obstacle != TMO_OBSTACLE_NONE)
        return TMO_REACHED_FROM_OUTSIDE;
    return found->reach == TMO_REACH_UNKNOWN ? TMO_STATUS_CANNOT : TMO_REACHED_BY_PRELOAD;
}

/* What to do instead. NULL: nothing. */
static const char *advice_for(const struct tmo_preflight *found)
{
    switch (found->obstacle) {
    case TMO_OBSTACLE_MACHINE:
        return "run it where it is at home, with a library built there";
    case TMO_OBSTACLE_CLASS:
        return "install the library of that word size too, each where $LIB leads, and set "
               "LD_PRELOAD='/usr/$LIB/libsocktmo.so', which serves both";
    case TMO_OBSTACLE_STATIC:
        return found->elf.is_go
                   ? "start it by socktmo run --guard, or use the time limits that the program "
                     "has itself"
                   : "start it by socktmo run --guard, or use a build of it that is linked dynamically";
    case TMO_OBSTACLE_LIBC:
        return "build the library for that C library (make CC=musl-gcc) and preload that one";
    case TMO_OBSTACLE_GO:
        return "start it by socktmo run --guard, or with SOCKTMO_ENGINE=both: calls of C code in it "
               "are reached by preload, those of Go are not";
    case TMO_OBSTACLE_RINGS:
        return "start it by socktmo run --guard, or with SOCKTMO_ENGINE=both";
    default:
        break;
    }
    if (found->secure != NULL)
        return "start it as the user that it becomes, without the set-uid bit or capabilities; or "
               "name the library in /etc/ld.so.preload, where it serves all programs and takes its "
               "settings from /etc/socktmo.conf alone";
    if (found->reach == TMO_REACH_UNKNOWN)
        return "look as a user who can read it";
    return NULL;
}

void tmo_cli_diagnosis_verdict(const struct tmo_preflight *found, struct tmo_sheet *sheet)
{
    char reason[512];
    const char *value;
    switch (tmo_cli_diagnosis_status(found)) {
    case TMO_REACHED_BY_PRELOAD:
        value = "by preload";
        break;
    case TMO_REACHED_FROM_OUTSIDE:
        value = "only under socktmo run --guard";
        break;
    case TMO_REACHED_NOT_AT_ALL:
        value = "not at all";
        break;
    default:
        value = "unknown";
    }
    if (found->reason[0] == '\0') {
        snprintf(reason, sizeof(reason), "nothing speaks against it");
    } else {
        bool both = found->secure != NULL && found->obstacle != TMO_OBSTACLE_NONE;
        snprintf(reason, sizeof(reason), "it %s%s%s", found->reason, both ? "; and it " : "",
                 both ? found->secure : "");
    }
    tmo_sheet_fact(sheet, "reach", value, reason);
    const char *advice = advice_for(found);
    if (advice != NULL)
        tmo_sheet_fact(sheet, "instead", advice, NULL);
}
