#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# A limit is hit, and the kernel refuses what the library does then (seccomp(2), or an old kernel: see
# libsocktmo(8), LIMITATIONS). The program must not be harmed by it: no end that looks orderly, no
# signal, no loop, no connection ended that may be another.

load helpers
load steps

EBUSY=16 EPERM=1

setup() {
    tmo_setup
    [[ -z ${TMO_RUN-} ]] || skip "a filter would be the emulator's"
    peer_start half
    HALF=(handler:pipe:plain connect:"$PEER_PORT" send:5 recv:1000)
    HALF_SAYS=('handler 0 -' 'connect 0 -' 'send 5 -' 'recv 51 - *')
    limits RECV=300ms SEND=300ms NONBLOCK=on
    steps_bare refuse:ppoll:$EPERM
    [[ $(answer 1) -eq 0 ]] || skip "no filter can be set here"
}

@test "an abort that the kernel refuses: half an answer does not look whole, and no SIGPIPE" {
    steps "${HALF[@]}" refuse:connect:$EBUSY recv recv recv read send:3 get:error handled close
    expect "${HALF_SAYS[@]}" 'refuse 0 -' 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @300' \
        'recv -1 ETIMEDOUT @0-200' 'read -1 ETIMEDOUT @0-200' 'send -1 ETIMEDOUT @0-200' \
        'get 110 - ETIMEDOUT' 'handled 0 -' 'close 0 -'
    assert_records timeout 2
    assert_closes 'out timeout 2'
}

refused_on_a_loop() {
    steps "${HALF[@]}" nonblock:fcntl refuse:connect:$EBUSY wait:"$1":in:9000 recv recv send:3 \
        get:error handled
    expect "${HALF_SAYS[@]}" 'nonblock 0 -' 'refuse 0 -' 'wait 1 - in* @200-850' \
        'recv -1 ETIMEDOUT @0-200' 'recv -1 ETIMEDOUT @0-200' 'send -1 ETIMEDOUT @0-200' \
        'get 110 - ETIMEDOUT' 'handled 0 -'
    assert_records timeout 1
}

@test "the same on event loops" {
    side_by_side refused_on_a_loop poll select epoll_wait
}

@test "one that can be ended in no way: each call ends in time, and the connection is the program's" {
    steps "${HALF[@]}" refuse:connect:$EBUSY refuse:shutdown:$EPERM recv recv recv send:3 get:error \
        loop:recv:1000 handled
    expect "${HALF_SAYS[@]}" 'refuse 0 -' 'refuse 0 -' 'recv -1 ETIMEDOUT @300' \
        'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @300' 'send 3 -' 'get 0 - none' \
        'loop [1-4] - ETIMEDOUT cpu_ms=*' 'handled 0 -'
    assert_between 0 200 "$(sed -n 's/.*cpu_ms=//p' <<<"$output")" "CPU time in 1 s, in ms"
}

# Nobody can say then whose connection it is: it may be a number that has changed hands.
@test "who is at the other end cannot be asked: nothing is ended" {
    steps "${HALF[@]}" refuse:getpeername:$EPERM recv recv recv send:3 get:error state
    expect "${HALF_SAYS[@]}" 'refuse 0 -' 'recv -1 ETIMEDOUT @300' 'recv -1 ETIMEDOUT @300' \
        'recv -1 ETIMEDOUT @300' 'send 3 -' 'get 0 - none' 'state 1 -'
    assert_closes 'out exit 3'
}

# What the kernel said is passed on where it cannot be judged.
unjudged() {
    steps "${HALF[@]}" refuse:"$1":$EPERM recv recv recv send:3
    expect "${HALF_SAYS[@]}" 'refuse 0 -' 'recv -1 EAGAIN @300' 'recv -1 EAGAIN @300' \
        'recv -1 EAGAIN @300' 'send 3 -'
    assert_records timeout 0
}

@test "whose timeout it was cannot be asked: the kernel's errno, in time, and nothing is ended" {
    side_by_side unjudged getsockopt fcntl
}

unasked_on_a_loop() {
    steps "${HALF[@]}" nonblock:fcntl refuse:getsockopt:$EPERM wait:"$1":in:1200 recv
    expect "${HALF_SAYS[@]}" 'nonblock 0 -' 'refuse 0 -' 'wait 0 - @1200-1700' 'recv -1 EAGAIN'
    assert_records timeout 0
}

@test "how long a connection has been silent cannot be asked: it is left alone" {
    side_by_side unasked_on_a_loop poll select epoll_wait
}

without_ppoll() {
    case $1 in
    signal) ;;
    watchdog) limits RECV=300ms ENGINE=watchdog ;;
    idle) limits RECV=300ms IDLE=5s ;;
    esac
    steps handler:usr1:restart connect:"$PEER_PORT" send:5 recv:1000 refuse:ppoll:$EPERM \
        storm:usr1:100:2 recv calm handled
    expect 'handler 0 -' 'connect 0 -' 'send 5 -' 'recv 51 - *' 'refuse 0 -' 'storm 0 -' \
        'recv -1 ETIMEDOUT @300-1050' 'calm 0 -' 'handled 2 -'
    assert_records timeout 1
}

@test "ppoll is refused: a wait that a signal interrupted still ends at its limit" {
    side_by_side without_ppoll signal watchdog idle
}
