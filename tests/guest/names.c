/* SPDX-License-Identifier: MIT
 *
 * names CASE: what the look-ups of names and addresses give. Each case sees an /etc/hosts of its
 * own, in a mount namespace of its own (needs root); no name server is asked by glibc, and by musl
 * one on 127.0.0.1, for a second.
 */
#include "tests/guest/guest.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/time.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { NO_ERROR = 77 }; /* no h_errno that there is */

/* --- the world ------------------------------------------------------------------------------- */

static char long_name[5001]; /* xxx…; the first 240 of it are a name in the table */

static void put_over(const char *path, const char *text)
{
    char file[64];
    int fd;

    snprintf(file, sizeof file, "own-%s", strrchr(path, '/') + 1);
    fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    DO(fd);
    WANT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    DO(close(fd));
    if (mount(file, path, NULL, MS_BIND, NULL) < 0)
        WANT(errno == ENOENT); /* where there is none, none is read */
    DO(unlink(file));
}

static void set_up(void)
{
    static char hosts[2048];

    memset(long_name, 'x', sizeof long_name - 1);
    snprintf(hosts, sizeof hosts,
             "127.0.0.1 localhost\n"
             "127.0.0.2 a.test alias.test A.test\n" /* musl compares letter by letter */
             "127.0.0.3 b.test B.TEST\n"
             "127.0.0.4 one.test two.test\n"
             "127.0.0.5 both.test\n"
             "::1 both.test six.test\n"
             "127.0.0.6 many.test\n"
             "127.0.0.7 many.test\n"
             "127.0.0.8 many.test\n"
             "127.0.0.9 %.240s\n"
             "127.0.0.10 3com\n",
             long_name);
    DO(unshare(CLONE_NEWNS));
    DO(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    put_over("/etc/hosts", hosts);
    put_over("/etc/nsswitch.conf", "hosts: files\nservices: files\n");
    put_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
}

/* --- what is said ---------------------------------------------------------------------------- */

static void before(void)
{
    errno = UNTOUCHED;
    h_errno = NO_ERROR;
}

/* How a look-up went, with errno and h_errno as it left them. */
static void say_result(const char *what, const char *name, int r)
{
    int error = errno, host_error = h_errno;

    if (name != NULL && strlen(name) > 300)
        printf("%s of %zu bytes", what, strlen(name));
    else
        printf("%s(%s)", what, name != NULL ? name : "NULL");
    printf(": %d, errno %s, h_errno %d\n", r, error == UNTOUCHED ? "-" : strerror(error),
           host_error);
}

static void say_address(int family, const void *bytes)
{
    char text[INET6_ADDRSTRLEN] = "?";

    (void)inet_ntop(family, bytes, text, sizeof text);
    printf("  %s\n", text);
}

static void say_list(const struct addrinfo *list)
{
    for (; list != NULL; list = list->ai_next) {
        const struct sockaddr_in *in = (const void *)list->ai_addr;
        const struct sockaddr_in6 *in6 = (const void *)list->ai_addr;

        printf("  flags %x, type %d, protocol %d, length %u, port %d, scope %u, %s\n",
               (unsigned)list->ai_flags, list->ai_socktype, list->ai_protocol, list->ai_addrlen,
               ntohs(in->sin_port), list->ai_family == AF_INET6 ? in6->sin6_scope_id : 0,
               list->ai_canonname != NULL ? list->ai_canonname : "no name");
        say_address(list->ai_family,
                    list->ai_family == AF_INET6 ? (const void *)&in6->sin6_addr : &in->sin_addr);
    }
}

static void say_host(const struct hostent *host)
{
    if (host == NULL)
        return;
    printf("  %s, family %d, length %d\n", host->h_name, host->h_addrtype, host->h_length);
    for (size_t i = 0; host->h_aliases[i] != NULL; i++)
        printf("  also %s\n", host->h_aliases[i]);
    for (size_t i = 0; host->h_addr_list[i] != NULL; i++)
        say_address(host->h_addrtype, host->h_addr_list[i]);
}

static void look_up(const char *name, const char *service, const struct addrinfo *hints)
{
    struct addrinfo *list = NULL;
    int r;

    before();
    r = getaddrinfo(name, service, hints, &list);
    say_result("getaddrinfo", name, r);
    if (r == 0) {
        say_list(list);
        freeaddrinfo(list);
    }
}

/* --- what the calls give --------------------------------------------------------------------- */

static const char *const good[] = {
    "a.test",   "A.test",           "alias.test", "b.test",    "one.test",
    "two.test", "both.test",        "six.test",   "many.test", "localhost",
    "3com",     "127.0.0.1",        "127.1",      "0x7f.1",    "2130706433",
    "::1",      "::ffff:127.0.0.2", "fe80::1%lo",
};
static const char *const bad[] = {"none.test",      "",         " ", "a.test b.test",
                                  "fe80::1%nosuch", "1.2.3.4.5"};

static void case_getaddrinfo(void)
{
    static const int flags[] = {0, AI_CANONNAME, AI_NUMERICHOST, AI_PASSIVE, AI_V4MAPPED | AI_ALL};

    for (size_t i = 0; i < COUNT(good); i++) {
        for (int family = 0; family < 3; family++) {
            struct addrinfo hints = {.ai_family = (const int[]){0, AF_INET, AF_INET6}[family]};
            look_up(good[i], NULL, &hints);
        }
        for (size_t j = 0; j < COUNT(flags); j++) {
            struct addrinfo hints = {.ai_flags = flags[j], .ai_socktype = SOCK_STREAM};
            look_up(good[i], "80", &hints);
        }
        look_up(good[i], NULL, NULL);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        look_up(bad[i], "80", NULL);
    look_up("a.test", "nosuch", NULL);
    look_up("a.test", "99999", NULL);
    look_up(NULL, "80", NULL);
    look_up(NULL, NULL, NULL);
    look_up("a.test", NULL, &(struct addrinfo){.ai_flags = -1});
    look_up("a.test", NULL, &(struct addrinfo){.ai_family = 99});
    look_up("a.test", NULL, &(struct addrinfo){.ai_socktype = 99});
}

static void case_lengths(void)
{
    static const size_t lengths[] = {1, 63, 64, 239, 240, 241, 253, 254, 255, 256, 257, 1024, 5000};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        char name[sizeof long_name];

        memcpy(name, long_name, lengths[i]);
        name[lengths[i]] = '\0';
        look_up(name, "80", &(struct addrinfo){.ai_socktype = SOCK_STREAM});
        before();
        struct hostent *host = gethostbyname(name);
        say_result("gethostbyname", name, host != NULL);
        say_host(host);
    }
}

static void case_gethostbyname(void)
{
    static const int families[] = {AF_INET, AF_INET6};
    const char *const *const names[] = {good, bad};
    const size_t counts[] = {COUNT(good), COUNT(bad)};

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            struct hostent *host;
            const char *name = names[k][i];

            before();
            host = gethostbyname(name);
            say_result("gethostbyname", name, host != NULL);
            say_host(host);
            for (size_t j = 0; j < COUNT(families) && (k == 0 || (i == 0 && j == 0)); j++) {
                before();
                host = gethostbyname2(name, families[j]);
                say_result("gethostbyname2", name, host != NULL);
                say_host(host);
            }
        }
    }
