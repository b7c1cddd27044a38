#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Waits for the peer to take, on blocking sockets.

load helpers
load steps

SENDING=(
    write:write writev:writev send:send sendto:sendto sendmsg:sendmsg sendmmsg:sendmmsg
    sendfile:sendfile sendfile64:sendfile splice_out:splice sys_write:write sys_writev:writev
    sys_sendto:sendto sys_sendmsg:sendmsg sys_sendmmsg:sendmmsg sys_sendfile:sendfile
    sys_splice_out:splice
)
without_those_lacking SENDING
STREAMING=(write writev send sendto sendmsg sys_write sys_sendto)
MB=1048576

# saved_by_peer BYTES: ./save is that long, in a while.
saved_by_peer() {
    local tries=500

    until [[ -e save && $(stat -c %s save) -ge $1 ]]; do
        tries=$((tries - 1))
        [[ $tries -gt 0 ]] || fail "the peer has $(stat -c %s save) of $1 bytes"
        sleep 0.02
    done
}

@test "bare, a send to a peer that does not read hangs" {
    peer_start noread
    hangs connect:"$PEER_PORT" fill send
}

send_to_nobody() {
    steps connect:"$PEER_PORT" fill "${1%:*}:4096"
    expect 'connect 0 -' 'fill * -' "${1%:*} -1 ETIMEDOUT @500"
    assert_timeouts "send 500 ${1#*:} 127.0.0.1:$PEER_PORT"
    assert_closes "out exit 1"
}

@test "every call that sends ends at the limit, with one timeout and one close on record" {
    peer_start noread
    limits SEND=500ms
    side_by_side send_to_nobody "${SENDING[@]}"
}

@test "a call that sends something leaves errno alone" {
    peer_start mute
    limits SEND=500ms
    for row in "${SENDING[@]}"; do
        steps connect:"$PEER_PORT" "${row%:*}:30"
        case $row in
        *mmsg*) expect 'connect 0 -' "${row%:*} 2 -" ;;
        *) expect 'connect 0 -' "${row%:*} 30 -" ;;
        esac
    done
    assert_records timeout 0
}

@test "a pointer that leads nowhere gives what it gives bare" {
    local -a calls=()

    peer_start mute
    limits SEND=500ms
    for row in "${SENDING[@]}"; do
        [[ $row == *splice* || $row == sendfile64:* ]] || calls+=("${row%:*}:3::bad")
        [[ $row != *writev* && $row != *msg* ]] || calls+=("${row%:*}:3::badvector")
    done
    same_as_bare connect:"$PEER_PORT" "${calls[@]}" send:3 connect_nowhere
    [[ $output == *EFAULT* ]] || fail "no EFAULT"
}

