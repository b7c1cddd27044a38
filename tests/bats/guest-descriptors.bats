#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031 # the helpers set what is not seen here
#
# Which numbers sockets get, what becomes of them when they are closed, and of what takes them next.
# What is tried is in tests/guest/descriptors.c.

load helpers
load steps
load agree

@test "every call gives the lowest free number, whatever the limit" {
    agree descriptors lowest
}

@test "no free number: every call says so, and nothing is lost" {
    agree descriptors full
}

@test "copies of a number are one socket, which lives till the last" {
    agree descriptors dups
}

@test "ranges of descriptors, marked and closed" {
    agree descriptors ranges
}

@test "a thread with a table of its own" {
    agree descriptors unshare
}

@test "19,000 sockets, then as many files" {
    agree descriptors many
}

@test "numbers where tables end, as sockets and as files" {
    agree descriptors high
}

# beyond FIRST: numbers from there on are allowed, or the test is skipped.
beyond() {
    local most=$(($1 + 64)) allowed

    export GUEST_BEYOND=$1
    allowed=$(ulimit -Hn)
    [[ $allowed == unlimited || $allowed -ge $most ]] || (ulimit -n $most) 2>/dev/null ||
        skip "no more than $allowed descriptors are allowed here, and this needs $most"
    agree descriptors beyond
    [[ $(jq -c "select(.event == \"close\" and .fd == $1) | .reason" with_limits/log) == *'"close"' ]] ||
        fail "no close of $1 on record"
    under SOCKTMO_RECV=300ms SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/guest/descriptors" beyond_limit
    [[ $output == *"recv: -1 "*"read: 0 -"*"beyond_limit: ok" ]] || fail "not as it is to be"
    [[ $(record timeout '[.fd, .limit, .call] | join(" ")') == "$1 recv recv" ]] || fail "no timeout"
    assert_between 300 900 "$(record timeout .waited_ms)" waited_ms
}

@test "sockets at numbers from 15,000 on" {
    beyond 15000
}

@test "sockets at numbers from 150,000 on, which share what is kept of low ones" {
    beyond 150000
}

@test "numbers closed by every road are what they are next: a file, a pipe, a socket" {
    agree descriptors reuse
}

@test "sockets as standard input, output and error" {
    agree descriptors standard
}

@test "programs that are started with a connection, or with a listener" {
    agree descriptors exec
}

@test "descriptors in messages, by every kind of socket and size of buffer" {
    agree descriptors rights
}

@test "descriptors that go to another process and back, and where there is no room" {
    agree descriptors rights_limits
}

@test "servers that fork, before they accept and after" {
    agree descriptors servers
}
