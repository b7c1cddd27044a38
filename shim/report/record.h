/* SPDX-License-Identifier: MIT
 * An event -> one line, JSON or text. Layer: report. Signal-safe; no locale, no allocation.
 */
#ifndef TMO_REPORT_RECORD_H
#define TMO_REPORT_RECORD_H

#include "config/settings.h"
#include "shim/report/event.h"

#define TMO_RECORD_MAX 4096 /* bytes of a line with its newline: PIPE_BUF, written in one piece */

/* Writes EVENT as one line into BUF (TMO_RECORD_MAX bytes). LOST > 0 is added as `lost`. A line
 * that would be longer is cut between keys and gets `cut`: true. Returns its length. */
size_t tmo_record_write(const struct tmo_event *event, enum tmo_log_format format, uint64_t lost,
                        char *buf);

#endif
