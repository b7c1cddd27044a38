#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # each test is a process of its own; command.bash
#
# socktmo doctor: whether and how a program or a running process can be reached, and why not.

bats_require_minimum_version 1.5.0
load helpers
load command

# doctor STATUS ARGUMENT…: nothing on stderr.
doctor() {
    cmd doctor "${@:2}"
    expect_silent "$1"
}

# says LINE…: each is one of the lines, or the beginning of one; a pattern, but for its parentheses.
says() {
    local line

    for line; do
        line=${line//'('/'\('}
        grep -qE "^${line//')'/'\)'}" <<<"$output" || fail "no line '$line'"
    done
}

# told STATUS TEXT: only this on stderr.
told() {
    expect_status "$1"
    [[ -z $output && $stderr == "socktmo: "*"$2"* && $stderr != *$'\n'* ]] || fail "stderr: $stderr"
}

# system: the system's own programs are of the library's kind.
system() {
    [[ -z ${TMO_FOREIGN-} && -z ${TMO_RUN-} ]] || skip "the system's own programs are of another kind"
}

# client NAME [FLAG…]: a program that makes the calls of a client.
client() {
    cat >"$1.c" <<'END'
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
int main(void)
{
    struct addrinfo *found;
    char c;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return getaddrinfo("x", "1", 0, &found) || connect(fd, found->ai_addr, found->ai_addrlen) ||
           poll(0, 0, 1) || recv(fd, &c, 1, 0) != 1;
}
END
    "${TMO_CC[@]}" -U_FORTIFY_SOURCE -o "$1" "$1.c" "${@:2}" 2>"$1.err"
}

ONLY_OUTSIDE='reach: only under socktmo run --guard'

@test "an ordinary program: by preload, with what it imports" {
    client plain || fail "$(<plain.err)"
    doctor 0 ./plain
    says 'program: \./plain$' 'preload: /.*/libsocktmo.so$' 'class: .* (the same as the library)' \
        'linking: dynamic' 'loader: /' 'libc: .* (the same as' 'privileges: those of its caller' \
        'go: no' 'imports: connect, getaddrinfo, recv, socket, poll$' 'needs: 0 libraries' \
        'network: yes (imported by the program itself)$' 'reach: by preload ('
    ! grep -q '^(instead\|may pass\|opens\|starts)' <<<"$output" || fail "more than there is"
    PATH=$PWD:$PATH doctor 0 -- plain
    says "program: $PWD/plain\$"
    for way in "-Wl,--hash-style=sysv" "-Wl,--hash-style=gnu" "-no-pie" "-s"; do
        client way "$way" || fail "$(<way.err)"
        doctor 0 ./way
        says 'imports: connect, getaddrinfo, recv, socket, poll$'
    done
    compile quiet || fail "$(<quiet.err)"
    doctor 0 ./quiet
    says 'imports: none$' 'network: none (nothing of the network is imported' 'reach: by preload'
}

@test "without a section table the symbols are counted all the same" {
    [[ $(od -An -tu1 -j4 -N1 "$TMO_LIB") -eq 2 ]] || skip "written for 64 bits"
    client plain || fail "$(<plain.err)"
    poke plain 60 '\0\0' # e_shnum
    doctor 0 ./plain
    says 'imports: connect, getaddrinfo, recv, socket, poll$'
}

@test "the system's programs" {
    system
    doctor 0 /bin/true
    says 'network: none' 'reach: by preload'
    if command -v curl; then
        doctor 0 curl
        says 'library: /.*/libcurl.*\.so\.4 (.*connect.*recv' 'network: yes' 'opens: libraries'
    fi
    printf '#!/usr/bin/python3 -s\n' >script
    printf '#!/bin/sh\n' >shell
    printf '#!/usr/bin/env bash\n' >by-env
    printf 'echo text\n' >text
    chmod +x script shell by-env text
    doctor 0 ./shell
    says 'script: \./shell (' 'program: /bin/sh$' 'starts: other programs' 'reach: by preload'
    doctor 0 ./by-env
    says 'script: \./by-env (' 'program: /.*/bash$'
    doctor 0 ./text # as execvp does
    says 'script: \./text (' 'program: /bin/sh$'
    if [[ -x /usr/bin/python3 ]]; then
        doctor 0 ./script
        says 'script: \./script (' 'program: /usr/bin/python3$' 'imports: .*connect.*recv' 'network: yes'
    fi
}

@test "what is needed is found by RUNPATH, RPATH, LD_LIBRARY_PATH, and by what those need" {
    mkdir -p lib/deep
    printf '#include <sys/socket.h>\nint deep(void) { return listen(3, 1); }\n' >deep.c
    printf 'int deep(void);\nint near(void) { return deep(); }\n' >near.c
    printf 'int near(void);\nint main(void) { return near(); }\n' >main.c
    build=("${TMO_CC[@]}" -fPIC)
    # shellcheck disable=SC2016 # the loader's
    origin='-Wl,-rpath,$ORIGIN'
    "${build[@]}" -shared -o lib/deep/libdeep.so deep.c
    "${build[@]}" -shared -o lib/libnear.so near.c "$origin/deep" -Llib/deep -ldeep
    for tags in --enable-new-dtags --disable-new-dtags; do
        "${build[@]}" -o main main.c "-Wl,$tags" "$origin/lib" -Llib -lnear -Wl,-rpath-link,lib/deep
        doctor 0 ./main
        says 'needs: 2 libraries (.*; 1 with' 'library: \./lib/deep/libdeep.so (listen)$' \
            'network: yes (imported by libraries'
    done
    "${build[@]}" -o main main.c -Llib -lnear -Wl,-rpath-link,lib/deep
    doctor 0 ./main
    says 'library: libnear.so (not found)$'
    LD_LIBRARY_PATH=$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} doctor 0 ./main
    says 'library: .*/lib/\.*/*deep/libdeep.so (listen)$'
}

