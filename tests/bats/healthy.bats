#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Peers that are slow but within the limits, large transfers, clients that do something else for
# longer than a limit, idle connections: nothing is different from bare, and no limit expires. What no
# preload reaches is tried under the guard, and with the watchdog.

load helpers

LIMITS=(SOCKTMO_TIMEOUT=2s SOCKTMO_STRICT=on)
PROGRAM=$TMO_ROOT/tests/programs/healthy.py
MANY=$((200 << 20))

setup_file() {
    bash "$TMO_ROOT/tests/clients/build.sh" "$BATS_FILE_TMPDIR" static-client uring go-client
}

# built NAME: sets CLIENT to a program of build.sh, or skips the test.
built() {
    CLIENT=$BATS_FILE_TMPDIR/$1
    [[ -x $CLIENT ]] || skip "$(<"$CLIENT.lacks")"
}

# server_start: healthy.py's own, without the shim. Sets PORT.
server_start() {
    local word

    exec 7< <(exec /usr/bin/python3 "$PROGRAM" serve <"$BATS_TEST_TMPDIR/hold" 3>&- 8>&-)
    own $!
    read -r -t 10 -u 7 word PORT || fail "the server was not ready within 10 s"
    exec 7<&-
}

# same_as_bare CMD…: bare and under the shim it ends well and says the same; no limit expired.
same_as_bare() {
    local said

    bare -- "$@" </dev/null
    [[ $status -eq 0 ]] || fail "bare: status $status"
    said=$output
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- "$@" </dev/null
    [[ $status -eq 0 && $output == "$said" ]] || fail "bare it says '$said'"
    assert_records timeout 0
    [[ $(records close) -ge 1 ]] || fail "no connection is on record"
}

# summed CMD…: its status, and the SHA-256 of what it says. Each answer has another date.
summed() {
    # shellcheck disable=SC2016 # the inner bash's own
    bare "${SETTINGS[@]}" -- bash -c 'set -o pipefail
        "$@" | grep -av "^Date:" | sha256sum' - "$@" </dev/null
}

# reached_as_bare CMD…: bare, and by the launcher as REACH has it, it ends well and says the same; no
# limit expired.
reached_as_bare() {
    local said

    SETTINGS=()
    summed "$@"
    [[ $status -eq 0 ]] || fail "bare: status $status"
    said=$output
    SETTINGS=("${LIMITS[@]}" SOCKTMO_LOG="$PWD/log")
    summed "$TMO_BIN" run "$REACH" "$@"
    [[ $status -eq 0 && $output == "$said" ]] || fail "bare it says '$said'"
    assert_records timeout 0
}

# with_peers REACH GET PUT: arrays of words that {n} and {port} stand in: a body in pieces for longer
# than the limit, and 64 MB each way.
with_peers() {
    local REACH=$1
    local -n get=$2 put=$3
    local -a words

    TMO_CUT=60
    MANY=$((64 << 20))
    server_start
    words=("${get[@]//'{port}'/$PORT}")
    reached_as_bare "${words[@]//'{n}'/slow/400}"
    assert_between 2900 9000
    # what ends by a system call of its own takes its record with it, but under the guard
    [[ $REACH != --guard || $(records close) -eq 1 ]] || fail "not one connection is on record"
    reached_as_bare "${words[@]//'{n}'/$MANY}"
    words=("${put[@]//'{port}'/$PORT}")
    reached_as_bare "${words[@]//'{n}'/$MANY}"
}

@test "an answer that is late but in time" {
    requires curl
    peer_start late --after 1200 --text 'HTTP/1.0\x20200\x20OK\r\nContent-Length:\x203\r\n\r\nok\n'
    same_as_bare curl -sS "http://127.0.0.1:$PEER_PORT/"
    rm -f log
    same_as_bare /usr/bin/python3 -c "
import asyncio, sys
async def main():
    r, w = await asyncio.open_connection('127.0.0.1', $PEER_PORT)
    w.write(b'x')
    print(await r.readline())
asyncio.run(main())"
}

@test "node: an answer that is late but in time" {
    requires node nodejs
    peer_start late --after 1200 --text 'HTTP/1.0\x20200\x20OK\r\nContent-Length:\x203\r\n\r\nok\n'
    same_as_bare node -e "require('http').get('http://127.0.0.1:$PEER_PORT/',
        r => r.on('data', d => console.log(String(d))))"
}

@test "a body in pieces, for longer than the limit" {
    requires curl
    server_start
    same_as_bare curl -sS "http://127.0.0.1:$PORT/slow/400"
    assert_between 2900 9000
}

@test "200 MB each way: curl" {
    requires curl
    TMO_CUT=60
    server_start
    same_as_bare sh -c "curl -sS http://127.0.0.1:$PORT/$MANY | sha256sum"
    rm -f log
    truncate -s $MANY big
    same_as_bare curl -sS -T big "http://127.0.0.1:$PORT/x"
    [[ $output == "$(sha256sum <big | cut -d' ' -f1)" ]] || fail "what arrived"
}

@test "200 MB each way: asyncio" {
    TMO_CUT=60
    server_start
    same_as_bare /usr/bin/python3 "$PROGRAM" get "$PORT" $MANY
    rm -f log
    same_as_bare /usr/bin/python3 "$PROGRAM" put "$PORT" $MANY
}