# send_slowly CALL[:MB]: for more than three times the limit. Small buffers at both ends: left alone
# the kernel takes up to 6 MB for the peer before anything has to wait.
send_slowly() {
    local call=${1%:*} bytes=$((11 * MB)) low=900

    [[ $1 != *:* ]] || bytes=$((${1#*:} * MB)) low=500
    peer_start slowread --chunk 524288 --every 200 --room 1048576 --save save
    steps socket:tcp set:sndbuf:65536 connect:"$PEER_PORT" "$call:$bytes" save:sent close
    expect 'socket * -' 'set 0 -' 'connect 0 -' "$call $bytes - @$low-14000" "save $bytes -" \
        'close 0 -'
    assert_records timeout 0
    saved_by_peer "$bytes"
    cmp sent save
    peer_stop "$PEER_PID"
}

@test "a slow peer that still takes something gets all of it, however long that is" {
    limits SEND=300ms
    # sendfile(2) is slower in the kernel, bare, too: 4 MB take it 1 to 8 s
    calls=(write writev send sendto sendmsg sys_write sys_sendmsg sendfile:4 sys_sendfile:4)
    without_those_lacking calls
    side_by_side send_slowly "${calls[@]}"
}

# Both ends are ours, so that the one can read at last what the other sent.
send_and_stop() {
    steps listen on:1 dial:0 on:0 accept:2 on:1 "$1:$((8 * MB))" "$1:10" send:10:dontwait "$1:10" \
        save:sent get:error shutdown:wr on:2 "recv:$((9 * MB)):waitall" got:got
    expect 'listen 0 -' 'dial 0 -' 'accept * -' "$1 [1-9]* - @300" "$1 -1 ETIMEDOUT @0-100" \
        'send -1 ETIMEDOUT @0-100' "$1 -1 ETIMEDOUT @0-100" 'save * -' 'get 0 - none' \
        'shutdown 0 -' 'recv * - *' 'got * -'
    [[ $(answer 4) -lt $((8 * MB)) ]] || fail "all of it was taken"
    [[ $(answer 4) -eq $(answer 11) ]] || fail "$(answer 4) bytes sent, $(answer 11) received"
    cmp sent got
    assert_records timeout 1
}

@test "a peer that stops: the part that was taken, then ETIMEDOUT; nothing lost or repeated" {
    limits SEND=300ms
    side_by_side send_and_stop "${STREAMING[@]}"
}

# The kernel itself waits for each of its chunks of 64 KiB anew: three limits, measured, and nothing
# that we could cut short without a system call more for each chunk.
@test "a peer that stops within a sendfile: the part that was taken, in three limits" {
    limits SEND=300ms
    BUSY_MS=1000
    side_by_side send_and_stop sendfile
}

@test "after a short send the other direction still works" {
    limits SEND=300ms RECV=300ms
    steps listen on:1 dial:0 on:0 accept:2 on:1 send:$((8 * MB)) send:1 on:2 send:5 on:1 recv:5
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'send * - @300' 'send -1 ETIMEDOUT @0-100' \
        'send 5 -' 'recv 5 - *'
}

@test "a socket that the peer emptied again can be written to after a timeout" {
    limits SEND=300ms RECV=400ms
    steps listen on:1 dial:0 on:0 accept:2 on:1 fill send:10 on:2 recv:$((11 * MB)):waitall on:1 \
        poll:out:2000 send:10
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'fill * -' 'send -1 ETIMEDOUT @300' 'recv * - *' \
        'poll 1 - out' 'send 10 -'
}

@test "EAGAIN of a non-blocking send is the program's own" {
    peer_start noread
    limits SEND=300ms
    steps connect:"$PEER_PORT" fill send:10:dontwait sendto:10:dontwait sendmsg:10:dontwait \
        sendmmsg:10:dontwait nonblock:fcntl write:10 sendfile:10 send:10
    expect 'connect 0 -' 'fill * -' 'send -1 EAGAIN @0-200' 'sendto -1 EAGAIN @0-200' \
        'sendmsg -1 EAGAIN @0-200' 'sendmmsg -1 EAGAIN @0-200' 'nonblock 0 -' \
        'write -1 EAGAIN @0-200' 'sendfile -1 EAGAIN @0-200' 'send -1 EAGAIN @0-200'
    assert_records timeout 0
}

@test "a short count on a non-blocking socket is the program's own" {
    peer_start noread
    limits SEND=300ms
    steps connect:"$PEER_PORT" nonblock:ioctl send:$((8 * MB)) nonblock:off
    expect 'connect 0 -' 'nonblock 0 -' 'send [1-9]* - @0-200' 'nonblock 0 -'
    assert_records timeout 0
}

@test "a peer that is gone: EPIPE and SIGPIPE as bare" {
    peer_start reset
    limits SEND=1s RECV=1s
    same_as_bare handler:pipe:restart connect:"$PEER_PORT" poll:rdhup:2000 send:5 handled send:5 \
        handled send:5:nosignal handled write:5 handled get:error
    [[ $output == *EPIPE* ]] || fail "no EPIPE"
    assert_records timeout 0
}

@test "a peer that goes away within a send: the errno as bare" {
    peer_start reset --after 300
    limits SEND=2s
    same_as_bare handler:pipe:restart connect:"$PEER_PORT" fill send:5 handled
    [[ $output == *ECONNRESET* ]] || fail "no ECONNRESET"
    assert_records timeout 0
}

@test "sendfile ends at the end of the file, without a wait" {
    peer_start mute
    limits SEND=500ms
    steps connect:"$PEER_PORT" send:$((12 * MB - 10)) sendfile:1000
    expect 'connect 0 -' "send $((12 * MB - 10)) -" 'sendfile 10 - @0-200'
    assert_records timeout 0
}
