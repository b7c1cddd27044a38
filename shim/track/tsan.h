/* SPDX-License-Identifier: MIT
 * What ThreadSanitizer cannot see (`make SAN=tsan`); nothing at all in other builds. Layer: track.
 *
 * The kernel orders what one thread did before its close(2) of a number before what another thread
 * does once socket(2), accept(2) or dup(2) gave that number out: both go through the lock of the
 * table of descriptors. Our books of a number are handed on in that way, without an order of our
 * own, so the sanitizer is told: the cell of the number is let go of before the real close, and
 * taken up after the real call that gave it out.
 */
#ifndef TMO_TRACK_TSAN_H
#define TMO_TRACK_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define TMO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TMO_TSAN 1
#endif
#endif

#ifdef TMO_TSAN
void __tsan_acquire(void *address); /* sanitizer/tsan_interface.h, which not every compiler has */
void __tsan_release(void *address);
#define TMO_TSAN_ACQUIRE(address) __tsan_acquire(address)
#define TMO_TSAN_RELEASE(address) __tsan_release(address)
/* A byte that others store atomically. It cannot be read in two parts, whatever the instruction;
 * but gcc makes a compare with memory of a plain read alone, and the fast path is to have that. */
#define TMO_TSAN_BYTE(byte) __atomic_load_n(&(byte), __ATOMIC_RELAXED)
#else
#define TMO_TSAN_ACQUIRE(address) ((void)(address)) /* without side effects */
#define TMO_TSAN_RELEASE(address) ((void)(address))
#define TMO_TSAN_BYTE(byte)       (byte)
#endif

#endif
