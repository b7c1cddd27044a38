#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # each test is a process of its own; command.bash sets stderr
#
# run --guard: a static client, which no preload reaches, is ended in time from outside; what it
# shows to its parent, its terminal and its children is what it shows bare.

bats_require_minimum_version 1.5.0
load helpers
load command

setup_file() {
    local root
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    # shellcheck disable=SC2086 # with its options
    ${CC:-cc} -static -O1 -o "$BATS_FILE_TMPDIR/client" "$root/tests/programs/client.c" \
        2>"$BATS_FILE_TMPDIR/client.err" || true
}

setup() {
    tmo_setup
    PUBLIC=
    # the library's own build must not stand in the way of what has no loader
    CLIENT=$BATS_FILE_TMPDIR/client
    [[ -x $CLIENT ]] || skip "no static C library here: $(tail -n 1 "$BATS_FILE_TMPDIR/client.err")"
    [[ -z ${TMO_RUN-} ]] || skip "the emulator's own processes would be guarded"
    [[ -z $TMO_PRELOAD ]] || export LD_PRELOAD=$TMO_PRELOAD:$TMO_LIB
}

# guarded [OPTION…] -- ARG…: the client under the guard, with elapsed_ms.
guarded() {
    local -a options=()
    local before

    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    before=${EPOCHREALTIME/./}
    cmd run --guard --log "$PWD/log" "${options[@]}" "$CLIENT" "$@"
    elapsed_ms=$(((${EPOCHREALTIME/./} - before) / 1000))
}

# expect_ended ACTION: there the client was told an error, in its own words, and ended by itself.
expect_ended() {
    expect_status 1
    [[ -z $stderr && $output =~ (^|$'\n')"$1: "(ECONNRESET|EPIPE)$ ]] || fail "$output$stderr"
}

# expect_passed LIMIT MS: that limit passed, once, when it should, and is on record as the
# library's are.
expect_passed() {
    assert_records timeout 1
    [[ $(record timeout '[.limit, .limit_ms, .call, .program, .peer, .dir] | join(" ")') == \
        "$1 $2 guard client 127.0.0.1:$PEER_PORT out" ]] || fail "the record"
    # by the promise a tenth and 50 ms later at most; the rest is for a busy machine
    assert_between "$2" $(($2 * 11 / 10 + 50 + 300)) "$(record timeout .waited_ms)" waited_ms
    assert_between "$2" $(($2 * 11 / 10 + 50 + 1500))
    [[ $(record close '[.reason, .timeouts, .fd] | join(" ")') == "timeout 1 3" ]] || fail "close"
    [[ $(record timeout '.pid == .tid and .pid > 1 and .tcp.state != null') == true ]] || fail "pid"
}

# wait_for FILE TEXT: until TEXT is in FILE, 5 s at most.
wait_for() {
    local i
    for ((i = 0; i < 250; i++)); do
        ! grep -qs -- "$2" "$1" || return 0
        read -rt 0.02 <> <(:) || true
    done
    fail "'$2' did not come: $(cat "$1")"
}

# --- limits ---------------------------------------------------------------------------------------

@test "recv: a silent peer" {
    peer_start silent
    guarded --recv 1s -- connect:"$PEER_PORT" send:3 recv
    expect_ended recv
    expect_passed recv 1000
}

@test "connect: an unreachable peer" {
    peer_start unreachable
    guarded --connect 1s -- connect:"$PEER_PORT"
    expect_ended connect
    expect_passed connect 1000
    [[ $(record timeout .tcp.state) == SYN_SENT ]] || fail "the state"
}

@test "total: a peer that drips" {
    peer_start drip --every 100
    guarded --recv 500ms --total 1s -- connect:"$PEER_PORT" all
    expect_ended all
    expect_passed total 1000
}

@test "send: a peer that never reads" {
    peer_start noread
    guarded --send 1s -- connect:"$PEER_PORT" fill
    expect_ended fill
    expect_passed send 1000
}

