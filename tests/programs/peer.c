/* SPDX-License-Identifier: MIT
 *
 * peer: the other end of a connection, misbehaving in one chosen way.
 *
 *     peer MODE [--port N | --unix PATH] [--v6 | --any] [--life SECONDS] [--text TEXT]
 *               [--ask] [--head TEXT] [--after MS] [--every MS] [--chunk BYTES] [--room BYTES]
 *               [--save FILE]
 *
 * It listens on loopback (port 0 unless told), prints one line when it is ready, `port N` or
 * `unix PATH`, and serves each connection in a thread of its own. It ends when its standard input
 * does, so that it never outlives the test that holds that open, and after --life in any case.
 *
 * What each mode does with a connection:
 *
 *     silent       accepts it and never reads or writes
 *     mute         reads everything and answers nothing
 *     greet        sends --text at once, then reads and is silent
 *     half         waits for the first bytes of a request, sends --text, then reads and is silent
 *     late         answers --text to each request, --after MS later
 *     cut          sends --text, and closes with a RST --after MS later
 *     drip         sends --head at once, then a byte of --text each --every MS, over and over
 *     slowread     reads --chunk bytes each --every MS
 *     noread       never reads, and has a receive buffer of the smallest size
 *     echo         sends back what it reads
 *     close        closes it in order, --after MS later
 *     reset        closes it with a RST, --after MS later
 *     unreachable  never gets it: the accept queue is full, so that further SYNs are dropped
 *
 * --any listens on all addresses of loopback, and the others. With --ask greet, cut and drip wait
 * for the first bytes of a request, as half does by itself.
 * --room is its receive buffer. Bytes that are read are appended to --save FILE. It installs no
 * signal handler, so that none of its own calls is ever interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The accept queue of listen(fd, 0) holds one connection; the bound only keeps us from looping. */
enum { MAX_FILLERS = 64 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct options {
    int port;
    const char *unix_path;
    bool v6, any;
    int life_s;
    const char *text;
    const char *head;
    bool ask;
    int after_ms;
    int every_ms;
    int chunk;
    int room;
    const char *save_path;
} options = {.life_s = 120, .every_ms = 100, .chunk = 1024};

struct text {
    char *bytes;
    size_t length;
};

static struct text text; /* --text with its escapes interpreted, or what the mode says by itself */
static struct text head; /* --head, likewise */

static int save_fd = -1;

struct mode {
    const char *name;
    void (*serve)(int fd);
    const char *text; /* what it says unless --text is given */
};

static const struct mode *mode;

static void die(const char *what)
{
    fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void usage(const char *what)
{
    fprintf(stderr, "peer: %s; usage: peer MODE [options], see the head of peer.c\n", what);
    exit(2);
}

static void pause_ms(int ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&rest, NULL);
}

/* --- input and output on one connection ----------------------------------------------------- */

/* Reads up to `size` bytes; 0 when the connection is over, whatever ended it. */
static size_t take(int fd, char *buffer, size_t size)
{
    ssize_t n = recv(fd, buffer, size, 0);

    if (n <= 0)
        return 0;
    if (save_fd >= 0 && write(save_fd, buffer, (size_t)n) != n)
        die("--save");
    return (size_t)n;
}

/* Sends all of it; false when the connection is over. */
static bool give(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static void read_to_the_end(int fd)
{
    char buffer[65536];

    while (take(fd, buffer, sizeof buffer) > 0)
        ;
}

/* False when the connection is over before a request came that is to be waited for. */
static bool asked(int fd)
{
    char buffer[65536];

    return !options.ask || take(fd, buffer, sizeof buffer) > 0;
}

static void end_with_reset(int fd)
{
    struct linger abrupt = {.l_onoff = 1, .l_linger = 0};

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt) != 0)
        die("SO_LINGER");
}

/* --- the modes ------------------------------------------------------------------------------ */

static void serve_silent(int fd)
{
    (void)fd;
    for (;;)
        pause();
}

static void serve_mute(int fd)
{
    read_to_the_end(fd);
}

static void serve_greet(int fd)
{
    if (asked(fd) && give(fd, text.bytes, text.length))
        read_to_the_end(fd);
}

static void serve_cut(int fd)
{
    if (!asked(fd) || !give(fd, text.bytes, text.length))
        return;
    pause_ms(options.after_ms);
    end_with_reset(fd);
}

