/* SPDX-License-Identifier: MIT
 * track/fdtable: numbers above the table of hot bytes, which share a byte with one below. Nothing
 * here is a real descriptor.
 */
#include "shim/track/fdtable.h"
#include "tests/unit/check.h"

#include <pthread.h>
#include <sched.h>

#define SIZE ((int)TMO_HOT_SIZE)
#define MOST ((int)TMO_TRACK_FDS)

static struct tmo_slot *made(int fd, enum tmo_hot hot)
{
    struct tmo_slot *slot = tmo_track_add(fd);
    CHECK(slot != NULL);
    CHECK(slot == tmo_track_slot(fd));
    tmo_track_set_hot(fd, slot, hot);
    return slot;
}

/* Alone, a byte says what its descriptor is, and nothing when that is gone. */
static void check_alone(void)
{
    for (int hot = TMO_HOT_PASS; hot <= TMO_HOT_SLOW; hot++) {
        made(5, (enum tmo_hot)hot);
        CHECK_EQ(tmo_hot(5), hot);
        CHECK_EQ(tmo_hot(5 + SIZE), hot);
        CHECK(tmo_track_slot(5 + SIZE) == NULL);
        tmo_track_drop(5);
        CHECK_EQ(tmo_hot(5), TMO_HOT_NONE);
    }
}

/* Two that share a byte are two, whoever comes and goes first. */
static void check_collision(void)
{
    int low = 7, high = low + SIZE, higher = high + 3 * SIZE;
    struct tmo_slot *a = made(low, TMO_HOT_CHECK), *b = made(high, TMO_HOT_PASS);
    CHECK(a != b);
    CHECK(tmo_hot(low) >= TMO_HOT_SLOW);
    CHECK(tmo_track_slot(low) == a);
    CHECK(tmo_track_slot(higher) == NULL);

    tmo_track_drop(low); /* the other is still there */
    CHECK(tmo_hot(high) >= TMO_HOT_SLOW);
    CHECK(tmo_track_slot(low) == NULL);
    CHECK(tmo_track_slot(high) == b);
    tmo_track_set_hot(high, b, TMO_HOT_CHECK);
    a = made(low, TMO_HOT_PASS); /* and says nothing less than before */
    CHECK(tmo_hot(high) >= TMO_HOT_SLOW);

    struct tmo_slot *c = made(higher, TMO_HOT_CHECK);
    tmo_track_drop(high);
    CHECK(tmo_hot(higher) >= TMO_HOT_SLOW);
    CHECK(tmo_track_slot(high) == NULL);
    CHECK(tmo_track_slot(low) == a);
    CHECK(tmo_track_slot(higher) == c);
    tmo_track_drop(low);
    tmo_track_drop(higher);
    CHECK(tmo_hot(low) >= TMO_HOT_SLOW); /* for good */
    CHECK_EQ(tmo_hot(low + 1), TMO_HOT_NONE);
    CHECK_EQ(tmo_track_next(0), -1);
}

/* The slot of a number that was closed is its next one's, as another generation of it. */
static void check_reuse(void)
{
    int high = 70000;
    struct tmo_slot *a = made(high, TMO_HOT_CHECK);
    unsigned generation = a->generation;
    a->timeouts = 3;
    tmo_track_drop(high);
    CHECK(tmo_track_slot(high) == NULL);
    struct tmo_slot *b = made(high, TMO_HOT_CHECK);
    CHECK(b == a);
    CHECK_EQ(b->generation, generation + 1);
    CHECK_EQ(b->timeouts, 0);
    tmo_track_drop(high);
}

/* Copies of one socket below and above: one slot, till the last is gone. */
static void check_copies(void)
{
    int low = 9, high = 150000, same = (int)(high % SIZE);
    struct tmo_slot *a = made(low, TMO_HOT_CHECK);
    tmo_track_share(low, high);
    CHECK(tmo_track_slot(high) == a);
    CHECK_EQ(a->refs, 2);
    CHECK_EQ(tmo_hot(low), TMO_HOT_CHECK);
    CHECK(tmo_hot(high) >= TMO_HOT_SLOW);
    tmo_track_set_hot(high, a, TMO_HOT_PASS); /* of all that lead to it */
    CHECK_EQ(tmo_hot(low), TMO_HOT_PASS);
    CHECK(tmo_hot(high) >= TMO_HOT_SLOW);
    CHECK(tmo_track_leave(low) == NULL);
    CHECK_EQ(tmo_hot(low), TMO_HOT_NONE);

    tmo_track_share(high, low); /* from above: what its byte says is not the socket's alone */
    CHECK_EQ(tmo_hot(low), TMO_HOT_SLOW);
    tmo_track_share(high, same); /* to the very byte */
    CHECK_EQ(a->refs, 3);
    CHECK(tmo_track_leave(high) == NULL);
    CHECK(tmo_track_slot(same) == a);
    CHECK(tmo_hot(same) >= TMO_HOT_SLOW);
    tmo_track_drop(same);
    CHECK(tmo_track_leave(low) == a);
    CHECK_EQ(tmo_hot(low), TMO_HOT_NONE); /* this one has its byte to itself */
}

