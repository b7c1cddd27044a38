#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Waits for a connection to come about, on blocking sockets.

load helpers
load steps

# One connection is in the accept queue, which takes no more: the next dial:0 finds no answer.
FULL=(listen:tcp:0 on:1 dial:0)
FULL_SAYS=('listen 0 -' 'dial 0 -')

@test "bare, a connect to an unreachable peer hangs" {
    peer_start unreachable
    hangs connect:"$PEER_PORT"
}

@test "a connect ends at the limit: IPv4" {
    peer_start unreachable
    limits CONNECT=500ms
    steps connect:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @500'
    assert_timeouts "connect 500 connect 127.0.0.1:$PEER_PORT"
    assert_closes "out timeout 1"
    [[ $(record close '[.peer, .tcp.state] | join(" ")') == "127.0.0.1:$PEER_PORT SYN_SENT" ]] ||
        fail "the close record does not say where and how far it came"
}

@test "a connect ends at the limit: IPv6" {
    peer_start unreachable --v6
    limits CONNECT=500ms
    steps connect:tcp6:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @500'
    assert_timeouts "connect 500 connect [::1]:$PEER_PORT"
    assert_closes "out timeout 1"
}

@test "a connect ends at the limit: a unix socket with a full backlog" {
    peer_start unreachable --unix "$PWD/socket"
    limits CONNECT=500ms PROTO=unix
    steps connect:unix:"$PWD/socket" connect:unix:"$PWD/socket"
    expect 'connect -1 ETIMEDOUT @500' 'connect -1 ETIMEDOUT @500'
    assert_timeouts "connect 500 connect unix:$PWD/socket" "connect 500 connect unix:$PWD/socket"
}

@test "a full unix backlog on a non-blocking socket stays EAGAIN" {
    peer_start unreachable --unix "$PWD/socket"
    limits CONNECT=500ms PROTO=unix
    steps socket:unix:nonblock connect:unix:"$PWD/socket"
    expect 'socket * -' 'connect -1 EAGAIN @0-200'
    assert_records timeout 0
}

@test "a connect ends at the limit: MPTCP" {
    run -0 cat /proc/sys/net/mptcp/enabled
    [[ $output == 1 ]] || skip "this kernel has no MPTCP, or it is off"
    peer_start unreachable
    limits CONNECT=500ms
    steps connect:mptcp:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @500'
    assert_timeouts "connect 500 connect 127.0.0.1:$PEER_PORT"
}

@test "a connect whose time the kernel takes for over too early ends at the limit" {
    peer_start unreachable
    limits CONNECT=500ms
    for early in 12 60; do
        kernel_is_early "$early"
        steps connect:"$PEER_PORT"
        expect 'connect -1 ETIMEDOUT @500'
        assert_timeouts "connect 500 connect 127.0.0.1:$PEER_PORT"
        assert_closes "out timeout 1"
        rm log
    done
}

# A SYN is sent again after a second: an attempt that goes on would be there by then.
@test "bare, an attempt that SO_SNDTIMEO ended goes on behind the program's back" {
    steps_bare "${FULL[@]}" on:2 socket:tcp set:sndtimeo:300 dial:0 on:0 accept:3 poll:in:3000
    expect "${FULL_SAYS[@]}" 'socket * -' 'set 0 -' 'dial -1 EINPROGRESS' 'accept * -' 'poll 1 - in'
}

@test "an attempt that we ended is over: no connection comes of it" {
    limits CONNECT=300ms
    steps "${FULL[@]}" on:2 dial:0 state on:0 accept:3 poll:in:2200
    expect "${FULL_SAYS[@]}" 'dial -1 ETIMEDOUT @300' 'state 7 -' 'accept * -' 'poll 0 - @2200-3000'
}

