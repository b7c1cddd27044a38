#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a process of its own; command.bash sets stderr
#
# socktmo check: the settings with their origins, the rules, the faults with their places. What is a
# fault at all: tests/unit/conf.c.

bats_require_minimum_version 1.5.0
load helpers
load command

# the shape of what all tests here begin with
good_file() {
    cat >good.conf <<'END'
timeout = 30s
send    = 5s

[postgres]
match   = to 10.0.0.0/8 , 2001:DB8:0::/32 port 5432-5439, 80 program backup* , x
recv    = 600s

[bus]
match   = unix /run/dbus/*,@bus
limits  = off
END
}

# expect_line TEXT: a line like that, whatever blanks stand between its words.
expect_line() {
    grep -qxE -- "${1// / +}" <<<"$output" || fail "no line '$1'"
}

@test "the settings: built-in, file, environment, each with its origin" {
    good_file
    export SOCKTMO_RECV=7s SOCKTMO_LOG=/tmp/x
    cmd check good.conf
    expect_silent
    expect_line 'SOCKTMO_CONNECT 30s good.conf:1, by timeout'
    expect_line 'SOCKTMO_RECV 7s environment'
    expect_line 'SOCKTMO_SEND 5s good.conf:2'
    expect_line 'SOCKTMO_TIMEOUT 30s good.conf:1'
    expect_line 'SOCKTMO_IDLE off default'
    expect_line 'SOCKTMO_CONFIG good.conf argument'
    export SOCKTMO_TIMEOUT=8s SOCKTMO_CONFIG=good.conf
    cmd check
    expect_silent
    expect_line 'SOCKTMO_SEND 8s environment, by SOCKTMO_TIMEOUT'
    expect_line 'SOCKTMO_CONFIG good.conf environment'
    # what is read is FILE alone
    echo 'idle = 1s' >other.conf
    cmd check other.conf
    expect_silent
    expect_line 'SOCKTMO_IDLE 1s other.conf:1'
    [[ $output != *postgres* ]] || fail "the rules of the other file"
}

@test "the rules, in the order in which they are tried and in their normal form" {
    good_file
    export SOCKTMO_RULES='to [::ffff:1.2.3.4] port http:recv=1.5s,errno=econnreset;proto UDP, tcp: limits=off'
    cmd check good.conf
    expect_silent
    [[ ${output#*$'\n\n'} == "Rules, of which the first that matches holds:
'to [::ffff:1.2.3.4] port http:recv=1.5s,errno=econnreset'  SOCKTMO_RULES
    match = to 1.2.3.4 port 80
    recv = 1500ms
    errno = ECONNRESET
'proto UDP, tcp: limits=off'  SOCKTMO_RULES
    match = proto tcp,udp
    limits = off
[postgres]  good.conf:4
    match = to 10.0.0.0/8,2001:db8::/32 port 5432-5439,80 program backup*,x
    recv = 10m
[bus]  good.conf:8
    match = unix /run/dbus/*,@bus
    limits = off" ]] || fail "the rules"
}

@test "faults: place, value, what was expected, the line and a mark below" {
    printf 'timeout = 3x\n\trecv\t=\t2y\t# so\n[a]\nmatch = to 10.0.0.1 prt 80\n[b]\nrecv=1s\n' >bad.conf
    cmd check bad.conf
    expect_status 1
    [[ $output == *SOCKTMO_TIMEOUT* ]] || fail "no table"
    [[ $stderr == "bad.conf:1:11: '3x': expected a duration such as 250ms, 1.5s, 2m, 1h, a number of seconds, or off
timeout = 3x
          ^~
bad.conf:2:9: '2y': expected a duration such as 250ms, 1.5s, 2m, 1h, a number of seconds, or off
	recv	=	2y	# so
	    	 	^~
bad.conf:4:21: 'prt': expected to, from, port, unix, proto or program, did you mean port?
match = to 10.0.0.1 prt 80
                    ^~~
bad.conf:5:1: '[b]': a section without match, expected one such as match = to 10.0.0.0/8
[b]
^~~" ]] || fail "$stderr"
}

@test "faults: a long line is cut around the mark, control bytes are escaped" {
    local long

    long=$(printf '%0300d' 0)
    printf '%s\n' "# $long" $'re\ecv = 1s' "send = ü$long x" "[x]" "match = to a$long,10.0.0.1 prt 1" >bad.conf
    cmd check bad.conf
    expect_status 1
    [[ $(LC_ALL=C.UTF-8 wc -L <<<"$(grep -v '^bad.conf' <<<"$stderr")") -lt 120 ]] || fail "long: $stderr"
    [[ $stderr == *$'\nre\\x1bcv = 1s\n^~~~~~~~\n'* ]] || fail "escaped: $stderr"
    [[ $stderr == *$'\nsend = ü0000000'*$'0...\n       ^~~~~'* ]] || fail "the letter: $stderr"
    [[ $stderr == *$'\n...000'*$'00,10.0.0.1 prt 1\n                                           ^~~' ]] ||
        fail "cut: $stderr"
    [[ $stderr != *$'\e'* ]] || fail "a control byte"
}

@test "faults of the environment and of SOCKTMO_RULES" {
    export SOCKTMO_RECV=2x SOCKTMO_RULES=$'to 10.0.0.1: recv=1s;\nto 10.0.0.2: recv=1q'
    cmd check
    expect_status 1
    [[ $stderr == *"socktmo: SOCKTMO_RECV='2x': expected a duration"* ]] || fail "$stderr"
    [[ $stderr == *"SOCKTMO_RULES:2:19: '1q': expected a duration"*$'\nto 10.0.0.2: recv=1q\n                  ^~' ]] ||
        fail "$stderr"
    [[ $output == *"'to 10.0.0.1: recv=1s'"* && $output != *"'to 10.0.0.2"* ]] || fail "the rules"
}

@test "a file that cannot be read: one line, status 1, no table" {
    mkdir folder
    for file in nosuch.conf folder /dev/null $'no\nsuch'; do
        cmd check "$file"
        expect_status 1
        [[ -z $output && $stderr == "socktmo: "*": "* && $stderr != *$'\n'* ]] || fail "$stderr"
    done
    SOCKTMO_CONFIG=nosuch.conf cmd check
    expect_status 1
    [[ $stderr == "socktmo: SOCKTMO_CONFIG='nosuch.conf': cannot be read: no such file" ]] || fail "$stderr"
    [[ -n $output ]] || fail "no table"
}

@test "usage" {
    for words in '--nosuch' 'a b' '--json=x'; do
        # shellcheck disable=SC2086 # words
        cmd check $words
        expect_refused "check "
    done
    cmd check ''
    expect_refused "check "
    echo 'idle = 1s' >-x.conf
    cmd check -- -x.conf
    expect_silent
}

@test "--json: all of it, for jq, also of what is in no order" {
    good_file
    printf '[\xff"\\\e]\nmatch = to any\nrecv = 2z\n[pa"th]\nmatch = unix /\xfe\xc3\xbc\nidle = 2s\n' >>good.conf
    cmd check --json good.conf
    expect_silent 1
    jq -e . <<<"$output" >/dev/null || fail "no JSON"
    [[ $(jq -c '.settings.connect, .settings.only, .settings.config' <<<"$output") == '{"value":"30s","origin":"good.conf:1, by timeout"}
{"value":"","origin":"default"}
{"value":"good.conf","origin":"argument"}' ]] || fail "settings"
    [[ $(jq -c '.rules[0]' <<<"$output") == '{"name":"postgres","origin":"good.conf:4","match":"to 10.0.0.0/8,2001:db8::/32 port 5432-5439,80 program backup*,x","settings":{"recv":"10m"}}' ]] ||
        fail "rules"
    [[ $(jq -c '.rules[1:][] | [.name, .match, .settings]' <<<"$output") == '["bus","unix /run/dbus/*,@bus",{"limits":"off"}]
["pa\"th","unix /�ü",{"idle":"2s"}]' ]] || fail "rules"
    [[ $(jq -c '.problems[] | [.where, .line, .column, .value]' <<<"$output") == '["good.conf:13:8",13,8,"2z"]' ]] ||
        fail "problems"
    cmd check --json nosuch.conf
    expect_silent 1
    [[ $(jq -c '.problems' <<<"$output") == '[{"where":"nosuch.conf","value":"","what":"no such file"}]' ]] ||
        fail "a file that is not there"
}

@test "run refuses what check tells, of the file and of the rules" {
    echo 'recv = 2x' >bad.conf
    export SOCKTMO_CONFIG=bad.conf
    cmd check
    expect_status 1
    checked=$stderr
    cmd touch started
    expect_status 125
    [[ $stderr == "$checked" && ! -e started ]] || fail "run says: $stderr"
    SOCKTMO_CONFIG='' cmd --rules 'to 10.0.0.1 recv=1s' touch started
    expect_status 125
    [[ $stderr == "SOCKTMO_RULES:1:"* && ! -e started ]] || fail "run says: $stderr"
    SOCKTMO_CONFIG='' cmd --rules 'to 10.0.0.1: recv=1s' touch started
    expect_silent
    [[ -e started ]] || fail "not started"
}
