#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# SOCKTMO_ENGINE: a thread that ends what no call of ours comes by for; and that no socket timeout is
# set where it is alone.

load helpers
load steps

ENGINES=(watchdog both)

setup() {
    tmo_setup
    [[ -z ${TMO_RUN-} ]] || skip "an emulator's process has threads of its own, and no /proc of its program"
}

# hidden SETTING=VALUE… -- STEP…: a program that no library sees, under the settings, with a log.
hidden() {
    local -a settings=()

    while [[ $1 != -- ]]; do
        settings+=("SOCKTMO_$1")
        shift
    done
    shift
    under "${settings[@]}" SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/tests/hidden" "$@"
    [[ $output != 'not here' ]] || skip "not written for this machine"
}

# --- the thread -----------------------------------------------------------------------------------

@test "one thread, from the first socket on; a child has none until it makes one" {
    peer_start echo
    hidden ENGINE=both RECV=5s -- threads libc:"$PEER_PORT" rest:50 threads child threads \
        libc:"$PEER_PORT" rest:50 threads
    expect 'threads 1 -' 'libc 0 -' 'rest 0 -' 'threads 2 -' 'child 0 -' 'threads 1 -' 'libc 0 -' \
        'rest 0 -' 'threads 2 -'
}

@test "no thread where nothing asks for one: the kernel's engine, or no limit" {
    peer_start echo
    hidden RECV=5s -- libc:"$PEER_PORT" rest:50 threads
    expect 'libc 0 -' 'rest 0 -' 'threads 1 -'
    hidden ENGINE=watchdog -- libc:"$PEER_PORT" rest:50 threads
    expect 'libc 0 -' 'rest 0 -' 'threads 1 -'
}

# A wait that a limit ended is over: it is not the watchdog's to count on.
@test "a call that is made again after the limit waits for the limit again" {
    peer_start silent
    for engine in "${ENGINES[@]}"; do
        rm -f log
        limits RECV=500ms ENGINE="$engine"
        steps connect:"$PEER_PORT" recv recv recv
        expect 'connect 0 -' 'recv -1 ETIMEDOUT @500' 'recv -1 ETIMEDOUT @500' 'recv -1 ETIMEDOUT @0-200'
        assert_records timeout 2
    done
}

@test "no number is ever taken: the lowest that is free stays the program's" {
    peer_start silent
    # every 10 ms it looks at each thread and descriptor
    hidden ENGINE=both RECV=200ms TIMEOUT=200ms -- libc:"$PEER_PORT" lowest:3000
    expect 'libc 0 -' 'lowest 0 -'
}

# ends_with_its_own STEP LINE: after that step, which says so.
ends_with_its_own() {
    peer_start silent
    for engine in "${ENGINES[@]}"; do
        hidden ENGINE="$engine" RECV=20s -- libc:"$PEER_PORT" "${@:1:$#/2}" leave:300
        expect 'libc 0 -' "${@:$#/2+1}" 'last 0 -'
        assert_between 300 5000 # or for ever
        # no thread at all is left but the watchdog, which must not be the one that flushes
        hidden ENGINE="$engine" RECV=20s -- libc:"$PEER_PORT" "${@:1:$#/2}" leave-last
        expect 'libc 0 -' "${@:$#/2+1}" 'buffered 0 -' 'exit 0 -'
    done
}

@test "a program ends with the last of its own threads" {
    ends_with_its_own
}

@test "the same where the first ends by thrd_exit" {
    ends_with_its_own thrd 'thrd 0 -'
}

@test "the same where the first thread is cancelled, or the watchdog is kept from the processor" {
    peer_start silent
    for engine in "${ENGINES[@]}"; do
        hidden ENGINE="$engine" RECV=20s -- libc:"$PEER_PORT" rest:50 cancel-last
        expect 'libc 0 -' 'rest 0 -' 'buffered 0 -' 'exit 0 -'
    done
    hidden ENGINE=watchdog RECV=20s -- libc:"$PEER_PORT" rest:50 hold:1500 leave-last
    [[ $output != *'hold -1'* ]] || skip "no thread can be held here"
    expect 'libc 0 -' 'rest 0 -' 'hold 0 -' 'buffered 0 -' 'exit 0 -'
    assert_between 1500 8000
}

# --- where there can be none ----------------------------------------------------------------------