@test "a second connect on the same socket starts afresh" {
    limits CONNECT=300ms RECV=1s
    steps "${FULL[@]}" on:2 dial:0 dial:0 on:0 accept:3 on:2 dial:0 get:error on:0 accept:4 on:2 \
        send:3 on:4 recv:3 send:4 on:2 recv:4
    expect "${FULL_SAYS[@]}" 'dial -1 ETIMEDOUT @300' 'dial -1 ETIMEDOUT @300' 'accept * -' \
        'dial 0 -' 'get 0 - none' 'accept * -' 'send 3 -' 'recv 3 - *' 'send 4 -' 'recv 4 - *'
    assert_records timeout 2
    [[ $(record timeout .limit | sort -u) == connect ]] || fail "a limit other than connect"
}

@test "after it, SO_ERROR and every call say ETIMEDOUT, again and again, without a signal" {
    peer_start unreachable
    limits CONNECT=300ms
    steps handler:pipe:restart connect:"$PEER_PORT" get:error get:error send:3 write:3 recv read \
        writev:3 sendmsg:3 recvmsg:3 shutdown:rdwr get:error handled
    expect 'handler 0 -' 'connect -1 ETIMEDOUT @300' 'get 110 - ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'send -1 ETIMEDOUT' 'write -1 ETIMEDOUT' 'recv -1 ETIMEDOUT' 'read -1 ETIMEDOUT' \
        'writev -1 ETIMEDOUT' 'sendmsg -1 ETIMEDOUT' 'recvmsg -1 ETIMEDOUT' \
        'shutdown -1 ETIMEDOUT' 'get 110 - ETIMEDOUT' 'handled 0 -'
    assert_records timeout 1
    assert_records close 1
}

@test "a connect that goes well gives SO_SNDTIMEO back" {
    peer_start silent
    limits CONNECT=1s
    steps connect:"$PEER_PORT" get:sndtimeo get:rcvtimeo
    expect 'connect 0 -' 'get 0 - sndtimeo' 'get 0 - rcvtimeo'
    limits CONNECT=1s SEND=600ms
    steps connect:"$PEER_PORT" get:sndtimeo get:rcvtimeo
    expect 'connect 0 -' 'get 600 - sndtimeo' 'get 0 - rcvtimeo'
    limits CONNECT=1s
    steps socket:tcp set:sndtimeo:5000 connect:"$PEER_PORT" get:sndtimeo
    expect 'socket * -' 'set 0 -' 'connect 0 -' 'get 5000 - sndtimeo'
    steps socket:tcp nonblock:fcntl connect:"$PEER_PORT" poll:out:1000 get:sndtimeo
    expect 'socket * -' 'nonblock 0 -' 'connect -1 EINPROGRESS' 'poll 1 - out' 'get 0 - sndtimeo'
}

@test "a connect that is refused stays refused, at once, and gives SO_SNDTIMEO back" {
    limits CONNECT=1s
    steps listen close on:1 dial:0 get:sndtimeo get:error dial:0
    expect 'listen 0 -' 'close 0 -' 'dial -1 ECONNREFUSED @0-300' 'get 0 - sndtimeo' \
        'get 0 - none' 'dial -1 ECONNREFUSED @0-300'
    assert_records timeout 0
}

@test "a non-blocking connect stays EINPROGRESS, then EALREADY" {
    limits CONNECT=1s
    steps "${FULL[@]}" on:2 socket:tcp:nonblock dial:0 dial:0 close on:3 socket:tcp \
        nonblock:ioctl dial:0 dial:0
    expect "${FULL_SAYS[@]}" 'socket * -' 'dial -1 EINPROGRESS @0-200' 'dial -1 EALREADY @0-200' \
        'close 0 -' 'socket * -' 'nonblock 0 -' 'dial -1 EINPROGRESS @0-200' \
        'dial -1 EALREADY @0-200'
    assert_records timeout 0
}

@test "poll for a non-blocking connect ends at the limit: ready, with the error" {
    limits NONBLOCK=on CONNECT=500ms
    steps "${FULL[@]}" on:2 socket:tcp:nonblock dial:0 poll:out:5000 get:error get:error dial:0
    expect "${FULL_SAYS[@]}" 'socket * -' 'dial -1 EINPROGRESS @0-200' 'poll 1 - *err*' \
        'get 110 - ETIMEDOUT' 'get 110 - ETIMEDOUT' 'dial -1 ETIMEDOUT @0-200'
    assert_records timeout 1
    [[ $(record timeout '[.limit, .call] | join(" ")') == "connect poll" ]] || fail "the record"
    assert_between 500 1000 "$(record timeout .waited_ms)" waited_ms
}

