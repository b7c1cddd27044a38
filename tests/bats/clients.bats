#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # helpers.bash reads TMO_CUT, and sets status and output
#
# Real blocking clients of Debian against a peer that never answers and one that cannot be reached.
# Bare, each of them waits for ever. How each waits was seen with strace on Debian 12:
#
#   - bash, python3, perl, openssl, git, ssh, java, msmtp, whois, gawk: connect, then
#     read or recv, on a blocking socket (openssl asks select first whether it may write; it may)
#   - redis-cli, tnftp: a non-blocking connect with poll, then the socket is made blocking again
#   - whois, tnftp: read inside stdio, past every wrapper. The kernel's own timeout ends them there
#     with EAGAIN, and the record is made at the close

load helpers

LIMITS=(SOCKTMO_RECV=1s SOCKTMO_CONNECT=1s)

# client CMD…: runs it under the limits, with a log. Standard input is empty.
client() {
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- "$@" </dev/null
}

# The strict bound is on waited_ms, which knows nothing of a program's start. From outside a start
# is allowed for: on 2 idle cores 0.05 to 0.4 s, for java with its compiler 1.3 s; where seven others
# want each core, 2.4 and 6 s.
START_MS=4000
JAVA_START_MS=9000

# ended_by LIMIT PATTERN [START_MS]: the client ended in time, said so in words of its own, and
# left one timeout and one close.
ended_by() {
    ended_with "$2" 1 "${3:-$START_MS}"
    assert_records timeout 1
    timeouts_are "$1" 1
    assert_records close 1
}

# ended_with PATTERN WAITS START_MS: what can be seen from outside, and the close.
ended_with() {
    # 124: cut off by us; 129 to 159: by a signal. git's own failures are 128, those of ssh 255
    [[ $status -ne 124 && ($status -le 128 || $status -ge 160) ]] || fail "it did not end by itself"
    [[ $output =~ $1 ]] || fail "no word of its own like '$1'"
    assert_between 950 $((1600 * $2 + $3))
    [[ $(record close '[.peer, (.tcp | type)] | join(" ")' | sort -u) == \
        "127.0.0.1:$PEER_PORT object" ]] || fail "no close of 127.0.0.1:$PEER_PORT with its tcp"
}

# timeouts_are LIMIT COUNT: every timeout in the log is of that limit, and was waited out once.
timeouts_are() {
    local limit peer limit_ms waited_ms count=0

    while read -r limit peer limit_ms waited_ms; do
        [[ $limit == "$1" && $peer == "127.0.0.1:$PEER_PORT" && $limit_ms -eq 1000 ]] ||
            fail "a timeout of $limit at $peer after $limit_ms ms"
        assert_between 1000 1600 "$waited_ms" waited_ms
        count=$((count + 1))
    done < <(record timeout '[.limit, .peer, .limit_ms, .waited_ms] | join(" ")')
    [[ $count -eq $2 ]] || fail "$count timeouts, not $2"
}

# --- the clients that need a program text ---------------------------------------------------------

# shellcheck disable=SC2016 # perl's and the inner bash's own $
program_bash='exec 3<>/dev/tcp/127.0.0.1/$1 && read -r line <&3'
# shellcheck disable=SC2016
program_perl='
    $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die "connect: $@\n";
    defined sysread($s, $b, 1) or die "sysread: $!\n"'
program_python='
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(1)'
program_urllib='
import sys, urllib.request
urllib.request.urlopen("http://127.0.0.1:%s/" % sys.argv[1])'
program_ftplib='
import ftplib, sys
ftplib.FTP().connect("127.0.0.1", int(sys.argv[1]))'
program_gawk='BEGIN {
    service = "/inet/tcp/0/127.0.0.1/" port
    if ((service |& getline) < 0) { print "gawk: " ERRNO; exit 1 } }'

# --- without the shim -----------------------------------------------------------------------------

# hangs CMD…: the client is in the background until it is cut off, 2 s later.
hangs() {
    TMO_CUT=2
    {
        bare -- "$@" </dev/null
        [[ $status -eq 124 ]] || fail "bare, '$1' does not hang"
    } &
    own $!
    clients+=($!)
}

@test "bare, the clients hang" {
    for client in python3 perl openssl git gawk; do
        requires "$client"
    done
    for mode in silent unreachable; do
        clients=()
        peer_start "$mode"
        hangs bash -c "$program_bash" bash "$PEER_PORT"
        hangs python3 -c "$program_python" "$PEER_PORT"
        hangs perl -MIO::Socket::INET -e "$program_perl" "$PEER_PORT"
        hangs openssl s_client -connect "127.0.0.1:$PEER_PORT"
        hangs git clone "git://127.0.0.1:$PEER_PORT/x" "$mode"
        hangs gawk -v port="$PEER_PORT" "$program_gawk"
        for client in "${clients[@]}"; do
            wait "$client"
        done
    done
}

# --- a peer that accepts and never answers --------------------------------------------------------

@test "bash /dev/tcp: no answer" {
    peer_start silent
    client bash -c "$program_bash" bash "$PEER_PORT"
    ended_by recv "timed out"
}

@test "python3 socket: no answer" {
    requires python3
    peer_start silent
    client python3 -c "$program_python" "$PEER_PORT"
    ended_by recv "TimeoutError.*timed out"
}

@test "python3 urllib: no answer" {
    requires python3
    peer_start silent
    client python3 -c "$program_urllib" "$PEER_PORT"
    ended_by recv "TimeoutError.*timed out"
}

@test "python3 ftplib: no answer" {
    requires python3
    peer_start silent
    client python3 -c "$program_ftplib" "$PEER_PORT"
    ended_by recv "TimeoutError.*timed out"
}

