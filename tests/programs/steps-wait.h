/* SPDX-License-Identifier: MIT
 * Steps of steps.c that wait for descriptors, by whichever call, as event loops do.
 */
#include "tests/programs/waiting.h"

static const struct word registration_words[] = {
    {"et", (int)EPOLLET},
    {"oneshot", EPOLLONESHOT},
    {"exclusive", EPOLLEXCLUSIVE},
    {"rdhup", EPOLLRDHUP},
    {NULL, 0},
};

/* How a place's socket is waited for; it stays registered from one step to the next. */
static struct registration {
    struct wait wait;
    uint32_t events;
    int inner; /* the epoll that has the socket in it, where that is waited for; else -1 */
} registrations[PLACES];

static const struct waiting *find_waiting(const char *how)
{
    for (int i = 0; i < WAITINGS; i++)
        if (how != NULL && strcmp(waitings[i].name, how) == 0)
            return &waitings[i];
    wrong("no such call, or not here:", how);
    return NULL;
}

static bool take_out(char *flags, const char *flag)
{
    char *at = strstr(flags, flag);

    if (at == NULL)
        return false;
    memmove(at, at + strlen(flag), strlen(at + strlen(flag)) + 1);
    return true;
}

/* FLAGS: words of epoll's; `again` arms it once more; `nested` waits for an epoll that has it; with
 * `number` it is registered by syscall(2), and `gone` takes it out of the set that it is in. */
static struct registration *registration_of(const char *how, const char *events, const char *words)
{
    struct registration *ret = &registrations[here - places];
    const struct waiting *call = find_waiting(how);
    char flags[64];
    struct epoll_event interest = {.data.fd = here->fd};
    bool again, nested, gone;
    int set;

    snprintf(flags, sizeof flags, "%s", words != NULL ? words : "");
    again = take_out(flags, "again");
    nested = take_out(flags, "nested");
    gone = take_out(flags, "gone");
    by_number = take_out(flags, "number");
    interest.events =
        (uint32_t)number_of(poll_words, events) | (uint32_t)number_of(registration_words, flags);
    if (ret->wait.how != call || nested != (ret->inner >= 0)) {
        ret->inner = -1;
        ret->events = interest.events;
        if (nested) {
            ret->inner = set_made();
            set_changed(ret->inner, EPOLL_CTL_ADD, here->fd, &interest);
        }
        ret->wait =
            nested ? wait_for(call, ret->inner, POLLIN) : wait_for(call, here->fd, interest.events);
        return ret;
    }
    set = ret->inner >= 0 ? ret->inner : ret->wait.epoll_fd;
    if (set >= 0 && gone) {
        set_changed(set, EPOLL_CTL_DEL, here->fd, &interest);
        return ret;
    }
    /* a number that was closed is registered no more; else this is refused */
    if (set >= 0 && set_changed(set, EPOLL_CTL_ADD, here->fd, &interest) != 0 &&
        (again || interest.events != ret->events))
        set_changed(set, EPOLL_CTL_MOD, here->fd, &interest);
    ret->events = interest.events;
    if (ret->inner < 0) {
        ret->wait.fd = here->fd;
        ret->wait.events = interest.events;
    }
    return ret;
}

/* Two sets, one in the other, before there is a socket. */
static long step_nest(char **argument)
{
    struct registration *r = &registrations[here - places];

    by_number = argument[1] != NULL;
    r->inner = set_made();
    r->wait = wait_for(find_waiting(argument[0]), r->inner, POLLIN);
    return 0;
}

static int wait_once(struct registration *r, int ms)
{
    int n = wait_now(&r->wait, ms, NULL);

    if (n > 0 && r->inner >= 0) {
        struct epoll_event event = {.events = 0};

        n = epoll_wait(r->inner, &event, 1, 0);
        r->wait.happened = event.events;
    }
    return n;
}

static void note_events(uint32_t events)
{
    note[0] = '\0';
    for (const struct word *word = poll_words; word->name != NULL; word++)
        if ((events & (uint32_t)word->number) != 0)
            snprintf(note + strlen(note), sizeof note - strlen(note), "%s%s",
                     note[0] != '\0' ? "+" : "", word->name);
}

static long step_wait(char **argument)
{
    struct registration *r = registration_of(argument[0], argument[1], argument[3]);
    int n;

    begin();
    n = wait_once(r, number(argument[2], 0));
    if (n > 0)
        note_events(r->wait.happened);
    return n;
}

/* HOW:EVENTS:TICK:MOST[:FLAGS]; with GLANCES it sleeps in between, and never in the call. */
static long wait_in_ticks(char **argument, bool glances)
{
    struct registration *r = registration_of(argument[0], argument[1], argument[4]);
    int tick = number(argument[2], 100), most = number(argument[3], 5000);
    int n;

    begin();
    while ((n = wait_once(r, glances ? 0 : tick)) == 0 && since_ms(&started) < most)
        if (glances)
            rest_ms(tick);
    if (n > 0)
        note_events(r->wait.happened);
    return n;
}

static long step_ticks(char **argument)
{
    return wait_in_ticks(argument, false);
}

static long step_glances(char **argument)
{
    return wait_in_ticks(argument, true);
}

/* Until the connection is over: waits for what comes, and takes it. Without a call to wait by, recv
 * waits. */
static long step_follow(char **argument)
{
    bool waits = strcmp(argument[0], "recv") != 0;
    int most = number(argument[1], 5000);
    long bytes = 0;
    ssize_t n;

    begin();
    for (;;) {
        if (waits && wait_once(registration_of(argument[0], "in", argument[2]), most) < 0)
            return -1;
        n = recv(here->fd, inbox, PIPE_BYTES, 0);
        if (n > 0)
            bytes += n;
        else if (n == 0 || errno != EAGAIN)
            break;
        if (since_ms(&started) >= most) {
            snprintf(note, sizeof note, "goes-on");
            errno = ERRNO_BEFORE;
            return bytes;
        }
    }
    snprintf(note, sizeof note, "%s", n == 0 ? "end" : errno_name(errno));
    errno = ERRNO_BEFORE;
    return bytes;
}

/* Sends so many bytes, none of them by a send that waits. */
static long step_upload(char **argument)
{
    struct registration *r = registration_of(argument[0], "out", NULL);
    size_t left = (size_t)number(argument[1], 1), before = here->sent;

    begin();
    while (left > 0) {
        size_t most = left < PIPE_BYTES ? left : PIPE_BYTES;
        ssize_t n = send(here->fd, stream + here->sent, most, MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            wait_once(r, 10000);
        } else if (n < 0) {
            snprintf(note, sizeof note, "%s", errno_name(errno));
            break;
        } else {
            here->sent += (size_t)n;
            left -= (size_t)n;
        }
    }
    errno = ERRNO_BEFORE;
    return (long)(here->sent - before);
}

static long step_rest(char **argument)
{
    rest_ms(number(argument[0], 100));
    return 0;
}

static long step_halt(char **argument)
{
    return halt(number(argument[0], 100), number(argument[1], 100));
}