@test "what may go past the library is named" {
    cat >past.c <<'END'
long syscall(long, ...);
void *dlmopen(long, const char *, int), *dlopen(const char *, int);
int io_uring_queue_init(void);
int main(void)
{
    return syscall(39) + (dlmopen(0, "", 1) != 0) + (dlopen("", 1) != 0) + io_uring_queue_init();
}
END
    printf 'int io_uring_queue_init(void) { return 0; }\n' >ring.c
    "${TMO_CC[@]}" -shared -fPIC -o libring.so ring.c
    "${TMO_CC[@]}" -w -fno-builtin -o past past.c ./libring.so -ldl
    doctor 0 ./past
    says 'may pass: dlmopen, imported by the program' 'may pass: io_uring, used by the program' \
        'may pass: syscall, imported by the program' 'opens: libraries'
    printf 'int io;\n' >io.c
    "${TMO_CC[@]}" -shared -fPIC -Wl,-soname,liburing.so.2 -o liburing.so io.c
    printf 'int main(void) { return 0; }\n' >needs.c
    "${TMO_CC[@]}" -o needs needs.c -Wl,--no-as-needed ./liburing.so
    doctor 0 ./needs
    says 'may pass: io_uring, used by the program'
}

@test "a program whose sockets can only wait in io_uring: only from outside" {
    "${TMO_CC[@]}" -D_GNU_SOURCE -O1 -o uring "$TMO_ROOT/tests/programs/uring.c" 2>uring.err ||
        skip "no headers of io_uring here: $(tail -n 1 uring.err)"
    doctor 1 ./uring
    says 'may pass: io_uring, used by the program' "$ONLY_OUTSIDE (it does by io_uring all" \
        'instead: start it by socktmo run --guard'
    cmd run ./uring probe
    expect_warned 'does by io_uring all that its sockets could wait for'
    cmd run --engine both --require-reach ./uring probe # which the watchdog sees
    [[ $output != *'does by io_uring'* && $status -ne 126 ]] || fail "warned of what is watched"
    # by the name of the library, and with something else to wait by
    printf 'int io_uring_queue_init(void) { return 0; }\n' >ring.c
    "${TMO_CC[@]}" -shared -fPIC -o libring.so ring.c
    cat >rings.c <<'END'
#include <sys/socket.h>
int io_uring_queue_init(void);
int main(void)
{
    char c = 0;
    (void)c;
    return socket(AF_INET, SOCK_STREAM, 0) < io_uring_queue_init() MORE;
}
END
    "${TMO_CC[@]}" -w -DMORE= -o rings rings.c ./libring.so
    doctor 1 ./rings
    "${TMO_CC[@]}" -w -U_FORTIFY_SOURCE '-DMORE=+recv(3, &c, 1, 0)' -o rings rings.c ./libring.so
    doctor 0 ./rings
    says 'may pass: io_uring, used by the program'
}

