#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # jq's $; helpers and fds set and read
#
# What is in the records: every key of a close but its tcp, which is in tcpinfo.bats, with values that
# the test knows by other means; the other events; both formats; and that no name from outside can
# forge a line.

load helpers
load fds

# the JSON type of each key that every record has
common_types='[(.ts, .event, .v, .pid, .tid, .program) | type] | join(" ")'

# --- every record ---------------------------------------------------------------------------------

@test "every record: ts, event, v, pid, tid, program" {
    local before after

    before=$(date -u +%Y-%m-%dT%H:%M:%S)
    peer_start mute
    connected "$PEER_PORT"
    logged SOCKTMO_EVENTS=all SOCKTMO_RECV=100ms SOCKTMO_SEND=2x -- \
        "$FDS" pid "${connected[@]}" recv:a:1 l=socket:tcp bind:l:4/0 listen:l:1
    after=$(date -u +%Y-%m-%dT%H:%M:%S)
    every_line_is_json log
    [[ $(jq -r .event log | sort -u | paste -sd ' ') == \
        "close connect listen problem start timeout" ]] || fail "events: $(jq -r .event log)"
    [[ $(jq -r "$common_types" log | sort -u) == "string string number number number string" ]] ||
        fail "types: $(jq -r "$common_types" log)"
    [[ $(jq -r '"pid \(.pid) tid \(.tid)"' log | sort -u) == \
        "$(grep '^pid' <<<"$output")" ]] || fail "the pid or tid is another one"
    [[ $(jq -r '"\(.program) \(.v)"' log | sort -u) == "fds 1" ]] || fail "program, or v"
    while read -r ts; do
        [[ $ts =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z$ ]] || fail "ts is $ts"
        [[ ! ${ts%.*} < $before && ! ${ts%.*} > $after ]] || fail "$ts: not now"
    done < <(jq -r .ts log)
    [[ $(jq -r .ts log) == "$(jq -r .ts log | sort)" ]] || fail "the times go back"
}

@test "a key is there once in a record" {
    peer_start echo
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" send:a:9 recv:a:9 close:a
    assert_records close 1
    # jq keeps the last of two; counted before it sees them
    [[ $(grep -o '"[a-z_0-9]*":' log | sort | uniq -d) == "" ]] || fail "$(cat log)"
}

# --- close ----------------------------------------------------------------------------------------

@test "close: IPv4, out" {
    peer_start echo
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" rest:60 dup2:a:33 close:a close:33
    assert_field .fd 33
    assert_field .proto tcp
    assert_field .dir out
    assert_field .peer "127.0.0.1:$PEER_PORT"
    [[ $(record close .local) =~ ^127\.0\.0\.1:[0-9]+$ ]] || fail "local: $(record close .local)"
    assert_field '[.reason, .shared, .timeouts] | map(tostring) | join(" ")' "close false 0"
    assert_between 60 1000 "$(record close .age_ms)" age_ms
    assert_between 0 200 "$(record close .connect_ms)" connect_ms
    assert_field 'has("host") or has("limit") or has("accept_queue") or has("cut")' false
}

@test "close: IPv4, in, and IPv4, listen, agree with the other end" {
    logged -- "$FDS" l=socket:tcp bind:l:4/0 listen:l:5 c=socket:tcp connect:c:=l s=accept:l \
        close:c close:s close:l
    [[ $(record close .dir | paste -sd ' ') == "out in listen" ]] || fail "$(record close .dir)"
    client=$(record close 'select(.dir == "out") | .local')
    server=$(record close 'select(.dir == "out") | .peer')
    [[ $(record close 'select(.dir == "in") | "\(.local) \(.peer)"') == "$server $client" ]] ||
        fail "in: $(record close 'select(.dir == "in")')"
    [[ $(record close 'select(.dir == "listen") | "\(.local) \(has("peer"))"') == \
        "$server false" ]] || fail "listen: $(record close 'select(.dir == "listen")')"
    [[ $(record close 'select(.dir == "in") | has("connect_ms")') == false ]] || fail "connect_ms"
}

