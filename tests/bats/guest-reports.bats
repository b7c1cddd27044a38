#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # the helpers read what is set here
#
# action = report, with limits of some ms that nearly every wait is longer than: the programs of
# tests/guest say what they say bare.

load helpers
load steps
load agree

@test "handlers, jumps and storms amid waits that outlast their limits" {
    agree_reports interrupts restarted interrupted in_parts waitall jumps storm sockets_within
}

@test "threads that are cancelled in such waits" {
    not_on musl "there a cancellation that comes interrupts a call by number, too"
    agree_reports cancels deferred asynchronous disabled pending pending_close no_points
}

@test "ends of connections, edges, urgent data and slow readers" {
    agree_reports endings so_error sigpipe half_closed data_with_fin shutdown_wakes edges one_shot \
        urgent lowat linger slow_reader reset_within_waitall
}

@test "what each call gives, of every kind of socket" {
    agree_reports calls twice half_a_buffer half_a_target vectors cut_receive cut_send families timeo \
        own_timeo states_before states_connected states_after addresses flags files raw
}

@test "datagrams, peeks, corks, fast open and unix sockets" {
    agree_reports asides udp_errors udp_datagrams timestamps zerocopy peek cork defer_accept fast_open \
        unix credentials unix_datagrams
}

@test "waits for several descriptors" {
    [[ -z $TMO_PRELOAD ]] || skip "the sanitizer reads the arguments itself"
    agree_reports waits times for_ever ticks poll handed_over interrupted within jumped triggered \
        registered
}

@test "sockets that processes share" {
    agree_reports shared child_closes child_shuts_down many_accept epoll_forked epoll_closed
}

@test "threads that come and go" {
    agree_reports threads small_stacks destructors left_open errno kill_storm
}
