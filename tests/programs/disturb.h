/* SPDX-License-Identifier: MIT
 * What may disturb a wait, for steps.c: handlers, a process that sends signals, one that traces.
 */
#ifndef TESTS_PROGRAMS_DISTURB_H
#define TESTS_PROGRAMS_DISTURB_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61 /* linux/prctl.h */
#endif

enum { MOST_DISTURBERS = 8 };

static volatile sig_atomic_t signals_handled;
static pid_t disturbers[MOST_DISTURBERS];
static int disturber_count;

static void count_signal(int number)
{
    (void)number;
    signals_handled++;
}

static int handle(int number, int sa_flags)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = sa_flags};

    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

static void rest_ms(int ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&rest, NULL);
}

/* In the child: COUNT times, each EVERY_MS, a signal to PROGRAM. A stopped one goes on 20 ms later.
 */
static void send_signals(pid_t program, int number, int every_ms, int count)
{
    while (count-- > 0) {
        rest_ms(every_ms);
        if (kill(program, number) != 0)
            return;
        if (number == SIGSTOP) {
            rest_ms(20);
            kill(program, SIGCONT);
        }
    }
}

/* In the child: as a debugger that attaches, looks and leaves. */
static void trace(pid_t program, int every_ms, int count)
{
    while (count-- > 0) {
        rest_ms(every_ms);
        if (ptrace(PTRACE_ATTACH, program, NULL, NULL) != 0)
            _exit(1);
        waitpid(program, NULL, 0);
        rest_ms(20);
        if (ptrace(PTRACE_DETACH, program, NULL, NULL) != 0)
            _exit(1);
    }
}

/* A child that disturbs us from now on; NUMBER 0: by tracing. It ends when we do. */
static int disturb(int number, int every_ms, int count)
{
    pid_t program = getpid();
    pid_t pid;
    int kept = errno;

    if (disturber_count == MOST_DISTURBERS)
        return -1;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (number != 0)
            send_signals(program, number, every_ms, count);
        else
            trace(program, every_ms, count);
        _exit(0);
    }
    disturbers[disturber_count++] = pid;
    errno = kept;
    return pid < 0 ? -1 : 0;
}

/* A child that stops us once, AFTER ms from now, for so long. It ends when we do. */
static int halt(int after_ms, int for_ms)
{
    pid_t program = getpid();
    pid_t pid;
    int kept = errno;

    if (disturber_count == MOST_DISTURBERS)
        return -1;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        rest_ms(after_ms);
        kill(program, SIGSTOP);
        rest_ms(for_ms);
        kill(program, SIGCONT);
        _exit(0);
    }
    disturbers[disturber_count++] = pid;
    errno = kept;
    return pid < 0 ? -1 : 0;
}

/* Waits for all of them; the number of those that failed. */
static int await_disturbers(void)
{
    int failed = 0;

    while (disturber_count > 0) {
        int status = 0;

        if (waitpid(disturbers[--disturber_count], &status, 0) < 0 || status != 0)
            failed++;
    }
    return failed;
}

/* From now on the system call NR fails with ERROR, whoever makes it (seccomp(2), without headers
 * that not every C library comes with). */
static int refuse(long nr, int error)
{
    enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06, MODE_FILTER = 2 };
    struct instruction {
        uint16_t code;
        uint8_t if_so, if_not;
        uint32_t value;
    } code[] = {
        {LOAD, 0, 0, 0}, /* the number of the call */
        {JUMP_IF_EQUAL, 0, 1, (uint32_t)nr},
        {RETURN, 0, 0, 0x00050000U | (uint32_t)error},
        {RETURN, 0, 0, 0x7fff0000U},
    };
    struct {
        unsigned short count;
        struct instruction *code;
    } program = {sizeof code / sizeof code[0], code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, MODE_FILTER, &program, 0, 0);
}

#endif