#ifdef __GLIBC__ /* musl frees it first */
    /* a name in the answer of the last call, which the next writes over */
    struct hostent *host = gethostbyname("alias.test");
    for (int i = 0; i < 3 && host != NULL; i++) {
        before();
        host = gethostbyname(host->h_name);
        say_result("gethostbyname", "its own answer", host != NULL);
        say_host(host);
    }
#endif
}

/* Buffers of every length, from nothing to more than enough. */
static void case_small_buffers(void)
{
    static const char *const names[] = {"many.test", "both.test", "127.0.0.1", "a.test"};

    for (size_t i = 0; i < COUNT(names); i++) {
        for (size_t len = 0; len <= 600; len += len < 160 ? 1 : 40) {
            static _Alignas(16) char buf[1024];
            struct hostent host, *ret;
            int error, r;

            memset(&host, 0, sizeof host);
            ret = &host;
            error = NO_ERROR;
            before();
            r = gethostbyname_r(names[i], &host, buf, len, &ret, &error);
            say_result("gethostbyname_r", names[i], r);
            printf("  %zu bytes: %s, error %d\n", len, ret != NULL ? "an answer" : "none", error);
            if (r == 0)
                say_host(ret);
            ret = &host;
            error = NO_ERROR;
            before();
            r = gethostbyname2_r(names[i], AF_INET6, &host, buf, len, &ret, &error);
            say_result("gethostbyname2_r", names[i], r);
            printf("  %zu bytes: %s, error %d\n", len, ret != NULL ? "an answer" : "none", error);
            if (r == 0)
                say_host(ret);
        }
    }
    static _Alignas(16) char buf[1024];
    struct hostent host, *ret = &host;
    int error = NO_ERROR;
    before();
    say_result("gethostbyname_r", "none.test",
               gethostbyname_r("none.test", &host, buf, sizeof buf, &ret, &error));
    printf("  %s, error %d\n", ret != NULL ? "an answer" : "none", error);
    before();
    say_result("gethostbyname2_r", "a.test",
               gethostbyname2_r("a.test", 99, &host, buf, sizeof buf, &ret, &error));
}