@test "close: IPv6" {
    peer_start echo --v6
    logged -- "$FDS" a=socket:tcp6 "connect:a:6/$PEER_PORT" close:a
    assert_field .peer "[::1]:$PEER_PORT"
    [[ $(record close .local) =~ ^\[::1\]:[0-9]+$ ]] || fail "local: $(record close .local)"
    logged -- "$FDS" l=socket:tcp6 bind:l:6/0 listen:l:5 c=socket:tcp6 connect:c:=l s=accept:l \
        close:s
    [[ $(record close 'select(.dir == "in") | .peer') =~ ^\[::1\]:[0-9]+$ ]] || fail "in"
}

@test "close: unix, by path and abstract" {
    logged SOCKTMO_PROTO=unix -- "$FDS" l=socket:unix "bind:l:u/$PWD/the socket" listen:l:5 \
        c=socket:unix connect:c:=l s=accept:l send:c:5 recv:s:5 close:c close:s close:l
    [[ $(record close '[.dir, .proto, .local, .peer] | map(. // "-") | join("|")' | sort) == \
        "in|unix|unix:$PWD/the socket|"*$'\n'"listen|unix|unix:$PWD/the socket|-"$'\n'"out|unix|"*"|unix:$PWD/the socket" ]] ||
        fail "$(record close)"
    [[ $(record close 'has("tcp")' | sort -u) == false ]] || fail "tcp of a unix socket"
    rm log
    logged SOCKTMO_PROTO=all -- "$FDS" l=socket:unix "bind:l:@/tmo\\x01test" listen:l:5 \
        c=socket:unix connect:c:=l close:c
    [[ $(record close 'select(.dir == "out") | .peer') == $'unix:@tmo\x01test'* ]] ||
        fail "$(record close)"
}

@test "close: only of the protocols that are asked for" {
    local steps=(l=socket:unix "bind:l:u/$PWD/s" listen:l:5 c=socket:unix connect:c:=l close:c
        d=socket:udp connect:d:4/9 close:d close:l unlink:s)

    logged -- "$FDS" "${steps[@]}"
    assert_records close 0
    logged SOCKTMO_PROTO=udp -- "$FDS" "${steps[@]}"
    [[ $(record close '"\(.proto) \(.peer)"') == "udp 127.0.0.1:9" ]] || fail "$(record close)"
}

@test "close: the peer is there after a connect that failed" {
    logged -- "$FDS" l=socket:tcp bind:l:4/0 a=socket:tcp connect:a:=l close:a say:end
    [[ $output == *"connect = -1 Connection refused"* ]] || fail "it is not refused"
    assert_field .dir out
    [[ $(record close .peer) =~ ^127\.0\.0\.1:[0-9]+$ ]] || fail "$(record close)"
}

@test "close: reason timeout and the count of them, when we ended it" {
    peer_start mute
    connected "$PEER_PORT"
    logged SOCKTMO_RECV=100ms SOCKTMO_ACTION=reset -- "$FDS" "${connected[@]}" recv:a:1 close:a
    assert_field '"\(.reason) \(.timeouts)"' "timeout 1"
    assert_field .tcp.state ESTABLISHED # as it was when the time was over
    rm log
    logged SOCKTMO_RECV=100ms -- "$FDS" "${connected[@]}" recv:a:1 send:a:1 recv:a:1 close:a
    assert_field '"\(.reason) \(.timeouts)"' "close 2"
    rm log
    logged SOCKTMO_RECV=100ms -- "$FDS" "${connected[@]}" recv:a:1 recv:a:1 recv:a:1
    [[ $(record close .reason) == timeout ]] || fail "at the second in a row it is ended"
}

@test "close: after a connect that we ended" {
    peer_start unreachable
    connected "$PEER_PORT"
    logged SOCKTMO_CONNECT=300ms -- "$FDS" "${connected[@]}" close:a
    assert_between 300 400 "$(record timeout .waited_ms)" waited_ms
    assert_records close 1
    assert_between 300 1000 "$(record close .age_ms)" age_ms
    assert_field .peer "127.0.0.1:$PEER_PORT"
}

@test "a socket that is connected anew after we ended it is another connection" {
    local steps

    peer_start mute
    connected "$PEER_PORT"
    peer_start echo
    steps=("connect:a:4/$PEER_PORT" send:a:5 recv:a:5 close:a)
    logged SOCKTMO_RECV=100ms SOCKTMO_ACTION=reset -- "$FDS" "${connected[@]}" send:a:3 recv:a:1 \
        "${steps[@]}"
    [[ $status -eq 0 && $output == *"recv:a:5 = 5"* ]] || fail "it cannot be connected anew"
    [[ $(record close '"\(.reason) \(.peer) \(.timeouts) \(.tcp.bytes_sent)"') == \
        "timeout ${connected[1]/connect:a:4\//127.0.0.1:} 1 3"$'\n'"close 127.0.0.1:$PEER_PORT 0 5" ]] ||
        fail "$(record close)"
}

