/* SPDX-License-Identifier: MIT
 * vfork and clone. Layer: wrap.
 *
 * A vfork(2) child runs in its parent's memory and on its stack, so a C function must not stand in
 * between: its frame would be gone when the parent returns through it. We only note that there may
 * be such a child from now on (self.h), and jump. pthread_atfork(3) tells of neither.
 */
#include "shim/track/self.h"
#include "shim/wrap/wrap.h"

#ifdef TMO_HAVE_VFORK_JUMP

void *tmo_vfork_target(void) __attribute__((used));
void *tmo_clone_target(void) __attribute__((used));

void *tmo_vfork_target(void)
{
    tmo_self.vforked = true;
    if (!tmo_real_is_bound())
        tmo_real_bind();
    return (void *)(uintptr_t)tmo_real.vfork;
}

void *tmo_clone_target(void)
{
    tmo_self.vforked = true;
    if (!tmo_real_is_bound())
        tmo_real_bind();
    return (void *)(uintptr_t)tmo_real.clone;
}

#if defined(__x86_64__)
#define TARGET_OF(name)                                                                            \
    "push %rdi\n push %rsi\n push %rdx\n push %rcx\n push %r8\n push %r9\n sub $8, %rsp\n"         \
    "call tmo_" name "_target\n"                                                                   \
    "add $8, %rsp\n pop %r9\n pop %r8\n pop %rcx\n pop %rdx\n pop %rsi\n pop %rdi\n"               \
    "jmp *%rax\n"
#define ENTRY "endbr64\n"
#elif defined(__i386__)
#define TARGET_OF(name)                                                                            \
    "sub $12, %esp\n call tmo_" name "_target\n add $12, %esp\n"                                   \
    "jmp *%eax\n"
#define ENTRY ""
#elif defined(__arm__)
#define TARGET_OF(name)                                                                            \
    "push {r0, r1, r2, r3, r4, lr}\n bl tmo_" name "_target\n mov ip, r0\n"                        \
    "pop {r0, r1, r2, r3, r4, lr}\n bx ip\n"
#define ENTRY ""
#else /* aarch64 */
#define TARGET_OF(name)                                                                            \
    "stp x29, x30, [sp, #-80]!\n stp x0, x1, [sp, #16]\n stp x2, x3, [sp, #32]\n"                  \
    "stp x4, x5, [sp, #48]\n stp x6, x7, [sp, #64]\n bl tmo_" name "_target\n mov x16, x0\n"       \
    "ldp x0, x1, [sp, #16]\n ldp x2, x3, [sp, #32]\n ldp x4, x5, [sp, #48]\n"                      \
    "ldp x6, x7, [sp, #64]\n ldp x29, x30, [sp], #80\n br x16\n"
#define ENTRY "hint #34\n" /* bti c */
#endif

#define JUMP(name)                                                                                 \
    __asm__(".text\n .globl " name "\n .type " name ", %function\n" name                           \
            ":\n" ENTRY TARGET_OF(name) ".size " name ", . - " name "\n")

JUMP("vfork");
JUMP("clone");

#endif
