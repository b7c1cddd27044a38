/* SPDX-License-Identifier: MIT
 *
 * rules: what rules cost where they are looked at: a connect, and the start of a process.
 *
 * Prints for 10 and 1,000 rules, of which the last one matches: their number; the ns to read them
 * from a file in memory; the ns to find the rule by an address, and by a host name of which the
 * rules have globs. Each is the least of several rounds.
 */
#include "bench/ends.h"
#include "config/rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, TEXT_BYTES = 1 << 19 };

static char text[TEXT_BYTES];
static size_t text_len;

static int read_text(const char *path, bool is_config, struct tmo_arena *arena,
                     const char **ret_text, size_t *ret_len)
{
    (void)path;
    (void)arena;
    *ret_text = text;
    *ret_len = text_len;
    return is_config ? 0 : -ENOENT;
}

static const struct tmo_reader reader = {read_text};

static void *take_memory(size_t size)
{
    return calloc(1, size);
}

static void give_memory(void *at, size_t size)
{
    (void)size;
    free(at);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void write_rules(int count, bool hosts)
{
    text_len = 0;
    for (int i = 0; i < count; i++) {
        char place[64];
        snprintf(place, sizeof(place), hosts ? "*.shop%d.example.com" : "10.%d.%d.0/24",
                 hosts ? i : i / 256, i % 256);
        text_len += (size_t)snprintf(text + text_len, sizeof(text) - text_len,
                                     "[rule %d]\nmatch = to %s port 5432-5439\nrecv = %ds\n"
                                     "idle = 2m\n",
                                     i, place, i % 60 + 1);
    }
}

static struct tmo_arena arena = {.map = take_memory, .unmap = give_memory};
static struct tmo_ruleset rules;
static struct tmo_config cfg;

static int64_t read_ns(void)
{
    char *envp[] = {NULL};
    struct tmo_sources from = {.envp = envp, .reader = &reader, .arena = &arena};
    tmo_arena_free(&arena);
    int64_t before = now_ns();
    if (tmo_config_load(&cfg, &rules, &from, NULL, NULL) != 0)
        die("the rules");
    return now_ns() - before;
}

static int64_t find_ns(const struct tmo_target *target)
{
    enum { TIMES = 200 };
    const struct tmo_rule *found = NULL;
    int64_t before = now_ns();
    for (int i = 0; i < TIMES; i++) {
        found = tmo_rules_find(&rules, target);
        __asm__ volatile("" : "+r"(found) : : "memory");
    }
    if (found != rules.last)
        die("the last rule");
    return (now_ns() - before) / TIMES;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void measure(int count)
{
    int64_t reading = INT64_MAX, by_address = INT64_MAX, by_host = INT64_MAX;
    char host[64];
    struct tmo_target target = {.dir = TMO_TO, .proto = TMO_PROTO_TCP, .has_addr = true};
    uint32_t addr4;
    unsigned char last[4] = {10, (unsigned char)((count - 1) / 256),
                             (unsigned char)((count - 1) % 256), 7};

    memcpy(&addr4, last, 4);
    tmo_block_map4(addr4, target.addr);
    target.port = 5433;
    for (int i = 0; i < ROUNDS; i++) {
        write_rules(count, false);
        reading = least(reading, read_ns());
        by_address = least(by_address, find_ns(&target));
    }
    snprintf(host, sizeof(host), "db1.shop%d.example.com", count - 1);
    target.host = host;
    for (int i = 0; i < ROUNDS; i++) {
        write_rules(count, true);
        (void)read_ns();
        by_host = least(by_host, find_ns(&target));
    }
    printf("%d %lld %lld %lld\n", count, (long long)reading, (long long)by_address,
           (long long)by_host);
}

int main(void)
{
    measure(10);
    measure(1000);
    return 0;
}
