#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What each call gives for all that it can be handed, to the last errno. What is tried is in
# tests/guest/calls.c.

load helpers
load steps
load agree

# calls CASE [SETTING=VALUE…]: as agree, and once more without idle and total, whose watch over a
# blocking call takes another way than that of the other limits.
calls() {
    mkdir watched unwatched
    (cd watched && agree calls "$@")
    (cd unwatched && agree calls "$@" SOCKTMO_IDLE=off SOCKTMO_TOTAL=off)
}

@test "every call on every kind of descriptor" {
    calls wrong_fds
}

@test "every call twice in a row" {
    calls twice
}

@test "a send from a buffer that is there only in part" {
    not_on musl "its sendmmsg changes errno"
    calls half_a_buffer
}

@test "a receive into a buffer that is there only in part, or may not be written" {
    calls half_a_target
}

@test "lengths of 0, of 2 GB, and of more than there can be" {
    calls lengths
}

@test "vectors with holes, without end, and none at all" {
    calls vectors
}

@test "a connection that ends in the middle of MSG_WAITALL" {
    calls cut_receive
}

@test "a connection that is reset in the middle of a large send" {
    calls cut_send
}

@test "every family and type of socket that there is or is not" {
    calls families
}

@test "a program reads its own SO_RCVTIMEO and SO_SNDTIMEO, by any length and pointer" {
    mkdir cap fill
    (cd cap && calls timeo SOCKTMO_MODE=cap)
    (cd fill && calls timeo SOCKTMO_MODE=fill)
}

@test "a program's own timeout ends its wait" {
    calls own_timeo SOCKTMO_MODE=cap
}

@test "two calls after one another in every state of a socket before it is connected" {
    calls states_before
}

@test "two calls after one another in every state of a connection" {
    calls states_connected
}

@test "two calls after one another in every state that a connection leaves behind" {
    calls states_after
}

@test "addresses by every length, from and to everywhere" {
    [[ -z $TMO_PRELOAD ]] || skip "the sanitizer reads the arguments itself"
    calls addresses
}

@test "MSG_ flags, alone and together, those that there are and others" {
    calls flags
}

@test "files sent and spliced, from every offset" {
    calls files
}

@test "the calls under syscall(2), with bad arguments" {
    not_on musl "its accept4 calls accept where the kernel refuses the flags"
    calls raw
}

@test "fortified calls: buffers that are too small end the program" {
    calls fortified
}
