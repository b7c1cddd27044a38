#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Children of every kind, other programs, and what a process is made of, while there are
# connections. What is tried is in tests/guest/processes*.h.

load helpers
load steps
load agree

@test "a program with threads, and a handler that makes socket calls, forks" {
    agree processes fork_storm
}

@test "children by fork, _Fork and clone close, copy and connect; the parent goes on" {
    agree processes forks
}

@test "vfork children that close, copy, connect, and exit or execute" {
    agree processes vforks
}

@test "clone with descriptors of its own, in its own memory and in the parent's" {
    agree processes clones
}

@test "clone with the parent's descriptors: what the child made of them is what the parent has" {
    agree processes clones_files
    # with nothing in the way but the kernel's timeouts
    agree processes clones_files SOCKTMO_IDLE=off SOCKTMO_TOTAL=off
}

@test "a thread that has descriptors of its own from now on" {
    agree processes unshare_files
}

@test "posix_spawn with file actions and attributes" {
    agree processes spawns
}

@test "popen, pclose, system" {
    not_on musl "the shell is not linked with it"
    agree processes pipes
}

@test "a socket handed through five execs; masks, pending signals, descriptors" {
    agree processes exec_chain
}

@test "exec that fails, in every way, between uses of a connection" {
    agree processes exec_fails
}

@test "a daemon that closes every number, then serves by children" {
    agree processes daemon
}

@test "every way to end, with what runs on the way out" {
    agree processes ends
}

@test "stopped, continued and killed in a wait" {
    agree processes killed
}

@test "errno, words, environment, descriptors, threads, children, memory as the kernel gave them" {
    without_thread "it counts threads"
    agree processes what_there_is
}

@test "a cleared environment, and none at all" {
    agree processes clearenv
}

@test "traced by its parent" {
    agree processes traced
}
