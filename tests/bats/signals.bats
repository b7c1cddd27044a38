#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# What may disturb a wait: signals, job control, tracers, forks. The kernel turns a restartable wait
# into EINTR once a socket has a timeout (signal(7)); the program is not to see that.

load helpers
load steps

PAIR=(listen on:1 dial:0 on:0 accept:2)
PAIR_SAYS=('listen 0 -' 'dial 0 -' 'accept * -')

# can_trace: skips the test where one process may not trace another.
can_trace() {
    steps_bare trace:10:1 calm
    [[ $(answer 2) -eq 0 ]] || skip "no process may be traced here"
}

# each_disturbance FUNCTION: with each that interrupts nothing bare, all at once.
each_disturbance() {
    side_by_side "$1" restart stop trace
}

# disturbance NAME: sets disturb, the steps that prepare it, and disturb_says.
disturbance() {
    case $1 in
    restart)
        disturb=(handler:usr1:restart storm:usr1:150:2)
        disturb_says=('handler 0 -' 'storm 0 -')
        ;;
    stop)
        disturb=(storm:stop:150:2)
        disturb_says=('storm 0 -')
        ;;
    trace)
        disturb=(trace:150:2)
        disturb_says=('trace 0 -')
        ;;
    esac
}

# Within twice the limit, as the first part of an interrupted wait is not timed.
TWICE=@500-1550

recv_disturbed() {
    disturbance "$1"
    steps "${disturb[@]}" connect:"$PEER_PORT" recv calm
    expect "${disturb_says[@]}" 'connect 0 -' "recv -1 ETIMEDOUT $TWICE" 'calm 0 -'
    assert_records timeout 1
    [[ $(record timeout .waited_ms) -ge 500 ]] || fail "waited_ms"
    for call in read recvmsg splice_in; do
        steps "${disturb[@]}" connect:"$PEER_PORT" "$call" calm
        expect "${disturb_says[@]}" 'connect 0 -' "$call -1 ETIMEDOUT $TWICE" 'calm 0 -'
    done
}

@test "a recv is not interrupted, and ends within twice the limit" {
    can_trace
    peer_start silent
    limits RECV=500ms
    each_disturbance recv_disturbed
}

recv_answered() {
    disturbance "$1"
    ERRNO_MAY_CHANGE=yes same_as_bare "${disturb[@]}" connect:"$PEER_PORT" send:1 recv:9 calm handled
    [[ $output == *"here.it.i"* ]] || fail "no answer"
    assert_records timeout 0
}

@test "a recv that is disturbed gets its answer as bare" {
    can_trace
    peer_start late --after 500
    limits RECV=2s
    each_disturbance recv_answered
}

waitall_disturbed() {
    disturbance "$1"
    steps "${disturb[@]}" connect:"$PEER_PORT" recv:9:waitall calm
    expect "${disturb_says[@]}" 'connect 0 -' 'recv 9 - abcabcabc' 'calm 0 -'
    assert_records timeout 0
}

@test "a MSG_WAITALL that is disturbed arrives whole" {
    can_trace
    peer_start drip --every 100 --text abc
    limits RECV=500ms
    each_disturbance waitall_disturbed
}

send_disturbed() {
    disturbance "$1"
    steps connect:"$PEER_PORT" fill "${disturb[@]}" send:9 calm
    expect 'connect 0 -' 'fill * -' "${disturb_says[@]}" "send -1 ETIMEDOUT $TWICE" 'calm 0 -'
    assert_records timeout 1
}

@test "a send is not interrupted, and ends within twice the limit" {
    can_trace
    peer_start noread
    limits SEND=500ms
    each_disturbance send_disturbed
}

long_send_disturbed() {
    disturbance "${1%-*}"
    peer_start slowread --chunk 524288 --every 100
    steps "${disturb[@]}" connect:"$PEER_PORT" "${1#*-}:7340032" calm
    expect "${disturb_says[@]}" 'connect 0 -' "${1#*-} 7340032 -" 'calm 0 -'
    assert_records timeout 0
    peer_stop "$PEER_PID"
}

@test "a long send to a slow peer that is disturbed goes through whole" {
    can_trace
    limits SEND=500ms
    side_by_side long_send_disturbed restart-send stop-write trace-writev restart-sendmsg
}

connect_disturbed() {
    disturbance "$1"
    steps "${disturb[@]}" connect:"$PEER_PORT" get:error calm
    expect "${disturb_says[@]}" "connect -1 ETIMEDOUT $TWICE" 'get 110 - ETIMEDOUT' 'calm 0 -'
    assert_records timeout 1
}

@test "a connect is not interrupted, and ends within twice the limit" {
    can_trace
    peer_start unreachable
    limits CONNECT=500ms
    each_disturbance connect_disturbed
}

connect_answered() {
    disturbance "$1"
    steps listen:tcp:0 drain:600 "${disturb[@]}" on:1 dial:0 on:2 dial:0 get:sndtimeo calm
    expect 'listen 0 -' 'drain 0 -' "${disturb_says[@]}" 'dial 0 -' 'dial 0 - @900-2900' \
        'get 0 - sndtimeo' 'calm 0 -'
    assert_records timeout 0
}

@test "a connect that is disturbed goes well" {
    can_trace
    limits CONNECT=3s
    each_disturbance connect_answered
}

accept_disturbed() {
    disturbance "$1"
    steps "${disturb[@]}" listen accept:1 calm
    expect "${disturb_says[@]}" 'listen 0 -' "accept -1 ETIMEDOUT $TWICE" 'calm 0 -'
    assert_records timeout 1
}

@test "an accept is not interrupted, and ends within twice the limit" {
    can_trace
    limits ACCEPT=500ms
    each_disturbance accept_disturbed
}

