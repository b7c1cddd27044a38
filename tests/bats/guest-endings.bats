#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# How connections end, and what comes beside their bytes. What is tried is in tests/guest/endings.c.

load helpers
load steps
load agree

@test "SO_ERROR is given once" {
    agree endings so_error
}

@test "sends after the peer's reset: the error, then SIGPIPE, where it is not ignored" {
    agree endings sigpipe
}

@test "a reset with something unread on either side" {
    agree endings reset_unread
}

@test "connections that are closed one way, and then the other" {
    agree endings half_closed
}

@test "the end comes with the last bytes" {
    agree endings data_with_fin
}

@test "shutdown wakes an accept and a recv in another thread" {
    agree endings shutdown_wakes
}

@test "edge-triggered events across the end of a connection" {
    agree endings edges
}

@test "one-shot events across the end of a connection" {
    agree endings one_shot
}

@test "urgent data, its mark, and SIGURG" {
    agree endings urgent
}

@test "SO_RCVLOWAT with poll, select and recv" {
    agree endings lowat
}

@test "closes that wait, and one that resets" {
    agree endings linger
}

@test "a MiB over small buffers to a slow reader" {
    agree endings slow_reader
}

@test "a reset in the middle of a send: the part, then the error, by each road" {
    agree endings reset_within_send
}

@test "a reset in the middle of a MSG_WAITALL: the part, then the error, by each road" {
    agree endings reset_within_waitall
}

@test "a recv whose number another thread closes gets what comes" {
    # idle and total, which wait for the number, tell of EBADF there; rules have them, too
    [[ ${GUEST_ENGINE-} != watchdog ]] || skip "without a timeout of the socket the wait is for its number"
    agree endings closed_meanwhile SOCKTMO_IDLE=off SOCKTMO_TOTAL=off SOCKTMO_RULES= SOCKTMO_CONFIG=
}

# --- limits that are hit --------------------------------------------------------------------------

@test "after a limit on an event loop: the same errno by every call, no SIGPIPE, the edge anew" {
    not_on musl "its words for errnos are others"
    under SOCKTMO_RECV=1s SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/guest/endings" after_end
    [[ $status -eq 0 && ${lines[-1]} == "after_end: ok" ]] || fail "status $status"
    expected=$(for call in send write writev sendmsg sendmmsg sendfile splice; do
        echo "$call: -1 Connection timed out"
        echo "$call: -1 Connection timed out"
    done)
    expected+="
recv: -1 Connection timed out
SO_ERROR Connection timed out
SO_ERROR Connection timed out
SO_ERROR Connection timed out
peer's recv: -1 Connection reset by peer
close: 0 -
after_end: ok"
    diff <(echo "$expected") <(echo "$output") >differs || fail "$(cat differs)"
    assert_timeouts "recv 1000 epoll_wait $(record timeout .peer)"
    assert_closes "out timeout 1" "in exit 0" "listen close 0"
}
