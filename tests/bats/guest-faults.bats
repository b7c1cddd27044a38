#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # helpers.bash sets it
#
# If something of ours fails, the call goes through: each system call of the library's own fails
# once, the first, the second, and so on. What is tried is in tests/guest/faults.c.

load helpers
load steps
load agree

# each_fails CALL AT_LEAST: in a program that makes none of them itself; under limits there are so
# many, or the test would show nothing.
each_fails() {
    agree faults "$1" GUEST_COUNT=count
    [[ $(<with_limits/count) -ge $2 ]] || fail "only $(<with_limits/count) calls of $1 were made"
}

@test "setsockopt fails" {
    each_fails setsockopt 8
}

@test "getsockopt fails" {
    each_fails getsockopt 10
}

@test "getsockname fails" {
    each_fails getsockname 8
}

@test "getpeername fails" {
    each_fails getpeername 1
}

@test "no memory for a table" {
    each_fails mmap 3
}

@test "the log cannot be opened" {
    each_fails openat 1
}

@test "a record cannot be written" {
    each_fails writev 8
}

@test "statx fails" {
    each_fails statx 8
}

@test "fcntl fails" {
    each_fails fcntl 1
}

@test "signals cannot be blocked" {
    each_fails rt_sigprocmask 4
}

@test "dlsym finds nothing" {
    not_on musl "it shows its list of what is loaded under no name: there all is asked of dlsym"
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer asks dlsym for all that it stands before"
    "${TMO_CC[@]}" -std=gnu11 -fPIC -shared -o "$BATS_TEST_TMPDIR/none.so" -x c - <<'SOURCE'
void *dlsym(void *handle, const char *name)
{
    (void)handle;
    (void)name;
    return (void *)0;
}
SOURCE
    peer_start silent
    bare "LD_PRELOAD=$BATS_TEST_TMPDIR/none.so:$TMO_LD_PRELOAD" SOCKTMO_RECV=300ms \
        SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" send:5 recv
    expect 'connect 0 -' 'send 5 -' 'recv -1 ETIMEDOUT @300'
    assert_records timeout 1
}
