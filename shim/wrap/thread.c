/* SPDX-License-Identifier: MIT
 * Threads of our own. See thread.h. Layer: wrap.
 *
 * They are libc's: a bare clone(2) would share the thread-local data of whoever made it, and be
 * left behind by setuid(3), which has every thread that libc knows change.
 */
#include "shim/wrap/thread.h"
#include "shim/sys/raw.h"
#include "shim/sys/real.h"
#include "shim/track/self.h"

#include <pthread.h>

/* Looked up when the first is started: before glibc 2.34 the threads are in a library of their own,
 * which a program may be without. */
static struct {
    bool found;
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*attr_init)(pthread_attr_t *);
    int (*attr_detached)(pthread_attr_t *, int);
    int (*attr_stack)(pthread_attr_t *, size_t);
    size_t (*least_stack)(const pthread_attr_t *); /* may be NULL */
} libc;

#ifdef TMO_START_FILES /* a sanitizer must see the thread begin */
#define FIND(member, name) (*(void **)&libc.member = (void *)(uintptr_t)name)
#else
#define FIND(member, name) (*(void **)&libc.member = tmo_real_late(#name))
#endif

static bool find_libc(void)
{
    if (__atomic_load_n(&libc.found, __ATOMIC_ACQUIRE))
        return true;
    FIND(create, pthread_create);
    FIND(attr_init, pthread_attr_init);
    FIND(attr_detached, pthread_attr_setdetachstate);
    FIND(attr_stack, pthread_attr_setstacksize);
    if (libc.create == NULL || libc.attr_init == NULL || libc.attr_detached == NULL ||
        libc.attr_stack == NULL)
        return false;
#ifdef __GLIBC__ /* what it is exported for: others ask the same, as Java's launcher */
    *(void **)&libc.least_stack = tmo_real_late("__pthread_get_minstack");
#endif
    __atomic_store_n(&libc.found, true, __ATOMIC_RELEASE);
    return true;
}

bool tmo_thread_may_start(void)
{
    stack_t now = {.ss_flags = 0};
    return !tmo_self_borrowed() &&
           (TMO_RAW2(SYS_sigaltstack, 0, &now) < 0 || (now.ss_flags & SS_ONSTACK) == 0);
}

/* All signals but those of a thread's own faults, which the program may make something of (a
 * sandbox of SIGSYS), and those that the C library sends to each thread (nptl(7)). */
static uint64_t mask_of_thread(void)
{
    static const int open[] = {
        SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, 32, 33,
#ifndef __GLIBC__
        34, /* musl, src/internal/pthread_impl.h, SIGSYNCCALL */
#endif
    };
    uint64_t mask = UINT64_MAX;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        mask &= ~(UINT64_C(1) << (open[i] - 1));
    return mask;
}

int tmo_thread_start(void *(*run)(void *), void *arg, size_t stack_bytes)
{
    pthread_attr_t attr;
    pthread_t thread;
    uint64_t mask = mask_of_thread(), before;
    if (!find_libc())
        return ENOSYS;
    (void)libc.attr_init(&attr);
    (void)libc.attr_detached(&attr, PTHREAD_CREATE_DETACHED);
    if (libc.least_stack != NULL) /* glibc has thread-local data take their room from it */
        stack_bytes += libc.least_stack(&attr);
    (void)libc.attr_stack(&attr, stack_bytes);
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, 8);
    int r = libc.create(&thread, &attr, run, arg);
    if (r == EINVAL) { /* too small for the program's thread-local data: as large as any then */
        (void)libc.attr_init(&attr);
        (void)libc.attr_detached(&attr, PTHREAD_CREATE_DETACHED);
        r = libc.create(&thread, &attr, run, arg);
    }
    (void)TMO_RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
    return r;
}

int tmo_thread_of_program(const void *attr, void *(*run)(void *), void *arg)
{
    pthread_attr_t detached;
    pthread_t thread;
    if (!find_libc())
        return ENOSYS;
    if (attr == NULL) {
        (void)libc.attr_init(&detached);
        (void)libc.attr_detached(&detached, PTHREAD_CREATE_DETACHED);
        attr = &detached;
    }
    return libc.create(&thread, attr, run, arg);
}
