/* SPDX-License-Identifier: MIT
 * Resolving of the real functions. See real.h.
 */
#include "shim/sys/real.h"
#include "shim/sys/clock.h"
#include "shim/sys/raw.h"
#include "shim/sys/scope.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* dlsym(3) and dlerror(3) under the version that they have had since they exist: with the newer
 * one, of glibc 2.34, the library would not load before that. Until then they are in libdl, which a
 * program may be without: then they are NULL, and tmo_scope_find() has found all there is. */
#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__ILP32__)
#define SINCE "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__i386__)
#define SINCE "GLIBC_2.0"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define SINCE "GLIBC_2.17"
#elif defined(__GLIBC__) && defined(__arm__)
#define SINCE "GLIBC_2.4"
#endif
#ifdef SINCE
extern void *since_dlsym(void *where, const char *name) __attribute__((weak));
extern char *since_dlerror(void) __attribute__((weak));
__asm__(".symver since_dlsym, dlsym@" SINCE);
__asm__(".symver since_dlerror, dlerror@" SINCE);
#define dlsym   since_dlsym
#define dlerror since_dlerror
static bool have_dlsym(void)
{
    return since_dlsym != NULL && since_dlerror != NULL;
}
#else
static bool have_dlsym(void)
{
    return true;
}
#endif

/* The thread that is in tmo_real_bind(), as an address on its stack; dlsym() may come back to us
 * (an allocator that is being set up reads a file) and must then not start over. */
static char *_Atomic binding;
#define NEAR_BYTES 65536

static _Atomic bool bound;

static bool in_binding(void)
{
    char here;
    char *there = binding;
    return there != NULL && &here < there && there - &here < NEAR_BYTES;
}

/* What a call does when libc's function is not to be had: the system call itself. */
static long stand_in(long nr, ...)
{
    if (nr < 0 || tmo_real.syscall == NULL) {
        errno = ENOSYS;
        return nr == TMO_SYS_NULL ? 0 : -1;
    }
    va_list ap;
    va_start(ap, nr);
    long a[6]; /* more than were given: the kernel does not look at the rest */
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return tmo_real.syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define SPREAD(...) , ##__VA_ARGS__

/* Two stubs a row: `first` binds and goes on; `absent` is for a name that libc does not have. */
#define SYM(ret, name, params, args, nr)                                                           \
    static ret absent_##name params                                                                \
    {                                                                                              \
        return (ret)stand_in(nr SPREAD args);                                                      \
    }                                                                                              \
    static ret first_##name params                                                                 \
    {                                                                                              \
        if (in_binding())                                                                          \
            return absent_##name args;                                                             \
        tmo_real_bind();                                                                           \
        return tmo_real.name args;                                                                 \
    }
#define OWN(name)
#define ALIAS(name, target)
#include "shim/symbols.def"
#undef SYM

struct tmo_real tmo_real = {
#define SYM(ret, name, params, args, nr) .name = first_##name,
#include "shim/symbols.def"
#undef SYM
};

/* The names stand in the rows themselves, and `absent` is chosen by code: nothing here has to be
 * relocated at the start of each program. */
#ifdef TMO_TWO_TIMES
#define NAME_MAX_BYTES 24
#else
#define NAME_MAX_BYTES 18
#endif
static const struct {
    char name[NAME_MAX_BYTES];
    unsigned short offset;
} rows[] = {
#define SYM(ret, name, params, args, nr) {#name, offsetof(struct tmo_real, name)},
#include "shim/symbols.def"
#undef SYM
};

static void *absent(size_t row)
{
    enum {
#define SYM(ret, name, params, args, nr) ROW_##name,
#include "shim/symbols.def"
#undef SYM
    };
    switch (row) {
#define SYM(ret, name, params, args, nr)                                                           \
    case ROW_##name:                                                                               \
        return (void *)(uintptr_t)absent_##name;
#include "shim/symbols.def"
#undef SYM
    default:
        return NULL;
    }
}

void tmo_real_bind(void)
{
    char here;
    int e = errno;
    bool lacking = false;

    if (bound)
        return;
    binding = &here;
    struct tmo_scope scope;
    tmo_scope_behind(_DYNAMIC, &scope);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *found = tmo_scope_find(&scope, rows[i].name);
        if (found == NULL && have_dlsym())
            found = dlsym(RTLD_NEXT, rows[i].name);
        lacking = lacking || found == NULL;
        __atomic_store_n((void **)((char *)&tmo_real + rows[i].offset),
                         found != NULL ? found : absent(i), __ATOMIC_RELEASE);
    }
    tmo_scope_of_kernel(&scope);
    void *clock = TMO_CLOCK_VDSO != NULL ? tmo_scope_find(&scope, TMO_CLOCK_VDSO) : NULL;
    if (clock != NULL)
        tmo_clock_bind((int (*)(clockid_t, struct timespec *))(uintptr_t)clock);
    binding = NULL;
    bound = true;
    if (lacking && have_dlsym())
        (void)dlerror(); /* the program's own dlerror() shall not see our misses */
    errno = e;
}

void *tmo_real_late(const char *name)
{
    struct tmo_scope scope;
    tmo_scope_behind(_DYNAMIC, &scope);
    void *found = tmo_scope_find(&scope, name);
    return found == NULL && have_dlsym() ? dlsym(RTLD_NEXT, name) : found;
}

bool tmo_real_is_bound(void)
{
    return bound;
}
