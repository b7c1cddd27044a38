#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # inner shells' $; helpers.bash and fds.bash set and read
#
# With limits that are never hit a program cannot tell that the library is there: the same results,
# errnos and descriptor numbers, whenever and from wherever its calls are made.

load helpers
load fds

setup() {
    tmo_setup
    peer_start echo
    connected "$PEER_PORT"
    # every limit and a log, and every kind of socket: as much as there can be in the way
    limits=(SOCKTMO_TIMEOUT=20s SOCKTMO_ACCEPT=20s SOCKTMO_LINGER=20s SOCKTMO_PROTO=all
        SOCKTMO_KEEPALIVE=60s SOCKTMO_USER_TIMEOUT=20s SOCKTMO_EVENTS=all)
}

# guest STEP…: fds with all limits, alike.
guest() {
    alike "${limits[@]}" -- "$FDS" "$@"
    [[ $output != *" errno "* ]] || fail "even bare, errno is changed"
    every_line_is_json log # it was there
}

# early_program: tests/programs/early.c, or with its library, in the folder of the test.
early_program() {
    local source=$TMO_ROOT/tests/programs/early.c

    shared libearly early.c -DEARLY_LIBRARY
    "${TMO_CC[@]}" -std=gnu11 -D_GNU_SOURCE -o early "$source" -Wl,--no-as-needed "$SHARED"
}

# --- results, errnos, numbers ---------------------------------------------------------------------

@test "errno is left alone by calls that go well, and numbers are the lowest free" {
    guest a=open:/dev/null l=socket:tcp bind:l:4/0 listen:l:5 close:a c=socket:tcp connect:c:=l \
        s=accept:l t=socket:tcp connect:t:=l u=accept4:l send:c:10 recv:s:10 shutdown:c:1 \
        recv:s:1 d=dup:c dup2:d:40 dup3:d:41 dupfd:d:42 cloexec:d flags:d close:41 close:42 \
        close:c close:d close:40 p=socketpair send:p:3 recv:q:3 close:p close:q r=pipe close:r \
        close:s u=socket:udp connect:u:4/9 close:u x=socket:tcp6n x=socket:unixn \
        closefrom:50 close_range:60:70 open:/dev/null
}

@test "calls that fail fail as bare" {
    guest close:99 close:-1 dup:99 dup2:99:50 dup2:0:-1 dup3:0:0 dupfd:0:-1 listen:0:1 accept:0 \
        accept:99 accept4:99 close_range:9:3 shutdown:0:1 a=socket:tcp shutdown:a:1 recv:a:1 \
        accept:a send:99:1 recv:99:1 connect:99:4/9 connect:0:4/9 connect:a:u/nowhere \
        b=socket:unix connect:b:u/nowhere c=socket:udp listen:c:1 accept:c bind:a:4/0 bind:a:4/0 \
        fdopen:99 exec:execve:/nonexistent flags:99 rlimit:nofile:99999999
}

@test "a refused connect, a second one, and a socket that is used again" {
    guest l=socket:tcp bind:l:4/0 a=socket:tcp connect:a:=l connect:a:=l close:a listen:l:1 \
        a=socket:tcp connect:a:=l connect:a:=l send:a:1 close:a close:l
    n=$(records connect)
    [[ $n -ge 3 ]] || fail "only $n connects on record"
}

@test "stdio on a connection" {
    guest "${connected[@]}" fdopen:a fputs:20 fclose open:/dev/null
    guest "${connected[@]}" fdopen:a freopen:/dev/null fclose open:/dev/null
}

@test "no free descriptor" {
    # without a record so far no file is open
    alike SOCKTMO_TIMEOUT=20s -- "$FDS" rlimit:nofile:20 openall socket:tcp open:/dev/null dup:0 accept:0 pipe socketpair \
        close:10 "${connected[@]}" send:a:5 recv:a:5 close:a open:/dev/null
}

@test "standard input, output and error closed at the start" {
    for fds in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
        bare -- bash -c "exec \"\$@\" $fds" bash "$FDS" -o bare "${connected[@]}" send:a:5 \
            b=open:/dev/null close:a c=socket:tcp open:/dev/null
        logged "${limits[@]}" -- bash -c "exec \"\$@\" $fds" bash "$FDS" -o under \
            "${connected[@]}" send:a:5 b=open:/dev/null close:a c=socket:tcp open:/dev/null
        [[ $status -eq 0 && -z $output ]] || fail "with $fds"
        diff bare under || fail "with $fds the numbers are others"
        [[ $(record close .tcp.bytes_sent | head -n 1) -eq 5 ]] || fail "with $fds there is no record"
        rm -f bare under log
    done
}

