/* SPDX-License-Identifier: MIT
 * Records and complaints of the guard. See guardlog.h.
 */
#include "cli/guardlog.h"
#include "cli/say.h"
#include "shim/report/record.h"
#include "shim/report/sink.h"
#include "shim/sys/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tmo_sink sink = {.fd = -1};
static enum tmo_log_format format;
static unsigned events; /* TMO_EVENT_ bits; 0: there is no log */

int tmo_guard_log_fd(const struct tmo_config *cfg)
{
    const char *text = cfg->text[TMO_SET_LOG];
    return text != NULL && strncmp(text, "fd:", 3) == 0 ? atoi(text + 3) : -1;
}

void tmo_guard_log_start(const struct tmo_config *cfg, pid_t pid, const char *program)
{
    const char *text = cfg->text[TMO_SET_LOG], *what = "";
    if (text == NULL || text[0] == '\0' || cfg->value[TMO_SET_DISABLE] != 0)
        return;
    format = (enum tmo_log_format)cfg->value[TMO_SET_LOG_FORMAT];
    events = (unsigned)cfg->value[TMO_SET_EVENTS];
    if ((events & TMO_EVENT_ALL) != 0)
        events = ~0u;
    if (tmo_sink_start(&sink, text, pid, program, &what) < 0)
        tmo_cli_say("SOCKTMO_LOG='%s': %s", text, what);
}

bool tmo_guard_logs(unsigned which)
{
    return (events & which) != 0;
}

void tmo_guard_event(struct tmo_event *event, enum tmo_event_kind kind, pid_t pid,
                     const char *program)
{
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->wall_us = tmo_clock_wall_us();
    event->pid = event->tid = pid;
    event->program = program;
    event->fd = TMO_UNKNOWN;
    event->age_ms = event->connect_ms = event->timeouts = event->took_ms = TMO_UNKNOWN;
    event->accept_queue = event->accept_queue_limit = TMO_UNKNOWN;
    event->accept_queue_highest = event->accepted = TMO_UNKNOWN;
}

void tmo_guard_write(const struct tmo_event *event)
{
    char line[TMO_RECORD_MAX];
    uint64_t lost = tmo_sink_take_lost(&sink);
    size_t len = tmo_record_write(event, format, lost, line);
    if (tmo_sink_write(&sink, line, len) < 0 && lost > 0)
        tmo_sink_give_lost(&sink, lost);
}

void tmo_guard_problem(pid_t pid, const char *program, const char *what)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)pid);
    if (events != 0) {
        struct tmo_event event;
        tmo_guard_event(&event, TMO_RECORD_PROBLEM, pid, program);
        event.where = "guard";
        event.value = text;
        event.what = what;
        tmo_guard_write(&event);
    }
    if (events == 0 || sink.kind != TMO_SINK_FD || sink.fd != STDERR_FILENO)
        tmo_cli_say("guard: %s (process %s): %s", program, text, what);
}
