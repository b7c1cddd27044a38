/* SPDX-License-Identifier: MIT
 *
 * The verbs of fds.c about descriptors, files and processes. As in fds-sockets.h.
 */
#ifndef TMO_TESTS_FDS_PROCESS_H
#define TMO_TESTS_FDS_PROCESS_H

#include "tests/programs/fds-sockets.h"

/* --- descriptors ---------------------------------------------------------------------------- */

static long do_close(char **word, char letter)
{
    (void)letter;
    return close(number(word[0]));
}

static long do_dup(char **word, char letter)
{
    (void)letter;
    return dup(number(word[0]));
}

static long do_dup2(char **word, char letter)
{
    (void)letter;
    return dup2(number(word[0]), number(word[1]));
}

static long do_dup3(char **word, char letter)
{
    (void)letter;
    return dup3(number(word[0]), number(word[1]), O_CLOEXEC);
}

static long do_dupfd(char **word, char letter)
{
    (void)letter;
    return fcntl(number(word[0]), F_DUPFD, number(word[1]));
}

static long do_cloexec(char **word, char letter)
{
    (void)letter;
    return fcntl(number(word[0]), F_SETFD, FD_CLOEXEC);
}

static long do_flags(char **word, char letter)
{
    (void)letter;
    return fcntl(number(word[0]), F_GETFD);
}

#ifndef __GLIBC__ /* musl has neither name: by number */
#define close_range(first, last, flags) ((int)syscall(SYS_close_range, first, last, flags))
#define closefrom(first)                (void)close_range(first, ~0U, 0)
#endif

static long do_close_range(char **word, char letter)
{
    (void)letter;
    return close_range((unsigned)number(word[0]), (unsigned)number(word[1]), 0);
}

static long do_closefrom(char **word, char letter)
{
    (void)letter;
    closefrom(number(word[0]));
    return 0;
}

/* FIRST: one by one up to the limit; how many closed */
static long do_closeall(char **word, char letter)
{
    struct rlimit limit;
    long closed = 0;

    (void)letter;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = number(word[0]); fd < (int)limit.rlim_cur; fd++)
        closed += close(fd) == 0;
    errno = UNUSED_ERRNO;
    return closed;
}

static long do_open(char **word, char letter)
{
    (void)letter;
    return open(word[0], O_RDWR | O_CREAT | O_APPEND, 0600);
}

/* until it fails; how many */
static long do_openall(char **word, char letter)
{
    long count = 0;

    (void)word;
    (void)letter;
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    errno = UNUSED_ERRNO;
    return count;
}

/* FILE: the highest number that leads to it */
static long do_find(char **word, char letter)
{
    struct stat wanted, there;

    (void)letter;
    if (stat(word[0], &wanted) != 0)
        die(word[0]);
    for (int fd = 65535; fd >= 0; fd--)
        if (fstat(fd, &there) == 0 && there.st_dev == wanted.st_dev &&
            there.st_ino == wanted.st_ino)
            return fd;
    return -1;
}

/* FD:FILE: whether it leads there */
static long do_leads(char **word, char letter)
{
    struct stat wanted, there;

    (void)letter;
    return stat(word[1], &wanted) == 0 && fstat(number(word[0]), &there) == 0 &&
           there.st_dev == wanted.st_dev && there.st_ino == wanted.st_ino;
}

/* FD: writes into a pipe until it takes no more */
static long do_fill(char **word, char letter)
{
    static const char zeroes[4096];
    int fd = number(word[0]), flags = fcntl(fd, F_GETFL);

    (void)letter;
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    for (size_t size = sizeof zeroes; size > 0; size /= 2)
        while (write(fd, zeroes, size) > 0)
            ;
    fcntl(fd, F_SETFL, flags);
    return 0;
}

static long do_drain(char **word, char letter)
{
    char buffer[65536];
    struct pollfd wait = {.fd = number(word[0]), .events = POLLIN};

    (void)letter;
    while (poll(&wait, 1, 0) > 0 && read(wait.fd, buffer, sizeof buffer) > 0)
        ;
    return 0;
}

/* --- stdio ---------------------------------------------------------------------------------- */

static FILE *stream;

static long do_fdopen(char **word, char letter)
{
    (void)letter;
    stream = fdopen(number(word[0]), "r+");
    return stream != NULL ? 0 : -1;
}

/* COUNT: bytes that stay in the buffer */
static long do_fputs(char **word, char letter)
{
    (void)letter;
    for (int rest = number(word[0]); rest > 0; rest--)
        if (putc('x', stream) == EOF)
            return -1;
    return 0;
}

/* the byte that came; -1 for an error, -2 for an end */
static long do_getc(char **word, char letter)
{
    int c = getc(stream);

    (void)word;
    (void)letter;
    if (c != EOF)
        return c;
    return ferror(stream) != 0 ? -1 : -2;
}

static long do_fclose(char **word, char letter)
{
    (void)word;
    (void)letter;
    return fclose(stream);
}

static long do_freopen(char **word, char letter)
{
    (void)letter;
    stream = freopen(word[0], "r", stream);
    return stream != NULL ? 0 : -1;
}

/* --- processes ------------------------------------------------------------------------------ */

#ifdef __GLIBC__
#define HAS_EXECVEAT __GLIBC_PREREQ(2, 34)
#else
#define HAS_EXECVEAT 0
#endif

#if !HAS_EXECVEAT
static int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
    return (int)syscall(SYS_execveat, dirfd, path, argv, envp, flags);
}
#endif

