/* SPDX-License-Identifier: MIT
 * track/due: the schedule. Its numbers are descriptors only by name.
 */
#include "shim/track/due.h"
#include "tests/unit/check.h"

#include <pthread.h>

static int visited[8];
static unsigned visits;
static uint32_t put_ms; /* what the visit again; 0: nothing, it stays due */
static bool again;
static uint32_t anyhow_ms; /* if it stays due: when it is to be visited anyhow */

static uint32_t visit(int fd, uint32_t now, void *ctx)
{
    (void)ctx;
    if (visits < 8)
        visited[visits] = fd;
    visits++;
    if (again)
        tmo_due_put(fd, tmo_track_slot(fd), put_ms != 0 ? now + put_ms : 0);
    return anyhow_ms;
}

static unsigned sweep(uint32_t now)
{
    visits = 0;
    tmo_due_sweep(now, visit, NULL);
    return visits;
}

static void check_arithmetic(void)
{
    CHECK(tmo_due_has_come(5, 5));
    CHECK(!tmo_due_has_come(6, 5));
    CHECK(!tmo_due_has_come(0, 5));
    CHECK(tmo_due_has_come(UINT32_MAX - 5, 3)); /* over the wrap */
    CHECK(!tmo_due_has_come(3, UINT32_MAX - 5));
    CHECK_EQ(tmo_due_after(UINT32_MAX, 1), 1); /* never 0, which is no time */
    CHECK_EQ(tmo_due_between(5, tmo_due_after(5, INT64_MAX)), TMO_DUE_FAR_MS);
    CHECK_EQ(tmo_due_earlier(0, 7), 7);
    CHECK_EQ(tmo_due_earlier(7, 0), 7);
    CHECK_EQ(tmo_due_earlier(3, UINT32_MAX - 5), UINT32_MAX - 5);
    CHECK_EQ(tmo_due_of_ns(0), 1);
}

static void check_order(void)
{
    struct tmo_slot *a = tmo_track_add(3), *b = tmo_track_add(2000), *c = tmo_track_add(70000);
    again = true;
    put_ms = 0;
    CHECK_EQ(sweep(100), 0); /* nothing is due at all */
    tmo_due_set(3, a, 300);
    tmo_due_set(2000, b, 200);
    tmo_due_put(70000, c, 150);
    CHECK_EQ(tmo_due_first(), 200); /* who only again bounds no wait */
    CHECK_EQ(sweep(199), 0);
    CHECK_EQ(sweep(200), 2); /* but is seen, in order */
    CHECK_EQ(visited[0], 2000);
    CHECK_EQ(visited[1], 70000);
    CHECK_EQ(tmo_due_first(), 300);
    put_ms = 1000;
    CHECK_EQ(sweep(300), 1);
    CHECK_EQ(tmo_due_first(), 1300);
    CHECK_EQ(tmo_due_get(3), 1300);
    again = false;
    CHECK_EQ(sweep(1300), 1); /* what the visit leaves is not waited for */
    CHECK_EQ(tmo_due_first(), 0);
    anyhow_ms = 1500; /* unless it says so */
    tmo_due_set(2000, b, 1350);
    CHECK_EQ(sweep(1350), 2);
    CHECK_EQ(tmo_due_first(), 1500);
    anyhow_ms = 0;
    CHECK_EQ(sweep(1500), 2);
    CHECK_EQ(tmo_due_first(), 0);
    tmo_track_drop(2000);
    tmo_track_drop(70000);

    tmo_due_set(3, a, 2000); /* of a number that was closed nothing is left */
    tmo_track_drop(3);
    CHECK_EQ(tmo_due_get(3), 0);
    CHECK_EQ(sweep(2000), 0);
}

static void check_shared(void)
{
    const struct tmo_slot *slot = tmo_track_add(4);
    tmo_due_set(4, slot, 500);
    tmo_track_share(4, 9);
    CHECK_EQ(tmo_due_get(9), 500);
    tmo_due_set(9, slot, 600);
    CHECK_EQ(tmo_due_get(4), 600);
    tmo_track_drop(4); /* the other number is due yet */
    again = true;
    put_ms = 0;
    CHECK_EQ(sweep(700), 1);
    CHECK_EQ(visited[0], 9);
    tmo_track_drop(9);
    tmo_due_set(9, slot, 800); /* no longer his */
    CHECK_EQ(tmo_due_get(9), 0);
}

/* Threads that set and sweep at once, by one clock: no time is ever lost. */
enum { THREADS = 4, ROUNDS = 20000, LOST_MS = 1000000 };
static uint32_t clock_ms = 1;

static uint32_t put_off(int fd, uint32_t now, void *ctx)
{
    (void)now;
    (void)ctx;
    tmo_due_put(fd, tmo_track_slot(fd), 0);
    return 0;
}

static void *race(void *arg)
{
    int fd = *(const int *)arg;
    const struct tmo_slot *slot = tmo_track_slot(fd);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t due = __atomic_add_fetch(&clock_ms, 1, __ATOMIC_RELAXED);
        tmo_due_set(fd, slot, due);
        /* One sweep may be another thread's, or have been overtaken: the next begins 50 ms later.
         */
        for (uint32_t now = due; tmo_due_get(fd) != 0;) {
            if (now - due > LOST_MS)
                return arg;
            tmo_due_sweep(now, put_off, NULL);
            now = __atomic_add_fetch(&clock_ms, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void check_race(void)
{
    pthread_t threads[THREADS];
    int fds[THREADS];
    for (int i = 0; i < THREADS; i++) {
        fds[i] = 100 + i;
        tmo_track_add(fds[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, race, &fds[i]);
    for (int i = 0; i < THREADS; i++) {
        void *lost;
        pthread_join(threads[i], &lost);
        CHECK(lost == NULL);
    }
}

int main(void)
{
    check_arithmetic();
    check_order();
    check_shared();
    check_race();
    return check_end();
}
