#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Signal handlers and calls on sockets. What is tried is in tests/guest/interrupts.c.

load helpers
load steps
load agree

# It stands between the kernel and each handler.
HELD_BACK="libtsan calls handlers when the call that waits is over"

@test "a handler with SA_RESTART in any call that waits" {
    not_tsan "$HELD_BACK"
    agree interrupts restarted
}

@test "a handler without SA_RESTART in any call that waits" {
    not_tsan "$HELD_BACK"
    agree interrupts interrupted
}

@test "a handler without SA_RESTART that never runs, and a peer that takes in parts" {
    agree interrupts in_parts
}

@test "a handler without SA_RESTART that never runs, and MSG_WAITALL in parts" {
    agree interrupts waitall
}

@test "a handler that jumps out of any call, wherever it stands" {
    # One that comes between two calls waits for the next that libtsan stands before; splice, and the
    # wait in sendmmsg, it does not know. The program hangs there with nothing but libtsan preloaded.
    not_tsan "libtsan holds signals back, and splice and sendmmsg then wait for ever, also bare"
    agree interrupts jumps
}

@test "a handler that uses sockets 1000 times a second, amid the same calls" {
    agree interrupts storm
}

@test "a handler that uses sockets in any call that waits" {
    not_tsan "$HELD_BACK"
    agree interrupts sockets_within
}

@test "a handler that uses sockets on a stack of 2 KiB beside what the kernel needs" {
    not_covered "without optimizing the library takes more of it"
    not_tsan "libtsan's own frame of a handler is larger"
    [[ ${TMO_SAN-} != asan ]] || skip "libasan's frames are larger"
    agree interrupts small_stack
}
