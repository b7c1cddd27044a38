/* SPDX-License-Identifier: MIT
 *
 * legacy-client HOST PORT [LINE]: the client of every textbook. It connects, sends a line and reads
 * the answer until the end of it. Nowhere does it say how long any of that may take, so it waits
 * for ever on a peer that does not answer, and on one that cannot be reached for minutes.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);
    int fd;

    if (error != 0) {
        fprintf(stderr, "legacy-client: %s: %s\n", host, gai_strerror(error));
        exit(1);
    }
    fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        perror("legacy-client: connect");
        exit(1);
    }
    freeaddrinfo(found);
    return fd;
}

int main(int argc, char **argv)
{
    char line[512];
    char answer[4096];
    ssize_t n;
    int fd;

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: legacy-client HOST PORT [LINE]\n");
        return 2;
    }
    snprintf(line, sizeof line, "%s\n", argc == 4 ? argv[3] : "hello");
    fd = connect_to(argv[1], argv[2]);
    if (send(fd, line, strlen(line), 0) < 0) {
        perror("legacy-client: send");
        return 1;
    }
    while ((n = recv(fd, answer, sizeof answer, 0)) > 0)
        fwrite(answer, 1, (size_t)n, stdout);
    if (n < 0) {
        perror("legacy-client: recv");
        return 1;
    }
    close(fd);
    return 0;
}
