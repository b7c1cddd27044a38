/* SPDX-License-Identifier: MIT
 * An event -> one line. See record.h.
 *
 * The order of the keys is one of worth: a line that is too long loses its tail, so what is long
 * comes last (TCP_INFO, the settings), and `lost` before it.
 */
#include "shim/report/record.h"
#include "config/errnos.h"
#include "config/load.h"
#include "config/version.h"
#include "shim/report/address.h"
#include "shim/report/line.h"

#include <string.h>

#define SCHEMA 1 /* `v`: changes when a key's meaning does */

#define TIME_TEXT 32

static char *put_digits(char *at, int64_t n, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + n % 10);
        n /= 10;
    }
    return at + count;
}

/* Writes WALL_US as RFC 3339 in UTC, with a NUL, for the years 0 to 9999. gmtime_r(3) would do, but
 * takes a lock and reads the time zone. The calendar: days since 0000-03-01, so that the leap day
 * is a year's last (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static void print_time(int64_t wall_us, char *buf)
{
    int64_t second = wall_us / 1000000, us = wall_us % 1000000;
    if (us < 0) {
        us += 1000000;
        second--;
    }
    int64_t day = second / 86400, of_day = second % 86400;
    if (of_day < 0) {
        of_day += 86400;
        day--;
    }
    day += 719468; /* from 1970-01-01 back to 0000-03-01 */
    int64_t era = (day >= 0 ? day : day - 146096) / 146097, of_era = day - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* March is 0 */
    int64_t date = of_year - (153 * month + 2) / 5 + 1;
    year += era * 400 + (month >= 10);
    month += month < 10 ? 3 : -9;
    if (year < 0 || year > 9999)
        year = 9999;

    char *at = put_digits(buf, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, date, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day % 60, 2);
    *at++ = '.';
    at = put_digits(at, us, 6);
    *at++ = 'Z';
    *at = '\0';
}

/* A number unless it is unknown. */
static void write_known(struct tmo_line *line, const char *key, size_t key_len, int64_t n)
{
    if (n != TMO_UNKNOWN)
        tmo_line_number(line, key, key_len, n);
}

static void write_address(struct tmo_line *line, const char *key, size_t key_len,
                          const struct tmo_address *address)
{
    char text[TMO_ADDRESS_TEXT];
    size_t len = tmo_address_print(address, text);
    if (len > 0)
        tmo_line_text(line, key, key_len, text, len);
}

static const char *event_name(enum tmo_event_kind kind)
{
    switch (kind) {
    case TMO_RECORD_CLOSE:
        return "close";
    case TMO_RECORD_TIMEOUT:
        return "timeout";
    case TMO_RECORD_CONNECT:
        return "connect";
    case TMO_RECORD_LISTEN:
        return "listen";
    case TMO_RECORD_DNS:
        return "dns";
    case TMO_RECORD_START:
        return "start";
    case TMO_RECORD_PROBLEM:
        return "problem";
    }
    return "problem";
}

static void write_head(struct tmo_line *line, const struct tmo_event *event)
{
    char time[TIME_TEXT];
    print_time(event->wall_us, time);
    tmo_line_word(line, TMO_KEY("ts"), time);
    tmo_line_word(line, TMO_KEY("event"), event_name(event->kind));
    tmo_line_number(line, TMO_KEY("v"), SCHEMA);
    tmo_line_number(line, TMO_KEY("pid"), event->pid);
    tmo_line_number(line, TMO_KEY("tid"), event->tid);
    tmo_line_string(line, TMO_KEY("program"), event->program);
}

static void write_connection(struct tmo_line *line, const struct tmo_event *event)
{
    write_known(line, TMO_KEY("fd"), event->fd);
    tmo_line_word(line, TMO_KEY("proto"), event->proto);
    tmo_line_word(line, TMO_KEY("dir"), event->dir);
    write_address(line, TMO_KEY("local"), &event->local);
    write_address(line, TMO_KEY("peer"), &event->peer);
    tmo_line_string(line, TMO_KEY("host"), event->host);
    write_known(line, TMO_KEY("age_ms"), event->age_ms);
    write_known(line, TMO_KEY("connect_ms"), event->connect_ms);
}

static void write_queue(struct tmo_line *line, const struct tmo_event *event)
{
    write_known(line, TMO_KEY("accept_queue"), event->accept_queue);
    write_known(line, TMO_KEY("accept_queue_limit"), event->accept_queue_limit);
    write_known(line, TMO_KEY("accept_queue_highest"), event->accept_queue_highest);
    write_known(line, TMO_KEY("accepted"), event->accepted);
}