static void check_walk(void)
{
    static const int numbers[] = {0, 1023, 1024, 65535, 65536, 66559, 66560, 131072, MOST - 1};
    enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
    for (int i = 0; i < COUNT; i++)
        made(numbers[i], TMO_HOT_PASS);
    int fd = -1;
    for (int i = 0; i < COUNT; i++) {
        fd = tmo_track_next(fd + 1);
        CHECK_EQ(fd, numbers[i]);
    }
    CHECK_EQ(tmo_track_next(fd + 1), -1);
    CHECK_EQ(tmo_track_highest(), MOST - 1);
    for (int i = 0; i < COUNT; i++)
        tmo_track_drop(numbers[i]);
    CHECK_EQ(tmo_track_next(0), -1);
}

/* What is beyond, or no number at all, is left alone. */
static void check_range(void)
{
    static const int wrong[] = {-1, MOST, MOST + 3, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(tmo_track_add(wrong[i]) == NULL);
        CHECK(tmo_track_slot(wrong[i]) == NULL);
        CHECK(tmo_track_cell(wrong[i]) == NULL);
        CHECK(tmo_track_leave(wrong[i]) == NULL);
        tmo_track_drop(wrong[i]);
    }
    struct tmo_slot *a = made(20, TMO_HOT_CHECK);
    tmo_track_share(20, MOST + 20); /* is not followed */
    CHECK_EQ(a->refs, 1);
    CHECK(tmo_hot(20) == TMO_HOT_CHECK);
    tmo_track_drop(20);
}

/* Our own descriptors, which stand at the top of the range. */
static void check_guard(void)
{
    tmo_track_guard(30, true);
    CHECK_EQ(tmo_hot(30), TMO_HOT_SLOW);
    CHECK(tmo_track_slot(30) == NULL);
    tmo_track_guard(30, false);
    CHECK_EQ(tmo_hot(30), TMO_HOT_NONE);
    made(31, TMO_HOT_CHECK);
    tmo_track_guard(31 + SIZE, true);
    tmo_track_guard(31 + SIZE, false);
    CHECK(tmo_hot(31) >= TMO_HOT_SLOW);
    tmo_track_drop(31);
}

enum { FIRST = 100, RACES = 4000 };
static int at, there; /* the number that the other thread is to be at; is at */

/* Comes and goes at the number AT, as fast as it can. */
static void *come_and_go(void *ctx)
{
    (void)ctx;
    for (int fd; (fd = __atomic_load_n(&at, __ATOMIC_RELAXED)) != 0;) {
        tmo_track_guard(fd, true);
        tmo_track_guard(fd, false);
        __atomic_store_n(&there, fd, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A byte that becomes shared while another thread writes it is shared from then on. */
static void check_threads(void)
{
    pthread_t thread;
    int lost = 0;

    at = FIRST;
    CHECK_EQ(pthread_create(&thread, NULL, come_and_go, NULL), 0);
    for (int fd = FIRST; fd < FIRST + RACES; fd++) {
        __atomic_store_n(&at, fd, __ATOMIC_RELAXED);
        while (__atomic_load_n(&there, __ATOMIC_RELAXED) != fd)
            (void)sched_yield();
        for (volatile int pause = fd % 64; pause > 0; pause--)
            continue;
        tmo_track_guard(fd + SIZE, true);
    }
    __atomic_store_n(&at, 0, __ATOMIC_RELAXED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    for (int fd = FIRST; fd < FIRST + RACES; fd++)
        lost += tmo_hot(fd) < TMO_HOT_SLOW;
    CHECK_EQ(lost, 0);
}

int main(void)
{
    if (SIZE == 65536) { /* else these numbers are others */
        check_alone();
        check_collision();
        check_copies();
        check_range();
        check_guard();
        check_threads();
    }
    check_reuse();
    check_walk();
    return check_end();
}
