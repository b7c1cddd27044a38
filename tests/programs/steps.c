/* SPDX-License-Identifier: MIT
 *
 * steps: does to sockets what it is told, step by step, and says what came of each.
 *
 *     steps STEP[:ARGUMENT…]…
 *
 * Each step is answered by one line, `STEP RESULT ERRNO MS [NOTE]`: what the call returned, the
 * name of its errno (`-` after a success that left errno alone, `errno-changed` after one that did
 * not), how long it took, and for some what else there is to say.
 *
 * There are ten places, 0 to 9, for a socket and an address each; a step acts on the current one.
 *
 *     on:PLACE                       the current place from now on; the only one not answered
 *     socket:FAMILY[:nonblock]       tcp, tcp6, mptcp, udp, unix
 *     pair:PLACE                     a pair of unix sockets: one here, one there
 *     connect:PORT  connect:FAMILY:PORT|PATH   with a new tcp socket, if there is none
 *     dial:PLACE                     connects to the address of that place
 *     send_to:PLACE:LENGTH           sends to it, with MSG_FASTOPEN
 *     connect_nowhere                with an address that cannot be read
 *     listen[:FAMILY[:BACKLOG]]      on a new socket and port
 *     accept:PLACE  accept4:PLACE[:nonblock]  sys_accept:PLACE   the new socket is put there
 *     CALL:LENGTH[:FLAGS[:WORD]]     a row of calls.h. Bytes sent are of one known stream.
 *                                    FLAGS as waitall+peek. WORD: bad, the buffer leads nowhere;
 *                                    badvector
 *     fill                           sends without waiting until nothing more is taken
 *     loop:CALL:MS                   calls it for so long; RESULT is how often, NOTE the last errno
 *                                    and the CPU time
 *     poll:EVENTS:MS                 NOTE is what happened
 *     wait:CALL:EVENTS:MS[:FLAGS]    a row of waiting.h, as poll; FLAGS as et+oneshot+nested+again,
 *                                    number+gone
 *     nest:CALL[:number]             makes the sets of `nested`, with nothing in them yet
 *     ticks:CALL:EVENTS:TICK:MS[:FLAGS]        the same by calls of TICK ms, until something comes
 *     glances:CALL:EVENTS:TICK:MS[:FLAGS]      by calls that do not wait, TICK ms apart
 *     follow:CALL|recv:MS[:FLAGS]    takes what comes until it is over; RESULT is how many bytes
 *     upload:CALL:LENGTH             sends without waiting in send
 *     rest:MS                        sleeps
 *     get:OPTION  set:OPTION:VALUE   timeouts in ms; the options are in words.h
 *     nonblock:fcntl|ioctl|off       how the socket is made non-blocking
 *     state  queued  handled         TCP_INFO's state, FIONREAD, how many signals were handled
 *     shutdown:rd|wr|rdwr  close  dup
 *     save:FILE  got:FILE            writes there what was sent so far; what was received last
 *     handler:SIGNAL:restart|plain   a handler with SA_RESTART or without
 *     storm:SIGNAL:MS:COUNT          a process that sends us that signal, each MS
 *     trace:MS:COUNT                 one that attaches to us and leaves again
 *     halt:AFTER:MS                  one that stops us for so long
 *     drain:MS                       one that accepts all from the listener here, MS later
 *     calm                           waits for the storms and traces;
 *                                    RESULT is how many failed
 *     refuse:CALL:NUMBER             that system call fails from now on, with that errno
 *     fork … join  thread … join     the steps between are done there; RESULT of join: its status
 *     vfork_close                    a vfork child closes the current socket's number
 *     adopt:FD  donor:PORT           takes a descriptor that was there, or one from a bare process
 *     give:FD                        sends the current socket over FD, as SCM_RIGHTS
 *     exit:STATUS
 */
#include "tests/programs/calls.h"
#include "tests/programs/disturb.h"
#include "tests/programs/words.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>

