#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# action = report: a limit that passes is on record, once a silence, and the program finds what it
# finds bare.

load helpers
load steps

RECEIVING=(
    read:read readv:readv recv:recv recvfrom:recvfrom recvmsg:recvmsg recvmmsg:recvmmsg
    splice_in:splice sys_read:read sys_recvfrom:recvfrom sys_recvmmsg:recvmmsg __recv_chk:recv
)
SENDING=(
    write:write writev:writev send:send sendto:sendto sendmsg:sendmsg sendmmsg:sendmmsg
    sendfile:sendfile splice_out:splice sys_write:write sys_sendmmsg:sendmmsg
)
without_those_lacking RECEIVING
without_those_lacking SENDING
LOOPS=(poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2 sys_poll sys_epoll_wait)
MB=1048576
PAIR=(listen on:1 dial:0 on:0 accept:2)
PAIR_SAYS=('listen 0 -' 'dial 0 -' 'accept * -')

# reports SETTING=VALUE…: limits that are only to be recorded. Waits on event loops have theirs.
reports() {
    LIMITS=(SOCKTMO_ACTION=report "${@/#/SOCKTMO_}")
}

# assert_reports LINE…: the timeout records, in order, as `LIMIT LIMIT_MS CALL`, each with the action.
assert_reports() {
    local limit limit_ms call action waited_ms at=0 tab=$'\t'

    assert_records timeout $#
    while IFS=$tab read -r limit limit_ms call action waited_ms; do
        at=$((at + 1))
        [[ "$limit $limit_ms $call" == "${!at}" ]] ||
            fail "record $at is '$limit $limit_ms $call', not '${!at}'"
        [[ $action == report ]] || fail "the action of record $at is '$action'"
        assert_waited "$limit_ms" "$waited_ms" "record $at: waited_ms"
    done < <(record timeout '[.limit, .limit_ms, .call, .action, .waited_ms] | @tsv')
}

# as_bare -- CMD…: says the same under the limits as bare, and ends in the same way.
as_bare() {
    local said

    bare -- "$@"
    said="$status $output"
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- "$@"
    [[ "$status $output" == "$said" ]] || fail "bare: $said"
}

# --- recv -----------------------------------------------------------------------------------------

late_answer() {
    steps connect:"$PEER_PORT" send:3 "${1%:*}:5" recv:500:dontwait send:3 "${1%:*}:5" get:error
    expect 'connect 0 -' 'send 3 -' "${1%:*} [1-5] - ?* @650-1500" 'recv * - *' 'send 3 -' \
        "${1%:*} [1-5] - ?* @650-1500" 'get 0 - none'
    assert_reports "recv 300 ${1#*:}" "recv 300 ${1#*:}"
    assert_closes "out exit 2"
}

@test "every call that receives: a late answer comes, each silence is on record once" {
    peer_start late --after 700
    reports RECV=300ms
    side_by_side late_answer "${RECEIVING[@]}"
}

@test "a silence of many limits is one, and so is one of many calls" {
    peer_start late --after 1200
    reports RECV=100ms
    steps connect:"$PEER_PORT" set:rcvtimeo:250 send:3 recv recv recv recv recv recv:500:dontwait
    expect 'connect 0 -' 'set 0 -' 'send 3 -' 'recv -1 EAGAIN @250-700' 'recv -1 EAGAIN @250-700' \
        'recv -1 EAGAIN @250-700' 'recv -1 EAGAIN @200-700' 'recv 1 - ?' 'recv * - *'
    assert_reports "recv 100 recv"
}

@test "MSG_WAITALL arrives whole; each silence within it is on record" {
    peer_start drip --every 500 --text abc
    reports RECV=200ms
    steps connect:"$PEER_PORT" recv:3:waitall recv:1:peek recv:1
    expect 'connect 0 -' 'recv 3 - abc @900-2500' 'recv 1 - a' 'recv 1 - a @0-200'
    assert_reports "recv 200 recv" "recv 200 recv" "recv 200 recv"
}

