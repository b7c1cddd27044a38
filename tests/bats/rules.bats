#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Rules: which connection gets which limits, in real programs. What a file may hold, and what is
# told of a bad one, is tests/unit/conf.c.

load helpers
load steps

HANGS="libtsan hangs in this program, also with nothing else preloaded" # even in curl --version

setup() {
    tmo_setup
    peer_start silent --any
}

# conf LINE…: the configuration file. With `limits` it is named there.
conf() {
    printf '%s\n' "$@" >conf
}

# by_file [SETTING=VALUE…]
by_file() {
    limits CONFIG="$PWD/conf" "$@"
}

# curl_to ADDRESS LIMIT [SETTING=VALUE…]: curl against the peer there ends at that limit.
curl_to() {
    local address=$1 limit=$2

    shift 2
    rm -f log
    under "$@" SOCKTMO_LOG="$PWD/log" -- curl -sS --noproxy '*' "http://$address:$PEER_PORT/"
    [[ $status -ne 0 ]] || fail 'curl ended well'
    assert_records timeout 1
    assert_waited "$limit" "$(record timeout .waited_ms)" 'waited_ms'
}

# the_rule: the name of the rule that decided, `-` for none.
the_rule() {
    record timeout '.rule // "-"'
}

# --- one program, two destinations ----------------------------------------------------------------

@test "curl: two destinations, two limits, by a file" {
    requires curl
    not_tsan "$HANGS"
    conf 'timeout = 2s' '[metadata]' 'match = to 127.0.0.2' 'timeout = 300ms' \
        '[reports]' "match = to 127.0.0.0/8 port $PEER_PORT" 'recv = 900ms'
    curl_to 127.0.0.2 300 SOCKTMO_CONFIG="$PWD/conf"
    [[ $(the_rule) == metadata ]] || fail "by $(the_rule)"
    curl_to 127.0.0.3 900 SOCKTMO_CONFIG="$PWD/conf"
    [[ $(the_rule) == reports ]] || fail "by $(the_rule)"
}

@test "curl: two destinations, two limits, by SOCKTMO_RULES" {
    requires curl
    not_tsan "$HANGS"
    local rules="to 127.0.0.2: timeout=300ms; to 127.0.0.3 port $PEER_PORT: recv=900ms"

    curl_to 127.0.0.2 300 SOCKTMO_RULES="$rules" SOCKTMO_TIMEOUT=3s
    [[ $(the_rule) == 'to 127.0.0.2: timeout=300ms' ]] || fail "by $(the_rule)"
    curl_to 127.0.0.3 900 SOCKTMO_RULES="$rules" SOCKTMO_TIMEOUT=3s
    curl_to 127.0.0.4 500 SOCKTMO_RULES="$rules" SOCKTMO_TIMEOUT=500ms
    [[ $(the_rule) == - ]] || fail "by $(the_rule)"
}

@test "curl: two destinations, two limits, by the names that it looks up" {
    not_tsan "$HANGS"
    requires curl
    [[ $EUID -eq 0 ]] && unshare -m true 2>/dev/null || skip 'no mount namespaces here'
    printf '%s\n' '127.0.0.2 metadata.test' '127.0.0.3 db.reports.test' >hosts
    # shellcheck disable=SC2016
    local own_hosts='mount --make-rprivate / && mount --bind hosts /etc/hosts && exec curl "$@"'

    conf 'timeout = 3s' '[metadata]' 'match = to metadata.test' 'timeout = 300ms' \
        '[reports]' 'match = to *.reports.test' 'recv = 900ms'
    for case in 'metadata.test 300 metadata' 'db.reports.test 900 reports'; do
        read -r name limit rule <<<"$case"
        rm -f log
        under SOCKTMO_CONFIG="$PWD/conf" SOCKTMO_LOG="$PWD/log" -- unshare -m bash -c "$own_hosts" - \
            -sS --noproxy '*' "http://$name:$PEER_PORT/"
        [[ $status -ne 0 ]] || fail 'curl ended well'
        assert_waited "$limit" "$(record timeout .waited_ms)" 'waited_ms'
        [[ $(record timeout '[.rule, .host] | join(" ")') == "$rule $name" ]] || fail 'another rule'
    done
}

