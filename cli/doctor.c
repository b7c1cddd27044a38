/* SPDX-License-Identifier: MIT
 * `socktmo doctor PROGRAM|PID`: can it be reached, how, and why not.
 */
#include "cli/actions.h"
#include "cli/diagnosis.h"
#include "cli/library.h"
#include "cli/options.h"
#include "cli/running.h"
#include "cli/say.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct doctor {
    char library_path[PATH_MAX];
    struct tmo_elf library;
    struct tmo_sheet sheet;
    bool json;
};

static int status_of(int error)
{
    return error == -ENOENT ? TMO_STATUS_NOT_FOUND : TMO_STATUS_CANNOT;
}

/* The last lines, and the end. FAULTS may be NULL. */
static int finish(struct doctor *d, int status, const struct tmo_loaded *faults)
{
    if (d->json) {
        if (faults != NULL)
            tmo_cli_json_faults(faults, &d->sheet.json);
        tmo_json_number(&d->sheet.json, "status", (unsigned long)status);
    }
    tmo_sheet_close(&d->sheet);
    status = tmo_cli_finish(status, TMO_STATUS_USAGE);
    if (!d->json && faults != NULL)
        tmo_cli_tell_faults(faults);
    return status;
}

/* --- a program ------------------------------------------------------------------------------- */

/* Tells why PROGRAM cannot be started. */
static int tell_error(const char *program, const struct tmo_preflight *found)
{
    const char *why = strerror(-found->error);
    if (found->error == -ENOEXEC && found->reason[0] != '\0')
        tmo_cli_say("%s %s", found->path, found->reason);
    else if (found->lacks_loader)
        tmo_cli_say("%s: its dynamic loader %s: %s", found->path, found->elf.loader_path, why);
    else if (found->error == -ELOOP && found->interpreter)
        tmo_cli_say("%s: too many scripts are run by scripts", program);
    else if (found->interpreter)
        tmo_cli_say("%s is run by %s: %s", program, found->path, why);
    else
        tmo_cli_say(program[0] != '\0' ? "%s: %s" : "'%s': %s", program, why);
    return status_of(found->error);
}

/* Reads the imports of what FOUND has judged. */
static int read_needs(const struct tmo_preflight *found, struct tmo_diagnosis *d)
{
    bool readable = found->elf.bits_class != 0 && found->obstacle != TMO_OBSTACLE_MACHINE;
    int r = readable ? tmo_cli_needs_start(found->path, found->path, &d->needs) : 0;
    if (r == 0 && readable)
        r = tmo_cli_needs_follow(&found->elf, found->secure != NULL, &d->needs);
    if (r == -ENOMEM)
        tmo_cli_say("%s", strerror(ENOMEM));
    return r == -ENOMEM ? r : 0;
}

static int look_at_program(struct doctor *d, const char *program)
{
    static struct tmo_preflight found;
    struct tmo_diagnosis diagnosis = {
        .found = &found, .library = &d->library, .library_path = d->library_path};
    tmo_cli_preflight(program, &d->library, &found);
    if (found.error != 0)
        return tell_error(program, &found);
    if (read_needs(&found, &diagnosis) < 0)
        return TMO_STATUS_USAGE;

    tmo_sheet_open(&d->sheet, d->json);
    if (d->json) {
        tmo_sheet_list(&d->sheet, "scripts", (const char *const *)found.scripts,
                       found.scripts_count);
    } else {
        for (unsigned i = 0; i < found.scripts_count; i++)
            tmo_sheet_fact(&d->sheet, "script", found.scripts[i], "judged by what runs it");
    }
    tmo_sheet_fact(&d->sheet, "program", found.path, NULL);
    tmo_sheet_fact(&d->sheet, "preload", d->library_path, NULL);
    tmo_cli_diagnosis_facts(&diagnosis, &d->sheet);
    tmo_cli_diagnosis_verdict(&found, &d->sheet);
    return finish(d, tmo_cli_diagnosis_status(&found), NULL);
}

/* --- a process ------------------------------------------------------------------------------- */