@test "idle: in a program that does something else" {
    peer_start echo
    guarded --idle 1s -- connect:"$PEER_PORT" send:3 recv rest:1500 send:3 recv
    expect_status 1
    [[ $output == *"rest 0"*": E"* ]] || fail "$output"
    [[ $(record timeout .limit) == idle ]] || fail "the limit"
    assert_between 1000 1450 "$(record timeout .waited_ms)" waited_ms
    assert_between 1500 3500
}

@test "await = answer: an idle connection stays, an answer that is owed does not" {
    peer_start echo
    guarded --recv 300ms --await answer -- connect:"$PEER_PORT" send:3 recv rest:1200 send:3 recv
    expect_status 0
    assert_records timeout 0
    peer_start half
    rm -f log
    guarded --recv 500ms --await answer -- connect:"$PEER_PORT" send:3 recv rest:800 send:3 recv
    expect_ended recv
    [[ $output == *"rest 0"* ]] || fail "$output"
    [[ $(record timeout .limit) == recv ]] || fail "the limit"
    assert_between 500 900 "$(record timeout .waited_ms)" waited_ms
    assert_between 1300 3000
}

@test "a rule by the peer's address, also before the handshake" {
    peer_start unreachable
    guarded --connect 9s --rules "to 10.0.0.0/8: connect=1h; to 127.0.0.1 port $PEER_PORT: connect=600ms" \
        -- connect:"$PEER_PORT"
    expect_ended connect
    [[ $(record timeout .rule) == "to 127.0.0.1 port $PEER_PORT: connect=600ms" ]] || fail "rule"
    assert_between 600 1010 "$(record timeout .waited_ms)" waited_ms
}

@test "action = exit: status 124; abort: SIGABRT; report: recorded only, once" {
    peer_start silent
    guarded --recv 500ms --action exit -- connect:"$PEER_PORT" recv
    expect_status 124
    [[ $(record timeout .action) == exit ]] || fail "the record"
    assert_between 500 2500
    guarded --recv 500ms --action abort -- connect:"$PEER_PORT" recv
    expect_status 134
    rm log
    peer_start late --after 2000 --text hello
    guarded --recv 500ms --action report -- connect:"$PEER_PORT" send:3 recv
    expect_status 0
    assert_records timeout 1
    [[ $(record timeout .action) == report && $(record close .reason) == unseen ]] || fail "record"
    assert_between 2000 4000
}

@test "a healthy client is not disturbed" {
    peer_start echo
    local -a does=(connect:"$PEER_PORT" send:9 recv rest:400 send:5 recv rest:400 exit:7)
    outcome "$CLIENT" "${does[@]}"
    bare=$output
    expect_silent 7
    guarded --timeout 600ms --total 9s -- "${does[@]}"
    expect_silent 7
    [[ $output == "$bare" ]] || fail "$output"
    assert_between 800 2500
    assert_records timeout 0
    [[ $(record close '[.reason, .timeouts] | join(" ")') == "unseen 0" ]] || fail "close"
}

@test "a listener waits for as long as it likes, what it accepts does not" {
    "$TMO_BIN" run --guard --recv 700ms --log "$PWD/log" "$CLIENT" listen rest:900 accept recv \
        >out 3>&- 8>&- & own $!
    guard=$!
    wait_for out 'listen '
    port=$(sed -n 's/^listen //p' out)
    exec 9<>"/dev/tcp/127.0.0.1/$port"
    wait "$guard" || true
    exec 9>&-
    grep -q '^recv: E' out || fail "$(cat out)"
    [[ $(record timeout '[.limit, .dir] | join(" ")') == "recv in" ]] || fail "the record"
}

# --- what the library reaches ---------------------------------------------------------------------

@test "what the library reaches is left to it; a static child of that is not" {
    peer_start silent
    cmd run --guard --recv 500ms --log "$PWD/log" bash -c "
        exec 9<>/dev/tcp/127.0.0.1/$PEER_PORT; read -r line <&9
        exec 9>&-
        '$CLIENT' connect:$PEER_PORT recv"
    expect_status 1
    [[ $stderr == *"Connection timed out"* && $output == *"recv: E"* ]] || fail "$output$stderr"
    [[ $(record timeout '[.program, .call == "guard"] | join(" ")' | sort | tr '\n' ' ') == \
        "bash false client true " ]] || fail "records"
}

