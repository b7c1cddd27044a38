/* SPDX-License-Identifier: MIT
 * Cases of descriptors.c: descriptors in messages, and servers that fork.
 */

/* Sends COUNT descriptors with a byte. */
static long send_fds(int to, const int *fds, size_t count)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec iov = {(char[1]){'f'}, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    return SAY("sendmsg", sendmsg(to, &msg, 0));
}

/* Receives with ROOM bytes for descriptors; says and returns those that came. */
static size_t receive_fds(int from, size_t room, int flags, bool many, int *ret)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = {0}, byte = 0;
    struct iovec iov = {&byte, 1};
    struct mmsghdr msgs[1] = {
        {.msg_hdr = {
             .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room}}};
    struct msghdr *msg = &msgs[0].msg_hdr;
    size_t count = 0;

    if (many)
        SAY("recvmmsg", recvmmsg(from, msgs, 1, flags, NULL));
    else
        SAY("recvmsg", recvmsg(from, msg, flags));
    printf("flags %#x, control %zu:", msg->msg_flags, (size_t)msg->msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        printf(" type %d,", c->cmsg_type);
        for (size_t i = 0; i < here && count < 16; i++) {
            memcpy(&ret[count], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            printf(" %d%s %s", ret[count], fcntl(ret[count], F_GETFD) == FD_CLOEXEC ? "x" : "",
                   kind_of(ret[count]));
            count++;
        }
    }
    putchar('\n');
    return count;
}

/* The sockets that came are as good as those that were sent. */
static void use_passed(const int *fds, size_t count, int peer)
{
    char byte;

    for (size_t i = 0; i < count; i++) {
        int value = 0;
        socklen_t len = sizeof value;

        if (getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &value, &len) == 0 && value == SOCK_STREAM) {
            SAY("send", send(fds[i], "x", 1, MSG_NOSIGNAL));
            SAY("recv", recv(peer, &byte, 1, MSG_WAITALL));
            SAY("send back", send(peer, "y", 1, 0));
            SAY("recv", recv(fds[i], &byte, 1, MSG_WAITALL));
        } else {
            SAY("write", write(fds[i], "", 0));
        }
        SAY("close", close(fds[i]));
    }
}

static void case_rights(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    static const size_t rooms[] = {
        CMSG_SPACE(16 * sizeof(int)), CMSG_SPACE(4), CMSG_LEN(8), CMSG_LEN(4), CMSG_LEN(0), 7, 0};
    static const int flags[] = {0, MSG_CMSG_CLOEXEC, MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT};
    int ends[2], got[16], pipes[2];

    guest_connect(ends);
    DO(pipe(pipes));
    for (size_t i = 0; i < COUNT(types); i++)
        for (size_t j = 0; j < COUNT(rooms); j++)
            for (size_t k = 0; k < COUNT(flags); k++)
                for (int many = 0; many < 2; many++) {
                    int road[2], sent[4] = {ends[0], pipes[0], ends[0], pipes[1]};
                    size_t count;

                    DO(socketpair(AF_UNIX, types[i], 0, road));
                    printf("type %d, room %zu, flags %#x\n", types[i], j, (unsigned)flags[k]);
                    send_fds(road[0], sent, 4);
                    count = receive_fds(road[1], rooms[j], flags[k], many, got);
                    use_passed(got, count, ends[1]);
                    if ((flags[k] & MSG_PEEK) != 0) {
                        count = receive_fds(road[1], rooms[j], 0, many, got);
                        use_passed(got, count, ends[1]);
                    }
                    DO(close(road[0]));
                    DO(close(road[1]));
                }
    SAY("lowest", dup(0));
}

