/* SPDX-License-Identifier: MIT
 * What every file of wrappers needs: their prototypes, made from the table, and the shape of a
 * call on the fast path. Layer: wrap. Only here and in the files of this folder is errno touched.
 *
 * A wrapper wrap_X has X as its name for the linker; so the C headers' own declarations (variadic
 * ones, transparent unions) do not matter, and nothing here calls a wrapped name by mistake.
 */
#ifndef TMO_WRAP_WRAP_H
#define TMO_WRAP_WRAP_H

#include "shim/sys/real.h"
#include "shim/track/fdtable.h"
#include "shim/wrap/current.h"

#include <errno.h>

#define TMO_EXPORT __attribute__((visibility("default")))

#define SYM(ret, name, params, args, nr) TMO_EXPORT ret wrap_##name params __asm__(#name);
#define OWN(name)
#define ALIAS(name, target)
#include "shim/symbols.def"
#undef SYM
#undef OWN
#undef ALIAS

/* Exports NAME as another name of wrap_TARGET, which the same file defines. */
#define TMO_ALIAS(name, target)                                                                    \
    extern __typeof__(wrap_##target) wrap_##name __asm__(#name)                                    \
        __attribute__((alias(#target), visibility("default")))

#define TMO_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TMO_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Goes on if the hot byte of FD is TMO_HOT_CHECK, else to OTHER: one look in memory, one branch.
 * The compilers, left alone, load it into a register and ask twice. */
#if defined(__x86_64__)
#define TMO_CHECKED_OR(fd, other)                                                                  \
    __asm__ goto("cmpb %1, %0\n jne %l[" #other "]"                                                \
                 :                                                                                 \
                 : "m"(tmo_track_hot[TMO_HOT_INDEX(fd)]), "i"(TMO_HOT_CHECK)                       \
                 : "cc"                                                                            \
                 : other)
#else
#define TMO_CHECKED_OR(fd, other)                                                                  \
    do {                                                                                           \
        if (TMO_UNLIKELY(tmo_hot(fd) != TMO_HOT_CHECK))                                            \
            goto other;                                                                            \
    } while (0)
#endif

/* Keeps the struct KEPT in memory rather than in saved registers: a call that succeeds then pays
 * one store an argument, and no more. */
#define TMO_KEEP(kept) __asm__ volatile("" : "+m"(kept))

/* Keeps FD, BUF and LEN in the struct tmo_args KEPT, in that way. */
#define TMO_KEEP_ARGS(kept, fd_, buf_, len_)                                                       \
    do {                                                                                           \
        kept.fd = fd_;                                                                             \
        kept.buf = buf_;                                                                           \
        kept.len = len_;                                                                           \
        TMO_KEEP(kept.fd);                                                                         \
        TMO_KEEP(kept.buf);                                                                        \
        TMO_KEEP(kept.len);                                                                        \
    } while (0)

/* Lets the compiler know nothing of the value of X. */
#define TMO_KEEP_IN_REGISTER(x) __asm__("" : "+r"(x))

#endif