@test "two threads at once, and forks" {
    TMO_CUT=30 bare -- "$TMO_BUILD/tests/racers" "$PEER_PORT" 8 40
    [[ $status -eq 0 && $output == 320 ]] || fail "bare"
    TMO_CUT=30 logged "${limits[@]}" -- "$TMO_BUILD/tests/racers" "$PEER_PORT" 8 40
    [[ $status -eq 0 && $output == 320 ]] || fail "under the shim"
    assert_records close 320
}

# --- early and late -------------------------------------------------------------------------------

@test "calls from .preinit_array, constructors, main, destructors and a library's constructor" {
    early_program
    alike "EARLY_PORT=$PEER_PORT" "${limits[@]}" -- ./early
    calls=12 least=3
    [[ ${TMO_FOREIGN-} != musl ]] || calls=8 least=2 # it has no .preinit_array
    [[ $(grep -c '^preinit\|^library\|^constructor\|^main\|^destructor' <<<"$output") -eq $calls ]] ||
        fail "they were not all made: $output"
    [[ $output != *"connect -1"* ]]
    # what is made before us cannot be recorded, but what is kept till main must be
    [[ $(record close 'select(.tcp.bytes_sent == 1) | .reason' | wc -l) -ge $least ]] ||
        fail "$(record close)"
    every_line_is_json log
}

@test "the settings are read although the first call came before there was an environment" {
    peer_start mute
    early_program
    under "EARLY_PORT=$PEER_PORT" SOCKTMO_LOG="$PWD/log" SOCKTMO_EVENTS=close,start \
        SOCKTMO_RECV=7s -- ./early
    [[ $(record start .settings.recv) == 7s ]] || fail "recv: $(record start)"
    [[ $(records close) -ge 3 ]] || fail "only $(records close) closes"
}

@test "calls in atexit functions" {
    guest "${connected[@]}" atexit send:a:5 recv:a:5 close:a b=socket:tcp \
        "connect:b:4/$PEER_PORT" end exit:4
    assert_closes close exit
}

# --- processes ------------------------------------------------------------------------------------

@test "fork, _Fork, vfork" {
    guest "${connected[@]}" child send:a:1 recv:a:1 close:a b=socket:tcp "connect:b:4/$PEER_PORT" \
        send:b:1 recv:b:1 close:b end Fork open:/dev/null closefrom:3 end vchild dup2:0:a close:a \
        open:/dev/null closefrom:3 end open:/dev/null send:a:2 recv:a:2 close:a
}

@test "a vfork child that executes, and one that cannot" {
    mkdir bin
    cp "$TRUE" bin/true
    PATH=$PWD/bin:$PATH guest "${connected[@]}" cloexec:a vchild exec:execve:/nonexistent \
        "exec:execv:$TRUE" end send:a:2 recv:a:2 vchild exec:execvp:true end \
        child exec:execlp:true end close:a
    assert_closes close
}

@test "posix_spawn" {
    guest "${connected[@]}" "spawn:$TRUE" spawn:/nonexistent send:a:2 recv:a:2 close:a open:/dev/null
    assert_closes close
}

@test "system, popen" {
    not_on musl "the shell is not linked with it"
    guest "${connected[@]}" system:'echo hello; exit 3' popen:'echo hello' send:a:2 recv:a:2 \
        system:'exit 1' close:a open:/dev/null
    assert_closes close
    rm log
    printf '#!/bin/sh\nexec "%s" %s send:a:3\n' "$FDS" "${connected[*]}" >inner
    chmod +x inner
    logged -- "$FDS" system:./inner
    [[ $(record close .tcp.bytes_sent) -eq 3 ]] || fail "the shell's child is not reached"
}

@test "a program that clears its environment keeps its limits" {
    peer_start mute
    connected "$PEER_PORT"
    logged SOCKTMO_RECV=100ms -- "$FDS" clearenv "${connected[@]}" recv:a:1 system:env close:a
    [[ $output == *"recv:a:1 = -1 $TIMED_OUT"* ]] || fail "the limit is gone"
    [[ $output != *SOCKTMO* ]] || fail "we put something back"
    assert_records timeout 1
    assert_closes close
}

