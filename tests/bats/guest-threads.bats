#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Threads and sockets. What is tried is in tests/guest/threads.c.

load helpers
load steps
load agree

@test "every call, and every way to close, on a stack of 16 KiB" {
    not_tsan "libtsan refuses stacks of less than 900 KiB"
    agree threads small_stacks
}

@test "destructors of a thread's data close connections" {
    agree threads destructors
}

@test "a connection outlives the thread that opened it" {
    agree threads left_open
}

@test "a program outlives its first thread" {
    not_tsan "libtsan fails a check of its own when a thread joins the first one"
    agree threads main_ends
}

@test "errno is each thread's own" {
    agree threads errno
}

@test "signals, one upon the other, to threads that open, use and close connections" {
    agree threads kill_storm
}

@test "eight threads that use the same numbers: each connection on record, once, as it was" {
    agree threads numbers GUEST_KNOWN="$PWD/known"
    jq -r 'select(.event == "close" and .dir == "out") | "\(.local) \(.peer)"' with_limits/log |
        sort >recorded
    [[ $(wc -l <known) -gt 500 ]] || fail "only $(wc -l <known) connections"
    diff <(sort known) recorded >differs || fail "other records: $(head -n 20 differs)"
    [[ $(jq -r 'select(.event == "timeout")' with_limits/log | wc -l) -eq 0 ]] || fail "a timeout"
}
