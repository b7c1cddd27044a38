/* SPDX-License-Identifier: MIT
 * Steps of steps.c that make sockets.
 */

static void set_address(struct place *place, const char *family, const char *where)
{
    union address *a = &place->address;

    memset(a, 0, sizeof *a);
    snprintf(place->family, sizeof place->family, "%s", family);
    a->any.sa_family = (sa_family_t)number_of(family_words, family);
    if (a->any.sa_family == AF_UNIX) {
        snprintf(a->local.sun_path, sizeof a->local.sun_path, "%s", where);
        place->length = sizeof a->local;
    } else if (a->any.sa_family == AF_INET6) {
        a->v6.sin6_addr = in6addr_loopback;
        a->v6.sin6_port = htons((uint16_t)atoi(where));
        place->length = sizeof a->v6;
    } else {
        a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a->v4.sin_port = htons((uint16_t)atoi(where));
        place->length = sizeof a->v4;
    }
}

static int new_socket(const char *family, int flags)
{
    int type = strcmp(family, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;

    return socket(number_of(family_words, family), type | flags,
                  strcmp(family, "mptcp") == 0 ? IPPROTO_OF_MPTCP : 0);
}

static long step_socket(char **argument)
{
    here->sent = 0;
    here->fd = new_socket(argument[0], argument[1] != NULL ? SOCK_NONBLOCK : 0);
    return here->fd;
}

static long step_pair(char **argument)
{
    int ends[2];
    int r = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    if (r == 0) {
        here->fd = ends[0];
        place_of(argument[0])->fd = ends[1];
    }
    return r;
}

static long connect_here(void)
{
    if (here->fd < 0)
        here->fd = new_socket(here->family, 0);
    here->sent = 0;
    begin();
    return connect(here->fd, &here->address.any, here->length);
}

static long step_connect(char **argument)
{
    set_address(here, argument[1] != NULL ? argument[0] : "tcp",
                argument[1] != NULL ? argument[1] : argument[0]);
    return connect_here();
}

static long step_dial(char **argument)
{
    const struct place *to = place_of(argument[0]);

    memcpy(here->family, to->family, sizeof here->family);
    here->address = to->address;
    here->length = to->length;
    return connect_here();
}

static long step_connect_nowhere(char **argument)
{
    (void)argument;
    return connect(here->fd, (const struct sockaddr *)(void *)nowhere, sizeof(struct sockaddr_in));
}

static long step_listen(char **argument)
{
    const char *family = argument[0] != NULL ? argument[0] : "tcp";

    set_address(here, family, strcmp(family, "unix") == 0 ? "listener" : "0");
    if (here->fd < 0)
        here->fd = new_socket(family, 0);
    if (bind(here->fd, &here->address.any, here->length) != 0)
        return -1;
    if (getsockname(here->fd, &here->address.any, &here->length) != 0)
        return -1;
    begin();
    return listen(here->fd, number(argument[0] != NULL ? argument[1] : NULL, 16));
}

static long keep(char **argument, int fd)
{
    int kept = errno;

    if (fd >= 0) {
        place_of(argument[0])->fd = fd;
        place_of(argument[0])->sent = 0;
    }
    errno = kept;
    return fd;
}

static long step_accept(char **argument)
{
    return keep(argument, accept(here->fd, NULL, NULL));
}

static long step_accept4(char **argument)
{
    return keep(argument, accept4(here->fd, NULL, NULL, argument[1] != NULL ? SOCK_NONBLOCK : 0));
}

static long step_sys_accept(char **argument)
{
    return keep(argument, (int)syscall(SYS_accept4, here->fd, NULL, NULL, 0));
}

static long step_adopt(char **argument)
{
    here->fd = number(argument[0], -1);
    return here->fd;
}

static long step_give(char **argument)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec byte = {.iov_base = stream, .iov_len = 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};

    memcpy(CMSG_DATA(&control.head), &here->fd, sizeof here->fd);
    return sendmsg(number(argument[0], -1), &message, 0);
}

/* A process without the preload connects and hands the socket over. */
static long step_donor(char **argument)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec byte = {.iov_base = inbox, .iov_len = 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};
    char connect_step[64], give_step[64];
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    snprintf(connect_step, sizeof connect_step, "connect:%s", argument[0]);
    snprintf(give_step, sizeof give_step, "give:%d", pair[1]);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "steps", connect_step, give_step, NULL);
        _exit(127);
    }
    close(pair[1]);
    if (recvmsg(pair[0], &message, 0) != 1 || message.msg_controllen < sizeof(struct cmsghdr))
        return -1;
    memcpy(&here->fd, CMSG_DATA(&control.head), sizeof here->fd);
    waitpid(pid, NULL, 0);
    close(pair[0]);
    errno = ERRNO_BEFORE;
    return here->fd;
}
