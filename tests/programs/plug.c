/* SPDX-License-Identifier: MIT
 *
 * plug: a library that tests/guest/loaders.c opens in every way there is. It makes socket calls as
 * it is bound; who loads it decides to whom. Compile with -shared -fPIC.
 */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

static int faults, *told_at_end;

/* A pair made, used, closed. */
static void use_pair(void)
{
    int pair[2];
    char byte = 'p';

    faults += socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0;
    faults += write(pair[0], &byte, 1) != 1 || read(pair[1], &byte, 1) != 1;
    faults += close(pair[0]) < 0 || close(pair[1]) < 0;
}

static void __attribute__((constructor)) begin(void)
{
    use_pair();
}

static void __attribute__((destructor)) finish(void)
{
    use_pair();
    if (told_at_end != NULL)
        *told_at_end = faults;
}

/* Returns the faults so far; at the end they go to *AT_END. */
int plug_faults(int *at_end)
{
    told_at_end = at_end;
    use_pair();
    return faults;
}

int plug_dial(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)
        return -1;
    return fd;
}

int plug_accept(int listener)
{
    return accept(listener, NULL, NULL);
}

long plug_send(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL);
}

long plug_recv(int fd, void *bytes, size_t len)
{
    return read(fd, bytes, len);
}

int plug_poll(int fd, short events, int ms)
{
    struct pollfd wait = {fd, events, 0};

    return poll(&wait, 1, ms) < 0 ? -1 : wait.revents;
}

int plug_close(int fd)
{
    return close(fd);
}

/* Closes FD and puts something else under its number: 0 the end of a pipe with a byte in it, 1 a
 * UDP socket, 2 a non-blocking connection to TO, 3 a file, 4 an end of a seqpacket pair. */
int plug_replace(int fd, int by, const struct sockaddr_in *to)
{
    int ends[2] = {-1, -1};

    close(fd);
    if (by == 0 && (pipe(ends) < 0 || write(ends[1], "p", 1) != 1))
        return -1;
    if (by == 1)
        ends[0] = socket(AF_INET, SOCK_DGRAM, 0);
    if (by == 2)
        ends[0] = plug_dial(to);
    if (by == 2 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return -1;
    if (by == 3)
        ends[0] = open("/dev/zero", O_RDWR);
    if (by == 4 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        return -1;
    if (ends[0] < 0)
        return -1;
    if (ends[0] != fd && (dup2(ends[0], fd) != fd || close(ends[0]) < 0))
        return -1;
    return by == 4 || by == 0 ? ends[1] : 0;
}
