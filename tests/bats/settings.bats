#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # inner shells' $; helpers.bash sets and reads the rest
#
# The settings as they come from the environment: what a bad one leads to, which programs they are
# for, what the durations mean, and that without any the library does nothing.

load helpers
load command
load fds

# shim [VAR=VALUE…] -- CMD…: under the shim, with standard error apart, in `stderr`.
shim() {
    local -a variables=()

    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    outcome env "${variables[@]}" LD_PRELOAD="$TMO_LD_PRELOAD" "$@"
}

# expect_told VARIABLE VALUE [PATTERN]: one line about it, and the program (echo ran) ran.
expect_told() {
    expect_status 0
    [[ $output == ran ]] || fail "the program did not run"
    [[ -n $stderr && $stderr != *$'\n'* ]] || fail "not one line: '$stderr'"
    [[ $stderr == "socktmo: "*"$1"*"$2"* ]] || fail "it does not name '$1' and '$2': $stderr"
    [[ $stderr =~ ${3-.} ]] || fail "nothing like '$3' in: $stderr"
}

# acts [VAR=VALUE…] -- CMD…: whether CMD, which connects to PEER_PORT, leaves a record.
acts() {
    rm -f log
    shim SOCKTMO_LOG="$PWD/log" "$@"
    [[ -s log ]]
}

# setting_in_force KEY: a duration, as the record of the start has it.
setting_in_force() {
    record start ".settings.$1 // \"off\"" # what is as built in is left out
}

# --- bad values -----------------------------------------------------------------------------------

@test "each setting: a bad value is told on one line that says what was expected" {
    local id type value expected count=0

    while read -r id type; do
        case $type in
        DURATION) value=2x expected="expected a duration.*250ms" ;;
        WORD) value=nonsense expected="expected [a-z]+(,| or) [a-z]+" ;;
        LIST) value=nonsense expected="expected .*list of [a-z]+, [a-z]+" ;;
        SWITCH) value=perhaps expected="expected on or off" ;;
        ERRNO) value=ENOPE expected="expected an errno name" ;;
        KEEPALIVE) value=60s/x expected="expected idle.*interval.*count" ;;
        SOCKOPT) value=NODELAY=1 expected="unknown option, did you mean TCP_NODELAY\?" ;;
        SINK) value=fd:x expected="expected stderr, syslog, fd:N, unix:PATH" ;;
        RULES) value=nonsense expected="expected to, from, port" ;;
        FILE) value=/nonexistent expected="cannot be read: no such file" ;;
        GLOBS) continue ;; # any text is one
        *) fail "no bad value is known for the type $type" ;;
        esac
        shim "SOCKTMO_$id=$value" -- echo ran
        expect_told "SOCKTMO_$id" "$value" "$expected"
        count=$((count + 1))
    done < <(sed -n 's/^SETTING(\([A-Z_]*\), \([A-Z]*\),.*/\1 \2/p' "$TMO_ROOT/config/settings.def")
    [[ $count -ge 15 ]] || fail "only $count settings were tried"
}

@test "the name that was probably meant is suggested, and only then" {
    shim SOCKTMO_RCEV=1s -- echo ran
    expect_told SOCKTMO_RCEV 1s "did you mean SOCKTMO_RECV\?"
    shim SOCKTMO_LOGFORMAT=text -- echo ran
    expect_told SOCKTMO_LOGFORMAT text "did you mean SOCKTMO_LOG_FORMAT\?"
    shim SOCKTMO_recv=1s -- echo ran
    expect_told SOCKTMO_recv 1s "did you mean SOCKTMO_RECV\?"
    shim SOCKTMO_MODE=forse -- echo ran
    expect_told SOCKTMO_MODE forse "did you mean force\?"
    shim SOCKTMO_EVENTS=close,timeuot -- echo ran
    expect_told SOCKTMO_EVENTS close,timeuot "did you mean timeout\?"

    shim SOCKTMO_XYZZY=1 -- echo ran
    expect_told SOCKTMO_XYZZY 1 "unknown"
    [[ $stderr != *"did you mean"* ]] || fail "suggested: $stderr"
    shim SOCKTMO_MODE=elsewhere -- echo ran
    [[ $stderr != *"did you mean"* ]] || fail "suggested: $stderr"
}

