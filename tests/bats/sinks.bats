#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # inner shells' $; helpers.bash and fds.bash set and read
#
# Where records go, and what happens when they cannot go there: the program never notices.

load helpers
load fds

setup() {
    tmo_setup
    peer_start mute
    connected "$PEER_PORT"
    turn=("${connected[@]}" send:a:1 close:a) # a connection, opened and closed
}

# sunk SINK [VAR=VALUE…] -- STEP…: fds under the shim with that log.
sunk() {
    local sink=$1
    local -a variables=()

    shift
    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    under "SOCKTMO_LOG=$sink" "${variables[@]}" -- "$FDS" "$@"
}

# unharmed: no step failed, and standard output has nothing but steps' results in it.
unharmed() {
    [[ $status -eq 0 ]] || fail "status $status"
    [[ $output != *" = -1"* && $output != *'"event"'* && $output != *socktmo* ]] ||
        fail "a call failed, or something was said"
}

# refused SINK PATTERN: it is told at the start, once, on one line; the program runs.
refused() {
    sunk "$1" -- "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
    [[ ${lines[0]} == "socktmo: SOCKTMO_LOG='$1': "* && ${lines[0]} =~ $2 ]] ||
        fail "'$1' is not told like '$2': ${lines[0]}"
    [[ $(grep -c socktmo <<<"$output") -eq 1 ]] || fail "more than one line about '$1'"
}

# --- each kind ------------------------------------------------------------------------------------

@test "stderr" {
    sunk stderr -- -o steps "${turn[@]}"
    echo "$output" >log
    assert_closes close
    every_line_is_json log
}

@test "a file: made at the first record, for its owner alone, added to" {
    umask 000
    sunk "$PWD/log" -- say:nothing
    [[ ! -e log ]] || fail "it is made without a record"
    sunk "$PWD/log" -- "${turn[@]}"
    unharmed
    [[ $(stat -c '%a %h' log) == "600 1" ]] || fail "its mode is $(stat -c %a log)"
    sunk "$PWD/log" -- "${turn[@]}"
    assert_closes close close
    every_line_is_json log
}

@test "a file: %p is the process, %c the program, %% a percent sign" {
    cp "$FDS" 'my prog'
    under "SOCKTMO_LOG=$PWD/100%%-%c-%p.log" -- './my prog' pid "${turn[@]}"
    pid=$(sed -n 's/^pid \([0-9]*\) .*/\1/p' <<<"$output")
    [[ -s "100%-my prog-$pid.log" ]] || fail "there is $(ls)"
    [[ $(jq .pid "100%-my prog-$pid.log") == "$pid" ]]
}

@test "a relative path is one of the folder at the start" {
    mkdir sub
    under SOCKTMO_LOG=log -- sh -c 'cd sub && exec "$0" "$@"' "$FDS" "${turn[@]}"
    [[ -s sub/log ]] || fail "not in the folder in which the program started"
}

@test "fd:N: a file, and a pipe" {
    exec 5>log
    sunk fd:5 -- "${turn[@]}"
    unharmed
    exec 5>&-
    assert_closes close
    mkfifo pipe
    exec 5<>pipe
    sunk fd:5 -- "${turn[@]}"
    unharmed
    read -r -t 5 line <&5
    [[ $(jq -r .reason <<<"$line") == close ]] || fail "out of the pipe came $line"
    exec 5>&-
}

@test "unix:PATH: one datagram a record" {
    exec 7< <(exec "$FDS" -o ready s=socket:dgram "bind:s:u/$PWD/sink" say:ready take:s take:s 3>&-)
    own $!
    bounded "$FDS" await:ready
    sunk "unix:$PWD/sink" -- "${turn[@]}" "${turn[@]}"
    unharmed
    cat <&7 >got
    exec 7<&-
    [[ $(grep -c '^\.$' got) -eq 2 ]] || fail "not two datagrams: $(cat got)"
    grep -v -e '^\.$' -e '^$' got >log
    assert_closes close close
    every_line_is_json log
}

