#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154 # an inner shell's $; helpers.bash sets status and output
#
# make install and make uninstall, into a folder of the test's own. What is built for PREFIX=/usr
# knows that prefix, so it is built apart, once for all of these.

load helpers

ROOT=$BATS_TEST_TMPDIR/root # without a blank, which make takes for two names

setup() {
    tmo_setup
    # a flavour of the build is not what is installed, and its preload would get into make
    [[ $TMO_BUILD == "$TMO_ROOT/build" ]] || skip "this is a flavour of the build"
}

# installs GOAL [VAR=VALUE…]: make, quietly; not as a part of the make that runs the tests.
installs() {
    TMO_CUT=120 bare -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -- make -s -j2 -C "$TMO_ROOT" "$1" \
        "BUILD=$BATS_FILE_TMPDIR/build" CFLAGS=-O0 "DESTDIR=$ROOT" PREFIX=/usr "${@:2}"
    [[ $status -eq 0 ]] || fail "make $1"
}

@test "install puts the library, the command, the pages and the completions in place, and nothing else" {
    installs install
    cd "$ROOT"
    [[ $(find . -type f -o -type l | sort | paste -sd ' ') == "./usr/bin/socktmo ./usr/lib/libsocktmo.so ./usr/share/bash-completion/completions/socktmo ./usr/share/man/man1/socktmo.1 ./usr/share/man/man5/socktmo.conf.5 ./usr/share/man/man8/libsocktmo.8 ./usr/share/zsh/site-functions/_socktmo" ]] ||
        fail "there is $(find .)"
    [[ $(stat -c %a usr/bin/socktmo) == 755 && -s usr/share/man/man8/libsocktmo.8 ]]
    [[ -z $(find . -type l) && -z $(find usr ! -perm -444) ]] || fail "not for all: $(ls -lR)"
}

@test "install knows the folders apart" {
    installs install BINDIR=/opt/b MANDIR=/opt/m SHAREDIR=/opt/s
    [[ -x $ROOT/opt/b/socktmo && -s $ROOT/opt/m/man1/socktmo.1 &&
        -s $ROOT/opt/m/man8/libsocktmo.8 && -f $ROOT/usr/lib/libsocktmo.so &&
        -s $ROOT/opt/s/zsh/site-functions/_socktmo ]] ||
        fail "there is $(find "$ROOT")"
    [[ ! -e $ROOT/usr/bin && ! -e $ROOT/usr/share ]] || fail "there is $(find "$ROOT")"
}

@test "the installed command finds the installed library" {
    installs install
    peer_start mute
    bare -- "$ROOT/usr/bin/socktmo" run --recv 200ms -- \
        bash -c 'echo "$LD_PRELOAD"; exec 5<>/dev/tcp/127.0.0.1/$0; read -r <&5' "$PEER_PORT"
    [[ $output == *"timed out"* ]] || fail "the limit does not hold"
    [[ ${lines[0]} -ef $ROOT/usr/lib/libsocktmo.so ]] || fail "another library: ${lines[0]}"
    [[ $("$ROOT/usr/bin/socktmo" --version) == "$("$TMO_BIN" --version)" ]]
}

@test "the installed pages are pages" {
    requires mandoc
    installs install
    for page in "$ROOT"/usr/share/man/man?/*; do
        bare -- mandoc -T lint -W warning "$page"
        [[ $status -eq 0 ]] || fail "$page"
    done
}

@test "uninstall leaves nothing of ours and all of others'" {
    mkdir -p "$ROOT/usr/bin" "$ROOT/usr/share/man/man1"
    touch "$ROOT/usr/bin/other" "$ROOT/usr/share/man/man1/other.1"
    installs install
    [[ -e $ROOT/usr/bin/socktmo ]]
    installs uninstall
    [[ $(cd "$ROOT" && find . -type f -o -type l | sort | paste -sd ' ') == \
        "./usr/bin/other ./usr/share/man/man1/other.1" ]] || fail "left: $(find "$ROOT")"
}
