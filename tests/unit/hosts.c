/* SPDX-License-Identifier: MIT
 * track/hosts: names of addresses; of several the right one; a table that is full, raced for, left
 * in the middle of a note by a signal handler, a thread or a fork. The source itself is included,
 * for what is left held by who never comes back.
 */
#include "shim/track/hosts.c"

#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_storage any;
static socklen_t any_len;

/* TEXT as an address, with a port and a scope that differ from call to call. */
static const struct sockaddr *at(const char *text)
{
    static uint16_t salt;
    memset(&any, 0, sizeof(any));
    struct sockaddr_in *in = (struct sockaddr_in *)&any;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&any;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = ++salt;
        any_len = sizeof(*in);
    } else {
        inet_pton(AF_INET6, text, &in6->sin6_addr);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = ++salt;
        in6->sin6_scope_id = salt;
        any_len = sizeof(*in6);
    }
    return (const struct sockaddr *)&any;
}

static void note(const char *name, const char *address)
{
    const struct sockaddr *addr = at(address);
    tmo_hosts_note(name, strlen(name), TMO_HOSTS_FORWARD, addr, any_len);
}

static void note_reverse(const char *name, const char *address)
{
    const struct sockaddr *addr = at(address);
    tmo_hosts_note(name, strlen(name), TMO_HOSTS_REVERSE, addr, any_len);
}

static const char *find(const char *address)
{
    static char buf[TMO_HOST_MAX + 2];
    memset(buf, '~', sizeof(buf));
    const struct sockaddr *addr = at(address);
    size_t len = tmo_hosts_find(addr, any_len, buf);
    CHECK_EQ(buf[TMO_HOST_MAX + 1], '~');
    if (len == 0)
        return NULL;
    CHECK_EQ(strlen(buf), len);
    return buf;
}

static void forget_all(void)
{
    memset(tmo_hosts_table, 0, sizeof(tmo_hosts_table));
}

/* --- one name -------------------------------------------------------------------------------- */

