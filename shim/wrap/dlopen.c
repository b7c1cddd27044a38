/* SPDX-License-Identifier: MIT
 * dlopen with RTLD_DEEPBIND. Layer: wrap.
 *
 * A library that is opened with that flag is bound to what it needs itself before the program and
 * what is preloaded, so its calls pass us by; without it they come to us. The loader asks its
 * caller's return address whose RUNPATH, $ORIGIN and namespace count (glibc, dlfcn/dlopen.c), so we
 * only change the flag, and jump.
 */
#include "shim/wrap/wrap.h"

#include <dlfcn.h>

#ifdef TMO_HAVE_DLOPEN_JUMP

void *tmo_dlopen_target(int *mode) __attribute__((used));

static void *none(const char *name, int mode)
{
    (void)name;
    (void)mode;
    return NULL;
}

/* Where to jump. MODE is the program's, and is changed. Looked up when it is first called: before
 * glibc 2.34 it is in a library that may come after us. */
void *tmo_dlopen_target(int *mode)
{
    static void *_Atomic real;
    if ((*mode & RTLD_DEEPBIND) != 0 && tmo_current.active && !tmo_current.off &&
        tmo_current.cfg.value[TMO_SET_DEEPBIND] != 0)
        *mode &= ~RTLD_DEEPBIND;
    if (real == NULL)
        real = tmo_real_late("dlopen");
    return real != NULL ? real : (void *)(uintptr_t)none;
}

#if defined(__x86_64__)
#define JUMP                                                                                       \
    "endbr64\n"                                                                                    \
    "push %rdi\n push %rsi\n mov %rsp, %rdi\n sub $8, %rsp\n"                                      \
    "call tmo_dlopen_target\n"                                                                     \
    "add $8, %rsp\n pop %rsi\n pop %rdi\n"                                                         \
    "jmp *%rax\n"
#elif defined(__i386__) /* the arguments are on the stack, and ours to change */
#define JUMP                                                                                       \
    "lea 8(%esp), %eax\n sub $8, %esp\n push %eax\n"                                               \
    "call tmo_dlopen_target\n"                                                                     \
    "add $12, %esp\n"                                                                              \
    "jmp *%eax\n"
#elif defined(__arm__)
#define JUMP                                                                                       \
    "push {r0, r1, r2, lr}\n add r0, sp, #4\n"                                                     \
    "bl tmo_dlopen_target\n mov ip, r0\n"                                                          \
    "pop {r0, r1, r2, lr}\n bx ip\n"
#else /* aarch64 */
#define JUMP                                                                                       \
    "hint #34\n" /* bti c */                                                                       \
    "stp x29, x30, [sp, #-32]!\n stp x0, x1, [sp, #16]\n add x0, sp, #24\n"                        \
    "bl tmo_dlopen_target\n mov x16, x0\n"                                                         \
    "ldp x0, x1, [sp, #16]\n ldp x29, x30, [sp], #32\n br x16\n"
#endif

__asm__(".text\n .globl dlopen\n .type dlopen, %function\n dlopen:\n" JUMP
        ".size dlopen, . - dlopen\n");

#endif