@test "unix:PATH: nobody reads, nobody is there" {
    sunk "unix:$PWD/sink" -- "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
    exec 7< <(exec "$FDS" -o ready s=socket:dgram "bind:s:u/$PWD/sink" say:ready await:over 3>&-)
    own $!
    bounded "$FDS" await:ready
    # far more than a datagram socket holds; none of them is waited for
    sunk "unix:$PWD/sink" -- repeat:100 "${turn[@]}" end say:ran
    unharmed
    [[ $output == ran ]]
    assert_between 0 5000
    touch over
    exec 7<&-
}

@test "syslog: each record is a message of its own" {
    [[ $EUID -eq 0 ]] || skip "needs root for a /dev/log of its own"
    unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
    export FDS TMO_LD_PRELOAD
    bare -- unshare -m bash -c '
        set -e
        mkdir dev
        mount -t tmpfs none dev
        mknod -m 666 dev/null c 1 3
        mount --move dev /dev 2>/dev/null || mount --bind dev /dev
        "$FDS" -o ready s=socket:dgram bind:s:u//dev/log say:ready take:s take:s >got &
        "$FDS" await:ready
        LD_PRELOAD=$TMO_LD_PRELOAD SOCKTMO_LOG=syslog "$FDS" "$@"
        wait' bash "${turn[@]}" "${turn[@]}"
    unharmed
    [[ $(grep -c '^<[0-9]*>.*{.*}$' got) -eq 2 ]] || fail "not two messages: $(cat got)"
    sed -n 's/^<[0-9]*>[^{]*fds[^{]*\({.*}\)$/\1/p' got >log
    assert_closes close close
}

@test "syslog: nobody is there" {
    [[ ! -e /dev/log ]] || skip "there is a /dev/log"
    sunk syslog -- "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
}

# --- what cannot be opened ------------------------------------------------------------------------

@test "what cannot be opened is told at the start, with the reason" {
    mkdir folder
    ln -s nowhere/log dangling
    refused "$PWD/folder" "directory"
    refused "$PWD/missing/log" "[Nn]o such|not there|missing|does not exist|no .*(folder|directory)"
    refused "$PWD/log/below" "[Nn]o such|not there|missing|does not exist|no .*(folder|directory)"
    refused fd:77 "not open|closed|descriptor"
    [[ ! -e log && ! -e missing ]]
}

@test "a folder that may not be written to is told at the start" {
    requires setpriv util-linux
    local -a as_other=()

    mkdir -m 555 closed
    [[ $EUID -ne 0 ]] || as_other=(setpriv --bounding-set=-dac_override)
    under "SOCKTMO_LOG=$PWD/closed/log" -- "${as_other[@]}" "$FDS" "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
    [[ $(grep -c "^socktmo: SOCKTMO_LOG='$PWD/closed/log': .*\(ermi\|writ\)" <<<"$output") -eq 1 ]] ||
        fail "it is not told"
}

@test "a log that cannot be opened is told once in a tree of processes" {
    under SOCKTMO_LOG="$PWD/missing/log" -- bash -c 'env true; bash -c "env true"; echo ran'
    [[ $(grep -c 'missing/log' <<<"$output") -eq 1 && $output == *ran ]] || fail "not once"
}

@test "a folder that is made later is found then" {
    sunk "$PWD/later/log" -- "${turn[@]}" "${turn[@]}" system:'mkdir later' "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
    mv later/log log
    assert_closes close
    # two closes, and perhaps the complaint about the log itself
    assert_between 2 3 "$(record close .lost)" lost
}

@test "a file that is a link in a folder for all is not written to" {
    mkdir -m 1777 all
    touch victim
    ln -s "$PWD/victim" all/log
    sunk "$PWD/all/log" -- "${turn[@]}"
    [[ $status -eq 0 && ! -s victim ]] || fail "it was written through the link"
    mkdir -m 755 own
    ln -s "$PWD/log" own/log
    sunk "$PWD/own/log" -- "${turn[@]}"
    assert_closes close # a link of our own is one that we meant
}

# --- what cannot be written to --------------------------------------------------------------------

@test "a full disk" {
    sunk /dev/full -- "${turn[@]}" "${turn[@]}" signals
    unharmed
}