@test "what waits in io_uring is not, though the library is there" {
    "${TMO_CC[@]}" -D_GNU_SOURCE -O1 -o uring "$TMO_ROOT/tests/programs/uring.c" 2>uring.err ||
        skip "no headers of io_uring here: $(tail -n 1 uring.err)"
    ./uring probe >probed || skip "the kernel refuses io_uring: $(<probed)"
    peer_start silent
    CLIENT=./uring
    guarded --recv 1s -- connect:"$PEER_PORT" send:3 recv
    expect_ended recv
    [[ $(record timeout '[.limit, .call, .program] | join(" ")') == "recv guard uring" ]] ||
        fail "the record"
    assert_between 1000 1450 "$(record timeout .waited_ms)" waited_ms
    [[ $(record close '[.reason, .timeouts] | join(" ")') == "timeout 1" ]] || fail "close"
    peer_start unreachable
    rm log
    cmd run --guard=auto --connect 1s --log "$PWD/log" ./uring connect:"$PEER_PORT"
    expect_ended connect
    [[ $(record timeout '[.limit, .call] | join(" ")') == "connect guard" ]] || fail "the record"
}

@test "a connection that the library had, and a static program goes on with" {
    peer_start silent
    cmd run --guard --recv 600ms --log "$PWD/log" bash -c "
        exec 3<>/dev/tcp/127.0.0.1/$PEER_PORT
        timeout 1 tail -f /dev/null
        exec '$CLIENT' fd:3 recv"
    expect_status 1
    # What the connection was silent for before is no wait of this program: the limit begins anew.
    # The library's own timeout is on the socket yet, and comes at about the same time.
    if [[ $output == *"recv: Resource temporarily unavailable"* ]]; then
        assert_records timeout 0
    else
        [[ $output == *"recv: E"* ]] || fail "$output$stderr"
        assert_between 600 1060 "$(record timeout .waited_ms)" waited_ms
        assert_between 600 1160 "$(record timeout .age_ms)" age_ms
    fi
}

@test "--guard=auto stays only where the library cannot get in; a bad word is refused" {
    "$TMO_BIN" run --guard=auto sh -c "echo \$\$" >out 3>&- 8>&- &
    pid=$!
    wait "$pid"
    [[ $(<out) == "$pid" ]] || fail "it stayed"
    "$TMO_BIN" run --guard=auto "$CLIENT" handle pause >out 2>err 3>&- 8>&- & own $!
    pid=$!
    wait_for out pausing
    [[ $(<out) != *"pausing $pid"* ]] || fail "it did not stay"
    kill -USR1 "$pid"
    wait "$pid"
    [[ ! -s err ]] || fail "$(<err)"
    cmd run --guard=maybe true
    expect_refused "--guard='maybe': expected on, off or auto"
    cmd run --guard=off "$CLIENT" exit:0
    expect_warned "is statically linked"
}

# --- status and signals ---------------------------------------------------------------------------

@test "exit statuses" {
    for n in 0 7; do
        guarded -- exit:$n
        expect_silent $n
    done
    for signal in 11 15 9; do
        guarded -- die:$signal
        expect_status $((128 + signal))
    done
    cmd run --guard ./nosuch
    expect_silent_but 127
    : >plain
    cmd run --guard ./plain
    expect_silent_but 126
    ! compgen -G 'core*' || fail "a core"
}

@test "signals that the guard gets are passed on, each once" {
    "$TMO_BIN" run --guard --recv 1s "$CLIENT" handle pause exit:3 >out 3>&- 8>&- & own $!
    guard=$!
    wait_for out pausing
    for signal in TERM:15 INT:02 HUP:01; do
        kill -"${signal%:*}" "$guard"
        wait_for out "signal ${signal#*:}"
    done
    kill -USR1 "$guard"
    status=0
    wait "$guard" || status=$?
    expect_status 3
    [[ $(grep -c signal out) -eq 4 ]] || fail "$(cat out)"
}

