#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's $; each test is a process of its own; command.bash
#
# socktmo explain: which rule decides, why those before it do not, what follows; and the words of the
# pages and completions that go with it.

bats_require_minimum_version 1.5.0
load helpers
load command

# explains ARGUMENT…: sets json.
explains() {
    cmd explain --json "$@"
    expect_silent "${STATUS-0}"
    json=$output
}

# expect FILTER VALUE: of the first result.
expect() {
    local is

    is=$(jq -rc ".results[0] | $1" <<<"$json") || fail "no JSON"
    [[ $is == "$2" ]] || fail "$1 is '$is', not '$2'"
}

# page PART: what stands between "example: PART" and "example: end" in socktmo.conf(5).
page() {
    sed -n "/^\.\\\\\" example: $1\$/,/^\.\\\\\" example: end\$/p" "$TMO_BUILD/man/socktmo.conf.5" |
        sed -e '/^\./d' -e 's/\\-/-/g' -e 's/\\&//g' -e 's/\\e/\\/g'
}

@test "socktmo.conf(5): its example gives what stands there" {
    local command

    page file >socktmo.conf
    grep -q '^\[postgres\]$' socktmo.conf || fail "no file in the page"
    page explain >told
    command=$(sed -n '1s/^\$ socktmo //p' told)
    # shellcheck disable=SC2086 # words
    cmd $command
    expect_silent
    diff -u <(sed 1d told) - <<<"$output" || fail "the page says something else"
}

@test "which rule decides: by address, block, port, name of a service, protocol, direction" {
    cat >file <<'END'
timeout = 9s
[one]
match = to 10.0.0.1,2001:db8::/32 port 80,5000-5010
recv = 1s
[udp]
match = to 10.0.0.0/8 proto udp
recv = 2s
[in]
match = from 10.0.0.0/8 port https
idle = 3s
[scoped]
match = to fe80::1%lo
recv = 4s
[any port]
match = port 25
recv = 5s
END
    export SOCKTMO_CONFIG=file
    while read -r rule words; do
        # shellcheck disable=SC2086 # words
        explains $words
        expect '.rule.name // "none"' "${rule//_/ }"
    done <<'END'
one 10.0.0.1:80
one 10.0.0.1:http
one 10.0.0.1:5005
one [2001:db8::7]:5010
one [::ffff:10.0.0.1]:80
none 10.0.0.1:5011
none 10.0.0.1
none 2001:db8::7
none [2001:db8::7]
udp 10.9.9.9:53 --proto udp
udp 10.9.9.9:domain --proto=udp
none 10.9.9.9:53 --proto tcp
in 10.9.9.9:443 --from
in --from 10.9.9.9:https
none 10.9.9.9:443
none 11.9.9.9:443 --from
scoped [fe80::1%lo]:9
scoped fe80::1%1
none [fe80::1%2]:9
any_port 192.0.2.1:25
any_port --from 192.0.2.1:smtp
none unix:/run/x
END
}

