/* SPDX-License-Identifier: MIT
 *
 * racers: threads that connect to a port of this host, exchange a byte and close, all at once,
 * while another forks children that exit at once.
 *
 *     racers PORT THREADS ROUNDS     THREADS times ROUNDS connections; the peer must echo
 *
 * Prints how many went well.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in to = {.sin_family = AF_INET};
static int rounds;
static atomic_int good, running;

static void *race(void *unused)
{
    (void)unused;
    for (int i = 0; i < rounds; i++) {
        char byte = 'x';
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        errno = 0;
        good += connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && write(fd, &byte, 1) == 1 &&
                read(fd, &byte, 1) == 1 && close(fd) == 0 && errno == 0;
    }
    running--;
    return NULL;
}

static void *fork_along(void *unused)
{
    (void)unused;
    while (running > 0) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid > 0)
            waitpid(pid, NULL, 0);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread[64];
    int threads;

    if (argc != 4 || (threads = atoi(argv[2])) > 63)
        return 2;
    to.sin_port = htons((uint16_t)atoi(argv[1]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rounds = atoi(argv[3]);
    running = threads;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, race, NULL) != 0)
            return 1;
    if (pthread_create(&thread[threads], NULL, fork_along, NULL) != 0)
        return 1;
    for (int i = 0; i <= threads; i++)
        pthread_join(thread[i], NULL);
    printf("%d\n", (int)good);
    return 0;
}
