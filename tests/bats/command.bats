#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a process of its own; command.bash sets stderr
#
# The command: which options it takes, what it puts into the environment of the program, what it
# refuses. What it says of programs that the library cannot get into: reach.bats.

bats_require_minimum_version 1.5.0
load helpers
load command

variables() {
    grep '^SOCKTMO_' <<<"$output" | sort
}

@test "without arguments: usage on stderr, 125" {
    for word in '' run; do
        # shellcheck disable=SC2086 # none or one
        cmd $word
        expect_status 125
        [[ -z $output && $stderr == "usage: socktmo "* ]] || fail "$stderr"
    done
    for words in --strict -- 'run --strict --'; do
        # shellcheck disable=SC2086
        cmd $words
        expect_refused 'no program to run'
    done
}

@test "--version" {
    cmd --version
    expect_silent
    [[ $output =~ ^socktmo\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$output"
}

@test "--help names every setting that check knows, and fits 80 columns" {
    cmd --help
    expect_silent
    help=$output
    [[ $help == "usage: socktmo "* ]] || fail "$help"
    [[ $(wc -L <<<"$help") -lt 80 ]] || fail "a line is too long"
    cmd check
    expect_silent
    mapfile -t lines <<<"$output"
    [[ ${#lines[@]} -ge 15 ]] || fail "only ${#lines[@]} settings"
    for line in "${lines[@]}"; do
        name=${line%% *}
        option=$(tr 'A-Z_' a-z- <<<"--${name#SOCKTMO_}")
        grep -q -- "^  ${option}[[ ][V=]" <<<"$help" || fail "no $option in the help"
    done
    for words in 'run --help' 'check --help' '--recv 2s --help'; do
        # shellcheck disable=SC2086
        cmd $words
        expect_silent
        [[ $output == "$help" ]] || fail "'$words' gives another help"
    done
}

@test "output that cannot be written is a failure" {
    for words in '--help:125' '--version:125' 'check:1'; do
        run bash -c '"$0" "$1" >/dev/full' "$TMO_BIN" "${words%:*}"
        [[ $status -eq ${words#*:} && $output == *"No space left"* ]] || fail "$words"
    done
}

@test "options become variables, in either form, over what is there" {
    export SOCKTMO_RECV=9s SOCKTMO_SEND=8s
    cmd --recv 2s --connect=1.5s --log-format=text --log= -- env
    expect_silent
    [[ $(variables) == 'SOCKTMO_CONNECT=1.5s
SOCKTMO_LOG=
SOCKTMO_LOG_FORMAT=text
SOCKTMO_RECV=2s
SOCKTMO_SEND=8s' ]] || fail "the variables"
    cmd run --recv=1s --recv 3s env
    expect_silent
    [[ $(variables) == $'SOCKTMO_RECV=3s\nSOCKTMO_SEND=8s' ]] || fail "the last one wins"
}

@test "a good option stands for a bad variable" {
    export SOCKTMO_RECV=2x
    cmd --recv 2s env
    expect_silent
    [[ $output == *SOCKTMO_RECV=2s* ]] || fail "the variable"
}

@test "a switch is on by itself, and does not eat the next argument" {
    cmd --disable env
    expect_silent
    [[ $(variables) == SOCKTMO_DISABLE=on ]] || fail "bare"
    cmd --disable=yes --strict=off env
    expect_silent
    [[ $(variables) == $'SOCKTMO_DISABLE=yes\nSOCKTMO_STRICT=off' ]] || fail "with values"
    cmd --disable off
    expect_status 127
    [[ $stderr == 'socktmo: off: No such file or directory' ]] || fail "$stderr"
}

@test "options end at the first word that is none" {
    cmd --recv 2s echo --send 3s --nosuch -- x
    expect_silent
    [[ $output == '--send 3s --nosuch -- x' ]] || fail "the arguments"
    cmd run -- echo -- a 'b c' ''
    expect_silent
    [[ $output == '-- a b c ' ]] || fail "the arguments"
}

@test "a program may have the name of an action or begin with a dash" {
    mkdir bin
    for name in check run -; do
        # shellcheck disable=SC2016
        printf '#!/bin/sh\necho "I am %s: $*"\n' "$name" >"bin/$name"
        chmod +x "bin/$name"
    done
    PATH=$PWD/bin:$PATH
    for words in '-- check x' 'run check x' 'run -- check x' '--recv 1s check x'; do
        # shellcheck disable=SC2086
        cmd $words
        expect_silent
        [[ $output == 'I am check: x' ]] || fail "$words"
    done
    cmd run run x
    [[ $output == 'I am run: x' ]] || fail "run run"
    cmd - x
    [[ $output == 'I am -: x' ]] || fail "-"
}

@test "unknown options are refused, with the one that was probably meant" {
    while read -r option text; do
        cmd "$option" true
        expect_refused "unknown option '$option'$text"
    done <<'END'
--rekv , did you mean --recv?
--revc=2s , did you mean --recv?
--log-fromat , did you mean --log-format?
--log_formt , did you mean --log-format?
--usertimeout , did you mean --user-timeout?
--versoin , did you mean --version?
--require-rech , did you mean --require-reach?
--entirely-other , see socktmo --help
-x , see socktmo --help
-recv , did you mean --recv?
--=1 , see socktmo --help
END
}

@test "bad values of options are refused" {
    cmd --recv 2x touch started
    expect_refused "--recv='2x': expected a duration"
    cmd --recv= touch started
    expect_refused "--recv='': expected a duration"
    cmd --recv touch started
    expect_refused "--recv='touch': expected a duration"
    cmd --mode forse touch started
    expect_refused "did you mean force?"
    cmd --strict=maybe touch started
    expect_refused "--strict='maybe': expected on or off"
    cmd --recv
    expect_refused "option '--recv' needs a value: a duration"
    cmd --require-reach=yes touch started
    expect_refused "takes no value"
    [[ ! -e started ]] || fail "it was started"
}

@test "bad variables are each told once, and nothing is started" {
    export SOCKTMO_RECV=2x SOCKTMO_SNED=1s SOCKTMO_PROTO=tcp,upd SOCKTMO_SEND=1s
    cmd touch started
    expect_status 125
    [[ -z $output && ! -e started ]] || fail "it was started"
    [[ $(sort <<<"$stderr") == "socktmo: SOCKTMO_PROTO='tcp,upd': expected "*"; did you mean udp?
socktmo: SOCKTMO_RECV='2x': expected a duration such as "*"
socktmo: SOCKTMO_SNED='1s': unknown setting, did you mean SOCKTMO_SEND?" ]] || fail "$stderr"
}

@test "what a terminal would obey is escaped" {
    export SOCKTMO_RECV=$'\e[2J\n\t\x7f\\'
    cmd true
    expect_refused "SOCKTMO_RECV='\\x1b[2J\\n\\t\\x7f\\\\': "
    unset SOCKTMO_RECV
    cmd $'--re\ncv' true
    expect_refused "'--re\\ncv'"
    cmd $'no\nsuch'
    expect_status 127
    [[ $stderr == 'socktmo: no\nsuch: No such file or directory' ]] || fail "$stderr"
}

@test "check prints every setting with value and source" {
    export SOCKTMO_TIMEOUT=1500ms SOCKTMO_RECV=120 SOCKTMO_PROTO='unix, tcp' SOCKTMO_LOG=/tmp/x
    cmd check
    expect_silent
    while read -r line; do
        grep -qE "^${line// / +}\$" <<<"$output" || fail "no line '$line'"
    done <<'END'
SOCKTMO_CONNECT 1500ms environment, by SOCKTMO_TIMEOUT
SOCKTMO_SEND 1500ms environment, by SOCKTMO_TIMEOUT
SOCKTMO_TIMEOUT 1500ms environment
SOCKTMO_RECV 2m environment
SOCKTMO_PROTO tcp,unix environment
SOCKTMO_LOG /tmp/x environment
SOCKTMO_MODE force default
SOCKTMO_ONLY all default
SOCKTMO_SKIP none default
SOCKTMO_KEEPALIVE off default
END
    # The sources stand below each other.
    columns=$(awk '{ print match($0, /(default|environment)/) }' <<<"$output" | sort -u)
    [[ $columns =~ ^[0-9]+$ ]] || fail "columns: $columns"
}

@test "check tells every fault as run does, status 1" {
    export SOCKTMO_RECV=2x SOCKTMO_REVC=1s
    cmd check
    expect_status 1
    [[ $output == *SOCKTMO_RECV* && $output != *REVC* ]] || fail "the table"
    checked=$stderr
    [[ $(wc -l <<<"$checked") -eq 2 ]] || fail "$checked"
    cmd true
    [[ $stderr == "$checked" ]] || fail "run says: $stderr"
}

@test "the exit status is the program's own; 126 and 127 as under env" {
    cmd sh -c 'exit 3'
    expect_silent 3
    # shellcheck disable=SC2016
    cmd sh -c 'kill -TERM $$'
    expect_silent 143
    cmd nosuchprogram
    expect_status 127
    [[ $stderr == 'socktmo: nosuchprogram: No such file or directory' ]] || fail "$stderr"
    cmd ./nosuch/program
    expect_status 127
    cmd ''
    expect_status 127
    [[ $stderr == "socktmo: '': No such file or directory" ]] || fail "$stderr"
    cmd .
    expect_status 126
    [[ $stderr == 'socktmo: .: Permission denied' ]] || fail "$stderr"
    : >plain
    cmd ./plain
    expect_status 126
    [[ $stderr == 'socktmo: ./plain: Permission denied' ]] || fail "$stderr"
    cmd --require-reach ./nosuch
    expect_status 127
}

@test "a program is found as execvp finds it" {
    mkdir one two
    mkdir one/thing
    printf 'echo found, by the shell\n' >two/thing # no #! line
    chmod +x two/thing
    PATH=$PWD/one:$PWD/two:$PATH cmd thing
    expect_silent
    [[ $output == 'found, by the shell' ]] || fail "the output"
    cd two
    PATH=:$PATH cmd thing # an empty entry is the current folder
    expect_silent
}

@test "the program gets the caller's process, signals and descriptors" {
    # shellcheck disable=SC2016
    run bounded sh -c 'echo $$; exec "$0" sh -c "echo \$\$"' "$TMO_BIN"
    [[ ${lines[0]} == "${lines[1]}" ]] || fail "another process"
    look='grep "^Sig[^Q]" /proc/self/status; cd /proc/self/fd; echo *'
    trap '' USR1
    run bounded env --block-signal=USR2 bash -c "$look"
    bare=$output
    run bounded env --block-signal=USR2 "$TMO_BIN" bash -c "$look"
    trap - USR1
    [[ $output == "$bare" ]] || fail "bare: $bare"
}

@test "the library stands first in LD_PRELOAD and what was there stays" {
    [[ -z $TMO_PRELOAD ]] || skip "this build needs another library first"
    place "$BATS_TEST_TMPDIR/here" "$BATS_TEST_TMPDIR/here"
    TMO_BIN=$BATS_TEST_TMPDIR/here/socktmo
    library=$BATS_TEST_TMPDIR/here/libsocktmo.so
    libm=$(ldconfig -p | awk '/libm\.so\.6 .*x86-64|libm\.so\.6.*AArch64/ { print $NF; exit }')
    libm=${libm:-libm.so.6}

    cmd printenv LD_PRELOAD
    expect_silent
    [[ $output == "$library" ]] || fail "alone"
    LD_PRELOAD='' cmd printenv LD_PRELOAD
    [[ $output == "$library" ]] || fail "over an empty one"
    LD_PRELOAD=$libm cmd printenv LD_PRELOAD
    [[ $output == "$library:$libm" ]] || fail "with another"
    LD_PRELOAD="$libm libdl.so.2" cmd printenv LD_PRELOAD
    [[ $output == "$library:$libm libdl.so.2" ]] || fail "with two"

    # Listed already, here or there, by this name or another: left as it is.
    ln -s here "$BATS_TEST_TMPDIR/there"
    for list in "$library" "$libm:$library" "$libm $library" \
        "$BATS_TEST_TMPDIR/there/libsocktmo.so"; do
        LD_PRELOAD=$list cmd printenv LD_PRELOAD
        [[ $output == "$list" ]] || fail "not '$list'"
    done
    cmd "$TMO_BIN" printenv LD_PRELOAD
    [[ $output == "$library" ]] || fail "under itself"
}

@test "the library is really loaded" {
    cmd grep -c libsocktmo.so /proc/self/maps
    expect_silent
    [[ $output -gt 0 ]] || fail "it is not"
}

@test "the library is found beside the command, or in lib beside bin" {
    [[ -z $TMO_PRELOAD ]] || skip "this build needs another library first"
    root=$BATS_TEST_TMPDIR/prefix
    place "$root/bin" "$root/lib"
    outcome "$root/bin/socktmo" printenv LD_PRELOAD
    expect_silent
    [[ $output == "$root/lib/libsocktmo.so" ]] || fail "in lib"
    ln -s prefix/bin/socktmo "$BATS_TEST_TMPDIR/link"
    PATH=$BATS_TEST_TMPDIR:$PATH outcome link printenv LD_PRELOAD
    expect_silent
    [[ $output == "$root/lib/libsocktmo.so" ]] || fail "through a symbolic link"
    place "$root/bin" "$root/bin"
    outcome "$root/bin/socktmo" printenv LD_PRELOAD
    [[ $output == "$root/bin/libsocktmo.so" ]] || fail "beside it"
}

@test "no library, a broken one, or one where LD_PRELOAD cannot name it: 125" {
    [[ -z $TMO_PRELOAD ]] || skip "this build needs another library first"
    place broken broken
    TMO_BIN=./broken/socktmo
    cmd touch started
    expect_refused "LD_PRELOAD cannot take" # the test's folder has a blank in its name

    place "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/broken"
    TMO_BIN=$BATS_TEST_TMPDIR/broken/socktmo
    echo text >"$BATS_TEST_TMPDIR/broken/libsocktmo.so"
    cmd touch started
    expect_refused "libsocktmo.so: not a shared library"
    rm "$BATS_TEST_TMPDIR/broken/libsocktmo.so"
    if cmd touch started && [[ $status -eq 0 ]]; then
        skip "there is an installed library as well"
    fi
    expect_refused "cannot find libsocktmo.so"
    [[ ! -e started ]] || fail "it was started"
}
