#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Waits in accept, and what the sockets are that come from there or from another process.

load helpers
load steps

@test "bare, an accept that nobody connects to hangs" {
    hangs listen accept:1
}

accept_nobody() {
    steps listen "$1:1"
    expect 'listen 0 -' "$1 -1 ETIMEDOUT @500"
    assert_timeouts "accept 500 ${1#sys_} -"
    assert_closes "listen exit 1"
}

@test "every accept ends at the limit, with one timeout and one close on record" {
    limits ACCEPT=500ms
    accept_nobody accept
    rm log
    accept_nobody accept4
    rm log
    steps listen sys_accept:1
    expect 'listen 0 -' 'sys_accept -1 ETIMEDOUT @500'
    assert_records timeout 1
}

@test "a listener lives on, however often its limit passes" {
    limits ACCEPT=300ms
    steps listen accept:2 accept:2 accept:2 state on:1 dial:0 on:0 accept:2 accept:3 on:3 dial:0 \
        on:0 accept:4
    expect 'listen 0 -' 'accept -1 ETIMEDOUT @300' 'accept -1 ETIMEDOUT @300' \
        'accept -1 ETIMEDOUT @300' 'state 10 -' 'dial 0 -' 'accept * -' 'accept -1 ETIMEDOUT @300' \
        'dial 0 -' 'accept * -'
    assert_records timeout 4
    [[ $(record close 'select(.dir == "listen") | .accepted') -eq 2 ]] || fail "not 2 accepted"
}

@test "accepted sockets have timeouts of their own, never the listener's" {
    limits ACCEPT=1s RECV=300ms SEND=600ms
    steps listen on:1 dial:0 on:0 accept:2 on:2 get:rcvtimeo get:sndtimeo recv
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'get 300 - rcvtimeo' 'get 600 - sndtimeo' \
        'recv -1 ETIMEDOUT @300'
    for call in accept accept4 sys_accept; do
        limits ACCEPT=1s
        steps listen on:1 dial:0 on:0 "$call:2" on:2 get:rcvtimeo get:sndtimeo
        expect 'listen 0 -' 'dial 0 -' "$call * -" 'get 0 - rcvtimeo' 'get 0 - sndtimeo'
        limits RECV=1s
        steps listen on:1 dial:0 on:0 "$call:2" get:rcvtimeo on:2 get:rcvtimeo get:sndtimeo
        expect 'listen 0 -' 'dial 0 -' "$call * -" 'get 0 - rcvtimeo' 'get 1000 - rcvtimeo' \
            'get 0 - sndtimeo'
    done
}

@test "recv and send do not bound accept" {
    limits TIMEOUT=300ms
    TMO_CUT=1
    steps listen accept:1
    [[ $status -eq 124 ]] || fail "it ended"
}

@test "a timeout that the program set on the listener is inherited as bare" {
    limits ACCEPT=1s
    steps listen set:rcvtimeo:2000 set:sndtimeo:3000 on:1 dial:0 on:0 accept:2 on:2 get:rcvtimeo \
        get:sndtimeo
    expect 'listen 0 -' 'set 0 -' 'set 0 -' 'dial 0 -' 'accept * -' 'get 2000 - rcvtimeo' \
        'get 3000 - sndtimeo'
}

@test "EAGAIN of a non-blocking listener is the program's own" {
    limits ACCEPT=300ms
    for how in fcntl ioctl; do
        steps listen nonblock:$how accept:1 accept4:1 nonblock:off accept:1
        expect 'listen 0 -' 'nonblock 0 -' 'accept -1 EAGAIN @0-200' 'accept4 -1 EAGAIN @0-200' \
            'nonblock 0 -' 'accept -1 ETIMEDOUT @300'
        assert_records timeout 1
        rm log
    done
    steps socket:tcp:nonblock listen accept:1
    expect 'socket * -' 'listen 0 -' 'accept -1 EAGAIN @0-200'
    assert_records timeout 0
}

@test "a unix listener is bounded when unix is asked for" {
    limits ACCEPT=300ms RECV=600ms PROTO=unix
    steps listen:unix accept:2 on:1 dial:0 on:0 accept:2 on:2 get:rcvtimeo
    expect 'listen 0 -' 'accept -1 ETIMEDOUT @300' 'dial 0 -' 'accept * -' 'get 600 - rcvtimeo'
}

@test "an MPTCP listener is bounded" {
    run -0 cat /proc/sys/net/mptcp/enabled
    [[ $output == 1 ]] || skip "this kernel has no MPTCP, or it is off"
    limits ACCEPT=300ms RECV=400ms
    steps listen:mptcp accept:2 accept:2 on:1 dial:0 on:0 accept:2 on:2 recv
    expect 'listen 0 -' 'accept -1 ETIMEDOUT @300' 'accept -1 ETIMEDOUT @300' 'dial 0 -' \
        'accept * -' 'recv -1 ETIMEDOUT @400'
}

