/* SPDX-License-Identifier: MIT
 * Cases of calls.c: addresses by every length, from and to everywhere.
 */

/* --- addresses ------------------------------------------------------------------------------- */

/* An address for CALLS, by any length, from any place. */
static void addresses_of(int domain, int type)
{
    static const socklen_t lens[] = {0,  1,  2,   3,   7,   8,        15, 16,
                                     17, 28, 110, 128, 129, 1u << 31, -1u};
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    char *edge = calls_edge();

    printf("family %d, type %d\n", domain, type);
    memcpy(&addr, &calls_addr, sizeof calls_addr);
    addr.ss_family = (sa_family_t)domain;
    for (size_t i = 0; i < COUNT(lens); i++) {
        int fd = socket(domain, type | SOCK_NONBLOCK, 0);
        int error;

        WANT(domain != AF_INET || lens[i] >= 16 || fd >= 0);
        errno = UNTOUCHED; /* whether it is in progress or over is a matter of luck */
        error = connect(fd, (struct sockaddr *)&addr, lens[i]) == 0 ? 0 : errno;
        printf("connect %u: %s\n", lens[i], strerror(error == EINPROGRESS ? 0 : error));
        DO(close(fd));
        fd = socket(domain, type | SOCK_NONBLOCK, 0);
        CALL("connect nowhere", connect(fd, NOWHERE, lens[i]));
        CALL("connect NULL", connect(fd, NULL, lens[i]));
        CALL("connect half nowhere",
             connect(fd, (struct sockaddr *)(void *)(edge + ROOM - 2), lens[i]));
        CALL("sendto nowhere", sendto(fd, "x", 1, MSG_NOSIGNAL, NOWHERE, lens[i]));
        if (calls_readable(calls_listening)) {
            int peer = accept(calls_listening, NULL, NULL);

            DO(close(peer));
        }
        DO(close(fd));
    }
}

/* The address that accept and recvfrom give, to wherever. */
static void given_addresses(bool accepts)
{
    static const socklen_t lens[] = {0, 1, 2, 8, 15, 16, 17, 4096, 1u << 31, -1u};
    char *edge = calls_edge(), *fixed = calls_read_only(16);
    struct sockaddr_storage room;

    for (size_t i = 0; i < COUNT(lens) + 8; i++) {
        socklen_t len = i < COUNT(lens) ? lens[i] : 16, *len_at = &len;
        struct sockaddr *at = (struct sockaddr *)&room;
        int other = -1, fd = accepts ? calls_make_listener(&other) : calls_make_udp(&other);
        char buf[8] = {0};
        long n;

        memset(&room, 0x5a, sizeof room);
        switch ((int)i - (int)COUNT(lens)) {
        case 0:
            at = NULL;
            break;
        case 1:
            at = NOWHERE;
            break;
        case 2:
            at = (struct sockaddr *)(void *)(edge + ROOM - 4);
            break;
        case 3:
            at = (struct sockaddr *)(void *)fixed;
            break;
        case 4:
            len_at = NULL;
            break;
        case 5:
            len_at = NOWHERE;
            break;
        case 6:
            len_at = (socklen_t *)(void *)fixed;
            break;
        case 7:
            at = NULL, len_at = NULL;
            break;
        default:
            break;
        }
        printf("%zu ", i);
        n = accepts ? CALL("accept", accept(fd, at, len_at))
                    : CALL("recvfrom", recvfrom(fd, buf, 8, MSG_DONTWAIT, at, len_at));
        printf("length %u, family %d, bytes", len, room.ss_family);
        for (int j = 4; j < 32; j++) /* behind the port */
            printf(" %02x", ((unsigned char *)&room)[j]);
        putchar('\n');
        if (accepts && n >= 0)
            DO(close((int)n));
        if (!accepts)
            CALL("left", recv(fd, buf, 8, MSG_DONTWAIT));
        DO(close(fd));
        DO(other < 0 ? 0 : close(other));
    }
}

static void case_addresses(void)
{
    (void)calls_listener();
    addresses_of(AF_INET, SOCK_STREAM);
    addresses_of(AF_INET, SOCK_DGRAM);
    addresses_of(AF_INET6, SOCK_STREAM);
    addresses_of(AF_UNIX, SOCK_STREAM);
    addresses_of(AF_UNIX, SOCK_DGRAM);
    given_addresses(true);
    given_addresses(false);
}