# without HOW WHY SETTING=VALUE… -- STEP…: steps, under a filter of nothreads.c; and that this was
# told, once.
without() {
    local how=$1 why=$2
    local -a settings=()

    [[ -e nothreads ]] || "${TMO_CC[@]}" -D_GNU_SOURCE -O1 -o nothreads \
        "$TMO_ROOT/tests/programs/nothreads.c" 2>nothreads.err ||
        skip "no headers of seccomp here: $(tail -n 1 nothreads.err)"
    shift 2
    while [[ $1 != -- ]]; do
        settings+=("SOCKTMO_$1")
        shift
    done
    shift
    rm -f log
    under "${settings[@]}" SOCKTMO_LOG="$PWD/log" -- ./nothreads "$how" "$TMO_BUILD/tests/steps" "$@"
    [[ $status -ne 99 ]] || skip "no filter can be set here"
    [[ $(grep -c "^socktmo: SOCKTMO_ENGINE='$engine': $why; there is no watchdog" \
        <<<"$output") -eq 1 ]] || fail "not told once with $engine"
    [[ $(record problem '"\(.where) \(.value)"') == "SOCKTMO_ENGINE $engine" ]] ||
        fail "not on record once with $engine"
    mapfile -t lines < <(grep -v '^socktmo: ' <<<"$output")
}

# bounded_without HOW WHY
bounded_without() {
    local silent engine

    peer_start silent
    silent=$PEER_PORT
    peer_start unreachable
    for engine in "${ENGINES[@]}"; do
        without "$@" ENGINE="$engine" RECV=400ms CONNECT=700ms -- connect:"$PEER_PORT" \
            connect:"$PEER_PORT" on:1 connect:"$silent" recv on:2 connect:"$silent" \
            wait:poll:in:5000 recv
        expect 'connect -1 ETIMEDOUT @700' 'connect -1 ETIMEDOUT @700' 'connect 0 -' \
            'recv -1 ETIMEDOUT @400' 'connect 0 -' 'wait 1 - ?* @350-900' 'recv -1 ETIMEDOUT @0-200'
        assert_records timeout 4
        # nor does a child tell it again
        without "$@" ENGINE="$engine" RECV=400ms CONNECT=700ms -- connect:"$silent" fork on:2 \
            connect:"$PEER_PORT" on:1 connect:"$silent" recv join
        expect 'connect 0 -' 'fork 0 -' 'connect -1 ETIMEDOUT @700' 'connect 0 -' \
            'recv -1 ETIMEDOUT @400' 'fork 0 - joined'
        assert_records timeout 2
    done
}

@test "where no thread can be made that is told once, and calls have their limits" {
    bounded_without thread 'no thread can be made'
}

@test "the same where it cannot get at the program's descriptors" {
    bounded_without borrow 'needs Linux 5.9, or is forbidden here'
}

# --- waits that no call of ours tells of ----------------------------------------------------------

# ended_in LIMIT STEP…: by both engines, on time, with an error, and on record. That there is a socket,
# libc is told before.
ended_in() {
    local engine port=$PEER_PORT

    for engine in "${ENGINES[@]}"; do
        rm -f log
        hidden ENGINE="$engine" RECV=1s SEND=1s CONNECT=10s -- libc:"$port" connect:"$port" "${@:2}"
        [[ $status -eq 0 ]] || fail "status $status"
        [[ ${lines[-1]} =~ ^[a-z]+\ -1\ E[A-Z]+\ ([0-9]+)$ ]] || fail "no error with $engine"
        assert_waited 1000 "${BASH_REMATCH[1]}" "$engine: ms"
        [[ $(record timeout '.limit_ms') == 1000 ]] || fail "what is on record is not that limit"
        [[ $(record timeout '.peer') == "127.0.0.1:$port" ]] || fail "the peer is not on record"
        [[ $(record timeout '.limit') == "$1" ]] || fail "not $1"
        assert_waited 1000 "$(record timeout .waited_ms)" waited_ms
        assert_closes 'out exit 0' 'out timeout 1'
    done
}

@test "a receive that the program makes itself" {
    peer_start silent
    ended_in recv send:10 recv
}

@test "the same where libc has made the connection" {
    peer_start silent
    hidden ENGINE=watchdog RECV=1s -- libc:"$PEER_PORT" send:10 recv
    expect 'libc 0 -' 'send 10 -' 'recv -1 E* @1000'
    assert_timeouts "recv 1000 recvfrom 127.0.0.1:$PEER_PORT"
    rm -f log # with the timeout of the kernel there that is first, as it is without the thread
    hidden ENGINE=both RECV=1s -- libc:"$PEER_PORT" send:10 recv recv
    expect 'libc 0 -' 'send 10 -' 'recv -1 EAGAIN @1000' 'recv -1 E* @0-1500'
}

