#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2154 # helpers.bash reads and sets what is not seen here
#
# The limit on look-ups of names. The world in which they are made, and the name server that does
# not answer, are in tests/programs/lookups.c. That look-ups in a thread give what they give bare is
# also tested by guest-names.

load helpers

LOOKUPS=$TMO_BUILD/tests/lookups
CALLS=(getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyname2_r getnameinfo)
RESOLVER=(res_query res_search res_querydomain res_send res_nquery res_nsearch res_nquerydomain res_nsend)
ASYNC=(async_wait async_suspend async_signal async_thread)

setup() {
    tmo_setup
    unshare -mn true 2>/dev/null || skip "namespaces are not permitted here"
    not_on musl "musl has a resolver of its own, which asks for five seconds whatever it is told"
}

# looks_up [SETTING=VALUE…] -- SERVER STEP…: under the shim, with a log. What the steps took is in
# ./took.
looks_up() {
    local -a settings=()

    while [[ $1 != -- ]]; do
        settings+=("$1")
        shift
    done
    shift
    rm -f log
    under SOCKTMO_LOG="$PWD/log" SOCKTMO_EVENTS=dns,timeout "${settings[@]}" -- \
        bash -c 'exec "$@" 2>took' - "$LOOKUPS" "$@"
    [[ $status -eq 0 || $status -eq 124 ]] || fail "not done: $(<took)"
}

