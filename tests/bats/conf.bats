#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # helpers.bash sets status, output and stderr
#
# The configuration files in examples/conf: what their comments say is so, and a real connection ends
# at the limit of its rule.

load helpers

CONF=$TMO_ROOT/examples/conf

# claims FILE: each "$ socktmo explain ARGUMENTS: RULE KEY=VALUE…" of its comments.
claims() {
    local line arguments rule wanted words found json count=0

    while read -r line; do
        [[ $line =~ ^'#     $ socktmo explain '(.+):\ (\[.+\]|none)\ (.+)$ ]] || fail "no claim: $line"
        read -ra arguments <<<"${BASH_REMATCH[1]}"
        rule=${BASH_REMATCH[2]} wanted=${BASH_REMATCH[3]}
        bare -- "$TMO_BIN" explain --config "$1" --json "${arguments[@]}"
        [[ $status -eq 0 ]] || fail "$line"
        json=$output
        found=$(jq -r '.results[].rule | if . then "[\(.name)]" else "none" end' <<<"$json")
        [[ $found == "$rule" ]] || fail "$line: the rule is $found"
        for words in $wanted; do
            found=$(jq -r --arg key "${words%%=*}" '.results[].settings[$key].value' <<<"$json")
            [[ $found == "${words#*=}" ]] || fail "$line: ${words%%=*} is $found"
        done
        count=$((count + 1))
    done < <(grep -F "$ socktmo" "$1")
    [[ $count -ge 3 ]] || fail "only $count claims"
    # every rule has one
    while read -r rule; do
        grep -qF ": $rule " "$1" || fail "nothing is said of $rule"
    done < <(grep '^\[' "$1")
}

# without_log FILE: a copy without the log of the system, as ./conf.
without_log() {
    grep -v '^log ' "$1" >conf
}

@test "each file is good" {
    for file in "$CONF"/*.conf; do
        bare -- "$TMO_BIN" check "$file"
        [[ $status -eq 0 ]] || fail "$file"
    done
    [[ $(cd "$CONF" && echo *) == "batch-host.conf database-client.conf laptop.conf web-host.conf" ]]
}

@test "web-host.conf: what its comments say; an application that is silent" {
    claims "$CONF/web-host.conf"
    without_log "$CONF/web-host.conf"
    peer_start mute --any
    under SOCKTMO_CONFIG=conf SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.2 "$PEER_PORT"
    [[ $status -eq 1 && $output == *"Connection timed out" ]] || fail "the end"
    assert_between 1950 4500
    [[ $(record timeout '[.rule, .limit, .limit_ms]') == '["applications","recv",2000]' ]] ||
        fail "the record"
}

@test "database-client.conf: what its comments say; a dead tunnel" {
    claims "$CONF/database-client.conf"
    peer_start mute --any
    under SOCKTMO_CONFIG="$CONF/database-client.conf" SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.3 "$PEER_PORT"
    [[ $status -eq 1 && $output == *"Connection timed out" ]] || fail "the end"
    assert_between 1950 4500
    [[ $(record timeout '[.rule, .limit, .limit_ms]') == '["tunnel","recv",2000]' ]] ||
        fail "the record"
}

@test "batch-host.conf: what its comments say; a backup ends with 124, another program does not" {
    claims "$CONF/batch-host.conf"
    without_log "$CONF/batch-host.conf"
    cp "$TMO_BUILD/examples/legacy-client" "$BATS_TEST_TMPDIR/backup-home"
    peer_start mute --any
    under SOCKTMO_CONFIG=conf SOCKTMO_LOG="$PWD/log" -- "$BATS_TEST_TMPDIR/backup-home" 127.0.0.4 \
        "$PEER_PORT"
    [[ $status -eq 124 && $output == "" ]] || fail "the end"
    assert_between 1950 4500
    [[ $(record timeout '[.rule, .action]') == '["backup","exit"]' ]] || fail "the record"
    rm log
    TMO_CUT=3 under SOCKTMO_CONFIG=conf SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.4 "$PEER_PORT"
    [[ $status -eq 124 ]] || fail "another program was ended"
    assert_between 2950 6000
    assert_records timeout 0
}

@test "laptop.conf: what its comments say; a helper that hangs" {
    claims "$CONF/laptop.conf"
    peer_start mute --any
    under SOCKTMO_CONFIG="$CONF/laptop.conf" SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.5 "$PEER_PORT"
    [[ $status -eq 1 && $output == *"Connection timed out" ]] || fail "the end"
    assert_between 950 3500
    [[ $(record timeout '[.rule, .limit_ms]') == '["helper",1000]' ]] || fail "the record"
}