@test "a reset and an end of file after the limit are what they are bare" {
    peer_start close --after 600
    reports RECV=200ms
    steps connect:"$PEER_PORT" recv get:error recv send:3
    expect 'connect 0 -' 'recv 0 - @450-1200' 'get 0 - none' 'recv 0 - @0-200' 'send 3 -'
    assert_reports "recv 200 recv"
    rm log
    peer_start reset --after 600
    steps connect:"$PEER_PORT" recv recv
    expect 'connect 0 -' 'recv -1 ECONNRESET @450-1200' 'recv 0 - @0-200'
    assert_reports "recv 200 recv"
}

@test "signals before and after the limit restart the wait as bare" {
    peer_start late --after 1000
    reports RECV=300ms
    ERRNO_MAY_CHANGE=1
    steps handler:usr1:restart connect:"$PEER_PORT" send:3 storm:usr1:100:8 recv:3 calm handled
    expect 'handler 0 -' 'connect 0 -' 'send 3 -' 'storm * -' 'recv 3 * ??? @700-2000' 'calm 0 -' \
        'handled 8 -'
    assert_reports "recv 300 recv"
}

@test "a handler without SA_RESTART ends the wait after the limit as bare" {
    peer_start silent
    reports RECV=300ms
    steps handler:usr1:plain connect:"$PEER_PORT" storm:usr1:700:1 recv calm
    expect 'handler 0 -' 'connect 0 -' 'storm * -' 'recv -1 EINTR @500-1500' 'calm 0 -'
    assert_reports "recv 300 recv"
}

# --- send -----------------------------------------------------------------------------------------

stalled_send() {
    peer_start slowread --chunk 4194304 --every 900 --room 65536 --save save
    steps socket:tcp set:sndbuf:65536 connect:"$PEER_PORT" "${1%:*}:$MB" save:sent close
    expect 'socket * -' 'set 0 -' 'connect 0 -' "${1%:*} [1-9]* -" 'save * -' 'close 0 -'
    [[ $1 == *splice* || $1 == *mmsg* || $(answer 4) -eq $MB ]] || fail "not all was sent"
    [[ $(records timeout) -ge 1 ]] || fail "no record"
    [[ $(record timeout '[.limit, .call, .action] | join(" ")' | sort -u) == \
        "send ${1#*:} report" ]] || fail "the records"
    peer_stop "$PEER_PID"
}

@test "every call that sends: all of it is taken at last, the stalls are on record" {
    reports SEND=300ms
    side_by_side stalled_send write:write writev:writev send:send sendto:sendto sendmsg:sendmsg \
        sendfile:sendfile sys_write:write
}

full_at_first() {
    peer_start slowread --chunk 67108864 --every 2500 --room 65536
    steps socket:tcp set:sndbuf:65536 connect:"$PEER_PORT" fill "${1%:*}:4096"
    expect 'socket * -' 'set 0 -' 'connect 0 -' 'fill * -' "${1%:*} [1-9]* - @250-4000"
    assert_reports "send 200 ${1#*:}"
    peer_stop "$PEER_PID"
}

@test "every call that sends waits as bare where nothing is taken at first" {
    reports SEND=200ms NONBLOCK=off
    side_by_side full_at_first "${SENDING[@]}"
}

# --- connect, accept ------------------------------------------------------------------------------

@test "a slow connect goes on after the limit, and comes to be" {
    reports CONNECT=300ms
    # the queue is full until somebody accepts; then a SYN that is sent again, after 1 s, is answered
    steps listen:tcp:0 on:1 dial:0 on:0 drain:500 on:3 dial:0 get:error get:sndtimeo send:3
    expect 'listen 0 -' 'dial 0 -' 'drain * -' 'dial 0 - @900-4000' 'get 0 - none' \
        'get 0 - sndtimeo' 'send 3 -'
    assert_reports "connect 300 connect"
}

@test "a refused connect is refused, and no record of a limit" {
    reports CONNECT=300ms
    steps listen on:1 on:0 close on:1 dial:0
    expect 'listen 0 -' 'close 0 -' 'dial -1 ECONNREFUSED'
    assert_records timeout 0
}

