#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Programs that try again on our error, for ever.

load helpers
load steps

# Both ends are ours: 1 is the client, 2 the server's side of it.
PAIR=(listen on:1 dial:0 on:0 accept:2)
PAIR_SAYS=('listen 0 -' 'dial 0 -' 'accept * -')

@test "the second expiry in a row ends the connection, and the peer sees it" {
    limits RECV=300ms
    steps handler:pipe:restart "${PAIR[@]}" on:1 recv recv recv send:3 poll:in+out:1000 \
        get:error get:error on:2 poll:in:1000 recv on:1 close handled
    expect 'handler 0 -' "${PAIR_SAYS[@]}" 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @300' \
        'recv -1 ETIMEDOUT @0-100' 'send -1 ETIMEDOUT @0-100' 'poll 1 - *err*' \
        'get 110 - ETIMEDOUT' 'get 110 - ETIMEDOUT' 'poll 1 - *err*' 'recv -1 ECONNRESET' \
        'close 0 -' 'handled 0 -'
    assert_records timeout 2
    assert_closes "out timeout 2" "in exit 0" "listen exit 0"
    [[ $(record close 'select(.dir == "out") | [.tcp.state, .timeouts] | join(" ")') == \
        "ESTABLISHED 2" ]] || fail "the close record knows nothing of the connection"
}

@test "the close record of a connection that was ended has what the kernel knew of it" {
    limits RECV=300ms
    steps "${PAIR[@]}" on:1 send:7 on:2 recv:7 send:5 on:1 recv:5 recv recv
    [[ $status -eq 0 ]] || fail "status $status"
    [[ $(record close 'select(.reason == "timeout") | .tcp |
        [.bytes_sent, .bytes_received, .state] | join(" ")') == "7 5 ESTABLISHED" ]] ||
        fail "not 7 bytes sent, 5 received, ESTABLISHED"
}

@test "whatever goes well in between starts the count anew" {
    limits RECV=300ms
    steps "${PAIR[@]}" on:1 recv on:2 send:3 on:1 recv:3 recv send:3 recv state
    expect "${PAIR_SAYS[@]}" 'recv -1 ETIMEDOUT @300' 'send 3 -' 'recv 3 - *' \
        'recv -1 ETIMEDOUT @300' 'send 3 -' 'recv -1 ETIMEDOUT @300' 'state 1 -'
    assert_records timeout 3
}

@test "the second expiry of a send ends the connection, too" {
    peer_start noread
    limits SEND=300ms
    steps handler:pipe:restart connect:"$PEER_PORT" fill send:3 send:3 send:3 recv get:error handled
    expect 'handler 0 -' 'connect 0 -' 'fill * -' 'send -1 ETIMEDOUT @300' \
        'send -1 ETIMEDOUT @300' 'send -1 ETIMEDOUT @0-100' 'recv -1 ETIMEDOUT @0-100' \
        'get 110 - ETIMEDOUT' 'handled 0 -'
    assert_records timeout 2
    assert_closes "out timeout 2"
}

@test "what was queued when a send ended the connection can be read first" {
    limits SEND=300ms RECV=1s
    steps "${PAIR[@]}" on:2 send:5 on:1 fill send:3 send:3 recv:3 recv:9 recv:9 read send:3
    expect "${PAIR_SAYS[@]}" 'send 5 -' 'fill * -' 'send -1 ETIMEDOUT @300' \
        'send -1 ETIMEDOUT @300' 'recv 3 - ???' 'recv 2 - ??' 'recv -1 ETIMEDOUT @0-100' \
        'read -1 ETIMEDOUT @0-100' 'send -1 ETIMEDOUT @0-100'
}

ended_under_errno() {
    local first=$1

    [[ $first != kernel ]] || first=EAGAIN
    limits RECV=300ms ERRNO="$1"
    steps connect:"$PEER_PORT" recv recv recv send get:error
    expect 'connect 0 -' "recv -1 $first @300" 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @0-100' \
        'send -1 ETIMEDOUT' 'get 110 - ETIMEDOUT'
}

@test "from the end on it is ETIMEDOUT, whatever errno says" {
    peer_start silent
    side_by_side ended_under_errno kernel EAGAIN ECONNRESET EINTR
}

# For 3 s: two waits of 300 ms, 50 calls at full speed, then 100 a second.
retry_for_ever() {
    case $1 in
    recv) steps connect:"$PEER_PORT" loop:recv:3000 ;;
    send) steps connect:"$PEER_PORT" fill loop:send:3000 ;;
    read)
        limits TIMEOUT=300ms ERRNO=kernel
        steps connect:"$PEER_PORT" loop:read:3000
        ;;
    esac
    [[ $status -eq 0 && ${lines[-1]} == *ETIMEDOUT* ]] || fail "status $status, or another errno"
    assert_between 10 350 "$(answer ${#lines[@]})" "calls made in 3 s"
    assert_between 0 300 "${lines[-1]##*cpu_ms=}" "CPU time in 3 s, in ms"
    assert_records timeout 2
}

@test "a program that retries for ever is slowed down and burns no CPU" {
    peer_start noread
    limits TIMEOUT=300ms
    side_by_side retry_for_ever recv send read
}

# Its own first short count aside, each answer is at once; a loop on it must not spin either.
@test "a program that retries for ever on a direction cut half-way does not spin" {
    peer_start greet --text abcde
    limits RECV=300ms
    steps connect:"$PEER_PORT" recv:9:waitall loop:recv:2000
    [[ $status -eq 0 ]] || fail "status $status"
    assert_between 10 300 "$(answer 3)" "calls made in 2 s"
    assert_between 0 200 "${lines[2]##*cpu_ms=}" "CPU time in 2 s, in ms"
}

@test "a program that connects anew starts anew" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" recv recv recv connect:"$PEER_PORT" get:error recv state close
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @300' \
        'recv -1 ETIMEDOUT @0-100' 'connect 0 -' 'get 0 - none' 'recv -1 ETIMEDOUT @300' \
        'state 1 -' 'close 0 -'
    assert_closes "out timeout 2" "out close 1"
}

@test "a program that connects again and again to an unreachable peer waits each time" {
    peer_start unreachable
    limits CONNECT=300ms
    steps connect:"$PEER_PORT" connect:"$PEER_PORT" connect:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @300' 'connect -1 ETIMEDOUT @300' 'connect -1 ETIMEDOUT @300'
    assert_records timeout 3
}
