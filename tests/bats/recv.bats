#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Waits for the peer to send, on blocking sockets.

load helpers
load steps

# Every call that receives, as steps.c has it, and as the record names it.
RECEIVING=(
    read:read readv:readv recv:recv recvfrom:recvfrom recvfrom_address:recvfrom recvmsg:recvmsg
    recvmmsg:recvmmsg splice_in:splice sys_read:read sys_readv:readv sys_recvfrom:recvfrom
    sys_recvmsg:recvmsg sys_recvmmsg:recvmmsg sys_splice_in:splice __read_chk:read
    __recv_chk:recv __recvfrom_chk:recvfrom
)
without_those_lacking RECEIVING

@test "bare, a recv from a silent peer hangs" {
    peer_start silent
    hangs connect:"$PEER_PORT" recv
}

receive_nothing() {
    steps connect:"$PEER_PORT" "${1%:*}"
    expect 'connect 0 -' "${1%:*} -1 ETIMEDOUT @500"
    assert_timeouts "recv 500 ${1#*:} 127.0.0.1:$PEER_PORT"
    assert_closes "out exit 1"
}

@test "every call that receives ends at the limit, with one timeout and one close on record" {
    peer_start silent
    limits RECV=500ms
    side_by_side receive_nothing "${RECEIVING[@]}"
}

@test "a call that receives something leaves errno alone" {
    peer_start greet --text abcdefghijklmnopqrstuvwxyz
    limits RECV=500ms
    for row in "${RECEIVING[@]}"; do
        steps connect:"$PEER_PORT" poll:in:1000 "${row%:*}:3"
        expect 'connect 0 -' 'poll 1 - in' "${row%:*} [1-3] - a*"
    done
    assert_records timeout 0
}

@test "a pointer that leads nowhere gives what it gives bare" {
    local -a calls=()

    peer_start greet --text abcdefghijklmnopqrstuvwxyz
    limits RECV=500ms
    for row in "${RECEIVING[@]}"; do
        [[ $row == *splice* ]] || calls+=("${row%:*}:3::bad")
        [[ $row != *readv* && $row != *msg* ]] || calls+=("${row%:*}:3::badvector")
    done
    # at first when it would have to wait for the peer, then with something there
    same_as_bare connect:"$PEER_PORT" poll:in:1000 "${calls[@]}" recv:26 recv:3:dontwait
    [[ $output == *EFAULT* ]] || fail "no EFAULT"
}

@test "each byte starts the limit anew" {
    peer_start drip --every 200 --text abc
    limits RECV=350ms
    steps connect:"$PEER_PORT" recv recv recv recv recv
    expect 'connect 0 -' 'recv 1 - a' 'recv 1 - b' 'recv 1 - c' 'recv 1 - a' 'recv 1 - b'
    assert_records timeout 0
}

receive_slowly() {
    steps connect:"$PEER_PORT" "$1:9:waitall"
    expect 'connect 0 -' "$1 9 - abcabcabc @1000-2500"
    assert_records timeout 0
}

@test "MSG_WAITALL from a slow but healthy peer arrives whole" {
    peer_start drip --every 150 --text abc
    limits RECV=300ms
    side_by_side receive_slowly recv recvfrom recvmsg sys_recvfrom sys_recvmsg
}

@test "so it does in a program that handles its own faults" {
    peer_start drip --every 150 --text abc
    limits RECV=300ms
    steps handler:segv:plain connect:"$PEER_PORT" recv:9:waitall
    expect 'handler 0 -' 'connect 0 -' 'recv 9 - abcabcabc @1000-2500'
    assert_records timeout 0
}

