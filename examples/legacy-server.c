/* SPDX-License-Identifier: MIT
 *
 * legacy-server PORT: the server of every textbook. It accepts a connection, reads a line, answers
 * it, and turns to the next. One client that connects and says nothing keeps all others out.
 *
 * It listens on loopback and says on standard output where: with PORT 0 the kernel chooses.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(unsigned short port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        die("legacy-server: socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("legacy-server: bind");
    if (listen(fd, 16) != 0)
        die("legacy-server: listen");
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("legacy-server: getsockname");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Reads up to the end of a line, or to the end of the connection. */
static size_t read_line(int fd, char *line, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t n = recv(fd, line + length, size - length, 0);

        if (n < 0)
            perror("legacy-server: recv");
        if (n <= 0)
            break;
        length += (size_t)n;
        if (memchr(line, '\n', length) != NULL)
            break;
    }
    return length;
}

int main(int argc, char **argv)
{
    static const char prefix[] = "you said: ";
    char line[512];
    int listener;

    if (argc != 2) {
        fprintf(stderr, "usage: legacy-server PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    listener = listen_on((unsigned short)strtoul(argv[1], NULL, 10));
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        size_t length;

        if (fd < 0) {
            perror("legacy-server: accept");
            continue;
        }
        length = read_line(fd, line, sizeof line);
        if (length > 0 &&
            (send(fd, prefix, sizeof prefix - 1, 0) < 0 || send(fd, line, length, 0) < 0))
            perror("legacy-server: send");
        close(fd);
    }
}