@test "psql: two destinations, two limits" {
    requires psql postgresql-client
    not_tsan "$HANGS"
    local rules='to 127.0.0.2: recv=400ms; to 127.0.0.3: recv=1s'

    for case in '127.0.0.2 400' '127.0.0.3 1000'; do
        rm -f log
        under SOCKTMO_RULES="$rules" SOCKTMO_LOG="$PWD/log" -- \
            psql "host=${case% *} port=$PEER_PORT user=u dbname=d gssencmode=disable sslmode=disable"
        [[ $status -ne 0 ]] || fail 'psql ended well'
        assert_waited "${case#* }" "$(record timeout .waited_ms)" 'waited_ms'
    done
}

# --- which rule -----------------------------------------------------------------------------------

@test "the first rule that matches wins; those of SOCKTMO_RULES come before the file's" {
    conf "[one]" "match = port $PEER_PORT" 'recv = 300ms' '[two]' 'match = to any' 'recv = 2s'
    by_file
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @300'
    by_file RULES="to any: recv=600ms"
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
}

@test "a rule over the environment, that over the file" {
    conf 'recv = 2s' '[one]' "match = port $PEER_PORT" 'mode = force'
    by_file RECV=400ms
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @400'
    conf 'recv = 2s' '[one]' "match = port $PEER_PORT" 'timeout = 700ms'
    by_file RECV=400ms
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @700'
}

@test "limits = off leaves a destination alone" {
    limits RECV=200ms RULES="port $PEER_PORT: limits=off"
    TMO_CUT=1
    steps connect:"$PEER_PORT" recv
    [[ $status -eq 124 ]] || fail "status $status: the wait ended"
    TMO_CUT=15
    limits RECV=200ms RULES="port 1: limits=off"
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @200'
}

@test "by program: a rule for another one does not count" {
    limits RECV=300ms RULES='program other*: recv=5s; program st[e]ps: recv=600ms'
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
    limits RECV=300ms RULES='program other*: recv=5s'
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @300'
}

@test "by direction: accepted connections by from, and only those" {
    limits RECV=300ms RULES='from 127.0.0.0/8: recv=700ms; to any: recv=500ms'
    steps listen on:1 dial:0 on:0 accept:2 on:2 recv on:1 recv
    expect 'listen * -' 'dial 0 -' 'accept * -' 'recv -1 ETIMEDOUT @700' 'recv -1 ETIMEDOUT @500'
}

@test "port: the peer's for to, our own for from" {
    local port=$((PEER_PORT - 1))

    limits RECV=300ms RULES="from any port $PEER_PORT: recv=5s; to any port $port: recv=5s;
        port $PEER_PORT: recv=600ms"
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
}