# took STEP LOW HIGH: each step of that name, in milliseconds.
took() {
    local ms
    local -a all

    mapfile -t all < <(sed -n "s/^$1 took //p" took)
    [[ ${#all[@]} -gt 0 ]] || fail "$1 was not done"
    for ms in "${all[@]}"; do
        assert_between "$2" "$3" "$ms" "ms of $1"
    done
}

@test "bare, and without the setting, a look-up hangs where the name server does not answer" {
    TMO_CUT=2 bare -- "$LOOKUPS" mute getaddrinfo
    [[ $status -eq 124 ]] || fail "it does not hang bare"
    TMO_CUT=2 looks_up SOCKTMO_TIMEOUT=300ms -- mute getaddrinfo
    [[ $status -eq 124 ]] || fail "it does not hang under other limits"
}

@test "each call ends at the limit, and says that it is to be tried again" {
    local call again='Temporary failure in name resolution'

    looks_up SOCKTMO_DNS=300ms -- mute "${CALLS[@]}"
    diff <(echo "$output") - <<END || fail "not what was expected"
getaddrinfo: $again, errno -, h_errno 77
gethostbyname: NULL, errno EAGAIN, h_errno 2
gethostbyname2: NULL, errno EAGAIN, h_errno 2
gethostbyname_r: 11 2 -: NULL, errno EAGAIN, h_errno 77
gethostbyname2_r: 11 2 -: NULL, errno EAGAIN, h_errno 77
getnameinfo: $again  , errno -, h_errno 77
END
    for call in "${CALLS[@]}"; do
        took "$call" 300 2000
    done
}

@test "by address, by the resolver itself, by getaddrinfo_a: the same" {
    local call again='Temporary failure in name resolution'
    local -a calls=(gethostbyaddr gethostbyaddr_r "${RESOLVER[@]}" "${ASYNC[@]}")

    looks_up SOCKTMO_DNS=300ms -- mute "${calls[@]}"
    diff <(echo "$output") - <<END || fail "not what was expected"
gethostbyaddr: NULL, errno EAGAIN, h_errno 2
gethostbyaddr_r: 11 2 -: NULL, errno EAGAIN, h_errno 77
res_query: -1, rcode 0 , errno ETIMEDOUT, h_errno 2
res_search: -1, rcode 0 , errno ETIMEDOUT, h_errno 2
res_querydomain: -1, rcode 0 , errno ETIMEDOUT, h_errno 2
res_send: -1, rcode 0 , errno ETIMEDOUT, h_errno 77
res_nquery: -1, rcode 0 , errno ETIMEDOUT, h_errno 2, res_h_errno 2
res_nsearch: -1, rcode 0 , errno ETIMEDOUT, h_errno 2, res_h_errno 2
res_nquerydomain: -1, rcode 0 , errno ETIMEDOUT, h_errno 2, res_h_errno 2
res_nsend: -1, rcode 0 , errno ETIMEDOUT, h_errno 77, res_h_errno 0
async_wait: 0, $again, 127.0.0.1
async_suspend: 0, $again, 127.0.0.1, $again, Request not canceled
async_signal: 0, $again, 127.0.0.1, told 42
async_thread: 0, $again, 127.0.0.1, told 43
END
    for call in "${calls[@]}"; do
        took "$call" 300 2000
    done
    [[ $(record timeout '[.limit, .limit_ms, .host // .peer // "-"] | join(" ")' | sort | uniq -c |
        xargs) == "2 dns 300 - 2 dns 300 10.1.2.3:0 10 dns 300 x.test" ]] || fail "not these timeouts"
    [[ $(record dns '[.call, .outcome, .error] | join(" ")' | sort -u | paste -sd ,) == \
        'getaddrinfo_a timeout EAI_AGAIN,gethostbyaddr timeout TRY_AGAIN,gethostbyaddr_r timeout TRY_AGAIN,'* ]] ||
        fail "not these records of dns"
    looks_up -- good res_query res_nquery gethostbyaddr
    [[ $(record dns '[.call, .outcome] | join(" ")' | paste -sd ,) == \
        'res_query ok,res_nquery ok,gethostbyaddr ok' ]] || fail "not without a limit"
}

@test "a state with another name server is asked by, and left as it was" {
    looks_up SOCKTMO_DNS=5s -- mute res_other
    [[ $output == 'res_other: 40 40' ]] || fail "not asked"
}

@test "the records timeout and dns" {
    looks_up SOCKTMO_DNS=300ms -- mute "${CALLS[@]}"
    diff <(record timeout '[.limit, .limit_ms, .call, .action, .host // .peer] | @csv') - <<'END' ||
"dns",300,"getaddrinfo","error","x.test"
"dns",300,"gethostbyname","error","x.test"
"dns",300,"gethostbyname2","error","x.test"
"dns",300,"gethostbyname_r","error","x.test"
"dns",300,"gethostbyname2_r","error","x.test"
"dns",300,"getnameinfo","error","10.1.2.3:80"
END
        fail "not these timeouts"
    [[ $(record timeout '.waited_ms >= 300 and .waited_ms < 2000' | sort -u) == true ]] ||
        fail "another waited_ms"
    [[ $(record dns '[.call, .outcome, .error] | @csv' | paste -sd ' ') == \
        '"getaddrinfo","timeout","EAI_AGAIN" "gethostbyname","timeout","TRY_AGAIN" '* ]] ||
        fail "not these records of dns"
    looks_up -- good "${CALLS[@]}" getaddrinfo:127.0.0.1 gethostbyname_r:a.test
    [[ $(record dns '[.call, .outcome, has("error"), .took_ms < 2000] | @csv' | sort -u | wc -l) \
        -eq ${#CALLS[@]} && $(records dns) -eq $((${#CALLS[@]} + 1)) ]] || fail "not without a limit"
    [[ $(record dns '.outcome' | sort -u) == ok ]] || fail "not all went well"
}

@test "a healthy look-up gives what it gives bare, to errno and h_errno" {
    local -a steps=("${CALLS[@]}" two "${RESOLVER[@]}" res_two "${ASYNC[@]}" gethostbyaddr:127.0.0.2)
    local call name

    for call in getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyname2_r; do
        for name in a.test alias.test localhost 127.0.0.1 127.1 ::1 ''; do
            steps+=("$call:$name")
        done
    done
    steps+=(getnameinfo:127.0.0.2)
    bare -- bash -c 'exec "$@" 2>took' - "$LOOKUPS" good "${steps[@]}"
    echo "$output" >without
    looks_up SOCKTMO_DNS=10s -- good "${steps[@]}"
    diff without <(echo "$output") || fail "not as bare"
    assert_records timeout 0
}

@test "two threads at once" {
    local step

    for step in two res_two; do
        looks_up SOCKTMO_DNS=300ms -- mute $step
        took $step 300 2000
        assert_records timeout 2
        [[ $(record timeout .tid | sort -u | wc -l) -eq 2 ]] || fail "of one thread"
    done
}

@test "an answer that comes late is freed with its thread: no memory, thread, descriptor is left" {
    looks_up SOCKTMO_DNS=20ms -- late:150 loop:300
    [[ $output == 'loop:300: 300 failed, 0 threads, 0 descriptors more, no memory' ]] ||
        fail "something is left"
    took loop:300 6000 15000
    assert_records timeout 300
    looks_up SOCKTMO_DNS=10s -- good loop:400
    [[ $output == 'loop:400: 0 failed, 0 threads, 0 descriptors more, no memory' ]] ||
        fail "something is left of answers in time"
}

@test "the same of the resolver itself and of getaddrinfo_a" {
    TMO_CUT=60 looks_up SOCKTMO_DNS=20ms -- late:150 res_loop:150 async_loop:150
    diff <(echo "$output") - <<'END' || fail "something is left"
res_loop:150: 150 failed, 0 threads, 0 descriptors more, no memory
async_loop:150: 150 failed, 0 threads, 0 descriptors more, no memory
END
    took res_loop:150 3000 15000
    took async_loop:150 3000 15000
}

# A library behind ours, which keeps the thread back, stands for a machine that is busy.
@test "a state that the program closes before the thread uses its copy" {
    cat >late.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <resolv.h>
#include <unistd.h>
int res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer, int len)
{
    int (*next)(res_state, const char *, int, int, unsigned char *, int) = dlsym(RTLD_NEXT, "res_nquery");
    usleep(100000);
    return next(state, name, class, type, answer, len);
}
END
    "${TMO_CC[@]}" -shared -fPIC -o late.so late.c -ldl
    TMO_LD_PRELOAD+=:late.so
    looks_up LD_LIBRARY_PATH="$PWD" SOCKTMO_DNS=20ms -- late:50 res_loop:30
    [[ $output == 'res_loop:30: 30 failed, 0 threads, 0 descriptors more, no memory' ]] ||
        fail "not so"
}

# The same: a destructor of thread-local data keeps the thread from its end.
@test "a thread that gave its answer is gone when the call is back" {
    cat >late.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <unistd.h>
static pthread_key_t key;
static void linger(void *value) { (void)value; usleep(10000); }
static void __attribute__((constructor)) begin(void) { pthread_key_create(&key, linger); }
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    pthread_setspecific(key, &key);
    return next(name, service, hints, ret);
}
END
    "${TMO_CC[@]}" -shared -fPIC -o late.so late.c -ldl
    TMO_LD_PRELOAD+=:late.so
    looks_up LD_LIBRARY_PATH="$PWD" -- good alone
    [[ $output == 'alone: 0 refused' ]] || skip "not permitted here"
    looks_up LD_LIBRARY_PATH="$PWD" SOCKTMO_DNS=5s -- good alone
    [[ $output == 'alone: 0 refused' ]] || fail "it is there yet: $output"
}

@test "thread-local data of the program's take nothing of the thread's stack" {
    local kib

    for kib in 300 500 504 508 600; do # about as much as the stack of a look-up
        "${TMO_CC[@]}" -DKIB=$kib -o local -xc - <<'END'
#include <netdb.h>
__thread char data[KIB << 10];
int main(void)
{
    struct addrinfo *list;
    data[0] = 1;
    return getaddrinfo("localhost", "80", 0, &list);
}
END
        under SOCKTMO_DNS=5s -- ./local
        [[ $status -eq 0 ]] || fail "$kib KiB: status $status"
    done
}

@test "ten thousand look-ups in time leave nothing" {
    TMO_CUT=120 under SOCKTMO_DNS=20s -- "$LOOKUPS" good loop:4000 res_loop:4000 async_loop:1000
    [[ $(grep -c ': 0 failed, 0 threads, 0 descriptors more, no memory$' <<<"$output") -eq 3 ]] ||
        fail "something is left"
}

@test "a look-up and its answer at the same moment" {
    local ms

    for ms in 19 20 21; do
        looks_up SOCKTMO_DNS=20ms -- late:"$ms" loop:100 res_loop:50 async_loop:50
        [[ $(grep -c ' 0 threads, 0 descriptors more, no memory$' <<<"$output") -eq 3 ]] ||
            fail "something is left"
    done
}

@test "late answers, under memcheck" {
    requires valgrind
    [[ -z $TMO_PRELOAD ]] || skip "not beside a sanitizer"
    TMO_CUT=60 under SOCKTMO_DNS=100ms -- valgrind -q --error-exitcode=9 --trace-children=yes \
        --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        "$LOOKUPS" late:400 getaddrinfo gethostbyname gethostbyname2_r getnameinfo gethostbyaddr_r \
        "${RESOLVER[@]}" "${ASYNC[@]}" loop:3
    [[ $status -eq 0 ]] || fail "memcheck has something to say"
}

@test "a thread that is cancelled while it waits ends when the look-up does" {
    looks_up SOCKTMO_DNS=700ms -- mute cancel
    [[ $output == 'cancel: cancelled' ]] || fail "it cannot"
    took cancel 650 2500
    looks_up SOCKTMO_DNS=10s -- late:300 cancel cancel loop:2
    [[ ${lines[2]} == 'loop:2: 0 failed, 0 threads, 0 descriptors more, no memory' ]] ||
        fail "something is left"
}

@test "a handler that runs meanwhile ends nothing" {
    looks_up SOCKTMO_DNS=500ms -- mute handler
    [[ $output == *', handled' ]] || fail "it did not run"
    took handler 500 2500
}

@test "the thread blocks the program's signals, but not those of faults and of the C library" {
    [[ -z $TMO_PRELOAD ]] || skip "sanitizers have threads of their own"
    looks_up SOCKTMO_DNS=1s -- mute thread
    # SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, 32, 33
    [[ $output == 'thread: open 1c00405d8' ]] || fail "it blocks others"
}

@test "the options and times of a resolver's state that the program has set count" {
    looks_up SOCKTMO_DNS=8s -- mute resolver
    took resolver 900 5000
    assert_records timeout 0
}

@test "where no thread can be made the look-up goes without a limit, and one line says so" {
    looks_up SOCKTMO_DNS=100ms SOCKTMO_EVENTS=start -- late:300 none # which opens the log
    [[ $output == 'none: 10.1.2.3, '* ]] || fail "it does not go through"
    [[ $(grep -c 'socktmo: SOCKTMO_DNS=.100ms.: no thread can be made' took) -eq 1 ]] ||
        fail "not told once"
    assert_records problem 1
}

@test "on a signal stack of the program's own no thread is made" {
    [[ -z $TMO_PRELOAD ]] || skip "sanitizers have threads of their own"
    looks_up SOCKTMO_DNS=100ms -- late:300 stack
    [[ $output == 'stack: 10.1.2.3, '*', 1 threads' ]] || fail "not as bare"
}

@test "the actions: exit, abort, and report" {
    looks_up SOCKTMO_DNS=200ms SOCKTMO_ACTION=exit -- mute getaddrinfo
    [[ $status -eq 124 && -z $output ]] || fail "it did not exit"
    assert_between 200 3000
    [[ $(record timeout .action) == exit ]] || fail "no record"
    looks_up SOCKTMO_DNS=200ms SOCKTMO_ACTION=report -- late:600 getaddrinfo
    [[ $output == 'getaddrinfo: 10.1.2.3, '* ]] || fail "the answer did not come"
    took getaddrinfo 600 3000
    assert_records timeout 1
    under SOCKTMO_DNS=200ms SOCKTMO_ACTION=abort -- bash -c 'ulimit -c 0; exec "$@"' - \
        "$LOOKUPS" mute getaddrinfo
    [[ $status -eq 134 ]] || fail "it did not abort"
}

@test "under report a request that is late does not keep back the others of its call" {
    looks_up SOCKTMO_DNS=100ms SOCKTMO_ACTION=report -- late:400 async_order
    [[ $output == 'async_order: 0 1' ]] || fail "it does"
    took async_order 400 4000
    assert_records timeout 2
}

@test "in the file, not in its rules; off by the file's disable; untouched by timeout and limits" {
    printf 'dns = 200ms\n' >conf
    looks_up SOCKTMO_CONFIG="$PWD/conf" -- late:600 getaddrinfo
    took getaddrinfo 200 550
    printf 'dns = 200ms\ndisable = on\n' >conf
    looks_up SOCKTMO_CONFIG="$PWD/conf" -- late:600 getaddrinfo
    took getaddrinfo 600 3000
    printf '[a]\nmatch = to any\ndns = 200ms\n' >conf
    looks_up SOCKTMO_CONFIG="$PWD/conf" -- late:600 getaddrinfo
    [[ $output == *conf:3:* ]] || fail "a rule can have it"
    looks_up SOCKTMO_RULES='to any: limits=off' SOCKTMO_DNS=200ms SOCKTMO_TIMEOUT=off -- \
        late:600 getaddrinfo
    took getaddrinfo 200 550
}
