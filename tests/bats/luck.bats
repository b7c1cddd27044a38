#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the helpers read and set what is not seen here
#
# What went well by luck only. The program checks itself: tests/programs/luck.c says what is done.

load helpers
load steps

# luck CASE SETTING=VALUE…: under the shim, with a log; each setting without its SOCKTMO_.
luck() {
    local case=$1

    shift
    limits "$@"
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" SOCKTMO_STRICT=on -- "$TMO_BUILD/tests/luck" "$case"
    said_ok "$case"
}

# bare_luck CASE: the same without the shim.
bare_luck() {
    bare -- "$TMO_BUILD/tests/luck" "$1"
    said_ok "$1"
}

said_ok() {
    [[ $status -ne 0 || $output != "$1: skip "* ]] || skip "${output#*: skip }"
    [[ $status -eq 0 && $output == "$1: ok" ]] || fail "$1: status $status"
}

# to_listener EVENT COUNT: so many records of connections out, each with the listener for its peer.
to_listener() {
    local listener peers

    listener=$(record close 'select(.dir == "listen") | .local')
    peers=$(record "$1" 'select(.dir == "out") | .peer' | sort | uniq -c | awk '{ print $1, $2 }')
    [[ -n $listener && $peers == "$2 $listener" ]] ||
        fail "$1 records name $peers, not $2 times $listener"
}

@test "a number that is reused while a big send goes on: the new peer gets its own bytes only" {
    bare_luck number_send
    luck number_send TIMEOUT=600ms
    to_listener close 2
}

@test "a number that is reused while a recv waits: what comes is for the new connection's reader" {
    bare_luck number_recv
    luck number_recv TIMEOUT=600ms
    to_listener close 2
    assert_records timeout 0
}

@test "an error queue that nobody reads: the wait ends in time and burns no CPU" {
    luck error_queue TIMEOUT=500ms
    assert_timeouts "recv 500 recv $(record timeout .peer)"
}

@test "MSG_OOB that is announced and not there is EAGAIN at once" {
    bare_luck out_of_band
    luck out_of_band TIMEOUT=300ms
    assert_records timeout 0
}

@test "a datagram to a receiver that is full ends in time" {
    luck datagram TIMEOUT=1000ms PROTO=all
    assert_timeouts "send 1000 sendto -"
}

@test "a connect to another family after one that was refused" {
    bare_luck family
    luck family TIMEOUT=300ms EVENTS=all
}

@test "MSG_WAITALL on UDP and SEQPACKET is one message" {
    bare_luck wait_all
    luck wait_all TIMEOUT=300ms PROTO=all
    assert_records timeout 0
}

@test "sendfile to the end of a file is whole, though the buffer is full" {
    bare_luck file_end
    luck file_end TIMEOUT=300ms
    assert_records timeout 0
}

@test "splice with SPLICE_F_NONBLOCK into a full pipe is EAGAIN at once" {
    bare_luck full_pipe
    luck full_pipe TIMEOUT=300ms
    assert_records timeout 0
}

@test "a connection to 0.0.0.0 is ended at the second expiry" {
    luck any_address TIMEOUT=300ms
    assert_records timeout 2
    assert_closes "out timeout 2" "in exit 0" "listen exit 0"
}

@test "another address after a connect that failed later: the records name the right peer" {
    bare_luck another
    luck another TIMEOUT=300ms
    to_listener timeout 2
    to_listener close 2 # one ended by us, one dissolved by AF_UNSPEC
}

never_waits() {
    luck negative TIMEOUT=300ms MODE="$1"
    assert_records timeout 0
}

@test "a program whose timeouts are below 0 never waits, in cap and fill" {
    bare_luck negative
    side_by_side never_waits cap fill
}

@test "fast open: a send to a slow reader is whole, however long it takes" {
    bare_luck fast_open
    luck fast_open TIMEOUT=500ms
    assert_records timeout 0
}

@test "a file that took the number of an ended connection by freopen is read as a file" {
    luck reopened TIMEOUT=300ms
    assert_records timeout 2
}

@test "syscall(SYS_close) is no cancellation point" {
    bare_luck cancelled
    luck cancelled TIMEOUT=300ms
}

@test "two descriptors of one socket, closed at the same time, 500 times: one record each" {
    bare_luck twice
    luck twice TIMEOUT=1000ms
    [[ $(record close .dir | sort | uniq -c | awk '{ printf "%s %s ", $2, $1 }') == \
        "in 500 listen 500 out 500 " ]] || fail "not 500 records each"
}
