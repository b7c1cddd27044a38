#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
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