slow_connect_by() {
    steps listen:tcp:0 on:1 dial:0 on:0 drain:500 on:3 socket:tcp:nonblock dial:0 wait:"$1":out:9000 \
        get:error send:3
    expect 'listen 0 -' 'dial 0 -' 'drain * -' 'socket * -' 'dial -1 EINPROGRESS' \
        'wait 1 - out @800-4000' 'get 0 - none' 'send 3 -'
    assert_reports "connect 300 $1"
}

@test "so does one on an event loop" {
    reports CONNECT=300ms
    side_by_side slow_connect_by poll select epoll_wait
}

@test "accept waits on for a late client" {
    requires python3
    reports ACCEPT=300ms
    as_bare python3 -c "
import socket, threading, time
l = socket.create_server(('127.0.0.1', 0))
def late():
    for i in range(2):
        time.sleep(0.9)
        socket.create_connection(l.getsockname()).sendall(b'hello')
threading.Thread(target=late).start()
for i in range(2):
    print(l.accept()[0].recv(9))"
    [[ $output == "b'hello'"$'\n'"b'hello'" ]] || fail "the clients"
    assert_reports "accept 300 accept4" "accept 300 accept4"
}

# --- idle, total ----------------------------------------------------------------------------------

@test "idle and total of a blocking connection: once a silence, once" {
    peer_start late --after 700
    reports IDLE=300ms TOTAL=1s
    steps connect:"$PEER_PORT" send:3 recv:500 send:3 recv:500 send:3 recv:500
    expect 'connect 0 -' 'send 3 -' 'recv [1-9]* - *' 'send 3 -' 'recv [1-9]* - *' 'send 3 -' \
        'recv [1-9]* - *'
    assert_reports "idle 300 recv" "total 1000 recv" "idle 300 recv" "idle 300 recv" 2>/dev/null ||
        assert_reports "idle 300 recv" "idle 300 recv" "total 1000 recv" "idle 300 recv"
    assert_closes "out exit 4"
}

# --- event loops ----------------------------------------------------------------------------------

open_by() {
    OPEN=(socket:tcp:nonblock connect:"$PEER_PORT" wait:"$1":out:3000)
    OPEN_SAYS=('socket * -' 'connect -1 EINPROGRESS' 'wait 1 - out')
}

