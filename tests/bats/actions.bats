#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# What happens when a limit passes, and what the program is told.

load helpers
load steps

# Both ends are ours: 1 is the client, 2 the server's side of it.
PAIR=(listen on:1 dial:0 on:0 accept:2)
PAIR_SAYS=('listen 0 -' 'dial 0 -' 'accept * -')

@test "error: the socket stays usable, and a late answer can be read" {
    limits RECV=300ms
    steps "${PAIR[@]}" on:1 recv on:2 send:5 on:1 poll:in:1000 recv:5 send:3 get:error state recv \
        on:2 recv:3
    expect "${PAIR_SAYS[@]}" 'recv -1 ETIMEDOUT @300' 'send 5 -' 'poll 1 - in' 'recv 5 - *' \
        'send 3 -' 'get 0 - none' 'state 1 -' 'recv -1 ETIMEDOUT @300' 'recv 3 - *'
    [[ $(record timeout .action | sort -u) == error ]] || fail "the action in the record"
}

@test "reset: the peer sees it, and from then on it is ETIMEDOUT" {
    limits RECV=300ms ACTION=reset
    steps handler:pipe:restart "${PAIR[@]}" on:1 recv recv send:3 poll:in+out:1000 get:error \
        get:error close on:2 poll:in:1000 recv handled
    expect 'handler 0 -' "${PAIR_SAYS[@]}" 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @0-100' \
        'send -1 ETIMEDOUT @0-100' 'poll 1 - *err*' 'get 110 - ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'close 0 -' 'poll 1 - *err*' 'recv -1 ECONNRESET' 'handled 0 -'
    [[ $(record timeout '[.action, .limit] | join(" ")') == "reset recv" ]] || fail "the record"
    [[ $(record close 'select(.dir == "out") | [.reason, .tcp.state] | join(" ")') == \
        "timeout ESTABLISHED" ]] || fail "the close record of the connection that was ended"
}

@test "reset: after a send, too" {
    peer_start noread
    limits SEND=300ms ACTION=reset
    steps connect:"$PEER_PORT" fill send:5 send:5 write:5 recv
    expect 'connect 0 -' 'fill * -' 'send -1 ETIMEDOUT @300' 'send -1 ETIMEDOUT' \
        'write -1 ETIMEDOUT' 'recv -1 ETIMEDOUT'
    assert_closes "out timeout 1"
}

@test "reset: a listener is not ended" {
    limits ACCEPT=300ms ACTION=reset
    steps listen accept:2 accept:2 on:1 dial:0 on:0 accept:2
    expect 'listen 0 -' 'accept -1 ETIMEDOUT @300' 'accept -1 ETIMEDOUT @300' 'dial 0 -' \
        'accept * -'
}

@test "exit: status 124, with its records" {
    peer_start silent
    limits RECV=300ms ACTION=exit
    steps connect:"$PEER_PORT" recv recv
    [[ $status -eq 124 ]] || fail "status $status"
    expect_lines 'connect 0 -'
    assert_between 300 2000
    assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    assert_closes "out exit 1"
    [[ $(record timeout .action) == exit ]] || fail "the action in the record"
}

@test "exit: from a thread, too" {
    peer_start silent
    limits RECV=300ms ACTION=exit
    steps thread connect:"$PEER_PORT" recv join
    [[ $status -eq 124 ]] || fail "status $status"
    expect_lines 'connect 0 -'
    assert_between 300 2000
    assert_records timeout 1
    assert_records close 1
}

@test "exit: after a connect and an accept, too" {
    peer_start unreachable
    limits CONNECT=300ms ACCEPT=300ms ACTION=exit
    steps connect:"$PEER_PORT"
    [[ $status -eq 124 ]] || fail "status $status"
    steps listen accept:1
    [[ $status -eq 124 ]] || fail "status $status"
    assert_records timeout 2
    assert_records close 2
}

@test "abort: by SIGABRT, with the record of what hung" {
    peer_start silent
    limits RECV=300ms ACTION=abort
    ulimit -c 0
    for how in "" thread; do
        rm -f log
        # shellcheck disable=SC2086 # none, or one
        steps $how connect:"$PEER_PORT" recv recv ${how:+join}
        [[ $status -eq 134 ]] || fail "status $status"
        expect_lines 'connect 0 -'
        assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
        [[ $(record timeout .action) == abort ]] || fail "the action in the record"
    done
}

# --- errno ----------------------------------------------------------------------------------------

@test "errno: the program is told the one that was chosen" {
    peer_start silent
    limits RECV=300ms ERRNO=ECONNRESET
    steps connect:"$PEER_PORT" recv read
    expect 'connect 0 -' 'recv -1 ECONNRESET @300' 'read -1 ETIMEDOUT @300'
    peer_start unreachable
    limits CONNECT=300ms ERRNO=EHOSTUNREACH
    steps connect:"$PEER_PORT" get:error send
    expect 'connect -1 EHOSTUNREACH @300' 'get 113 - EHOSTUNREACH' 'send -1 EHOSTUNREACH'
    limits ACCEPT=300ms ERRNO=ECONNABORTED
    steps listen accept:1 accept:1
    expect 'listen 0 -' 'accept -1 ECONNABORTED @300' 'accept -1 ECONNABORTED @300'
}

@test "errno: kernel is what the kernel gave" {
    peer_start silent
    limits RECV=300ms ERRNO=kernel
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 EAGAIN @300'
    assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    peer_start unreachable
    limits CONNECT=300ms ERRNO=kernel
    steps connect:"$PEER_PORT" connect:"$PEER_PORT"
    expect 'connect -1 EINPROGRESS @300' 'connect -1 EINPROGRESS @300'
    limits ACCEPT=300ms ERRNO=kernel
    steps listen accept:1
    expect 'listen 0 -' 'accept -1 EAGAIN @300'
}
