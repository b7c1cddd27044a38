/* SPDX-License-Identifier: MIT
 * The words that steps.c knows for the numbers of the headers.
 */
#ifndef TESTS_PROGRAMS_WORDS_H
#define TESTS_PROGRAMS_WORDS_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30 /* linux/tcp.h, Linux 4.11 */
#endif

struct word {
    const char *name;
    int number;
};

#define WORD(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

static const struct word errno_words[] = {
    WORD(EAGAIN),       WORD(EALREADY),     WORD(EBADF),       WORD(ECONNREFUSED),
    WORD(ECONNRESET),   WORD(EFAULT),       WORD(EINPROGRESS), WORD(EINTR),
    WORD(EINVAL),       WORD(EISCONN),      WORD(ENOTCONN),    WORD(ENOTSOCK),
    WORD(EOPNOTSUPP),   WORD(EPIPE),        WORD(ETIMEDOUT),   WORD(ESPIPE),
    WORD(ECONNABORTED), WORD(EHOSTUNREACH), WORD(ENETUNREACH), WORD(EPROTONOSUPPORT),
    WORD(ENOPROTOOPT),  WORD(EMSGSIZE),     WORD(EDOM),        WORD(EPERM),
    {NULL, 0},
};

static const struct word message_words[] = {
    {"waitall", MSG_WAITALL},   {"peek", MSG_PEEK},         {"dontwait", MSG_DONTWAIT},
    {"nosignal", MSG_NOSIGNAL}, {"fastopen", MSG_FASTOPEN}, {"errqueue", MSG_ERRQUEUE},
    {"oob", MSG_OOB},           {"trunc", MSG_TRUNC},       {NULL, 0},
};

static const struct word poll_words[] = {
    {"in", POLLIN},   {"pri", POLLPRI},     {"out", POLLOUT}, {"err", POLLERR},
    {"hup", POLLHUP}, {"rdhup", POLLRDHUP}, {NULL, 0},
};

static const struct word signal_words[] = {
    {"usr1", SIGUSR1}, {"usr2", SIGUSR2}, {"stop", SIGSTOP},
    {"pipe", SIGPIPE}, {"segv", SIGSEGV}, {NULL, 0},
};

static const struct word family_words[] = {
    {"tcp", AF_INET},   {"mptcp", AF_INET}, {"udp", AF_INET},
    {"tcp6", AF_INET6}, {"unix", AF_UNIX},  {NULL, 0},
};

/* System calls that can be refused. */
#ifdef SYS_fcntl64
#define FCNTL SYS_fcntl64
#else
#define FCNTL SYS_fcntl
#endif
static const struct word refused_words[] = {
    {"connect", SYS_connect},
    {"getsockopt", SYS_getsockopt},
    {"ppoll", SYS_ppoll},
    {"fcntl", FCNTL},
    {"shutdown", SYS_shutdown},
    {"getpeername", SYS_getpeername},
    {"sigaction", SYS_rt_sigaction},
    {NULL, 0},
};

/* An option whose value is an int, a number of ms in a struct timeval, a linger, or a text. */
enum option_kind { OPTION_INT, OPTION_TIMEVAL, OPTION_LINGER, OPTION_TEXT };

struct option_word {
    const char *name;
    int level, number;
    enum option_kind kind;
};

static const struct option_word option_words[] = {
    {"rcvtimeo", SOL_SOCKET, SO_RCVTIMEO, OPTION_TIMEVAL},
    {"sndtimeo", SOL_SOCKET, SO_SNDTIMEO, OPTION_TIMEVAL},
    {"rcvtimeo_new", SOL_SOCKET, 66, OPTION_TIMEVAL},
    {"sndtimeo_new", SOL_SOCKET, 67, OPTION_TIMEVAL},
    {"linger", SOL_SOCKET, SO_LINGER, OPTION_LINGER},
    {"error", SOL_SOCKET, SO_ERROR, OPTION_INT},
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF, OPTION_INT},
    {"sndbuf", SOL_SOCKET, SO_SNDBUF, OPTION_INT},
    {"rcvlowat", SOL_SOCKET, SO_RCVLOWAT, OPTION_INT},
    {"reuseaddr", SOL_SOCKET, SO_REUSEADDR, OPTION_INT},
    {"mark", SOL_SOCKET, SO_MARK, OPTION_INT},
    {"passcred", SOL_SOCKET, SO_PASSCRED, OPTION_INT},
    {"tos", IPPROTO_IP, IP_TOS, OPTION_INT},
    {"ttl", IPPROTO_IP, IP_TTL, OPTION_INT},
    {"tclass", IPPROTO_IPV6, IPV6_TCLASS, OPTION_INT},
    {"v6only", IPPROTO_IPV6, IPV6_V6ONLY, OPTION_INT},
    {"gro", IPPROTO_UDP, 104, OPTION_INT},
    {"nodelay", IPPROTO_TCP, TCP_NODELAY, OPTION_INT},
    {"syncnt", IPPROTO_TCP, TCP_SYNCNT, OPTION_INT},
    {"congestion", IPPROTO_TCP, TCP_CONGESTION, OPTION_TEXT},
    {"keepalive", SOL_SOCKET, SO_KEEPALIVE, OPTION_INT},
    {"keepidle", IPPROTO_TCP, TCP_KEEPIDLE, OPTION_INT},
    {"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, OPTION_INT},
    {"keepcnt", IPPROTO_TCP, TCP_KEEPCNT, OPTION_INT},
    {"user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, OPTION_INT},
    {"fastopen", IPPROTO_TCP, TCP_FASTOPEN, OPTION_INT},
    {"fastopen_connect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT, OPTION_INT},
};

static void wrong(const char *what, const char *word)
{
    fprintf(stderr, "steps: %s '%s'\n", what, word != NULL ? word : "");
    exit(2);
}

/* The numbers of words joined by `+`, as one. */
static inline int number_of(const struct word *words, const char *joined)
{
    char copy[128], *next = copy, *one;
    int ret = 0;

    snprintf(copy, sizeof copy, "%s", joined != NULL ? joined : "");
    while ((one = strsep(&next, "+")) != NULL) {
        const struct word *word = words;

        if (*one == '\0')
            continue;
        while (word->name != NULL && strcmp(word->name, one) != 0)
            word++;
        if (word->name == NULL)
            wrong("unknown word", one);
        ret |= word->number;
    }
    return ret;
}

static const char *name_of(const struct word *words, int number)
{
    while (words->name != NULL && words->number != number)
        words++;
    return words->name;
}

/* An errno by name, or by number where the table has none. */
static inline const char *errno_name(int number)
{
    static char digits[16];
    const char *name = name_of(errno_words, number);

    snprintf(digits, sizeof digits, "errno%d", number);
    return name != NULL ? name : digits;
}

static inline const struct option_word *find_option(const char *name)
{
    for (size_t i = 0; i < sizeof option_words / sizeof option_words[0]; i++)
        if (name != NULL && strcmp(option_words[i].name, name) == 0)
            return &option_words[i];
    wrong("unknown option", name);
    return NULL;
}

#endif
