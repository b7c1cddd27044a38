#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Limits that belong to a connection and not to a call: idle, total, and what recv means to a loop
# with await = answer; and what becomes of a connection that a limit ended there.

load helpers
load steps

SOME_CALLS=(poll select epoll_wait epoll_pwait2)

# limited SETTING=VALUE…: as limits, with loops bounded, which is the default.
limited() {
    LIMITS=("${@/#/SOCKTMO_}")
}

# What a step waits for is counted from outside, from a moment after the connection's own clock was
# started: hence bounds that begin below the limit. waited_ms in the record does not.

# assert_limit LIMIT LIMIT_MS [COUNT [SLEPT_MS]]: one timeout (or COUNT of them) is on record, with
# that limit, after as long a wait as was promised, with little added for a busy machine; or after
# SLEPT_MS, if the program made no call that could look before then.
assert_limit() {
    local limit limit_ms waited_ms

    assert_records timeout "${3-1}"
    while read -r limit limit_ms waited_ms; do
        [[ "$limit $limit_ms" == "$1 $2" ]] || fail "the limit on record is $limit $limit_ms"
        BUSY_MS=300 assert_waited "${4-$limit_ms}" "$waited_ms" waited_ms
    done < <(record timeout '[.limit, .limit_ms, .waited_ms] | join(" ")')
}

# --- total ----------------------------------------------------------------------------------------

dripped_on() {
    steps connect:"$PEER_PORT" follow:"$1":9000 recv get:error close
    expect 'connect 0 -' 'follow * - ETIMEDOUT @900-1550' 'recv -1 ETIMEDOUT @0-200' \
        'get 110 - ETIMEDOUT' 'close 0 -'
    [[ $(answer 2) -ge 5 ]] || fail "not even what came before was taken"
    assert_limit total 1000
    assert_closes "out timeout 1"
}

@test "total ends a connection whose peer drips, in a loop and in recv" {
    peer_start drip --every 100
    limited TOTAL=1s
    side_by_side dripped_on recv "${SOME_CALLS[@]}" sys_epoll_wait
}

@test "total does not concern a connection that is shorter" {
    peer_start echo
    limited TOTAL=2s
    steps connect:"$PEER_PORT" send:3 recv:3 close rest:1200 connect:"$PEER_PORT" rest:1200 send:3 \
        recv:3 wait:poll:in:300
    expect 'connect 0 -' 'send 3 -' 'recv 3 - *' 'close 0 -' 'rest 0 -' 'connect 0 -' 'rest 0 -' \
        'send 3 -' 'recv 3 - *' 'wait 0 - @300-700'
    assert_records timeout 0
}

@test "total ends a connection that was polled, while another is waited for" {
    peer_start silent
    limited TOTAL=1s RECV=10s
    steps connect:"$PEER_PORT" nonblock:fcntl wait:poll:in:900 on:1 pair:2 wait:poll:in:2000 on:0 \
        wait:poll:in:1000 recv
    expect 'connect 0 -' 'nonblock 0 -' 'wait 0 - @900-1400' 'pair 0 -' 'wait 0 - @2000-2500' \
        'wait 1 - ?* @0-200' 'recv -1 ETIMEDOUT @0-200'
    assert_limit total 1000
}

@test "total ends a connection whose data nobody reads, though recv does not" {
    peer_start greet --text hello
    limited TOTAL=1050ms RECV=500ms
    steps connect:"$PEER_PORT" nonblock:fcntl wait:epoll_wait:in:900:et recv:2 \
        wait:epoll_wait:in:4000:et recv:9 recv
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - in' 'recv 2 - he' 'wait 1 - ?* @900-1600' \
        'recv 3 - llo' 'recv -1 ETIMEDOUT'
    assert_limit total 1050
}

waits_in_kernel() {
    for limit in total idle; do
        rm -f log
        limited "${limit^^}=500ms" RECV=5s
        steps connect:"$PEER_PORT" "$1:10" "$1:10"
        expect 'connect 0 -' "$1 -1 ETIMEDOUT @450-1050" "$1 -1 ETIMEDOUT @0-200"
        assert_limit "$limit" 500
    done
}

