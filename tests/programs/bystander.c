/* SPDX-License-Identifier: MIT
 *
 * bystander: another preload of the kind that people have (libkeepalive, torsocks): it wraps a few
 * calls, counts them, hands them on to who stands behind it, and says at the end how many there
 * were, on the descriptor that BYSTANDER_FD names. Compile with -shared -fPIC.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int sockets, connects, closes;
} seen;

static void *behind(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

int socket(int domain, int type, int protocol)
{
    static int (*real)(int, int, int);

    if (real == NULL)
        *(void **)&real = behind("socket");
    seen.sockets += domain == AF_INET;
    return real(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    static int (*real)(int, const struct sockaddr *, socklen_t);

    if (real == NULL)
        *(void **)&real = behind("connect");
    seen.connects++;
    return real(fd, address, length);
}

int close(int fd)
{
    static int (*real)(int);

    if (real == NULL)
        *(void **)&real = behind("close");
    seen.closes++;
    return real(fd);
}

static void __attribute__((destructor)) tell(void)
{
    const char *where = getenv("BYSTANDER_FD");

    if (where != NULL)
        dprintf(atoi(where), "bystander: socket %d connect %d close %d\n", seen.sockets,
                seen.connects, seen.closes);
}
