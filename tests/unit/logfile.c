/* SPDX-License-Identifier: MIT
 * report/logfile: what a log file's name may lead to, and what is said at start of a name that will
 * not do; and how report/sink makes the name.
 */
#include "tests/unit/place.h"

static void check_links(void)
{
    const char *target = in_folder("target"), *link = in_folder("link");
    make(target, 0600);
    CHECK_EQ(symlink(target, link), 0);
    CHECK_EQ(start(link), 0); /* in a folder of our own it is our own */
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(target), LINE);
    close(sink.fd);

    /* In one like /tmp it is not: at the end, or on the way. */
    CHECK_EQ(mkdir(in_folder("open"), 0700), 0);
    CHECK_EQ(chmod(in_folder("open"), 01777), 0);
    link = in_folder("open/link");
    CHECK_EQ(symlink(target, link), 0);
    CHECK_EQ(start(link), -ELOOP);
    CHECK_TEXT(what, "goes through a link in a folder that others can write");
    CHECK_EQ(say(), -ELOOP);
    CHECK_EQ(symlink(folder, in_folder("open/way")), 0);
    CHECK_EQ(start(in_folder("open/way/target")), -ELOOP);
    CHECK_EQ(say(), -ELOOP);
    CHECK_EQ(symlink(in_folder("nowhere"), in_folder("open/dangling")), 0);
    CHECK_EQ(start(in_folder("open/dangling")), -ELOOP);
    CHECK_EQ(say(), -ELOOP);
    CHECK_EQ(access(in_folder("nowhere"), F_OK), -1);

    /* A plain file there is fine, a second name of another file is not. */
    CHECK_EQ(start(in_folder("open/plain")), 0);
    CHECK_EQ(say(), 0);
    close(sink.fd);
    if (linkat(AT_FDCWD, target, AT_FDCWD, in_folder("open/hard"), 0) == 0) {
        CHECK_EQ(start(in_folder("open/hard")), -EACCES);
        CHECK_EQ(say(), -EACCES);
    }
    if (geteuid() == 0) { /* somebody else's file, laid there for us */
        make(in_folder("open/foreign"), 0666);
        CHECK_EQ(chown(in_folder("open/foreign"), 12345, 12345), 0);
        CHECK_EQ(start(in_folder("open/foreign")), -EACCES);
        CHECK_EQ(say(), -EACCES);
        CHECK_TEXT(content(in_folder("open/foreign")), "");
    }
    CHECK_TEXT(content(target), LINE);
}

static void check_refused(void)
{
    CHECK_EQ(start(folder), -EISDIR);
    CHECK_TEXT(what, "is a directory");
    CHECK_EQ(say(), -EISDIR);
    CHECK_EQ(start(in_folder("none/log")), -ENOENT);
    CHECK_TEXT(what, "its folder is not there");
    CHECK_EQ(say(), -ENOENT);
    CHECK_EQ(mkdir(in_folder("none"), 0700), 0);
    CHECK_EQ(say(), 0); /* it came later */
    CHECK_EQ(tmo_sink_take_lost(&sink), 1);
    close(sink.fd);
    CHECK_EQ(start(in_folder("target/log")), -ENOTDIR);
    CHECK_EQ(say(), -ENOTDIR);
    if (geteuid() != 0) {
        make(in_folder("readonly"), 0400);
        CHECK_EQ(start(in_folder("readonly")), -EACCES);
        CHECK_TEXT(what, "may not be written");
        CHECK_EQ(say(), -EACCES);
        CHECK_EQ(start("/proc/none"), -EACCES);
    }
    char path[1024 + 256];
    memset(path, 'x', sizeof(path));
    memcpy(path, "/%c%c%c", 7);
    path[1020] = '\0';
    char program[256];
    memset(program, 'y', sizeof(program));
    program[255] = '\0';
    CHECK_EQ(tmo_sink_start(&sink, path, 1, program, &what), -ENAMETOOLONG);
    CHECK(say() < 0);
}

static void check_names(void)
{
    char here[128];
    CHECK(getcwd(here, sizeof(here)) != NULL);
    CHECK_EQ(chdir(folder), 0);
    CHECK_EQ(tmo_sink_start(&sink, "rel-%c-%%", 1, "a/b", &what), 0);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(say(), 0);
    CHECK_TEXT(content(in_folder("rel-a_b-%")), LINE);
    close(sink.fd);
    CHECK_EQ(chdir(here), 0);
    CHECK_EQ(start(""), 0);
    CHECK_EQ(sink.kind, TMO_SINK_NONE);
    CHECK_EQ(say(), 0);
    CHECK_EQ(start("/dev/stdout"), 0);
    CHECK(sink.kind == TMO_SINK_FD && sink.fd == 1);
    CHECK_EQ(start("/dev/stderr"), 0);
    CHECK(sink.kind == TMO_SINK_FD && sink.fd == 2);
}

int main(void)
{
    begin();
    check_links();
    check_refused();
    check_names();
    return end();
}