@test "after half an answer" {
    peer_start half
    ended_in recv send:10 rest:300 recv recv
}

@test "a send to a peer that does not read" {
    peer_start noread
    ended_in send fill
}

@test "an epoll set of the program's own, edge-triggered" {
    peer_start silent
    ended_in recv send:10 epoll
}

@test "libc's own calls behind stdio: an error, no end of file" {
    peer_start half
    rm -f log
    hidden ENGINE=watchdog RECV=1s -- libc:"$PEER_PORT" send:10 flow
    expect 'libc 0 -' 'send 10 -' 'flow -1 E*'
    assert_records timeout 1
    [[ $(record timeout '"\(.limit) \(.call)"') == 'recv read' ]] || fail "not that call"
    [[ $(record close .reason) == timeout ]] || fail "its end is not on record"
}

@test "a drip into stdio ends at total" {
    peer_start drip --every 100
    for engine in "${ENGINES[@]}"; do
        rm -f log
        hidden ENGINE="$engine" RECV=5s TOTAL=1s -- libc:"$PEER_PORT" send:10 flow
        [[ $status -eq 0 && ${lines[2]} =~ ^flow\ -1\ E[A-Z]+\ ([0-9]+)$ ]] || fail "no error"
        assert_between 900 $((1150 + BUSY_MS)) "${BASH_REMATCH[1]}" ms
        [[ $(record timeout .limit) == total ]] || fail "not that limit"
    done
}

@test "a connect that the program makes itself" {
    peer_start unreachable
    for engine in "${ENGINES[@]}"; do
        rm -f log
        hidden ENGINE="$engine" CONNECT=1s RECV=3s -- libc:"$PEER_PORT" connect:"$PEER_PORT"
        # how long it has been under way is known from when it is seen
        expect 'libc -1 ETIMEDOUT @1000' 'connect -1 E* @1000-1900'
        [[ $(record timeout '"\(.limit) \(.peer)"' | sort -u) == "connect 127.0.0.1:$PEER_PORT" ]] ||
            fail "not on record"
        assert_records timeout 2
    done
}

@test "io_uring: a receive, a connect" {
    # shellcheck disable=SC2086 # words
    ${TMO_CC:-cc} -D_GNU_SOURCE -O1 -o uring "$TMO_ROOT/tests/programs/uring.c" 2>uring.err ||
        skip "no headers of io_uring here: $(tail -n 1 uring.err)"
    bare -- ./uring probe
    [[ $status -eq 0 ]] || skip "io_uring is not to be had here: $output"
    peer_start silent
    for engine in "${ENGINES[@]}"; do
        rm -f log
        under SOCKTMO_ENGINE="$engine" SOCKTMO_RECV=1s SOCKTMO_LOG="$PWD/log" -- \
            ./uring connect:"$PEER_PORT" send:10 recv
        [[ $status -eq 1 && $output == *recv:* ]] || fail "no error"
        assert_between 1000 $((1400 + 2 * BUSY_MS))
        [[ $(record timeout '"\(.limit) \(.peer)"') == "recv 127.0.0.1:$PEER_PORT" ]] || fail "not on record"
    done
    peer_start unreachable
    rm -f log
    under SOCKTMO_ENGINE=both SOCKTMO_CONNECT=1s SOCKTMO_LOG="$PWD/log" -- \
        ./uring connect:"$PEER_PORT"
    [[ $status -eq 1 && $output == *connect:* ]] || fail "no error"
    [[ $(record timeout .limit) == connect ]] || fail "not on record"
}

@test "a child's own thread ends what the child waits for" {
    peer_start silent
    hidden ENGINE=both RECV=1s -- libc:"$PEER_PORT" child connect:"$PEER_PORT" send:1 \
        libc:"$PEER_PORT" again recv
    expect 'libc 0 -' 'child 0 -' 'connect 0 -' 'send 1 -' 'libc 0 -' 'again 0 -' 'recv -1 E* @1000'
    assert_records timeout 1
}

@test "what libc was not told of is closed and its number used again: nothing is mistaken" {
    peer_start echo
    hidden ENGINE=both RECV=1s -- libc:"$PEER_PORT" connect:"$PEER_PORT" send:3 rest:600 close again \
        send:4 recv rest:300 close again send:5 rest:900 recv
    expect 'libc 0 -' 'connect 0 -' 'send 3 -' 'rest 0 -' 'close 0 -' 'again 0 -' 'send 4 -' 'recv 4 -' \
        'rest 0 -' 'close 0 -' 'again 0 -' 'send 5 -' 'rest 0 -' 'recv 5 -'
    assert_records timeout 0
}

