/* SPDX-License-Identifier: MIT
 * Two threads, each on a socket of its own: do they cost each other anything? The second thread is
 * there in every measurement, asleep where only one is meant to run, because libc itself takes
 * other paths in a process that has two. See ops.h.
 */
#include "bench/ops.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum stage { ASLEEP, READY, GO, DONE };

struct job {
    int (*run)(int fd, int count);
    int fd, count, bad;
};

static struct end own[2]; /* of either thread */
static struct job second;
static sem_t wake;
static _Atomic enum stage stage;

static int run_recv(int fd, int count)
{
    char byte;
    int bad = 0;

    for (int i = 0; i < count; i++)
        bad += recv(fd, &byte, 1, 0) != 1;
    return bad;
}

static int run_dontwait(int fd, int count)
{
    char byte;
    int bad = 0;

    for (int i = 0; i < count; i++)
        bad += recv(fd, &byte, 1, MSG_DONTWAIT) != -1;
    return bad;
}

/* Woken before the measurement, it spins until that begins, and sleeps again after it. */
static void *second_thread(void *unused)
{
    for (;;) {
        sem_wait(&wake);
        atomic_store(&stage, READY);
        while (atomic_load(&stage) != GO)
            ;
        second.bad = second.run(second.fd, second.count);
        atomic_store(&stage, DONE);
    }
    return unused;
}

/* Away from the CPU that the driver chose for this process. */
static void move_to_other_cpu(pthread_t thread)
{
    int here = sched_getcpu();

    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if ((int)cpu != here && pthread_setaffinity_np(thread, sizeof(set), &set) == 0)
            return;
    }
    die("two threads want two CPUs");
}

static void begin(void)
{
    static bool begun;
    int listener, pair[2];
    pthread_t thread;

    if (begun)
        return;
    begun = true;
    listener = end_listen();
    for (int i = 0; i < 2; i++) {
        end_connect(listener, 0, pair);
        own[i] = (struct end){.in = pair[0], .feed = pair[1], .out = pair[0], .drain = pair[1]};
    }
    sem_init(&wake, 0, 0);
    if (pthread_create(&thread, NULL, second_thread, NULL) != 0)
        die("pthread_create");
    move_to_other_cpu(thread);
}

static int prepare(int bytes)
{
    begin();
    end_feed(&own[0], bytes);
    end_feed(&own[1], bytes);
    return own[0].in;
}

static int prepare_recv(const struct op *op, int count)
{
    (void)op;
    return prepare(count);
}

static int prepare_dontwait(const struct op *op, int count)
{
    (void)op;
    (void)count;
    return prepare(0);
}

static int run_both(int (*run)(int fd, int count), int fd, int count)
{
    int bad;

    second = (struct job){.run = run, .fd = own[1].in, .count = count};
    atomic_store(&stage, GO);
    bad = run(fd, count);
    while (atomic_load(&stage) != DONE)
        ;
    return bad + second.bad;
}

static void rouse(void)
{
    sem_post(&wake);
    while (atomic_load(&stage) != READY)
        sched_yield();
}

static int run_both_recv(int fd, int count)
{
    return run_both(run_recv, fd, count);
}

static int run_both_dontwait(int fd, int count)
{
    return run_both(run_dontwait, fd, count);
}

#define ROW(name, prepare, run, ready) {name, "threads", 4000, prepare, run, END_COUNT, ready},

/* clang-format off */
const struct op thread_ops[] = {
    ROW("one thread recv", prepare_recv, run_recv, NULL)
    ROW("two threads recv", prepare_recv, run_both_recv, rouse)
    ROW("one thread recv EAGAIN", prepare_dontwait, run_dontwait, NULL)
    ROW("two threads recv EAGAIN", prepare_dontwait, run_both_dontwait, rouse)
};
/* clang-format on */
const size_t thread_op_count = COUNT(thread_ops);
