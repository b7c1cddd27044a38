/* SPDX-License-Identifier: MIT
 *
 * uring ACTION...: a client whose connections are made, written and read through io_uring and by no
 * call of their own, so that there is no wait that a library could stand before. Actions, in order,
 * each with its result printed as one line of stdout:
 *
 *     probe           tries whether the kernel lets us
 *     connect:PORT    to 127.0.0.1
 *     send:N, recv    N bytes; what there is, up to 64 KiB
 *     get:PATH        sends a request of HTTP for that
 *     put:N           sends one with a body of N bytes
 *     all             receives until the end
 *     print           the same, and writes what comes to stdout
 *     fill            sends until that fails
 *
 * An operation that fails prints "ACTION: NAME OF ERROR", and ends it with status 1.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 4, PIECE = 1 << 16 };

static struct {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_slots, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} ring;

static int sock = -1;

static void say(const char *action, long n)
{
    printf("%s %ld\n", action, n);
    fflush(stdout);
}

/* N is a result, or an error negated. */
static void check(const char *action, long n)
{
    if (n >= 0)
        return;
    const char *name = n == -ECONNRESET ? "ECONNRESET" : n == -EPIPE ? "EPIPE" : strerror((int)-n);
    printf("%s: %s\n", action, name);
    fflush(stdout);
    exit(1);
}

static char *map(size_t size, uint64_t which)
{
    char *at =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, (off_t)which);
    check("mmap", at != MAP_FAILED ? 0 : -errno);
    return at;
}

static void open_ring(void)
{
    struct io_uring_params p = {0};
    ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
    check("io_uring_setup", ring.fd >= 0 ? 0 : -errno);
    char *sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.sqes = (void *)map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.sq_tail = (void *)(sq + p.sq_off.tail);
    ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
    ring.sq_slots = (void *)(sq + p.sq_off.array);
    ring.cq_head = (void *)(cq + p.cq_off.head);
    ring.cq_tail = (void *)(cq + p.cq_off.tail);
    ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
    ring.cqes = (void *)(cq + p.cq_off.cqes);
}

/* One operation on the socket, and the wait for it. Its result, or an error negated. */
static long make(int op, const void *at, size_t len, uint64_t off)
{
    unsigned tail = *ring.sq_tail, slot = tail & *ring.sq_mask, head = *ring.cq_head;
    struct io_uring_sqe *sqe = &ring.sqes[slot];
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = (uint8_t)op;
    sqe->fd = sock;
    sqe->addr = (uintptr_t)at;
    sqe->len = (uint32_t)len;
    sqe->off = off;
    sqe->msg_flags = op == IORING_OP_SEND ? MSG_NOSIGNAL : 0;
    ring.sq_slots[slot] = slot;
    __atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
    for (unsigned submit = 1; __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head;) {
        long r = syscall(SYS_io_uring_enter, ring.fd, submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0)
            submit = 0;
    }
    long result = ring.cqes[head & *ring.cq_mask].res;
    __atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

static void do_connect(long port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    check("connect", make(IORING_OP_CONNECT, &to, 0, sizeof(to)));
}

static void give(const char *action, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        long n = make(IORING_OP_SEND, bytes + at, len - at, 0);
        check(action, n);
        at += (size_t)n;
    }
}

static long take_all(const char *action, FILE *to)
{
    static char piece[PIECE];
    long sum = 0, n;
    while ((n = make(IORING_OP_RECV, piece, sizeof(piece), 0)) > 0) {
        sum += n;
        if (to != NULL && fwrite(piece, 1, (size_t)n, to) != (size_t)n)
            check("write", -errno);
    }
    check(action, n);
    return sum;
}

static void put(long count)
{
    static const char zeros[PIECE];
    char head[128];
    int len =
        snprintf(head, sizeof(head),
                 "PUT /x HTTP/1.1\r\nConnection: close\r\nContent-Length: %ld\r\n\r\n", count);
    give("put", head, (size_t)len);
    for (; count > 0; count -= PIECE)
        give("put", zeros, (size_t)(count < PIECE ? count : PIECE));
}

int main(int argc, char **argv)
{
    static char much[PIECE];
    open_ring();
    for (int i = 1; i < argc; i++) {
        const char *name = strtok(argv[i], ":"), *first = strtok(NULL, "");
        long a = first != NULL ? atol(first) : 0, n = 0;
        if (strcmp(name, "probe") == 0) {
            continue;
        } else if (strcmp(name, "connect") == 0) {
            do_connect(a);
        } else if (strcmp(name, "send") == 0) {
            give(name, much, (size_t)(n = a));
        } else if (strcmp(name, "recv") == 0) {
            check(name, n = make(IORING_OP_RECV, much, sizeof(much), 0));
        } else if (strcmp(name, "get") == 0 && first != NULL) {
            n = snprintf(much, sizeof(much), "GET %.200s HTTP/1.0\r\n\r\n", first);
            give(name, much, (size_t)n);
        } else if (strcmp(name, "put") == 0) {
            put(n = a);
        } else if (strcmp(name, "all") == 0) {
            n = take_all(name, NULL);
        } else if (strcmp(name, "print") == 0) {
            n = take_all(name, stdout);
        } else if (strcmp(name, "fill") == 0) {
            for (;;)
                give(name, much, sizeof(much));
        } else {
            fprintf(stderr, "uring: what is '%s'?\n", name);
            return 2;
        }
        say(name, n);
    }
    return 0;
}
