#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The demonstration behind `make demo`: four ordinary programs that have no timeouts, each against
# a peer that never answers and a port that never completes a handshake; first bare, then under the
# shim. It ends by itself in about 10 s, with status 0 only if every bare program hung, and every
# one under the shim ended in time with an error of its own and left its records.
#
# TMO_BUILD is where make put the test peer and the examples (build), TMO_LIB the library.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
build=${TMO_BUILD:-$root/build}
lib=${TMO_LIB:-$root/libsocktmo.so}
patience_s=3 # how long a bare program may hang before we cut it off
in_time_ms=2500 # the limit of 1 s may come 150 ms late; the rest is the start of 8 programs at once

# shellcheck disable=SC2046 # names only, no blanks in them
unset LD_PRELOAD $(env | sed -n 's/^\(SOCKTMO_[A-Z_]*\)=.*/\1/p')
export LC_ALL=C
PATH=/usr/bin:/bin:$PATH

for needed in "$lib" "$build/tests/peer" "$build/examples/legacy-client"; do
    if [ ! -e "$needed" ]; then
        echo "demo: $needed is missing; run make demo" >&2
        exit 1
    fi
done
for needed in bash perl python3 timeout; do
    if ! command -v "$needed" >/dev/null; then
        echo "demo: $needed is missing; tests/setup.sh demo installs it" >&2
        exit 1
    fi
done

work=$(mktemp -d)
peers=
clean_up() {
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$peers" ] || kill $peers 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The peers end with their standard input: with descriptor 9, and so with us.
mkfifo "$work/hold" "$work/ready"
exec 9<>"$work/hold"

# start_peer MODE: sets port.
start_peer() {
    "$build/tests/peer" "$1" --life 60 <"$work/hold" >"$work/ready" 9>&- &
    peers="$peers $!"
    read -r _ port <"$work/ready"
}

start_peer silent
silent=$port
start_peer unreachable
unreachable=$port

now_ms() {
    # /proc/uptime counts in hundredths of a second, which is enough here
    read -r up _ </proc/uptime
    echo $((${up%.*}${up#*.} * 10))
}

# run_case KIND PROGRAM PEER COMMAND…: leaves a status and a time, an output and a log behind.
run_case() {
    case=$work/$1.$2.$3
    kind=$1
    shift 3
    [ "$kind" = bare ] || set -- env SOCKTMO_CONNECT=1s SOCKTMO_RECV=1s SOCKTMO_LOG="$case.log" \
        LD_PRELOAD="$lib" "$@"
    before=$(now_ms)
    timeout -k 1 "$patience_s" "$@" >"$case.out" 2>&1 9>&- </dev/null
    echo "$? $(($(now_ms) - before))" >"$case.result"
}

# run_programs KIND PEER PORT: starts them all. None says how long it is willing to wait.
run_programs() {
    run_case "$1" legacy-client "$2" "$build/examples/legacy-client" 127.0.0.1 "$3" &
    cases="$cases $!"
    run_case "$1" python3 "$2" python3 -c 'if True:
        import sys, urllib.request
        urllib.request.urlopen("http://127.0.0.1:%s/" % sys.argv[1])' "$3" &
    cases="$cases $!"
    # shellcheck disable=SC2016 # perl's own $
    run_case "$1" perl "$2" perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die "perl: connect: $@\n";
        defined sysread($s, $b, 1) or die "perl: sysread: $!\n"' "$3" &
    cases="$cases $!"
    # shellcheck disable=SC2016 # bash's own $
    run_case "$1" bash "$2" bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1 && read -r line <&3' bash "$3" &
    cases="$cases $!"
}

run_kind() {
    cases=
    run_programs "$1" silent "$silent"
    run_programs "$1" unreachable "$unreachable"
    # shellcheck disable=SC2086 # a list of process ids
    wait $cases
}

# each_case FUNCTION: calls it with every PROGRAM PEER.
each_case() {
    for program in legacy-client python3 perl bash; do
        for peer in silent unreachable; do
            "$1" "$program" "$peer"
        done
    done
}

failures=0

# verdict PROGRAM PEER WORD EXPECTED MS MESSAGE
verdict() {
    note=
    if [ "$3" != "$4" ]; then
        failures=$((failures + 1))
        note="  <- not as it should be"
    fi
    printf '  %-14s %-12s %-6s %d.%02d s  %.60s%s\n' "$1" "$2" "$3" $(($5 / 1000)) \
        $(($5 % 1000 / 10)) "$6" "$note"
}

show_bare() {
    read -r status ms <"$work/bare.$1.$2.result"
    word=ended
    [ "$status" -ne 124 ] || word=HANGS
    verdict "$1" "$2" "$word" HANGS "$ms" "cut off by us"
}

has_record() {
    grep -q "\"event\": *\"$2\"" "$1.log" 2>/dev/null
}

show_shimmed() {
    case=$work/shimmed.$1.$2
    read -r status ms <"$case.result"
    message=$(tail -n 1 "$case.out")
    word=ENDED
    if [ "$status" -eq 124 ]; then
        word=HANGS
    elif [ "$ms" -lt 900 ] || [ "$ms" -gt "$in_time_ms" ]; then
        word=wrong-time
    elif [ "$status" -eq 0 ] || ! grep -qi 'timed out' "$case.out"; then
        word=silent
    elif ! has_record "$case" timeout || ! has_record "$case" close; then
        word=no-record
    fi
    verdict "$1" "$2" "$word" ENDED "$ms" "$message"
}

show_records() {
    case=$work/shimmed.$1.$2
    [ -e "$case.log" ] || return 0
    if command -v jq >/dev/null; then
        jq -c '{event, program, peer, limit, call, waited_ms, reason, state: .tcp.state}
            | with_entries(select(.value != null))' "$case.log"
    else
        cut -c 1-200 "$case.log"
    fi | sed 's/^/  /'
}

echo "Bare, each cut off after $patience_s s:"
run_kind bare
each_case show_bare

echo
echo "The same programs under LD_PRELOAD=libsocktmo.so SOCKTMO_CONNECT=1s SOCKTMO_RECV=1s:"
run_kind shimmed
each_case show_shimmed

echo
echo "What the log says, in short:"
each_case show_records
echo
echo "A close record in full:"
grep -h '"event": *"close"' "$work/shimmed.legacy-client.silent.log" 2>/dev/null | sed 's/^/  /'
echo
if [ "$failures" -gt 0 ]; then
    echo "demo: $failures of 16 cases are not as they should be" >&2
    exit 1
fi
echo "All 8 hung bare, all 8 ended in time under the shim."