# --- what is not overdue --------------------------------------------------------------------------

@test "nobody waits: a connection is left alone for three times its limit" {
    peer_start echo
    for engine in "${ENGINES[@]}"; do
        rm -f log
        hidden ENGINE="$engine" RECV=400ms SEND=400ms -- libc:"$PEER_PORT" send:2 rest:1300 recv \
            busy:700 send:3 recv connect:"$PEER_PORT" send:2 rest:1300 recv
        expect 'libc 0 -' 'send 2 -' 'rest 0 -' 'recv 2 -' 'busy 0 -' 'send 3 -' 'recv 3 -' \
            'connect 0 -' 'send 2 -' 'rest 0 -' 'recv 2 -'
        assert_records timeout 0
    done
}

@test "a peer that is slow, but within its limit" {
    peer_start late --after 700
    hidden ENGINE=both RECV=1s SEND=1s -- libc:"$PEER_PORT" send:2 recv send:2 recv \
        connect:"$PEER_PORT" send:2 recv send:2 epoll
    expect 'libc 0 -' 'send 2 -' 'recv 11 -' 'send 2 -' 'recv 11 -' 'connect 0 -' 'send 2 -' \
        'recv 11 -' 'send 2 -' 'epoll 11 -'
    assert_records timeout 0
}

@test "a program that is stopped for longer than its limit, with an answer there when it goes on" {
    local pid

    peer_start late --after 700
    bounded env LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_ENGINE=both SOCKTMO_RECV=1500ms \
        SOCKTMO_LOG="$PWD/log" "$TMO_BUILD/tests/hidden" libc:"$PEER_PORT" \
        connect:"$PEER_PORT" send:2 recv >out &
    own $!
    until grep -qs '^send' out; do
        kill -0 $! 2>/dev/null || fail "it ended: $(<out)"
        read -r -t 0.02 <>"$BATS_TEST_TMPDIR/hold" || true
    done
    pid=$(pgrep -P $!)
    kill -STOP "$pid"
    read -r -t 2.5 <>"$BATS_TEST_TMPDIR/hold" || true # it is stopped for that long
    kill -CONT "$pid"
    wait $! || fail "it failed: $(<out)"
    grep -q '^recv 11 -' out || fail "it did not get its answer: $(<out)"
    assert_records timeout 0
}

# --- alone: no socket timeout is set --------------------------------------------------------------

@test "under watchdog alone a call ends as under the kernel's engine, and the socket stays" {
    peer_start silent
    limits ENGINE=watchdog RECV=400ms SEND=400ms CONNECT=5s
    steps connect:"$PEER_PORT" get:rcvtimeo get:sndtimeo recv send:1 get:rcvtimeo
    expect 'connect 0 -' 'get 0 - rcvtimeo' 'get 0 - sndtimeo' 'recv -1 ETIMEDOUT @400' 'send 1 -' \
        'get 0 - rcvtimeo'
    assert_timeouts "recv 400 recv 127.0.0.1:$PEER_PORT"
    assert_closes "out exit 1"
}

# alone_with OWN MODE RECV: a program that sets such a timeout of its own.
alone_with() {
    rm -f log
    limits ENGINE=watchdog RECV=500ms MODE="$2"
    steps connect:"$PEER_PORT" set:rcvtimeo:"$1" recv get:rcvtimeo
    expect 'connect 0 -' 'set 0 -' "$3" "get $1 - rcvtimeo"
}

@test "the program's own timeouts stay on the socket, and mode says which counts" {
    peer_start silent
    alone_with 200 force 'recv -1 ETIMEDOUT @500'
    alone_with 900 force 'recv -1 ETIMEDOUT @500'
    alone_with 200 cap 'recv -1 EAGAIN @200'
    alone_with 900 cap 'recv -1 ETIMEDOUT @500'
    alone_with 900 fill 'recv -1 EAGAIN @900'
    alone_with 0 fill 'recv -1 ETIMEDOUT @500'
}

@test "a time of the program's own is none of the watchdog's where mode lets it stand" {
    peer_start silent
    limits ENGINE=both RECV=500ms MODE=fill
    steps connect:"$PEER_PORT" set:rcvtimeo:900 recv recv
    expect 'connect 0 -' 'set 0 -' 'recv -1 EAGAIN @900' 'recv -1 EAGAIN @900'
    limits ENGINE=both RECV=1s MODE=cap
    steps connect:"$PEER_PORT" set:rcvtimeo:200 recv recv recv recv recv recv recv
    [[ $(grep -c '^recv -1 EAGAIN' <<<"$output") -eq 7 ]] || fail "its own time did not count"
    assert_records timeout 0
    peer_start unreachable
    limits ENGINE=watchdog CONNECT=500ms MODE=fill
    steps socket:tcp set:sndtimeo:900 connect:"$PEER_PORT"
    expect 'socket * -' 'set 0 -' 'connect -1 EINPROGRESS @900'
    assert_records timeout 0
}