static void by_addr(const char *text, socklen_t addr_len, int family, size_t len)
{
    static _Alignas(16) char buf[1024];
    struct in6_addr addr = IN6ADDR_ANY_INIT;
    struct hostent host, *ret = &host, *found;
    int error = NO_ERROR, r;

    inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text, &addr);
    before();
    found = gethostbyaddr(&addr, addr_len, family);
    say_result("gethostbyaddr", text, found != NULL);
    say_host(found);
    before();
    r = gethostbyaddr_r(&addr, addr_len, family, &host, buf, len, &ret, &error);
    say_result("gethostbyaddr_r", text, r);
    printf("  %zu bytes: %s, error %d\n", len, ret != NULL ? "an answer" : "none", error);
    if (r == 0)
        say_host(ret);
}

static void case_gethostbyaddr(void)
{
    static const char *const texts[] = {"127.0.0.2", "127.0.0.7", "::1", "127.0.0.99", "::2"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        bool wide = strchr(texts[i], ':') != NULL;
        by_addr(texts[i], wide ? 16 : 4, wide ? AF_INET6 : AF_INET, 1024);
    }
    for (size_t len = 0; len <= 200; len += 8)
        by_addr("127.0.0.2", 4, AF_INET, len);
    by_addr("127.0.0.2", 3, AF_INET, 1024);
    by_addr("127.0.0.2", 16, AF_INET, 1024);
    by_addr("127.0.0.2", 4, AF_INET6, 1024);
    by_addr("127.0.0.2", 4, AF_UNIX, 1024);
}

static void reverse(const void *addr, socklen_t len, size_t host_len, size_t service_len, int flags)
{
    char host[2000], service[100];
    int r;

    memset(host, '~', sizeof host);
    memset(service, '~', sizeof service);
    before();
    r = getnameinfo(addr, len, host_len != 1999 ? host : NULL, (socklen_t)host_len, service,
                    (socklen_t)service_len, flags);
    say_result("getnameinfo", NULL, r);
    if (r == 0)
        printf("  %.*s %.*s\n", host_len > 0 && host_len != 1999 ? (int)host_len : 0, host,
               (int)service_len, service);
}

static void case_getnameinfo(void)
{
    static const int flags[] = {0,         NI_NUMERICHOST, NI_NAMEREQD, NI_NUMERICSERV,
                                NI_NOFQDN, NI_DGRAM,       0x10000};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    static const size_t lengths[] = {0, 1, 6, 7, 100, 1999 /* NULL */};

    in.sin_addr.s_addr = htonl(0x7f000002);
    for (size_t i = 0; i < COUNT(flags); i++) {
        reverse(&in, sizeof in, 100, 100, flags[i]);
        reverse(&in6, sizeof in6, 100, 100, flags[i]);
    }
    for (size_t i = 0; i < COUNT(lengths); i++) {
        reverse(&in, sizeof in, lengths[i], 100, 0);
        reverse(&in, sizeof in, lengths[i], 0, NI_NUMERICHOST);
    }
    reverse(&in, sizeof in, 100, 1, 0);
    reverse(&in, sizeof in - 1, 100, 100, 0);
    reverse(&in, 0, 100, 100, 0);
    reverse(&in6, sizeof in6 - 1, 100, 100, 0);
    in.sin_addr.s_addr = htonl(0x7f00ffff); /* nobody's */
    reverse(&in, sizeof in, 100, 100, NI_NAMEREQD);
    reverse(&in, sizeof in, 100, 100, 0);
    in.sin_family = 99;
    reverse(&in, sizeof in, 100, 100, 0);
}

/* --- bad pointers ---------------------------------------------------------------------------- */

#define NOWHERE ((char *)24)

/* Does CALL in a child, which it may kill. */
#define IN_CHILD(what, call)                                                                       \
    do {                                                                                           \
        pid_t pid_;                                                                                \
        fflush(stdout);                                                                            \
        pid_ = fork();                                                                             \
        if (pid_ == 0) {                                                                           \
            before();                                                                              \
            int r_ = (call);                                                                       \
            say_result(what, NULL, r_);                                                            \
            fflush(stdout);                                                                        \
            _exit(0);                                                                              \
        }                                                                                          \
        guest_reap(what, pid_);                                                                    \
    } while (0)

