/* SPDX-License-Identifier: MIT
 * Threads of our own, which there are only where a setting asks for one. Layer: wrap.
 */
#ifndef TMO_WRAP_THREAD_H
#define TMO_WRAP_THREAD_H

#include <stdbool.h>
#include <stddef.h>

/* Whether one may be started here: not in a vfork(2) child, nor in a signal handler, as far as that
 * shows: on a signal stack of its own. Signal-safe. */
bool tmo_thread_may_start(void);

/* Runs RUN(ARG) in a detached thread with a stack of STACK_BYTES beside the program's thread-local
 * data, or of the program's default size where libc does not tell what those need, and that is
 * more. No signal is delivered to it, but for those that a thread itself raises and libc's own.
 * Returns 0; ENOSYS: the program has no threads; or the errno of pthread_create(3), which is not
 * signal-safe. */
int tmo_thread_start(void *(*run)(void *), void *arg, size_t stack_bytes);

/* Runs RUN(ARG) in a thread that the program has asked for, with its own ATTR, a pthread_attr_t;
 * with NULL a detached one. It has the signal mask of this thread. Returns as tmo_thread_start().
 */
int tmo_thread_of_program(const void *attr, void *(*run)(void *), void *arg);

#endif