@test "every descriptor closed, again and again" {
    guest rlimit:nofile:1024 closefrom:3 "${connected[@]}" closeall:3 "${connected[@]}" \
        close_range:3:0xffffffff "${connected[@]}" closefrom:3 open:/dev/null
    assert_closes close close close
}

# --- nothing of ours ------------------------------------------------------------------------------

@test "no thread, no signal handler, no mask" {
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer has handlers of its own"
    guest signals "${connected[@]}" send:a:1 recv:a:1 signals close:a signals
    [[ $(grep -c '^Threads:.1$' <<<"$output") -eq 3 ]] || fail "another thread"
}

@test "no memory for a table: the calls go through" {
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer needs memory of its own"
    guest rlimit:as:now "${connected[@]}" send:a:5 recv:a:5 d=dup:a close:a close:d open:/dev/null
    assert_records close 0 # there really was none
    guest rlimit:as:now "${connected[@]}" send:a:5 recv:a:5 dup2:a:900 close:a close:900
}

@test "no room for anything at the start: the program runs" {
    [[ -z $TMO_PRELOAD ]] || skip "this build's sanitizer needs memory of its own"
    bare -- bash -c 'ulimit -v 12000; exec "$@"' bash "$FDS" say:ran
    [[ $output == ran ]] || skip "12 MB are too little even bare"
    logged "${limits[@]}" -- bash -c 'ulimit -v 12000; exec "$@"' bash "$FDS" "${connected[@]}" say:ran
    [[ $status -eq 0 && $output == *ran ]] || fail "it does not run"
}

@test "without /proc" {
    [[ -z $TMO_PRELOAD ]] || skip "the sanitizer reads its options there"
    [[ $EUID -eq 0 ]] || skip "needs root to hide /proc"
    unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
    logged "${limits[@]}" -- unshare -m bash -c 'mount -t tmpfs none /proc && exec "$@"' bash \
        "$FDS" "${connected[@]}" send:a:5 recv:a:5 close:a
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "it does not run"
    [[ $(record close 'select(.program == "fds") | .reason') == close ]] || fail "no record"
}

# --- beside others --------------------------------------------------------------------------------

@test "beside another preload, in either order" {
    shared bystander bystander.c
    bare BYSTANDER_FD=1 LD_PRELOAD="$SHARED" -- "$FDS" "${connected[@]}" send:a:5 \
        recv:a:5 close:a b=socket:tcp close:b
    expected=$output
    [[ $expected == *"bystander: socket 2 connect 1 close 2" ]] || fail "bare"
    for order in "$SHARED:$TMO_LIB" "$TMO_LIB:$SHARED"; do
        rm -f log
        bare BYSTANDER_FD=1 LD_PRELOAD="${TMO_PRELOAD:+$TMO_PRELOAD:}$order" "${limits[@]}" \
            SOCKTMO_LOG="$PWD/log" -- "$FDS" "${connected[@]}" send:a:5 recv:a:5 close:a \
            b=socket:tcp close:b
        [[ $output == "$expected" ]] || fail "as $order it is seen or passed by"
        assert_closes close
    done
}

@test "a limit holds beside another preload, in either order" {
    shared bystander bystander.c
    peer_start mute
    connected "$PEER_PORT"
    for order in "$SHARED:$TMO_LIB" "$TMO_LIB:$SHARED"; do
        rm -f log
        bare LD_PRELOAD="${TMO_PRELOAD:+$TMO_PRELOAD:}$order" SOCKTMO_RECV=100ms \
            SOCKTMO_LOG="$PWD/log" -- "$FDS" "${connected[@]}" recv:a:1
        [[ $output == *"recv:a:1 = -1 $TIMED_OUT" ]] || fail "as $order"
        assert_records timeout 1
    done
}

@test "preloaded twice, under two names, it harms nobody" {
    cp "$TMO_LIB" "$BATS_TEST_TMPDIR/second.so"
    bare LD_PRELOAD="$TMO_LD_PRELOAD:$BATS_TEST_TMPDIR/second.so" SOCKTMO_LOG="$PWD/log" -- "$FDS" \
        "${connected[@]}" send:a:1 recv:a:1 close:a
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "it does not run"
    every_line_is_json log
}