static void case_pointers(void)
{
    struct addrinfo *list, wrong = {.ai_flags = -1}, family = {.ai_family = 99};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct hostent host, *ret;
    char buf[1024];
    int error;
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    WANT(pages != MAP_FAILED);
    DO(mprotect(pages + 4096, 4096, PROT_NONE));
    memset(pages, 'x', 4096);
    char *last = pages + 4096;
    IN_CHILD("a bad name", getaddrinfo(NOWHERE, NULL, NULL, &list));
    IN_CHILD("a bad name, and flags", getaddrinfo(NOWHERE, NULL, &wrong, &list));
    IN_CHILD("a bad name, and a family", getaddrinfo(NOWHERE, NULL, &family, &list));
    IN_CHILD("a bad service", getaddrinfo("a.test", NOWHERE, NULL, &list));
    IN_CHILD("bad hints", getaddrinfo("a.test", NULL, (struct addrinfo *)(void *)NOWHERE, &list));
    IN_CHILD("nowhere to answer to",
             getaddrinfo("a.test", NULL, NULL, (struct addrinfo **)(void *)NOWHERE));
    IN_CHILD("a name to the end of the page and on", getaddrinfo(last - 100, NULL, NULL, &list));
    IN_CHILD("gethostbyname(NULL)", gethostbyname(NULL) != NULL);
    IN_CHILD("gethostbyname, bad", gethostbyname(NOWHERE) != NULL);
    IN_CHILD("gethostbyname2, bad", gethostbyname2(NOWHERE, AF_INET6) != NULL);
    for (int i = -1; i < 100; i += 25) /* which glibc may abort at */
        IN_CHILD("gethostbyname2, bad family", gethostbyname2("a.test", i) != NULL);
    IN_CHILD("gethostbyname2, bad family and name", gethostbyname2(NOWHERE, 99) != NULL);
    for (int len = 253; len <= 257; len++)
        IN_CHILD("gethostbyname, without an end", gethostbyname(last - len) != NULL);
    last[-1] = '\0';
    for (int len = 253; len <= 258; len++)
        IN_CHILD("gethostbyname, up to the end", gethostbyname(last - len) != NULL);
    IN_CHILD("gethostbyname_r(NULL)", gethostbyname_r(NULL, &host, buf, 1024, &ret, &error));
    IN_CHILD("gethostbyname_r, bad", gethostbyname_r(NOWHERE, &host, buf, 1024, &ret, &error));
    IN_CHILD("gethostbyname_r, no answer",
             gethostbyname_r("a.test", &host, buf, 1024, NULL, &error));
    IN_CHILD("gethostbyname_r, no error", gethostbyname_r("a.test", &host, buf, 1024, &ret, NULL));
    IN_CHILD("gethostbyname_r, no buffer", gethostbyname_r("a.test", &host, NULL, 0, &ret, &error));
    IN_CHILD("gethostbyname_r, no host", gethostbyname_r("a.test", NULL, buf, 1024, &ret, &error));
    IN_CHILD("getnameinfo, no address", getnameinfo(NULL, sizeof in, buf, 100, NULL, 0, 0));
    IN_CHILD("getnameinfo, bad buffer",
             getnameinfo((struct sockaddr *)&in, sizeof in, NOWHERE, 100, NULL, 0, 0));
    IN_CHILD("getnameinfo, nothing wanted",
             getnameinfo((struct sockaddr *)&in, sizeof in, NULL, 0, NULL, 0, 0));
}

#include "tests/guest/names-visits.h"

static const struct guest_case cases[] = {
    {"getaddrinfo", case_getaddrinfo},
    {"lengths", case_lengths},
    {"gethostbyname", case_gethostbyname},
    {"small_buffers", case_small_buffers},
    {"gethostbyaddr", case_gethostbyaddr},
    {"getnameinfo", case_getnameinfo},
    {"pointers", case_pointers},
    {"ways", case_ways},
    {"accepted", case_accepted},
    {"timeout", case_timeout},
    {"threads", case_threads},
    {"fork", case_fork},
    {"handler", case_handler},
    {"resolver_thread", case_resolver_thread},
    {"memory", case_memory},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") != 0)
        set_up();
    return guest_main(argc, argv, cases, COUNT(cases));
}
