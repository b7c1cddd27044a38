#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # outcome in command.bash sets status, output and stderr
# shellcheck disable=SC2030,SC2031 # each test is a process of its own, as it should be
#
# The look at a program before it is started: what the library cannot get into is named, with the
# reason, and not started under --require-reach. What it can get into is passed over in silence.

bats_require_minimum_version 1.5.0
load helpers
load command

@test "an ordinary program is not warned of" {
    compile plain || fail "$(<plain.err)"
    cmd --require-reach ./plain
    expect_silent
    [[ $output == ran ]] || fail "it did not run"
    cmd --require-reach bash -c 'echo ran'
    expect_silent
}

@test "a static program is warned of, and not started under --require-reach" {
    compile static -static || skip "no static C library here: $(tail -n 1 static.err)"
    cmd ./static
    expect_warned "./static is statically linked: the library cannot be loaded into it"
    [[ $output == ran ]] || fail "it was not started"
    cmd --require-reach ./static
    expect_status 126
    [[ -z $output && $stderr == *"./static is statically linked: "*"it is not started"* ]] ||
        fail "$stderr"
    compile pie -static-pie || skip "no static-pie here: $(tail -n 1 pie.err)"
    cmd ./pie
    expect_warned "./pie is statically linked"
    PATH=$PWD:$PATH cmd pie
    expect_warned "pie is statically linked"
}

@test "a script is judged by what runs it" {
    compile static -static || skip "no static C library here: $(tail -n 1 static.err)"
    cp static "$BATS_TEST_TMPDIR/static" # no blank may be in a #! line
    static=$BATS_TEST_TMPDIR/static
    script() {
        printf '%s\n' "$2" >"$1"
        chmod +x "$1"
    }
    script direct "#!$static"
    cmd ./direct
    expect_warned "./direct is run by $static, which is statically linked"
    script options "#! $static -x y"
    cmd ./options
    expect_warned "./options is run by $static, which"
    ln -s "$PWD/direct" "$BATS_TEST_TMPDIR/direct"
    script second "#!$BATS_TEST_TMPDIR/direct"
    cmd ./second
    expect_warned "./second is run by $static, which"
    # as many levels as the kernel follows, and no more
    for level in 3 4 5; do
        prior=$BATS_TEST_TMPDIR/level$((level - 1))
        [[ $level -gt 3 ]] || prior=$BATS_TEST_TMPDIR/direct
        script "$BATS_TEST_TMPDIR/level$level" "#!$prior"
    done
    rm "$BATS_TEST_TMPDIR/direct"
    script "$BATS_TEST_TMPDIR/first" "#!$static"
    script "$BATS_TEST_TMPDIR/direct" "#!$BATS_TEST_TMPDIR/first"
    cmd "$BATS_TEST_TMPDIR/level5"
    expect_warned "/level5 is run by $static, which"
    script level6 "#!$BATS_TEST_TMPDIR/level5"
    cmd ./level6
    expect_silent_but 126
    script env "#!/usr/bin/env -S A=1 $static -x"
    cmd ./env
    expect_warned "./env is run by $static, which"
    cmd --require-reach ./env
    expect_status 126
    [[ -z $output ]] || fail "it was started"

    script shell $'#!/bin/sh\necho ran'
    cmd --require-reach ./shell
    expect_silent
    script bash $'#!/usr/bin/env bash\necho ran'
    cmd --require-reach ./bash
    expect_silent
    script lost '#!/nosuch'
    cmd ./lost
    expect_silent_but 127
    script loop '#!./loop'
    cmd ./loop
    expect_silent_but 126
}

@test "a program of another class is warned of" {
    [[ $(od -An -tu1 -j4 -N1 "$TMO_LIB") -eq 2 ]] || skip "the library is for 32 bits itself"
    compile narrow -m32 || skip "the compiler has no -m32: $(tail -n 1 narrow.err)"
    ./narrow || skip "the kernel runs no 32-bit programs"
    cmd ./narrow
    expect_warned "./narrow is a 32-bit program and the library is for 64 bits"
    cmd --require-reach ./narrow
    expect_status 126
}

@test "a program for another machine is warned of" {
    compile other || fail "$(<other.err)"
    poke other 18 '\xf3' # e_machine: RISC-V
    cmd --require-reach ./other
    expect_status 126
    [[ $stderr == *"./other is built for another kind of machine than the library"* ]] ||
        fail "$stderr"
}

@test "a program of another C library is warned of" {
    musl() {
        [[ $(readelf -l "$1") == *ld-musl* ]]
    }
    requires readelf binutils
    requires musl-gcc musl-tools
    ! musl "$TMO_BIN" || skip "this build is for musl itself"
    # shellcheck disable=SC2034 # compile uses it
    TMO_CC=(musl-gcc)
    compile musl || fail "$(<musl.err)"
    cmd --require-reach ./musl
    expect_status 126
    [[ $stderr == *"./musl uses the C library musl and the library is for glibc"* ]] ||
        fail "$stderr"
}

@test "a dynamic Go program is warned of" {
    printf '%s\n' '__attribute__((section(".note.go.buildid"), used)) static const char id[] = "x";' \
        'int main(void)' '{' '    return 0;' '}' >go.c
    "${CC:-cc}" -o go go.c
    cmd ./go
    expect_warned "./go is a Go program: it makes its system calls past the C library"
}

@test "a set-uid or set-gid program is warned of, but for one's own" {
    public
    cd "$PUBLIC"
    chown nobody true && chmod 4755 true
    cmd ./true
    expect_warned "./true is set-uid to another user: the dynamic loader ignores LD_PRELOAD"
    as_user ./socktmo ./true
    expect_warned "./true is set-uid to another user"
    chmod 4711 true # cannot be read by the caller
    as_user ./socktmo ./true
    expect_warned "./true is set-uid to another user"
    as_user ./socktmo --require-reach ./true
    expect_status 126
    as_user --no-new-privs ./socktmo true # the bit counts for nothing
    expect_silent

    chown root true && chmod 4755 true
    cmd ./true
    expect_silent
    chgrp nogroup true && chmod 2755 true
    cmd ./true
    expect_warned "./true is set-gid to another group"
    chmod 0755 true
    as_user ./socktmo --require-reach ./true
    expect_silent
}

@test "a program with file capabilities is warned of, but not for root" {
    public
    requires setcap libcap2-bin
    cd "$PUBLIC"
    setcap cap_net_bind_service+ep true || skip "this file system has no capabilities"
    as_user ./socktmo ./true
    expect_warned "./true has file capabilities"
    cmd ./true
    expect_silent
}

@test "a program that cannot be read is refused only under --require-reach" {
    public
    cd "$PUBLIC"
    chmod 711 true
    as_user ./socktmo ./true
    expect_silent
    as_user ./socktmo --require-reach ./true
    expect_status 126
    [[ $stderr == *"./true cannot be read (Permission denied)"* ]] || fail "$stderr"
}
