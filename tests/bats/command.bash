# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read by the tests and by helpers.bash
#
# For the tests of the command (command.bats, reach.bats), loaded after helpers: running it with its
# two outputs apart, what is expected of it, and programs to try it on.

setup() {
    tmo_setup
    PUBLIC=
    # Where the library must not stand first (libasan must), it is listed already and stays put.
    [[ -z $TMO_PRELOAD ]] || export LD_PRELOAD=$TMO_PRELOAD:$TMO_LIB
}

teardown() {
    unset LD_PRELOAD
    [[ -z $PUBLIC ]] || rm -rf "$PUBLIC"
    tmo_teardown
}

# outcome CMD…: sets status, output and stderr. Not by run, which takes 127 for a mistake here.
outcome() {
    status=0
    output=$(bounded "$@" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
    stderr=$(<"$BATS_TEST_TMPDIR/stderr")
}

# cmd ARG…: the command.
cmd() {
    outcome "$TMO_BIN" "$@"
}

expect_status() {
    [[ $status -eq $1 ]] || fail "status is not $1; stderr: $stderr"
}

# expect_refused TEXT: bad usage: one line, with TEXT in it, and the program was not started.
expect_refused() {
    expect_status 125
    [[ -z $output && $stderr != *$'\n'* && $stderr == "socktmo: "* && $stderr == *"$1"* ]] ||
        fail "stderr: $stderr"
}

# expect_warned TEXT: the program was started all the same, and one line says TEXT.
expect_warned() {
    expect_status 0
    [[ $(grep -c '^socktmo: ' <<<"$stderr") -eq 1 && $stderr == *"$1"*"so no limit will hold"* ]] ||
        fail "stderr: $stderr"
}

expect_silent() {
    expect_status "${1:-0}"
    [[ -z $stderr ]] || fail "stderr: $stderr"
}

# expect_silent_but STATUS: nothing is said but why it could not be started.
expect_silent_but() {
    expect_status "$1"
    [[ -z $output && $stderr == "socktmo: "*": "* && $stderr != *$'\n'* ]] || fail "$stderr"
}

# compile NAME [FLAG…]: a program that prints "ran".
compile() {
    local name=$1

    shift
    printf '#include <unistd.h>\nint main(void)\n{\n    return write(1, "ran\\n", 4) != 4;\n}\n' \
        >"$name.c"
    "${TMO_CC[@]}" -o "$name" "$name.c" "$@" 2>"$name.err"
}

# poke FILE OFFSET BYTES: replaces them, as printf(1) writes them. Without libasan, which dd breaks.
poke() {
    # shellcheck disable=SC2059 # it is one
    printf "$3" | LD_PRELOAD='' dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# place FOLDER LIBFOLDER: copies of the command and the library.
place() {
    mkdir -p "$1" "$2"
    cp "$TMO_BIN" "$1/socktmo"
    cp "$TMO_LIB" "$2/libsocktmo.so"
}

# public: a folder that other users can get into, with the command and the library.
public() {
    [[ $EUID -eq 0 ]] || skip "needs root to make files of other users and to become one"
    [[ -z $TMO_PRELOAD ]] || skip "the preload of this build is not for other users"
    PUBLIC=$(mktemp -d)
    chmod 755 "$PUBLIC"
    place "$PUBLIC" "$PUBLIC"
    chmod 755 "$PUBLIC/socktmo" "$PUBLIC/libsocktmo.so"
    cp "$(type -P true)" "$PUBLIC/true"
}

# as_user CMD…: as one who owns nothing.
as_user() {
    outcome setpriv --reuid=1234 --regid=1234 --clear-groups "$@"
}