@test "under watchdog alone: accept, datagrams, unix sockets" {
    limits ENGINE=watchdog ACCEPT=400ms RECV=400ms PROTO=all
    steps listen:tcp accept:block
    expect 'listen * -' 'accept -1 ETIMEDOUT @400'
    steps socket:udp recv
    expect 'socket * -' 'recv -1 ETIMEDOUT @400'
    peer_start silent --unix "$PWD/socket"
    steps connect:unix:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @400'
    assert_records timeout 3
}

@test "under watchdog alone a blocking connect is taken back by the thread" {
    peer_start unreachable
    limits ENGINE=watchdog CONNECT=1s RECV=3s
    steps connect:"$PEER_PORT" connect:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @1000' 'connect -1 ETIMEDOUT @1000'
    assert_timeouts "connect 1000 connect 127.0.0.1:$PEER_PORT" \
        "connect 1000 connect 127.0.0.1:$PEER_PORT"
    limits ENGINE=watchdog CONNECT=1s ERRNO=kernel
    steps connect:"$PEER_PORT"
    expect 'connect -1 EINPROGRESS @1000'
}

@test "no option of a socket is changed" {
    requires strace
    peer_start silent
    timed strace -f -o trace -e trace=setsockopt -E LD_PRELOAD="$TMO_LIB" -E SOCKTMO_ENGINE=watchdog \
        -E SOCKTMO_TIMEOUT=400ms -E SOCKTMO_ACCEPT=1s -E SOCKTMO_IDLE=20s \
        "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" recv
    [[ ${lines[1]} == 'recv -1 ETIMEDOUT '* ]] || fail "the limit was not there"
    ! grep setsockopt trace || fail "an option was set"
}

# --- actions, and the rest ------------------------------------------------------------------------

@test "action = exit, report, and the record in text" {
    peer_start silent
    hidden ENGINE=both RECV=500ms ACTION=exit -- libc:"$PEER_PORT" connect:"$PEER_PORT" send:2 recv
    [[ $status -eq 124 ]] || fail "status $status"
    assert_records timeout 1
    [[ $(record close .reason | sort -u) == exit ]] || fail "the connection's end is not on record"
    rm -f log
    peer_start late --after 1500
    hidden ENGINE=watchdog RECV=500ms ACTION=report LOG_FORMAT=text -- libc:"$PEER_PORT" \
        connect:"$PEER_PORT" send:2 recv
    expect 'libc 0 -' 'connect 0 -' 'send 2 -' 'recv * - @1300-2600'
    [[ $(grep -c 'event=timeout.*limit=recv.*action=report' log) -eq 1 ]] || fail "not on record once"
}

@test "records go to descriptors of the program's as well" {
    peer_start silent
    for sink in stderr fd:1; do
        under SOCKTMO_ENGINE=both SOCKTMO_RECV=500ms SOCKTMO_LOG="$sink" -- "$TMO_BUILD/tests/hidden" \
            libc:"$PEER_PORT" connect:"$PEER_PORT" send:2 recv
        [[ $output == *'"event":"timeout"'*'"limit":"recv"'* ]] || fail "not there: $sink"
    done
}

@test "rules: each connection has the limit of its own" {
    peer_start silent
    hidden ENGINE=both RECV=9s RULES="to 127.0.0.1 port $PEER_PORT: recv=1s" -- \
        libc:"$PEER_PORT" connect:"$PEER_PORT" send:2 recv
    expect 'libc 0 -' 'connect 0 -' 'send 2 -' 'recv -1 E* @1000'
    [[ $(record timeout .rule) == "to 127.0.0.1 port $PEER_PORT: recv=1s" ]] || fail "not that rule"
}

@test "a process that has changed its user is told that waits inside libc are not seen" {
    [[ $(id -u) -eq 0 ]] || skip "only root can become another"
    peer_start silent
    hidden ENGINE=watchdog RECV=400ms -- libc:"$PEER_PORT" user:65534 rest:900
    [[ $output == *"SOCKTMO_ENGINE"*"changed its user"* ]] || fail "not told"
}