@test "unix sockets by path: at both ends" {
    peer_start silent --unix "$PWD/sock"
    local path=${PWD// /?} # a blank would end it

    limits PROTO=unix RECV=300ms RULES="unix $path/no*: recv=5s; unix $path/s*k: recv=600ms"
    steps connect:unix:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
    limits RULES="unix $path/s*k: recv=500ms" # though proto is tcp for the rest
    steps connect:unix:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @500'
    assert_records timeout 2
}

@test "IPv6, and IPv4 written as IPv6" {
    peer_start silent --v6
    limits RECV=300ms RULES='to ::1: recv=600ms; to ::ffff:127.0.0.1: recv=5s'
    steps connect:tcp6:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
}

# --- when it is applied ---------------------------------------------------------------------------

@test "a socket that connects again gets the rule of where it goes then" {
    local first=$PEER_PORT

    peer_start silent
    limits RECV=300ms RULES="port $first: recv=600ms send=1s mode=fill errno=ECONNABORTED"
    steps connect:"$first" recv recv connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ECONNABORTED @600' 'recv -1 ETIMEDOUT @600' 'connect 0 -' \
        'recv -1 ETIMEDOUT @300'
}

@test "on event loops: limits of a rule where the general settings have none" {
    limits NONBLOCK=on RULES="port $PEER_PORT: recv=400ms"
    for call in poll select epoll_wait; do
        steps connect:"$PEER_PORT" nonblock:fcntl wait:$call:in:3000 recv
        expect 'connect 0 -' 'nonblock 0 -' "wait 1 - * @400" 'recv -1 ETIMEDOUT'
    done
}

@test "a non-blocking connect, by a rule" {
    peer_start unreachable
    limits NONBLOCK=on CONNECT=5s RULES="port $PEER_PORT: connect=400ms"
    steps socket:tcp:nonblock connect:"$PEER_PORT" wait:poll:out:3000 get:error
    expect 'socket * -' 'connect -1 EINPROGRESS' 'wait 1 - out+err+hup @400' 'get 110 - ETIMEDOUT'
    limits CONNECT=5s RULES="port $PEER_PORT: connect=400ms"
    steps connect:"$PEER_PORT"
    expect 'connect -1 ETIMEDOUT @400'
}

@test "idle and total, by a rule, in a blocking recv" {
    peer_start drip --text x --every 100
    limits RULES="port $PEER_PORT: total=600ms"
    steps connect:"$PEER_PORT" follow:recv:3000
    expect 'connect 0 -' 'follow * ETIMEDOUT* @1-1110'
    [[ $(record timeout .limit) == total ]] || fail "another limit"
    assert_waited 600 "$(record timeout .waited_ms)" 'waited_ms'
}

@test "a datagram's destination, connected or not" {
    limits PROTO=udp RECV=300ms RULES="to 127.0.0.1 port 9: recv=600ms"
    steps socket:udp connect:udp:9 recv
    [[ ${lines[2]} == recv\ -1\ E* ]] || fail "recv: ${lines[2]}" # refused, or timed out
    python_udp() {
        under SOCKTMO_PROTO=udp SOCKTMO_RECV=300ms \
            SOCKTMO_RULES="to 127.0.0.2: recv=700ms; to 127.0.0.3: limits=off" -- python3 -c '
import socket, sys, time
hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
hole.bind(("0.0.0.0", 0))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address in sys.argv[1:]:
    s.sendto(b"x", (address, hole.getsockname()[1]))
    before = time.monotonic()
    try:
        s.recv(1)
    except OSError as e:
        print(address, e.errno, round((time.monotonic() - before) * 1000))
' "$@"
    }
    requires python3
    python_udp 127.0.0.2 127.0.0.1 127.0.0.2
    [[ ${#lines[@]} -eq 3 ]] || fail 'not three answers'
    for line in "${lines[@]}"; do
        read -r address error ms <<<"$line"
        [[ $error -eq 110 ]] || fail "$line"
        [[ $address == 127.0.0.2 ]] && assert_waited 700 "$ms" "$line" || assert_waited 300 "$ms" "$line"
    done
    TMO_CUT=1
    python_udp 127.0.0.3
    [[ $status -eq 124 ]] || fail "status $status: the wait ended"
}

@test "what was open at start is adopted by the rule of its peer" {
    limits RECV=300ms RULES="to 127.0.0.1: recv=600ms; from 127.0.0.1: recv=600ms"
    steps donor:"$PEER_PORT" recv
    expect 'donor * -' 'recv -1 ETIMEDOUT @600'
}

@test "the action and errno of a rule" {
    limits RECV=300ms RULES="port $PEER_PORT: errno=ECONNRESET action=reset"
    steps connect:"$PEER_PORT" recv recv
    expect 'connect 0 -' 'recv -1 ECONNRESET @300' 'recv -1 ECONNRESET'
    limits RECV=300ms RULES="port $PEER_PORT: action=exit"
    steps connect:"$PEER_PORT" recv
    [[ $status -eq 124 ]] || fail "status $status"
}

# --- the file -------------------------------------------------------------------------------------

@test "a section with an error is told and not used, the rest is" {
    conf 'recv = 400ms' '[bad]' "match = port $PEER_PORT" 'recv = 2x' '[good]' \
        "match = to 127.0.0.1" 'recv = 600ms'
    by_file
    run --separate-stderr bounded env "${LIMITS[@]}" LD_PRELOAD="$TMO_LD_PRELOAD" \
        "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @600'
    [[ $stderr == "socktmo: $PWD/conf:4:8: '2x': expected a duration"* ]] || fail "told: $stderr"
    [[ $(wc -l <<<"$stderr") -eq 1 ]] || fail "more than a line: $stderr"
}

@test "files that are none: told in one line, and the program runs" {
    mkdir dir
    mkfifo fifo
    ln -s loop loop
    truncate -s 10M large
    printf 'recv = \0' >nuls
    head -c 5000 /dev/zero >zeros
    for file in missing dir fifo loop large nuls zeros; do
        run --separate-stderr bounded env SOCKTMO_CONFIG="$PWD/$file" \
            LD_PRELOAD="$TMO_LD_PRELOAD" echo ran
        [[ $status -eq 0 && $output == ran ]] || fail "$file: status $status: $output"
        [[ $(wc -l <<<"$stderr") -eq 1 && $stderr == "socktmo: "*"$file"*": "* ]] ||
            fail "$file: $stderr"
        echo "$stderr" >>told
    done
    grep -q 'missing.*no such file' told || fail "$(cat told)"
    grep -q 'dir.*a directory' told || fail "$(cat told)"
    grep -q 'fifo.*not a regular file' told || fail "$(cat told)"
    grep -q 'loop.*too many links' told || fail "$(cat told)"
    grep -q 'large.*larger than 1 MiB' told || fail "$(cat told)"
    [[ $(grep -c 'a NUL byte' told) -eq 2 ]] || fail "$(cat told)"
}

@test "a rule with 1,000 before it" {
    for i in {1..1000}; do
        echo "[r$i]"
        echo "match = to 10.$((i / 256)).$((i % 256)).0/24 port 1000-2000"
        echo 'recv = 5s'
    done >conf
    printf '%s\n' '[last]' "match = port $PEER_PORT" 'recv = 400ms' >>conf
    by_file
    steps connect:"$PEER_PORT" recv
    expect 'connect 0 -' 'recv -1 ETIMEDOUT @400'
    [[ $(record timeout .rule) == last ]] || fail 'by another'
}

# --- reload ---------------------------------------------------------------------------------------

# A program that connects to PEER_PORT for each line that it is told, and says how long it waited.
start_asker() {
    mkfifo ask answers
    bounded env SOCKTMO_CONFIG="$PWD/conf" SOCKTMO_LOG="$PWD/log" LD_PRELOAD="$TMO_LD_PRELOAD" \
        python3 -c '
import socket, sys, time
kept = []
for line in sys.stdin:
    s = kept[0] if line == "kept\n" else socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    kept.append(s)
    before = time.monotonic()
    s.setblocking(True)
    if line == "alone\n": # a look at the option says as much
        import struct
        print(struct.unpack("ll", s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)), flush=True)
        continue
    try:
        s.recv(1)
    except OSError as e:
        print(round((time.monotonic() - before) * 1000), flush=True)
' "$PEER_PORT" <ask >answers 2>errors &
    own $!
    exec 5>ask 6<answers
}

# asked WORD: its answer.
asked() {
    local answer

    echo "$1" >&5
    read -r -t 10 -u 6 answer || fail "no answer: $(cat errors)"
    echo "$answer"
}

# replace LINE…: by rename, and until it may be looked at again.
replace() {
    printf '%s\n' "$@" >conf.new
    mv conf.new conf
    sleep 1.1 # the library looks once a second
}

@test "a file that is replaced holds for sockets made from then on, live ones keep what they have" {
    requires python3
    conf 'recv = 300ms'
    start_asker
    assert_waited 300 "$(asked new)" 'at first'
    replace 'recv = 5s' '[here]' "match = port $PEER_PORT" 'recv = 600ms'
    assert_waited 600 "$(asked new)" 'by the new file'
    assert_waited 300 "$(asked kept)" 'on the old socket'
    [[ $(record timeout '.rule // "-"' | tr '\n' ' ') == '- here - ' ]] || fail 'by other rules'

    replace 'recv = 2x'
    assert_waited 600 "$(asked new)" 'with a broken file'
    [[ $(<errors) == *"conf:1:8: '2x': expected a duration"* ]] || fail "told: $(<errors)"
    [[ $(<errors) == *"not taken up"* ]] || fail "told: $(<errors)"
    [[ $(wc -l <errors) -eq 2 ]] || fail "told: $(<errors)"
    assert_records problem 2

    touch conf
    sleep 1.1
    assert_waited 600 "$(asked new)" 'with the same broken file'
    assert_records problem 2

    replace 'disable = on' 'recv = 300ms'
    [[ $(asked alone) == '(0, 0)' ]] || fail 'disabled, but a limit is set'
    replace 'recv = 400ms'
    assert_waited 400 "$(asked new)" 'enabled again'
}

@test "a file that somebody else owns now, or others can write, is not taken up" {
    requires python3
    [[ $EUID -eq 0 ]] || skip 'only root can give a file away'
    conf 'recv = 300ms'
    start_asker
    assert_waited 300 "$(asked new)" 'at first'
    echo 'recv = 5s' >conf.new
    chown nobody conf.new
    mv conf.new conf
    sleep 1.1
    assert_waited 300 "$(asked new)" 'by the file of somebody else'
    [[ $(<errors) == *"conf: not taken up: it belongs to somebody else now"* ]] || fail "$(<errors)"
    sleep 1.1
    asked new >/dev/null
    [[ $(wc -l <errors) -eq 1 ]] || fail "told: $(<errors)"
    replace 'recv = 500ms'
    assert_waited 500 "$(asked new)" 'by a good one again'
}

@test "a listener has the accept limit of a rule for those that it accepts, from wherever" {
    limits ACCEPT=5s RECV=300ms \
        RULES='from 127.0.0.2: accept=1s; from any: accept=400ms recv=600ms; to any: accept=2s'
    steps listen accept:1
    expect 'listen * -' 'accept -1 ETIMEDOUT @400'
    [[ $(record timeout .rule) == 'from any: accept=400ms recv=600ms' ]] || fail 'another rule'
}

@test "a datagram socket: one thread sends elsewhere while another waits" {
    requires python3
    under SOCKTMO_RULES='to 127.0.0.2 proto udp: recv=300ms; to 127.0.0.3 proto udp: recv=1200ms' -- \
        python3 -c '
import socket, threading, time
hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
hole.bind(("0.0.0.0", 0))
port = hole.getsockname()[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", ("127.0.0.2", port))
threading.Timer(0.1, lambda: s.sendto(b"x", ("127.0.0.3", port))).start()
before = time.monotonic()
try:
    s.recv(1)
except OSError as e:
    print(e.errno, round((time.monotonic() - before) * 1000))
s.connect(("127.0.0.2", port))
s.sendto(b"x", ("127.0.0.3", port))
before = time.monotonic()
try:
    s.recv(1)
except OSError as e:
    print(e.errno, round((time.monotonic() - before) * 1000))
'
    [[ ${#lines[@]} -eq 2 ]] || fail 'not two answers'
    read -r error ms <<<"${lines[0]}"
    [[ $error -eq 110 ]] || fail "${lines[0]}"
    assert_between 1200 2100 "$ms" 'by the limit of where it was sent last'
    read -r error ms <<<"${lines[1]}"
    [[ $error -eq 110 ]] || fail "${lines[1]}"
    assert_waited 300 "$ms" 'connected, it waits for its peer'
}

@test "unix names of a few bytes, and what a connect that failed leaves" {
    requires python3
    under SOCKTMO_ACCEPT=5s \
        SOCKTMO_RULES='unix @ab*: recv=3s; to 127.0.0.1: recv=4s,connect=1s' -- python3 -c '
import socket, struct
def limit(s):
    return struct.unpack("ll", s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))[0]
server = socket.socket(socket.AF_UNIX)
server.bind("\0ab")
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect("\0ab")
print(limit(client), limit(server.accept()[0]))
s = socket.socket()
hole = socket.socket()
hole.bind(("127.0.0.1", 0))
try:
    s.connect(hole.getsockname())
except OSError:
    print("refused")
s.listen()
print(limit(s))
'
    [[ $output == $'3 3\nrefused\n5' ]] || fail 'others'
}

@test "a listen that is refused leaves a connection its rule" {
    requires python3
    by=$(printf 'from any: recv=5s; to any port %s: recv=300ms' "$PEER_PORT")
    under SOCKTMO_RULES="$by" SOCKTMO_LOG="$PWD/log" -- python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    s.listen()
except OSError:
    print("refused")
try:
    s.recv(1)
except TimeoutError:
    print("in time")
' "$PEER_PORT"
    [[ $output == $'refused\nin time' ]] || fail 'others'
    assert_records timeout 1
    [[ $(record timeout .limit_ms) == 300 ]] || fail 'the limit of another rule'
    [[ $(the_rule) == "to any port $PEER_PORT: recv=300ms" ]] || fail "by $(the_rule)"
}

@test "a program that starts disabled by the file is watched over when that changes" {
    requires python3
    conf 'disable = on' 'recv = 300ms'
    start_asker
    [[ $(asked alone) == '(0, 0)' ]] || fail 'disabled, but a limit is set'
    replace 'recv = 400ms'
    assert_waited 400 "$(asked new)" 'enabled'
}

@test "without a file its name is looked at once, and never again" {
    requires strace
    limits RECV=5s
    run bounded strace -f -o trace -e trace=file -E LD_PRELOAD="$TMO_LD_PRELOAD" \
        -E SOCKTMO_RECV=5s "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" close rest:1100 \
        connect:"$PEER_PORT" close
    [[ $(grep -c 'socktmo\.conf' trace) -eq 1 ]] || fail "$(grep 'socktmo\.conf' trace)"
    [[ $(grep 'socktmo\.conf' trace) == *'open'*'ENOENT'* ]] || fail "$(grep 'socktmo\.conf' trace)"
    run bounded strace -f -o trace -e trace=file -E LD_PRELOAD="$TMO_LD_PRELOAD" \
        -E SOCKTMO_CONFIG= "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" close
    [[ $(grep -c 'socktmo\.conf' trace) -eq 0 ]] || fail "$(grep 'socktmo\.conf' trace)"
}

@test "with a file its name is looked at once a second at most" {
    requires strace
    conf 'recv = 5s'
    run bounded strace -f -o trace -e trace=file -E LD_PRELOAD="$TMO_LD_PRELOAD" \
        -E SOCKTMO_CONFIG="$PWD/conf" "$TMO_BUILD/tests/steps" \
        connect:"$PEER_PORT" close connect:"$PEER_PORT" close connect:"$PEER_PORT" close rest:1100 \
        connect:"$PEER_PORT" close connect:"$PEER_PORT" close
    assert_between 2 4 "$(grep -c "$PWD/conf" trace)" "looks" # opened; then once a second
    [[ $(grep -c 'openat.*/conf' trace) -eq 1 ]] || fail "$(cat trace)"
}