@test "why the rules before it do not match" {
    export SOCKTMO_RULES='to 10.0.0.1: recv=1s; to 10.0.0.2 port 80: recv=1s; from any: idle=1s;
        proto udp: recv=1s; to *.example.com: recv=1s; port 80 program a*, b: recv=1s; unix /x: recv=1s'
    cmd explain 10.0.0.2
    expect_silent
    [[ $output == *"10.0.0.2, tcp, outgoing: no rule matches, the general settings hold

Rules that do not match:
    'to 10.0.0.1: recv=1s': only to 10.0.0.1
    'to 10.0.0.2 port 80: recv=1s': would need a port: only port 80
    'from any: idle=1s': only for accepted connections: from any
    'proto udp: recv=1s': only proto udp
    'to *.example.com: recv=1s': only to *.example.com, a name that the program looked up
    'port 80 program a*, b: recv=1s': only in programs called a*,b
    'unix /x: recv=1s': only unix /x

Settings:"* ]] || fail "the reasons"
    explains 10.0.0.3:80
    [[ $(jq -r '.results[0].passed[5].why' <<<"$json") == "only in programs called a*,b" ]] || fail "$json"
    explains 10.0.0.3:80 --program /usr/bin/ab
    expect .rule.match 'port 80 program a*,b'
    # more than ten are cut, but for -v
    SOCKTMO_RULES=$(printf 'to 10.1.0.%d: recv=1s;' {1..14})
    cmd explain 10.0.0.2
    [[ $(grep -c ': only to' <<<"$output") -eq 10 && $output == *"    and 4 more, which -v shows"* ]] || fail "cut"
    cmd explain -v 10.0.0.2
    [[ $(grep -c ': only to' <<<"$output") -eq 14 && $output != *"more, which"* ]] || fail "-v"
}

@test "settings: rule over environment over file, with their origins" {
    printf 'timeout = 9s\nidle = 8s\nmode = cap\n[r]\nmatch = to 10.0.0.1\nlimits = off\ntimeout = 1s\nsend = 2s\n' >file
    export SOCKTMO_TOTAL=7s
    explains 10.0.0.1:1 --config file
    expect '[.settings | .connect, .send, .idle, .total, .mode, .action | .value, .origin]' \
        '["1s","rule, file:7, by timeout","2s","rule, file:8","off","rule, file:6, by limits","off","rule, file:6, by limits","cap","file:3","error","default"]'
    explains 10.0.0.2:1 --config file
    expect '[.settings | .connect, .idle, .total | .value, .origin]' \
        '["9s","file:1, by timeout","8s","file:2","7s","environment"]'
}

@test "what the library does: the system calls, for outgoing and accepted connections" {
    export SOCKTMO_CONNECT=1s SOCKTMO_RECV=2s SOCKTMO_SEND=3s SOCKTMO_IDLE=1500ms SOCKTMO_TOTAL=1h \
        SOCKTMO_LINGER=1100ms SOCKTMO_KEEPALIVE=60s/10s/5 SOCKTMO_USER_TIMEOUT=20s SOCKTMO_ACCEPT=4s \
        SOCKTMO_AWAIT=answer SOCKTMO_MODE=fill
    cmd explain 10.0.0.1:80
    expect_silent
    [[ ${output#*What the library does:$'\n'} == "    setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1): before connect, unless the program set it
    setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 60): before connect, unless the program set it
    setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, 10): before connect, unless the program set it
    setsockopt(IPPROTO_TCP, TCP_KEEPCNT, 5): before connect, unless the program set it
    setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, 20000): before connect, unless the program set it
    setsockopt(SOL_SOCKET, SO_SNDTIMEO, 1s): for the time of a blocking connect, unless the program set one
    setsockopt(SOL_SOCKET, SO_RCVTIMEO, 1500ms): at connect, for blocking reads, unless the program set one
    setsockopt(SOL_SOCKET, SO_SNDTIMEO, 1500ms): when connected, for blocking writes, unless the program set one
    poll, select, epoll_wait: a connect under way is ended after 1s
    poll, select, epoll_wait: looked at after 2s of silence, if an answer is owed
    poll, select, epoll_wait: looked at after 3s in which nothing that was sent moved
    getsockopt(IPPROTO_TCP, TCP_INFO): at each wait that lasts: ended after 1500ms of silence both ways
    getsockopt(IPPROTO_TCP, TCP_INFO): at each wait that lasts: ended 1h after connect
    setsockopt(SOL_SOCKET, SO_LINGER, 2s): where the program sets a longer one" ]] || fail "outgoing"
    SOCKTMO_NONBLOCK=off explains --from 10.0.0.1:80
    expect '[.steps[].call] | [.[0], .[6], .[8]]' \
        '["setsockopt(SOL_SOCKET, SO_RCVTIMEO, 4s)","setsockopt(SOL_SOCKET, SO_RCVTIMEO, 1500ms)","poll, select, epoll_wait"]'
    expect '.steps[8].when' 'left alone, as nonblock is off'
    SOCKTMO_RULES='to ::/0: sockopt=tcp_nodelay=1,IPV6_TCLASS=8,UDP_CORK=1' explains '[::1]:80'
    expect '[.settings.sockopt.value, (.steps[:2][].call)]' \
        '["TCP_NODELAY=on,IPV6_TCLASS=8,UDP_CORK=on","setsockopt(TCP_NODELAY=on)","setsockopt(IPV6_TCLASS=8)"]'
    # the listener's limit is not that of a rule for its connections
    SOCKTMO_RULES='from any: accept=9s; proto tcp: accept=8s' explains --from 10.0.0.1:80
    expect '.steps[0].call' 'setsockopt(SOL_SOCKET, SO_RCVTIMEO, 8s)'
}

@test "the calls that it names are those that a program makes" {
    requires strace
    [[ -z $TMO_PRELOAD && -z ${TMO_RUN-} ]] || skip "not under this build's preload"
    peer_start echo
    export SOCKTMO_RULES="to 127.0.0.0/8: connect=1s, recv=2s, send=3s, user_timeout=4s"
    explains "127.0.0.1:$PEER_PORT"
    bare LD_PRELOAD="$TMO_LD_PRELOAD" -- strace -f -qq -e trace=setsockopt,connect -o trace \
        bash -c 'exec 5<>/dev/tcp/127.0.0.1/"$0"' "$PEER_PORT"
    [[ $status -eq 0 || $output != *ptrace* ]] || skip "strace may not trace here"
    # the value is a struct timeval, which strace does not read: its first byte will do
    made=$(sed -nE -e 's/.*TCP_USER_TIMEOUT, \[([0-9]+)\].*/TCP_USER_TIMEOUT \1/p' \
        -e 's/.*(SO_RCVTIMEO|SO_SNDTIMEO)[A-Z_]*, "\\([0-9]+)\\.*/\1 \2/p' trace | paste -sd ,)
    [[ $made == "TCP_USER_TIMEOUT 4000,SO_SNDTIMEO 1,SO_RCVTIMEO 2,SO_SNDTIMEO 3" ]] || {
        cat trace
        fail "made: $made"
    }
    expect '[.steps[].call | select(startswith("setsockopt"))] | join(" ")' \
        'setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, 4000) setsockopt(SOL_SOCKET, SO_SNDTIMEO, 1s) setsockopt(SOL_SOCKET, SO_RCVTIMEO, 2s) setsockopt(SOL_SOCKET, SO_SNDTIMEO, 3s)'
}

@test "what is left alone, and why" {
    export SOCKTMO_RULES='unix /run/*: recv=1s; unix @bus: limits=off' SOCKTMO_RECV=5s
    explains unix:/run/x
    expect '[.rule.match, .left_alone, .steps[0].call]' '["unix /run/*",null,"setsockopt(SOL_SOCKET, SO_RCVTIMEO, 1s)"]'
    explains unix:@bus
    expect '[.rule.match, .left_alone, .steps]' '["unix @bus","it is left alone, as proto is tcp and this is unix",[]]'
    explains 10.0.0.1:53 --proto udp
    expect .left_alone 'it is left alone, as proto is tcp and this is udp'
    SOCKTMO_SKIP='b*' explains 10.0.0.1:53 --program bash
    expect .left_alone 'nothing is done in programs called bash, by only or skip'
    SOCKTMO_DISABLE=on explains 10.0.0.1:53
    expect .left_alone 'nothing is done, as disable is on'
    SOCKTMO_RECV=off cmd explain 10.0.0.1:53
    [[ $output == *$'\n    nothing, as no limit is set' ]] || fail "no limit"
}

@test "a name is matched as such, and with each address that it has" {
    export SOCKTMO_RULES='to *.example.invalid port 80: recv=1s; to 127.0.0.1: recv=2s; to LocalHost: recv=3s'
    explains localhost:80
    while read -r line; do
        wanted=$([[ $line == *'"addresses":["127.0.0.1"'* ]] && echo 2s || echo 3s)
        [[ $(jq -r .settings.recv.value <<<"$line") == "$wanted" ]] || fail "$line"
    done < <(jq -c '.results[]' <<<"$json")
    explains Db.Example.INVALID.:80
    expect '[.rule.match, .target, .addresses]' '["to *.example.invalid port 80","db.example.invalid:80",[]]'
    [[ $(jq -r .unresolved <<<"$json") != null ]] || fail "resolved"
    explains other.invalid:80
    expect '.passed[1].why' 'only to 127.0.0.1, and its address is not known'
    cmd explain other.invalid:80
    [[ $output == "other.invalid:80 (address not known: "*"), tcp, outgoing: no rule matches"* ]] || fail "text"
}

@test "usage: 125, one line" {
    while read -r words; do
        # shellcheck disable=SC2086 # words
        cmd explain $words
        expect_refused ''
    done <<'END'

--nosuch 10.0.0.1
10.0.0.1 10.0.0.2
10.0.0.1:99999
10.0.0.1:nosuch
10.0.0.0/8
10.0.0.300:80
[::1:80
:80
unix:
unix:/x --proto tcp
10.0.0.1 --proto unix
10.0.0.1 --proto all
10.0.0.1 --proto
10.0.0.1 --config
a/b
fe80::1%nosuch
END
    cmd explain $'a\e[1mb'
    expect_refused '\x1b[1m'
}

@test "faults of the settings are told, status 1" {
    printf 'recv = 2s\n[a]\nmatch = to 10.0.0.1\nrecv = 1x\n' >file
    cmd explain 10.0.0.1:80 --config file
    expect_status 1
    [[ $output == *'no rule matches'* && $stderr == "file:4:8: '1x': "* ]] || fail "$stderr"
    STATUS=1 explains 10.0.0.1:80 --config=file
    [[ $(jq -r '.problems[0].where' <<<"$json") == file:4:8 ]] || fail "json"
    cmd explain 10.0.0.1:80 --config nosuch
    expect_status 1
    [[ -z $output && $stderr == "socktmo: nosuch: no such file" ]] || fail "$stderr"
}

# --- completion -----------------------------------------------------------------------------------

@test "completion for bash: actions, options, their words, files" {
    touch one.conf two.conf
    # each line: the words, of which _ is an empty one, and what is offered for the last of them
    cat >cases <<'END'
expl> explain
--log-f> --log-format
run --log-f> --log-format
--log-format _> json text
--log-format = j> json
--log-format => json text
run --strict = _> off on
--strict --log-f> --log-format
--recv 1s --log-f> --log-format
--recv 1s cat one> one.conf
--recv 1s -- cat one> one.conf
--recv 1s cat --log-f>
--config one> one.conf
check one> one.conf
check --js> --json
doctor --js> --json
doctor mkfif> mkfifo
doct> doctor
check --log-f>
explain --pro> --program --proto
explain --proto u> udp unix
explain --config = tw> two.conf
END
    cat >complete <<'END'
source "$1"
while IFS='>' read -r words wanted; do
    read -ra COMP_WORDS <<<"socktmo $words"
    COMP_WORDS=("${COMP_WORDS[@]/#_/}") COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _socktmo
    offered=$(printf '%s\n' "${COMPREPLY[@]}" | sort -u | paste -sd ' ')
    [[ $offered == "${wanted# }" ]] || echo "$words: offered is '$offered'"
done <cases
COMP_WORDS=(socktmo --) COMP_CWORD=1
_socktmo
printf '%s\n' "${COMPREPLY[@]}" >options
END
    bare -- bash complete "$TMO_BUILD/completion/socktmo.bash"
    [[ $status -eq 0 && -z $output ]] || fail "completing"
    # every setting of the table is there
    cmd check --json
    for key in $(jq -r '.settings | keys[]' <<<"$output"); do
        grep -qxF -- "--${key//_/-}" options || fail "no option for $key"
    done
}

@test "completion for zsh: can be read" {
    requires zsh
    bare -- zsh -n "$TMO_BUILD/completion/_socktmo"
    [[ $status -eq 0 && -z $output ]] || fail "it cannot"
    [[ $(grep -c -- "^    '--" "$TMO_BUILD/completion/_socktmo") -ge 25 ]] || fail "too few options"
}
