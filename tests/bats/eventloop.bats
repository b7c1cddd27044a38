#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Waits on event loops: poll, select, epoll and their kin, by name and by syscall(2). The limit
# ends the connection in the kernel, and the descriptor turns ready.

load helpers
load steps

BY_NAME=(poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2)
CALLS=("${BY_NAME[@]}" __poll_chk __ppoll_chk sys_poll sys_ppoll sys_select sys_pselect6
    sys_epoll_wait sys_epoll_pwait sys_epoll_pwait2)
without_those_lacking BY_NAME
without_those_lacking CALLS

# limited SETTING=VALUE…: as limits, with loops bounded, which is the default.
limited() {
    LIMITS=("${@/#/SOCKTMO_}")
}

# recorded CALL: as a record names it.
recorded() {
    local call=${1#sys_}

    call=${call#__}
    call=${call%_chk}
    echo "${call%6}"
}

# Steps are timed from outside, from a moment after the connection's own clock was started: hence
# bounds that begin a little below the limit. Those of waited_ms do not.

# promised LINE…: assert_timeouts, with little added for a busy machine: waited_ms is what was
# promised.
promised() {
    BUSY_MS=300 assert_timeouts "$@"
}

# The start of a program with an event loop, and what it says.
open_by() {
    OPEN=(socket:tcp:nonblock connect:"$PEER_PORT" wait:"$1":out:3000)
    OPEN_SAYS=('socket * -' 'connect -1 EINPROGRESS' 'wait 1 - out')
}

# --- recv -----------------------------------------------------------------------------------------

@test "bare, a poll for a silent peer hangs" {
    peer_start silent
    open_by poll
    hangs "${OPEN[@]}" wait:poll:in:-1
}

silent_peer() {
    open_by "$1"
    steps handler:pipe:plain "${OPEN[@]}" wait:"$1":in:9000 recv recv get:error get:error send:3 \
        write:3 read get:error wait:"$1":in:9000 recv handled close
    expect 'handler 0 -' "${OPEN_SAYS[@]}" 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200' \
        'recv -1 ETIMEDOUT @0-200' 'get 110 - ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'send -1 ETIMEDOUT @0-200' 'write -1 ETIMEDOUT @0-200' 'read -1 ETIMEDOUT @0-200' \
        'get 110 - ETIMEDOUT' 'wait 1 - ?* @0-200' 'recv -1 ETIMEDOUT @0-200' 'handled 0 -' \
        'close 0 -'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
    assert_closes "out timeout 1"
}

@test "a silent peer: each call wakes at the limit, and the connection is over" {
    peer_start silent
    limited RECV=1s
    side_by_side silent_peer "${CALLS[@]}"
}

blocking_polled() {
    steps connect:"$PEER_PORT" wait:"$1":in:-1 recv get:error read
    expect 'connect 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200' 'get 110 - ETIMEDOUT' \
        'read -1 ETIMEDOUT @0-200'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
    assert_closes "out timeout 1"
}

@test "a blocking socket that is waited for before its recv" {
    peer_start silent
    limited RECV=1s
    side_by_side blocking_polled "${CALLS[@]}"
}

in_ticks() {
    open_by "$1"
    steps "${OPEN[@]}" ticks:"$1":in:100:9000 recv
    expect "${OPEN_SAYS[@]}" 'ticks 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
}

@test "a program that waits in ticks of 100 ms" {
    peer_start silent
    limited RECV=1s
    side_by_side in_ticks "${CALLS[@]}"
}

in_glances() {
    open_by "$1"
    steps "${OPEN[@]}" glances:"$1":in:20:9000 recv
    expect "${OPEN_SAYS[@]}" 'glances 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
}

@test "a program that only looks, each 20 ms" {
    peer_start silent
    limited RECV=1s
    side_by_side in_glances "${CALLS[@]}"
}

registered_as() {
    local call=${1%%-*} flags=${1#*-}

    steps connect:"$PEER_PORT" nonblock:fcntl wait:"$call":in:9000:"$flags" recv get:error
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200' \
        'get 110 - ETIMEDOUT'
    promised "recv 1000 $(recorded "$call") 127.0.0.1:$PEER_PORT"
}

endless() {
    steps socket:udp connect:udp:9 wait:"$1":in:9000 recv wait:"$1":in:9000 get:error recv close
    expect 'socket * -' 'connect 0 -' "wait 1 - $2 @900-1550" 'recv -1 ETIMEDOUT @0-200' \
        "wait 1 - $2 @900-1550" 'get 110 - ETIMEDOUT' 'recv -1 ETIMEDOUT @1000-1550' 'close 0 -'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:9" "recv 1000 $(recorded "$1") 127.0.0.1:9" \
        "recv 1000 recv 127.0.0.1:9"
}

endless_poll() {
    endless "$1" err
}

endless_select() {
    endless "$1" in
}

@test "a datagram socket, which has no end: it is said to be ready, and the next call says why" {
    limited RECV=1s PROTO=udp
    side_by_side endless_poll poll ppoll __poll_chk __ppoll_chk sys_poll sys_ppoll
    side_by_side endless_select select pselect sys_select sys_pselect6
}

@test "edge-triggered, one-shot, exclusive and nested registrations" {
    peer_start silent
    limited RECV=1s
    side_by_side registered_as epoll_{wait,pwait,pwait2}-{et,oneshot,exclusive,nested,et+nested} \
        {poll,select,ppoll}-nested
}

by_number() {
    registered_as "$1-number"
    rm log
    registered_as "$1-number+nested"
    rm log
    # first for writing, then changed
    steps connect:"$PEER_PORT" nonblock:fcntl wait:"$1":out:9000:number wait:"$1":in:9000:number recv
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - out' 'wait 1 - ?* @900-1550' \
        'recv -1 ETIMEDOUT @0-200'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
    rm log
    # taken out again: nobody waits
    steps connect:"$PEER_PORT" nonblock:fcntl wait:"$1":in:300:number wait:"$1":in:1500:number+gone \
        recv get:error
    expect 'connect 0 -' 'nonblock 0 -' 'wait 0 - @300-900' 'wait 0 - @1500-2000' 'recv -1 EAGAIN' \
        'get 0 - none'
    assert_records timeout 0
}

@test "registered by syscall(2): epoll_create1, epoll_ctl" {
    peer_start silent
    limited RECV=1s
    side_by_side by_number epoll_{wait,pwait,pwait2} sys_epoll_wait
}

nested_before() {
    steps nest:"${1/-/:}" connect:"$PEER_PORT" nonblock:fcntl wait:"${1%-*}":in:9000:nested recv
    expect 'nest 0 -' 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200'
}

@test "a set that is put into another one before there is any socket" {
    peer_start silent
    limited RECV=1s
    side_by_side nested_before epoll_wait poll epoll_wait-number
}

again_and_again() {
    steps connect:"$PEER_PORT" nonblock:fcntl send:1 wait:"$1":in:9000:oneshot recv:50 send:1 \
        wait:"$1":in:300:oneshot wait:"$1":in:9000:oneshot+again recv:50 wait:"$1":in:9000:oneshot+again recv
    expect 'connect 0 -' 'nonblock 0 -' 'send 1 -' 'wait 1 - in' 'recv 11 - *' 'send 1 -' \
        'wait 0 - @300-900' 'wait 1 - in' 'recv 11 - *' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT'
}

@test "a one-shot registration that is armed again each time" {
    peer_start late
    limited RECV=1s
    side_by_side again_and_again epoll_wait epoll_pwait
}

half_an_answer() {
    open_by "$1"
    steps "${OPEN[@]}" send:3 wait:"$1":in:9000 recv:1000 wait:"$1":in:9000 recv:1000
    # the time began when the last byte came, not when it was taken
    expect "${OPEN_SAYS[@]}" 'send 3 -' 'wait 1 - in' 'recv 51 - *' 'wait 1 - ?* @900-1550' \
        'recv -1 ETIMEDOUT @0-200'
    promised "recv 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
}

@test "half an answer, then silence: an error, no end of file" {
    peer_start half
    limited RECV=1s
    side_by_side half_an_answer "${CALLS[@]}"
}

still_sending() {
    open_by "$1"
    steps "${OPEN[@]}" follow:"$1":3200 wait:"$1":in:9000 recv
    expect "${OPEN_SAYS[@]}" 'follow [6-7] - goes-on @3200-4200' 'wait 1 - in' 'recv 1 - x'
    assert_records timeout 0
}

@test "a peer that sends each 600 ms is never ended" {
    peer_start drip --every 600
    limited RECV=1s
    side_by_side still_sending "${BY_NAME[@]}"
}

late_answer() {
    open_by "$1"
    steps "${OPEN[@]}" send:1 rest:1500 wait:"$1":in:9000 recv:11 rest:1200 wait:"$1":in:500 send:1 \
        rest:300 wait:"$1":in:400 get:error
    expect "${OPEN_SAYS[@]}" 'send 1 -' 'rest 0 -' 'wait 1 - in @300-900' 'recv 11 - *' 'rest 0 -' \
        'wait 0 - @500-900' 'send 1 -' 'rest 0 -' 'wait 0 - @400-900' 'get 0 - none'
    assert_records timeout 0
}

@test "a program that pauses for longer than the limit finds its peer alive" {
    peer_start late --after 2000
    limited RECV=1s
    side_by_side late_answer "${BY_NAME[@]}"
}

# epoll_wait ends with EINTR when the program goes on, as bare (signal(7)).
stopped_for_long() {
    local again=() says=('wait 1 - in @2900-4000')

    if [[ $1 == epoll* ]]; then
        again=(wait:"$1":in:9000)
        says=('wait -1 EINTR @2900-4000' 'wait 1 - in @0-300')
    fi
    open_by "$1"
    steps "${OPEN[@]}" send:1 halt:200:3000 wait:"$1":in:9000 "${again[@]}" calm recv:11 get:error
    expect "${OPEN_SAYS[@]}" 'send 1 -' 'halt 0 -' "${says[@]}" 'calm 0 -' \
        'recv 11 - here.it.is.' 'get 0 - none'
    assert_records timeout 0
}

@test "a program that is stopped for three limits: data that came meanwhile win" {
    peer_start late --after 1500
    limited RECV=1s
    side_by_side stopped_for_long poll ppoll select pselect epoll_wait
}

# loops CASE: tests/programs/loops.c under the limits, with a log.
loops() {
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/tests/loops" "$1"
    [[ $status -eq 0 && ${lines[-1]} == "$1: ok" ]] || fail "$1: status $status"
}

@test "data in the very moment of the deadline: either they or the error, and never neither" {
    limited RECV=200ms
    loops moment
    ended=$(awk '/^data/ { sum += $4 } END { print sum }' <<<"$output")
    assert_records timeout "$ended"
}

@test "silent connections among chatty ones are ended in time, each for itself" {
    limited RECV=1s
    loops crowd
    assert_records timeout $((6 * ${#CALLS[@]}))
    [[ $(record timeout 'select(.waited_ms < 1000 or .waited_ms > 1150) | .waited_ms' | wc -l) -eq 0 ]] ||
        fail "waited_ms"
}

@test "two threads that wait for one connection are both woken, and it is ended once" {
    limited RECV=1s
    loops threads
    assert_records timeout ${#CALLS[@]}
}

# by_the_child: each ended connection was so by the child that waited for it.
by_the_child() {
    [[ $(record timeout .pid | sort) == $(awk '/^child/ { print $2 }' <<<"$output" | sort) ]] ||
        fail "ended by $(record timeout .pid | sort | paste -sd ' ')"
}

@test "a connection from before a fork is ended only by the process that waits for it" {
    limited RECV=1s
    loops family
    by_the_child
}

@test "nor is an idle one ended by a parent that waits for others" {
    limited IDLE=1s
    loops idle_family
    by_the_child
}

@test "after a child ended it, the parent sees an error, no end of file" {
    peer_start silent
    limited RECV=1s
    steps connect:"$PEER_PORT" fork wait:poll:in:9000 recv join wait:poll:in:9000 recv
    expect 'connect 0 -' 'fork 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT' 'fork 0 - joined' \
        'wait 1 - ?* @0-1550' 'recv -1 E*'
}

# --- whom a limit does not concern ----------------------------------------------------------------

unconcerned() {
    steps connect:"$PEER_PORT" nonblock:fcntl wait:"$1":out:9000 on:1 listen wait:"$1":in:1500 on:0 \
        recv get:error wait:"$1"::1500 recv
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - out' 'listen 0 -' 'wait 0 - @1500-2000' \
        'recv -1 EAGAIN' 'get 0 - none' 'wait 0 - @1500-2000' 'recv -1 EAGAIN'
    assert_records timeout 0
}

@test "a listener, and a connection that is not waited for or not for what it reads" {
    peer_start silent
    limited RECV=500ms SEND=500ms ACCEPT=500ms
    side_by_side unconcerned "${BY_NAME[@]}"
}

@test "of two connections the one that is waited for is ended" {
    peer_start silent
    limited RECV=1s
    steps connect:"$PEER_PORT" on:1 connect:"$PEER_PORT" wait:epoll_wait:in:9000 recv on:0 \
        recv:1:dontwait get:error wait:epoll_wait:in:9000 recv
    expect 'connect 0 -' 'connect 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT' 'recv -1 EAGAIN' \
        'get 0 - none' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT'
    assert_records timeout 2
}

left_alone() {
    open_by "$1"
    steps "${OPEN[@]}" wait:"$1":in:1500 recv get:error nonblock:off recv
    expect "${OPEN_SAYS[@]}" 'wait 0 - @1500-2000' 'recv -1 EAGAIN' 'get 0 - none' 'nonblock 0 -' \
        'recv -1 ETIMEDOUT @500'
    promised "recv 500 recv 127.0.0.1:$PEER_PORT"
}

@test "NONBLOCK=off leaves event loops alone, and blocking calls bounded" {
    peer_start silent
    limited RECV=500ms NONBLOCK=off
    side_by_side left_alone "${BY_NAME[@]}"
}

# --- send -----------------------------------------------------------------------------------------

# The buffers are small, so that what the peer takes shows soon.
slow_taker() {
    steps socket:tcp:nonblock set:sndbuf:4608 connect:"$PEER_PORT" wait:"$1":out:3000 \
        upload:"$1":15000 get:error
    expect 'socket * -' 'set 0 -' 'connect -1 EINPROGRESS' 'wait 1 - out' \
        'upload 15000 - @2000-9000' 'get 0 - none'
    assert_records timeout 0
}

@test "a peer that takes a KiB each 200 ms is slow, and not ended by send" {
    peer_start slowread --chunk 1024 --every 200 --room 1
    limited SEND=1s
    side_by_side slow_taker "${BY_NAME[@]}"
}

# What a window has room for that is smaller than a segment goes with the first probes of it, 200 and
# 600 ms later (linux/tcp.h, TCP_RTO_MIN): the peer has taken something then.
no_taker() {
    local BUSY_MS=1000

    open_by "$1"
    steps handler:pipe:plain "${OPEN[@]}" upload:"$1":8000000 send:3 get:error recv handled
    expect 'handler 0 -' "${OPEN_SAYS[@]}" 'upload * - ETIMEDOUT @900-3000' \
        'send -1 ETIMEDOUT @0-200' 'get 110 - ETIMEDOUT' 'recv -1 ETIMEDOUT @0-200' 'handled 0 -'
    promised "send 1000 $(recorded "$1") 127.0.0.1:$PEER_PORT"
    assert_closes "out timeout 1"
}

@test "a peer that never reads is ended by send" {
    peer_start noread
    limited SEND=1s
    side_by_side no_taker "${CALLS[@]}"
}

# --- connect --------------------------------------------------------------------------------------

no_answer() {
    steps socket:tcp:nonblock connect:"$PEER_PORT" wait:"$1":out:9000 get:error get:error state \
        connect:"$PEER_PORT" connect:"$PEER_PORT" wait:"$1":out:9000 get:error
    expect 'socket * -' 'connect -1 EINPROGRESS' 'wait * - *out* @200-780' 'get 110 - ETIMEDOUT' \
        'get 110 - ETIMEDOUT' 'state 7 -' 'connect -1 E*' 'connect -1 E*' 'wait * - *out* @200-780' \
        'get 110 - ETIMEDOUT'
    [[ $1 == *select* || ${lines[2]} == *err* ]] || fail "no POLLERR"
    promised "connect 300 $(recorded "$1") 127.0.0.1:$PEER_PORT" \
        "connect 300 $(recorded "$1") 127.0.0.1:$PEER_PORT"
}

@test "a non-blocking connect: writable, with the error; a second one starts afresh" {
    peer_start unreachable
    limited CONNECT=300ms
    side_by_side no_answer "${CALLS[@]}"
}

no_answer_in_ticks() {
    steps socket:tcp:nonblock connect:"$PEER_PORT" "${1#*-}:${1%-*}":out:20:9000 get:error
    expect 'socket * -' 'connect -1 EINPROGRESS' "${1#*-} * - *out* @200-780" 'get 110 - ETIMEDOUT'
    promised "connect 300 ${1%-*} 127.0.0.1:$PEER_PORT"
}

@test "a non-blocking connect, waited for in ticks and by looks" {
    peer_start unreachable
    limited CONNECT=300ms
    side_by_side no_answer_in_ticks "${BY_NAME[@]/%/-ticks}" "${BY_NAME[@]/%/-glances}"
}