# The peer meanwhile stands before a closed window, and is silent for longer than the limit when the
# client comes back.
@test "a client that does something else for longer than the limit" {
    TMO_CUT=30
    server_start
    for how in poll select epoll recv; do
        under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- /usr/bin/python3 "$PROGRAM" pause $how "$PORT"
        [[ $status -eq 0 && $output == "read True pauses left 0" ]] || fail "$how"
        assert_records timeout 0
    done
}

@test "await = answer: an idle connection of a pool is left alone; by default it is ended" {
    peer_start late --after 20 --text 'answer\n'
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" SOCKTMO_AWAIT=answer -- \
        /usr/bin/python3 "$PROGRAM" pool "$PEER_PORT"
    [[ $status -eq 0 && $output == $'1 answer\n2 answer' ]] || fail "under answer"
    assert_records timeout 0
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- /usr/bin/python3 "$PROGRAM" pool "$PEER_PORT"
    [[ $status -eq 1 && $output == $'1 answer\nended while idle' ]] || fail "by default"
    [[ $(record timeout '[.limit, .call] | join(" ")') == "recv epoll_wait" ]] || fail "the record"
}

@test "await = answer: a subscription is left alone; by default it is ended" {
    peer_start greet --text 'ready\n'
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- /usr/bin/python3 "$PROGRAM" subscribe "$PEER_PORT"
    [[ $status -eq 1 && $output == *"TimeoutError"* ]] || fail "by default"
    assert_records timeout 1
    rm log
    exec 7< <(exec /usr/bin/python3 -u -c '
import socket, time
s = socket.create_server(("127.0.0.1", 0)); print("port", s.getsockname()[1])
c, _ = s.accept(); c.recv(99); time.sleep(0.05); c.send(b"ready\n"); time.sleep(4); c.send(b"news\n")
time.sleep(9)' <"$BATS_TEST_TMPDIR/hold" 3>&- 8>&-)
    own $!
    read -r -t 10 -u 7 _ PEER_PORT
    exec 7<&-
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" SOCKTMO_AWAIT=answer -- \
        /usr/bin/python3 "$PROGRAM" subscribe "$PEER_PORT"
    [[ $status -eq 0 && $output == $'ready\nnews' ]] || fail "under answer"
    assert_records timeout 0
}

# --- under the guard ------------------------------------------------------------------------------

@test "under the guard: a static program" {
    built static-client
    get=("$CLIENT" 'connect:{port}' 'get:/{n}' print) put=("$CLIENT" 'connect:{port}' 'put:{n}' print)
    with_peers --guard get put
    REACH=--guard reached_as_bare "$CLIENT" connect:"$PORT" get:/slow/300 polled
}

# by_io_uring REACH, by_go REACH, by_php REACH: these clients.
by_io_uring() {
    built uring
    get=("$CLIENT" 'connect:{port}' 'get:/{n}' print) put=("$CLIENT" 'connect:{port}' 'put:{n}' print)
    with_peers "$1" get put
}

by_go() {
    built go-client
    get=("$CLIENT" get 'http://127.0.0.1:{port}/{n}')
    put=("$CLIENT" put 'http://127.0.0.1:{port}/x' '{n}')
    with_peers "$1" get put
}

by_php() {
    requires php php-cli
    php -m | grep -qx curl || skip "PHP has no curl (Debian package php-curl)"
    # shellcheck disable=SC2016 # php's own
    get=(php -r '$c = curl_init($argv[1]); exit(curl_exec($c) ? 0 : 1);' 'http://127.0.0.1:{port}/{n}')
    # shellcheck disable=SC2016
    put=(php -r '$c = curl_init($argv[1]); curl_setopt_array($c, [CURLOPT_UPLOAD => true,
        CURLOPT_INFILE => fopen("/dev/zero", "r"), CURLOPT_INFILESIZE => $argv[2]]);
        exit(curl_exec($c) ? 0 : 1);' 'http://127.0.0.1:{port}/x' '{n}')
    with_peers "$1" get put
}

@test "under the guard: io_uring" {
    by_io_uring --guard
}

@test "under the guard: Go" {
    by_go --guard
}

@test "under the guard: the extension curl of PHP" {
    by_php --guard
}

# --- with the watchdog ----------------------------------------------------------------------------

@test "with the watchdog: io_uring" {
    by_io_uring --engine=both
}

@test "with the watchdog: Go" {
    by_go --engine=both
}

@test "with the watchdog: the extension curl of PHP" {
    by_php --engine=both
}

@test "with the watchdog: curl, asyncio, and clients that do something else meanwhile" {
    local engine how

    requires curl
    TMO_CUT=60
    peer_start late --after 1200 --text 'HTTP/1.0\x20200\x20OK\r\nContent-Length:\x203\r\n\r\nok\n'
    server_start
    for engine in both watchdog; do
        LIMITS=(SOCKTMO_TIMEOUT=2s SOCKTMO_STRICT=on SOCKTMO_ENGINE="$engine")
        rm -f log
        same_as_bare curl -sS "http://127.0.0.1:$PEER_PORT/"
        rm -f log
        same_as_bare sh -c "curl -sS http://127.0.0.1:$PORT/$((64 << 20)) | sha256sum"
        rm -f log
        same_as_bare /usr/bin/python3 "$PROGRAM" put "$PORT" $((64 << 20))
        rm -f log
        for how in epoll recv; do
            under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- /usr/bin/python3 "$PROGRAM" pause $how "$PORT"
            [[ $status -eq 0 && $output == "read True pauses left 0" ]] || fail "$how with $engine"
            assert_records timeout 0
        done
    done
}
