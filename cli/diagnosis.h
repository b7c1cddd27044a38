/* SPDX-License-Identifier: MIT
 * What the files of a program say of whether and how it can be reached, and the verdict.
 * Layer: cli.
 */
#ifndef TMO_CLI_DIAGNOSIS_H
#define TMO_CLI_DIAGNOSIS_H

#include "cli/needs.h"
#include "cli/preflight.h"
#include "cli/sheet.h"

/* The exit statuses of doctor. */
enum {
    TMO_REACHED_BY_PRELOAD = 0,
    TMO_REACHED_FROM_OUTSIDE = 1,
    TMO_REACHED_NOT_AT_ALL = 2,
};

struct tmo_diagnosis {
    const struct tmo_preflight *found;
    const struct tmo_elf *library;
    const char *library_path;
    struct tmo_needs needs;
};

/* Writes what FOUND and the libraries say on SHEET. */
void tmo_cli_diagnosis_facts(const struct tmo_diagnosis *diagnosis, struct tmo_sheet *sheet);

/* Which of the three it is, by FOUND; TMO_STATUS_CANNOT: it cannot be read, so nobody can tell. */
int tmo_cli_diagnosis_status(const struct tmo_preflight *found);

/* Writes the verdict and what to do instead. */
void tmo_cli_diagnosis_verdict(const struct tmo_preflight *found, struct tmo_sheet *sheet);

#endif