@test "poll for a non-blocking connect keeps the program's own time, shorter and longer" {
    limits CONNECT=500ms
    steps "${FULL[@]}" on:2 socket:tcp:nonblock dial:0 poll:out:200
    expect "${FULL_SAYS[@]}" 'socket * -' 'dial -1 EINPROGRESS @0-200' 'poll 0 - @200'
    assert_records timeout 0
    steps listen on:1 socket:tcp:nonblock dial:0 poll:out:2000 poll:in:700
    expect 'listen 0 -' 'socket * -' 'dial * *' 'poll 1 - out' 'poll 0 - @700'
    assert_records timeout 0
}

@test "what else a connect can say is as bare" {
    limits CONNECT=1s RECV=1s SEND=1s
    same_as_bare handler:pipe:restart listen on:1 socket:tcp connect_nowhere recv send \
        handled dial:0 dial:0 get:error socket:udp connect:udp:9 connect:udp:10 socket:unix connect:unix:nothing
    [[ $output == *EFAULT*EISCONN* ]] || fail "no EFAULT, or no EISCONN"
    assert_records timeout 0
}

@test "TCP_USER_TIMEOUT is left alone" {
    peer_start silent
    limits CONNECT=1s
    steps socket:tcp set:user_timeout:7777 connect:"$PEER_PORT" get:user_timeout close \
        connect:"$PEER_PORT" get:user_timeout
    expect 'socket * -' 'set 0 -' 'connect 0 -' 'get 7777 - user_timeout' 'close 0 -' \
        'connect 0 -' 'get 0 - user_timeout'
}

# The SYN that was dropped is sent again after a second, when there is room.
@test "a connect that takes long, but not too long, goes well" {
    limits CONNECT=3s
    steps listen:tcp:0 drain:500 on:1 dial:0 on:2 dial:0 get:sndtimeo
    expect 'listen 0 -' 'drain 0 -' 'dial 0 -' 'dial 0 - @900-2900' 'get 0 - sndtimeo'
    assert_records timeout 0
}

# --- TCP Fast Open --------------------------------------------------------------------------------

# fastopen STEP…: in a network namespace of its own where no cookie is needed.
fastopen() {
    unshare -n true 2>/dev/null || skip "no network namespace of one's own (unshare -n)"
    # shellcheck disable=SC2016 # the inner shell's own $
    bare -- unshare -n sh -c 'ip link set lo up
        echo 0x607 >/proc/sys/net/ipv4/tcp_fastopen || exit 1
        preload=$1
        shift
        exec env LD_PRELOAD="$preload" "$@"' sh "$TMO_LD_PRELOAD" \
        "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" "$TMO_BUILD/tests/steps" "$@"
}

@test "TCP Fast Open: data that go with the handshake arrive" {
    limits CONNECT=1s RECV=1s SEND=1s
    fastopen listen on:1 socket:tcp set:fastopen_connect:1 dial:0 send:5 on:0 accept:2 on:2 recv:5 \
        send:3 on:1 recv:3
    expect 'listen 0 -' 'socket * -' 'set 0 -' 'dial 0 -' 'send 5 -' 'accept * -' 'recv 5 - *' \
        'send 3 -' 'recv 3 - *'
    assert_records timeout 0
}

@test "TCP Fast Open: a handshake that finds no answer is bounded" {
    limits TIMEOUT=500ms
    fastopen "${FULL[@]}" on:2 socket:tcp set:fastopen_connect:1 dial:0 send:5 send:5
    expect "${FULL_SAYS[@]}" 'socket * -' 'set 0 -' 'dial 0 -' 'send -1 ETIMEDOUT @500' \
        'send -1 ETIMEDOUT'
    fastopen "${FULL[@]}" on:2 socket:tcp send_to:0:5 send:5
    expect "${FULL_SAYS[@]}" 'socket * -' 'send_to -1 ETIMEDOUT @500' 'send -1 ETIMEDOUT'
}