@test "a pipe without a reader: no SIGPIPE, and none is left pending" {
    mkfifo pipe
    exec 6<>pipe
    exec 5>pipe
    exec 6>&-
    sunk fd:5 -- "${turn[@]}" signals "${turn[@]}" exit:3
    exec 5>&-
    [[ $status -eq 3 && $output != *" = -1"* ]] || fail "the program was harmed"
    pending=$(sed -n 's/^\(Sig\|Shd\)Pnd:\t*0*//p' <<<"$output" | tr -d '\n')
    [[ -z $pending ]] || fail "pending: $pending"
}

@test "a named pipe is a file, too: without a reader it is not waited for" {
    mkfifo pipe
    sunk "$PWD/pipe" -- "${turn[@]}" "${turn[@]}"
    [[ $status -eq 0 && $output != *" = -1"* ]] || fail "the program was harmed"
    assert_between 0 2000
    exec 5<>pipe
    sunk "$PWD/pipe" -- "${turn[@]}"
    unharmed
    read -r -t 5 line <&5
    exec 5>&-
    [[ $(jq -r .reason <<<"$line") == close ]] || fail "out of the pipe came $line"
}

@test "a full pipe is not waited for; what was lost is told later" {
    mkfifo pipe
    exec 5<>pipe
    # when nobody reads it is left alone for some ms
    sunk fd:5 -- fill:5 "${turn[@]}" "${turn[@]}" drain:5 rest:100 "${turn[@]}" "${turn[@]}"
    unharmed
    assert_between 0 2000
    read -r -t 5 first <&5
    read -r -t 5 second <&5
    exec 5>&-
    [[ $(jq .lost <<<"$first") -eq 2 ]] || fail "lost: $first"
    [[ $(jq 'has("lost")' <<<"$second") == false ]] || fail "told twice: $second"
}

@test "a limit on the size of files: no SIGXFSZ, and lost is told" {
    sunk "$PWD/log" -- "${turn[@]}" rlimit:fsize:0 "${turn[@]}" "${turn[@]}" \
        rlimit:fsize:1000000 "${turn[@]}"
    unharmed
    assert_closes close close
    [[ $(record close .lost | paste -sd ' ') == "null 2" ]] || fail "lost: $(record close .lost)"
    every_line_is_json log
    rm log
    run bounded bash -c 'ulimit -f 0; LD_PRELOAD=$0 SOCKTMO_LOG=$PWD/log exec "$@"' \
        "$TMO_LD_PRELOAD" "$FDS" "${turn[@]}"
    unharmed
}

@test "no free descriptor: the program gets as many as bare, and lost is told later" {
    alike -- "$FDS" rlimit:nofile:32 "${connected[@]}" send:a:1 openall b=socket:tcp close:a \
        a=open:/dev/null closefrom:5 "${turn[@]}"
    assert_closes close
    [[ $(record close .lost) -eq 1 ]] || fail "lost: $(record close .lost)"
}

# --- the program takes the number -----------------------------------------------------------------

@test "fd:N that the program closes" {
    exec 5>log
    sunk fd:5 -- "${turn[@]}" close:5 "${turn[@]}"
    exec 5>&-
    unharmed
    assert_closes close
}

@test "fd:N that the program uses for a file of its own" {
    exec 5>log
    sunk fd:5 -- f=open:data dup2:f:5 close:f send:5:1 "${turn[@]}" send:5:1 "${turn[@]}"
    exec 5>&-
    unharmed
    [[ $(stat -c %s data) -eq 2 && ! -s log ]] || fail "our line is in the program's file"
}

@test "fd:N that the program makes a connection of" {
    exec 5>log
    peer_start mute --save saved
    sunk fd:5 -- s=socket:tcp "connect:s:4/$PEER_PORT" dup2:s:5 close:s "${turn[@]}" send:5:4 \
        shutdown:5:1 recv:5:1
    exec 5>&-
    unharmed
    [[ $(stat -c %s saved) -le 5 ]] || fail "our line is in the program's connection"
}

@test "standard error that is closed at the start is nobody else's" {
    run bounded bash -c 'LD_PRELOAD=$0 SOCKTMO_LOG=stderr SOCKTMO_RECV=2x exec "$@" 2>&-' \
        "$TMO_LD_PRELOAD" "$FDS" open:data "${turn[@]}"
    unharmed
    [[ -e data && ! -s data ]] || fail "our line is in the program's file"
}

