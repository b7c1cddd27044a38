#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the helpers read and set what is not seen here
#
# The calls that wait for descriptors, with limits that are never hit: what they return, when, and
# what signals, forks and other threads make of them is as it is bare. What is tried is in
# tests/programs/waits.c.

load helpers
load steps
load agree

# waits CASE
waits() {
    agree waits "$1"
}

@test "a wait for what does not come lasts as long as it is to, whichever call it is" {
    waits times
}

@test "a wait for ever ends when something comes, and then at once" {
    waits for_ever
}

@test "many short waits are so many timeouts" {
    waits ticks
}

@test "poll: what it says of each kind of descriptor, and of arrays that are none" {
    [[ -z $TMO_PRELOAD ]] || skip "the sanitizer reads the arguments itself"
    waits poll
}

@test "select: the sets, also beyond 1024 descriptors, and what they may not hold" {
    not_emulated "it knows no more than 1024 descriptors"
    waits select
}

@test "the time that was handed over: who writes what is left, and what is no time" {
    waits handed_over
}

@test "a signal that only the wait lets in interrupts it, whenever it comes" {
    not_emulated
    waits let_in
}

@test "a signal that only the wait keeps out is handled when it is over" {
    not_emulated
    waits kept_out
}

@test "a handler interrupts a wait, with SA_RESTART and without" {
    not_emulated
    waits interrupted
}

@test "a handler that waits itself" {
    not_emulated
    waits within
}

@test "a program that is stopped and goes on" {
    waits stopped
}

@test "a jump out of a handler leaves the mask as bare" {
    waits jumped
}

@test "a thread that is cancelled in a wait, and one that is not" {
    not_emulated
    not_on musl "there a cancellation that comes interrupts a call by number, too"
    waits cancelled
}

@test "epoll: level, edge, one-shot, exclusive" {
    waits triggered
}

@test "epoll: registrations, data, copies of a number, nested ones, and what is refused" {
    waits registered
}

@test "epoll_pwait2: times finer than a ms, and longer than a life" {
    not_emulated "it has no epoll_pwait2"
    waits pwait2
}

@test "a descriptor that another thread closes during the wait" {
    not_emulated
    waits closed_meanwhile
}

@test "a non-blocking connect that is refused, goes well, goes well later" {
    waits connecting
}

@test "a connection that ends during the wait" {
    waits ended
}

@test "the program's own SO_RCVTIMEO is no matter to a wait" {
    waits own_timeout
}

@test "two threads that wait for one connection" {
    waits two_threads
}

@test "a child that goes on with its parent's loop" {
    waits forked
}
