# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read by the tests and by helpers.bash
#
# For the tests that run tests/programs/fds.c (record, sinks, closing, guest), loaded after helpers:
# a program told step by step which descriptors to open and close, bare and under the shim.

FDS=$TMO_BUILD/tests/fds

# A program that does nothing and ends well: fds without steps, where the system's own is of another
# platform than the library.
TRUE=/bin/true
[[ -z ${TMO_FOREIGN-} ]] || TRUE=$FDS

# strerror(ETIMEDOUT)
TIMED_OUT='Connection timed out'
[[ ${TMO_FOREIGN-} != musl ]] || TIMED_OUT='Operation timed out'

# logged [VAR=VALUE…] -- CMD…: under the shim, with the log in ./log.
logged() {
    under SOCKTMO_LOG="$PWD/log" "$@"
}

# alike [VAR=VALUE…] -- CMD…: as logged, and status and output must be those of a run without the
# shim, which leaves no log behind. PREPARE, if it is set, runs before each of the two.
alike() {
    local bare_status bare_output

    ${PREPARE-:}
    bare "$@"
    [[ $status -ne 124 && $status -ne 99 ]] || fail "it does not even run bare"
    bare_status=$status bare_output=$output
    rm -rf log
    ${PREPARE-:}
    logged "$@"
    [[ $status -eq $bare_status ]] || fail "bare, the status is $bare_status"
    [[ $output == "$bare_output" ]] ||
        fail "the output is not as bare: $(diff <(echo "$bare_output") <(echo "$output"))"
}

# connected PORT [LETTER]: sets `connected` to the steps of a connection to 127.0.0.1:PORT.
connected() {
    connected=("${2-a}=socket:tcp" "connect:${2-a}:4/$1")
}

# closes: the reasons of the close records, in their order, on one line.
closes() {
    record close .reason | paste -sd ' '
}

# assert_closes REASON…: just these, in this order.
assert_closes() {
    [[ $(closes) == "$*" ]] || fail "the reasons are '$(closes)', not '$*'"
}

# assert_field FILTER VALUE: of the only close.
assert_field() {
    [[ $(record close "$1") == "$2" ]] || fail "$1 is '$(record close "$1")', not '$2'"
}

# every_line_is_json FILE: and none is longer than 4096 bytes with its newline.
every_line_is_json() {
    [[ -s $1 ]] || fail "$1 is empty"
    [[ $(tail -c 1 "$1" | od -An -tx1) == " 0a" ]] || fail "$1 does not end with a newline"
    [[ $(jq -Rc 'fromjson? | objects | .event' "$1" | wc -l) -eq $(wc -l <"$1") ]] ||
        fail "not every line of $1 is an object: $(head -c 3000 "$1")"
    awk 'length($0) > 4095 { exit 1 }' "$1" || fail "a line of $1 is longer than 4096 bytes"
}

# shared NAME SOURCE [FLAG…]: compiles a library; SOURCE is one of tests/programs, or - for standard
# input. Sets SHARED to its path, which has no blank in it: LD_PRELOAD splits at blanks.
shared() {
    local name=$1 source=$2

    shift 2
    SHARED=$BATS_TEST_TMPDIR/$name.so
    [[ $source == - ]] || source=$TMO_ROOT/tests/programs/$source
    "${TMO_CC[@]}" -std=gnu11 -D_GNU_SOURCE -O1 -fPIC -shared -o "$SHARED" "$@" -x c "$source" -ldl
}