# --- listeners ------------------------------------------------------------------------------------

@test "a listener: its accept queue, the limit, the highest, and what was accepted" {
    logged SOCKTMO_EVENTS=close,listen -- "$FDS" l=socket:tcp bind:l:4/0 listen:l:2 \
        a=socket:tcpn connect:a:=l b=socket:tcpn connect:b:=l rest:50 c=accept:l \
        d=socket:tcpn connect:d:=l rest:50 close:l
    assert_records listen 1
    [[ $(record listen '[.accept_queue, .accept_queue_limit] | join(" ")') == "0 2" ]] ||
        fail "listen: $(record listen)"
    [[ $(record close 'select(.dir == "listen") |
        [.accept_queue, .accept_queue_limit, .accepted] | join(" ")') == "2 2 1" ]] ||
        fail "close: $(record close 'select(.dir == "listen")')"
    highest=$(record close 'select(.dir == "listen") | .accept_queue_highest')
    assert_between 2 2 "$highest" accept_queue_highest
    [[ $(record listen .local) == "$(record close 'select(.dir == "listen") | .local')" ]]
}

@test "a listener: the highest is remembered when the queue is empty again" {
    logged -- "$FDS" l=socket:tcp bind:l:4/0 listen:l:5 a=socket:tcpn connect:a:=l \
        b=socket:tcpn connect:b:=l c=socket:tcpn connect:c:=l rest:50 d=accept:l e=accept:l \
        f=accept:l close:l
    [[ $(record close 'select(.dir == "listen") |
        [.accept_queue, .accept_queue_limit, .accepted] | join(" ")') == "0 5 3" ]] ||
        fail "$(record close)"
    assert_between 2 3 "$(record close 'select(.dir == "listen") | .accept_queue_highest')" highest
}

# --- the other events -----------------------------------------------------------------------------

@test "connect: ok, refused, timed out" {
    peer_start echo
    connected "$PEER_PORT"
    logged SOCKTMO_EVENTS=connect -- "$FDS" "${connected[@]}" close:a
    [[ $(record connect '"\(.outcome) \(.peer) \(.fd) \(has("errno"))"') =~ \
        ^ok\ 127\.0\.0\.1:$PEER_PORT\ [0-9]+\ false$ ]] || fail "$(record connect)"
    assert_records close 0
    rm log

    logged SOCKTMO_EVENTS=connect -- "$FDS" l=socket:tcp bind:l:4/0 a=socket:tcp connect:a:=l
    [[ $(record connect .errno) == ECONNREFUSED && $(record connect .outcome) != ok ]] ||
        fail "$(record connect)"
    rm log

    peer_start unreachable
    connected "$PEER_PORT"
    logged SOCKTMO_EVENTS=connect SOCKTMO_CONNECT=300ms -- "$FDS" "${connected[@]}"
    [[ $(record connect '"\(.outcome) \(.errno) \(.peer)"') == \
        "timeout ETIMEDOUT 127.0.0.1:$PEER_PORT" ]] || fail "$(record connect)"
    took=$(record connect '[to_entries[] | select(.key | test("(took|connect)_ms")) | .value][0]')
    assert_between 300 400 "$took" "the connect's time"
}

@test "start: the version, and the settings in force" {
    logged SOCKTMO_EVENTS=start SOCKTMO_RECV=1500ms SOCKTMO_MODE=cap SOCKTMO_PROTO=udp,tcp \
        SOCKTMO_KEEPALIVE=1m/10s/5 SOCKTMO_ERRNO=kernel -- true
    assert_records start 1
    [[ $(record start .version) =~ ^[0-9]+\.[0-9]+ ]] || fail "version: $(record start .version)"
    [[ $(record start '.settings | [.recv, .mode, .keepalive, .errno] | join(" ")') == \
        "1500ms cap 1m/10s/5 kernel" ]] || fail "$(record start)"
    [[ $(record start '.settings.proto | tostring') == *tcp*udp* ]] || fail "$(record start)"
    [[ $(record start .settings.log) == "$PWD/log" ]] || fail "$(record start .settings.log)"
}

@test "timeout: what ended, where, and how long it had really waited" {
    peer_start mute
    connected "$PEER_PORT"
    logged SOCKTMO_RECV=250ms -- "$FDS" "${connected[@]}" send:a:10 recv:a:1
    [[ $(record timeout '[.limit, .limit_ms, .call, .action, .peer, .dir, .proto] |
        map(tostring) | join(" ")') == \
        "recv 250 read error 127.0.0.1:$PEER_PORT out tcp" ]] || fail "$(record timeout)"
    assert_between 250 325 "$(record timeout .waited_ms)" waited_ms
    [[ $(record timeout .tcp.bytes_sent) -eq 10 && $(record timeout .local) =~ ^127 ]] ||
        fail "$(record timeout)"
    every_line_is_json log
}

@test "EVENTS selects" {
    peer_start mute
    connected "$PEER_PORT"
    for events in close timeout connect listen start timeout,listen; do
        rm -f log
        logged SOCKTMO_RECV=50ms SOCKTMO_EVENTS="$events" -- "$FDS" "${connected[@]}" recv:a:1 \
            close:a l=socket:tcp bind:l:4/0 listen:l:1
        [[ $(jq -r .event log | sort -u | paste -sd ,) == "$events" ||
            $(jq -r .event log | sort -ru | paste -sd ,) == "$events" ]] ||
            fail "$events gives $(jq -r .event log | paste -sd ,)"
    done
    rm log
    logged SOCKTMO_RECV=50ms -- "$FDS" "${connected[@]}" recv:a:1 close:a l=socket:tcp bind:l:4/0 \
        listen:l:1 close:l
    [[ $(jq -r .event log | paste -sd ,) == timeout,close,close ]] || fail "the default"
}

# --- text -----------------------------------------------------------------------------------------

@test "text: key=value, with tcp's as tcp.rtt_us" {
    peer_start echo
    connected "$PEER_PORT"
    logged SOCKTMO_LOG_FORMAT=text -- "$FDS" "${connected[@]}" send:a:77 recv:a:77 close:a
    [[ $(wc -l <log) -eq 1 ]] || fail "$(cat log)"
    for word in event=close proto=tcp dir=out "peer=127.0.0.1:$PEER_PORT" reason=close \
        shared=false timeouts=0 program=fds tcp.bytes_sent=77 tcp.bytes_received=77 \
        tcp.state=ESTABLISHED; do
        [[ " $(<log) " == *" $word "* ]] || fail "$word is not in $(<log)"
    done
    grep -Eq '(^| )tcp\.rtt_us=[0-9]+( |$)' log || fail "tcp.rtt_us: $(<log)"
    # nothing but pairs
    [[ -z $(sed -E 's/(^| )[a-z_0-9.]+=("([^"\\]|\\.)*"|[^" ]*)//g' log) ]] || fail "$(<log)"
}

@test "text and json say the same" {
    peer_start mute
    connected "$PEER_PORT"
    logged SOCKTMO_RECV=50ms SOCKTMO_EVENTS=all -- "$FDS" "${connected[@]}" recv:a:1 close:a
    jq -rc '[.event] + [to_entries[] | .key as $k | .value | if type == "object" then
        (to_entries[] | "\($k).\(.key)") else $k end] | join(" ")' log >json
    rm log
    logged SOCKTMO_LOG_FORMAT=text SOCKTMO_RECV=50ms SOCKTMO_EVENTS=all -- \
        "$FDS" "${connected[@]}" recv:a:1 close:a
    sed -E 's/"([^"\\]|\\.)*"/Q/g; s/=[^ ]*//g; s/^/event /' log >text
    sed -i 's/ settings\.log_format//' json text # the one setting that differs
    while IFS=$'\t' read -r from_json from_text; do
        [[ "$(tr ' ' '\n' <<<"${from_json#* }" | sort)" == \
            "$(tr ' ' '\n' <<<"${from_text#* }" | sort)" ]] ||
            fail "other keys: $(diff <(tr ' ' '\n' <<<"${from_json#* }" | sort) \
                <(tr ' ' '\n' <<<"${from_text#* }" | sort))"
    done < <(paste json text)
    [[ $(wc -l <json) -eq $(wc -l <text) && -s text ]]
}

@test "text: what needs quotes has them" {
    mkdir q
    logged SOCKTMO_PROTO=unix SOCKTMO_LOG_FORMAT=text -- "$FDS" l=socket:unix \
        'bind:l:u/q/a b"=c\\d\n' listen:l:1 close:l
    [[ $(wc -l <log) -eq 1 ]] || fail "$(cat log)"
    grep -Fq 'local="unix:q/a b\"=c\\d\n"' log || fail "$(cat log)"
}

# --- forged names ---------------------------------------------------------------------------------

# A name that tries to end its line and to add another one.
forgery=$'x"}\n{"event":"close","program":"forged \e[2J\\'

@test "a program's name cannot break a line" {
    cp "$FDS" "$forgery"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$FDS" >"$forgery.sh"
    chmod +x "$forgery.sh"
    peer_start mute
    connected "$PEER_PORT"
    for program in "$forgery" "$forgery.sh"; do
        for format in json text; do
            rm -f log
            logged SOCKTMO_LOG_FORMAT=$format -- "./$program" "${connected[@]}"
            [[ $(wc -l <log) -eq 1 && $(tr -d '\n' <log | tr -d '[:print:]' | wc -c) -eq 0 ]] ||
                fail "$format: a line is broken: $(cat -A log)"
        done
        rm -f log
    done
    logged -- "./$forgery" "${connected[@]}"
    [[ $(jq .program log) == "$(jq -n --arg n "$forgery" '$n')" ]] || fail "it is another name"
    rm -f log
    logged -- bash -c 'exec -a "$1" "$0" "${@:2}"' "$FDS" "$forgery" "${connected[@]}"
    [[ $(jq -r .program log) == fds ]] || fail "argv[0] was believed"
}

@test "a path of a unix socket cannot break a line" {
    local path='q/a"\n{"event":"forged"}\x1b[2J\x7f\\x\x01'

    mkdir -p q
    for format in json text; do
        rm -f log q/*
        logged SOCKTMO_PROTO=unix SOCKTMO_EVENTS=all SOCKTMO_LOG_FORMAT=$format -- "$FDS" \
            l=socket:unix "bind:l:u/$path" listen:l:3 c=socket:unix connect:c:=l s=accept:l
        [[ $(tr -d '\n' <log | tr -d '[:print:]' | wc -c) -eq 0 ]] || fail "$(cat -A log)"
        [[ $(grep -c forged log) -eq $(grep -cv start log) ]] || fail "$(cat log)"
        [[ $(wc -l <log) -ge 5 ]] || fail "there are too few lines"
    done
    rm -f log q/*
    logged SOCKTMO_PROTO=unix -- "$FDS" l=socket:unix "bind:l:u/$path" listen:l:3 close:l
    [[ $(record close .local) == $'unix:q/a"\n{"event":"forged"}\e[2J\x7f\\x\x01' ]] ||
        fail "it is another path: $(record close .local)"
}

@test "bytes that are no UTF-8 leave a line that is" {
    requires python3
    mkdir q
    cp "$FDS" $'caf\xe9\xff'
    logged SOCKTMO_PROTO=unix -- $'./caf\xe9\xff' l=socket:unix 'bind:l:u/q/\xc3\x28\xed\xa0\x80\xf5é' \
        listen:l:3 close:l
    python3 -c 'import json; json.loads(open("log", "rb").read().decode("utf-8"))' ||
        fail "$(cat -A log)"
    assert_records close 1
}

@test "no line is longer than 4096 bytes, and one that would be is cut and says so" {
    local long control

    long=$(printf '%*s' 3500 '' | tr ' ' x)
    logged SOCKTMO_RECV="$long" SOCKTMO_EVENTS=all -- true
    every_line_is_json log
    [[ $(record problem .value) == xxxx* ]] || fail "$(record problem)"
    rm log
    logged SOCKTMO_SKIP="$(printf '"%.0s' {1..3000})" SOCKTMO_EVENTS=start -- true
    every_line_is_json log
    [[ $(record start .cut) == true ]] || fail "not cut: $(wc -c <log)"
    rm log
    # the longest names that there can be, of control bytes alone
    control=$(printf '\x01%.0s' {1..240})
    cp "$FDS" "$control"
    mkdir q
    logged SOCKTMO_PROTO=unix -- "./$control" l=socket:unix \
        "bind:l:u/q/$(printf '\\x02%.0s' {1..100})" listen:l:3 close:l
    every_line_is_json log
    [[ $(record close .reason) == close ]] || fail "$(record close)"
}