static void write_timeout(struct tmo_line *line, const struct tmo_event *event)
{
    tmo_line_word(line, TMO_KEY("limit"), event->limit);
    write_known(line, TMO_KEY("limit_ms"), event->limit_ms);
    tmo_line_word(line, TMO_KEY("call"), event->call);
    write_known(line, TMO_KEY("waited_ms"), event->waited_ms);
    tmo_line_word(line, TMO_KEY("action"), event->action);
    if (event->rule != NULL)
        tmo_line_string(line, TMO_KEY("rule"), event->rule);
}

static void write_outcome(struct tmo_line *line, const struct tmo_event *event)
{
    tmo_line_word(line, TMO_KEY("outcome"), event->outcome);
    if (event->error != 0) {
        const char *name = tmo_errno_name(event->error);
        if (name != NULL)
            tmo_line_word(line, TMO_KEY("errno"), name);
        else
            tmo_line_number(line, TMO_KEY("errno"), event->error);
    }
    tmo_line_word(line, TMO_KEY("error"), event->failure);
    write_known(line, TMO_KEY("took_ms"), event->took_ms);
}

static void write_setting(struct tmo_line *line, const struct tmo_config *cfg, enum tmo_setting id)
{
    const char *name = tmo_setting_info[id].name;
    char key[32], value[TMO_SETTING_TEXT];
    size_t len = 0;
    for (; name[len] != '\0' && len < sizeof(key); len++)
        key[len] = name[len] >= 'A' && name[len] <= 'Z' ? (char)(name[len] - 'A' + 'a') : name[len];
    if (cfg->text[id] != NULL)
        tmo_line_string(line, key, len, cfg->text[id]);
    else
        tmo_line_text(line, key, len, value, tmo_setting_print(id, cfg->value[id], value));
}

static void write_settings(struct tmo_line *line, const struct tmo_config *cfg)
{
    tmo_line_open(line, TMO_KEY("settings"));
    for (int id = 0; id < TMO_SETTINGS; id++)
        write_setting(line, cfg, (enum tmo_setting)id);
    tmo_line_close(line);
}

static void write_tcp(struct tmo_line *line, const struct tmo_tcpinfo *tcp)
{
    tmo_line_open(line, TMO_KEY("tcp"));
    tmo_tcpinfo_write(tcp, line);
    tmo_line_close(line);
}

static void write_problem(struct tmo_line *line, const struct tmo_event *event)
{
    tmo_line_string(line, TMO_KEY("what"), event->what);
    tmo_line_string(line, TMO_KEY("where"), event->where);
    tmo_line_string(line, TMO_KEY("value"), event->value);
}

/* What the kind of event has of its own, and the connection. */
static void write_body(struct tmo_line *line, const struct tmo_event *event)
{
    switch (event->kind) {
    case TMO_RECORD_CLOSE:
        write_connection(line, event);
        tmo_line_word(line, TMO_KEY("reason"), event->reason);
        tmo_line_bool(line, TMO_KEY("shared"), event->shared);
        write_known(line, TMO_KEY("timeouts"), event->timeouts);
        write_queue(line, event);
        break;
    case TMO_RECORD_TIMEOUT:
        write_timeout(line, event);
        write_connection(line, event);
        write_known(line, TMO_KEY("timeouts"), event->timeouts);
        break;
    case TMO_RECORD_CONNECT:
        write_outcome(line, event);
        write_connection(line, event);
        break;
    case TMO_RECORD_LISTEN:
        write_connection(line, event);
        write_queue(line, event);
        break;
    case TMO_RECORD_DNS:
        tmo_line_word(line, TMO_KEY("call"), event->call);
        write_outcome(line, event);
        write_connection(line, event);
        break;
    case TMO_RECORD_START:
        tmo_line_word(line, TMO_KEY("version"), TMO_VERSION);
        break;
    case TMO_RECORD_PROBLEM:
        write_problem(line, event);
        break;
    }
}

size_t tmo_record_write(const struct tmo_event *event, enum tmo_log_format format, uint64_t lost,
                        char *buf)
{
    struct tmo_line line;
    tmo_line_begin(&line, format, buf, TMO_RECORD_MAX);
    write_head(&line, event);
    write_body(&line, event);
    if (lost > 0)
        tmo_line_unsigned(&line, TMO_KEY("lost"), lost);
    if (event->kind == TMO_RECORD_START && event->cfg != NULL)
        write_settings(&line, event->cfg);
    else if (event->kind <= TMO_RECORD_LISTEN && event->tcp != NULL)
        write_tcp(&line, event->tcp);
    return tmo_line_end(&line);
}
