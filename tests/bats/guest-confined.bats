#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # helpers.bash sets status and output
#
# Programs that gave up rights, system calls, memory or a part of what they see, and go on with
# their connections. What is tried is in tests/guest/confined*.h.

load helpers
load steps
load agree

# The kernel's timeouts alone: idle and total need poll (libsocktmo(8), LIMITATIONS).
KERNEL_ONLY=(SOCKTMO_IDLE=off SOCKTMO_TOTAL=off SOCKTMO_RULES= SOCKTMO_CONFIG=)

@test "a filter that kills for all but data calls: a data call adds no other" {
    without_thread "the filter knows nothing of a thread"
    agree confined filter_data "${KERNEL_ONLY[@]}"
}

@test "read and write, and nothing else (SECCOMP_MODE_STRICT)" {
    without_thread "a thread is started where a connection is first used"
    agree confined strict "${KERNEL_ONLY[@]}"
}

@test "a filter that knows what the library says that it calls" {
    without_thread "the filter knows nothing of a thread"
    agree confined filter_known
}

@test "a filter that refuses what the library calls besides, one after another: EPERM" {
    agree confined filter_eperm
}

@test "a filter that refuses what the library calls besides, one after another: ENOSYS" {
    agree confined filter_enosys
}

@test "a filter that refuses the other forms of poll and epoll_wait" {
    agree confined filter_waits
}

@test "root that becomes somebody else, with threads" {
    agree confined identity
}

@test "not dumpable, no new privileges, another name" {
    agree confined flags
}

@test "chroot into an empty folder" {
    agree confined chroot
}

@test "a /proc that is gone" {
    [[ ${TMO_SAN-} != asan ]] || skip "libasan says that it misses it"
    agree confined no_proc
}

@test "namespaces of users, nets and processes, entered after sockets were used" {
    without_thread "which only a process with one thread may enter"
    agree confined namespaces
}

@test "more sockets than there is memory for a table: as many as bare" {
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer needs memory of its own"
    agree confined no_memory
}

@test "a limit on the size of files, set in three ways: no SIGXFSZ of ours" {
    [[ ${TMO_SAN-} != asan ]] || skip "setrlimit is not wrapped in this build: Makefile"
    agree confined file_size
}

@test "small stacks, no locked memory, no processes, no descriptors" {
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer needs memory of its own"
    agree confined limits
}

@test "a set-uid copy of a program, run by another user: it runs, and is left alone" {
    [[ $EUID -eq 0 ]] || skip "needs root to make a set-uid program"
    requires setpriv util-linux
    local dir
    dir=$(mktemp -d /tmp/guest.XXXXXX) # the test's own folder is not open to others
    chmod 755 "$dir"
    install -m 4755 "$TMO_BUILD/guest/confined" "$dir/copy"
    install -m 755 "$TMO_LIB" "$dir/lib.so"
    for nosuid in "" yes; do
        [[ -z $nosuid ]] || chmod u-s "$dir/copy"
        bare -- setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/copy" flags
        printf '%s\n' "$output" >without
        [[ $status -eq 0 ]] || fail "bare"
        bare -- setpriv --reuid 65534 --regid 65534 --clear-groups env \
            LD_PRELOAD="${TMO_PRELOAD:+$TMO_PRELOAD:}$dir/lib.so" "${NEVER_HIT[@]}" \
            SOCKTMO_LOG=stderr "$dir/copy" flags
        [[ $status -eq 0 ]] || fail "under the library"
        grep -v '^{' <<<"$output" >with
        diff without with || fail "it says otherwise"
        if [[ -z $nosuid ]]; then
            ! grep -q '"program":"copy"' <<<"$output" || fail "the library was there"
        else
            grep -q '"program":"copy"' <<<"$output" || fail "the library was not there"
        fi
    done
    rm -r "$dir"
}