@test "MSG_WAITALL from a peer that stops half-way gives the part, then this direction fails" {
    peer_start greet --text abcde
    limits RECV=300ms
    for call in recv recvfrom recvmsg; do
        rm -f log
        steps connect:"$PEER_PORT" "$call:9:waitall" recv recv:1:dontwait read send:3 recv
        expect 'connect 0 -' "$call 5 - abcde @300" 'recv -1 ETIMEDOUT @0-100' \
            'recv -1 ETIMEDOUT @0-100' 'read -1 ETIMEDOUT @0-100' 'send 3 -' \
            'recv -1 ETIMEDOUT @0-100'
        assert_timeouts "recv 300 $call 127.0.0.1:$PEER_PORT"
    done
}

@test "a direction that failed half-way is whole again after a new connect" {
    peer_start greet --text abcde
    limits RECV=300ms
    steps connect:"$PEER_PORT" recv:9:waitall recv close connect:"$PEER_PORT" recv:5:waitall
    expect 'connect 0 -' 'recv 5 - abcde @300' 'recv -1 ETIMEDOUT @0-100' 'close 0 -' \
        'connect 0 -' 'recv 5 - abcde'
}

@test "MSG_PEEK takes nothing, is bounded, and leaves the stream at a known place" {
    peer_start greet --text abcde
    limits RECV=300ms
    steps connect:"$PEER_PORT" poll:in:1000 recv:3:peek recv:9:peek+waitall recv:5 recv:1:peek
    expect 'connect 0 -' 'poll 1 - in' 'recv 3 - abc' 'recv 5 - abcde @300' 'recv 5 - abcde' \
        'recv -1 ETIMEDOUT @300'
}

@test "EAGAIN under MSG_DONTWAIT is the program's own" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" recv:1:dontwait recvfrom:1:dontwait recvmsg:1:dontwait \
        recvmmsg:1:dontwait recv:1:errqueue
    expect 'connect 0 -' 'recv -1 EAGAIN @0-200' 'recvfrom -1 EAGAIN @0-200' \
        'recvmsg -1 EAGAIN @0-200' 'recvmmsg -1 EAGAIN @0-200' 'recv -1 EAGAIN @0-200'
    assert_records timeout 0
}

@test "EAGAIN of a socket made non-blocking is the program's own, by whatever road it became so" {
    peer_start silent
    limits RECV=300ms
    for way in fcntl ioctl; do
        steps connect:"$PEER_PORT" nonblock:$way read recv sys_recvfrom nonblock:off recv
        expect 'connect 0 -' 'nonblock 0 -' 'read -1 EAGAIN @0-200' 'recv -1 EAGAIN @0-200' \
            'sys_recvfrom -1 EAGAIN @0-200' 'nonblock 0 -' 'recv -1 ETIMEDOUT @300'
        assert_records timeout 1
        rm log
    done
    steps socket:tcp:nonblock connect:"$PEER_PORT" poll:out:1000 read recv
    expect 'socket * -' 'connect -1 EINPROGRESS' 'poll 1 - out' 'read -1 EAGAIN @0-200' \
        'recv -1 EAGAIN @0-200'
    steps listen on:1 dial:0 on:0 accept4:2:nonblock on:2 read recv
    expect 'listen 0 -' 'dial 0 -' 'accept4 * -' 'read -1 EAGAIN @0-200' 'recv -1 EAGAIN @0-200'
    assert_records timeout 0
}

# As redis-cli and others do: only the connect is non-blocking.
@test "a socket made blocking again after its connect is bounded" {
    peer_start silent
    limits RECV=300ms
    for way in fcntl ioctl; do
        rm -f log
        steps socket:tcp nonblock:$way connect:"$PEER_PORT" poll:out:1000 nonblock:off recv
        expect 'socket * -' 'nonblock 0 -' 'connect -1 EINPROGRESS' 'poll 1 - out' 'nonblock 0 -' \
            'recv -1 ETIMEDOUT @300'
        assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    done
}

@test "a duplicated descriptor is bounded, and the connection is recorded once" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" dup recv close adopt:3 recv state close
    expect 'connect 0 -' 'dup * -' 'recv -1 ETIMEDOUT @300' 'close 0 -' 'adopt 3 -' \
        'recv -1 ETIMEDOUT @300' 'state 7 -' 'close 0 -'
    assert_records timeout 2
    assert_closes "out timeout 2"
}

