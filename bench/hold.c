/* SPDX-License-Identifier: MIT
 *
 * hold: opens COUNT TCP sockets, as COUNT/2 connections to itself, and says what that cost.
 *
 *     hold COUNT
 *
 * Prints: sockets held, private dirty KiB before and with them, threads of this process. It needs
 * as many descriptors as sockets, and takes fewer of both where the hard limit is lower.
 */
#include "bench/ends.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without stdio, whose buffer would count. */
static int private_dirty_kib(void)
{
    static char text[8192];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    const char *found;

    close(fd);
    text[n > 0 ? n : 0] = '\0';
    found = strstr(text, "Private_Dirty:");
    if (!found)
        die("/proc/self/smaps_rollup");
    return atoi(found + strlen("Private_Dirty:"));
}

static int threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    if (!dir)
        die("/proc/self/task");
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int sockets = end_allow(argc > 1 ? atoi(argv[1]) : 10000) & ~1;
    int listener = end_listen(), before_kib, with_kib, pair[2];

    private_dirty_kib(); /* its own pages count from the first time on */
    before_kib = private_dirty_kib();
    for (int i = 0; i < sockets / 2; i++)
        end_connect(listener, 0, pair);
    with_kib = private_dirty_kib();
    printf("%d %d %d %d\n", sockets, before_kib, with_kib, threads());
    return 0;
}