/* What its files say: the libraries are those that it has loaded by now. */
static int look_at_files(struct doctor *d, const struct tmo_process *process,
                         struct tmo_preflight *found)
{
    struct tmo_diagnosis diagnosis = {
        .found = found, .library = &d->library, .library_path = d->library_path};
    char path[PATH_MAX];
    if (tmo_cli_preflight_file(process->exe_link, &d->library, found) < 0) {
        found->reach = TMO_REACH_UNKNOWN; /* it runs, and so is a program of some other format */
        snprintf(found->reason, sizeof(found->reason), "is run from a file that is no ELF file");
    }
    int r = found->elf.bits_class == 0 || found->obstacle == TMO_OBSTACLE_MACHINE
                ? 0
                : tmo_cli_needs_start(process->exe_link, process->exe, &diagnosis.needs);
    for (size_t i = 0; r == 0 && diagnosis.needs.count > 0 && i < process->mapped_count; i++) {
        tmo_process_path(process, process->mapped[i], path);
        r = tmo_cli_needs_add(process->mapped[i], path, &diagnosis.needs);
    }
    if (r == -ENOMEM) {
        tmo_cli_say("%s", strerror(ENOMEM));
        return r;
    }
    tmo_sheet_fact(&d->sheet, "program", process->exe, NULL);
    tmo_cli_diagnosis_facts(&diagnosis, &d->sheet);
    return 0;
}

static int look_at_process(struct doctor *d, const char *text, pid_t pid)
{
    static struct tmo_process process;
    static struct tmo_preflight found;
    static struct tmo_loaded loaded;
    int error = 0;
    switch (tmo_process_look(pid, d->library_path, &process, &error)) {
    case TMO_SEEN_GONE:
        tmo_cli_say("%s: there is no such process", text);
        return TMO_STATUS_NOT_FOUND;
    case TMO_SEEN_DENIED:
        tmo_cli_say("process %s cannot be looked at: %s; its own user or root can", text,
                    strerror(error));
        return TMO_STATUS_CANNOT;
    case TMO_SEEN_KERNEL:
        tmo_sheet_open(&d->sheet, d->json);
        tmo_sheet_fact(&d->sheet, "process", text, NULL);
        tmo_sheet_fact(&d->sheet, "reach", "not at all", "it is a thread of the kernel");
        return finish(d, TMO_REACHED_NOT_AT_ALL, NULL);
    default:
        break;
    }
    tmo_sheet_open(&d->sheet, d->json);
    if (tmo_cli_running_facts(&process, d->library_path, &loaded, &d->sheet) < 0 ||
        look_at_files(d, &process, &found) < 0)
        return TMO_STATUS_USAGE;
    if (process.library == NULL) {
        tmo_cli_diagnosis_verdict(&found, &d->sheet);
        int status = tmo_cli_diagnosis_status(&found);
        if (status == TMO_REACHED_BY_PRELOAD)
            tmo_sheet_fact(&d->sheet, "instead", "start it again by socktmo run", NULL);
        return finish(d, status, NULL);
    }
    if (found.obstacle == TMO_OBSTACLE_GO || found.obstacle == TMO_OBSTACLE_RINGS) {
        /* loaded, and passed by */
        tmo_cli_diagnosis_verdict(&found, &d->sheet);
        return finish(d, tmo_cli_diagnosis_status(&found), &loaded);
    }
    tmo_sheet_fact(&d->sheet, "reach", "by preload", "the library is loaded");
    return finish(d, TMO_REACHED_BY_PRELOAD, &loaded);
}

/* --- the action ------------------------------------------------------------------------------ */

/* The number that TEXT is: 0 if it is none. -1: one that no process can have. */
static pid_t pid_of(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || strspn(text, "0123456789") != len)
        return 0;
    long n = len <= 10 ? atol(text) : 0;
    return n > 0 && n <= INT_MAX ? (pid_t)n : -1;
}

int tmo_cli_doctor(char **argv)
{
    static struct doctor doctor;
    struct tmo_arguments given;
    if (tmo_cli_arguments_read(argv, "doctor", "one program or process", &given) < 0)
        return TMO_STATUS_USAGE;
    if (given.help)
        return tmo_cli_help();
    if (given.subject == NULL) {
        tmo_cli_say("doctor needs a program or the number of a process, see socktmo --help");
        return TMO_STATUS_USAGE;
    }
    if (tmo_cli_library_find(doctor.library_path, sizeof(doctor.library_path)) < 0 ||
        tmo_cli_library_read(doctor.library_path, &doctor.library) < 0)
        return TMO_STATUS_USAGE;
    doctor.json = given.json;
    pid_t pid = pid_of(given.subject);
    if (pid < 0) {
        tmo_cli_say("%s: there is no such process", given.subject);
        return TMO_STATUS_NOT_FOUND;
    }
    return pid != 0 ? look_at_process(&doctor, given.subject, pid)
                    : look_at_program(&doctor, given.subject);
}
