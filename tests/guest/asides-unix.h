/* SPDX-License-Identifier: MIT
 * Cases of asides.c: unix sockets.
 */

/* --- unix sockets ---------------------------------------------------------------------------- */

static struct sockaddr_un unix_name(int type)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "guest %d %d", (int)getpid(), type);
    return name;
}

static void case_unix(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};

    for (int i = 0; i < 2; i++) {
        struct sockaddr_un name = unix_name(types[i]), got;
        struct ucred who = {0, 0, 0};
        socklen_t len = sizeof who;
        int listener = socket(AF_UNIX, types[i], 0), fd = socket(AF_UNIX, types[i], 0), served;

        SAY("connect", connect(fd, (struct sockaddr *)&name, sizeof name));
        SAY("bind", bind(listener, (struct sockaddr *)&name, sizeof name));
        SAY("listen", listen(listener, 4));
        SAY("connect", connect(fd, (struct sockaddr *)&name, sizeof name));
        DO(served = accept(listener, NULL, NULL));
        DO(getsockopt(served, SOL_SOCKET, SO_PEERCRED, &who, &len));
        WANT(who.pid == getpid() && who.uid == getuid());
        len = sizeof got;
        DO(getpeername(fd, (struct sockaddr *)&got, &len));
        WANT(len == sizeof name && memcmp(&got, &name, sizeof name) == 0);
        SAY("send", send(fd, "one", 3, 0));
        SAY("send", send(fd, "longer", 6, MSG_EOR));
        SAY("send", send(fd, "three", 5, 0));
        say_received("recv", served, 4, 0);
        say_received("recv", served, 4, MSG_TRUNC);
        say_received("recv", served, 20, types[i] == SOCK_STREAM ? 0 : MSG_WAITALL);
        DO(close(fd));
        say_received("recv", served, 4, 0);
        SAY("send", send(served, "x", 1, MSG_NOSIGNAL));
        DO(close(served));
        DO(close(listener));
    }
}

/* Who sent it comes with each message. */
static void case_credentials(void)
{
    int ends[2];
    pid_t pid;

    DO(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    SAY("SO_PASSCRED", set_int(ends[0], SOL_SOCKET, SO_PASSCRED, 1));
    fflush(stdout);
    DO(pid = fork());
    if (pid == 0) {
        WANT(send(ends[1], "from the child", 14, 0) == 14);
        _exit(0);
    }
    guest_reap("child", pid);
    WANT(send(ends[1], "from the parent", 15, 0) == 15);
    for (int i = 0; i < 2; i++) {
        union {
            struct cmsghdr head;
            char room[128];
        } control;
        char bytes[32] = "";
        struct iovec iov = {bytes, sizeof bytes - 1};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
        struct ucred who;

        SAY("recvmsg", recvmsg(ends[0], &msg, 0));
        WANT(msg.msg_controllen > 0 && control.head.cmsg_type == SCM_CREDENTIALS);
        memcpy(&who, CMSG_DATA(&control.head), sizeof who);
        printf("  %s, by %s\n", bytes, who.pid == pid ? "the child" : "the parent");
        WANT(who.pid == pid || who.pid == getpid());
    }
}

/* A datagram socket whose reader is slow makes its writer wait; one whose reader is gone fails. */
static void *read_datagrams(void *argument)
{
    int fd = *(int *)argument;
    char bytes[64];

    for (int i = 0; i < 2000; i++)
        WANT(recv(fd, bytes, sizeof bytes, 0) == 4);
    return NULL;
}

static void case_unix_datagrams(void)
{
    int ends[2];
    pthread_t thread;

    DO(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    WANT(pthread_create(&thread, NULL, read_datagrams, &ends[1]) == 0);
    for (int i = 0; i < 2000; i++)
        WANT(send(ends[0], "dgrm", 4, 0) == 4);
    WANT(pthread_join(thread, NULL) == 0);
    say_received("none", ends[1], 8, MSG_DONTWAIT);
    DO(close(ends[1]));
    SAY("send", send(ends[0], "x", 1, 0));
    SAY("send", send(ends[0], "x", 1, 0));
}