@test "static programs: only from outside" {
    client static -static || skip "no static C library here: $(tail -n 1 static.err)"
    doctor 1 ./static
    says 'linking: static (' 'network: unknown' "$ONLY_OUTSIDE (it is statically linked" \
        'instead: start it by socktmo run --guard, or use a build of it that is linked dynamically'
    client pie -static-pie || skip "no static-pie here: $(tail -n 1 pie.err)"
    doctor 1 ./pie
    says 'linking: static-pie' "$ONLY_OUTSIDE"
    cp static "$BATS_TEST_TMPDIR/static" # no blank may be in a #! line
    printf '#!%s\n' "$BATS_TEST_TMPDIR/static" >script
    chmod +x script
    doctor 1 ./script
    says 'script: \./script' "program: $BATS_TEST_TMPDIR/static\$"
}

@test "another word size, machine or C library" {
    compile other || fail "$(<other.err)"
    poke other 18 '\xf3' # e_machine: RISC-V
    doctor 2 ./other
    says 'class: .*riscv (the library is' 'reach: not at all (it is built for another kind'
    poke other 5 '\2' # EI_DATA: big-endian
    doctor 2 ./other
    says 'reach: not at all'
    if [[ $(od -An -tu1 -j4 -N1 "$TMO_LIB") -eq 2 ]] && compile narrow -m32; then
        doctor 1 ./narrow
        says 'class: 32-bit .* (the library is 64-bit' "$ONLY_OUTSIDE"
        # shellcheck disable=SC2016 # the loader's
        [[ $output == *'/usr/$LIB/libsocktmo.so'* ]] || fail "no hint"
    fi
    requires musl-gcc musl-tools
    system
    TMO_CC=(musl-gcc)
    compile musl || fail "$(<musl.err)"
    doctor 1 ./musl
    says 'libc: musl (the library is for glibc' "$ONLY_OUTSIDE (it uses the C library musl" 'instead: build'
}

@test "Go programs, by their sections" {
    requires objcopy binutils
    compile go || fail "$(<go.err)"
    echo x >section
    objcopy --add-section .go.buildinfo=section go
    doctor 1 ./go
    says 'go: yes (with cgo' "$ONLY_OUTSIDE (it is a Go program"
    compile static -static || skip "no static C library here"
    objcopy --add-section .note.go.buildid=section static
    doctor 1 ./static
    says 'go: yes' "$ONLY_OUTSIDE (it is a Go program, statically linked"
}

