/* SPDX-License-Identifier: MIT
 *
 * What the verbs of fds.c share, and those about sockets. One function each: WORD are the words
 * behind the verb, NULL-ended; LETTER is where the result goes, for verbs that have a second one
 * (it goes to the next letter). Each returns what the call gave, and errno is then the call's.
 * Included by fds.c alone, for a test program is one file to the Makefile.
 */
#ifndef TMO_TESTS_FDS_SOCKETS_H
#define TMO_TESTS_FDS_SOCKETS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* of fds.c */
_Noreturn static void die(const char *what);
static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int number(const char *word);
static void keep(char letter, long value);

struct verb {
    const char *name;
    long (*call)(char **word, char letter);
    /* SHORT: its words are not the same in two runs; NOTHING: nor is its result, or of no use */
    enum { ALL, SHORT, NOTHING } show;
};

/* --- sockets -------------------------------------------------------------------------------- */

/* \n, \\ and \xHH, in place; returns the length. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        unsigned byte;
        int used = 0;

        if (from[0] == '\\' && sscanf(from, "\\x%2x%n", &byte, &used) == 1 && used == 4) {
            *to = (char)byte;
            from += used;
        } else if (from[0] == '\\' && from[1] != '\0') {
            *to = from[1] == 'n' ? '\n' : from[1];
            from += 2;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static socklen_t address_of(char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (void *)ret;
    struct sockaddr_in6 *v6 = (void *)ret;
    struct sockaddr_un *local = (void *)ret;
    socklen_t length = sizeof *ret;
    size_t size;

    memset(ret, 0, sizeof *ret);
    switch (text[0]) {
    case '=':
        if (getsockname(number(text + 1), (struct sockaddr *)ret, &length) != 0)
            die("getsockname");
        return length;
    case '4':
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons((uint16_t)atoi(text + 2));
        return sizeof *v4;
    case '6':
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons((uint16_t)atoi(text + 2));
        return sizeof *v6;
    default:
        local->sun_family = AF_UNIX;
        size = unescape(text + 2);
        if (size >= sizeof local->sun_path)
            die("the path is too long");
        memcpy(local->sun_path + (text[0] == '@'), text + 2, size);
        /* with the NUL behind a path, or the one before an abstract name */
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    }
}

/* tcp, tcp6, udp, unix, dgram (unix); with an n behind it non-blocking */
static long do_socket(char **word, char letter)
{
    size_t length = strlen(word[0]);
    int type = strncmp(word[0], "udp", 3) == 0 || strncmp(word[0], "dgram", 5) == 0 ? SOCK_DGRAM
                                                                                    : SOCK_STREAM;
    int domain = strncmp(word[0], "tcp6", 4) == 0                       ? AF_INET6
                 : word[0][0] == 'd' || strncmp(word[0], "uni", 3) == 0 ? AF_UNIX
                                                                        : AF_INET;
    bool nonblocking = word[0][length - 1] == 'n';

    (void)letter;
    return socket(domain, type | (nonblocking ? SOCK_NONBLOCK : 0), 0);
}

static long two(long result, const int pair[2], char letter)
{
    int e = errno;

    if (result == 0) {
        keep((char)(letter + 1), pair[1]);
        result = pair[0];
    }
    errno = e;
    return result;
}

static long do_socketpair(char **word, char letter)
{
    int pair[2];

    (void)word;
    return two(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), pair, letter);
}

static long do_pipe(char **word, char letter)
{
    int pair[2];

    (void)word;
    return two(pipe(pair), pair, letter);
}

static long do_bind(char **word, char letter)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(word[1], &address);

    (void)letter;
    return bind(number(word[0]), (struct sockaddr *)&address, length);
}

static long do_connect(char **word, char letter)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(word[1], &address);

    (void)letter;
    errno = UNUSED_ERRNO;
    return connect(number(word[0]), (struct sockaddr *)&address, length);
}

static long do_listen(char **word, char letter)
{
    (void)letter;
    return listen(number(word[0]), number(word[1]));
}

static long do_accept(char **word, char letter)
{
    (void)letter;
    return accept(number(word[0]), NULL, NULL);
}

static long do_accept4(char **word, char letter)
{
    (void)letter;
    return accept4(number(word[0]), NULL, NULL, SOCK_CLOEXEC);
}

static long do_shutdown(char **word, char letter)
{
    (void)letter;
    return shutdown(number(word[0]), number(word[1]));
}

/* FD:COUNT, all of them */
static long do_send(char **word, char letter)
{
    static const char zeroes[65536];
    long rest = number(word[1]);

    (void)letter;
    while (rest > 0) {
        ssize_t n = write(number(word[0]), zeroes, rest < 65536 ? (size_t)rest : 65536);

        if (n < 0)
            return -1;
        rest -= n;
    }
    return number(word[1]);
}

static long do_recv(char **word, char letter)
{
    char buffer[65536];
    long rest = number(word[1]);

    (void)letter;
    while (rest > 0) {
        ssize_t n = read(number(word[0]), buffer, rest < 65536 ? (size_t)rest : 65536);

        if (n <= 0)
            return n < 0 ? -1 : number(word[1]) - rest;
        rest -= n;
    }
    return number(word[1]);
}

/* FD: prints one datagram, with a line behind it that says where it ended */
static long do_take(char **word, char letter)
{
    char buffer[8192];
    struct pollfd wait = {.fd = number(word[0]), .events = POLLIN};

    (void)letter;
    if (poll(&wait, 1, 10000) <= 0)
        die("no datagram came within 10 s");
    ssize_t n = recv(number(word[0]), buffer, sizeof buffer, 0);
    if (n < 0)
        die("recv");
    if (write(STDOUT_FILENO, buffer, (size_t)n) != n || write(STDOUT_FILENO, "\n.\n", 3) != 3)
        die("standard output");
    return n;
}

/* FD:FILE: appends the kernel's struct tcp_info as it is */
static long do_tcpinfo(char **word, char letter)
{
    char info[1024];
    socklen_t length = sizeof info;
    int file;

    (void)letter;
    if (getsockopt(number(word[0]), IPPROTO_TCP, TCP_INFO, info, &length) != 0)
        return -1;
    file = open(word[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || write(file, info, length) != (ssize_t)length)
        die(word[1]);
    close(file);
    return 0;
}

#endif
