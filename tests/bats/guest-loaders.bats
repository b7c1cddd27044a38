#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # inner shells' $; helpers.bash and fds.bash set and read
#
# Before main and after it; libraries that are opened in every way; other preloads, and the ways by
# which the loader comes to ours. What is tried is in tests/guest/loaders.c and interposer.c.

load helpers
load steps
load agree
load fds

GUEST=$TMO_BUILD/guest

# plug: compiles the library that loaders.c opens.
plug() {
    shared plug plug.c
    export GUEST_PLUG=$SHARED
}

# preloads LIST: sets `preloads` to what LD_PRELOAD must be for these, with what this build needs.
preloads() {
    preloads=${TMO_PRELOAD:+$TMO_PRELOAD:}$1
}

# beside THEIRS [VAR=VALUE…] -- CMD…: with the other preload alone, then with ours in both orders,
# without settings and with limits that are never hit; all say the same, standard error included.
beside() {
    local theirs=$1 order without
    local -a variables=()

    shift
    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    preloads "$theirs"
    bare LD_PRELOAD="$preloads" "${variables[@]}" -- "$@"
    without="$status $output"
    [[ $status -eq 0 ]] || fail "it does not run without us"
    for order in "$theirs:$TMO_LIB" "$TMO_LIB:$theirs"; do
        preloads "$order"
        bare LD_PRELOAD="$preloads" "${variables[@]}" -- "$@"
        [[ "$status $output" == "$without" ]] ||
            fail "$order: $(diff <(echo "$without") <(echo "$status $output") | head -n 20)"
        rm -f log
        bare LD_PRELOAD="$preloads" "${variables[@]}" "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- \
            "$@"
        [[ "$status $output" == "$without" ]] ||
            fail "$order, limits: $(diff <(echo "$without") <(echo "$status $output") | head -n 20)"
        [[ -s log ]] || fail "$order: we were not there"
    done
}

# installed_library NAME PACKAGE: sets `library` to its path, or skips the test.
installed_library() {
    library=$(find /usr/lib /lib -name "$1" -print -quit 2>/dev/null)
    [[ -n $library ]] || skip "$1 is not installed (Debian package $2)"
}

# same_said CMD…: bare, and with ours under limits, which are in `loaded` (VAR=VALUE…).
same_said() {
    local without

    bare -- "$@"
    without="$status $output"
    rm -f log
    bare "${loaded[@]}" "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- "$@"
    [[ "$status $output" == "$without" ]] ||
        fail "it says otherwise: $(diff <(echo "$without") <(echo "$status $output") | head -n 20)"
}

# --- before and after main ------------------------------------------------------------------------

@test "connections made in .preinit_array and constructors, used in main" {
    agree loaders before
}

@test "atexit, on_exit, at_quick_exit, destructors" {
    agree loaders after
}

@test "values of a thread that are destroyed when it ends" {
    agree loaders threads_end
}

# --- libraries ------------------------------------------------------------------------------------

@test "a library that is opened and closed, and shares connections with the program" {
    plug
    agree loaders opened
}

@test "a library opened with RTLD_DEEPBIND, which closes and replaces what the program holds" {
    [[ -z $TMO_PRELOAD ]] || skip "sanitizers refuse RTLD_DEEPBIND"
    plug
    agree loaders opened_deep
    agree loaders opened_deep SOCKTMO_IDLE=off SOCKTMO_TOTAL=off
}

@test "a library in a namespace of its own (dlmopen)" {
    [[ -z $TMO_PRELOAD ]] || skip "sanitizers do not know dlmopen"
    plug
    agree loaders opened_apart
    agree loaders opened_apart SOCKTMO_IDLE=off SOCKTMO_TOTAL=off
}

@test "dlsym and dlvsym give something that can be called" {
    agree loaders symbols
}

@test "a program with its own connect, close, poll and read" {
    agree interposer counts
}

# --- other preloads -------------------------------------------------------------------------------