/* HOW:PROGRAM; comes back only if it cannot be executed */
static long do_exec(char **word, char letter)
{
    char *path = word[1], *argv[] = {path, NULL};
    const char *how = word[0];

    (void)letter;
    if (strcmp(how, "execv") == 0)
        return execv(path, argv);
    if (strcmp(how, "execvp") == 0)
        return execvp(path, argv);
    if (strcmp(how, "execvpe") == 0)
        return execvpe(path, argv, environ);
    if (strcmp(how, "execl") == 0)
        return execl(path, path, (char *)NULL);
    if (strcmp(how, "execlp") == 0)
        return execlp(path, path, (char *)NULL);
    if (strcmp(how, "execle") == 0)
        return execle(path, path, (char *)NULL, environ);
    if (strcmp(how, "fexecve") == 0) {
        int fd = open(path, O_PATH | O_CLOEXEC);

        errno = UNUSED_ERRNO;
        return fexecve(fd, argv, environ);
    }
    if (strcmp(how, "execveat") == 0)
        return execveat(AT_FDCWD, path, argv, environ, 0);
    if (strcmp(how, "execveat_fd") == 0) {
        int fd = open(path, O_PATH | O_CLOEXEC);

        errno = UNUSED_ERRNO;
        return execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    }
    if (strcmp(how, "syscall") == 0)
        return syscall(SYS_execve, path, argv, environ);
    if (strcmp(how, "syscall_at") == 0)
        return syscall(SYS_execveat, AT_FDCWD, path, argv, environ, 0);
    return execve(path, argv, environ);
}

static long do_spawn(char **word, char letter)
{
    char *argv[] = {word[0], NULL};
    int status = -1;
    pid_t pid;

    (void)letter;
    errno = posix_spawnp(&pid, word[0], NULL, NULL, argv, environ);
    if (errno != 0)
        return -1;
    waitpid(pid, &status, 0);
    errno = UNUSED_ERRNO;
    return status;
}

static long do_system(char **word, char letter)
{
    (void)letter;
    return system(word[0]);
}

static long do_popen(char **word, char letter)
{
    char line[256] = "";
    FILE *from = popen(word[0], "r");

    (void)letter;
    if (from == NULL || fgets(line, sizeof line, from) == NULL)
        die("popen");
    print("%s", line);
    return pclose(from);
}

static long do_exit(char **word, char letter)
{
    (void)letter;
    exit(number(word[0]));
}

static long do__exit(char **word, char letter)
{
    (void)letter;
    _exit(number(word[0]));
}

static long do__Exit(char **word, char letter)
{
    (void)letter;
    _Exit(number(word[0]));
}

static long do_quick_exit(char **word, char letter)
{
    (void)letter;
    quick_exit(number(word[0]));
}

static long do_pid(char **word, char letter)
{
    (void)word;
    (void)letter;
    print("pid %d tid %ld\n", (int)getpid(), syscall(SYS_gettid));
    return 0;
}

/* nofile, fsize or as:N; "now" is the memory that is mapped by now */
static long do_rlimit(char **word, char letter)
{
#ifdef __GLIBC__
    __rlimit_resource_t which
#else
    int which
#endif
        = word[0][0] == 'n'   ? RLIMIT_NOFILE
          : word[0][0] == 'f' ? RLIMIT_FSIZE
                              : RLIMIT_AS;
    struct rlimit limit;
    char pages[64];

    (void)letter;
    getrlimit(which, &limit);
    if (strcmp(word[1], "now") == 0) {
        int fd = open("/proc/self/statm", O_RDONLY);
        ssize_t n = read(fd, pages, sizeof pages - 1);

        close(fd);
        if (n <= 0)
            die("/proc/self/statm");
        pages[n] = '\0';
        limit.rlim_cur = strtoul(pages, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
    } else {
        limit.rlim_cur = (rlim_t)number(word[1]);
    }
    errno = UNUSED_ERRNO;
    return setrlimit(which, &limit);
}

/* Signals with a handler, blocked, pending; threads; all as /proc/self/status has them. */
static long do_signals(char **word, char letter)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];

    (void)word;
    (void)letter;
    if (file == NULL)
        die("/proc/self/status");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Sig", 3) == 0 || strncmp(line, "Threads:", 8) == 0)
            if (strncmp(line, "SigQ:", 5) != 0)
                print("%s", line);
    fclose(file);
    return 0;
}

static long do_ignore(char **word, char letter)
{
    (void)letter;
    return signal(number(word[0]), SIG_IGN) == SIG_ERR ? -1 : 0;
}

static long do_clearenv(char **word, char letter)
{
    (void)word;
    (void)letter;
    return clearenv();
}

/* PATH: until it is there, 10 s at most */
static long do_await(char **word, char letter)
{
    struct timespec tick = {.tv_nsec = 5 * 1000 * 1000};

    (void)letter;
    for (int ticks = 0; access(word[0], F_OK) != 0; ticks++) {
        if (ticks == 2000)
            die(word[0]);
        nanosleep(&tick, NULL);
    }
    return 0;
}

/* MS: for what is measured in time */
static long do_rest(char **word, char letter)
{
    int ms = number(word[0]);
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    (void)letter;
    return nanosleep(&rest, NULL);
}

static long do_say(char **word, char letter)
{
    (void)letter;
    print("%s\n", word[0]);
    return 0;
}

static long do_rename(char **word, char letter)
{
    (void)letter;
    return rename(word[0], word[1]);
}

static long do_unlink(char **word, char letter)
{
    (void)letter;
    return unlink(word[0]);
}

#endif