static void serve_late(int fd)
{
    char buffer[65536];

    while (take(fd, buffer, sizeof buffer) > 0) {
        pause_ms(options.after_ms);
        if (!give(fd, text.bytes, text.length))
            return;
    }
}

static void serve_drip(int fd)
{
    if (!asked(fd) || !give(fd, head.bytes, head.length))
        return;
    for (size_t at = 0; give(fd, text.bytes + at, 1); at = (at + 1) % text.length)
        pause_ms(options.every_ms);
}

static void serve_slowread(int fd)
{
    char *buffer = malloc((size_t)options.chunk);

    if (buffer == NULL)
        die("malloc");
    while (take(fd, buffer, (size_t)options.chunk) > 0)
        pause_ms(options.every_ms);
    free(buffer);
}

static void serve_echo(int fd)
{
    char buffer[65536];
    size_t n;

    while ((n = take(fd, buffer, sizeof buffer)) > 0)
        if (!give(fd, buffer, n))
            return;
}

static void serve_close(int fd)
{
    pause_ms(options.after_ms);
    /* a close with bytes unread would be a reset */
    shutdown(fd, SHUT_WR);
    read_to_the_end(fd);
}

static void serve_reset(int fd)
{
    pause_ms(options.after_ms);
    end_with_reset(fd);
}

#define HALF "HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it"

static const struct mode modes[] = {
    {"silent", serve_silent, ""},
    {"mute", serve_mute, ""},
    {"greet", serve_greet, "220 ready\r\n"},
    {"half", serve_greet, HALF},
    {"cut", serve_cut, HALF},
    {"late", serve_late, "here it is\n"},
    {"drip", serve_drip, "x"},
    {"slowread", serve_slowread, ""},
    {"noread", serve_silent, ""},
    {"echo", serve_echo, ""},
    {"close", serve_close, ""},
    {"reset", serve_reset, ""},
    {"unreachable", NULL, ""},
};

/* --- listening ------------------------------------------------------------------------------ */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t own_address(union address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (options.unix_path != NULL) {
        if (strlen(options.unix_path) >= sizeof ret->local.sun_path)
            usage("--unix: the path is too long");
        ret->local.sun_family = AF_UNIX;
        memcpy(ret->local.sun_path, options.unix_path, strlen(options.unix_path));
        return sizeof ret->local;
    }
    if (options.v6) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_addr = in6addr_loopback;
        ret->v6.sin6_port = htons((uint16_t)options.port);
        return sizeof ret->v6;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_addr.s_addr = htonl(options.any ? INADDR_ANY : INADDR_LOOPBACK);
    ret->v4.sin_port = htons((uint16_t)options.port);
    return sizeof ret->v4;
}

/* Returns a listening socket and the address it really got. */
static int listen_on(union address *ret_address, socklen_t *ret_length, int backlog)
{
    int on = 1;
    int room = strcmp(mode->name, "noread") == 0 ? 1 : options.room; /* 1: the smallest there is */
    int fd;

    *ret_length = own_address(ret_address);
    fd = socket(ret_address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* accepted sockets inherit it, and the window of the handshake is made from it */
    if (room != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, &ret_address->any, *ret_length) != 0)
        die("bind");
    if (listen(fd, backlog) != 0)
        die("listen");
    if (options.unix_path == NULL && getsockname(fd, &ret_address->any, ret_length) != 0)
        die("getsockname");
    return fd;
}

/* Connects to our own port until an attempt is left hanging; from then on every SYN is dropped. */
static void fill_accept_queue(const union address *to, socklen_t length)
{
    for (int i = 0; i < MAX_FILLERS; i++) {
        int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};

        if (fd < 0)
            die("socket");
        if (connect(fd, &to->any, length) == 0)
            continue;
        if (errno == EAGAIN) /* a unix socket: its queue is full */
            return;
        if (errno != EINPROGRESS)
            die("connect");
        if (poll(&writable, 1, 200) == 0)
            return;
    }
    fprintf(stderr, "peer: the accept queue takes more than %d connections\n", MAX_FILLERS);
    exit(1);
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;

    mode->serve(fd);
    close(fd);
    return NULL;
}

static void start_serving(int fd)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    error = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        errno = error;
        die("pthread_create");
    }
}