enum {
    PLACES = 10,
    MOST_ARGUMENTS = 6,
    MOST_BYTES = 12 << 20,
    PIPE_BYTES = 1 << 16,
    ERRNO_BEFORE = 4095, /* no errno that there is */
    IPPROTO_OF_MPTCP = 262,
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static struct place {
    int fd;
    char family[8];
    union address address;
    socklen_t length;
    size_t sent;
} places[PLACES], *here = places;

static char stream[MOST_BYTES]; /* what is sent */
static char inbox[MOST_BYTES];
static size_t received; /* by the last call that did */
static char *nowhere;   /* a page that cannot be touched */
static char note[256];
static struct timespec started;
static char **steps_left; /* the step that is being done, and those after it */
static bool is_child;

/* The clock starts here, behind what a step has to prepare. */
static void begin(void)
{
    clock_gettime(CLOCK_MONOTONIC, &started);
    errno = ERRNO_BEFORE;
}

static long since_ms(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)(now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static int number(const char *word, int otherwise)
{
    return word != NULL && *word != '\0' ? atoi(word) : otherwise;
}

static struct place *place_of(const char *word)
{
    int at = number(word, -1);

    if (at < 0 || at >= PLACES)
        wrong("no such place", word);
    return &places[at];
}

#include "tests/programs/steps-make.h"

/* --- data ----------------------------------------------------------------------------------- */

static struct transfer prepare(const struct call *call, size_t length, const char *flags,
                               const char *bad)
{
    static struct iovec vector[VECTOR_PARTS], halves[2];
    static struct msghdr message;
    static struct mmsghdr two[2];
    static long offset;
    static int pipes[2] = {-1, -1}, file = -1;
    struct transfer t = {.fd = here->fd,
                         .len = length,
                         .flags = number_of(message_words, flags),
                         .buf = call->way == SENDS ? stream + here->sent : inbox};
    bool nothing_there = bad != NULL && strcmp(bad, "badvector") == 0;

    if (length > MOST_BYTES - (call->way == SENDS ? here->sent : 0) &&
        strstr(call->name, "sendfile") == NULL)
        wrong("too many bytes for", call->name);
    if (bad != NULL && !nothing_there)
        t.buf = nowhere;
    vector[0] = (struct iovec){t.buf, length / 3};
    vector[1] = (struct iovec){t.buf + length / 3, length / 2};
    vector[2] = (struct iovec){t.buf + length / 3 + length / 2, length - length / 3 - length / 2};
    message = (struct msghdr){.msg_iov = vector, .msg_iovlen = VECTOR_PARTS};
    for (int i = 0; i < 2; i++) {
        halves[i] = (struct iovec){t.buf + (i != 0 ? length - length / 2 : 0),
                                   i != 0 ? length / 2 : length - length / 2};
        two[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &halves[i], .msg_iovlen = 1}};
    }
    t.vector = nothing_there ? (struct iovec *)(void *)nowhere : vector;
    t.message = nothing_there ? (struct msghdr *)(void *)nowhere : &message;
    t.two = nothing_there ? (struct mmsghdr *)(void *)nowhere : two;

    if (strstr(call->name, "sendfile") != NULL) {
        if (file < 0) {
            file = memfd_create("stream", MFD_CLOEXEC);
            if (write(file, stream, sizeof stream) != sizeof stream)
                wrong("memfd_create", NULL);
        }
        offset = (long)here->sent;
        t.file = file;
        t.offset = bad != NULL ? (long *)(void *)nowhere : &offset;
    }
    if (strstr(call->name, "splice") != NULL) {
        if (pipes[0] >= 0) { /* afresh, for what an earlier call left in it */
            close(pipes[0]);
            close(pipes[1]);
        }
        if (length > PIPE_BYTES || pipe2(pipes, O_CLOEXEC) != 0)
            wrong("a pipe for", call->name);
        if (call->way == SENDS && write(pipes[1], t.buf, length) != (ssize_t)length)
            wrong("a pipe for", call->name);
        memcpy(t.pipe, pipes, sizeof t.pipe);
    }
    return t;
}

/* The first bytes received, as text. */
static void note_received(const char *bytes, size_t count)
{
    size_t at = 0;

    for (; at < count && at < 40; at++)
        note[at] = bytes[at] > ' ' && bytes[at] <= '~' ? bytes[at] : '.';
    note[at] = '\0';
    received = count;
}

static void account(const struct call *call, const struct transfer *t, ssize_t n)
{
    size_t bytes = 0;

    if (n <= 0)
        return;
    if (call->counts_messages)
        for (ssize_t i = 0; i < n; i++)
            bytes += t->two[i].msg_len;
    else
        bytes = (size_t)n;
    if (call->way == SENDS) {
        here->sent += bytes;
        return;
    }
    if (strstr(call->name, "splice") != NULL && read(t->pipe[0], inbox, bytes) != n)
        wrong("nothing in the pipe of", call->name);
    note_received(inbox, bytes);
}

static long step_call(const struct call *call, char **argument)
{
    struct transfer t =
        prepare(call, (size_t)number(argument[0], 1), argument[0] != NULL ? argument[1] : NULL,
                argument[0] != NULL && argument[1] != NULL ? argument[2] : NULL);
    ssize_t n;
    int kept;

    begin();
    n = call->make(&t);
    kept = errno;
    account(call, &t, n);
    errno = kept;
    return n;
}

/* Until the socket has taken nothing for 250 ms: the peer's window is full, too, and a probe of it
 * has been sent, with what still went in (200 ms; linux/tcp.h, TCP_RTO_MIN). That poll says it is
 * not writable is not enough: it says so as soon as a third is in use. */
static long step_fill(char **argument)
{
    size_t before = here->sent;
    struct pollfd room = {.fd = here->fd, .events = POLLOUT};
    bool quiet = false;

    (void)argument;
    while (here->sent + PIPE_BYTES <= MOST_BYTES) {
        ssize_t n = send(here->fd, stream + here->sent, PIPE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && (errno != EAGAIN || quiet))
            break;
        quiet = n < 0;
        if (quiet)
            poll(&room, 1, 250);
        else
            here->sent += (size_t)n;
    }
    if (errno != EAGAIN)
        return -1;
    errno = ERRNO_BEFORE;
    return (long)(here->sent - before);
}

static long cpu_ms(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static long step_loop(char **argument)
{
    const struct call *call = find_call(argument[0]);
    int ms = number(argument[1], 1000);
    long before = cpu_ms();
    long calls_made = 0;
    int last = 0;

    if (call == NULL)
        wrong("no such call", argument[0]);
    do {
        struct transfer t = prepare(call, 1, NULL, NULL);
        ssize_t n = call->make(&t);

        last = n < 0 ? errno : 0;
        account(call, &t, n);
        calls_made++;
    } while (since_ms(&started) < ms);
    snprintf(note, sizeof note, "%s cpu_ms=%ld", last != 0 ? errno_name(last) : "-",
             cpu_ms() - before);
    errno = ERRNO_BEFORE;
    return calls_made;
}

/* TCP Fast Open: a send that connects, too. */
static long step_send_to(char **argument)
{
    const struct place *to = place_of(argument[0]);
    ssize_t n = sendto(here->fd, stream, (size_t)number(argument[1], 1), MSG_FASTOPEN,
                       &to->address.any, to->length);

    if (n > 0)
        here->sent = (size_t)n;
    return n;
}

static long put_into(const char *path, const char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = write(fd, bytes, count);

    close(fd);
    return n;
}

static long step_save(char **argument)
{
    return put_into(argument[0], stream, here->sent);
}

static long step_got(char **argument)
{
    return put_into(argument[0], inbox, received);
}

#include "tests/programs/steps-wait.h"

#include "tests/programs/steps-table.h"

/* --- doing them ----------------------------------------------------------------------------- */

static void do_step(const char *whole)
{
    char copy[512], *next = copy, *name;
    char *argument[MOST_ARGUMENTS + 1] = {NULL};
    const struct step *step;
    const struct call *call;
    long result, ms;
    int error;

    snprintf(copy, sizeof copy, "%s", whole);
    name = strsep(&next, ":");
    for (int i = 0; i < MOST_ARGUMENTS && next != NULL; i++)
        argument[i] = strsep(&next, ":");
    step = find_step(name);
    call = find_call(name);
    if (step == NULL && call == NULL)
        wrong("no such step", name);
    if (step != NULL && step->needs_argument && argument[0] == NULL)
        wrong("an argument is wanted by", name);

    if (step != NULL && step->take == step_on) {
        step_on(argument);
        return;
    }
    note[0] = '\0';
    begin();
    result = step != NULL ? step->take(argument) : step_call(call, argument);
    error = errno;
    ms = since_ms(&started);
    printf("%s %ld %s %ld%s%s\n", name, result,
           result < 0              ? errno_name(error)
           : error == ERRNO_BEFORE ? "-"
                                   : "errno-changed",
           ms, note[0] != '\0' ? " " : "", note);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint32_t state = 1;

    (void)argc;
    for (size_t at = 0; at < sizeof stream; at++) {
        state = state * 1664525 + 1013904223;
        stream[at] = (char)('a' + (state >> 24) % 26);
    }
    for (int at = 0; at < PLACES; at++)
        places[at].fd = -1;
    nowhere = mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (nowhere == MAP_FAILED)
        wrong("mmap", NULL);

    for (steps_left = argv + 1; *steps_left != NULL; steps_left++) {
        if (is_child && strcmp(*steps_left, "join") == 0)
            return 0;
        do_step(*steps_left);
    }
    return 0;
}