@test "total and idle, being shorter than recv, end calls that the kernel waits for" {
    peer_start silent
    side_by_side waits_in_kernel recvmmsg splice_in
}

# idle is for TCP.
@test "idle does not shorten recv on a unix stream" {
    limited IDLE=300ms RECV=1s PROTO=all
    steps pair:1 recv:10 rest:1100 recv:10
    expect 'pair 0 -' 'recv -1 ETIMEDOUT @950-1600' 'rest 0 -' 'recv -1 ETIMEDOUT @950-1600'
    assert_limit recv 1000 2
}

# --- idle -----------------------------------------------------------------------------------------

idle() {
    if [[ $1 == recv ]]; then
        steps connect:"$PEER_PORT" recv get:error
        expect 'connect 0 -' 'recv -1 ETIMEDOUT @900-1550' 'get 110 - ETIMEDOUT'
    else
        steps connect:"$PEER_PORT" nonblock:fcntl wait:"$1":in:9000 recv get:error
        expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200' \
            'get 110 - ETIMEDOUT'
    fi
    assert_limit idle 1000
    assert_closes "out timeout 1"
}

@test "idle ends a connection on which nothing goes, in a loop and in recv" {
    peer_start silent
    limited IDLE=1s
    side_by_side idle recv "${SOME_CALLS[@]}" sys_ppoll
}

idle_anew() {
    steps connect:"$PEER_PORT" rest:600 send:1 rest:600 send:1 rest:600 send:1 "${1//=/:}" recv
    if [[ $1 == recv ]]; then
        expect 'connect 0 -' 'rest 0 -' 'send 1 -' 'rest 0 -' 'send 1 -' 'rest 0 -' 'send 1 -' \
            'recv -1 ETIMEDOUT @900-1550' 'recv -1 ETIMEDOUT @0-200'
    else
        expect 'connect 0 -' 'rest 0 -' 'send 1 -' 'rest 0 -' 'send 1 -' 'rest 0 -' 'send 1 -' \
            'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200'
    fi
    assert_limit idle 1000
}

@test "each byte sent starts idle anew" {
    peer_start mute
    limited IDLE=1s
    side_by_side idle_anew recv wait={poll,pselect,epoll_pwait}=in=9000
}

@test "each byte that comes starts idle anew" {
    peer_start drip --every 600
    limited IDLE=1s
    steps connect:"$PEER_PORT" follow:epoll_wait:2000 follow:recv:1500
    expect 'connect 0 -' 'follow [2-5] - goes-on' 'follow [1-4] - goes-on'
    assert_records timeout 0
}

overslept() {
    steps connect:"$PEER_PORT" rest:1500 "${1//=/:}" recv
    expect 'connect 0 -' 'rest 0 -' '* @0-300' 'recv -1 ETIMEDOUT @0-200'
    assert_limit idle 1000 1 1500
}

@test "idle counts while the program does something else" {
    peer_start silent
    limited IDLE=1s
    side_by_side overslept wait={poll,select,epoll_wait}=in=9000 recv
}

@test "idle counts where recv does not, with await = answer" {
    peer_start echo
    limited RECV=400ms IDLE=1s AWAIT=answer
    steps connect:"$PEER_PORT" send:3 wait:poll:in:9000 recv:3 wait:poll:in:9000 recv
    expect 'connect 0 -' 'send 3 -' 'wait 1 - in' 'recv 3 - *' 'wait 1 - ?* @900-1550' \
        'recv -1 ETIMEDOUT @0-200'
    assert_limit idle 1000
}

# --- await = answer -------------------------------------------------------------------------------

answered() {
    steps connect:"$PEER_PORT" nonblock:fcntl send:3 wait:"$1":in:9000 recv:3 wait:"$1":in:1800 recv \
        send:3 wait:"$1":in:9000 recv:3
    expect 'connect 0 -' 'nonblock 0 -' 'send 3 -' 'wait 1 - in' 'recv 3 - *' 'wait 0 - @1800-2300' \
        'recv -1 EAGAIN' 'send 3 -' 'wait 1 - in' 'recv 3 - *'
    assert_records timeout 0
}