@test "a name that only begins alike is none of ours" {
    shim SOCKTMOX_RECV=2x XSOCKTMO_RECV=2x SOCKTMO=2x socktmo_recv=2x -- echo ran
    expect_silent
    [[ $output == ran ]]
}

@test "only the bad setting is left out" {
    peer_start mute
    shim SOCKTMO_SEND=2x SOCKTMO_RECV=300ms SOCKTMO_MODE=never SOCKTMO_LOG="$PWD/log" -- \
        "$FDS" a=socket:tcp "connect:a:4/$PEER_PORT" recv:a:1
    expect_status 0
    [[ $output == *"recv:a:1 = -1 Connection timed out" ]] || fail "the limit does not hold"
    [[ $(wc -l <<<"$stderr") -eq 2 ]] || fail "not two lines: $stderr"
    [[ $(record timeout .limit) == recv ]] || fail "no timeout of recv"
}

@test "no value can look like another line, or reach the terminal" {
    shim SOCKTMO_RECV=$'2x\nsocktmo: all is well\e[31m\r' -- echo ran
    expect_told SOCKTMO_RECV 2x
    [[ $stderr != *[$'\e\r']* ]] || fail "control bytes went through"
    shim SOCKTMO_RECV="$(printf '%*s' 10000 '' | tr ' ' x)" -- echo ran
    expect_told SOCKTMO_RECV xxx
    [[ ${#stderr} -lt 4096 ]] || fail "a line of ${#stderr} bytes"
    shim $'SOCKTMO_A\nB=1' -- echo ran
    expect_told SOCKTMO_A 1
}

@test "with a log it is told there too, as a problem" {
    shim SOCKTMO_RECV=2x SOCKTMO_LOG="$PWD/log" -- echo ran
    expect_told SOCKTMO_RECV 2x
    assert_records problem 1
    [[ $(record problem '[.where, .value] | join(" ")') == "SOCKTMO_RECV 2x" ]] || fail "which?"
    [[ $(record problem .what) == *"expected a duration"* ]] || fail "what: $(record problem .what)"
    every_line_is_json log
}

@test "a problem is on record whatever SOCKTMO_EVENTS selects" {
    shim SOCKTMO_RECV=2x SOCKTMO_EVENTS=listen SOCKTMO_LOG="$PWD/log" -- echo ran
    assert_records problem 1
}

@test "it is told once in all when the log is standard error" {
    shim SOCKTMO_RECV=2x SOCKTMO_LOG=stderr -- echo ran
    expect_status 0
    [[ $(wc -l <<<"$stderr") -eq 1 ]] || fail "not one line: $stderr"
    [[ $(jq -r '[.event, .where, .value] | join(" ")' <<<"$stderr") == \
        "problem SOCKTMO_RECV 2x" ]] || fail "stderr: $stderr"
}

@test "it is told once in a tree of processes" {
    shim SOCKTMO_RECV=2x SOCKTMO_LOG="$PWD/log" -- \
        bash -c 'env true; (exec env true); bash -c "env true; env true"; echo ran'
    expect_told SOCKTMO_RECV 2x
    assert_records problem 1
}

@test "another fault in a child is told there" {
    shim SOCKTMO_RECV=2x -- bash -c 'SOCKTMO_SEND=3x env true; echo ran'
    expect_status 0
    [[ $(grep -c "SOCKTMO_SEND='3x'" <<<"$stderr") -eq 1 ]] || fail "stderr: $stderr"
    [[ $(head -n 1 <<<"$stderr") == *SOCKTMO_RECV* ]] || fail "stderr: $stderr"
}

@test "a standard error that cannot take it stops nobody" {
    local steps=(-o steps say:ran)

    bare "LD_PRELOAD=$TMO_LD_PRELOAD" SOCKTMO_RECV=2x -- bash -c 'exec "$@" 2>/dev/full' bash \
        "$FDS" "${steps[@]}"
    [[ $status -eq 0 && $(<steps) == ran ]] || fail "a full disk"
    rm steps
    mkfifo pipe
    exec 6<>pipe
    exec 5>pipe
    exec 6>&-
    bare "LD_PRELOAD=$TMO_LD_PRELOAD" SOCKTMO_RECV=2x -- bash -c 'exec "$@" 2>&5' bash \
        "$FDS" "${steps[@]}"
    [[ $status -eq 0 && $(<steps) == ran ]] || fail "a pipe without a reader"
    rm steps
    exec 5<>pipe
    bounded "$FDS" fill:5
    bare "LD_PRELOAD=$TMO_LD_PRELOAD" SOCKTMO_RECV=2x -- bash -c 'exec "$@" 2>&5' bash \
        "$FDS" "${steps[@]}"
    exec 5>&-
    [[ $status -eq 0 && $(<steps) == ran ]] || fail "a full pipe"
}

@test "SOCKTMO_TOLD is in the environment only when something was told" {
    shim SOCKTMO_RECV=2x -- env
    [[ $output == *SOCKTMO_TOLD=* ]] || fail "it is not set"
    shim SOCKTMO_RECV=2s SOCKTMO_LOG="$PWD/log" -- env
    expect_silent
    [[ $output != *SOCKTMO_TOLD=* ]] || fail "it is set"
    shim SOCKTMO_TOLD=whatever -- echo ran
    expect_silent # a reserved name, not an unknown one
}

# --- SOCKTMO_STRICT -------------------------------------------------------------------------------

@test "STRICT: a bad setting stops the program before main, with status 78" {
    shim SOCKTMO_STRICT=1 SOCKTMO_RECV=2x SOCKTMO_LOG="$PWD/log" -- "$FDS" say:ran
    expect_status 78
    [[ -z $output && $stderr == "socktmo: SOCKTMO_RECV='2x'"* && $stderr != *$'\n'* ]] ||
        fail "stderr: $stderr"
    assert_records problem 1
    shim SOCKTMO_STRICT=on SOCKTMO_NOPE=1 -- "$FDS" say:ran
    expect_status 78
}

@test "STRICT: a program that would run is let run; a child of one that was told is stopped too" {
    shim SOCKTMO_STRICT=yes SOCKTMO_RECV=2s -- "$FDS" say:ran
    expect_silent
    [[ $output == ran ]]
    shim SOCKTMO_RECV=2x -- bash -c 'SOCKTMO_STRICT=true env true; echo "status $?"'
    [[ $output == "status 78" ]] || fail "the child ran"
    shim SOCKTMO_STRICT=perhaps -- echo ran # it is bad itself, so it does not count
    expect_told SOCKTMO_STRICT perhaps
}

# --- which programs -------------------------------------------------------------------------------

@test "DISABLE: nothing at all is done" {
    peer_start late --after 500 --text x
    shim SOCKTMO_DISABLE=1 SOCKTMO_RECV=100ms SOCKTMO_SEND=2x SOCKTMO_LOG="$PWD/log" -- \
        "$FDS" a=socket:tcp "connect:a:4/$PEER_PORT" send:a:1 recv:a:1 close:a
    expect_silent
    [[ $output == *"recv:a:1 = 1"* && ! -e log ]] || fail "it did something"
}

@test "ONLY and SKIP take globs of a program's name" {
    peer_start mute
    connected "$PEER_PORT"
    cp "$FDS" worker-7
    acts SOCKTMO_ONLY='fds' -- "$FDS" "${connected[@]}" || fail "ONLY its name"
    acts SOCKTMO_ONLY='x,worker-[0-9]' -- ./worker-7 "${connected[@]}" || fail "ONLY a glob in a list"
    ! acts SOCKTMO_ONLY='worker' -- ./worker-7 "${connected[@]}" || fail "ONLY matched a part"
    ! acts SOCKTMO_SKIP='work*' -- ./worker-7 "${connected[@]}" || fail "SKIP a glob"
    acts SOCKTMO_SKIP='other,workers' -- ./worker-7 "${connected[@]}" || fail "SKIP another"
    ! acts SOCKTMO_ONLY='work*' SOCKTMO_SKIP='*7' -- ./worker-7 "${connected[@]}" || fail "both"
    # what a program calls itself does not count
    ! acts SOCKTMO_ONLY='worker' -- bash -c 'exec -a worker "$0" "$@"' "$FDS" "${connected[@]}" ||
        fail "ONLY matched argv[0]"
}

@test "a script's name is its own" {
    peer_start mute
    printf '#!/bin/bash\nexec 5<>/dev/tcp/127.0.0.1/%s\n' "$PEER_PORT" >my-job
    chmod +x my-job
    acts SOCKTMO_ONLY=my-job -- ./my-job || fail "ONLY the script"
    [[ $(record close .program) == my-job ]] || fail "program: $(record close .program)"
    ! acts SOCKTMO_ONLY=bash -- ./my-job || fail "ONLY its interpreter"
    ! acts SOCKTMO_SKIP='my-*' -- ./my-job || fail "SKIP the script"
}

@test "a bad setting is not told in programs that are skipped" {
    shim SOCKTMO_RECV=2x SOCKTMO_SKIP=echo -- echo ran
    expect_silent
    [[ $output == ran ]]
}

# --- no setting -----------------------------------------------------------------------------------

# traced PRELOAD FILE: the system calls of a program that connects and talks.
traced() {
    bounded strace -ff -o "$2.pid" -E LD_PRELOAD="$1" "$FDS" say:begin a=socket:tcp \
        "connect:a:4/$PEER_PORT" send:a:100 recv:a:100 fdopen:a fputs:3 fclose child close:77 \
        end >/dev/null
    cat "$2".pid.* >"$2" # the program and its child, each by itself
    # without process ids and what differs between any two runs
    sed -E 's/0x[0-9a-f]+/0x_/g; s/\[\{.*\}\]/[]/; s/(pid|tid)=[0-9]+/\1=_/g
        s/^getrandom.*/getrandom/
        s/\b[0-9]{3,}\b/N/g' "$2" | grep -v -e '^+++' -e '^---' -e 'LD_PRELOAD' >"$2.plain"
    grep -q '"begin' "$2.plain" || fail "strace saw no program"
}

# files FILE: what was opened or looked for.
files() {
    sed -n 's/.*\(open\|stat\|access\)[a-z0-9]*(\([A-Z_]*, \)*"\([^"]*\)".*/\3/p' "$1" | sort -u
}

@test "no setting: no file is opened, and no system call is added after the start" {
    requires strace
    [[ -z $TMO_PRELOAD ]] || skip "this build makes system calls of its own"
    not_covered "there it opens the file of its counters"
    shared empty - <<<""
    peer_start echo
    traced "$SHARED" bare
    traced "$TMO_LIB" shim
    sed '1,/"begin/d' bare.plain >bare.after
    sed '1,/"begin/d' shim.plain >shim.after
    [[ $(wc -l <bare.after) -gt 20 ]] || fail "strace saw too little"
    # whose file is first depends on the process ids
    diff <(sort bare.after) <(sort shim.after) || fail "there are other system calls"
    # one look for the system's own file is promised
    diff <(files bare | grep -vF "$SHARED") \
        <(files shim | grep -vF -e "$TMO_LIB" -e /etc/socktmo.conf -e libdl.so) ||
        fail "there are other files"
}

@test "no setting: nothing is said, and the environment is as it was" {
    shared empty - <<<""
    outcome env LD_PRELOAD="$SHARED" env
    expected=$output
    outcome env LD_PRELOAD="$TMO_LD_PRELOAD" env
    expect_silent
    [[ $(grep -v ^LD_PRELOAD= <<<"$output") == "$(grep -v ^LD_PRELOAD= <<<"$expected")" ]] ||
        fail "the environment is another one"
    [[ -n $output ]]
}

# --- durations ------------------------------------------------------------------------------------

@test "durations are read in every form and never rounded down to nothing" {
    while read -r text expected; do
        rm -f log
        shim SOCKTMO_RECV="$text" SOCKTMO_EVENTS=start SOCKTMO_LOG="$PWD/log" -- true
        expect_silent
        [[ $(setting_in_force recv) == "$expected" ]] ||
            fail "$text is '$(setting_in_force recv)', not '$expected'"
    done <<'FORMS'
250ms 250ms
1.5s 1500ms
1.5 1500ms
2 2s
2m 2m
120s 2m
1h 1h
0.5h 30m
90s 90s
0 off
0s off
0.000 off
off off
0.001ms 0.001ms
0.000001 0.001ms
0.0000001ms 0.000001ms
FORMS
}

@test "durations that mean nothing are refused" {
    for text in '' -1 -1s +1 1. . s 1,5 1,5s '1 s' ' 1' '1s ' 1e3 0x10 inf nan 1d 1ss 1s1 \
        99999999999h 9223372036854775808 1µs; do
        shim SOCKTMO_RECV="$text" -- echo ran
        expect_told SOCKTMO_RECV "'$text'" "expected a duration"
    done
}

@test "the decimal point is a point where the locale has a comma" {
    requires localedef libc-bin
    localedef -i de_DE -f UTF-8 "$PWD/de_DE.UTF-8" 2>/dev/null || skip "no German locale (locales)"
    [[ $(LOCPATH=$PWD LC_ALL=de_DE.UTF-8 bash -c 'printf %.1f 1,5') == 1,5 ]] ||
        skip "the locale was not taken"
    peer_start mute
    TMO_CUT=5 under LOCPATH="$PWD" LC_ALL=de_DE.UTF-8 SOCKTMO_RECV=0.4s SOCKTMO_EVENTS=all \
        SOCKTMO_LOG="$PWD/log" -- bash -c 'exec 5<>/dev/tcp/127.0.0.1/$0; read -r <&5' "$PEER_PORT"
    every_line_is_json log
    [[ $(setting_in_force recv) == 400ms && $(record timeout .limit_ms) -eq 400 ]] ||
        fail "the limit is another one"
    under LOCPATH="$PWD" LC_ALL=de_DE.UTF-8 SOCKTMO_RECV=0,4s -- bash -c 'echo ran'
    [[ $output == "socktmo: SOCKTMO_RECV='0,4s'"*ran ]] || fail "a comma was taken"
}

@test "a microsecond does not become 0, which would be for ever" {
    requires python3
    peer_start mute
    TMO_CUT=5 under SOCKTMO_RECV=0.000001 SOCKTMO_LOG="$PWD/log" -- \
        "$FDS" a=socket:tcp "connect:a:4/$PEER_PORT" recv:a:1
    [[ $output == *"recv:a:1 = -1 Connection timed out" ]] || fail "it waited"
    assert_between 0 1000
    under SOCKTMO_USER_TIMEOUT=0.000001 SOCKTMO_KEEPALIVE=1ms -- python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(s.getsockopt(6, 18), s.getsockopt(6, 4), s.getsockopt(1, 9))' "$PEER_PORT"
    [[ $output == "1 1 1" ]] || fail "TCP_USER_TIMEOUT, TCP_KEEPIDLE, SO_KEEPALIVE"
}

@test "TIMEOUT is connect, recv and send, unless one of them is set apart" {
    shim SOCKTMO_TIMEOUT=30s SOCKTMO_EVENTS=start SOCKTMO_LOG="$PWD/log" -- true
    [[ "$(setting_in_force connect) $(setting_in_force recv) $(setting_in_force send)" == \
        "30s 30s 30s" && $(setting_in_force accept) != 30s ]] || fail "spread"
    rm log
    shim SOCKTMO_RECV=off SOCKTMO_TIMEOUT=30s SOCKTMO_SEND=5s SOCKTMO_EVENTS=start \
        SOCKTMO_LOG="$PWD/log" -- true
    [[ "$(setting_in_force connect) $(setting_in_force send)" == "30s 5s" ]] || fail "set apart"
    [[ $(setting_in_force recv) == off ]] || fail "recv = off is overridden"
    rm log
    shim SOCKTMO_RECV=2x SOCKTMO_TIMEOUT=30s SOCKTMO_EVENTS=start SOCKTMO_LOG="$PWD/log" -- true
    [[ $(setting_in_force recv) == 30s ]] || fail "a bad value is as none"
}

@test "TIMEOUT holds, and what is set apart holds instead of it" {
    peer_start late --after 600 --text x
    connected "$PEER_PORT"
    shim SOCKTMO_TIMEOUT=200ms -- "$FDS" "${connected[@]}" send:a:1 recv:a:1
    [[ $output == *"recv:a:1 = -1 Connection timed out" ]] || fail "TIMEOUT does not hold"
    shim SOCKTMO_TIMEOUT=200ms SOCKTMO_RECV=off -- "$FDS" "${connected[@]}" send:a:1 recv:a:1
    [[ $output == *"recv:a:1 = 1" ]] || fail "it holds over RECV=off"
    shim SOCKTMO_TIMEOUT=10s SOCKTMO_RECV=200ms -- "$FDS" "${connected[@]}" send:a:1 recv:a:1
    [[ $output == *"recv:a:1 = -1 Connection timed out" ]] || fail "it holds over RECV=200ms"
}

# --- other rights ---------------------------------------------------------------------------------

@test "a set-uid program ignores the environment" {
    requires setpriv util-linux
    public
    # LD_PRELOAD itself is ignored there, so the library is linked
    echo 'int main(void) { return 0; }' |
        "${TMO_CC[@]}" -o "$PUBLIC/linked" -x c - -x none -Wl,--no-as-needed "$PUBLIC/libsocktmo.so" \
            -Wl,-rpath,"$PUBLIC"
    mkdir -m 777 "$PUBLIC/open"
    variables=(SOCKTMO_RECV=2x "SOCKTMO_LOG=$PUBLIC/open/log" SOCKTMO_EVENTS=all)
    as_user env "${variables[@]}" "$PUBLIC/linked"
    expect_status 0
    [[ $stderr == *SOCKTMO_RECV* && -s $PUBLIC/open/log ]] || fail "without set-uid: $stderr"
    rm "$PUBLIC/open/log"
    chmod u+s "$PUBLIC/linked"
    as_user env "${variables[@]}" "$PUBLIC/linked"
    expect_silent
    [[ ! -e $PUBLIC/open/log ]] || fail "it has a log"
    as_user env "${variables[@]}" SOCKTMO_STRICT=1 "$PUBLIC/linked"
    expect_silent
}

# in_own_etc COMMAND…: with a /etc that may be changed.
in_own_etc() {
    cp -a /etc "$PUBLIC/etc"
    # shellcheck disable=SC2016
    unshare -m bash -c 'mount --make-rprivate / && mount --bind "$0/etc" /etc && "$@"' "$PUBLIC" "$@"
}

# Run in there: what counts of /etc/socktmo.conf, by whether there is a log.
each_owner() {
    local how

    printf 'log = %s/open/log\nevents = start\n' "$PUBLIC" >/etc/socktmo.conf
    for how in root writable others linked missing; do
        case $how in
        root) chmod 644 /etc/socktmo.conf ;;
        writable) chmod 664 /etc/socktmo.conf ;;
        others) chmod 644 /etc/socktmo.conf && chown nobody /etc/socktmo.conf ;;
        linked)
            mv /etc/socktmo.conf /etc/socktmo.real
            chown root /etc/socktmo.real
            ln -s socktmo.real /etc/socktmo.conf
            ;;
        missing) rm /etc/socktmo.conf ;;
        esac
        rm -f "$PUBLIC/open/log"
        setpriv --reuid nobody --clear-groups "$@" "$PUBLIC/linked" 2>"$PUBLIC/told"
        echo "$how $([[ -s $PUBLIC/open/log ]] && echo log) $(wc -l <"$PUBLIC/told")"
    done
}

