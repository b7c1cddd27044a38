#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Threads that are cancelled in calls on sockets. What is tried is in tests/guest/cancels.c.

load helpers
load steps
load agree

@test "a thread cancelled in any call that waits, deferred" {
    agree cancels deferred
}

@test "a thread cancelled in any call that waits, asynchronously" {
    agree cancels asynchronous
}

@test "where cancellation is off a call goes on" {
    agree cancels disabled
}

@test "cancelled before a call, which then takes nothing" {
    agree cancels pending
}

@test "cancelled before a close, which then closes nothing" {
    agree cancels pending_close
}

@test "calls that are no point of cancellation stay none" {
    agree cancels no_points
}

@test "a thread cancelled in a close that waits" {
    agree cancels linger
}