@test "accept on what is no listener is as bare" {
    limits ACCEPT=300ms
    same_as_bare socket:tcp accept:1 accept4:1 sys_accept:1 close accept:1
    [[ $output == *EINVAL* ]] || fail "no EINVAL"
    assert_records timeout 0
}

# --- sockets that were made elsewhere -------------------------------------------------------------

# As inetd does it: connected by one that knows nothing of us, then executed.
@test "a connection inherited as descriptor 0 from a bare parent is bounded, and recorded" {
    peer_start silent
    limits RECV=300ms SEND=600ms
    # shellcheck disable=SC2016 # the inner shell's own $
    bare -- bash -c 'exec 0<>"/dev/tcp/127.0.0.1/$1" || exit 1
        preload=$2
        shift 2
        exec env LD_PRELOAD="$preload" "$@"' bash "$PEER_PORT" "$TMO_LD_PRELOAD" "${LIMITS[@]}" \
        SOCKTMO_LOG="$PWD/log" "$TMO_BUILD/tests/steps" adopt:0 get:rcvtimeo get:sndtimeo recv
    expect 'adopt 0 -' 'get 300 - rcvtimeo' 'get 600 - sndtimeo' 'recv -1 ETIMEDOUT @300'
    assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    assert_records close 1
    [[ $(record close '[.fd, .peer, .shared] | join(" ")') == "0 127.0.0.1:$PEER_PORT true" ]] ||
        fail "not the close of descriptor 0, shared"
}

# handed_over HOST MS SHOWN ANSWER: made by a program that knows nothing of us, with that timeout
# of its own (0: none) both ways, and then executed.
handed_over() {
    bare -- python3 -c '
import os, socket, struct, sys
fd = socket.create_connection((sys.argv[1], int(sys.argv[2])))
own = int(sys.argv[3])
for way in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
    fd.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", own // 1000, own % 1000 * 1000))
os.dup2(fd.fileno(), 0, inheritable=True)
os.execvp(sys.argv[4], sys.argv[4:])' "$1" "$PEER_PORT" "$2" env LD_PRELOAD="$TMO_LD_PRELOAD" \
        "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" "$TMO_BUILD/tests/steps" adopt:0 get:rcvtimeo \
        get:sndtimeo recv
    expect 'adopt 0 -' "get $3 - rcvtimeo" "get $3 - sndtimeo" "$4"
}

@test "a connection that is there at the start keeps its own timeouts, as mode says" {
    peer_start silent
    limits TIMEOUT=400ms MODE=cap
    handed_over 127.0.0.1 200 200 'recv -1 EAGAIN @200'
    handed_over 127.0.0.1 5000 5000 'recv -1 ETIMEDOUT @400'
    handed_over 127.0.0.1 0 0 'recv -1 ETIMEDOUT @400'
    assert_records timeout 2
    rm log
    limits TIMEOUT=400ms MODE=fill
    handed_over 127.0.0.1 700 700 'recv -1 EAGAIN @700'
    handed_over 127.0.0.1 0 0 'recv -1 ETIMEDOUT @400'
    assert_records timeout 1
}

@test "an IPv6 connection that is there at the start is bounded, and recorded" {
    peer_start silent --v6
    limits TIMEOUT=300ms
    handed_over ::1 0 300 'recv -1 ETIMEDOUT @300'
    assert_timeouts "recv 300 recv [::1]:$PEER_PORT"
    [[ $(record close '[.fd, .peer, .shared] | join(" ")') == "0 [::1]:$PEER_PORT true" ]] ||
        fail "not the close of descriptor 0, shared"
}

@test "a descriptor inherited but never used is neither ended nor recorded" {
    peer_start silent
    limits RECV=300ms
    # shellcheck disable=SC2016 # the inner shell's own $
    bare -- bash -c 'exec 9<>"/dev/tcp/127.0.0.1/$1" || exit 1
        preload=$2
        shift 2
        env LD_PRELOAD="$preload" "$@" && "${@: -1}" adopt:9 state' bash "$PEER_PORT" \
        "$TMO_LD_PRELOAD" "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" "$TMO_BUILD/tests/steps"
    expect 'adopt 9 -' 'state 1 -'
    assert_records timeout 0
    assert_records close 0
}

@test "a connection received over SCM_RIGHTS is bounded" {
    peer_start silent
    limits RECV=300ms
    steps donor:"$PEER_PORT" get:rcvtimeo recv close
    expect 'donor * -' 'get 300 - rcvtimeo' 'recv -1 ETIMEDOUT @300' 'close 0 -'
    assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    assert_records close 1
}

@test "a connection that was reset before it is accepted has a peer on record" {
    under SOCKTMO_TIMEOUT=9s SOCKTMO_LOG="$PWD/log" -- python3 -c '
import socket, struct
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
print(client.getsockname()[1])
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
listener.accept()[0].close()'
    [[ $status -eq 0 ]] || fail "status $status"
    [[ $(record close 'select(.dir == "in") | .peer') == "127.0.0.1:$output" ]] ||
        fail "the peer is $(record close 'select(.dir == "in") | .peer')"
}
