#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Sockets and numbers that several processes or threads share. What is tried is in
# tests/guest/shared.c.

load helpers
load steps
load agree

@test "a child uses and closes its parent's connection" {
    agree shared child_closes
}

@test "a child shuts its parent's connection down" {
    agree shared child_shuts_down
}

@test "four processes accept on one listener" {
    agree shared many_accept
}

@test "children that inherit 2000 ends of connections speak only of those that they use" {
    agree shared prefork
    cd with_limits
    # two ends each, used by one child; and two ends of each connection, by the parent
    [[ $(jq -r 'select(.event == "close" and .dir != "listen") | .pid' log | sort | uniq -c |
        awk '{ print $1 }' | sort -n | uniq -c | xargs) == "8 2 1 2000" ]] ||
        fail "not 8 processes with 2 and 1 with 2000 close records"
}

@test "a shell that inherits a connection, with commands and pipes" {
    not_on musl "the shell is not linked with it"
    agree shared shell
}

@test "an epoll set that a child adds to" {
    agree shared epoll_forked
}

@test "an epoll set that tells of what is closed here and open in a child" {
    agree shared epoll_closed
}

@test "a connection handed over by SCM_RIGHTS, used on both sides" {
    agree shared handed_over
}

# --- limits that are hit --------------------------------------------------------------------------

# limited CASE [SETTING=VALUE…]
limited() {
    under SOCKTMO_RECV=1s SOCKTMO_LOG="$PWD/log" "${@:2}" -- "$TMO_BUILD/guest/shared" "$1"
    [[ $status -eq 0 && ${lines[-1]} == "$1: ok" ]] || fail "$1: status $status"
}

@test "of two threads that wait for one connection, one is timed out, and the other gets its data" {
    not_on musl "its words for errnos are others"
    limited two_threads SOCKTMO_NONBLOCK=off
    [[ $output == *"recv: -1 Connection timed out"*"poll: 1"* ]] || fail "not as it is to be"
    assert_records timeout 1
}

@test "a child is timed out, and its parent gets its data" {
    not_on musl "its words for errnos are others"
    limited two_processes SOCKTMO_NONBLOCK=off
    [[ $output == *"recv: -1 Connection timed out"*"status 0"*"has its answer"* ]] ||
        fail "not as it is to be"
    assert_records timeout 1
}

reused() {
    limited "reused_$1"
    [[ $output != *"too busy to tell"* ]] || return 0
    [[ $(record close 'select(.reason == "timeout")' | wc -l) -eq 0 ]] || fail "it was ended"
}

@test "a number that is another connection's by the time that the limit passes" {
    side_by_side reused recv poll select epoll
}