@test "set-uid, set-gid, capabilities: not at all, but for root from outside" {
    public
    cd "$PUBLIC"
    chown nobody true && chmod 4755 true
    doctor 1 ./true
    says 'privileges: more' "$ONLY_OUTSIDE (it is set-uid to another user" 'instead: .*/etc/ld.so.preload'
    as_user ./socktmo doctor ./true
    expect_silent 2
    says 'reach: not at all (it is set-uid to another user'
    chmod 4711 true # cannot be read by the caller
    as_user ./socktmo doctor ./true
    expect_silent 2
    as_user --no-new-privs ./socktmo doctor /bin/su # the bit counts for nothing
    [[ ! -u /bin/su || $status -eq 0 ]] || fail "status $status"
    chown root true && chmod 4755 true
    doctor 0 ./true
    says 'privileges: those of its caller (it is set-uid'
    chgrp nogroup true && chmod 2755 true
    as_user ./socktmo doctor ./true
    expect_silent 2
    chmod 0755 true
    if client static -static; then
        chown nobody static && chmod 4755 static
        as_user ./socktmo doctor ./static
        expect_silent 2
        says 'reach: not at all (it is statically linked: .*; and it is set-uid'
    fi
    if command -v setcap; then
        setcap cap_net_bind_service+ep true || skip "this file system has no capabilities"
    else
        requires python3
        python3 - <<'END' || skip "this file system has no capabilities"
import os, struct
os.setxattr("true", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
END
    fi
    as_user ./socktmo doctor ./true
    expect_silent 2
    says 'reach: not at all (it has file capabilities'
    doctor 0 ./true
}

@test "what cannot be started or read: the status and the words of run" {
    for name in nosuchprogram ./nosuch/program '' .; do
        cmd "$name"
        ran=$status said=$stderr
        cmd doctor -- "$name"
        told "$ran" ""
        [[ $stderr == "$said" ]] || fail "run says: $said"
    done
    cmd doctor .
    told 126 '.: Permission denied'
    echo text >plain
    cmd doctor ./plain
    told 126 './plain: Permission denied'
    echo '#!/nosuch' >lost
    echo '#!./loop' >loop
    chmod +x lost loop
    cmd doctor ./lost
    told 127 './lost is run by /nosuch: No such file'
    cmd doctor ./loop
    told 126 './loop: too many scripts'
    compile broken || fail "$(<broken.err)"
    head -c 100 broken >short
    chmod +x short
    cmd doctor ./short
    told 126 './short is an ELF file that is damaged or no program'
    compile loaderless "-Wl,--dynamic-linker=/nosuch/ld.so"
    cmd doctor ./loaderless
    told 127 './loaderless: its dynamic loader /nosuch/ld.so: No such file'
}

@test "what cannot be read, so that nobody can tell: 126" {
    public
    cd "$PUBLIC"
    chmod 711 true
    as_user ./socktmo doctor ./true
    expect_silent 126
    says 'reach: unknown (it cannot be read'
}

@test "damaged files: an answer each time, in time" {
    requires python3
    [[ $(od -An -tu1 -j4 -N1 "$TMO_LIB") -eq 2 ]] || skip "written for 64 bits"
    client plain || fail "$(<plain.err)"
    mkdir mangled
    python3 "$TMO_ROOT/tests/programs/mangle.py" plain mangled 60
    for file in mangled/*; do
        cmd doctor "./$file"
        case $status in
        0 | 1 | 2) [[ -z $stderr && $output == *reach:* ]] ;;
        126 | 127) [[ $stderr == "socktmo: "* && $stderr != *$'\n'* ]] ;;
        *) false ;;
        esac || fail "$file: status $status, $stderr"
    done
}

@test "bad usage: 125; -h and --help" {
    cmd doctor
    expect_refused "doctor needs a program"
    cmd doctor --nosuch true
    expect_refused "doctor has no option '--nosuch'"
    cmd doctor true false
    expect_refused "but was given 'false' too"
    for option in -h --help; do
        cmd doctor $option
        expect_silent
        [[ $output == "usage: "* ]] || fail "$option"
    done
    compile plain
    run bash -c '"$0" doctor ./plain >/dev/full' "$TMO_BIN"
    [[ $status -eq 125 && $output == *"No space left"* ]] || fail "a full device"
}

@test "--json: one object, with the same words and the status" {
    client plain || fail "$(<plain.err)"
    doctor 0 --json ./plain
    jq -e '.status == 0 and .reach.value == "by preload" and .program.value == "./plain" and
        .scripts == [] and .network.value == "yes" and .may_pass == [] and
        (.imports | index("connect")) != null' <<<"$output" >/dev/null || fail "the object"
    poke plain 18 '\xf3'
    doctor 2 --json ./plain
    [[ $(jq -r '.status, .reach.value' <<<"$output") == $'2\nnot at all' ]] || fail "the verdict"
}

# --- processes ------------------------------------------------------------------------------------

# starts [VARIABLE=VALUE…] CMD…: in the background, as soon as it is what it is to become. Sets pid.
starts() {
    env "$@" 3>&- 8>&- &
    pid=$!
    own "$pid"
    until [[ $(readlink "/proc/$pid/exe") != */env && $(readlink "/proc/$pid/exe") != */bash ]]; do
        kill -0 "$pid" || fail "it has ended"
    done
}

