/* SPDX-License-Identifier: MIT
 * A folder of our own and one sink, for the tests of report/sink and report/logfile. An alarm ends
 * a test that waits.
 */
#ifndef TMO_TESTS_UNIT_PLACE_H
#define TMO_TESTS_UNIT_PLACE_H

#include "shim/report/sink.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* ours, mode 0700 */
static struct tmo_sink sink;
static const char *what;

#define LINE "{\"a\":1}\n"
#define LEN  (sizeof(LINE) - 1)

static inline const char *in_folder(const char *name)
{
    static char paths[64][128]; /* good for as long as one check lasts */
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static inline int start(const char *text)
{
    what = NULL;
    return tmo_sink_start(&sink, text, 42, "prog", &what);
}

static inline int start_with(const char *kind, int fd)
{
    char text[32];
    snprintf(text, sizeof(text), "%s%d", kind, fd);
    return start(text);
}

static inline int say(void)
{
    errno = EDOM;
    int r = tmo_sink_write(&sink, LINE, LEN);
    CHECK_EQ(errno, EDOM);
    return r;
}

/* The first 4 KiB of a file; "" if it is not there. */
static inline const char *content(const char *path)
{
    static char bytes[4096];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof(bytes) - 1) : 0;
    bytes[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return bytes;
}

static inline mode_t mode_of(const char *path)
{
    struct stat st = {.st_mode = 0};
    (void)stat(path, &st);
    return st.st_mode & 07777;
}

static inline void make(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0);
    CHECK_EQ(fchmod(fd, mode), 0);
    close(fd);
}

static inline void begin(void)
{
    alarm(20);
    umask(0);
    snprintf(folder, sizeof(folder), "/tmp/socktmo-unit-XXXXXX");
    if (mkdtemp(folder) == NULL)
        exit(1);
}

static inline int end(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_EQ(system(command), 0);
    return check_end();
}

#endif
