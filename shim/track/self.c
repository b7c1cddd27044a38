/* SPDX-License-Identifier: MIT
 * Process, thread, program. See self.h.
 */
#include "shim/track/self.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>

struct tmo_self tmo_self;

/* initial-exec: read in two instructions, and never allocated behind a signal handler's back. */
static __thread pid_t thread_id __attribute__((tls_model("initial-exec")));

/* A script's name is its own: AT_EXECFN is what was executed, before the kernel put the
 * interpreter in its place (fs/exec.c, bprm->exec). */
static void name_program(void)
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    if (path == NULL)
        path = "";
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = strnlen(name, TMO_PROGRAM_MAX);
    memcpy(tmo_self.program, name, len);
    tmo_self.program[len] = '\0';
}

/* Whether one of the notes in LEN bytes at AT is by "Go" (elf(5), notes: name and contents are each
 * filled up to 4 bytes). */
static bool has_note_of_go(const char *at, size_t len)
{
    ElfW(Nhdr) note;
    for (size_t step; len >= sizeof(note); at += step, len -= step) {
        memcpy(&note, at, sizeof(note));
        step = sizeof(note) + ((note.n_namesz + 3) & ~3u) + ((note.n_descsz + 3) & ~3u);
        if (step > len)
            return false;
        if (note.n_namesz >= 3 && memcmp(at + sizeof(note), "Go", 3) == 0)
            return true;
    }
    return false;
}

bool tmo_self_is_go(void)
{
    const ElfW(Phdr) *first = (const ElfW(Phdr) *)(uintptr_t)getauxval(AT_PHDR), *p;
    size_t count = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    for (p = first; first != NULL && p < first + count; p++) {
        if (p->p_type == PT_PHDR)
            base = (uintptr_t)first - p->p_vaddr;
    }
    for (p = first; first != NULL && p < first + count; p++) {
        if (p->p_type == PT_NOTE && has_note_of_go((const char *)(base + p->p_vaddr), p->p_memsz))
            return true;
    }
    return false;
}

void tmo_self_start(void)
{
    tmo_self.pid = thread_id = tmo_raw_getpid();
    tmo_self.start_us = tmo_self_now_us();
    name_program();
}

pid_t tmo_self_tid(void)
{
    if (thread_id == 0)
        thread_id = tmo_raw_gettid();
    return thread_id;
}

bool tmo_self_is_other(void)
{
    return tmo_raw_getpid() != tmo_self.pid;
}

void tmo_self_forked(void)
{
    tmo_self.forked_us = tmo_self_now_us();
}

void tmo_self_is_child(void)
{
    tmo_self.pid = thread_id = tmo_raw_getpid();
    tmo_self.start_us = tmo_self.forked_us = tmo_self_now_us();
    tmo_self.vforked = false;
}

uint64_t tmo_self_now_us(void)
{
    return (uint64_t)tmo_clock_ns() / 1000;
}