# until_says STATUS LINE PID: as soon as it does.
until_says() {
    local end=$((SECONDS + 10))

    until cmd doctor "$3" && [[ $status -eq $1 ]] && grep -q "$2" <<<"$output"; do
        ((SECONDS < end)) || fail "it never says '$2'"
    done
}

@test "a process with the library: its settings, and whether they are good" {
    system
    starts LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_RECV=2s SOCKTMO_CONFIG= sleep 60
    until_says 0 '^loaded: /' "$pid"
    expect_silent
    says "process: $pid (sleep)\$" 'loaded: /.*/libsocktmo.so (the one of this command)' \
        'environment: .*SOCKTMO_RECV=2s' 'setting: recv = 2s (environment)' 'acts: yes' \
        'reach: by preload (the library is loaded)'
    starts LD_PRELOAD="$TMO_LD_PRELOAD" SOCKTMO_RECV=2x SOCKTMO_SKIP='sl*' sleep 60 2>/dev/null
    until_says 0 '^loaded: /' "$pid"
    expect_status 0
    says 'acts: no (by only or skip)'
    [[ $stderr == "socktmo: SOCKTMO_RECV='2x': expected a duration"* ]] || fail "$stderr"
    cmd doctor --json "$pid"
    [[ -z $stderr && $(jq -r '.problems[0].where' <<<"$output") == SOCKTMO_RECV ]] || fail "$stderr"
    kill "$pid"
}

@test "a process whose file of the library or of settings was changed since" {
    system
    [[ -z $TMO_PRELOAD ]] || skip "this build needs another library first"
    cp "$TMO_LIB" "$BATS_TEST_TMPDIR/libsocktmo.so"
    echo 'recv = 3s' >"$BATS_TEST_TMPDIR/conf"
    sync -f "$BATS_TEST_TMPDIR/conf" 2>/dev/null || true
    starts LD_PRELOAD="$BATS_TEST_TMPDIR/libsocktmo.so" SOCKTMO_CONFIG="$BATS_TEST_TMPDIR/conf" sleep 60
    until_says 0 "^loaded: .* (the same as" "$pid"
    says "setting: recv = 3s (.*/conf:1)"
    until [[ $output == *"changed since the process started"* ]]; do
        echo 'recv = 4s' >"$BATS_TEST_TMPDIR/new"
        mv "$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/conf"
        doctor 0 "$pid"
    done
    says 'setting: recv = 4s'
    cp "$TMO_LIB" "$BATS_TEST_TMPDIR/new"
    mv "$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/libsocktmo.so"
    doctor 0 "$pid"
    says 'loaded: .*/libsocktmo.so (its file was deleted or replaced since'
}

@test "a process without the library: what its program says" {
    system
    starts -u LD_PRELOAD sleep 60
    doctor 0 "$pid"
    says 'loaded: no' 'reach: by preload' 'instead: start it again by socktmo run'
    client static -static || skip "no static C library here"
    printf '#include <unistd.h>\nint main(void)\n{\n    return pause();\n}\n' >pauses.c
    "${TMO_CC[@]}" -static -o pauses pauses.c
    ./pauses 3>&- 8>&- &
    pid=$!
    own "$pid"
    until_says 1 '^program: .*/pauses$' "$pid"
    says 'loaded: no' "$ONLY_OUTSIDE"
}

@test "a process that is gone, or another user's" {
    sleep 0 &
    pid=$!
    wait "$pid"
    cmd doctor "$pid"
    told 127 "$pid: there is no such process"
    cmd doctor 99999999999999
    told 127 "there is no such process"
    cmd doctor 0
    told 127 "there is no such process"
    public
    starts sleep 60
    as_user "$PUBLIC/socktmo" doctor "$pid"
    told 126 "process $pid cannot be looked at: Permission denied"
}
