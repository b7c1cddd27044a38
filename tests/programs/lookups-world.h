/* SPDX-License-Identifier: MIT
 * The world of lookups.c: its own /etc and network, and the name server there.
 */
#ifndef TESTS_LOOKUPS_WORLD_H
#define TESTS_LOOKUPS_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DO(call)                                                                                   \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            perror(#call);                                                                         \
            exit(99);                                                                              \
        }                                                                                          \
    } while (0)

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000 + (long)t.tv_nsec / 1000;
}

static void rest_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* --- the world ------------------------------------------------------------------------------- */

static void put_over(const char *path, const char *text)
{
    char file[] = "/tmp/lookups-XXXXXX";
    int fd = mkstemp(file);

    DO(fd);
    DO(fchmod(fd, 0644) == 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1);
    DO(close(fd));
    if (mount(file, path, "none", MS_BIND, NULL) < 0 && errno != ENOENT)
        DO(-1);
    DO(unlink(file));
}

static int name_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "127.0.0.9", &at.sin_addr);
    DO(fd);
    DO(ioctl(fd, SIOCSIFFLAGS, &lo));
    DO(bind(fd, (struct sockaddr *)&at, sizeof at));
    return fd;
}

/* Answers one question, LEN bytes at PACKET, in its place. Returns the length (RFC 1035, 4.1). */
static size_t answer(unsigned char *packet, size_t len)
{
    static const unsigned char address[] = "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\1\2\3";
    static const unsigned char name[] = "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\x0b\4name\4test";
    size_t end = 12;
    int type;

    while (end < len && packet[end] != 0)
        end += packet[end] + 1u;
    type = packet[end + 2];
    end += 5;
    packet[2] = 0x85;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    packet[7] = type == 1 || type == 12;
    if (type == 1)
        memcpy(packet + end, address, sizeof address - 1);
    if (type == 12)
        memcpy(packet + end, name, sizeof name);
    return end + (type == 1 ? sizeof address - 1 : type == 12 ? sizeof name : 0);
}

/* What came in, to be answered later. */
static struct question {
    unsigned char packet[512];
    ssize_t len;
    struct sockaddr_in from;
    long due_us;
} questions[4096];

/* Until nobody holds the other end of UNTIL. */
static void serve(int fd, int until, long late_us)
{
    size_t first = 0, count = 0;
    struct pollfd in[] = {{fd, POLLIN, 0}, {until, 0, 0}};

    for (;;) {
        struct question *q = &questions[count % 4096];
        socklen_t len = sizeof q->from;
        long wait_us = first < count ? questions[first % 4096].due_us - now_us() : 1000000;
        poll(in, 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
        if (in[1].revents != 0)
            _exit(0);
        if (in[0].revents != 0) {
            q->len = recvfrom(fd, q->packet, sizeof q->packet - 64, 0, (struct sockaddr *)&q->from,
                              &len);
            q->due_us = now_us() + late_us;
            count += q->len > 12 && q->packet[13] != 'n'; /* names with n: never */
        }
        for (; first < count && questions[first % 4096].due_us <= now_us(); first++) {
            struct question *old = &questions[first % 4096];
            sendto(fd, old->packet, answer(old->packet, (size_t)old->len), 0,
                   (struct sockaddr *)&old->from, sizeof old->from);
        }
    }
}

static void set_up(const char *how)
{
    int fd, ends[2];
    pid_t pid;

    DO(unshare(CLONE_NEWNS | CLONE_NEWNET));
    DO(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL));
    put_over("/etc/hosts", "127.0.0.1 localhost\n127.0.0.2 a.test alias.test\n");
    put_over("/etc/nsswitch.conf", "hosts: files dns\nservices: files\n");
    put_over("/etc/resolv.conf", "nameserver 127.0.0.9\noptions timeout:30 attempts:5\n");
    fd = name_server();
    if (strcmp(how, "mute") == 0) {
        DO(dup2(fd, 900)); /* held, never read */
        close(fd);
        return;
    }
    DO(pipe2(ends, O_CLOEXEC));
    DO(pid = fork());
    if (pid == 0) {
        close(ends[1]);
        serve(fd, ends[0], strncmp(how, "late:", 5) == 0 ? atol(how + 5) * 1000 : 0);
    }
    close(ends[0]);
    close(fd);
}

#endif