/* Accepts until standard input ends or the time is over. */
static void run(int listener)
{
    struct timespec now;
    time_t end;

    clock_gettime(CLOCK_MONOTONIC, &now);
    end = now.tv_sec + options.life_s;
    while (now.tv_sec < end) {
        struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = mode->serve == NULL ? -1 : listener, .events = POLLIN}};
        char ignored[256];

        if (poll(waits, 2, (int)(end - now.tv_sec) * 1000) > 0) {
            if (waits[0].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
                return;
            if (waits[1].revents != 0) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                if (fd >= 0)
                    start_serving(fd);
                else if (errno != ECONNABORTED)
                    die("accept");
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
}

/* --- the command line ----------------------------------------------------------------------- */

/* An option is a word with a value: text, or a number up to `highest`. --v6, --any and --ask have
 * none. */
static const struct setting {
    const char *name;
    const char **text;
    int *number;
    int highest;
} settings[] = {
    {"--port", NULL, &options.port, 65535},
    {"--unix", &options.unix_path, NULL, 0},
    {"--life", NULL, &options.life_s, 3600},
    {"--text", &options.text, NULL, 0},
    {"--after", NULL, &options.after_ms, 3600000},
    {"--every", NULL, &options.every_ms, 3600000},
    {"--chunk", NULL, &options.chunk, 1 << 30},
    {"--save", &options.save_path, NULL, 0},
    {"--head", &options.head, NULL, 0},
    {"--room", NULL, &options.room, 1 << 30},
};

static void set(const struct setting *setting, const char *value)
{
    char *end;
    long number;

    if (value == NULL)
        usage("an option lacks its value");
    if (setting->text != NULL) {
        *setting->text = value;
        return;
    }
    errno = 0;
    number = strtol(value, &end, 10);
    if (errno != 0 || *value == '\0' || *end != '\0' || number < 0 || number > setting->highest)
        usage("an option's number is wrong");
    *setting->number = (int)number;
}

/* \r \n \t \\ and \xHH, as in C; anything else stands for itself. */
static struct text unescape(const char *from)
{
    struct text ret = {.bytes = malloc(strlen(from) + 1)};

    if (ret.bytes == NULL)
        die("malloc");
    while (*from != '\0') {
        char c = *from++;

        if (c == '\\' && *from != '\0') {
            unsigned byte;
            int used = 0;

            c = *from++;
            if (c == 'r')
                c = '\r';
            else if (c == 'n')
                c = '\n';
            else if (c == 't')
                c = '\t';
            else if (c == 'x' && sscanf(from, "%2x%n", &byte, &used) == 1) {
                c = (char)byte;
                from += used;
            }
        }
        ret.bytes[ret.length++] = c;
    }
    return ret;
}

static void parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t at = 0;

        while (at < COUNT(settings) && strcmp(settings[at].name, argv[i]) != 0)
            at++;
        if (at < COUNT(settings)) {
            i++; /* argv ends with NULL */
            set(&settings[at], argv[i]);
        } else if (strcmp(argv[i], "--v6") == 0) {
            options.v6 = true;
        } else if (strcmp(argv[i], "--any") == 0) {
            options.any = true;
        } else if (strcmp(argv[i], "--ask") == 0) {
            options.ask = true;
        } else {
            if (mode != NULL)
                usage("one mode is wanted");
            for (at = 0; at < COUNT(modes); at++)
                if (strcmp(modes[at].name, argv[i]) == 0)
                    mode = &modes[at];
            if (mode == NULL)
                usage("unknown mode or option");
        }
    }
    if (mode == NULL)
        usage("one mode is wanted");
    if (strcmp(mode->name, "half") == 0)
        options.ask = true;
    head = unescape(options.head != NULL ? options.head : "");
    text = unescape(options.text != NULL ? options.text : mode->text);
    if (options.chunk == 0 || (mode->serve == serve_drip && text.length == 0))
        usage("--chunk and drip's --text want a byte at least");
    if (options.save_path != NULL) {
        save_fd = open(options.save_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (save_fd < 0)
            die(options.save_path);
    }
}

int main(int argc, char **argv)
{
    union address address;
    socklen_t length;
    int listener;

    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    listener = listen_on(&address, &length, mode->serve == NULL ? 0 : SOMAXCONN);
    if (mode->serve == NULL)
        fill_accept_queue(&address, length);

    if (options.unix_path != NULL)
        printf("unix %s\n", options.unix_path);
    else /* the port lies at the same place in both kinds of address */
        printf("port %d\n", ntohs(address.v4.sin_port));
    fflush(stdout);

    run(listener);
    if (options.unix_path != NULL)
        unlink(options.unix_path);
    return 0;
}