@test "await = answer: who has its answer may be idle" {
    peer_start echo
    limited RECV=1s AWAIT=answer
    side_by_side answered "${SOME_CALLS[@]}"
}

owed() {
    steps connect:"$PEER_PORT" nonblock:fcntl send:3 wait:"$1":in:9000 recv:1000 send:3 \
        wait:"$1":in:9000 recv
    expect 'connect 0 -' 'nonblock 0 -' 'send 3 -' 'wait 1 - in' 'recv 51 - *' 'send 3 -' \
        'wait 1 - ?* @900-1550' 'recv -1 ETIMEDOUT @0-200'
    assert_limit recv 1000
}

@test "await = answer: a second request that finds no answer is ended" {
    peer_start half
    limited RECV=1s AWAIT=answer
    side_by_side owed "${SOME_CALLS[@]}"
}

never_said() {
    local request=()

    [[ $1 != *-request ]] || request=(send:3)
    steps connect:"$PEER_PORT" nonblock:fcntl "${request[@]}" wait:"${1%%-*}":in:9000 recv
    expect 'connect 0 -' 'nonblock 0 -' ${request:+'send 3 -'} 'wait 1 - ?* @900-1550' \
        'recv -1 ETIMEDOUT @0-200'
    assert_limit recv 1000
}

@test "await = answer: a peer that never said anything is ended, asked or not" {
    peer_start mute
    limited RECV=1s AWAIT=answer
    side_by_side never_said {poll,select,epoll_wait}{,-request}
}

# --- what is left of an ended connection ----------------------------------------------------------

@test "data that had come can be read first when idle or total end the connection" {
    peer_start greet --text hello
    for limit in idle total; do
        limited "${limit^^}=700ms"
        rm -f log
        steps connect:"$PEER_PORT" rest:1200 wait:poll:in:9000 recv:3 recv:9 recv wait:poll:in:9000 recv \
            send:3
        expect 'connect 0 -' 'rest 0 -' 'wait 1 - in* @0-300' 'recv 3 - hel' 'recv 2 - lo' \
            'recv -1 ETIMEDOUT @0-200' 'wait 1 - ?* @0-200' 'recv -1 ETIMEDOUT' 'send -1 ETIMEDOUT'
        # idle begins with the greeting, a little after the connect
        slept_ms=1200
        [[ $limit == total ]] || slept_ms=1150
        assert_limit "$limit" 700 1 "$slept_ms"
    done
}

@test "data that had come can be read first when send ends the connection" {
    limited SEND=700ms
    steps listen on:1 dial:0 nonblock:fcntl on:0 accept:2 on:2 send:5 on:1 wait:epoll_wait:in:3000 \
        fill wait:epoll_wait:out:9000 recv:9 recv send:1 get:error
    expect 'listen 0 -' 'dial 0 -' 'nonblock 0 -' 'accept * -' 'send 5 -' 'wait 1 - in' 'fill * -' \
        'wait 1 - ?* @0-1300' 'recv 5 - *' 'recv -1 ETIMEDOUT @0-200' 'send -1 ETIMEDOUT' \
        'get 110 - ETIMEDOUT'
    assert_limit send 700
}

@test "its number is as good as new for the next connection" {
    peer_start silent
    silent=$PEER_PORT
    peer_start echo
    limited RECV=500ms
    steps connect:"$silent" wait:epoll_wait:in:9000 recv close connect:"$PEER_PORT" send:3 \
        wait:epoll_wait:in:9000 recv:3 get:error wait:epoll_wait:in:300 send:3 wait:epoll_wait:in:9000
    expect 'connect 0 -' 'wait 1 - ?* @400-1000' 'recv -1 ETIMEDOUT' 'close 0 -' 'connect 0 -' 'send 3 -' \
        'wait 1 - in @0-300' 'recv 3 - *' 'get 0 - none' 'wait 0 - @300-700' 'send 3 -' 'wait 1 - in'
    assert_limit recv 500
    assert_closes "out timeout 1" "out exit 0"
}

