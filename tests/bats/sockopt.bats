#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# SOCKTMO_SOCKOPT, and what `mode` makes of socket options that the program sets itself, those of
# keepalive and user_timeout, too. Values and faults are in tests/unit/sockopts.c.

load helpers
load command
load steps

setup() {
    tmo_setup
    peer_start silent
}

# --- where they are set ---------------------------------------------------------------------------

@test "every kind of option is set on a new socket, and holds when it is connected" {
    limits SOCKOPT='TCP_NODELAY=on,SO_RCVBUF=20000, IP_TOS=0x10,TCP_KEEPIDLE=90,6:7=3,
        TCP_USER_TIMEOUT=1001us,SO_LINGER=on/1500ms,TCP_CONGESTION=reno,SO_MARK=7'
    LIMITS[1]=${LIMITS[1]//$'\n'/}
    local -a gets=(get:nodelay get:rcvbuf get:tos get:keepidle get:syncnt get:user_timeout
        get:linger get:congestion get:mark)
    local -a got=('get 1 - nodelay' 'get 40000 - rcvbuf' 'get 16 - tos' 'get 90 - keepidle'
        'get 3 - syncnt' 'get 2 - user_timeout' 'get 2 - linger' 'get 0 - congestion reno'
        'get 7 - mark')
    steps socket:tcp "${gets[@]}" connect:"$PEER_PORT" "${gets[@]}"
    expect 'socket * -' "${got[@]}" 'connect 0 -' "${got[@]}"
}

@test "they are set on sockets that are accepted" {
    limits SOCKOPT=TCP_NODELAY=1,TCP_CONGESTION=reno,SO_RCVBUF=20000,TCP_FASTOPEN_CONNECT=off
    steps listen on:1 dial:0 on:0 accept:2 on:2 get:nodelay get:congestion get:rcvbuf
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'get 1 - nodelay' 'get 0 - congestion reno' \
        'get 40000 - rcvbuf'
}

@test "they are set on sockets that were there before" {
    exec 9<>"/dev/tcp/127.0.0.1/$PEER_PORT"
    limits SOCKOPT=TCP_NODELAY=1,TCP_SYNCNT=3,SO_RCVBUF=20000,TCP_FASTOPEN_CONNECT=on
    steps adopt:9 get:nodelay get:syncnt get:rcvbuf
    exec 9>&-
    expect 'adopt 9 -' 'get 1 - nodelay' 'get 3 - syncnt' 'get 40000 - rcvbuf'
}

@test "each socket gets those that it can have, and nothing is said of the others" {
    limits PROTO=all SOCKOPT=TCP_NODELAY=1,SO_RCVBUF=20000,SO_PASSCRED=1,IP_TTL=7,IPV6_TCLASS=8,UDP_GRO=1
    steps socket:udp get:rcvbuf get:ttl get:gro get:nodelay
    expect 'socket * -' 'get 40000 - rcvbuf' 'get 7 - ttl' 'get 1 - gro' 'get -1 EOPNOTSUPP nodelay'
    steps pair:1 get:rcvbuf get:passcred on:1 get:rcvbuf get:passcred
    expect 'pair 0 -' 'get 40000 - rcvbuf' 'get 1 - passcred' 'get 40000 - rcvbuf' \
        'get 1 - passcred'
    steps socket:unix get:passcred
    expect 'socket * -' 'get 1 - passcred'
    # to a peer with an IPv4 address those of IPv4 count
    steps socket:tcp6 get:nodelay get:ttl get:tclass
    expect 'socket * -' 'get 1 - nodelay' 'get 7 - ttl' 'get 8 - tclass'
    # sockets that are not ours are left alone
    limits SOCKOPT=SO_RCVBUF=20000
    steps_bare socket:udp get:rcvbuf
    rcvbuf=${lines[1]#get }
    steps socket:udp get:rcvbuf
    expect 'socket * -' "get ${rcvbuf%% *} - rcvbuf"
}

@test "TCP_FASTOPEN_CONNECT and SO_RCVLOWAT of ours are reckoned with as those of the program" {
    limits RECV=400ms SOCKOPT=TCP_FASTOPEN_CONNECT=1,SO_RCVLOWAT=9
    steps connect:"$PEER_PORT" get:rcvlowat get:fastopen_connect send:10 recv
    expect 'connect 0 -' 'get 9 - rcvlowat' 'get 1 - fastopen_connect' 'send 10 -' \
        'recv -1 ETIMEDOUT @400'
}

@test "linger is a cap on SO_LINGER of ours, too" {
    limits LINGER=2s SOCKOPT=SO_LINGER=on/30
    steps connect:"$PEER_PORT" get:linger set:linger:1 get:linger
    expect 'connect 0 -' 'get 2 - linger' 'set 0 -' 'get 2 - linger'
}

# --- the program's own ----------------------------------------------------------------------------

# each_row OPTION TEXT ROW…: a ROW is MODE:OWN:SHOWN; with SOCKOPT=TEXT a program sets OPTION to OWN
# before its connect, or after it, and is shown SHOWN.
each_row() {
    local option=$1 text=$2 row mode own shown
    shift 2
    for row in "$@"; do
        IFS=: read -r mode own shown <<<"$row"
        limits MODE="$mode" "$text"
        steps socket:tcp set:"$option:$own" connect:"$PEER_PORT" get:"$option" on:1 \
            connect:"$PEER_PORT" set:"$option:$own" get:"$option"
        expect 'socket * -' 'set 0 -' 'connect 0 -' "get $shown - $option" \
            'connect 0 -' 'set 0 -' "get $shown - $option"
    done
}

@test "force: ours is set again, and the program is told that it succeeded" {
    each_row nodelay SOCKOPT=TCP_NODELAY=1 force:0:1
    each_row rcvbuf SOCKOPT=SO_RCVBUF=20000 force:10000:40000 force:90000:40000
    each_row user_timeout SOCKOPT=TCP_USER_TIMEOUT=5s force:3000:5000 force:0:5000
    each_row linger SOCKOPT=SO_LINGER=on/5 force:30:5
}

@test "cap: the smaller of two numbers, and a time of 0 is none; else the program's" {
    each_row rcvbuf SOCKOPT=SO_RCVBUF=20000 cap:10000:20000 cap:90000:40000
    each_row user_timeout SOCKOPT=TCP_USER_TIMEOUT=5s cap:3000:3000 cap:9000:5000 cap:0:5000
    each_row nodelay SOCKOPT=TCP_NODELAY=1 cap:0:0
    each_row tos SOCKOPT=IP_TOS=0x10 cap:32:32
    each_row linger SOCKOPT=SO_LINGER=on/5 cap:30:30
}

@test "fill: the program's stays" {
    each_row rcvbuf SOCKOPT=SO_RCVBUF=20000 fill:10000:20000 fill:90000:180000
    each_row nodelay SOCKOPT=TCP_NODELAY=1 fill:0:0
    limits MODE=fill SOCKOPT=TCP_NODELAY=1,TCP_CONGESTION=reno
    steps connect:"$PEER_PORT" set:congestion:cubic get:congestion get:nodelay
    expect 'connect 0 -' 'set 0 -' 'get 0 - congestion cubic' 'get 1 - nodelay'
}

@test "what the program set on a listener holds for what it accepts" {
    for row in force:1 cap:0 fill:0; do
        limits MODE="${row%:*}" SOCKOPT=TCP_NODELAY=1
        steps listen set:nodelay:0 on:1 dial:0 on:0 accept:2 on:2 get:nodelay
        expect 'listen 0 -' 'set 0 -' 'dial 0 -' 'accept * -' "get ${row#*:} - nodelay"
    done
}

@test "a number taken once more by another socket has no past" {
    limits MODE=fill SOCKOPT=TCP_NODELAY=1
    steps socket:tcp set:nodelay:0 close socket:tcp set:tos:16 get:nodelay
    expect 'socket 3 -' 'set 0 -' 'close 0 -' 'socket 3 -' 'set 0 -' 'get 1 - nodelay'
}

@test "keepalive follows the mode, before a connect and after it" {
    each_row keepalive KEEPALIVE=70s/11s/4 force:0:1 cap:0:0 fill:0:0
    each_row keepidle KEEPALIVE=70s/11s/4 force:30:70 cap:30:30 cap:90:70 fill:90:90
    each_row keepintvl KEEPALIVE=70s/11s/4 force:5:11 cap:90:11
    each_row keepcnt KEEPALIVE=70s/11s/4 force:9:4 cap:2:2
    each_row keepcnt KEEPALIVE=70s/11s force:9:9
}

@test "user_timeout follows the mode, before a connect and after it" {
    each_row user_timeout USER_TIMEOUT=7s force:3000:7000 force:9000:7000 force:0:7000 \
        cap:3000:3000 cap:9000:7000 cap:0:7000 fill:9000:9000 fill:0:7000
}

@test "what the kernel refuses of an option, it refuses" {
    limits SOCKOPT=TCP_NODELAY=1,TCP_KEEPCNT=4
    steps connect:"$PEER_PORT" set:keepcnt:1000 get:keepcnt
    expect 'connect 0 -' 'set -1 EINVAL' 'get 4 - keepcnt'
}

# --- rules ----------------------------------------------------------------------------------------

@test "a rule's options are set where it is known, in and out, and meet those of the program by mode" {
    rules='to any: sockopt=TCP_NODELAY=1,6:7=3; from any: sockopt=SO_RCVBUF=20000'
    limits SOCKOPT=IP_TOS=16 RULES="$rules"
    steps socket:tcp get:nodelay get:tos connect:"$PEER_PORT" get:nodelay get:syncnt
    expect 'socket * -' 'get 0 - nodelay' 'get 16 - tos' 'connect 0 -' 'get 1 - nodelay' \
        'get 3 - syncnt'
    steps listen on:1 dial:0 on:0 accept:2 on:2 get:rcvbuf
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'get 40000 - rcvbuf'
    for row in force:1 cap:0 fill:0; do
        limits MODE="${row%:*}" RULES="$rules"
        steps socket:tcp set:nodelay:0 connect:"$PEER_PORT" get:nodelay set:nodelay:0 get:nodelay
        expect 'socket * -' 'set 0 -' 'connect 0 -' "get ${row#*:} - nodelay" 'set 0 -' \
            "get ${row#*:} - nodelay"
    done
    limits MODE=cap RULES='to any: sockopt=SO_RCVBUF=20000'
    steps socket:tcp set:rcvbuf:9000 connect:"$PEER_PORT" get:rcvbuf
    expect 'socket * -' 'set 0 -' 'connect 0 -' 'get 18000 - rcvbuf'
}

@test "UDP sockets get a rule's options where they connect" {
    limits PROTO=udp RULES='to 127.0.0.1: sockopt=IP_TTL=7'
    steps socket:udp get:ttl connect:udp:9 get:ttl
    expect 'socket * -' 'get 64 - ttl' 'connect 0 -' 'get 7 - ttl'
}

@test "a rule and a file with a bad option are told with its place" {
    printf 'sockopt = TCP_NODELAY=1, SO_RCVBUF=20000\n[a]\nmatch = to any\nsockopt = NODELAY=1\n' \
        >conf
    outcome env LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_CONFIG="$PWD/conf" \
        "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" get:nodelay get:rcvbuf
    expect_status 0
    [[ $stderr == "socktmo: $PWD/conf:4:11: 'NODELAY=1': unknown option, did you mean TCP_NODELAY?" ]] ||
        fail "stderr: $stderr"
    [[ $output == *'get 1 '*'get 40000 '* ]] || fail "output: $output"
}

# --- faults ---------------------------------------------------------------------------------------

@test "what the kernel refuses of ours is told once, and the rest is set" {
    limits SOCKOPT=TCP_CONGESTION=nosuch,TCP_NODELAY=1
    outcome env LD_PRELOAD="$TMO_LD_PRELOAD" "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" \
        "$TMO_BUILD/tests/steps" socket:tcp get:nodelay on:1 connect:"$PEER_PORT" get:nodelay
    expect_status 0
    [[ $stderr == "socktmo: SOCKTMO_SOCKOPT='TCP_CONGESTION=nosuch': the kernel refused it: ENOENT" ]] ||
        fail "stderr: $stderr"
    [[ $(grep -c 'get 1 .* nodelay' <<<"$output") -eq 2 ]] || fail "it is not set: $output"
    assert_records problem 1
    [[ $(record problem '[.where, .value, .what] | join("|")') == \
        'SOCKTMO_SOCKOPT|TCP_CONGESTION=nosuch|the kernel refused it: ENOENT' ]] ||
        fail "problem: $(record problem)"
}

@test "a refusal is told in the log alone where that is stderr" {
    outcome env LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_SOCKOPT=6:999=1 SOCKTMO_LOG=stderr \
        SOCKTMO_EVENTS=start "$TMO_BUILD/tests/steps" socket:tcp close socket:tcp
    expect_status 0
    [[ $(grep -c ENOPROTOOPT <<<"$stderr") -eq 1 && $(grep -c '^socktmo:' <<<"$stderr") -eq 0 ]] ||
        fail "stderr: $stderr"
}

@test "a bad item is named, with the option that was meant, and nothing of the list is set" {
    while IFS='|' read -r value what; do
        outcome env LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_SOCKOPT="$value" \
            "$TMO_BUILD/tests/steps" socket:tcp get:nodelay
        expect_status 0
        [[ $stderr == "socktmo: SOCKTMO_SOCKOPT='$value': $what" ]] || fail "stderr: $stderr"
        [[ $output == *'get 0 '* ]] || fail "it is set: $output"
    done <<'ROWS'
TCP_NODELY=1|unknown option, did you mean TCP_NODELAY?
TCP_NODELAY=1,KEEPALIVE=1|'KEEPALIVE=1': unknown option, did you mean SO_KEEPALIVE?
TCP_NODELAY=maybe|expected on or off
TCP_NODELAY=1,SO_LINGER=5|'SO_LINGER=5': expected on/SECONDS, such as on/5, or off
SO_RCVTIMEO=1s|is a limit of ours, use SOCKTMO_RECV
ROWS
    SOCKTMO_SOCKOPT=NODELAY=1 cmd check
    expect_status 1
    [[ $stderr == "socktmo: SOCKTMO_SOCKOPT='NODELAY=1': unknown option, did you mean TCP_NODELAY?" ]] ||
        fail "stderr: $stderr"
    cmd run --sockopt SO_ERROR=1 -- true
    expect_status 125
    [[ $stderr == "socktmo: --sockopt='SO_ERROR=1': cannot be set, only asked" ]] ||
        fail "stderr: $stderr"
}

@test "check shows the options in their normal form, and run hands them on" {
    SOCKTMO_SOCKOPT='tcp_nodelay=yes, TCP_KEEPIDLE=120,SO_LINGER=on/1500ms,6:18=7' cmd check
    expect_silent
    [[ $output == *'TCP_NODELAY=on,TCP_KEEPIDLE=2m,SO_LINGER=on/2,6:18=7  environment'* ]] ||
        fail "output: $output"
    cmd run --sockopt=TCP_NODELAY=1 -- "$TMO_BUILD/tests/steps" socket:tcp get:nodelay
    expect_silent
    [[ $output == *'get 1 - '* ]] || fail "output: $output"
}

# --- system calls ---------------------------------------------------------------------------------

# options [VARIABLE…]: what is set and asked of a program's socket, one a line.
options() {
    rm -f trace
    bounded strace -f -o trace -e trace=setsockopt,getsockopt -E LD_PRELOAD="$TMO_LIB" \
        "${@/#/-ESOCKTMO_}" "$TMO_BUILD/tests/steps" connect:"$PEER_PORT" set:nodelay:0 \
        set:keepidle:9 shutdown:wr >/dev/null
    sed -En '/SO_DOMAIN/d; s/^.*(set|get)sockopt\([0-9]+, (SOL_[A-Z]+, [A-Z_]+),.*/\1 \2/p' trace
}

@test "each option is one system call, and without options there is none" {
    requires strace
    [[ -z $TMO_PRELOAD && -z ${TMO_RUN-} ]] || skip "this build makes system calls of its own"
    own=$'set SOL_TCP, TCP_NODELAY\nset SOL_TCP, TCP_KEEPIDLE'
    # at the start each descriptor is asked whether it is a socket: SO_DOMAIN
    recv='set SOL_SOCKET, SO_RCVTIMEO'
    [[ $(options RECV=1s | sed 's/_OLD//') == "$recv"$'\n'"$own" ]] || fail "$(cat trace)"
    [[ $(options SOCKOPT=TCP_QUICKACK=1,IP_TOS=8) == \
        $'set SOL_TCP, TCP_QUICKACK\nset SOL_IP, IP_TOS\n'"$own" ]] || fail "$(cat trace)"
    # the program's own is followed by ours
    [[ $(options SOCKOPT=TCP_NODELAY=1) == \
        $'set SOL_TCP, TCP_NODELAY\nset SOL_TCP, TCP_NODELAY\n'"$own" ]] || fail "$(cat trace)"
}