@test "a debugger that attaches and leaves disturbs nothing" {
    local TMO_CUT=60
    # shellcheck disable=SC2016 # the inner shell's own $
    local shell='touch ready; for i in $(seq 500); do [ ! -s attach ] || break; sleep 0.02; done'

    requires gdb
    can_trace
    peer_start silent
    limits RECV=1500ms EVENTS=connect,timeout
    # Started before, and told whom: on a busy machine its start takes longer than the program waits.
    bounded gdb -nx -batch -ex "shell $shell" -ex 'source attach' -ex detach </dev/null \
        >gdb-said 2>&1 &
    gdb_pid=$!
    while [[ ! -e ready ]]; do
        kill -0 "$gdb_pid" || skip "gdb does not start in time"
        sleep 0.02
    done
    steps connect:"$PEER_PORT" recv >said &
    wait_pid=$!
    # the program is in its recv once it has the connection
    for ((tries = 0; tries < 500; tries++)); do
        [[ ! -s log || ! $(<log) =~ \"connect\".*\"pid\":([0-9]+) ]] || break
        sleep 0.02
    done
    echo "attach ${BASH_REMATCH[1]}" >attach.new
    mv attach.new attach
    wait "$gdb_pid"
    wait "$wait_pid"
    [[ $(record timeout '[.limit, .call] | join(" ")') == "recv recv" ]] || fail "no timeout"
}

# --- handlers that are to interrupt ---------------------------------------------------------------

@test "with a handler without SA_RESTART a wait is interrupted, as bare" {
    limits TIMEOUT=2s ACCEPT=2s
    peer_start silent
    same_as_bare handler:usr1:plain storm:usr1:200:1 connect:"$PEER_PORT" recv handled
    [[ $output == *"recv -1 EINTR"* ]] || fail "no EINTR"
    same_as_bare handler:usr1:plain storm:usr1:200:1 listen accept:1 handled
    [[ $output == *"accept -1 EINTR"* ]] || fail "no EINTR"
    peer_start unreachable
    same_as_bare handler:usr1:plain storm:usr1:200:1 connect:"$PEER_PORT" handled
    [[ $output == *"connect -1 EINTR"* ]] || fail "no EINTR"
    peer_start noread
    steps handler:usr1:plain connect:"$PEER_PORT" fill storm:usr1:300:1 send:5 handled
    expect 'handler 0 -' 'connect 0 -' 'fill * -' 'storm 0 -' 'send -1 EINTR' 'handled 1 -'
    assert_records timeout 0
}

@test "a send that such a handler cut short: the peer's silence goes on counting in the next" {
    local long=(handler:usr1:plain connect storm:usr1:1500:1 send:8388608)
    local said=('handler 0 -' 'connect 0 -' 'storm 0 -' 'send * - @1400-2000')

    peer_start noread
    long[1]=connect:$PEER_PORT
    limits SEND=2s
    steps "${long[@]}" send:4000000 send:5 # what there is room for is taken
    expect "${said[@]}" 'send * - @300-1400' 'send -1 ETIMEDOUT @0-200'
    assert_records timeout 1
    steps "${long[@]}" fill send:5 # one that does not wait comes between
    expect "${said[@]}" 'fill * -' 'send -1 ETIMEDOUT @2000'
    assert_records timeout 2
}

@test "with a timeout of the program's own a wait is interrupted, as bare" {
    peer_start silent
    for mode in cap fill; do
        limits RECV=3s MODE=$mode
        same_as_bare handler:usr1:restart storm:usr1:200:1 connect:"$PEER_PORT" set:rcvtimeo:2000 \
            recv handled
        [[ $output == *"recv -1 EINTR"* ]] || fail "no EINTR"
    done
    assert_records timeout 0
}

# --- fork and vfork -------------------------------------------------------------------------------

@test "after a fork, parent and child are each bounded, and each that used it has its record" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" fork recv join recv
    expect 'connect 0 -' 'fork 0 -' 'recv -1 ETIMEDOUT @300' 'fork 0 - joined' \
        'recv -1 ETIMEDOUT @300'
    assert_records timeout 2
    assert_records close 2
    [[ $(record close '[.pid, .shared] | join(" ")' | sort -u | grep -c true) -eq 2 ]] ||
        fail "not two processes that share it"
}

@test "a child that does not use the connection leaves no record" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" fork on:1 connect:"$PEER_PORT" recv join state close
    expect 'connect 0 -' 'fork 0 -' 'connect 0 -' 'recv -1 ETIMEDOUT @300' 'fork 0 - joined' \
        'state 1 -' 'close 0 -'
    assert_records timeout 1
    assert_closes "out exit 1" "out close 0"
}

@test "a child's second expiry does not end a connection for its parent" {
    limits RECV=300ms
    steps "${PAIR[@]}" on:1 fork recv join fork recv join state on:2 send:3 on:1 recv:3
    expect "${PAIR_SAYS[@]}" 'fork 0 -' 'recv -1 ETIMEDOUT @300' 'fork 0 - joined' 'fork 0 -' \
        'recv -1 ETIMEDOUT @300' 'fork 0 - joined' 'state 1 -' 'send 3 -' 'recv 3 - *'
}

@test "a vfork child that closes the number leaves the parent's state as it is" {
    peer_start silent
    limits RECV=300ms
    steps connect:"$PEER_PORT" vfork_close recv get:rcvtimeo close
    expect 'connect 0 -' 'vfork_close 0 -' 'recv -1 ETIMEDOUT @300' 'get 300 - rcvtimeo' 'close 0 -'
    assert_timeouts "recv 300 recv 127.0.0.1:$PEER_PORT"
    assert_closes "out close 1"
}