@test "a copy of its descriptor says the same" {
    peer_start silent
    limited RECV=500ms
    steps connect:"$PEER_PORT" dup wait:poll:in:9000 recv get:error send:1
    expect 'connect 0 -' 'dup * -' 'wait 1 - ?* @400-1000' 'recv -1 ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'send -1 ETIMEDOUT'
    assert_limit recv 500
}

# --- errno, action, proto -------------------------------------------------------------------------

@test "errno: what was chosen, and never EAGAIN on what is over" {
    peer_start silent
    limited RECV=500ms ERRNO=ECONNABORTED
    steps connect:"$PEER_PORT" nonblock:fcntl wait:poll:in:9000 recv get:error send:1 recv get:error
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @400-1000' 'recv -1 ECONNABORTED' \
        'get 103 - ECONNABORTED' 'send -1 ECONNABORTED' 'recv -1 ECONNABORTED' 'get 103 - ECONNABORTED'
    limited RECV=500ms ERRNO=kernel
    steps connect:"$PEER_PORT" nonblock:fcntl wait:poll:in:9000 recv get:error send:1 recv get:error
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @400-1000' 'recv -1 ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'send -1 ETIMEDOUT' 'recv -1 ETIMEDOUT' 'get 110 - ETIMEDOUT'
    assert_limit recv 500 2
}

ends_the_program() {
    limited RECV=500ms ACTION="$1"
    steps connect:"$PEER_PORT" wait:epoll_wait:in:9000 recv
    if [[ $1 == exit ]]; then
        [[ $status -eq 124 ]] || fail "status $status"
        assert_between 500 2000 # no cut of ours
    else
        [[ $status -eq 134 ]] || fail "status $status"
    fi
    assert_limit recv 500
    [[ $(record timeout .action) == "$1" ]] || fail "action"
}

@test "action = exit and abort end the program, after the record" {
    peer_start silent
    side_by_side ends_the_program exit abort
}

@test "action = reset: the peer is told so" {
    limited RECV=500ms ACTION=reset
    steps listen on:1 dial:0 on:0 accept:2 on:1 wait:poll:in:9000 recv on:2 recv:1:dontwait
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'wait 1 - ?* @400-1000' 'recv -1 ETIMEDOUT' \
        'recv -1 ECONNRESET'
    assert_limit recv 500
}

unix_stream() {
    steps connect:unix:"$PEER_PORT" nonblock:fcntl wait:"$1":in:9000 recv get:error send:1
    expect 'connect 0 -' 'nonblock 0 -' 'wait 1 - ?* @400-1000' 'recv -1 ETIMEDOUT' 'get 110 - ETIMEDOUT' \
        'send -1 ETIMEDOUT'
    assert_limit recv 500
}

@test "a unix stream is bounded where unix is asked for, and only there" {
    peer_start silent --unix "$PWD/socket"
    limited RECV=500ms PROTO=unix
    side_by_side unix_stream "${SOME_CALLS[@]}"
    limited RECV=500ms
    steps connect:unix:"$PEER_PORT" wait:poll:in:1200
    expect 'connect 0 -' 'wait 0 - @1200-1700'
}

# --- a program that somebody else wrote -----------------------------------------------------------

@test "asyncio and selectors tell their users of the timeout" {
    requires python3
    peer_start silent
    limited RECV=1s
    cat >client.py <<'END'
import asyncio, selectors, socket, sys
port = int(sys.argv[1])
async def read():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        print(await reader.read(10))
    except OSError as error:
        print("asyncio", error.errno)
asyncio.run(read())
for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    with socket.create_connection(("127.0.0.1", port)) as s, kind() as loop:
        s.setblocking(False)
        loop.register(s, selectors.EVENT_READ)
        loop.select()
        try:
            print(s.recv(10))
        except OSError as error:
            print(kind.__name__, error.errno)
END
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- python3 client.py "$PEER_PORT"
    [[ $output == $'asyncio 110\nSelectSelector 110\nPollSelector 110\nEpollSelector 110' ]] ||
        fail "status $status"
    assert_between 4000 8000
    assert_records timeout 4
}