@test "the log's descriptor is at the top, close-on-exec, and takes no number of the program's" {
    alike -- "$FDS" "${turn[@]}" open:/dev/null rlimit:nofile:512
    rm log
    logged -- bash -c 'ulimit -n 512; exec "$@"' bash "$FDS" "${turn[@]}" l=find:log flags:l
    [[ $output == *"flags:l = 1"* ]] || fail "it is not close-on-exec"
    [[ $output =~ find:log\ =\ ([0-9]+) ]] || fail "it is not there"
    assert_between 480 511 "${BASH_REMATCH[1]}" "the log's descriptor"
}

@test "the log survives a program that closes every number, and is not there for it" {
    for way in closeall:3 closefrom:3 close_range:3:0xffffffff; do
        alike -- "$FDS" rlimit:nofile:1024 "${turn[@]}" "$way" "${turn[@]}" "$way" "${turn[@]}"
        assert_closes close close close
        every_line_is_json log
        rm -f log
        logged -- "$FDS" rlimit:nofile:1024 "${turn[@]}" l=find:log close:l "$way" m=find:log \
            leads:m:log "${turn[@]}"
        [[ $output == *"close:l = -1 Bad file descriptor"*"leads:m:log = 1"* ]] ||
            fail "$way: closing it is not refused, or it is gone"
        assert_closes close close
    done
}

@test "a program that dups onto the log's number gets it" {
    for way in dup2 dup3; do
        rm -f log
        logged -- "$FDS" "${turn[@]}" l=find:log f=open:data "$way:f:l" leads:l:data send:l:3 \
            "${turn[@]}" send:l:3 close:l "${turn[@]}"
        unharmed
        [[ $output == *"leads:l:data = 1"*"send:l:3 = 3"*"send:l:3 = 3"*"close:l = 0"* ]] ||
            fail "$way: the number is not the program's"
        [[ $(stat -c %s data) -eq 6 ]] || fail "$way: our line is in the program's file"
        rm data
        assert_closes close close close
    done
}

@test "a limit on descriptors lowered below the log's number" {
    alike -- "$FDS" "${turn[@]}" rlimit:nofile:64 "${turn[@]}" closefrom:4 "${turn[@]}" \
        closeall:3 open:/dev/null "${turn[@]}"
    every_line_is_json log
    assert_closes close close close close
}

# --- rotation -------------------------------------------------------------------------------------

@test "rotation by rename: within a second records go to a new file, and none is gone" {
    sunk "$PWD/log" -- "${turn[@]}" rename:log:log.1 "${turn[@]}" rest:1050 "${turn[@]}" \
        "${turn[@]}"
    unharmed
    every_line_is_json log.1
    every_line_is_json log
    [[ $(cat log log.1 | wc -l) -eq 4 ]] || fail "$(wc -l log log.1)"
    assert_between 2 3 "$(wc -l <log)" "the new file's count of lines"
    [[ $(stat -c %a log) == 600 ]]
}

@test "a log that is removed is made anew" {
    sunk "$PWD/log" -- "${turn[@]}" unlink:log "${turn[@]}"
    unharmed
    assert_closes close
}

# --- many writers ---------------------------------------------------------------------------------

@test "20 processes that write at once tear no line" {
    export SOCKTMO_LOG=$PWD/log SOCKTMO_PROTO=all LD_PRELOAD=$TMO_LD_PRELOAD
    pids=()
    for i in {1..20}; do
        timeout 30 "$FDS" await:go repeat:100 s=socketpair close:s close:t end 3>&- 8>&- &
        pids+=($!)
    done
    touch go
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "one of them failed"
    done
    unset SOCKTMO_LOG LD_PRELOAD
    every_line_is_json log
    assert_records close 4000
    [[ $(jq .pid log | sort | uniq -c | awk '$1 == 200' | wc -l) -eq 20 ]] ||
        fail "not 200 records of each process"
}

@test "threads that write at once tear no line" {
    peer_start echo
    logged -- "$TMO_BUILD/tests/racers" "$PEER_PORT" 16 20
    [[ $output == 320 ]] || fail "calls failed"
    every_line_is_json log
    [[ $(jq -s 'map(.lost // 0) | add' log) -eq 0 ]] || fail "records were lost"
    assert_records close 320
}