# Another preload: it wraps connect, close and poll, looks up the next one each time, and counts.
neighbour() {
    shared "$1" - <<'END'
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
static int connects, closes, polls;
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    connects++;
    return ((int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect"))(fd, addr, len);
}
int close(int fd)
{
    closes++;
    return ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
}
int poll(struct pollfd *fds, nfds_t count, int ms)
{
    polls++;
    return ((int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll"))(fds, count, ms);
}
static void __attribute__((destructor)) tell(void)
{
    fprintf(stderr, "connect %d, close %d, poll %d\n", connects, closes, polls);
}
END
}

@test "beside another preload that wraps the same calls, in both orders: each sees all of them" {
    neighbour neighbour
    beside "$SHARED" -- "$GUEST/interposer" counts
    beside "$SHARED" -- "$GUEST/loaders" after
    beside "$SHARED" -- "$GUEST/processes" forks
    beside "$SHARED" -- "$GUEST/processes" vforks
}

@test "between two other preloads" {
    neighbour one
    local one=$SHARED
    neighbour two
    preloads "$one:$SHARED"
    bare LD_PRELOAD="$preloads" -- "$GUEST/processes" clones
    local without="$status $output"
    preloads "$one:$TMO_LIB:$SHARED"
    bare LD_PRELOAD="$preloads" "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- \
        "$GUEST/processes" clones
    [[ "$status $output" == "$without" ]] || fail "it says otherwise than: $without"
}

@test "two copies under two names, alone and beside another preload: results are as bare" {
    local name order without
    neighbour neighbour
    cp "$TMO_LIB" "$BATS_TEST_TMPDIR/copy.so"
    for name in forks vforks exec_fails killed; do
        bare -- "$GUEST/processes" "$name"
        without="$status $output"
        rm -rf text loop
        for order in "$TMO_LIB:$BATS_TEST_TMPDIR/copy.so" "$BATS_TEST_TMPDIR/copy.so:$TMO_LIB" \
            "$TMO_LIB:$SHARED:$BATS_TEST_TMPDIR/copy.so"; do
            preloads "$order"
            bare LD_PRELOAD="$preloads" "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- \
                "$GUEST/processes" "$name"
            output=$(grep -v '^connect [0-9]*, close' <<<"$output")
            [[ "$status $output" == "$without" ]] ||
                fail "$order: $(diff <(echo "$without") <(echo "$status $output") | head -n 20)"
        done
    done
}

@test "beside jemalloc" {
    installed_library 'libjemalloc.so.2' libjemalloc2
    beside "$library" -- "$GUEST/loaders" before
    beside "$library" -- "$GUEST/processes" fork_storm
}

@test "beside libfaketime" {
    installed_library 'libfaketime.so.1' libfaketime
    beside "$library" FAKETIME=-10d -- "$GUEST/loaders" after
    beside "$library" FAKETIME=-10d -- "$GUEST/processes" killed
    # our times are the kernel's, whatever the program is told
    jq -e 'select(has("age_ms")) | .age_ms >= 0 and .age_ms < 60000' log >ages ||
        fail "ages are made up"
    ! grep -q false ages || fail "ages are made up"
    [[ $(tail -n 1 log | jq -r .ts) > $(date -u -d '-1 day' +%FT%T) ]] || fail "the date is made up"
}

@test "beside torsocks" {
    installed_library 'libtorsocks.so' torsocks
    printf 'AllowInbound 1\nAllowOutboundLocalhost 2\n' >torsocks.conf
    local -a told=(TORSOCKS_CONF_FILE="$PWD/torsocks.conf" TORSOCKS_LOG_LEVEL=1)
    beside "$library" "${told[@]}" -- "$GUEST/interposer" counts
    beside "$library" "${told[@]}" -- "$GUEST/processes" killed
}

# instrumented FLAG…: a guest program compiled anew; sets `built`.
instrumented() {
    built=$BATS_TEST_TMPDIR/built
    "${TMO_CC[@]}" -std=gnu11 -D_GNU_SOURCE -I"$TMO_ROOT" -pthread -o "$built" "$@" -ldl
}

@test "in a program with AddressSanitizer, behind its library and before it" {
    [[ -z $TMO_PRELOAD ]] || skip "this build has its own sanitizer"
    local asan
    asan=$(gcc -print-file-name=libasan.so 2>/dev/null) && [[ -e $asan ]] ||
        skip "there is no libasan"
    CC=gcc instrumented -g -fsanitize=address "$TMO_ROOT/tests/guest/processes.c"
    export ASAN_OPTIONS=detect_leaks=0
    local -a loaded=(LD_PRELOAD="$asan:$TMO_LIB")
    for name in forks vforks spawns; do
        same_said "$built" "$name"
        [[ $status -eq 0 && -s log ]] || fail "$name"
    done
    export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0
    loaded=(LD_PRELOAD="$TMO_LIB")
    for name in forks vforks pipes; do
        same_said "$built" "$name"
        [[ $status -eq 0 && -s log ]] || fail "$name, ours first"
    done
}

@test "under valgrind: no error, and the same is said" {
    without_thread "valgrind 3.19 does not know pidfd_open"
    requires valgrind
    [[ -z $TMO_PRELOAD ]] || skip "this build has its own sanitizer"
    local without
    TMO_CUT=60
    for name in "loaders before" "interposer counts"; do
        bare -- "$GUEST/${name% *}" "${name#* }"
        without=$output
        # guest.h's guard counts in real time
        under "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- valgrind -q --error-exitcode=9 \
            "$GUEST/${name% *}" "${name#* }"
        # which says a word of how we ask whether memory can be read (shim/sys/raw.h)
        output=$(grep -v '^--[0-9]*-- sigprocmask: unknown' <<<"$output")
        [[ $status -eq 0 && $output == "$without" ]] || fail "$name: bare it is $without"
    done
}

# --- the ways in ----------------------------------------------------------------------------------

@test "ld.so.preload: ordinary programs say what they say bare" {
    [[ $EUID -eq 0 ]] || skip "needs root to put a file there"
    [[ -z $TMO_PRELOAD ]] || skip "not with a sanitizer"
    unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
    peer_start echo
    cp "$TMO_LIB" "$BATS_TEST_TMPDIR/lib.so" # ld.so.preload splits at blanks
    local -a commands=('sh -c "echo x; exit 3"' 'ls /' 'python3 -c "import socket; print(1)"'
        'perl -e "print 5; exit 4"' 'git --version' "curl -s -m 5 http://127.0.0.1:$PEER_PORT/"
        'mount --help' 'su --help' 'id -u' 'awk "BEGIN { exit 7 }"' 'date -u +%Y' 'env | wc -l'
        'true | cat; false' 'bash -c "kill -9 \$\$"' 'tar --version' 'sed --version' 'find /etc -maxdepth 0'
        "bash -c 'echo >/dev/tcp/127.0.0.1/$PEER_PORT && echo done'")
    local file
    # a folder of the test's own stands over /etc, with the file in it
    for command in "${commands[@]}"; do
        for file in without with; do
            run bounded env "${NEVER_HIT[@]}" SOCKTMO_LOG="$PWD/log" unshare -m bash -c '
                set -e
                mkdir -p upper work
                mount -t tmpfs none upper
                mkdir upper/up upper/work
                mount -t overlay none -o lowerdir=/etc,upperdir="upper/up",workdir="upper/work" /etc
                [[ $1 == without ]] || echo "$2" >/etc/ld.so.preload
                exec sh -c "$3"' bash "$file" "$BATS_TEST_TMPDIR/lib.so" "$command"
            printf '%s\n%s\n' "$status" "$output" >"$file"
        done
        diff without with >differs || fail "$command: $(cat differs)"
    done
    [[ -s log ]] || fail "we were never there"
}

@test "static programs are untouched" {
    printf '%s\n' '#include "tests/guest/guest.h"' \
        'static void case_all(void) { int e[2]; char b = 0; guest_connect(e);' \
        'SAY("send", send(e[0], &b, 1, 0)); SAY("recv", recv(e[1], &b, 1, 0)); }' \
        'static const struct guest_case cases[] = {{"all", case_all}};' 'GUEST_MAIN(cases)' >all.c
    for how in -static -static-pie; do
        instrumented $how all.c 2>/dev/null || skip "no static C library"
        local -a loaded=(LD_PRELOAD="$TMO_LD_PRELOAD")
        same_said "$built" all
        [[ $status -eq 0 && ! -e log ]] || fail "$how"
    done
}

@test "programs bound at once and as they go, with and without a place of their own" {
    for how in "-Wl,-z,now -pie -fPIE" "-Wl,-z,lazy -no-pie -fno-pie" "-Wl,-z,now -no-pie -fno-pie" \
        "-Wl,-z,lazy -pie -fPIE -Wl,--hash-style=sysv" "-fno-plt -O2 -fPIE -pie"; do
        # shellcheck disable=SC2086 # flags
        instrumented $how "$TMO_ROOT/tests/guest/loaders.c" || skip "$how"
        local -a loaded=(LD_PRELOAD="$TMO_LD_PRELOAD")
        for name in before after symbols; do
            same_said "$built" "$name"
            [[ $status -eq 0 && -s log ]] || fail "$how, $name"
        done
    done
}

@test "LD_BIND_NOW, a relative path, \$ORIGIN, an old search path" {
    [[ -z $TMO_PRELOAD ]] || skip "not with a sanitizer"
    local -a loaded
    cp "$TMO_LIB" ./lib.so
    cp "$GUEST/loaders" .
    for way in "LD_BIND_NOW=1 LD_PRELOAD=./lib.so" "LD_PRELOAD=./lib.so" \
        'LD_PRELOAD=$ORIGIN/lib.so' 'LD_PRELOAD=${ORIGIN}/lib.so' "LD_PRELOAD=lib.so LD_LIBRARY_PATH=."; do
        read -ra loaded <<<"$way"
        for name in before after; do
            same_said ./loaders "$name"
            [[ $status -eq 0 && -s log ]] || fail "$way, $name"
        done
    done
}

@test "a path that is not there: the loader's own message, and the program runs" {
    [[ -z $TMO_PRELOAD ]] || skip "not with a sanitizer"
    bare LD_PRELOAD=/nowhere/libsocktmo.so "${NEVER_HIT[@]}" -- "$GUEST/interposer" counts
    local only=$output
    [[ $status -eq 0 && $only == *"/nowhere/libsocktmo.so"*"cannot be preloaded"* ]] || fail "bare"
    bare LD_PRELOAD="/nowhere/libsocktmo.so:$TMO_LIB" "${NEVER_HIT[@]}" -- "$GUEST/interposer" counts
    [[ $status -eq 0 && $output == "$only" ]] || fail "not only that: $only"
}

@test "the loader's own words (LD_DEBUG), and a library that audits" {
    [[ -z $TMO_PRELOAD ]] || skip "not with a sanitizer"
    under LD_DEBUG=statistics "${NEVER_HIT[@]}" -- "$GUEST/loaders" after
    [[ $status -eq 0 && $output == *"number of relocations"*"after: ok" ]] || fail "statistics"
    under LD_DEBUG=all LD_DEBUG_OUTPUT="$PWD/words" "${NEVER_HIT[@]}" -- "$GUEST/loaders" before
    [[ $status -eq 0 && $output == *"before: ok" ]] || fail "all"
    shared audit - <<<'unsigned la_version(unsigned v) { return v; }'
    local -a loaded=(LD_PRELOAD="$TMO_LIB" LD_AUDIT="$SHARED")
    same_said "$GUEST/loaders" before
    [[ $status -eq 0 && -s log ]] || fail "audited"
    same_said "$GUEST/processes" forks
    [[ $status -eq 0 && -s log ]] || fail "audited"
}
