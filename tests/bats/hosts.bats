#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# `host`: a record says which name the program knew the peer by. What is done is in
# tests/guest/names-visits.h; the names are those of an /etc/hosts of the program's own.

load helpers

NAMES=$TMO_BUILD/guest/names

setup() {
    tmo_setup
    unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
}

# visits CASE [SETTING=VALUE…]: with a log.
visits() {
    under SOCKTMO_LOG="$PWD/log" "${@:2}" -- "$NAMES" "$1"
    [[ $status -eq 0 && ${lines[-1]} == "$1: ok" ]] || fail "$1 was not done"
}

# peers EVENT [FILTER]: address and name of each peer, in order.
peers() {
    record "$1" 'select(.dir == "out") | ((.peer | split(":")[0]) + " " + (.host // "-"))'
}

# assert_peers EVENT LINE…
assert_peers() {
    local event=$1

    shift
    diff <(peers "$event") <(printf '%s\n' "$@") || fail "these are not the peers of '$event'"
}

@test "each call that gives an address for a name, or a name for an address" {
    local -a peers=('127.0.0.2 a.test' '127.0.0.3 b.test' '127.0.0.4 two.test'
        '127.0.0.5 both.test' '127.0.0.8 many.test' '127.0.0.10 -' '127.0.0.9 -' '127.0.0.10 3com')

    visits ways SOCKTMO_EVENTS=close,connect
    assert_peers close "${peers[@]}"
    assert_peers connect "${peers[@]}"
}

@test "in text, and never of a listener" {
    visits ways SOCKTMO_LOG_FORMAT=text
    grep -Eq ' peer=127\.0\.0\.2:[0-9]+ host=a\.test age_ms=' log || fail "no host in text"
    ! grep 'dir=listen' log | grep -q 'host=' || fail "a listener has a host"
}

@test "a timeout, and a connect that is refused" {
    visits timeout SOCKTMO_RECV=100ms SOCKTMO_EVENTS=timeout,connect
    assert_peers timeout '127.0.0.3 b.test'
    [[ $(record connect '[.host, .outcome] | @tsv' | tail -n 1) == $'a.test\terror' ]] ||
        fail "the refused connect is not that of a.test"
}

@test "an accepted connection whose peer was looked up" {
    visits accepted
    [[ $(record close 'select(.dir == "in") | .host') == b.test ]] || fail "no name of the peer"
    [[ $(record close 'select(.dir == "out") | has("host")') == false ]] || fail "nobody's name"
}

@test "two names of one address: each thread's connections carry the one that it looked up" {
    visits threads
    [[ $(record close 'select(.dir == "out") | "\(.tid) \(.host)"' | sort | uniq -c |
        awk '{ print $1, $3 }' | sort) == $'20 one.test\n20 two.test' ]] ||
        fail "not twenty of each, of one thread each"
}

@test "two names of one address: where another thread looks up, its last one counts" {
    visits resolver_thread
    assert_peers close '127.0.0.4 one.test' '127.0.0.4 two.test'
}

@test "a forked child knows what its parent looked up; the parent nothing of the child's" {
    visits fork
    assert_peers close '127.0.0.4 one.test' '127.0.0.3 b.test' '127.0.0.4 one.test'
}

@test "records of a signal handler, in the middle of look-ups" {
    visits handler
    record close 'select(.dir == "out") | .host // "-"' | sort -u >hosts
    ! grep -vxE 'one\.test|two\.test|-' hosts || fail "another name"
    grep -qE 'test' hosts || fail "no name at all"
}

@test "a rule for a name: what was looked up by that name has its limits, also without a log" {
    visits timeout SOCKTMO_RULES='to b.*st: recv=100ms' SOCKTMO_EVENTS=timeout
    assert_peers timeout '127.0.0.3 b.test'
    under SOCKTMO_RULES='to b.test: recv=100ms' -- "$NAMES" timeout
    [[ $status -eq 0 ]] || fail "the rule for b.test was not found without a log"
    assert_between 100 3000
    under SOCKTMO_RECV=100ms SOCKTMO_RULES='to B.test: recv=60s' -- timeout 1 "$NAMES" timeout
    [[ $status -eq 124 ]] || fail "the rule for b.test gave no more time"
}

@test "without a log a look-up touches no memory of ours, and with one only a little" {
    local how kib
    local -A dirty

    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer has memory of its own"
    for how in bare limits logged; do
        case $how in
        bare) bare -- "$NAMES" memory ;;
        limits) under SOCKTMO_RECV=60s -- "$NAMES" memory ;;
        logged) under SOCKTMO_RECV=60s SOCKTMO_LOG="$PWD/log" -- "$NAMES" memory ;;
        esac
        kib=${lines[0]#grew by }
        dirty[$how]=${kib% KiB}
    done
    assert_between "$((dirty[bare] - 8))" "$((dirty[bare] + 8))" "${dirty[limits]}" "KiB with limits"
    assert_between "$((dirty[bare] - 8))" "$((dirty[bare] + 40))" "${dirty[logged]}" "KiB with a log"
}
