/* SPDX-License-Identifier: MIT
 * What keeps the library's counters of coverage in a file that all processes map. gcov by itself
 * writes them when a process ends by exit(3), and so none of a process that is killed or executes
 * another program; and its writing opens files, takes memory and time where a test has set limits
 * to these. Here a process that loads the library maps one file, and that is all.
 *
 * TMO_COUNTERS is the file's path; it is made by `make coverage`, and where it is not to be had the
 * counters stay private, and are lost. A process with TMO_COVERAGE_DUMP in its environment writes
 * at its end what gcov wants. kept.ld puts the counters together; the linker's --wrap leads here.
 */
#include "shim/sys/raw.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define HIDDEN __attribute__((visibility("hidden")))

struct gcov_info;
extern uint64_t kept_start[] HIDDEN, kept_end[] HIDDEN; /* kept.ld */
extern void __real___gcov_init(struct gcov_info *info) HIDDEN;
extern void __real___gcov_exit(void) HIDDEN;
extern void __wrap___gcov_init(struct gcov_info *info) HIDDEN;
extern void __wrap___gcov_exit(void) HIDDEN;

static void *map(int fd, void *where, int flags)
{
    size_t size = (size_t)((char *)kept_end - (char *)kept_start);
    return mmap(where, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
}

static void keep(void)
{
    long fd = TMO_RAW3(SYS_openat, AT_FDCWD, TMO_COUNTERS, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    uint64_t *sum = map((int)fd, NULL, 0);
    if (sum != MAP_FAILED) {
        /* what was called before the constructors is counted already */
        for (size_t i = 0; i < (size_t)(kept_end - kept_start); i++) {
            if (kept_start[i] != 0)
                __atomic_fetch_add(&sum[i], kept_start[i], __ATOMIC_RELAXED);
        }
        (void)map((int)fd, kept_start, MAP_FIXED);
        (void)munmap(sum, (size_t)((char *)kept_end - (char *)kept_start));
    }
    (void)TMO_RAW1(SYS_close, (int)fd);
}

/* Once for each object, in the order of the link. */
void __wrap___gcov_init(struct gcov_info *info)
{
    static bool kept;
    if (!kept)
        keep();
    kept = true;
    __real___gcov_init(info);
}

void __wrap___gcov_exit(void)
{
    if (getenv("TMO_COVERAGE_DUMP") != NULL)
        __real___gcov_exit();
}