@test "^Z stops both, fg continues both, ^C comes once" {
    requires python3
    outcome python3 "$TMO_ROOT/tests/programs/terminal.py" "$CLIENT" handle pause exit:5
    bare=${output/ T/ TT}
    [[ $bare == *"stopped 20 TT"* ]] || fail "bare: $output$stderr"
    outcome python3 "$TMO_ROOT/tests/programs/terminal.py" "$TMO_BIN" run --guard --recv 1s "$CLIENT" \
        handle pause exit:5
    [[ $output == "$bare" ]] || fail "$output$stderr"
}

@test "the program lives on without its guard" {
    "$TMO_BIN" run --guard --recv 1s "$CLIENT" handle pause rest:300 >out 3>&- 8>&- &
    guard=$!
    wait_for out pausing
    client=$(sed -n 's/^pausing //p' out)
    kill -KILL "$guard"
    wait "$guard" || true
    kill -USR1 "$client"
    wait_for out 'rest 0'
}

# --- children -------------------------------------------------------------------------------------

@test "orphans are taken in, ended when overdue, and reaped" {
    peer_start silent
    "$TMO_BIN" run --guard --recv 500ms --log "$PWD/log" sh -c "
        ('$CLIENT' connect:$PEER_PORT recv >orphan &)
        exec '$CLIENT' handle pause" >out 3>&- 8>&- & own $!
    guard=$!
    wait_for orphan 'recv: E'
    wait_for out pausing
    assert_between 500 950 "$(record timeout .waited_ms)" waited_ms
    for ((i = 0; i < 100; i++)); do
        [[ $(ps -o stat= --ppid "$guard") == *Z* ]] || break
        read -rt 0.02 <> <(:) || true
    done
    [[ $(ps -o stat= --ppid "$guard") != *Z* ]] || fail "a zombie is left"
    kill -USR1 "$guard"
    wait "$guard"
}

@test "five hundred forks; five hundred connections one after the other" {
    peer_start echo
    guarded --timeout 500ms -- forks:500 churn:500:"$PEER_PORT"
    expect_silent
    [[ $output == $'forks 0\nchurn 0' ]] || fail "$output"
    assert_between 1 12000
    assert_records timeout 0
}

@test "a program in a network of its own" {
    requires unshare util-linux
    requires ip iproute2
    unshare -n true || skip "no network namespaces here"
    cmd run --guard --recv 700ms --log "$PWD/log" unshare -n bash -c "
        ip link set lo up
        exec 7< <(exec '$TMO_BUILD/tests/peer' silent --life 10 <'$BATS_TEST_TMPDIR/hold')
        read -r _ port <&7
        '$CLIENT' connect:\$port send:3 recv"
    expect_status 1
    [[ $output == *"recv: E"* ]] || fail "$output$stderr"
    [[ $(record timeout 'select(.program == "client") | .limit') == recv ]] || fail "the record"
    assert_between 700 1120 "$(record timeout 'select(.program == "client") | .waited_ms')" waited
}

@test "what the kernel does not let be seen is told once, and runs on" {
    public
    cp "$CLIENT" "$PUBLIC/client"
    chmod 4755 "$PUBLIC/client"
    peer_start late --after 700 --text hello
    cd "$PUBLIC"
    as_user ./socktmo run --guard --recv 300ms ./client connect:"$PEER_PORT" send:3 recv
    expect_status 0
    [[ $(grep -c '^socktmo: guard: client ' <<<"$stderr") -eq 1 && $stderr == *"no limit will hold"* ]] ||
        fail "$stderr"
}

@test "an idle tree costs next to nothing" {
    peer_start echo
    "$TMO_BIN" run --guard --timeout 30s "$CLIENT" connect:"$PEER_PORT" send:3 recv handle pause \
        >out 3>&- 8>&- & own $!
    guard=$!
    wait_for out pausing
    before=$(cut -d' ' -f1 "/proc/$guard/schedstat")
    timeout 2 tail -f /dev/null 3>&- 8>&- || true
    after=$(cut -d' ' -f1 "/proc/$guard/schedstat")
    kill -USR1 "$guard"
    wait "$guard"
    # 2 ms in 2 s are a tenth of a percent; three walks at least were made
    assert_between 1 6000 $(((after - before) / 1000)) "us of processor in 2 s"
}