@test "the system's file: in a set-uid program it counts only when it is root's alone" {
    requires setpriv util-linux
    [[ $EUID -eq 0 ]] || skip 'only root can have another /etc'
    unshare -m true 2>/dev/null || skip 'no mount namespaces here'
    public
    echo 'int main(void) { return 0; }' |
        "${TMO_CC[@]}" -o "$PUBLIC/linked" -x c - -x none -Wl,--no-as-needed "$PUBLIC/libsocktmo.so" \
            -Wl,-rpath,"$PUBLIC"
    mkdir -m 777 "$PUBLIC/open"
    export PUBLIC
    export -f each_owner
    run in_own_etc bash -c each_owner
    [[ $output == $'root log 0\nwritable log 0\nothers log 0\nlinked log 0\nmissing  0' ]] ||
        fail 'as any program'
    rm -r "${PUBLIC:?}/etc"
    chmod u+s "$PUBLIC/linked"
    run in_own_etc bash -c 'each_owner env SOCKTMO_RECV=2x SOCKTMO_CONFIG=/nonexistent'
    [[ $output == $'root log 0\nwritable  1\nothers  1\nlinked log 0\nmissing  0' ]] ||
        fail 'with other rights'
}

@test "a configuration file that may not be read is told, and the program runs" {
    requires setpriv util-linux
    [[ $EUID -eq 0 ]] || skip 'only root can become somebody else'
    public
    echo 'recv = 2s' >"$PUBLIC/secret"
    chmod 000 "$PUBLIC/secret"
    as_user env LD_PRELOAD="$PUBLIC/libsocktmo.so" SOCKTMO_CONFIG="$PUBLIC/secret" echo ran
    expect_told SOCKTMO_CONFIG "$PUBLIC/secret" 'cannot be read: permission denied'
    [[ $output == ran ]] || fail 'it did not run'
}
