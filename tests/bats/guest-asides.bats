#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What comes beside a socket's bytes, or changes how they come. What is tried is in
# tests/guest/asides.c.

load helpers
load steps
load agree

@test "the error queue of a datagram socket" {
    agree asides udp_errqueue
}

@test "datagrams to a port that nobody has, connected and not" {
    agree asides udp_errors
}

@test "datagrams that are empty, and longer than the room for them" {
    agree asides udp_datagrams
}

@test "SO_TIMESTAMPING: stamps of what was sent come by the error queue" {
    agree asides timestamps
}

@test "MSG_ZEROCOPY: what is done comes by the error queue, by its number" {
    agree asides zerocopy
}

@test "MSG_PEEK, MSG_WAITALL and MSG_TRUNC in pairs" {
    agree asides peek
}

@test "TCP_CORK and MSG_MORE" {
    agree asides cork
}

@test "SO_BUSY_POLL" {
    agree asides busy_poll
}

@test "TCP_DEFER_ACCEPT" {
    agree asides defer_accept
}

@test "TCP_FASTOPEN and MSG_FASTOPEN, also where nothing comes of it" {
    agree asides fast_open
}

@test "SO_REUSEPORT: two listeners of one port" {
    agree asides reuseport
}

@test "unix sockets: streams and packets, abstract names, who is the peer" {
    agree asides unix
}

@test "unix sockets: credentials with each message" {
    agree asides credentials
}

@test "unix sockets: datagrams to a slow reader, and to none" {
    agree asides unix_datagrams
}