@test "perl sysread: no answer" {
    requires perl
    peer_start silent
    client perl -MIO::Socket::INET -e "$program_perl" "$PEER_PORT"
    ended_by recv "sysread: Connection timed out"
}

@test "redis-cli: no answer" {
    requires redis-cli redis-tools
    peer_start silent
    client redis-cli -h 127.0.0.1 -p "$PEER_PORT" ping
    ended_by recv "recv timeout" # hiredis' word for ETIMEDOUT
}

@test "openssl s_client: no answer" {
    requires openssl
    peer_start silent
    client openssl s_client -connect "127.0.0.1:$PEER_PORT"
    ended_by recv "errno=110"
}

@test "git clone git://: no answer" {
    requires git
    peer_start silent
    client git clone "git://127.0.0.1:$PEER_PORT/x" x
    ended_by recv "timed out"
}

@test "ssh: no answer" {
    requires ssh openssh-client
    peer_start silent
    client ssh -F /dev/null -o BatchMode=yes -p "$PEER_PORT" 127.0.0.1 true
    ended_by recv "timed out"
}

@test "java Socket: no answer" {
    requires javac default-jdk-headless
    peer_start silent
    client java "$TMO_ROOT/tests/programs/Wait.java" "$PEER_PORT"
    ended_by recv "timed out" "$JAVA_START_MS"
}

@test "msmtp: no answer" {
    requires msmtp
    peer_start silent
    client msmtp --host=127.0.0.1 --port="$PEER_PORT" --from=a@example.org b@example.org
    ended_by recv "timed out"
}

@test "gawk /inet: no answer" {
    requires gawk
    peer_start silent
    client gawk -v port="$PEER_PORT" "$program_gawk"
    ended_by recv "gawk: Connection timed out"
}

@test "whois, inside stdio: no answer" {
    requires whois
    peer_start silent
    client whois -h 127.0.0.1 -p "$PEER_PORT" example.org
    ended_with "temporarily unavailable|timed out" 1 "$START_MS"
    assert_records close 1
}

@test "tnftp, inside stdio: no answer" {
    requires tnftp
    peer_start silent
    client tnftp -n -v 127.0.0.1 "$PEER_PORT"
    ended_with "temporarily unavailable|timed out|not available" 1 "$START_MS"
    assert_records close 1
}

# --- a peer that never completes a handshake ------------------------------------------------------

@test "bash /dev/tcp: unreachable" {
    peer_start unreachable
    client bash -c "$program_bash" bash "$PEER_PORT"
    ended_by connect "timed out"
}

@test "python3 socket: unreachable" {
    requires python3
    peer_start unreachable
    client python3 -c "$program_python" "$PEER_PORT"
    ended_by connect "TimeoutError.*timed out"
}

@test "python3 urllib: unreachable" {
    requires python3
    peer_start unreachable
    client python3 -c "$program_urllib" "$PEER_PORT"
    ended_by connect "timed out"
}

@test "python3 ftplib: unreachable" {
    requires python3
    peer_start unreachable
    client python3 -c "$program_ftplib" "$PEER_PORT"
    ended_by connect "TimeoutError.*timed out"
}

@test "perl IO::Socket::INET: unreachable" {
    requires perl
    peer_start unreachable
    client perl -MIO::Socket::INET -e "$program_perl" "$PEER_PORT"
    ended_by connect "connect: .*timed out"
}

@test "openssl s_client: unreachable" {
    requires openssl
    peer_start unreachable
    client openssl s_client -connect "127.0.0.1:$PEER_PORT"
    ended_by connect "errno=110"
}

@test "git clone git://: unreachable" {
    requires git
    peer_start unreachable
    client git clone "git://127.0.0.1:$PEER_PORT/x" x
    ended_by connect "timed out"
}

@test "ssh: unreachable" {
    requires ssh openssh-client
    peer_start unreachable
    client ssh -F /dev/null -o BatchMode=yes -p "$PEER_PORT" 127.0.0.1 true
    ended_by connect "timed out"
}

@test "java Socket: unreachable" {
    requires javac default-jdk-headless
    peer_start unreachable
    client java "$TMO_ROOT/tests/programs/Wait.java" "$PEER_PORT"
    ended_by connect "timed out" "$JAVA_START_MS"
}

@test "msmtp: unreachable" {
    requires msmtp
    peer_start unreachable
    client msmtp --host=127.0.0.1 --port="$PEER_PORT" --from=a@example.org b@example.org
    ended_by connect "timed out"
}

@test "redis-cli: unreachable, each of its two attempts is bounded" {
    requires redis-cli redis-tools
    peer_start unreachable
    client redis-cli -h 127.0.0.1 -p "$PEER_PORT" ping
    ended_with "Could not connect.*timed out" 2 "$START_MS"
    timeouts_are connect 2
}

@test "tnftp: unreachable" {
    requires tnftp
    peer_start unreachable
    client tnftp -n -v 127.0.0.1 "$PEER_PORT"
    ended_by connect "timed out"
}

@test "whois: unreachable" {
    requires whois
    peer_start unreachable
    client whois -h 127.0.0.1 -p "$PEER_PORT" example.org
    ended_by connect "[Tt]imed? ?out"
}

@test "gawk /inet: unreachable, each of its own retries is bounded" {
    requires gawk
    LIMITS+=(GAWK_SOCK_RETRIES=2 GAWK_MSEC_SLEEP=1)
    peer_start unreachable
    client gawk -v port="$PEER_PORT" "$program_gawk"
    waits=$(records timeout)
    [[ $waits -ge 2 ]] || fail "it made fewer than 2 attempts"
    ended_with "gawk: " "$waits" "$START_MS"
    timeouts_are connect "$waits"
}