# Set through another descriptor of the same socket by a process that we are not in.
@test "EAGAIN of a socket that another process made non-blocking is the program's own" {
    requires python3
    peer_start silent
    limits RECV=300ms
    # shellcheck disable=SC2016 # the inner shell's own $
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- bash -c 'exec 5<>"/dev/tcp/127.0.0.1/$1" &&
        "$2" adopt:5 recv && LD_PRELOAD="" python3 -c "import os; os.set_blocking(5, False)" &&
        "$2" adopt:5 recv' bash "$PEER_PORT" "$TMO_BUILD/tests/steps"
    expect 'adopt 5 -' 'recv -1 ETIMEDOUT @300' 'adopt 5 -' 'recv -1 EAGAIN @0-200'
    assert_records timeout 1
}

@test "an end of file stays one, and so does a reset" {
    limits RECV=1s
    peer_start close
    steps connect:"$PEER_PORT" recv recv read
    expect 'connect 0 -' 'recv 0 -' 'recv 0 -' 'read 0 -'
    peer_start reset
    steps connect:"$PEER_PORT" recv recv
    expect 'connect 0 -' 'recv -1 ECONNRESET' 'recv 0 -'
    assert_records timeout 0
}

@test "a unix socket is bounded when unix is asked for, and only then" {
    peer_start silent --unix "$PWD/socket"
    limits RECV=300ms PROTO=unix
    steps connect:unix:"$PWD/socket" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @300'
    assert_timeouts "recv 300 recv unix:$PWD/socket"
    limits RECV=300ms
    TMO_CUT=1
    steps connect:unix:"$PWD/socket" recv
    [[ $status -eq 124 ]] || fail "it was bounded without being asked for"
}

@test "a datagram socket is bounded when udp is asked for" {
    limits RECV=300ms PROTO=udp
    steps socket:udp connect:udp:9 recv recvfrom recvmmsg
    expect 'socket * -' 'connect 0 -' 'recv -1 ETIMEDOUT @300' 'recvfrom -1 ETIMEDOUT @300' \
        'recvmmsg -1 ETIMEDOUT @300'
    assert_timeouts "recv 300 recv 127.0.0.1:9" "recv 300 recvfrom 127.0.0.1:9" \
        "recv 300 recvmmsg 127.0.0.1:9"
}

# Where a handler without SA_RESTART is installed a short count may be a signal's doing, but not when
# it comes a few ticks before the limit.
@test "what the kernel ends some ticks before the limit is the limit: MSG_WAITALL, a send, stdio" {
    not_emulated "the emulator gives four bytes of TCP_INFO: how long a peer was silent is not told"
    kernel_is_early 16
    peer_start greet --text hello
    limits RECV=200ms
    steps handler:usr1:plain connect:"$PEER_PORT" recv:5:peek recv:9:waitall recv:9
    expect 'handler 0 -' 'connect 0 -' 'recv 5 - hello' 'recv 5 - hello @184-700' \
        'recv -1 ETIMEDOUT @0-100'
    assert_timeouts "recv 200 recv 127.0.0.1:$PEER_PORT"

    rm log
    peer_start noread
    limits SEND=200ms
    steps handler:usr1:plain connect:"$PEER_PORT" send:6000000 send:1
    [[ ${lines[3]} == 'send -1 ETIMEDOUT '* ]] || fail "the second send"

    rm log
    under SOCKTMO_RECV=200ms SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/tests/fds" a=socket:tcp \
        "connect:a:4/$PEER_PORT" fdopen:a getc fclose
    [[ $(record timeout '[.limit, .call, .limit_ms] | join(" ")') == "recv stdio 200" ]] ||
        fail "no record of the wait inside stdio"
}
