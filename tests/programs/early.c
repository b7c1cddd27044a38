/* SPDX-License-Identifier: MIT
 *
 * early: connects to a port of this host again and again, and says what each call gave, from
 * wherever a program can run code: .preinit_array, which runs before all constructors; its own
 * constructor; main; its destructor. With -DEARLY_LIBRARY it is a library that does so in its
 * constructor alone; linked to a program, that one runs before those of preloads (glibc).
 *
 *     EARLY_PORT=N early
 *
 * musl gives constructors no arguments, and knows no .preinit_array.
 *
 * A connection is made in .preinit_array and closed in main, too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UNUSED_ERRNO = 4000 };

#ifdef __GLIBC__
static char **environment;
#else
#define environment environ
#endif

/* getenv(3) finds nothing in .preinit_array. */
static int port(void)
{
    for (char **at = environment; at != NULL && *at != NULL; at++)
        if (strncmp(*at, "EARLY_PORT=", 11) == 0)
            return atoi(*at + 11);
    return 0;
}

/* Returns the descriptor of a new connection. */
static int open_one(const char *where)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port())};
    char line[128];

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    errno = UNUSED_ERRNO;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&to, sizeof to);
    int error = errno;
    int length = snprintf(line, sizeof line, "%s: socket %d connect %d errno %d\n", where, fd,
                          result, error);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(98);
    return fd;
}

static void close_one(const char *where, int fd)
{
    char line[128];

    errno = UNUSED_ERRNO;
    ssize_t sent = write(fd, "x", 1);
    int result = close(fd);
    int again = close(fd);
    int length = snprintf(line, sizeof line, "%s: write %zd close %d again %d errno %d\n", where,
                          sent, result, again, errno);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(98);
}

static void make_one(void)
{
#ifdef EARLY_LIBRARY
    close_one("library", open_one("library"));
#else
    close_one("constructor", open_one("constructor"));
#endif
}

#ifdef __GLIBC__
static void __attribute__((constructor)) construct(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    environment = envp;
    make_one();
}
#else
static void __attribute__((constructor)) construct(void)
{
    make_one();
}
#endif

#ifndef EARLY_LIBRARY
static int kept = -1;

#ifdef __GLIBC__
static void before_all(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    environment = envp;
    close_one("preinit", open_one("preinit"));
    kept = open_one("preinit, kept");
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **,
                                                                              char **) = before_all;
#endif

static void __attribute__((destructor)) destruct(void)
{
    close_one("destructor", open_one("destructor"));
}

int main(void)
{
    close_one("main", open_one("main"));
    if (kept >= 0)
        close_one("preinit, kept", kept);
    return 0;
}
#endif
