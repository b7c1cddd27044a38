#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Look-ups of names and addresses give what they give bare, to errno and h_errno. What is tried is
# in tests/guest/names.c.

load helpers
load steps
load agree

setup() {
    tmo_setup
    unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
}

@test "getaddrinfo: every kind of name, family, flag and service" {
    agree names getaddrinfo
}

@test "names as long as there can be, and longer" {
    agree names lengths
}

@test "gethostbyname and gethostbyname2; a name that lies in the last answer" {
    agree names gethostbyname
}

@test "gethostbyname_r and gethostbyname2_r: buffers of every length" {
    agree names small_buffers
}

@test "gethostbyaddr and gethostbyaddr_r: addresses that nobody has, lengths, families, buffers" {
    agree names gethostbyaddr
}

@test "getnameinfo: flags, lengths, addresses that nobody has" {
    agree names getnameinfo
}

@test "bad pointers crash where they crash bare, and only there" {
    [[ -z $TMO_PRELOAD ]] || skip "the sanitizer reads the arguments itself"
    agree names pointers
}

@test "connections to what was looked up, by every call" {
    agree names ways
    agree names accepted
}

@test "look-ups in two threads, before a fork, and while a signal handler connects" {
    agree names threads
    agree names fork
    agree names handler
    agree names resolver_thread
}

@test "the same in a thread, under a limit for look-ups that is never hit" {
    local case

    # not gethostbyname: of a name in its last answer libc finds another, for it writes over the name
    for case in getaddrinfo lengths small_buffers gethostbyaddr getnameinfo ways accepted threads \
        fork handler resolver_thread; do
        agree names "$case" SOCKTMO_DNS=60s
    done
    [[ -n $TMO_PRELOAD ]] || agree names pointers SOCKTMO_DNS=60s
}