/* To another process and back, with the original closed; a listener; none that is free. */
static void case_rights_limits(void)
{
    struct sockaddr_in addr;
    int road[2], ends[2], gate[2], listener = guest_listener(&addr), got[16], client, peer;
    size_t count;
    pid_t child;
    char byte;

    guest_connect(ends);
    DO(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, road));
    DO(pipe(gate));
    fflush(stdout);
    child = fork();
    DO(child);
    if (child == 0) { /* takes what comes, uses it, and sends it back */
        DO(close(ends[0]));
        DO(close(listener));
        DO(close(road[0]));
        DO(close(gate[1]));
        WANT(read(gate[0], &byte, 1) == 0); /* the parent has said all it has to say */
        DO(close(gate[0]));
        count = receive_fds(road[1], CMSG_SPACE(16 * sizeof(int)), 0, false, got);
        WANT(count == 2);
        SAY("send", send(got[0], "from the child", 14, 0));
        peer = accept(got[1], NULL, NULL);
        SAY("send", send(peer, "accepted", 8, 0));
        DO(shutdown(peer, SHUT_WR));
        send_fds(road[1], (int[]){got[0], peer}, 2);
        fflush(stdout);
        _exit(0);
    }
    DO(close(road[1]));
    client = socket(AF_INET, SOCK_STREAM, 0);
    DO(connect(client, (struct sockaddr *)&addr, sizeof addr));
    send_fds(road[0], (int[]){ends[0], listener}, 2);
    DO(close(ends[0]));
    DO(close(listener));
    DO(close(gate[0]));
    DO(close(gate[1]));
    guest_reap("child", child);
    count = receive_fds(road[0], CMSG_SPACE(16 * sizeof(int)), 0, false, got);
    WANT(count == 2);
    SAY("recv", recv(ends[1], (char[32]){0}, 14, MSG_WAITALL));
    SAY("recv", recv(client, (char[32]){0}, 32, MSG_WAITALL));
    SAY("send", send(client, "back", 4, 0));
    SAY("recv", recv(got[1], (char[32]){0}, 4, MSG_WAITALL));
    use_passed(got, 1, ends[1]);
    SAY("end", recv(ends[1], &byte, 1, 0));
    DO(close(got[1]));
    SAY("end", recv(client, &byte, 1, 0));

    DO(socketpair(AF_UNIX, SOCK_STREAM, 0, road)); /* no room for what comes */
    send_fds(road[0], (int[]){road[0], client, 0}, 3);
    set_limit(16);
    while (dup(0) >= 0)
        continue;
    count = receive_fds(road[1], CMSG_SPACE(16 * sizeof(int)), 0, false, got);
    printf("%zu came\n", count);
    send_fds(road[0], (int[]){999}, 1);
    send_fds(road[0], (int[]){-1}, 1);
}

/* Servers that fork for each connection, before and after accept. */
static void case_servers(void)
{
    struct sockaddr_in addr;
    int listener = guest_listener(&addr);

    fflush(stdout);
    for (int how = 0; how < 2; how++)
        for (int i = 0; i < 5; i++) {
            int client = socket(AF_INET, SOCK_STREAM, 0), peer = -1;
            char buf[32] = {0};
            pid_t child;

            DO(connect(client, (struct sockaddr *)&addr, sizeof addr));
            if (how == 0)
                peer = accept(listener, NULL, NULL);
            child = fork();
            DO(child);
            if (child == 0) {
                ssize_t n;

                DO(close(client));
                if (how == 1)
                    peer = accept(listener, NULL, NULL);
                DO(close(listener));
                n = recv(peer, buf, 5, MSG_WAITALL);
                snprintf(buf, sizeof buf, "child got %zd as %d", n, peer);
                WANT(send(peer, buf, strlen(buf), 0) > 0);
                if (i % 2 == 0)
                    DO(close(peer));
                _exit(i);
            }
            if (how == 0)
                SAY("close", close(peer));
            SAY("send", send(client, "hello", 5, 0));
            SAY("recv", recv(client, buf, sizeof buf, MSG_WAITALL));
            printf("%s\n", buf);
            guest_reap("child", child);
            SAY("close", close(client));
        }
    SAY("lowest", dup(0));
}