static void check_names(void)
{
    static const struct {
        const char *name, *kept;
    } rows[] = {
        {"a.test", "a.test"},
        {"A.Test", "a.test"},
        {"a.test.", "a.test"},
        {"a.test..", "a.test."},
        {"a", "a"},
        {"a\xc3\x84\"\n b", "a\xc3\x84\"\n b"},
        {"1.2.3.4.test", "1.2.3.4.test"},
        {"1.2.3.4.5", "1.2.3.4.5"},
        {"1.2.3.4.", NULL}, /* no address to libc, but to who reads it */
        {"face", "face"},
        {"0x", "0x"},
        {"0xg", "0xg"},
        {"3com", "3com"},
        {"1..2", "1..2"},
        {"", NULL},
        {".", NULL},
        {"127.0.0.1", NULL},
        {"127.1", NULL},
        {"2130706433", NULL},
        {"0x7F000001", NULL},
        {"0x7f.0.0x0.01", NULL},
        {"::1", NULL},
        {"fe80::1%eth0", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row = rows[i].name;
        forget_all();
        note(rows[i].name, "192.0.2.1");
        CHECK_TEXT(find("192.0.2.1"), rows[i].kept);
    }
    check_row = NULL;

    char name[TMO_HOST_MAX + 3];
    for (size_t len = 1; len <= TMO_HOST_MAX + 1; len++) {
        forget_all();
        memset(name, 'x', len);
        name[len] = '\0';
        note(name, "192.0.2.1");
        CHECK_TEXT(find("192.0.2.1"), len <= TMO_HOST_MAX ? name : NULL);
    }
}

static void check_addresses(void)
{
    char buf[TMO_HOST_MAX + 1];
    forget_all();
    note("four.test", "192.0.2.1");
    note("six.test", "2001:db8::1");
    note("near.test", "fe80::1");
    note("zero.test", "::");
    CHECK_TEXT(find("192.0.2.1"), "four.test");
    CHECK_TEXT(find("::ffff:192.0.2.1"), "four.test");
    CHECK_TEXT(find("2001:db8::1"), "six.test");
    CHECK_TEXT(find("fe80::1"), "near.test");
    CHECK_TEXT(find("::"), "zero.test");
    CHECK_TEXT(find("192.0.2.2"), NULL);
    CHECK_TEXT(find("0.0.0.0"), NULL);
    CHECK_TEXT(find("::1"), NULL);
    CHECK_TEXT(find("::192.0.2.1"), NULL);

    /* cut short, of another family, and at an odd place */
    struct sockaddr_in in = {.sin_family = AF_INET};
    inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    const struct sockaddr *addr = (const struct sockaddr *)&in;
    CHECK_EQ(tmo_hosts_find(addr, sizeof(in), buf), 9);
    CHECK_EQ(tmo_hosts_find(addr, 7, buf), 0);
    CHECK_EQ(tmo_hosts_find(addr, 0, buf), 0);
    CHECK_EQ(tmo_hosts_find(NULL, 0, buf), 0);
    char odd[sizeof(in) + 1];
    memcpy(odd + 1, &in, sizeof(in));
    CHECK_EQ(tmo_hosts_find((const struct sockaddr *)(void *)(odd + 1), sizeof(in), buf), 9);
    in.sin_family = AF_UNIX;
    CHECK_EQ(tmo_hosts_find(addr, sizeof(in), buf), 0);
    tmo_hosts_note("unix.test", 9, TMO_HOSTS_FORWARD, addr, sizeof(in));
    const struct sockaddr *six = at("2001:db8::1");
    CHECK_EQ(tmo_hosts_find(six, offsetof(struct sockaddr_in6, sin6_scope_id), buf), 8);
    CHECK_EQ(tmo_hosts_find(six, sizeof(struct sockaddr_in), buf), 0);
}

/* --- several names --------------------------------------------------------------------------- */

static void *in_thread(void *arg)
{
    const char **name = arg; /* one to note, and the one that is then found */
    note(name[0], "192.0.2.1");
    name[1] = NULL;
    static char found[TMO_HOST_MAX + 1];
    const char *got = find("192.0.2.1");
    if (got != NULL)
        name[1] = strcpy(found, got);
    return NULL;
}

static const char *noted_by_another(const char *name)
{
    static const char *names[2];
    pthread_t thread;
    names[0] = name;
    pthread_create(&thread, NULL, in_thread, names);
    pthread_join(thread, NULL);
    return names[1];
}

static void *just_find(void *arg)
{
    (void)arg;
    const char *got = find("192.0.2.1");
    return (void *)(uintptr_t)got;
}

static const char *found_by_another(void)
{
    pthread_t thread;
    void *got;
    pthread_create(&thread, NULL, just_find, NULL);
    pthread_join(thread, &got);
    return got;
}

static void check_several(void)
{
    forget_all();
    note("a.test", "192.0.2.1");
    note("b.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "b.test");
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test");
    CHECK_TEXT(noted_by_another("b.test"), "b.test");
    CHECK_TEXT(find("192.0.2.1"), "a.test"); /* this thread's */
    CHECK_TEXT(found_by_another(), "b.test");
    CHECK_TEXT(noted_by_another("c.test"), "c.test");
    CHECK_TEXT(noted_by_another("a.test"), "a.test");
    CHECK_TEXT(found_by_another(), "a.test");
    note("b.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "b.test");

    /* more threads than are known of a name: no one else's is taken for their own */
    for (int i = 0; i < 3 * THREADS; i++)
        CHECK_TEXT(noted_by_another(i % 2 != 0 ? "c.test" : "a.test"),
                   i % 2 != 0 ? "c.test" : "a.test");

    forget_all();
    note_reverse("r.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "r.test");
    note("a.test", "192.0.2.1");
    note_reverse("r.test", "192.0.2.1");
    note_reverse("s.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test"); /* what the program asked for */
    CHECK_TEXT(found_by_another(), "a.test");
    note("r.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "r.test");
}

/* --- a full table ---------------------------------------------------------------------------- */

static const char *numbered(unsigned i)
{
    static char text[32];
    snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
    return text;
}

static const char *named(unsigned i)
{
    static char text[32];
    snprintf(text, sizeof(text), "n%u.test", i);
    return text;
}

static void check_full(void)
{
    enum { MANY = 4 * SETS * WAYS, LAST = SETS * WAYS / 2 };
    unsigned known = 0, last = 0;
    forget_all();
    for (unsigned i = 0; i < MANY; i++) {
        note(named(i), numbered(i));
        CHECK_TEXT(find(numbered(i)), named(i));
        note("kept.test", "192.0.2.1"); /* as long as it is in use, it stays */
    }
    for (unsigned i = 0; i < MANY; i++) {
        const char *got = find(numbered(i));
        known += got != NULL;
        last += got != NULL && i >= MANY - LAST;
        if (got != NULL)
            CHECK_TEXT(got, named(i));
    }
    CHECK_EQ(known, SETS * WAYS - 1);
    CHECK(last > LAST * 9 / 10); /* by chance more than four of the last are of one set */
    CHECK_TEXT(find("192.0.2.1"), "kept.test");

    /* a flood of peers that are only looked up in reverse drives out none of the program's names */
    forget_all();
    for (unsigned i = 0; i < SETS; i++)
        note(named(i), numbered(i));
    known = 0;
    for (unsigned i = 0; i < SETS; i++)
        known += find(numbered(i)) != NULL;
    for (unsigned i = SETS; i < MANY; i++)
        note_reverse(named(i), numbered(i));
    unsigned still = 0;
    for (unsigned i = 0; i < SETS; i++)
        still += find(numbered(i)) != NULL;
    CHECK(still + 8 >= known);               /* but where a set had no other */
    for (unsigned i = 1; i <= 2 * WAYS; i++) /* nor does one address with many names */
        note(named(i), "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), named(2 * WAYS));
}

/* --- left in the middle ---------------------------------------------------------------------- */

/* As a writer leaves an entry that never comes back. */
static void check_abandoned(void)
{
    forget_all();
    note("a.test", "192.0.2.1");
    const struct sockaddr *addr = at("192.0.2.1");
    uint32_t address[4];
    CHECK(put_address(address, addr, any_len));
    struct entry *set = set_of(address);
    set[0].version |= 1;
    CHECK_TEXT(find("192.0.2.1"), NULL);
    note("a.test", "192.0.2.1"); /* goes elsewhere */
    CHECK_TEXT(find("192.0.2.1"), "a.test");

    for (unsigned i = 0; i < WAYS; i++) /* all of them: at first it is in vain */
        set[i].version = notes << 1 | 1;
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), NULL);
    for (unsigned i = 0; i <= ABANDONED; i++)
        note("other.test", "192.0.2.2");
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test");

    /* a slow writer, whose entry was taken over, writes on */
    for (unsigned i = 0; i < WAYS; i++)
        set[i].fact.word[NAME] ^= 1;
    CHECK_TEXT(find("192.0.2.1"), NULL);
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test");
}

/* Handlers that note and find, and some that never go back. */
static volatile sig_atomic_t handled, jumps, wrong;
static sigjmp_buf back;

static void in_handler(int sig)
{
    char buf[TMO_HOST_MAX + 1];
    struct sockaddr_in in = {.sin_family = AF_INET};
    in.sin_addr.s_addr = htonl(0xc0000201);
    (void)sig;
    handled++;
    tmo_hosts_note("handler.test", 12, TMO_HOSTS_FORWARD, (struct sockaddr *)&in, sizeof(in));
    size_t len = tmo_hosts_find((struct sockaddr *)&in, sizeof(in), buf);
    if (len != 0 && strcmp(buf, "handler.test") != 0 && strcmp(buf, "a.test") != 0)
        wrong++;
    if (jumps != 0 && handled % 4 == 0) {
        jumps++;
        siglongjmp(back, 1);
    }
}

static void check_handlers(void)
{
    struct sigaction action = {.sa_handler = in_handler};
    struct itimerval every = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    forget_all();
    sigaction(SIGALRM, &action, NULL);
    jumps = 1;
    (void)sigsetjmp(back, 1);
    setitimer(ITIMER_REAL, &every, NULL);
    while (handled < 2000) {
        note("a.test", "192.0.2.1");
        note(named((unsigned)handled), numbered((unsigned)handled));
    }
    setitimer(ITIMER_REAL, &never, NULL);
    jumps = 0;
    CHECK_EQ(wrong, 0);
    for (unsigned i = 0; i <= ABANDONED; i++)
        note("other.test", "192.0.2.2");
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test");
}

/* --- at once --------------------------------------------------------------------------------- */

enum { RACERS = 4, ROUNDS = 100000, RACED = 6 };

/* Names of one letter and of a length that goes with it, on addresses of few sets: a torn one
 * shows. */
static void *race(void *arg)
{
    unsigned number = *(unsigned *)arg;
    uint32_t torn = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        char name[TMO_HOST_MAX + 1], buf[TMO_HOST_MAX + 1];
        unsigned letter = (round * 7 + number * 3) % 26;
        size_t len = 1 + letter * 10;
        struct sockaddr_in in = {.sin_family = AF_INET};
        memset(name, 'a' + (int)letter, len);
        in.sin_addr.s_addr = htonl(0x0a000000 + (round + number) % RACED);
        tmo_hosts_note(name, len, TMO_HOSTS_FORWARD, (struct sockaddr *)&in, sizeof(in));
        size_t got = tmo_hosts_find((struct sockaddr *)&in, sizeof(in), buf);
        bool good = got == 0 || got == 1 + 10 * (size_t)(buf[0] - 'a');
        for (size_t i = 0; i < got; i++)
            good = good && buf[i] == buf[0];
        torn += !good;
    }
    *(unsigned *)arg = torn;
    return NULL;
}

static void check_race(void)
{
    pthread_t threads[RACERS];
    unsigned args[RACERS];
    forget_all();
    for (unsigned i = 0; i < RACERS; i++) {
        args[i] = i;
        pthread_create(&threads[i], NULL, race, &args[i]);
    }
    /* meanwhile children come of it, whose copies may have been left in the middle */
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            tmo_self_is_child();
            note("child.test", "192.0.2.1");
            const char *got = find("192.0.2.1");
            _exit(got == NULL || strcmp(got, "child.test") != 0);
        }
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK_EQ(status, 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(args[i], 0);
    }
    note("a.test", "192.0.2.1");
    CHECK_TEXT(find("192.0.2.1"), "a.test");
}

/* --- processes ------------------------------------------------------------------------------- */

static int in_child(bool borrowed)
{
    tmo_self.vforked = borrowed;
    if (!borrowed)
        tmo_self_is_child();
    const char *before = find("192.0.2.1");
    bool inherits = before != NULL && strcmp(before, "a.test") == 0;
    note("child.test", "192.0.2.1");
    const char *after = find("192.0.2.1");
    bool noted = after != NULL && strcmp(after, "child.test") == 0;
    return (inherits ? 1 : 0) | (noted ? 2 : 0);
}

static int child_status(bool borrowed)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_child(borrowed));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_processes(void)
{
    forget_all();
    note("a.test", "192.0.2.1");
    (void)noted_by_another("b.test"); /* a child goes on as the thread that forked */
    CHECK_EQ(child_status(false), 3);
    CHECK_EQ(child_status(true), 1); /* in another's memory nothing is written */
    CHECK_TEXT(find("192.0.2.1"), "a.test");
}

int main(void)
{
    CHECK_TEXT(find("192.0.2.1"), NULL);
    tmo_self_start();
    check_names();
    check_addresses();
    check_several();
    check_full();
    check_abandoned();
    check_handlers();
    check_race();
    check_processes();
    return check_end();
}