late_by() {
    local name=${1#sys_}

    open_by "$1"
    steps "${OPEN[@]}" send:3 wait:"$1":in:9000 recv:500 send:3 wait:"$1":in:9000 recv:500 \
        get:error send:3
    expect "${OPEN_SAYS[@]}" 'send 3 -' 'wait 1 - in @800-2000' 'recv [1-9]* - *' 'send 3 -' \
        'wait 1 - in @800-2000' 'recv [1-9]* - *' 'get 0 - none' 'send 3 -'
    assert_reports "recv 300 $name" "recv 300 $name"
}

@test "event loops: a late answer comes, each silence is on record once" {
    peer_start late --after 1000
    reports RECV=300ms
    side_by_side late_by "${LOOPS[@]}"
}

ticks_by() {
    open_by "$1"
    steps "${OPEN[@]}" send:3 ticks:"$1":in:50:9000 recv:500 send:3 ticks:"$1":in:50:9000 recv:500
    expect "${OPEN_SAYS[@]}" 'send 3 -' 'ticks 1 - in @800-2000' 'recv [1-9]* - *' 'send 3 -' \
        'ticks 1 - in @800-2000' 'recv [1-9]* - *'
    assert_reports "recv 300 $1" "recv 300 $1"
}

@test "event loops: so in ticks" {
    peer_start late --after 1000
    reports RECV=300ms
    side_by_side ticks_by poll select epoll_wait
}

idle_by() {
    open_by "$1"
    steps "${OPEN[@]}" wait:"$1":in:1500 wait:"$1":in:300 send:3 wait:"$1":in:9000 recv:500
    expect "${OPEN_SAYS[@]}" 'wait 0 - @1450-2200' 'wait 0 - @250-900' 'send 3 -' \
        'wait 1 - in @800-2000' 'recv [1-9]* - *'
    [[ $(record timeout .limit | sort | uniq -c | xargs) == "2 idle 1 total" ]] ||
        fail "the records"
    [[ $(record timeout .action | sort -u) == report ]] || fail "the action"
}

@test "event loops: idle once a silence, total once" {
    peer_start late --after 1000
    reports IDLE=400ms TOTAL=1200ms
    side_by_side idle_by poll select epoll_wait
}

stuck_by() {
    peer_start slowread --chunk 67108864 --every 2500 --room 65536
    steps socket:tcp set:sndbuf:65536 connect:"$PEER_PORT" nonblock:fcntl fill wait:"$1":out:9000
    expect 'socket * -' 'set 0 -' 'connect 0 -' 'nonblock 0 -' 'fill * -' 'wait 1 - out @300-4000'
    assert_records timeout 1
    [[ $(record timeout '[.limit, .action] | join(" ")') == "send report" ]] || fail "the record"
    peer_stop "$PEER_PID"
}

@test "event loops: what does not move moves at last" {
    reports SEND=400ms
    side_by_side stuck_by poll select epoll_wait
}

# --- other sockets --------------------------------------------------------------------------------

@test "a unix stream and a datagram socket" {
    reports RECV=300ms PROTO=all
    peer_start late --after 700 --unix "$PWD/socket"
    steps connect:unix:"$PWD/socket" send:3 recv:5 recv:500:dontwait send:3 poll:in:3000 recv:5
    expect 'connect 0 -' 'send 3 -' 'recv 5 - ?* @600-1500' 'recv * - *' 'send 3 -' 'poll 1 - in' \
        'recv 5 - ?*'
    assert_reports "recv 300 recv" "recv 300 poll"
}

# --- real programs --------------------------------------------------------------------------------

ANSWER=$'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'

@test "curl: a late answer" {
    requires curl
    peer_start late --after 1200 --text "$ANSWER"
    reports TIMEOUT=300ms
    as_bare curl -sS "http://127.0.0.1:$PEER_PORT/"
    [[ $output == hello ]] || fail "no answer"
    [[ $(record timeout '[.limit, .action] | join(" ")') == "recv report" ]] || fail "the record"
}

@test "python: sockets, their files, and asyncio" {
    requires python3
    peer_start late --after 900 --text $'hello\n'
    reports TIMEOUT=200ms
    as_bare python3 -c "
import asyncio, socket
s = socket.create_connection(('127.0.0.1', $PEER_PORT))
s.sendall(b'a'); print(s.recv(6))
s.sendall(b'a'); print(s.makefile('rb').readline())
async def main():
    r, w = await asyncio.open_connection('127.0.0.1', $PEER_PORT)
    w.write(b'a'); print(await r.readline())
asyncio.run(main())"
    [[ ${#lines[@]} -eq 3 && ${lines[2]} == *hello* ]] || fail "the answers"
    [[ $(record timeout '[.limit, .action] | join(" ")') == \
        $'recv report\nrecv report\nrecv report' ]] || fail "the records"
}

@test "stdio waits on, unseen" {
    peer_start late --after 900 --text $'hello\n'
    reports TIMEOUT=200ms
    as_bare bash -c "exec 3<>/dev/tcp/127.0.0.1/$PEER_PORT; echo a >&3; read -r -u 3 line; echo \"\$line\""
    [[ $output == hello ]] || fail "bash: no answer"
    rm log
    cat >client.c <<'C'
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    char line[80] = "none";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (argc < 2 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return 1;
    FILE *f = fdopen(fd, "r+");
    fputs("a", f);
    fflush(f);
    printf("%s", fgets(line, sizeof line, f) != NULL ? line : "nothing");
    return ferror(f);
}
C
    "${TMO_CC[@]}" -o client client.c
    as_bare ./client "$PEER_PORT"
    [[ $output == hello ]] || fail "fgets: no answer"
    assert_records timeout 0
}

@test "the launcher has the action" {
    [[ -z ${TMO_FOREIGN-} ]] || skip "the command is not of that platform"
    peer_start late --after 700
    run bounded "$TMO_BIN" run --action report --recv 200ms --log log \
        "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" send:3 recv:3
    expect 'connect 0 -' 'send 3 -' 'recv 3 - ???'
    assert_reports "recv 200 recv"
    run bounded "$TMO_BIN" --help
    [[ $output == *report* ]] || fail "--help does not say so"
}
